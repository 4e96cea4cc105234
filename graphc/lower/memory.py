"""Where values live: lifetimes, reuse, and updates written where the old value lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from graphc.ir.node import Node
from graphc.ir.op import Kind
from graphc.ir.shapes import Dim, add
from graphc.lower.program import (
    Buffer,
    Call,
    Check,
    Group,
    Host,
    Launch,
    Loop,
    Program,
    Role,
    Space,
    Step,
    base,
    is_scalar,
)

Free = dict[tuple[str, Space], list[Buffer]]


def plan(program: Program) -> None:
    """Give a buffer to every array that a step stores."""
    results = [*program.outputs, *(new for _, new in program.updates)]
    Plan(program, program.steps, results, {}).make()
    values = Counter(buffer.id for buffer in program.buffers.values())
    program.reused = frozenset(number for number, count in values.items() if count > 1)


class Plan:
    """The buffers of one list of steps: a function's, or a loop's.

    Parameters
    ----------
    kept : sequence of Node
        What is read when all steps have run.
    free : dict
        Buffers that nothing uses while these steps run, by dtype and size.
    loop : Loop, optional
        The loop whose steps these are.
    """

    def __init__(
        self,
        program: Program,
        steps: Sequence[Step],
        kept: Sequence[Node],
        free: Free,
        loop: Loop | None = None,
    ) -> None:
        self.program = program
        self.steps = steps
        self.free = free
        self.loop = loop
        self.taken: list[Buffer] = []
        self._last_reads: Reads | None = None
        self.last_use = self._last_uses(kept)
        given = {n for n in program.outputs if n in program.stored and n not in program.lent}
        self.outputs = set() if loop else given
        self.shared_of = {} if loop else self._new_values()

    def make(self) -> None:
        """Give buffers to what the steps store, one step after the other."""
        for i, step in enumerate(self.steps):
            if isinstance(step, (Host, Check)):
                continue
            if isinstance(step, Loop):
                self._loop(step)
            dying = [n for n in self._own_arrays(step) if self.last_use.get(n) == i]
            for node in () if isinstance(step, Loop) else step.writes:
                if node not in self.program.buffers and not self._on_host(node):
                    self._give(i, step, node, dying)
            for node in (*dying, *(n for n in step.writes if n not in self.last_use)):
                self._release(node)

    def _reads(self, group: Group) -> Reads:
        """Return where a group reads what; questions about one group follow each other."""
        if self._last_reads is None or self._last_reads.group is not group:
            self._last_reads = Reads(group, self.program)
        return self._last_reads

    def _on_host(self, node: Node) -> bool:
        return is_scalar(node) and not self.program.limits.device_scalars

    def _own_arrays(self, step: Step) -> list[Node]:
        """Return the arrays that a step reads."""
        return self._arrays(deep_reads(step))

    def _give(self, i: int, step: Step, node: Node, dying: list[Node]) -> None:
        choice = self.program.aliases.get(node)
        if choice is not None:
            if choice not in self.program.buffers:
                self._give(i, step, choice, [])
            self.program.buffers[node] = self.program.buffers[choice]
        elif node in self.outputs:
            self._fresh(node, Role.OUTPUT)
        elif node in self.shared_of:
            in_place = self._may_update(i, step, node)
            self._fresh(node, Role.IN_PLACE if in_place else Role.UPDATE, self.shared_of[node])
        else:
            self._give_temp(step, node, dying)

    def _fresh(self, node: Node, role: Role, shared: Node | None = None) -> Buffer:
        program = self.program
        shape = program.sizes.of(node)
        late = any(map(program.is_late, shape))
        shared = shared if role is Role.IN_PLACE else None
        buffer = Buffer(program.new_buffer_id(), node.type.dtype, shape, role, shared, late)
        program.buffers[node] = buffer
        if role is Role.TEMP and not late:
            self.taken.append(buffer)
        return buffer

    def _give_temp(self, step: Step | None, node: Node, dying: list[Node]) -> None:
        key = (node.type.dtype, self.program.sizes.of(node))
        if isinstance(step, Launch):
            for old in list(dying):
                buffer = self.program.buffers.get(old)
                if (
                    buffer is None
                    or buffer.role is not Role.TEMP
                    or buffer.late
                    or (buffer.dtype, buffer.shape) != key
                    or not self._is_mine(old)
                ):
                    continue
                if may_overwrite(self._reads(step.group), old, node, self.program):
                    dying.remove(old)
                    self.program.buffers[node] = buffer
                    return
        if isinstance(step, Call) and self._is_put_in_place(step, dying, key):
            old = step.reads[0]
            dying.remove(old)
            self.program.buffers[node] = self.program.buffers[old]
        elif self.free.get(key):
            self.program.buffers[node] = self.free[key].pop()
            self.taken.append(self.program.buffers[node])
        else:
            self._fresh(node, Role.TEMP)

    def _is_put_in_place(self, step: Call, dying: list[Node], key: object) -> bool:
        """Tell whether a part of an array may be replaced where the array lies."""
        if step.node.op.name not in WRITES:
            return False
        whole, *others = step.node.inputs
        buffer = self.program.buffers.get(whole)
        return (
            whole in dying
            and buffer is not None
            and buffer.role is Role.TEMP
            and not buffer.late
            and (buffer.dtype, buffer.shape) == key
            and self._is_mine(whole)
            and all(base(other, self.program.stored) is not whole for other in others)
        )

    def _is_mine(self, node: Node) -> bool:
        """Tell whether the memory of a node may be reused when the node is not read any more."""
        return node in self._written and node not in self.program.aliases

    def _release(self, node: Node) -> None:
        buffer = self.program.buffers.get(node)
        if buffer is None or buffer.role is not Role.TEMP or buffer.late or not self._is_mine(node):
            return
        self.free.setdefault((buffer.dtype, buffer.shape), []).append(buffer)

    def _may_update(self, i: int, step: Step, node: Node) -> bool:
        """Tell whether a new value may be written over the old one.

        It may if nothing reads the old one, or can fail, after it.
        """
        old, last_use = self.shared_of[node], self.last_use
        if isinstance(step, Call):
            alone = _writes_into(step.node, old, self.program)
        else:
            alone = isinstance(step, Launch) and (
                last_use.get(old, -1) < i
                or may_overwrite(self._reads(step.group), old, node, self.program)
            )
        return (
            alone
            and not step.path
            and not is_scalar(node)
            and self.program.sizes.of(node) == self.program.sizes.of(old)
            and node.type.dtype == old.type.dtype
            and last_use.get(old, -1) <= i
            and all(isinstance(later, (Launch, Host)) for later in self.steps[i + 1 :])
        )

    # -- loops --

    def _loop(self, loop: Loop) -> None:
        """Give memory to what a loop carries and fills, and plan its steps."""
        program = self.program
        result_of = {leaf: result for result, leaf in loop.outputs}
        lent: list[Buffer] = []
        for leaf in [leaf for _, leaf in loop.rows] + [cell.leaf for cell in loop.cells]:
            if self._on_host(leaf):
                continue
            result = result_of.get(leaf)
            self._give_leaf(leaf, result)
            if result is None:
                lent.append(program.buffers[leaf])
        for cell in loop.cells:
            if cell.spare is None:
                continue
            role = program.buffers[cell.leaf].role  # the two change places: both are whose one is
            if role is Role.TEMP:
                self._give_temp(None, cell.spare, [])
                lent.append(program.buffers[cell.spare])
            else:
                self._fresh(cell.spare, role)
        self._give_targets(loop)
        ends = [*(cell.following for cell in loop.cells), *(value for value, _ in loop.rows)]
        ends += [] if loop.stop is None else [loop.stop]
        free = {key: list(buffers) for key, buffers in self.free.items()}
        inner = Plan(program, loop.steps, ends, free, loop)
        inner.make()
        mine = {buffer.id for buffers in self.free.values() for buffer in buffers}
        new = {b.id: b for b in inner.taken if b.id not in mine and b.role is Role.TEMP}
        self.taken += new.values()
        for buffer in (*new.values(), *lent):
            if not buffer.late:
                self.free.setdefault((buffer.dtype, buffer.shape), []).append(buffer)

    def _give_leaf(self, leaf: Node, result: Node | None) -> None:
        """Give a leaf of a loop the memory of the result that it becomes."""
        if result is None:
            self._give_temp(None, leaf, [])
            return
        if result in self.outputs:
            self._fresh(result, Role.OUTPUT)
        elif result in self.shared_of:
            self._fresh(result, Role.UPDATE)
        else:
            self._give_temp(None, result, [])
        self.program.buffers[leaf] = self.program.buffers[result]

    def _give_targets(self, loop: Loop) -> None:
        """Let the steps of a loop store what it carries where that is read in the next step."""
        program = self.program
        made = {
            node
            for step in loop.steps
            if isinstance(step, (Launch, Call))
            for node in step.writes
            if not self._on_host(node) and node not in program.aliases
        }
        for cell in loop.cells:
            value = cell.following
            if value not in made or value in program.buffers:
                continue
            if cell.spare is not None:
                program.buffers[value] = program.buffers[cell.spare]
            elif value.op.kind in program.limits.row_writes:
                self._give_row(value, cell.leaf, add(loop.counter, 1))
        for value, leaf in loop.rows:
            fits = value.op.kind in program.limits.row_writes
            if value in made and value not in program.buffers and fits:
                self._give_row(value, leaf, loop.counter)

    def _give_row(self, value: Node, leaf: Node, row: Dim) -> None:
        whole = self.program.buffers[leaf]
        number = self.program.new_buffer_id()
        self.program.buffers[value] = Buffer(
            number, whole.dtype, whole.shape[1:], Role.ROW, late=True, rows=leaf, row=row
        )

    # -- lifetimes --

    def _arrays(self, nodes: Iterable[Node]) -> list[Node]:
        """Return the stored arrays that nodes are, or are views of, each once."""
        return list(dict.fromkeys(base(node, self.program.stored) for node in nodes))

    def _last_uses(self, kept: Sequence[Node]) -> dict[Node, int]:
        """Return the last step that reads each stored array; some are read after all steps."""
        last: dict[Node, int] = {}
        for i, step in enumerate(self.steps):
            for node in self._own_arrays(step):
                last[node] = i
        end = len(self.steps)
        last.update((node, end) for node in self._arrays(kept))
        self._written = {node for step in self.steps for node in step.writes}
        return last

    def _new_values(self) -> dict[Node, Node]:
        """Return for each stored new value the shared variable it is for; the first if several."""
        found: dict[Node, Node] = {}
        for old, new in self.program.updates:
            if new in self.program.stored:
                found.setdefault(new, old)
        return found


def deep_reads(step: Step) -> list[Node]:
    """Return what a step reads; for a loop also what it carries from one step to the next."""
    if not isinstance(step, Loop):
        return list(step.reads)
    carried = [n for cell in step.cells for n in (cell.initial, cell.following)]
    rows = [value for value, _ in step.rows]
    stop = [] if step.stop is None else [step.stop]
    return [step.count, *step.reads, *carried, *rows, *stop]


WRITES = ("put", "scatter", "scatter_add")
"""Routines that write into a copy of their first operand, or into itself where it is not needed."""


def _writes_into(node: Node, old: Node, program: Program) -> bool:
    """Tell whether a routine may write its value into the memory of an operand.

    It looks at its indices before it writes anything, so a call that fails changes nothing.
    """
    whole, *others = node.inputs
    return (
        node.op.name in WRITES
        and whole is old
        and all(base(other, program.stored) is not old for other in others)
    )


class Reads:
    """Where the members of a group read each array, found once for all questions about the group.

    Attributes
    ----------
    place : dict of Node to int
        The number of each member.
    of : dict of Node to list of (int, Node, Node)
        For what is stored: the number of each member that reads it, the member, and what it reads.
    """

    def __init__(self, group: Group, program: Program) -> None:
        self.group = group
        self.inputs = frozenset(group.inputs)
        self.place = {member: i for i, member in enumerate(group.members)}
        self.of: dict[Node, list[tuple[int, Node, Node]]] = {}
        for i, member in enumerate(group.members):
            for child in member.inputs:
                stored = base(child, program.stored)
                self.of.setdefault(stored, []).append((i, member, child))


def may_overwrite(reads: Reads, old: Node, new: Node, program: Program) -> bool:
    """Tell whether a member of a group may be stored in the memory of something it reads.

    Every read of that memory must be of the element that is written, and none may come after the
    statement that writes it (OpenCL runs a group element by element, NumPy statement by statement:
    the stricter is obeyed).
    """
    if new.op.kind is Kind.REDUCE or old not in reads.inputs:
        return False
    if program.sizes.of(new) != program.sizes.of(old):
        return False
    written = reads.place[new]
    return not any(
        child is not old or i > written or (i == written and member.op.name == "where")
        for i, member, child in reads.of.get(old, ())
    )
