"""Programs: lists of steps over buffers. What lowering makes and backends emit.

A step's operands are nodes. A node that some step computes, and every input, constant and shared
variable, is *stored*; a view is not stored but read through its base, the stored node it is a view
of. So a view never costs a step, and whoever prints a step can still name the user's expression.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from graphc.ir.node import CONST, Node
from graphc.ir.op import Kind
from graphc.ir.shapes import Dim, Guard, Sizes

Space = tuple[Dim, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a backend can take; fusion stops short of it.

    Attributes
    ----------
    backend : str
        Key of the code templates.
    members, operands : int
        At most so many nodes and arrays in one group.
    device_scalars : bool
        Whether scalars that come out of arrays stay on the device; otherwise every scalar is
        computed by the host function.
    """

    backend: str
    members: int = 4096
    operands: int = 4096
    device_scalars: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Elementwise nodes over one space, and reductions of them: one kernel.

    Attributes
    ----------
    space : tuple of sizes
        Of every elementwise member, and of what every reduction reads.
    members : tuple of Node
        In an order of computation.
    inputs : tuple of Node
        What members read from outside: views, stored nodes, constants, scalars.
    outputs : tuple of Node
        The members that are read outside.
    """

    space: Space
    members: tuple[Node, ...]
    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]

    @property
    def reductions(self) -> tuple[Node, ...]:
        """The members that fold."""
        return tuple(node for node in self.members if node.op.kind is Kind.REDUCE)


@dataclass(frozen=True, slots=True)
class Launch:
    """Run a group."""

    group: Group

    @property
    def reads(self) -> tuple[Node, ...]:
        """Nodes whose values this step needs."""
        return self.group.inputs

    @property
    def writes(self) -> tuple[Node, ...]:
        """Nodes that this step stores."""
        return self.group.outputs

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Nodes that this step computes."""
        return self.group.members


@dataclass(frozen=True, slots=True)
class Call:
    """Run a library routine, or copy a view to make it contiguous (``node`` is then a view)."""

    node: Node

    @property
    def reads(self) -> tuple[Node, ...]:
        """Nodes whose values this step needs."""
        return self.node.inputs

    @property
    def writes(self) -> tuple[Node, ...]:
        """Nodes that this step stores."""
        return (self.node,)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Nodes that this step computes."""
        return (self.node,)


@dataclass(frozen=True, slots=True)
class Host:
    """Compute a scalar in the host function."""

    node: Node

    @property
    def reads(self) -> tuple[Node, ...]:
        """Nodes whose values this step needs."""
        return self.node.inputs

    @property
    def writes(self) -> tuple[Node, ...]:
        """Nodes that this step stores."""
        return (self.node,)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Nodes that this step computes."""
        return (self.node,)


Step = Launch | Call | Host


class Role(Enum):
    """Whose a buffer is."""

    TEMP = "temp"  # from the pool, back to it when the call ends
    OUTPUT = "output"  # fresh in every call, the user's afterwards
    UPDATE = "update"  # fresh in every call, a shared variable's afterwards
    IN_PLACE = "in place"  # a shared variable's own memory, written where it lies


@dataclass(slots=True)
class Buffer:
    """Memory for stored nodes, one after the other."""

    id: int
    dtype: str
    shape: Space
    role: Role
    shared: Node | None = None  # the variable, for IN_PLACE

    @property
    def name(self) -> str:
        """A name for reports and generated code."""
        return f"{'t' if self.role is Role.TEMP else 'o'}{self.id}"


@dataclass(slots=True)
class Program:
    """A function, ready to be emitted.

    ``buffers`` says where each stored array lies; ``reused`` are the numbers of the buffers that
    hold several values, one after the other; ``lent`` are outputs that the next call may overwrite.
    """

    name: str
    inputs: tuple[Node, ...]
    shared: tuple[Node, ...]
    outputs: tuple[Node, ...]
    updates: tuple[tuple[Node, Node], ...]
    steps: list[Step]
    sizes: Sizes
    limits: Limits
    stored: frozenset[Node]
    buffers: dict[Node, Buffer] = field(default_factory=dict)
    reused: frozenset[int] = frozenset()
    lent: frozenset[Node] = frozenset()
    _buffer_ids: Iterator[int] = field(default_factory=itertools.count)

    @property
    def guards(self) -> list[Guard]:
        """What must hold of the sizes when a call starts."""
        return self.sizes.guards

    @property
    def temporaries(self) -> list[Buffer]:
        """The buffers that come from the pool, each once."""
        return [b for b in unique(self.buffers.values()) if b.role is Role.TEMP]

    def new_buffer_id(self) -> int:
        """Return a number no buffer of this program has."""
        return next(self._buffer_ids)

    def base(self, node: Node) -> Node:
        """Return the stored node that a node is a view of, or itself."""
        return base(node, self.stored)


def base(node: Node, stored: Mapping[Node, object] | frozenset[Node]) -> Node:
    """Follow views down to what is stored."""
    while node.op.kind is Kind.VIEW and node not in stored:
        node = node.inputs[0]
    return node


def unique(buffers: Iterable[Buffer]) -> list[Buffer]:
    """Return buffers without repetitions, in order."""
    return list({buffer.id: buffer for buffer in buffers}.values())


def is_scalar(node: Node) -> bool:
    """Tell whether a node has no axes."""
    return node.type.ndim == 0


def is_const(node: Node) -> bool:
    """Tell whether a node is a constant."""
    return node.op is CONST
