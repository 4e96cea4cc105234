"""Ops that have a notation of their own: views, joins, casts, vectors.

Each function gets the texts of the operands, an ellipsis where one has no short text, and returns a
word or a formula.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from graphc.ir.node import Node
from graphc.ir.notation import places_text, shuffle_text, slice_text
from graphc.ir.shapes import Dim, as_dim

MISSING = "…"
LONGEST = 28


class Sizes(Protocol):
    """Who knows what sizes go by."""

    def size(self, size: Dim) -> str:
        """Return a size as text."""

    def shape(self, shape: Sequence[Dim]) -> str:
        """Return sizes as the text of a tuple."""


Notation = Callable[[Node, list[str], Sizes], str]


def _after(text: str, what: str, word: str) -> str:
    """Return text that follows the operand, or a word where the operand has no text."""
    return word if text == MISSING else text + what


def _dimshuffle(node: Node, texts: list[str], sizes: Sizes) -> str:
    pattern: tuple[int, ...] = node.attrs["pattern"]
    text = shuffle_text(node)
    if text is None:
        order = ", ".join("new" if axis < 0 else str(axis) for axis in pattern)
        return f"{'' if texts[0] == MISSING else texts[0] + ' with '}axes {order}"
    dropped = sorted(set(range(node.inputs[0].type.ndim)) - set(pattern))
    if not dropped:
        return _after(texts[0], text, "transpose" if text == ".T" else text)
    word = f"drop {'axis' if len(dropped) == 1 else 'axes'} {', '.join(map(str, dropped))}"
    return _after(texts[0], text, word)


def _expand(node: Node, texts: list[str], sizes: Sizes) -> str:
    wide = sizes.shape([as_dim(size) for size in node.inputs[1:]])
    return _after(texts[0], f" as {wide}", f"broadcast to {wide}")


def _reshape(node: Node, texts: list[str], sizes: Sizes) -> str:
    wanted = sizes.shape([as_dim(size) for size in node.inputs[1:]])
    return _after(texts[0], f" as {wanted}", f"reshape to {wanted}")


def _slice(node: Node, texts: list[str], sizes: Sizes) -> str:
    index = slice_text(node, sizes.size)
    return _after(texts[0], index, index)


def _put(node: Node, texts: list[str], sizes: Sizes) -> str:
    index = slice_text(node, sizes.size)
    into, new = texts[:2]
    return f"replace {index}" if into == MISSING else f"{into} with {index} = {new}"


def _gather(node: Node, texts: list[str], sizes: Sizes) -> str:
    index = _places(node, texts[1:])
    return _after(texts[0], index, f"at {index}")


def _scatter(node: Node, texts: list[str], sizes: Sizes) -> str:
    index = _places(node, texts[2:])
    adds = node.op.name == "scatter_add"
    if texts[0] == MISSING:
        return f"add at {index}" if adds else f"replace {index}"
    return f"{texts[0]} with {index} {'+=' if adds else '='} {texts[1]}"


def _places(node: Node, indices: list[str]) -> str:
    return places_text(node, ["places" if text == MISSING else text for text in indices])


def _fill(node: Node, texts: list[str], sizes: Sizes) -> str:
    like, value = texts
    return f"{ {'0': 'zeros', '1': 'ones'}.get(value, value) } like {like}"


def _join(node: Node, texts: list[str], sizes: Sizes) -> str:
    inside = ", ".join(texts)
    plain = texts.count(MISSING) == len(texts) or len(inside) > LONGEST
    return f"join{'' if plain else f'({inside})'} along axis {node.attrs['axis']}"


def _iota(node: Node, texts: list[str], sizes: Sizes) -> str:
    return f"arange({sizes.size(as_dim(node.inputs[0]))})"


def _make_vector(node: Node, texts: list[str], sizes: Sizes) -> str:
    inside = ", ".join(texts)
    return f"[{inside}]" if len(inside) <= LONGEST else f"vector of {len(node.inputs)} numbers"


def _cast(node: Node, texts: list[str], sizes: Sizes) -> str:
    dtype = node.attrs["dtype"]
    return f"to {dtype}" if texts[0] == MISSING else f"{dtype}({texts[0]})"


NOTATION: dict[str, Notation] = {
    "dimshuffle": _dimshuffle,
    "expand": _expand,
    "reshape": _reshape,
    "slice": _slice,
    "put": _put,
    "gather": _gather,
    "scatter": _scatter,
    "scatter_add": _scatter,
    "fill": _fill,
    "join": _join,
    "iota": _iota,
    "make_vector": _make_vector,
    "cast": _cast,
}
