"""Programs: lists of steps over buffers. What lowering makes and backends emit.

A step's operands are nodes. A node that some step computes, and every input, constant and shared
variable, is *stored*; a view is not stored but read through its base, the stored node it is a view
of. So a view never costs a step, and whoever prints a step can still name the user's expression.
"""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from graphc.ir.node import CONST, Node, is_tuple
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
    row_writes : frozenset of Kind
        Ops whose results a step can store in a row of a larger array.
    halves : bool
        Whether it computes with float16; otherwise that is only stored.
    host_products : tuple of (str, float)
        Dtypes of which products of matrices are left to the host, from so many multiplications on.
    whole : frozenset of str
        Composites over the last axes that have a routine, and need not be made of other ops.
    """

    backend: str
    members: int = 4096
    operands: int = 4096
    device_scalars: bool = False
    row_writes: frozenset[Kind] = frozenset(Kind)
    halves: bool = True
    host_products: tuple[tuple[str, float], ...] = ()
    whole: frozenset[str] = frozenset()


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


Path = tuple[tuple[Node, bool], ...]
"""Under which conditions a step runs: scalars, and whether they must hold or not."""


@dataclass(frozen=True, slots=True)
class Launch:
    """Run a group.

    ``needs`` are scalars that say how large its arrays are and where views begin, as far as steps
    compute them; every kind of step has them, and a ``path``.
    """

    group: Group
    path: Path = ()
    needs: tuple[Node, ...] = ()

    @property
    def reads(self) -> tuple[Node, ...]:
        """Nodes whose values this step needs."""
        return (*self.group.inputs, *self.needs)

    @property
    def writes(self) -> tuple[Node, ...]:
        """Nodes that this step stores."""
        return self.group.outputs

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Nodes that this step computes."""
        return self.group.members


@dataclass(frozen=True, slots=True)
class _Single:
    """What the steps that compute one node share."""

    node: Node
    outputs: tuple[Node, ...] = ()  # of a node with several results: those that are read
    path: Path = ()
    needs: tuple[Node, ...] = ()

    @property
    def reads(self) -> tuple[Node, ...]:
        """Nodes whose values this step needs."""
        return (*self.node.inputs, *self.needs)

    @property
    def writes(self) -> tuple[Node, ...]:
        """Nodes that this step stores."""
        return self.outputs if is_tuple(self.node) else (self.node,)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Nodes that this step computes."""
        return (self.node,)


class Call(_Single):
    """Run a library routine, or copy a view to make it contiguous (``node`` is then a view)."""


class Host(_Single):
    """Compute a scalar in the host function."""


class Choose(_Single):
    """Take the value of one of the branches of an ``ifelse``, which a step before computed."""


@dataclass(frozen=True, slots=True)
class Check:
    """Look at a guard that can only be looked at when some steps have run."""

    guard: Guard
    path: Path = ()
    needs: tuple[Node, ...] = ()
    writes: tuple[Node, ...] = ()

    @property
    def reads(self) -> tuple[Node, ...]:
        """Nodes whose values this step needs."""
        return self.needs

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The node whose sizes are looked at."""
        return (self.guard.node,)


@dataclass(frozen=True, slots=True)
class Cell:
    """A carry of a loop while it runs.

    Attributes
    ----------
    leaf : Node
        Stands for its present value in the steps of the loop; for all values, if it is traced.
    initial, following : Node
        Its first value, and the next one as a step computes it.
    traced : bool
        Whether all values are kept, a row each, the first value first.
    spare : Node or None
        Stands for the memory of the next value; for an array that is not traced.
    """

    leaf: Node
    initial: Node
    following: Node
    traced: bool
    spare: Node | None


@dataclass(frozen=True, slots=True)
class Loop:
    """Run steps again and again.

    Attributes
    ----------
    node : Node
        The scan.
    count, counter : Node
        How many steps at most; the number of the step, from 0.
    cells : tuple of Cell
    rows : tuple of (Node, Node)
        What is stored in every step, and the leaf that stands for all of its rows.
    stop : Node or None
        A scalar: the loop ends with the step in which it holds.
    steps : tuple of Step
    outputs : tuple of (Node, Node)
        Results that are read, and the leaf whose memory holds them.
    made : Node or None
        The result that tells how many steps were made, if it is read.
    reads : tuple of Node
        What comes from outside.
    """

    node: Node
    count: Node
    counter: Node
    cells: tuple[Cell, ...]
    rows: tuple[tuple[Node, Node], ...]
    stop: Node | None
    steps: tuple[Step, ...]
    outputs: tuple[tuple[Node, Node], ...]
    made: Node | None
    reads: tuple[Node, ...]
    path: Path = ()

    @property
    def leaves(self) -> list[Node]:
        """What stands for memory of the loop's own."""
        spare = [cell.spare for cell in self.cells if cell.spare is not None]
        return [*(cell.leaf for cell in self.cells), *spare, *(leaf for _, leaf in self.rows)]

    @property
    def writes(self) -> tuple[Node, ...]:
        """Nodes that this step stores."""
        made = () if self.made is None else (self.made,)
        return (*made, *(node for node, _ in self.outputs))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Nodes that this step computes."""
        return (self.node,)


Step = Launch | Call | Host | Choose | Check | Loop


def every_step(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield steps and those inside of loops, each loop before its own."""
    for step in steps:
        yield step
        if isinstance(step, Loop):
            yield from every_step(step.steps)


class Role(Enum):
    """Whose a buffer is."""

    TEMP = "temp"  # from the pool, back to it when the call ends
    OUTPUT = "output"  # fresh in every call, the user's afterwards
    UPDATE = "update"  # fresh in every call, a shared variable's afterwards
    IN_PLACE = "in place"  # a shared variable's own memory, written where it lies
    ROW = "row"  # one row of another buffer


@dataclass(slots=True)
class Buffer:
    """Memory for stored nodes, one after the other."""

    id: int
    dtype: str
    shape: Space
    role: Role
    shared: Node | None = None  # the variable, for IN_PLACE
    late: bool = False  # its size is known only when some steps have run
    rows: Node | None = None  # for ROW: the leaf that stands for all rows
    row: Dim = 0  # for ROW: which of them

    @property
    def name(self) -> str:
        """A name for reports and generated code."""
        return f"{'t' if self.role is Role.TEMP else 'o'}{self.id}"


@dataclass(slots=True)
class Program:
    """A function, ready to be emitted.

    ``buffers`` says where each stored array lies; ``reused`` are the numbers of the buffers that
    hold several values, one after the other; ``lent`` are outputs that the next call may overwrite,
    ``resident`` those that stay on the device.
    ``late`` are the scalars that depend on what steps compute. ``aliases`` are values of branches
    that lie where the choice between them does. Of ``guards``, the first ``early`` are looked at
    when a call starts, the others by steps.
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
    guards: list[Guard] = field(default_factory=list)
    early: int = 0
    buffers: dict[Node, Buffer] = field(default_factory=dict)
    reused: frozenset[int] = frozenset()
    lent: frozenset[Node] = frozenset()
    resident: frozenset[Node] = frozenset()
    late: Container[Dim] = frozenset()
    aliases: dict[Node, Node] = field(default_factory=dict)
    _buffer_ids: Iterator[int] = field(default_factory=itertools.count)

    @property
    def temporaries(self) -> list[Buffer]:
        """The buffers that come from the pool, each once."""
        found = unique(self.buffers.values())
        return [buffer for buffer in found if buffer.role is Role.TEMP and not buffer.late]

    @property
    def every_step(self) -> list[Step]:
        """All steps, those inside of loops too."""
        return list(every_step(self.steps))

    def is_late(self, size: Dim) -> bool:
        """Tell whether a size is known only when some steps have run."""
        return size in self.late

    def new_buffer_id(self) -> int:
        """Return a number no buffer of this program has."""
        return next(self._buffer_ids)

    def base(self, node: Node) -> Node:
        """Return the stored node that a node is a view of, or itself."""
        return base(node, self.stored)


def base(node: Node, stored: Container[Node]) -> Node:
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
