"""Reads and writes at places: those that are slices, and sums that need no array of zeros."""

from __future__ import annotations

import numpy as np

from graphc.ir.node import CONST, Node, apply, number
from graphc.ir.op import OPS
from graphc.ir.shapes import as_dim, sizes
from graphc.ops.elementwise import neg
from graphc.ops.index import known_index, scatter_add
from graphc.ops.parts import slice_axes
from graphc.rewrite.rule import procedure, table, uses
from graphc.rewrite.rules.movement import same_size, same_sizes

_SCATTER_ADD, _IOTA = OPS["scatter_add"], OPS["iota"]


@procedure("part_of")
def part_noted(node: Node) -> Node | None:
    """The note of what a part is of has served when the function is compiled.

    Ends, as the note goes.
    """
    return node.inputs[0]


@procedure("gather")
def gather_everything(node: Node) -> Node | None:
    """Reading 0, 1, ... up to the size of the axis is reading all of it.

    Ends, as a gather goes.
    """
    x, *indices = node.inputs
    if len(indices) > 1 or indices[0].op is not _IOTA:
        return None
    size = sizes(x)[node.attrs["axis"]]
    return x if same_size(as_dim(indices[0].inputs[0]), size) else None


@procedure("gather")
def gather_is_slice(node: Node) -> Node | None:
    """Places at equal distances are a slice, which is a view.

    Ends, as a gather goes.
    """
    x, *indices = node.inputs
    axis = node.attrs["axis"]
    size = x.type.shape[axis]
    places = known_index(indices[0]) if len(indices) == 1 else None
    if places is None or size is None or places.ndim != 1:
        return None
    if places.size and not -size <= places.min() <= places.max() < size:
        return None  # an error, when it runs
    places = np.where(places < 0, places.astype(np.int64) + size, places.astype(np.int64))
    steps = np.diff(places)
    step = int(steps[0]) if steps.size else 1
    if step == 0 or np.any(steps != step):
        return None
    start = int(places[0]) if places.size else 0
    return slice_axes(x, [axis], [start], [places.size], [step])  # type: ignore[no-any-return]


def _into_zeros(node: Node) -> bool:
    """Tell whether a node adds at places of an array of zeros."""
    if node.op is not _SCATTER_ADD:
        return False
    board = node.inputs[0]
    if board.op is CONST:
        return not board.attrs["value"].array.any()
    return board.op.name == "expand" and number(board.inputs[0]) == 0


def _added(board: Node, source: Node, value: Node) -> Node:
    return scatter_add(board, value, source.inputs[2:], source.attrs["axis"])  # type: ignore[no-any-return]


@procedure("add", when=uses("scatter_add"))
def add_at_places(node: Node) -> Node | None:
    """What is added at a few places needs no array of zeros elsewhere.

    Ends, as an add goes.
    """
    for source, other in zip(node.inputs, node.inputs[::-1], strict=True):
        if _into_zeros(source) and same_sizes(sizes(other), sizes(source)):
            return _added(other, source, source.inputs[1])
    return None


@procedure("sub", when=uses("scatter_add"))
def subtract_at_places(node: Node) -> Node | None:
    """What is subtracted at a few places needs no array of zeros elsewhere.

    Ends, as a sub goes.
    """
    x, source = node.inputs
    if not _into_zeros(source) or not same_sizes(sizes(x), sizes(source)):
        return None
    return _added(x, source, neg(source.inputs[1]))


@procedure(
    "mul",
    "true_div",
    "neg",
    when=uses("scatter_add"),
    assumes="the scalar is finite, and not 0 in a quotient",
)
def scale_at_places(node: Node) -> Node | None:
    """Zeros need not be scaled: only what is added at places.

    Ends, as arithmetic moves inwards past a scatter_add, and never outwards.
    """
    source, *rest = node.inputs
    if node.op.name == "mul" and not source.type.ndim:
        source, *rest = node.inputs[::-1]
    if not _into_zeros(source) or any(other.type.ndim for other in rest):
        return None
    value = apply(node.op, source.inputs[1], *rest)
    return _added(source.inputs[0], source, value) if value.type.dtype == node.type.dtype else None


RULES = table(globals())
