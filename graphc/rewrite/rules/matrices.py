"""Systems and determinants in the form that loses least: no inverse where a system will do."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops.decompositions import slogdet, solve
from graphc.ops.linalg import swapped
from graphc.ops.movement import dimshuffle
from graphc.rewrite.rule import procedure, table, uses


@procedure("dot", "matmul", when=uses("inv"))
def inverse_as_solution(node: Node) -> Node | None:
    """A system is solved more accurately, and in less time, than its matrix is inverted.

    Ends, as an inverse goes.
    """
    a, b = node.inputs
    if _is(a, "inv"):
        if b.type.ndim == 1:
            return dimshuffle(solve(a.inputs[0], dimshuffle(b, (0, -1))), (0,))  # type: ignore[no-any-return]
        return solve(a.inputs[0], b) if _stacks_agree(a, b) else None
    if not _is(b, "inv") or not _stacks_agree(a, b):
        return None
    turned = swapped(b.inputs[0])
    if a.type.ndim == 1:
        return dimshuffle(solve(turned, dimshuffle(a, (0, -1))), (0,))  # type: ignore[no-any-return]
    return swapped(solve(turned, swapped(a)))


def _is(node: Node, name: str) -> bool:
    return node.op.name == name


def _stacks_agree(a: Node, b: Node) -> bool:
    """Tell whether two operands are not repeated along any axis before their matrices."""
    pairs = zip(a.type.shape[:-2], b.type.shape[:-2], strict=False)
    return all((one == 1) == (other == 1) for one, other in pairs)


@procedure("inv", when=uses("inv"), assumes="x has an inverse")
def inverse_of_inverse(node: Node) -> Node | None:
    """Two inversions give the matrix back. Ends, as two inverses go."""
    return node.inputs[0].inputs[0]


@procedure("log", when=uses("abs"))
def log_of_size_of_determinant(node: Node) -> Node | None:
    """A determinant overflows long before its logarithm does.

    Ends, as a logarithm goes.
    """
    (size,) = node.inputs
    if not _is(size, "abs") or not _is(size.inputs[0], "det"):
        return None
    return slogdet(size.inputs[0].inputs[0])[1]  # type: ignore[no-any-return]


@procedure("log", when=uses("det"), assumes="the determinant is not negative")
def log_of_determinant(node: Node) -> Node | None:
    """A determinant overflows long before its logarithm does.

    Ends, as a logarithm goes.
    """
    (size,) = node.inputs
    return slogdet(size.inputs[0])[1] if _is(size, "det") else None


RULES = table(globals())
