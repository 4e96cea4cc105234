"""Products of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, apply, as_node, operand
from graphc.ir.op import Kind, Op, register
from graphc.ir.shapes import Dim, sizes
from graphc.ir.source import here
from graphc.ir.types import Attrs, TensorType
from graphc.ops.family import same_rank, to_dtype, watch_float64
from graphc.ops.movement import dimshuffle, keep_axes
from graphc.ops.reduce import sum as sum_over


def _prepare_dot(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    a, b = as_node(args[0]), as_node(args[1])
    given = (a.type.dtype, b.type.dtype)
    common = dtypes.promote(*given)
    watch_float64(op.name, [common], given, [a, b])
    return to_dtype(a, common), to_dtype(b, common)


def _infer_dot(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    a, b = inputs
    if a.type.ndim not in (1, 2) or b.type.ndim not in (1, 2):
        raise GraphcTypeError(
            message(
                f"dot of ranks {a.type.ndim} and {b.type.ndim}: each must be a vector or a matrix",
                [operand(a), operand(b)],
                here(),
            )
        )
    inner_a, inner_b = a.type.shape[-1], b.type.shape[0]
    if inner_a is not None and inner_b is not None and inner_a != inner_b:
        raise ShapeError(
            message(
                f"dot: sizes {inner_a} and {inner_b} differ",
                [operand(a), operand(b)],
                here(),
                "the last axis of the first operand meets the first axis of the second",
            )
        )
    return TensorType(a.type.dtype, a.type.shape[:-1] + b.type.shape[1:])


def _dot_dims(node: Node) -> tuple[Dim, ...]:
    a, b = node.inputs
    return sizes(a)[:-1] + sizes(b)[1:]


def _dot_checks(node: Node) -> list[tuple[Any, ...]]:
    a, b = node.inputs
    return [(sizes(a)[-1], sizes(b)[0])]


def transpose(x: Node) -> Node:
    """Return x with its axes reversed."""
    return dimshuffle(x, range(x.type.ndim)[::-1])  # type: ignore[no-any-return]


def outer(a: Node, b: Node) -> Node:
    """Return the matrix of products of the elements of two vectors."""
    return dimshuffle(a, (0, "x")) * dimshuffle(b, ("x", 0))  # type: ignore[no-any-return]


def _dot_vjp(g: Node, out: Node, a: Node, b: Node) -> list[Node]:
    ranks = (a.type.ndim, b.type.ndim)
    if ranks == (1, 1):
        return [g * b, g * a]
    if ranks == (2, 1):
        return [outer(g, b), dot(transpose(a), g)]
    if ranks == (1, 2):
        return [dot(b, g), outer(a, g)]
    return [dot(g, transpose(b)), dot(transpose(a), g)]


_dot = register(
    Op(
        name="dot",
        kind=Kind.CALL,
        infer=_infer_dot,
        dims=_dot_dims,
        prepare=_prepare_dot,
        checks=_dot_checks,
        vjp=_dot_vjp,
        weight=50,
        reference=np.dot,
        doc="The product of vectors and matrices, over the last axis of a and the first of b.",
    )
)


def dot(a: Any, b: Any) -> Any:
    """Return the product of two vectors or matrices; with a scalar, the elementwise product.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> dot(T.dmatrix("m"), T.dvector("v")).type
    float64[?]
    """
    symbolic = isinstance(a, Node) or isinstance(b, Node)
    if symbolic and 0 in (as_node(a).type.ndim, as_node(b).type.ndim):
        return as_node(a) * b
    return apply(_dot, a, b)


# -- products of stacks of matrices ---------------------------------------------------------------


def _prepare_matmul(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    nodes = same_rank(list(_prepare_dot(op, args, attrs)))
    if nodes[0].type.ndim != nodes[1].type.ndim or nodes[0].type.ndim < 3:
        raise GraphcTypeError(
            message("matmul of stacks of matrices", [operand(one) for one in nodes], here())
        )
    return nodes


def _infer_matmul(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    a, b = inputs
    inner_a, inner_b = a.type.shape[-1], b.type.shape[-2]
    if inner_a is not None and inner_b is not None and inner_a != inner_b:
        raise _sizes_differ("matmul", inner_a, inner_b, inputs)
    shape = []
    for left, right in zip(a.type.shape[:-2], b.type.shape[:-2], strict=True):
        known = {size for size in (left, right) if size is not None and size != 1}
        if len(known) > 1:
            one, other = sorted(known)
            raise _sizes_differ("matmul", one, other, inputs)
        stretched = right if left == 1 else left
        shape.append(known.pop() if known else stretched)
    return TensorType(a.type.dtype, (*shape, a.type.shape[-2], b.type.shape[-1]))


def _sizes_differ(what: str, one: int, other: int, inputs: Sequence[Node]) -> ShapeError:
    return ShapeError(
        message(f"{what}: sizes {one} and {other} differ", map(operand, inputs), here())
    )


def _matmul_dims(node: Node) -> tuple[Dim, ...]:
    a, b = node.inputs
    stack = [
        right if known == 1 else left
        for known, left, right in zip(a.type.shape[:-2], sizes(a), sizes(b), strict=False)
    ]
    return (*stack, sizes(a)[-2], sizes(b)[-1])


def _matmul_checks(node: Node) -> list[tuple[Dim, Dim]]:
    a, b = node.inputs
    pairs = [(sizes(a)[-1], sizes(b)[-2])]
    for axis in range(node.type.ndim - 2):
        if a.type.shape[axis] != 1 and b.type.shape[axis] != 1:
            pairs.append((sizes(a)[axis], sizes(b)[axis]))
    return pairs


def swapped(x: Node) -> Node:
    """Return x with its last two axes exchanged: each matrix of a stack transposed."""
    rank = x.type.ndim
    return dimshuffle(x, (*range(rank - 2), rank - 1, rank - 2))  # type: ignore[no-any-return]


def _matmul_vjp(g: Node, out: Node, a: Node, b: Node) -> list[Node]:
    return [
        _summed(matmul(g, swapped(b)), out, a),
        _summed(matmul(swapped(a), g), out, b),
    ]


def _summed(g: Node, out: Node, x: Node) -> Node:
    """Return the gradient of an operand summed over the axes along which it was repeated."""
    known = zip(x.type.shape[:-2], out.type.shape, strict=False)
    axes = tuple(axis for axis, (own, whole) in enumerate(known) if own == 1 and whole != 1)
    return keep_axes(sum_over(g, axes=axes), axes, x.type.ndim) if axes else g


_matmul = register(
    Op(
        name="matmul",
        kind=Kind.CALL,
        infer=_infer_matmul,
        dims=_matmul_dims,
        prepare=_prepare_matmul,
        checks=_matmul_checks,
        vjp=_matmul_vjp,
        weight=50,
        reference=np.matmul,
        doc="The products of the matrices of two stacks, over the last two axes; others broadcast.",
    )
)


def matmul(a: Any, b: Any) -> Any:
    """Return the products of the matrices in two stacks, which have at least three axes.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> matmul(T.dtensor3("a"), T.dtensor3("b")).type
    float64[?, ?, ?]
    """
    return apply(_matmul, a, b)
