"""The inputs of a node inside a batch; what batched forms of ops are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.errors import NotSupportedError, message
from graphc.ir.node import Node, make, operand
from graphc.ir.shapes import Dim, sizes
from graphc.ir.source import here
from graphc.ir.types import Attrs
from graphc.ops.movement import dimshuffle, expand


@dataclass(frozen=True, slots=True)
class Batched:
    """The inputs of a node inside a batch.

    Attributes
    ----------
    node : Node
        As it was written.
    inputs : tuple of Node
        New ones: those of ``flags`` have the batch axis in front.
    flags : tuple of bool
    size : int or Node
        Of the batch.
    """

    node: Node
    inputs: tuple[Node, ...]
    flags: tuple[bool, ...]
    size: Dim

    def again(self, inputs: Sequence[Node], **changed: Any) -> Node:
        """Return the same op over other inputs, with some attributes changed."""
        attrs = Attrs({**self.node.attrs, **changed}) if changed else self.node.attrs
        op = self.node.op
        return make(op, tuple(inputs), attrs, op.infer(tuple(inputs), attrs), self.node.where)

    def whole(self, i: int) -> Node:
        """Return input ``i`` with the batch axis, repeated over it if it is the same for all."""
        return self.inputs[i] if self.flags[i] else repeated(self.inputs[i], self.size)


Rule = Callable[[Batched], Node | None]
"""Returns a node with the batch axis in front, or None if there is no such form here."""


def repeated(x: Node, size: Dim) -> Node:
    """Return a batch of equal values."""
    front = dimshuffle(x, ("x", *range(x.type.ndim)))
    return expand(front, [size, *sizes(x)])  # type: ignore[no-any-return]


def with_rank(x: Node, batched: bool, rank: int) -> Node:
    """Return an operand of an op that broadcasts to ``rank`` axes, besides that of the batch."""
    own = x.type.ndim - batched
    if batched:
        return x if own == rank else dimshuffle(x, (0, *["x"] * (rank - own), *range(1, own + 1)))
    return x if own == 0 else dimshuffle(x, (*["x"] * (rank - own + 1), *range(own)))


def different_sizes(one: Batched) -> NotSupportedError:
    """Return the error for a batch whose arrays would have different sizes."""
    return NotSupportedError(
        message(
            f"{one.node.op.name}: the sizes of arrays would differ within the batch",
            [operand(one.node)],
            one.node.where or here(),
        )
    )
