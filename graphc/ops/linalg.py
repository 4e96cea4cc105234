"""Products of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, apply, as_node, operand
from graphc.ir.op import Kind, Op, register
from graphc.ir.shapes import Dim, sizes
from graphc.ir.source import here
from graphc.ir.types import Attrs, TensorType
from graphc.ops.family import to_dtype
from graphc.ops.movement import dimshuffle


def _prepare_dot(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    a, b = as_node(args[0]), as_node(args[1])
    common = dtypes.promote(a.type.dtype, b.type.dtype)
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
