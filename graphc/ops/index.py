"""Indexing with arrays: reading places, writing them, and finding them.

One or several index arrays of one shape stand for as many neighbouring axes of an array, whose
sizes they replace by their own. Whatever else an index of NumPy's can say is said around these
rows by views (`graphc.tensor.indexing`). A place below 0 counts from the end; one outside of its
axis is an error when the program runs.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import CONST, Node, apply, as_node, const, number, operand
from graphc.ir.op import OPS, REALS, Domain, Kind, Op, register
from graphc.ir.shapes import Dim, as_dim, product, sizes
from graphc.ir.source import here
from graphc.ir.types import Attrs, TensorType
from graphc.ops.elementwise import cast, eq, neq, where, zero_for
from graphc.ops.family import broadcast_shape, to_dtype
from graphc.ops.movement import dimshuffle, expand, fill, reshape, size_operand
from graphc.ops.parts import iota
from graphc.ops.reduce import sum as sum_over

_PLACES = Domain(-1, 0, integers=True)  # in range wherever there are elements

# -- reading --------------------------------------------------------------------------------------


def _as_index(arg: Any) -> Node:
    node = as_node(arg)
    if dtypes.kind(node.type.dtype) not in ("int", "uint"):
        raise GraphcTypeError(
            message(
                f"an index is an array of integers, not of {node.type.dtype}",
                [operand(node)],
                here(),
                "cast it with T.cast(i, 'int64')",
            )
        )
    return node


def _prepare_gather(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    return (as_node(args[0]), *map(_as_index, args[1:]))


def _index_shape(name: str, x: Node, indices: Sequence[Node], axis: int) -> tuple[Any, ...]:
    """Return the static shape of ``x[..., *indices]``."""
    if not 0 <= axis <= x.type.ndim - len(indices):
        raise GraphcTypeError(
            message(f"{name}: {len(indices)} indices from axis {axis} on", [operand(x)], here())
        )
    if len({index.type.ndim for index in indices}) != 1:
        raise ShapeError(message(f"{name}: ranks differ", map(operand, indices), here()))
    between = broadcast_shape(name, indices)
    return x.type.shape[:axis] + between + x.type.shape[axis + len(indices) :]


def _infer_gather(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    x, *indices = inputs
    return x.type.with_shape(_index_shape("gather", x, indices, attrs["axis"]))


def _read_sizes(x: Node, indices: Sequence[Node], axis: int) -> tuple[Dim, ...]:
    """Return the sizes of ``x[..., *indices]``."""
    whole = sizes(x)
    between = [
        next((size for size in found if isinstance(size, int)), found[0])
        for found in zip(*map(sizes, indices), strict=True)
    ]
    return (*whole[:axis], *between, *whole[axis + len(indices) :])


def _same_sizes(indices: Sequence[Node]) -> list[tuple[Any, ...]]:
    """Return checks that index arrays have one shape."""
    first, *rest = map(sizes, indices)
    return [pair for other in rest for pair in zip(first, other, strict=True)]


def _gather_vjp(g: Node, out: Node, x: Node, *indices: Node) -> list[Node | None]:
    back = apply(_scatter_add, fill(x, 0), g, *indices, axis=out.attrs["axis"])
    return [back, *[None] * len(indices)]


def _index_of(axis: int, indices: Sequence[Any]) -> tuple[Any, ...]:
    return (builtins.slice(None),) * axis + tuple(np.asarray(one) for one in indices)


_gather = register(
    Op(
        name="gather",
        kind=Kind.CALL,
        attrs=("axis",),
        infer=_infer_gather,
        dims=lambda node: _read_sizes(node.inputs[0], node.inputs[1:], node.attrs["axis"]),
        prepare=_prepare_gather,
        checks=lambda node: _same_sizes(node.inputs[1:]),
        vjp=_gather_vjp,
        weight=6,
        domain=(REALS, _PLACES),
        reference=lambda x, *indices, axis: np.asarray(x)[_index_of(axis, indices)],
        doc="The elements of x at places that index arrays of one shape give, from an axis on.",
    )
)


def gather(x: Any, indices: Sequence[Any], axis: int = 0) -> Any:
    """Return ``x[:, ..., *indices]``, the first index for axis ``axis``.

    Index arrays are broadcast together. They have at least one axis.
    """
    return apply(_gather, x, *together(indices), axis=axis)


def together(indices: Sequence[Any]) -> list[Any]:
    """Return index arrays broadcast to one shape."""
    if len(indices) == 1 or not all(isinstance(one, Node) for one in indices):
        return list(indices)
    rank = max(one.type.ndim for one in indices)
    padded = [
        dimshuffle(one, [-1] * (rank - one.type.ndim) + list(range(one.type.ndim)))
        for one in indices
    ]
    shape = broadcast_shape("index arrays", padded)
    common: list[Dim] = []
    for axis, known in enumerate(shape):
        own = [sizes(one)[axis] for one in padded if one.type.shape[axis] != 1]
        common.append(known if known is not None else own[0])
    return [expand(one, common) for one in padded]


# -- what is known of indices ---------------------------------------------------------------------


def are_distinct(indices: Sequence[Node]) -> bool:
    """Tell whether no place occurs twice, as far as the graph shows it.

    A counter or the places of a condition are distinct along their own axis; a tuple of indices is
    where each axis has such an index.
    """
    rank = indices[0].type.ndim
    covered = {axis for index in indices for axis in _runs_along(index)}
    known = [size == 1 for size in indices[0].type.shape]
    return all(axis in covered or known[axis] for axis in range(rank)) or (
        len(indices) == 1 and _constant_without_repeats(indices[0])
    )


def _constant_without_repeats(index: Node) -> bool:
    if index.op is not CONST:
        return False
    values = index.attrs["value"].array
    return bool(np.all(values >= 0)) and len(np.unique(values)) == values.size


def _runs_along(index: Node) -> list[int]:
    """Return the axis along which an index counts, never twice the same; none if unknown."""
    axis = 0
    shuffles: list[tuple[int, ...]] = []
    while index.op.name in ("expand", "dimshuffle", "add"):
        if index.op.name == "dimshuffle":
            shuffles.append(index.attrs["pattern"])
        elif index.op.name == "add" and not (number(index.inputs[1]) or -1) >= 0:
            return []  # what is below 0 counts from the end, and may meet the rest
        index = index.inputs[0]
    if index.type.ndim != 1 or index.op.name not in ("iota", "flatnonzero"):
        return []
    if index.type.shape == (1,):  # which may be repeated
        return []
    for pattern in reversed(shuffles):
        if axis not in pattern:
            return []
        axis = pattern.index(axis)
    return [axis]


# -- writing --------------------------------------------------------------------------------------


def _prepare_scatter(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    x = as_node(args[0])
    return (x, to_dtype(args[1], x.type.dtype), *map(_as_index, args[2:]))


def _infer_scatter(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    x, y, *indices = inputs
    wanted = _index_shape("scatter", x, indices, attrs["axis"])
    own = y.type.shape
    if len(own) != len(wanted) or any(
        None not in (a, b) and a != b for a, b in zip(own, wanted, strict=True)
    ):
        raise ShapeError(
            message(
                f"scatter: values of the shape {own} do not fit places of the shape {wanted}",
                [operand(x), operand(y)],
                here(),
            )
        )
    return x.type


def _scatter_checks(node: Node) -> list[tuple[Any, ...]]:
    x, y, *indices = node.inputs
    wanted = _read_sizes(x, indices, node.attrs["axis"])
    return [*_same_sizes(indices), *zip(sizes(y), wanted, strict=True)]


def _scatter_vjp(g: Node, out: Node, x: Node, y: Node, *indices: Node) -> list[Node | None]:
    axis = out.attrs["axis"]
    rest = apply(_scatter, g, fill(y, 0), *indices, axis=axis)
    part = apply(_gather, g, *indices, axis=axis)
    if not are_distinct(indices):
        stays = _stays(x, indices, axis)
        behind = x.type.ndim - axis - len(indices)
        stays = dimshuffle(stays, [-1] * axis + list(range(stays.type.ndim)) + [-1] * behind)
        part = where(stays, part, zero_for(part))
    return [rest, part, *[None] * len(indices)]


def _stays(x: Node, indices: Sequence[Node], axis: int) -> Node:
    """Return for each place whether what is written there is the last, so that it stays."""
    between = _read_sizes(x, indices, axis)[axis : axis + indices[0].type.ndim]
    turns = reshape(iota(product(between)), between)
    board = expand(const(-1), sizes(x)[axis : axis + len(indices)])
    last = apply(_scatter, board, turns, *indices, axis=0)
    return eq(apply(_gather, last, *indices, axis=0), turns)  # type: ignore[no-any-return]


def _scatter_add_vjp(g: Node, out: Node, x: Node, y: Node, *indices: Node) -> list[Node | None]:
    part = apply(_gather, g, *indices, axis=out.attrs["axis"])
    return [g, part, *[None] * len(indices)]


def _scatter_reference(x: Any, y: Any, *indices: Any, axis: int) -> Any:
    out = np.array(x)
    out[_index_of(axis, indices)] = y
    return out


def _scatter_add_reference(x: Any, y: Any, *indices: Any, axis: int) -> Any:
    out = np.array(x)
    np.add.at(out, _index_of(axis, indices), y)
    return out


def _writer(name: str, vjp: Any, reference: Any, doc: str) -> Op:
    return register(
        Op(
            name=name,
            kind=Kind.CALL,
            attrs=("axis",),
            infer=_infer_scatter,
            dims=lambda node: sizes(node.inputs[0]),
            prepare=_prepare_scatter,
            checks=_scatter_checks,
            vjp=vjp,
            weight=8,
            reference=reference,
            domain=(REALS, REALS, _PLACES),
            details={"distinct": are_distinct},
            doc=doc,
        )
    )


_scatter = _writer(
    "scatter",
    _scatter_vjp,
    _scatter_reference,
    "A copy of x with y at the places of a gather; of several at one place the last one stays.",
)
_scatter_add = _writer(
    "scatter_add",
    _scatter_add_vjp,
    _scatter_add_reference,
    "x with y added at the places of a gather, as often as a place occurs.",
)


def scatter(x: Any, y: Any, indices: Sequence[Any], axis: int = 0) -> Any:
    """Return a copy of x with y, which has the shape of ``gather(x, indices, axis)``, there."""
    return apply(_scatter, x, y, *together(indices), axis=axis)


def scatter_add(x: Any, y: Any, indices: Sequence[Any], axis: int = 0) -> Any:
    """Return x with y, which has the shape of ``gather(x, indices, axis)``, added there."""
    return apply(_scatter_add, x, y, *together(indices), axis=axis)


# -- finding --------------------------------------------------------------------------------------


def _prepare_vector(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    x = as_node(args[0])
    if x.type.ndim != 1:
        raise GraphcTypeError(message(f"{op.name} needs a vector", [operand(x)], here()))
    return (x,)


def _count(node: Node) -> tuple[Dim, ...]:
    x = node.inputs[0]
    return (as_dim(sum_over(cast(neq(x, zero_for(x)), dtypes.INDEX), axes=(0,))),)


_flatnonzero = register(
    Op(
        name="flatnonzero",
        kind=Kind.CALL,
        infer=lambda inputs, attrs: TensorType(dtypes.INDEX, (None,)),
        dims=_count,
        prepare=_prepare_vector,
        vjp=lambda g, out, x: [None],
        weight=6,
        reference=lambda x: np.flatnonzero(x),
        doc="The places of a vector that are not zero, in order.",
    )
)


def flatnonzero(x: Any) -> Any:
    """Return the places at which a vector is not zero."""
    return apply(_flatnonzero, x)


def _prepare_search(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    a, v = as_node(args[0]), as_node(args[1])
    if a.type.ndim != 1:
        raise GraphcTypeError(message("searchsorted needs a sorted vector", [operand(a)], here()))
    common = dtypes.promote(a.type.dtype, v.type.dtype)
    return to_dtype(a, common), to_dtype(v, common)


_searchsorted = register(
    Op(
        name="searchsorted",
        kind=Kind.CALL,
        attrs=("side",),
        infer=lambda inputs, attrs: TensorType(dtypes.INDEX, inputs[1].type.shape),
        dims=lambda node: sizes(node.inputs[1]),
        prepare=_prepare_search,
        vjp=lambda g, out, a, v: [None, None],
        weight=12,
        reference=lambda a, v, side: np.searchsorted(a, v, side),
        doc="How many elements of a sorted vector lie before each value.",
    )
)


def searchsorted(a: Any, v: Any, side: str) -> Any:
    """Return where values, an array of at least one axis, would be put into a sorted vector."""
    return apply(_searchsorted, a, v, side=side)


def _prepare_place(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    return _as_index(args[0]), size_operand(args[1])


def _place_reference(index: Any, size: Any) -> Any:
    index = np.asarray(index)
    bad = index[(index < 0) | (index >= size)]
    if bad.size:
        raise IndexError(f"index {bad.flat[0]} is out of range for an axis of size {size}")
    return index


_place = register(
    Op(
        name="place",
        kind=Kind.CALL,
        infer=lambda inputs, attrs: inputs[0].type,
        dims=lambda node: sizes(node.inputs[0]),
        prepare=_prepare_place,
        vjp=lambda g, out, index, size: [None, None],
        weight=4,
        reference=_place_reference,
        domain=(Domain(0, 0, integers=True),),
        doc="An index array as it is; an error if an index is below 0 or not below the size.",
    )
)


def place(index: Any, size: Any) -> Any:
    """Return an index array after a look that all of it lies in ``[0, size)``."""
    return apply(_place, index, size)


# -- where a result comes from --------------------------------------------------------------------

part_of = register(
    Op(
        name="part_of",
        kind=Kind.COMPOSITE,
        infer=lambda inputs, attrs: inputs[0].type,
        dims=lambda node: sizes(node.inputs[0]),
        vjp=lambda g, out, part, x: [g, None],
        expand=lambda part, x: part,
        weight=1,
        reference=lambda part, x: part,
        formula="{0}",
        doc="The first operand, which is made of part of the second: for set_subtensor.",
    )
)
"""``a[1:][i]`` and ``a[1:, ...][i]`` are the same views and gathers, yet parts of two arrays. The
note of which one it is costs nothing, as the first rule that sees it takes it away."""


def note_part(part: Node, x: Node) -> Node:
    """Return a part of x that remembers it is one."""
    return apply(part_of, part, x)  # type: ignore[no-any-return]


def known_index(index: Node) -> np.ndarray | None:
    """Return the values of an index array that is known before the call, None for any other."""
    if index.op is CONST:
        return index.attrs["value"].array  # type: ignore[no-any-return]
    if index.op is OPS["iota"]:
        count = number(index.inputs[0])
        return None if count is None else np.arange(count, dtype=dtypes.INDEX)
    return None
