"""Batched forms of library routines: the batch becomes part of an axis that they have already."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.node import Node
from graphc.ir.shapes import Dim, floor_div, mul, sizes
from graphc.ops.batched import Batched, Rule, different_sizes
from graphc.ops.movement import dimshuffle, expand, reshape
from graphc.ops.parts import iota

# -- index arrays ---------------------------------------------------------------------------------


def _gather(one: Batched) -> Node:
    axis = one.node.attrs["axis"]
    if not any(one.flags[1:]):  # the same places of each
        return one.again(one.inputs, axis=axis + 1)
    count, rank = len(one.inputs) - 1, one.node.inputs[1].type.ndim
    indices = [one.whole(i) for i in range(1, count + 1)]
    if not one.flags[0]:  # places of one array, all at once
        return _to_front(one.again([one.inputs[0], *indices]), axis)
    found = one.again(
        [_indexed_first(one.inputs[0], axis, count), *_with_rows(indices, one.size)], axis=0
    )
    return _back_in_place(found, axis, rank)


def _scatter(one: Batched) -> Node:
    axis = one.node.attrs["axis"]
    x, y = one.whole(0), one.whole(1)
    if not any(one.flags[2:]):
        return one.again([x, y, *one.inputs[2:]], axis=axis + 1)
    count, rank = len(one.inputs) - 2, one.node.inputs[2].type.ndim
    indices = _with_rows([one.whole(i) for i in range(2, count + 2)], one.size)
    parts = [_indexed_first(x, axis, count), _indexed_first(y, axis, rank), *indices]
    return _back_in_place(one.again(parts, axis=0), axis, count)


def _with_rows(indices: Sequence[Node], size: Dim) -> list[Node]:
    """Return batches of indices after one that says which element of the batch they belong to."""
    shape = sizes(indices[0])
    column = dimshuffle(iota(size), (0, *["x"] * (len(shape) - 1)))
    return [expand(column, shape), *indices]


def _to_front(x: Node, axis: int) -> Node:
    rest = [i for i in range(x.type.ndim) if i != axis]
    return dimshuffle(x, (axis, *rest))  # type: ignore[no-any-return]


def _indexed_first(x: Node, axis: int, count: int) -> Node:
    """Return a batch with ``count`` axes, from ``axis`` of each element on, behind the first."""
    own = range(axis + 1, axis + 1 + count)
    rest = [i for i in range(1, x.type.ndim) if i not in own]
    return dimshuffle(x, (0, *own, *rest))  # type: ignore[no-any-return]


def _back_in_place(x: Node, axis: int, count: int) -> Node:
    """Undo `_indexed_first`."""
    before = range(1 + count, 1 + count + axis)
    after = range(1 + count + axis, x.type.ndim)
    return dimshuffle(x, (0, *before, *range(1, 1 + count), *after))  # type: ignore[no-any-return]


def _searchsorted(one: Batched) -> Node | None:
    return None if one.flags[0] else one.again(one.inputs)


def _place(one: Batched) -> Node | None:
    return None if one.flags[1] else one.again(one.inputs)


def _flatnonzero(one: Batched) -> Node:
    raise different_sizes(one)


# -- along an axis --------------------------------------------------------------------------------


def _along_axis(one: Batched) -> Node:
    inputs = [one.whole(i) for i in range(len(one.inputs))]
    return one.again(inputs, axis=one.node.attrs["axis"] + 1)


# -- windows --------------------------------------------------------------------------------------


def _merged(x: Node) -> Node:
    """Return a batch of images as so many more images."""
    shape = sizes(x)
    return reshape(x, [mul(shape[0], shape[1]), *shape[2:]])  # type: ignore[no-any-return]


def _split(x: Node, size: Dim, count: Dim) -> Node:
    """Undo `_merged`."""
    return reshape(x, [size, count, *sizes(x)[1:]])  # type: ignore[no-any-return]


def _beside(x: Node, axis: int, groups: int) -> Node:
    """Return a batch put side by side along an axis of each, within each group."""
    whole = sizes(x)
    count, own = whole[0], whole[axis + 1]
    parts = reshape(x, [*whole[: axis + 1], groups, floor_div(own, groups), *whole[axis + 2 :]])
    order = [*range(1, axis + 1), axis + 1, 0, *range(axis + 2, x.type.ndim + 1)]
    return reshape(  # type: ignore[no-any-return]
        dimshuffle(parts, order), [*whole[1 : axis + 1], mul(count, own), *whole[axis + 2 :]]
    )


def _apart(x: Node, axis: int, groups: int, size: Dim, own: Dim) -> Node:
    """Undo `_beside`; ``own`` is how long the axis of each was."""
    whole = sizes(x)
    parts = reshape(x, [*whole[:axis], groups, size, floor_div(own, groups), *whole[axis + 1 :]])
    order = [axis + 1, *range(axis + 1), *range(axis + 2, x.type.ndim + 2)]
    moved = dimshuffle(parts, order)
    return reshape(moved, [size, *whole[:axis], own, *whole[axis + 1 :]])  # type: ignore[no-any-return]


def _conv2d(one: Batched) -> Node | None:
    x, w = one.inputs
    if one.flags == (True, False):
        return _split(one.again([_merged(x), w]), one.size, sizes(x)[1])
    if one.flags == (False, True):
        groups = one.node.attrs["groups"]
        return _apart(one.again([x, _beside(w, 0, groups)]), 1, groups, one.size, sizes(w)[1])
    return None


def _conv2d_inputs(one: Batched) -> Node | None:
    if one.flags != (True, False, False, False):
        return None
    g, *rest = one.inputs
    return _split(one.again([_merged(g), *rest]), one.size, sizes(g)[1])


def _conv2d_weights(one: Batched) -> Node | None:
    if one.flags != (False, True, False, False):
        return None
    x, g, *window = one.inputs
    groups = one.node.attrs["groups"]
    found = one.again([x, _beside(g, 1, groups), *window])
    return _apart(found, 0, groups, one.size, sizes(g)[2])


def _pool(one: Batched) -> Node:
    """Apply an op that does the same to each image."""
    images = [one.whole(i) for i in range(len(one.inputs))]
    return _split(one.again(list(map(_merged, images))), one.size, sizes(images[0])[1])


ROUTINES: dict[str, Rule] = {
    "gather": _gather,
    "scatter": _scatter,
    "scatter_add": _scatter,
    "searchsorted": _searchsorted,
    "place": _place,
    "flatnonzero": _flatnonzero,
    **dict.fromkeys(("sort", "argsort", "cumsum", "cumprod", "recurrence"), _along_axis),
    "conv2d": _conv2d,
    "conv2d_inputs": _conv2d_inputs,
    "conv2d_weights": _conv2d_weights,
    "pool_max": _pool,
    "pool_spread": _pool,
    "pool_pick": _pool,
}
