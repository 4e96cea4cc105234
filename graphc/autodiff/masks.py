"""Where a gradient is not zero: the conditions of ``where`` that a reverse pass has gone through.

``where(c, log(x), 0)`` sends back ``where(c, g, 0)``. Multiplied by ``1 / x`` that is ``0 * inf``
wherever the condition shields a zero from the logarithm. So the pass carries ``g`` and ``c``
apart, differentiates with ``g`` alone, and puts the condition back when all is multiplied: every
gradient is linear in ``g``, and an elementwise one may be masked afterwards.

``ifelse`` is carried in the same way, and further: its condition is one value, so every gradient
may be masked afterwards, not only elementwise ones. Put back at the very end, it leaves all work
for a branch in that branch, which lowering leaves out when it is not taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

from graphc.ir.dtypes import is_discrete
from graphc.ir.node import Node, const, number
from graphc.ir.op import OPS, Kind
from graphc.ir.shapes import sizes
from graphc.ops.control import ifelse
from graphc.ops.elementwise import and_, invert, or_, where
from graphc.ops.movement import expand


class Mask:
    """A condition inside another one; ``Mask()`` is the whole space.

    Masks of one pass that say the same are one object: they are keys under which gradients are
    collected.

    Attributes
    ----------
    outer : Mask or None
        What holds besides; None for the whole space.
    condition, holds : Node, bool
        The innermost condition, and whether it or its opposite is meant.
    node : Node or None
        All of it as one bool node; None for the whole space.
    """

    __slots__ = ("_inner", "condition", "holds", "node", "outer")

    def __init__(
        self, outer: Mask | None = None, condition: Node | None = None, holds: bool = True
    ) -> None:
        self.outer = outer
        self.condition = condition
        self.holds = holds
        self._inner: dict[tuple[Node, bool], Mask] = {}
        self.node: Node | None = None
        if outer is not None and condition is not None:
            own: Node = condition if holds else invert(condition)
            self.node = own if outer.node is None else self._both(outer.node, own)

    @staticmethod
    def _both(outer: Node, inner: Node) -> Node:
        return and_(outer, inner)  # type: ignore[no-any-return]

    def within(self, condition: Node, holds: bool) -> Self:
        """Return the part of this mask where a condition holds, or where it does not."""
        while condition.op is OPS["invert"]:
            condition, holds = condition.inputs[0], not holds
        if condition is self.condition and holds == self.holds:
            return self
        found = self._inner.get((condition, holds))
        if found is None:
            found = self._inner[condition, holds] = type(self)(self, condition, holds)
        return found  # type: ignore[return-value]

    def opposite(self) -> Self | None:
        """Return the other half of what this one is a part of, if the pass has met it."""
        if self.outer is None or self.condition is None:
            return None
        found = self.outer._inner.get((self.condition, not self.holds))
        return found  # type: ignore[return-value]

    def whole(self) -> Mask:
        """Return the whole space that this is a part of."""
        mask = self
        while mask.outer is not None:
            mask = mask.outer
        return mask

    def keep(self, value: Node) -> Node:
        """Return a value inside the mask, and 0 outside."""
        if self.node is None:
            return value
        if self.outer is not None and self.outer.node is None and not self.holds:
            return where(self.condition, 0, value)  # type: ignore[no-any-return]
        return where(self.node, value, 0)  # type: ignore[no-any-return]

    def moved(self, move: Callable[[Node], Node]) -> Mask:
        """Return the mask for values that were moved to other places."""
        if self.node is None or self.condition is None or self.outer is None:
            return self
        if self.outer.node is None:  # keep the opposite recognisable
            return self.whole().within(move(self.condition), self.holds)
        return self.whole().within(move(self.node), True)

    def varies_over(self, axes: list[int]) -> bool:
        """Tell whether the mask may differ along one of these axes of its space."""
        if self.node is None or not self.node.type.ndim:
            return False
        return any(self.node.type.shape[axis] != 1 for axis in axes)


class Closed(Mask):
    """Where any of the terms of a sum is not shielded; gradients under it are 0 outside anyway.

    It is put back behind each op whose slope may be infinite, for there 0 would become NaN.
    """

    __slots__ = ()

    def moved(self, move: Callable[[Node], Node]) -> Mask:
        """Return the mask for values that were moved to other places."""
        assert self.node is not None
        return Closed(self.whole(), move(self.node))


_NEAR = 64  # nodes that are looked at for an infinite slope
_STEEP = (
    *("arccos", "arccosh", "arcsin", "arctanh", "erfcinv", "erfinv", "gamma", "gammaln"),
    *("log", "log10", "log1p", "log2", "polygamma", "pow", "psi", "sqrt", "xlogy0"),
)


def is_steep(node: Node) -> bool:
    """Tell whether an op may have an infinite slope where it has a value, or none at all."""
    if node.op.name == "true_div":
        divisor = node.inputs[1]
        counted = divisor.op.name == "cast" and is_discrete(divisor.inputs[0].type.dtype)
        return not counted and number(divisor) is None
    return node.op.name in _STEEP


def meets_steep(node: Node) -> bool:
    """Tell whether a gradient may meet an infinite slope before it leaves the node's space."""
    seen, stack = {node}, [node]
    while stack and len(seen) < _NEAR:
        found = stack.pop()
        if found.op.kind is not Kind.ELEMENTWISE:
            continue
        if is_steep(found):
            return True
        stack += [child for child in found.inputs if child not in seen]
        seen.update(found.inputs)
    return False


class Branch(Mask):
    """Conditions of ``ifelse``, outermost first: what is inside is computed only if all hold."""

    __slots__ = ()
    outer: Branch | None

    @staticmethod
    def _both(outer: Node, inner: Node) -> Node:
        return ifelse(outer, inner, const(False))  # type: ignore[no-any-return]

    def chain(self) -> list[Branch]:
        """Return the branches that this one lies in, outermost first, and itself last."""
        found = [self]
        while found[-1].outer is not None:
            found.append(found[-1].outer)
        return found[::-1]

    def chosen(self, value: Node, like: Node, top: Branch) -> Node:
        """Return a value of the sizes of ``like`` where this branch of ``top`` is taken, else 0."""
        for branch in self.chain()[:0:-1]:
            if branch is top:
                break
            assert branch.condition is not None
            zeros = expand(const(0, value.type.dtype), sizes(like))
            pair = (value, zeros) if branch.holds else (zeros, value)
            value = ifelse(branch.condition, *pair)
        return value


def common(branches: Sequence[Branch]) -> Branch:
    """Return the innermost branch that all of these lie in."""
    found = branches[0].chain()[0]
    for level in zip(*[branch.chain() for branch in branches], strict=False):
        if any(branch is not level[0] for branch in level):
            break
        found = level[0]
    return found


def union(branches: Sequence[Branch]) -> Branch:
    """Return a branch that is taken if one of these is."""
    left = dict.fromkeys(branches)
    for branch in branches:
        inner: Branch = branch
        while inner.outer is not None and inner in left and inner.opposite() in left:
            del left[inner], left[inner.opposite()]  # type: ignore[index]
            inner = inner.outer
            left[inner] = None
    top = common(list(left))
    if top in left:
        return top
    node: Node | None = None
    for branch in left:
        part = Branch()
        for step in branch.chain()[len(top.chain()) :]:
            assert step.condition is not None
            part = part.within(step.condition, step.holds)
        assert part.node is not None
        node = part.node if node is None else or_(node, part.node)
    assert node is not None
    return top.within(node, True)
