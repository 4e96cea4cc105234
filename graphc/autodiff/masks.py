"""Where a gradient is not zero: the conditions of ``where`` that a reverse pass has gone through.

``where(c, log(x), 0)`` sends back ``where(c, g, 0)``. Multiplied by ``1 / x`` that is ``0 * inf``
wherever the condition shields a zero from the logarithm. So the pass carries ``g`` and ``c``
apart, differentiates with ``g`` alone, and puts the condition back when all is multiplied: every
gradient is linear in ``g``, and an elementwise one may be masked afterwards.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.ir.node import Node
from graphc.ir.op import OPS
from graphc.ops.elementwise import and_, invert, where


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
            self.node = own if outer.node is None else and_(outer.node, own)

    def within(self, condition: Node, holds: bool) -> Mask:
        """Return the part of this mask where a condition holds, or where it does not."""
        while condition.op is OPS["invert"]:
            condition, holds = condition.inputs[0], not holds
        if condition is self.condition and holds == self.holds:
            return self
        found = self._inner.get((condition, holds))
        if found is None:
            found = self._inner[condition, holds] = Mask(self, condition, holds)
        return found

    def opposite(self) -> Mask | None:
        """Return the other half of what this one is a part of, if the pass has met it."""
        if self.outer is None or self.condition is None:
            return None
        return self.outer._inner.get((self.condition, not self.holds))

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
