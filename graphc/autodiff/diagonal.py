"""The first steps of a Jacobian: seeds that are the rows of the identity stay diagonal.

A matrix that is zero off its diagonal is kept as that diagonal for as long as it is only scaled.
So the Jacobian of ``tanh(W @ x)`` scales the rows of ``W``; the product of a diagonal matrix with
``W``, which is the most expensive thing there, is never taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc.ir.node import Node, const, number, rebuild
from graphc.ir.shapes import as_size_node, product, sizes
from graphc.ir.walk import toposort
from graphc.ops.batch import Walk
from graphc.ops.elementwise import cast, eq, where
from graphc.ops.movement import dimshuffle, expand, reshape
from graphc.ops.parts import iota


def derivatives(results: Sequence[Node], seed: Node, like: Node) -> list[Node]:
    """Return expressions that are linear in a seed, for each seed that is 1 in one place.

    Parameters
    ----------
    results : sequence of Node
    seed : Node
        An input that stands for an array of the shape of ``like``.
    like : Node

    Returns
    -------
    list of Node
        Each result with an axis in front for the elements of ``like``, in row-major order.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> m, g, y = T.dmatrix("m"), T.dvector("g"), T.dvector("y")
    >>> derivatives([T.dot(g * y, m)], g, y)
    [(expand(1, y.shape[0]) * y)[:, None] * m]
    """
    walk = _DiagonalWalk(seed, like)
    for node in toposort(results, stop=[seed]):
        walk.visit(node)
    for node in results:
        walk.settle(node)
    return [walk.of(node) for node in results]


class _DiagonalWalk(Walk):
    """A walk that keeps diagonals: those of the matrices that the batches of vectors are."""

    def __init__(self, seed: Node, like: Node) -> None:
        count = product(sizes(like))
        super().__init__({}, count)
        self.diagonal: dict[Node, Node] = {}
        places = iota(as_size_node(count))
        self.same = eq(dimshuffle(places, (0, "x")), dimshuffle(places, ("x", 0)))
        if seed.type.ndim == 1:
            self.diagonal[seed] = expand(const(1, seed.type.dtype), sizes(like))
            return
        units = cast(self.same, seed.type.dtype)
        self.done[seed] = reshape(units, [count, *sizes(like)])
        self.batched.add(seed)

    def visit(self, node: Node) -> None:
        """Find the diagonal or the batch of a node whose inputs are done."""
        if node in self.diagonal:
            return
        flags = tuple(child in self.diagonal for child in node.inputs)
        if any(flags) and self.batched.isdisjoint(node.inputs):
            if _only_scales(node, flags):
                found = (
                    self.diagonal[x] if x in self.diagonal else self.done[x] for x in node.inputs
                )
                self.diagonal[node] = rebuild(node, tuple(found))
                return
            if node.op.name == "dot" and not all(flags):
                self.done[node] = self._scaled(node, flags)
                self.batched.add(node)
                return
        for child in node.inputs:
            self.settle(child)
        super().visit(node)

    def settle(self, node: Node) -> None:
        """Make a batch of what was kept as a diagonal."""
        if node in self.diagonal and node not in self.done:
            row = dimshuffle(self.diagonal[node], ("x", 0))
            self.done[node] = where(self.same, row, 0)
            self.batched.add(node)

    def _scaled(self, node: Node, flags: tuple[bool, ...]) -> Node:
        """Return the product of a diagonal matrix with a matrix, or with a vector."""
        kept, other = node.inputs if flags[0] else node.inputs[::-1]
        diagonal, factor = self.diagonal[kept], self.done[other]
        if factor.type.ndim == 1:
            return diagonal * factor  # type: ignore[no-any-return]
        rows = factor if flags[0] else dimshuffle(factor, (1, 0))
        return dimshuffle(diagonal, (0, "x")) * rows  # type: ignore[no-any-return]


def _only_scales(node: Node, flags: tuple[bool, ...]) -> bool:
    """Tell whether a node of diagonal matrices is one, found from the diagonals alone."""
    linear = _LINEAR.get(node.op.name)
    pairs = list(zip(node.inputs, flags, strict=True))
    if linear is None or any(x.type.shape != node.type.shape for x, flag in pairs if flag):
        return False
    return linear(flags, [flag or number(x) == 0 for x, flag in pairs])


# Whether 0 off the diagonal stays 0: (which inputs are diagonal, which are diagonal or zero).
_LINEAR: dict[str, Callable[[Sequence[bool], Sequence[bool]], bool]] = {
    "neg": lambda flags, zero: True,
    "cast": lambda flags, zero: True,
    "mul": lambda flags, zero: sum(flags) == 1,
    "true_div": lambda flags, zero: not flags[1],
    "where": lambda flags, zero: not flags[0] and zero[1] and zero[2],
    "add": lambda flags, zero: all(zero),
    "sub": lambda flags, zero: all(zero),
}
