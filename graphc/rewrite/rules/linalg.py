# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Products of arrays: scalars and transpositions out of the way."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops.linalg import dot
from graphc.rewrite.pattern import raw
from graphc.rewrite.rule import procedure, rule, table, uses

transpose = raw("dimshuffle")


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


def _is_transposed(node: Node) -> bool:
    return node.op.name == "dimshuffle" and node.attrs["pattern"] == (1, 0)


RULES = table(globals())
