"""Pictures and texts of expressions, as users ask for them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

from graphc.errors import GraphcTypeError, NotSupportedError, message
from graphc.ir import printer
from graphc.ir.node import Node
from graphc.ir.source import here
from graphc.ir.types import LANGUAGE
from graphc.lower.program import Program
from graphc.viz.dot import source
from graphc.viz.labels import Names
from graphc.viz.picture import draw as draw_picture
from graphc.viz.scene import Scene, program_scene

Updates = Sequence[tuple[Node, Node]]


class Function(Protocol):
    """A compiled function, as far as pictures of it go."""

    program: Program

    def dot_source(self, before: bool = False, depth: int | None = None) -> str:
        """Return its picture in the language of Graphviz."""


def pp(expr: Any) -> str:
    """Return an expression as a formula on one line, shortened where it is deep.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> graphc.pp(1 / (1 + T.exp(-T.dvector("x"))))
    '1 / (1 + exp(-x))'
    """
    return ", ".join(map(printer.pp, _results(expr)))


def debugprint(expr: Any, depth: int = -1, file: TextIO | str | None = None) -> str | None:
    """Print an expression, or what a function computes, as a tree: a node a line.

    Parameters
    ----------
    expr : Node, sequence of Node, or CompiledFunction
    depth : int
        Levels to show; -1 for all.
    file : file, 'str' or None
        Where to print; ``'str'`` returns the text instead, None prints to standard output.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dvector("x")
    >>> graphc.debugprint(T.exp(x) + x)
    add [0] : float64[?]
     | exp [1] : float64[?]
     |  | x : float64[?]
     | x : float64[?]
    """
    text = printer.tree(_results(expr), depth)
    if file == "str":
        return text
    print(text, file=sys.stdout if file is None or isinstance(file, str) else file)
    return None


def dot_source(expr: Any, *, before: bool = False, depth: int | None = None) -> str:
    """Return the picture of an expression or function in DOT, the language of Graphviz.

    Parameters
    ----------
    expr : Node, sequence of Node, or CompiledFunction
    before : bool
        Of a function: as it was written, not as it runs.
    depth : int, optional
        How much to show. Of a function, 0 draws each group as one box, and 1 opens all of them; of
        an expression, the number of levels of ops. By default large pictures are made smaller.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> "x + 1" in graphc.dot_source(T.dvector("x") + 1)
    True
    """
    if hasattr(expr, "dot_source"):
        return expr.dot_source(before=before, depth=depth)  # type: ignore[no-any-return]
    scene = Scene(_results(expr))
    scene.show_loops()
    return source(draw_picture(scene, depth=depth))


def draw(
    expr: Any, path: str | Path | None = None, *, before: bool = False, depth: int | None = None
) -> str:
    """Draw an expression or a function, and return the picture as SVG.

    Parameters
    ----------
    expr : Node, sequence of Node, or CompiledFunction
    path : path, optional
        Where to write the picture: SVG, or DOT if the name ends in ``.dot`` or ``.gv``.
    before, depth
        As for `dot_source`.

    Returns
    -------
    str
        What was, or would be, written.

    Raises
    ------
    NotSupportedError
        If no layout engine is installed. ``dot_source`` and ``.dot`` files need none.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dvector("x")
    >>> picture = graphc.draw(T.exp(x) + x, "sum.svg")
    """
    return write(dot_source(expr, before=before, depth=depth), path)


def write(dot: str, path: str | Path | None) -> str:
    """Return a picture as SVG, and write it if there is a path; a path in .dot gets DOT."""
    target = None if path is None else Path(path)
    text = dot if target is not None and target.suffix in (".dot", ".gv") else _svg(dot)
    if target is not None:
        target.write_text(text, encoding="utf-8")
    return text


def _svg(dot: str) -> str:
    from graphc.viz import render

    return render.svg(dot)


def notebook(expr: Any) -> str | None:
    """Return the picture that a notebook shows; None, and the notebook shows text, without one."""
    try:
        return draw(expr)
    except NotSupportedError:
        return None


def dot_of_program(program: Program, names: Names | None = None, depth: int | None = None) -> str:
    """Return the picture of a program as it runs: steps as clusters and boxes."""
    title = f"{program.name}, as it runs"
    return source(draw_picture(program_scene(program, names), title, depth))


def dot_of_written(
    name: str, outputs: Sequence[Node], updates: Updates, depth: int | None = None
) -> str:
    """Return the picture of a function as its user wrote it."""
    scene = Scene(outputs, updates, function=True)
    scene.show_loops()
    return source(draw_picture(scene, f"{name}, as written", depth))


def _results(expr: Any) -> list[Node]:
    if isinstance(expr, Node):
        return [expr]
    program = getattr(expr, "program", expr)
    if isinstance(program, Program):
        return [*program.outputs, *(new for _, new in program.updates)]
    found = list(expr.values()) if isinstance(expr, dict) else expr
    if isinstance(found, (list, tuple)) and found and all(isinstance(n, Node) for n in found):
        return list(found)
    raise GraphcTypeError(
        message(
            f"{type(expr).__name__} is not something to draw or print",
            (),
            here(),
            "give an expression, several of them, or a compiled function",
        )
    )


LANGUAGE["svg"] = notebook
