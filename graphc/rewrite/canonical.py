"""The order of commutative arguments: constants last, then by structure, then by age.

So ``a + b`` and ``b + a`` are one node after the first phase, whatever order they were written in
and whatever other programs the process has seen.
"""

from __future__ import annotations

from typing import Any

from graphc.ir.node import CONST, PARAM, Node

_NEVER = 1 << 62

Key = tuple[bool, int, int, str]


class Order:
    """Structural keys of nodes, remembered for one run.

    The key of a node is: whether it is a constant, the earliest input below it, its depth and the
    name of its op. Attributes, and the creation number as the last resort, are looked at only when
    two keys agree.
    """

    def __init__(self) -> None:
        self._keys: dict[Node, Key] = {}

    def add(self, node: Node) -> None:
        """Find the key of a node whose inputs are known; a node without inputs may be new."""
        keys = self._keys
        if node in keys:
            return
        below = [keys[child] for child in node.inputs if child in keys]
        if below:
            first = min([key[1] for key in below])
            depth = max([key[2] for key in below]) + 1
        else:
            first, depth = self._birth(node), 0
        keys[node] = (node.op is CONST, first, depth, node.op.name)

    @staticmethod
    def _birth(node: Node) -> int:
        if node.op is CONST:
            return _NEVER
        index: int = node.attrs["index"] if node.op is PARAM else node.serial
        return index

    def arrange(self, inputs: tuple[Node, ...]) -> tuple[Node, ...]:
        """Return the arguments of a commutative op in canonical order."""
        a, b = inputs
        first, second = self._keys[a], self._keys[b]
        alike = first == second and a is not b
        swap = _tie(a) > _tie(b) if alike else first > second
        return (b, a) if swap else inputs


def _tie(node: Node) -> tuple[Any, ...]:
    return (repr(node.attrs), node.serial)
