"""Text forms of expressions: a formula on one line, a tree, and a list of assignments.

A formula writes out what is used once and bounds its own depth and length, so a graph of any size
prints in one short line; the list of assignments shows every node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from graphc.ir.graph import Graph
from graphc.ir.node import CONST, DIM, INPUT, PARAM, SHARED, Node, number
from graphc.ir.notation import called, places_text, shuffle_text, slice_text
from graphc.ir.op import Kind
from graphc.ir.types import LANGUAGE
from graphc.ir.walk import toposort

_MAX_DEPTH = 6
_ELLIPSIS = "..."


def pp(node: Node, depth: int = _MAX_DEPTH) -> str:
    """Return an expression as a formula, with ``...`` below ``depth`` levels."""
    return _formula(node, {}, depth)[0]


def label(node: Node) -> str:
    """Return a short name for a node in a message: its own name, or a formula."""
    return node.name or pp(node, 3)


def _formula(node: Node, names: Mapping[Node, str], depth: int) -> tuple[str, int]:
    """Return the text of a node and the precedence of its outermost operator."""
    if node in names:
        return names[node], 100
    if not node.inputs or node.op is DIM:
        return leaf(node), 100
    if depth <= 0:
        return node.name or _ELLIPSIS, 100
    parts = [_formula(child, names, depth - 1) for child in node.inputs]
    return apply_formula(node, parts), node.op.precedence


def apply_formula(node: Node, parts: list[tuple[str, int]]) -> str:
    """Return the text of one application, given text and precedence of each input."""
    op = node.op
    behind = _behind(node)
    if behind is not None:
        text, precedence = parts[0]
        return (text if precedence == 100 else f"({text})") + behind
    if op.formula:
        own = op.precedence
        loose = 1 if "**" in op.formula else 0  # the operand that needs no brackets at a tie
        texts = []
        for position, (text, precedence) in enumerate(parts):
            # a - (b - c) and (a ** b) ** c keep their brackets, (a - b) - c needs none
            tight = precedence < own or (precedence == own and position != loose and own < 100)
            texts.append(f"({text})" if tight and own < 100 else text)
        if op.name == "add" and texts[1].startswith("-") and _is_negative(node.inputs[1]):
            return f"{texts[0]} - {texts[1].removeprefix('-')}"  # rules write x - 1 as x + -1
        return op.formula.format(*texts, **{k: _attr(v) for k, v in node.attrs.items()})
    inside = [text for text, _ in parts]
    if op.name == "gather":
        first = inside[0] if parts[0][1] >= 100 else f"({inside[0]})"
        return first + places_text(node, inside[1:])
    if op.kind is Kind.REGION or "called" in node.attrs:  # a body does not fit into a line
        return f"{called(node)}({', '.join(inside)})"
    inside += _axes(node) or [f"{name}={_attr(value)}" for name, value in node.attrs.items()]
    return f"{op.name}({', '.join(filter(None, inside))})"


def _is_negative(node: Node) -> bool:
    value = number(node)
    return value is not None and literal(np.asarray(value)).startswith("-")


def _behind(node: Node) -> str | None:
    """Return what stands behind the operand of a view that NumPy writes so."""
    if node.op.name == "slice":
        return slice_text(node, lambda size: str(size) if isinstance(size, int) else pp(size, 2))
    return shuffle_text(node) if node.op.name == "dimshuffle" else None


def _axes(node: Node) -> list[str]:
    """Return the axes of a reduction as NumPy's keyword; an empty text for all of them."""
    axes = node.attrs.get("axes")
    if axes is None or tuple(node.attrs) != ("axes",):
        return []
    if len(axes) == node.inputs[0].type.ndim:
        return [""]
    return [f"axis={axes[0] if len(axes) == 1 else _attr(axes)}"]


def _attr(value: Any) -> str:
    if isinstance(value, Graph):
        return "..."
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_attr, value)) + ("," if len(value) == 1 else "") + ")"
    return str(value)


def leaf(node: Node) -> str:
    """Return the text of a leaf."""
    if node.op is CONST:
        return literal(node.attrs["value"].array)
    if node.op is DIM:
        return f"{label(node.inputs[0])}.shape[{node.attrs['axis']}]"
    if node.name:
        return node.name
    if node.op.name == "counter":
        return "step"
    if node.op is PARAM:
        return f"p{node.attrs['index']}"
    if node.op in (INPUT, SHARED):
        return f"<{node.type!r}>"
    inside = ", ".join(f"{k}={_attr(v)}" for k, v in node.attrs.items())
    return f"{node.op.name}({inside})"


def literal(array: np.ndarray) -> str:
    """Return a constant as short text."""
    if array.ndim == 0:
        value = array.item()
        return (
            f"{value:g}"
            if isinstance(value, float) and value == float(f"{value:g}")
            else (str(value))
        )
    if array.size <= 4:
        return np.array2string(array, separator=", ", precision=4).replace("\n", "")
    return f"<{array.dtype.name}{list(array.shape)} constant>"


def assignments(results: Iterable[Node]) -> str:
    """Return every node on a line of its own: ``%3 = exp(%2) : float64[?]``."""
    results = list(results)
    names: dict[Node, str] = {}
    lines: list[str] = []
    for node in toposort(results):
        if not node.inputs or node.op is DIM:
            names[node] = leaf(node)
            continue
        name = f"%{len(lines)}"
        parts = [(names[child], 100) for child in node.inputs]
        note = f"  # {node.where}" if node.where else ""
        lines.append(f"{name} = {apply_formula(node, parts)} : {node.type!r}{note}")
        names[node] = name
    lines.append(f"return {', '.join(names[node] for node in results)}")
    return "\n".join(lines)


def tree(results: Iterable[Node], depth: int = -1) -> str:
    """Return expressions as indented trees, a node a line; what was shown before is named.

    Parameters
    ----------
    results : iterable of Node
    depth : int
        Levels to show; -1 for all.
    """
    shown: dict[Node, int] = {}
    lines: list[str] = []
    for result in results:
        stack = [(result, 0)]
        while stack:
            node, level = stack.pop()
            pad = " | " * level
            if node in shown:
                lines.append(f"{pad}{_word(node)} [{shown[node]}] ...")
                continue
            mark = ""
            if node.inputs and node.op is not DIM:
                shown[node] = len(shown)
                mark = f" [{shown[node]}]"
            lines.append(f"{pad}{_word(node)}{mark} : {node.type!r}")
            if node.op is not DIM and depth != 0 and (depth < 0 or level < depth):
                stack.extend((child, level + 1) for child in reversed(node.inputs))
    return "\n".join(lines)


def _word(node: Node) -> str:
    if not node.inputs or node.op is DIM:
        return leaf(node)
    own = {} if "called" in node.attrs else node.attrs
    attrs = ", ".join(f"{k}={_attr(v)}" for k, v in own.items())
    word = f"{called(node)}{{{attrs}}}" if attrs else called(node)
    return f"{word} '{node.name}'" if node.name else word


LANGUAGE["pp"] = pp
LANGUAGE["label"] = label
