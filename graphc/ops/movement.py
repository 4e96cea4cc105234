"""Movements of whole arrays: the same numbers under another index.

``dimshuffle`` is every transposition, new axis and dropped axis of size 1; ``expand`` every
broadcast.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError, GraphcValueError, InternalError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, apply, as_node, number, operand
from graphc.ir.op import OPS, Kind, Op, register
from graphc.ir.shapes import (
    Dim,
    as_dim,
    as_size_node,
    product,
    sizes,
)
from graphc.ir.source import here
from graphc.ir.types import Attrs, TensorType
from graphc.ops.family import broadcast_checks, builder, same_rank, to_dtype


def static(node: Node) -> int | None:
    """Return the size that a size node is known to be, or None."""
    value = number(node)
    return None if value is None else int(value)


def size_nodes(shape: Sequence[Dim]) -> list[Node]:
    """Return sizes as int64 scalar nodes."""
    return [as_size_node(size) for size in shape]


def _prepare_nodes(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    return tuple(as_node(arg) for arg in args)


def prepare_sized(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    """Prepare an op whose inputs after the first are sizes."""
    return (as_node(args[0]), *[size_operand(arg) for arg in args[1:]])


def size_operand(arg: Any) -> Node:
    """Return a size as an int64 scalar node."""
    node = as_node(arg)
    if node.type.ndim or dtypes.is_float(node.type.dtype):
        raise GraphcTypeError(message("a size is an integer scalar", [operand(node)], here()))
    return to_dtype(node, dtypes.INDEX)


# -- dimshuffle -----------------------------------------------------------------------------------


def _infer_dimshuffle(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    (x,) = inputs
    pattern: tuple[int, ...] = attrs["pattern"]
    kept = [axis for axis in pattern if axis >= 0]
    if sorted(set(kept)) != sorted(kept) or any(axis >= x.type.ndim for axis in kept):
        raise GraphcValueError(
            message(
                f"dimshuffle{tuple('x' if a < 0 else a for a in pattern)}: each axis of the"
                f" operand may stand once, and it has {x.type.ndim}",
                [operand(x)],
                here(),
            )
        )
    for axis in set(range(x.type.ndim)) - set(kept):
        if x.type.shape[axis] != 1:
            raise ShapeError(
                message(
                    f"dimshuffle would drop axis {axis}, whose size is not known to be 1",
                    [operand(x)],
                    here(),
                    "sum over the axis, or declare the size with TensorType",
                )
            )
    return x.type.with_shape(tuple(1 if axis < 0 else x.type.shape[axis] for axis in pattern))


def _dimshuffle_vjp(g: Node, out: Node, x: Node) -> list[Node]:
    pattern = out.attrs["pattern"]
    back = tuple(pattern.index(axis) if axis in pattern else -1 for axis in range(x.type.ndim))
    return [dimshuffle(g, back)]


def _dimshuffle_reference(x: Any, pattern: Sequence[int]) -> Any:
    kept = [axis for axis in pattern if axis >= 0]
    dropped = tuple(axis for axis in range(np.ndim(x)) if axis not in kept)
    moved = np.squeeze(np.transpose(x, (*kept, *dropped)), tuple(range(len(kept), np.ndim(x))))
    return np.expand_dims(moved, tuple(i for i, axis in enumerate(pattern) if axis < 0))


_dimshuffle = register(
    Op(
        name="dimshuffle",
        kind=Kind.VIEW,
        attrs=("pattern",),
        infer=_infer_dimshuffle,
        dims=lambda node: tuple(
            1 if axis < 0 else sizes(node.inputs[0])[axis] for axis in node.attrs["pattern"]
        ),
        prepare=_prepare_nodes,
        vjp=_dimshuffle_vjp,
        weight=1,
        reference=_dimshuffle_reference,
        doc="Axes reordered, new ones of size 1 put in (-1), and axes of size 1 dropped.",
    )
)


def dimshuffle(x: Any, pattern: Sequence[Any]) -> Any:
    """Return x with its axes rearranged; ``'x'`` or -1 stands for a new axis of size 1.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> dimshuffle(T.dmatrix("m"), (1, "x", 0)).type
    float64[?, 1, ?]
    """
    axes = tuple(-1 if axis in ("x", None) else int(axis) for axis in pattern)
    if isinstance(x, Node) and axes == tuple(range(x.type.ndim)):
        return x
    return apply(_dimshuffle, x, pattern=axes)


def keep_axes(reduced: Node, axes: Sequence[int], rank: int) -> Node:
    """Return a reduced array with the reduced axes put back at size 1."""
    kept = iter(range(reduced.type.ndim))
    return dimshuffle(reduced, [-1 if a in axes else next(kept) for a in range(rank)])  # type: ignore[no-any-return]


# -- expand ---------------------------------------------------------------------------------------


def _infer_expand(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    x, *shape = inputs
    if x.type.ndim not in (0, len(shape)):
        raise InternalError(f"expand of rank {x.type.ndim} to rank {len(shape)}")
    known = x.type.shape or (1,) * len(shape)
    result: list[int | None] = []
    for axis, (old, new) in enumerate(zip(known, map(static, shape), strict=True)):
        if old not in (None, 1) and new is not None and new != old:
            raise ShapeError(
                message(
                    f"cannot broadcast axis {axis} of size {old} to size {new}",
                    [operand(x)],
                    here(),
                )
            )
        result.append(new if old in (None, 1) else old)
    return x.type.with_shape(tuple(result))


def _expand_checks(node: Node) -> list[tuple[Any, ...]]:
    x, *shape = node.inputs
    return [
        (own, as_dim(size))
        for own, size in zip(sizes(x), shape, strict=False)
        if not (isinstance(own, int) and own == 1)
    ]


_expand = register(
    Op(
        name="expand",
        kind=Kind.VIEW,
        infer=_infer_expand,
        dims=lambda node: tuple(as_dim(size) for size in node.inputs[1:]),
        prepare=prepare_sized,
        checks=_expand_checks,
        vjp=lambda g, out, x, *shape: [g, *[None] * len(shape)],
        weight=1,
        reference=lambda x, *shape: np.broadcast_to(x, shape),
        doc="Axes of size 1, or a scalar, repeated to the sizes given.",
    )
)


def expand(x: Any, shape: Sequence[Any]) -> Any:
    """Return x broadcast to ``shape``, of the same rank or from a scalar."""
    if isinstance(x, Node):
        wanted = [as_dim(as_node(size)) for size in shape]
        if x.type.ndim == len(wanted) and all(
            a is b or (isinstance(a, int) and a == b) for a, b in zip(sizes(x), wanted, strict=True)
        ):
            return x
    return apply(_expand, x, *shape)


# -- fill: a value in the shape of something ------------------------------------------------------


def _prepare_fill(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    like = as_node(args[0])
    value = args[1]
    if isinstance(value, (bool, int, float)):
        value = to_dtype(value, like.type.dtype)
    return (like, same_rank([like, as_node(value)])[1])


def _infer_fill(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    like, value = inputs
    return TensorType(value.type.dtype, like.type.shape)


fill = builder(
    register(
        Op(
            name="fill",
            kind=Kind.COMPOSITE,
            infer=_infer_fill,
            dims=lambda node: sizes(node.inputs[0]),
            prepare=_prepare_fill,
            checks=broadcast_checks,
            vjp=lambda g, out, like, value: [None, g],
            expand=lambda like, value: expand(value, sizes(like)),
            reference=lambda like, value: np.broadcast_to(value, np.shape(like)),
            doc="The second operand, broadcast to the shape of the first.",
        )
    )
)


# -- reshape --------------------------------------------------------------------------------------


def _infer_reshape(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    x, *shape = inputs
    known = tuple(map(static, shape))
    old, new = x.type.shape, known
    if None not in old and None not in new and _count(old) != _count(new):
        raise ShapeError(
            message(
                f"reshape: {_count(old)} elements cannot become the shape {new}, which has"
                f" {_count(new)}",
                [operand(x)],
                here(),
            )
        )
    return x.type.with_shape(known)


def _count(shape: Sequence[int | None]) -> int:
    return int(np.prod([n for n in shape if n is not None], dtype=np.int64))


_reshape = register(
    Op(
        name="reshape",
        kind=Kind.VIEW,
        infer=_infer_reshape,
        dims=lambda node: tuple(as_dim(size) for size in node.inputs[1:]),
        prepare=prepare_sized,
        checks=lambda node: [
            (product(sizes(node.inputs[0])), product(map(as_dim, node.inputs[1:])))
        ],
        vjp=lambda g, out, x, *shape: [reshape(g, sizes(x)), *[None] * len(shape)],
        weight=1,
        reference=lambda x, *shape: np.reshape(x, shape),
        doc="The same elements in row-major order under other sizes.",
    )
)


def reshape(x: Any, shape: Sequence[Any]) -> Any:
    """Return x with other sizes; at most one may be -1, and is found from the others."""
    if not isinstance(x, Node):
        x = as_node(x)
    wanted = [as_dim(as_node(size)) for size in shape]
    open_axes = [i for i, size in enumerate(wanted) if isinstance(size, int) and size == -1]
    if len(open_axes) > 1 or any(isinstance(s, int) and s < -1 for s in wanted):
        raise GraphcValueError(
            message(
                f"reshape: at most one size may be -1, got {tuple(wanted)}", [operand(x)], here()
            )
        )
    if open_axes:
        wanted[open_axes[0]] = _rest(
            sizes(x), [s for i, s in enumerate(wanted) if i != open_axes[0]]
        )
    if len(wanted) == x.type.ndim and all(
        a is b or (isinstance(a, int) and a == b) for a, b in zip(sizes(x), wanted, strict=True)
    ):
        return x
    return apply(_reshape, x, *wanted)


def _rest(old: Sequence[Dim], new: Sequence[Dim]) -> Dim:
    """Return what is left of the elements when the other sizes are divided out."""
    left = list(old)
    over: list[Dim] = []
    for size in new:  # sizes that stand on both sides cancel, so n * m // n is m
        match = next((i for i, s in enumerate(left) if s is size or _equal(s, size)), None)
        if match is None:
            over.append(size)
        else:
            left.pop(match)
    total, divisor = product(left), product(over)
    if isinstance(divisor, int) and divisor == 1:
        return total
    if isinstance(total, int) and isinstance(divisor, int):
        return total // builtins.max(divisor, 1)
    return applysize_operand("int_div", total, divisor)


def applysize_operand(op: str, a: Dim, b: Dim) -> Node:
    """Apply an op to two sizes."""
    return apply(OPS[op], as_size_node(a), as_size_node(b))  # type: ignore[no-any-return]


def _equal(a: Dim, b: Dim) -> bool:
    return isinstance(a, int) and isinstance(b, int) and a == b
