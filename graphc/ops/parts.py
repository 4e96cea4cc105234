"""Parts of arrays, and arrays made of parts: slices, puts, joins, counters, vectors of scalars.

``slice`` is every basic index, with a start, a size and a step per sliced axis.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, apply, as_node, const, operand
from graphc.ir.op import Kind, Op, register
from graphc.ir.shapes import Dim, add, as_dim, as_size_node, sizes
from graphc.ir.source import here
from graphc.ir.types import Attrs, TensorType
from graphc.ops.family import builder, to_dtype, watch_float64
from graphc.ops.movement import (
    dimshuffle,
    expand,
    fill,
    prepare_sized,
    size_operand,
    static,
)

# -- slices ---------------------------------------------------------------------------------------


def _split_slice(node: Node) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """Return the start and the size of each sliced axis of a slice node."""
    count = len(node.attrs["axes"])
    return node.inputs[1 : 1 + count], node.inputs[1 + count :]


def _infer_slice(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    x = inputs[0]
    count = len(attrs["axes"])
    shape = list(x.type.shape)
    for axis, size in zip(attrs["axes"], inputs[1 + count :], strict=True):
        shape[axis] = static(size)
    return x.type.with_shape(tuple(shape))


def _slice_dims(node: Node) -> tuple[Dim, ...]:
    found = list(sizes(node.inputs[0]))
    for axis, size in zip(node.attrs["axes"], _split_slice(node)[1], strict=True):
        found[axis] = as_dim(size)
    return tuple(found)


def _slice_checks(node: Node) -> list[tuple[Any, ...]]:
    starts, lengths = _split_slice(node)
    return _inside(node, starts, list(map(as_dim, lengths)))


def _inside(node: Node, starts: Sequence[Node], lengths: Sequence[Dim]) -> list[tuple[Any, ...]]:
    """Return checks that the slices of axes of ``node.inputs[0]`` lie inside of them.

    A length that is not known before the call was cut to its axis when it was written; one that
    is known, such as the 1 of an integer index, must be looked at.
    """
    found: list[tuple[Any, ...]] = []
    whole = sizes(node.inputs[0])
    place = zip(node.attrs["axes"], node.attrs["steps"], starts, lengths, strict=True)
    for axis, step, start, length in place:
        if isinstance(length, int) and length:
            first = as_dim(start)
            last = add(first, step * (length - 1))
            found += [(end, "in", whole[axis]) for end in dict.fromkeys((first, last))]
    return found


def _slice_vjp(g: Node, out: Node, x: Node, *bounds: Node) -> list[Node | None]:
    starts, _ = _split_slice(out)
    zeros = fill(x, 0)
    g = expand(g, sizes(out))  # the sizes say which places it fills
    back = apply(_put, zeros, g, *starts, axes=out.attrs["axes"], steps=out.attrs["steps"])
    return [back, *[None] * len(bounds)]


def _slice_reference(x: Any, *bounds: Any, axes: Any, steps: Any) -> Any:
    count = len(axes)
    return np.asarray(x)[slices_of(np.ndim(x), axes, steps, bounds[:count], bounds[count:])]


def slices_of(rank: int, axes: Any, steps: Any, starts: Any, lengths: Any) -> tuple[Any, ...]:
    """Return Python slices for starts, sizes and steps."""
    index = [builtins.slice(None)] * rank
    for axis, step, start, length in zip(axes, steps, starts, lengths, strict=True):
        if length == 0:  # wherever it starts
            index[axis] = builtins.slice(0, 0)
            continue
        stop = int(start) + int(step) * int(length)
        index[axis] = builtins.slice(int(start), None if stop < 0 else stop, int(step))
    return tuple(index)


_slice = register(
    Op(
        name="slice",
        kind=Kind.VIEW,
        attrs=("axes", "steps"),
        infer=_infer_slice,
        dims=_slice_dims,
        prepare=prepare_sized,
        checks=_slice_checks,
        vjp=_slice_vjp,
        weight=1,
        reference=_slice_reference,
        doc="Elements start, start + step, ... of some axes; a start lies inside of its axis.",
    )
)


def slice_axes(
    x: Any, axes: Sequence[int], starts: Sequence[Any], lengths: Sequence[Any], steps: Sequence[int]
) -> Any:
    """Return a slice of x: for each of ``axes`` a start, a size and a step."""
    return apply(_slice, x, *starts, *lengths, axes=tuple(axes), steps=tuple(steps))


def _infer_put(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    return inputs[0].type


def _put_checks(node: Node) -> list[tuple[Any, ...]]:
    lengths = [sizes(node.inputs[1])[axis] for axis in node.attrs["axes"]]
    return _inside(node, node.inputs[2:], lengths)


def _put_vjp(g: Node, out: Node, x: Node, y: Node, *starts: Node) -> list[Node | None]:
    place: dict[str, Any] = {"axes": out.attrs["axes"], "steps": out.attrs["steps"]}
    lengths = [as_size_node(sizes(y)[axis]) for axis in place["axes"]]
    part = apply(_slice, g, *starts, *lengths, **place)
    rest = apply(_put, g, fill(y, 0), *starts, **place)
    return [rest, part, *[None] * len(starts)]


def _put_reference(x: Any, y: Any, *starts: Any, axes: Any, steps: Any) -> Any:
    out = np.array(x)
    lengths = [np.shape(y)[axis] for axis in axes]
    out[slices_of(out.ndim, axes, steps, starts, lengths)] = y
    return out


def _prepare_put(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    x = as_node(args[0])
    return (x, to_dtype(args[1], x.type.dtype), *[size_operand(arg) for arg in args[2:]])


_put = register(
    Op(
        name="put",
        kind=Kind.CALL,
        attrs=("axes", "steps"),
        infer=_infer_put,
        dims=lambda node: sizes(node.inputs[0]),
        prepare=_prepare_put,
        checks=_put_checks,
        vjp=_put_vjp,
        weight=3,
        reference=_put_reference,
        doc="A copy of x in which the slice that begins at the starts is y.",
    )
)


def put(x: Any, y: Any, axes: Sequence[int], starts: Sequence[Any], steps: Sequence[int]) -> Any:
    """Return a copy of x with y in a slice of it, whose sizes are those of y."""
    return apply(_put, x, y, *starts, axes=tuple(axes), steps=tuple(steps))


# -- join, counting, vectors of scalars -----------------------------------------------------------


def _prepare_join(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    nodes = [as_node(arg) for arg in args]
    given = [node.type.dtype for node in nodes]
    common = dtypes.promote(*given)
    watch_float64(op.name, [common], given, nodes)
    return tuple(to_dtype(node, common) for node in nodes)


def _infer_join(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    axis = attrs["axis"]
    if len({node.type.ndim for node in inputs}) > 1:
        raise GraphcTypeError(
            message("join: operands of different ranks", map(operand, inputs), here())
        )
    shape: list[int | None] = []
    for i, parts in enumerate(zip(*[node.type.shape for node in inputs], strict=True)):
        known = {size for size in parts if size is not None}
        if i == axis:
            shape.append(None if None in parts else sum(known_sizes(parts)))
        elif len(known) > 1:
            raise ShapeError(
                message(
                    f"join: sizes {' and '.join(map(str, sorted(known)))} of axis {i} differ",
                    map(operand, inputs),
                    here(),
                )
            )
        else:
            shape.append(known.pop() if known else None)
    return TensorType(inputs[0].type.dtype, tuple(shape))


def known_sizes(parts: Sequence[int | None]) -> list[int]:
    """Return the sizes that are known."""
    return [size for size in parts if size is not None]


def _join_dims(node: Node) -> tuple[Dim, ...]:
    axis = node.attrs["axis"]
    found = list(sizes(node.inputs[0]))
    found[axis] = join_offsets(node)[-1]
    return tuple(found)


def join_offsets(node: Node) -> list[Dim]:
    """Return where each part of a join begins along its axis, and where the last one ends."""
    axis = node.attrs["axis"]
    offsets: list[Dim] = [0]
    for part in node.inputs:
        offsets.append(add(offsets[-1], sizes(part)[axis]))
    return offsets


def _join_checks(node: Node) -> list[tuple[Any, ...]]:
    first, *rest = [sizes(part) for part in node.inputs]
    return [
        (first[axis], other[axis])
        for other in rest
        for axis in range(len(first))
        if axis != node.attrs["axis"]
    ]


def _join_vjp(g: Node, out: Node, *parts: Node) -> list[Node]:
    axis = out.attrs["axis"]
    offsets = join_offsets(out)
    return [
        slice_axes(g, [axis], [start], [sizes(part)[axis]], [1])
        for start, part in zip(offsets, parts, strict=False)
    ]


_join = register(
    Op(
        name="join",
        kind=Kind.CALL,
        attrs=("axis",),
        infer=_infer_join,
        dims=_join_dims,
        prepare=_prepare_join,
        checks=_join_checks,
        vjp=_join_vjp,
        weight=3,
        reference=lambda *parts, axis: np.concatenate(parts, axis),
        doc="Arrays one after the other along an axis.",
    )
)


def join(axis: int, parts: Sequence[Any]) -> Any:
    """Return arrays of one rank joined along ``axis``, counted from 0."""
    return parts[0] if len(parts) == 1 else apply(_join, *parts, axis=axis)


def _infer_iota(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    return TensorType(dtypes.INDEX, (static(inputs[0]),))


iota = builder(
    register(
        Op(
            name="iota",
            kind=Kind.SOURCE,
            infer=_infer_iota,
            dims=lambda node: (as_dim(node.inputs[0]),),
            prepare=lambda op, args, attrs: (size_operand(args[0]),),
            vjp=lambda g, out, size: [None],
            weight=1,
            reference=lambda size: np.arange(size, dtype=np.int64),
            doc="0, 1, ... up to a size, as int64.",
        )
    )
)


def _prepare_vector(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    nodes = [as_node(arg) for arg in args]
    common = dtypes.promote(*[node.type.dtype for node in nodes])
    return tuple(to_dtype(node, common) for node in nodes)


def _vector_vjp(g: Node, out: Node, *parts: Node) -> list[Node]:
    return [element(g, i) for i in range(len(parts))]


def element(vector: Node, i: int) -> Node:
    """Return element ``i`` of a vector of known length, as a scalar."""
    return dimshuffle(slice_axes(vector, [0], [const(i)], [const(1)], [1]), ())  # type: ignore[no-any-return]


make_vector = builder(
    register(
        Op(
            name="make_vector",
            kind=Kind.CALL,
            infer=lambda inputs, attrs: TensorType(inputs[0].type.dtype, (len(inputs),)),
            dims=lambda node: (len(node.inputs),),
            prepare=_prepare_vector,
            vjp=_vector_vjp,
            weight=3,
            reference=lambda *parts: np.array(parts),
            doc="Scalars as a vector.",
        )
    )
)
