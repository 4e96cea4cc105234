# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Products of arrays: scalars and transpositions out of the way."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops.elementwise import mul
from graphc.ops.linalg import dot
from graphc.ops.movement import dimshuffle
from graphc.ops.reduce import sum as sum_
from graphc.rewrite.rule import procedure, rule, table, uses


@rule
def dot_neg_left(x, y):
    """Signs move outwards, where they meet and cancel."""
    return dot(-x, y), -dot(x, y)


@rule
def dot_neg_right(x, y):
    """Signs move outwards, where they meet and cancel."""
    return dot(x, -y), -dot(x, y)


@procedure("dot", when=uses("dimshuffle"))
def dot_transposed(node: Node) -> Node | None:
    """A transposed matrix times a vector is the vector times the matrix.

    Ends, as a transposition goes.
    """
    a, b = node.inputs
    if _is_transposed(a) and b.type.ndim == 1:
        return dot(b, a.inputs[0])  # type: ignore[no-any-return]
    if _is_transposed(b) and a.type.ndim == 1:
        return dot(b.inputs[0], a)  # type: ignore[no-any-return]
    return None


@procedure("dot", when=uses("expand"))
def dot_expand(node: Node) -> Node | None:
    """A product with a matrix whose rows or columns repeat is made of sums.

    Ends, as a product goes.
    """
    a, b = node.inputs
    inner = a.type.ndim - 1
    if (rows := _repeated(b, 0)) is not None:
        left, right = sum_(a, axes=(inner,)), _without(rows, 0)
    elif (columns := _repeated(a, inner)) is not None:
        left, right = _without(columns, inner), sum_(b, axes=(0,))
    else:
        return None
    if node.type.ndim == 2:
        left = dimshuffle(left, (0, -1)) if left.type.ndim else left
        right = dimshuffle(right, (-1, 0)) if right.type.ndim else right
    return mul(left, right)  # type: ignore[no-any-return]


def _repeated(node: Node, axis: int) -> Node | None:
    """Return what is repeated along an axis, a scalar or of full rank; None if nothing is."""
    if node.op.name != "expand":
        return None
    x = node.inputs[0]
    return x if not x.type.ndim or x.type.shape[axis] == 1 else None


def _without(x: Node, axis: int) -> Node:
    """Return an array without an axis of size 1, a scalar as it is."""
    return dimshuffle(x, [i for i in range(x.type.ndim) if i != axis])  # type: ignore[no-any-return]


def _is_transposed(node: Node) -> bool:
    return node.op.name == "dimshuffle" and node.attrs["pattern"] == (1, 0)


RULES = table(globals())
