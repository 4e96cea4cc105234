"""Printing under the names of Theano's module ``theano.printing``; values as they are computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError, NotSupportedError, message
from graphc.ir.node import Node, as_node
from graphc.ir.source import here
from graphc.ops.foreign import Foreign
from graphc.viz.show import debugprint, dot_source, draw, pp

pprint = pp

__all__ = ["Print", "debugprint", "pp", "pprint", "pydotprint"]


class Print:
    """A function that returns its argument, and prints its value whenever it is computed.

    Parameters
    ----------
    message : str
        What to print before the value.
    attrs : sequence of str
        What to print of the array: ``"__str__"`` for all of it, or attributes such as ``"shape"``
        and methods such as ``"min"``.
    global_fn : callable, optional
        ``global_fn(self, array)`` is called instead of printing.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dvector("x")
    >>> shown = graphc.printing.Print("x is", attrs=["__str__", "shape"])(x)
    >>> T.grad((shown**2).sum(), x).type
    float64[?]
    """

    def __init__(
        self,
        message: str = "",
        attrs: Sequence[str] = ("__str__",),
        global_fn: Callable[[Any, np.ndarray], None] | None = None,
    ) -> None:
        self.message = message
        self.attrs = (attrs,) if isinstance(attrs, str) else tuple(attrs)
        self.global_fn = global_fn
        for name in self.attrs:
            if not isinstance(name, str) or not hasattr(np.ndarray, name):
                raise GraphcTypeError(_no_attribute(name))
        self._op = Foreign(
            self._show,
            types=lambda kinds: kinds,
            shapes=lambda shapes: shapes,
            several=False,
            vjp=lambda g, out, x: [g],
            name="Print",
        )

    def _show(self, array: np.ndarray) -> np.ndarray:
        if self.global_fn is not None:
            self.global_fn(self, array)
            return array
        for name in self.attrs:
            value = getattr(array, name)
            print(self.message, name, "=", value() if callable(value) else value)
        return array

    def __call__(self, x: Any) -> Node:
        """Return x, printed when it is computed."""
        return self._op(as_node(x))  # type: ignore[no-any-return]


def _no_attribute(name: Any) -> str:
    return message(f"an array has no {name!r} to print", (), here())


def pydotprint(
    fct: Any,
    outfile: str | Path | None = None,
    compact: bool = True,
    format: str = "svg",
    with_ids: bool = False,
    high_contrast: bool = True,
    return_image: bool = False,
    **others: Any,
) -> str | None:
    """Draw an expression or a function.

    Parameters
    ----------
    fct : Node, sequence of Node, or CompiledFunction
    outfile : path, optional
        Ends in ``.svg``, ``.dot`` or ``.gv``; by default ``graphc.svg``.
    format : {'svg', 'dot'}
        Of a file without such an ending.
    return_image : bool
        Return the text of the picture instead of writing it.
    compact, with_ids, high_contrast, **others
        Accepted for Theano's sake.

    Raises
    ------
    NotSupportedError
        For other kinds of pictures.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> graphc.printing.pydotprint(T.dvector("x") + 1, "sum.dot")
    """
    target = Path("graphc.svg" if outfile is None else outfile)
    if target.suffix not in (".svg", ".dot", ".gv"):
        if target.suffix or format not in ("svg", "dot"):
            raise NotSupportedError(
                message(
                    f"pictures are SVG or DOT, not {target.suffix or format}",
                    (),
                    here(),
                    "name the file .svg, and convert it with a program for pictures",
                )
            )
        target = target.with_suffix(f".{format}")
    if return_image:
        return dot_source(fct) if target.suffix != ".svg" else draw(fct)
    draw(fct, target)
    return None
