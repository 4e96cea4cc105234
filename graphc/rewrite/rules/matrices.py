"""Systems and determinants in the form that loses least: no inverse where a system will do."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ir.shapes import as_dim
from graphc.ops.decompositions import slogdet, solve
from graphc.ops.linalg import swapped
from graphc.ops.movement import dimshuffle
from graphc.ops.parts import slice_axes
from graphc.ops.reduce import sum as sum_over
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


@procedure("gather", when=uses("dot"))
def diagonal_of_product(node: Node) -> Node | None:
    """The diagonal of a product needs a row and a column for each element, not all of the product.

    Ends, as a product goes.
    """
    product, *places = node.inputs
    if product.op.name != "dot" or product.type.ndim != 2 or len(places) != 2:
        return None
    first, second = places
    if first is not second or first.op.name != "iota":
        return None
    a, b = product.inputs
    count = as_dim(first.inputs[0])
    rows = slice_axes(a, [0], [0], [count], [1])
    columns = slice_axes(swapped(b), [0], [0], [count], [1])
    return sum_over(rows * columns, axes=(1,))  # type: ignore[no-any-return]


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
