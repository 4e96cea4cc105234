"""Loops and branches of the host function, as plain ``for`` and ``if``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphc.ir.node import CONST, DIM, INPUT, Node, is_tuple
from graphc.ir.op import Kind
from graphc.ir.shapes import product
from graphc.ir.walk import toposort
from graphc.lower.program import (
    Cell,
    Choose,
    Launch,
    Loop,
    Path,
    Program,
    Role,
    every_step,
    is_scalar,
)

if TYPE_CHECKING:
    from graphc.emit.host import HostFunction


@dataclass
class Mark:
    """What the text knew when a block began: names, and the keys of what else is remembered."""

    names: int
    known: list[set[Node]]


class Blocks:
    """The blocks that the next line of a host function stands in."""

    def __init__(self, host: HostFunction) -> None:
        self.host = host
        self.path: Path = ()
        self._marks: list[Mark] = []
        self._inside: dict[Path, dict[Node, str]] = {}  # names known under conditions, if not here

    def go_to(self, path: Path) -> None:
        """Write the lines that lead to the block of steps under some conditions."""
        same = 0
        while same < min(len(path), len(self.path)) and path[same] == self.path[same]:
            same += 1
        while len(self.path) > same:
            self._inside[self.path] = self.leave()
            self.path = self.path[:-1]
        for condition, holds in path[same:]:
            text = self.host.scalar(condition)
            self.host.body.line(f"if {text}:" if holds else f"if not {text}:")
            self.enter()
            self.path = (*self.path, (condition, holds))
            for node, name in self._inside.get(self.path, {}).items():
                self.host.names.set(node, name)

    def enter_loop(self) -> tuple[Path, dict[Path, dict[Node, str]]]:
        """Begin the block of a loop; return what `leave_loop` needs."""
        around = self.path, self._inside
        self.path, self._inside = (), dict(self._inside)
        self.enter()
        return around

    def leave_loop(self, around: tuple[Path, dict[Path, dict[Node, str]]]) -> None:
        """End the block of a loop."""
        self.leave()
        self.path, self._inside = around

    def enter(self) -> None:
        """Begin a block: what is named in it is not known after it."""
        self.host.body.indent()
        known = [set(memory) for memory in self.host.remembered]
        self._marks.append(Mark(self.host.names.mark(), known))

    def leave(self) -> dict[Node, str]:
        """End a block; return the names that are known in it alone."""
        self.host.body.indent(-1)
        self.host.body.drop_empty_block()
        mark, host = self._marks.pop(), self.host
        dropped = host.names.forget(mark.names, _Kept(host))
        for memory, known in zip(host.remembered, mark.known, strict=True):
            for node in [n for n in memory if n not in known and n.op is not CONST]:
                del memory[node]
        return dropped


class _Kept:
    """What stays known after the block in which it was named: all that steps have made.

    Except for scalars that can be computed anywhere. They may have been named by a check that runs
    under another condition than their step.
    """

    def __init__(self, host: HostFunction) -> None:
        self.host = host

    def __contains__(self, node: object) -> bool:
        if not isinstance(node, Node) or node not in self.host.program.stored:
            return False
        if not is_on_host(node, self.host.program):
            return True
        return self.host.is_made(node) and not _is_anywhere(node)


def _is_anywhere(node: Node) -> bool:
    """Tell whether a scalar is computed from sizes and scalar arguments alone."""
    order = toposort([node], {n for n in toposort([node]) if n.op is DIM})
    return all(
        n.op in (CONST, DIM) or ((n.op is INPUT or n.op.kind is Kind.ELEMENTWISE) and is_scalar(n))
        for n in order
    )


def choose(host: HostFunction, step: Choose) -> None:
    """Write the lines that take the value of one of two branches."""
    node = step.node
    condition, *values = node.inputs
    on_host = is_on_host(node, host.program)
    name = host.names.give(node, "v") if on_host else host.stored(node)
    pending = [
        (value, holds)
        for value, holds in zip(values, (True, False), strict=True)
        if host.program.aliases.get(value) is not node
    ]
    for value, holds in pending:
        host.blocks.go_to((*step.path, (condition, holds)))
        if on_host:
            host.body.line(f"{name} = {host.scalar(value)}", [node])
        else:
            host.backend.assign(host, value, node, None)
    host.blocks.go_to(step.path)


def is_on_host(node: Node, program: Program) -> bool:
    """Tell whether a scalar is a variable of the host function, not an array of its own."""
    return is_scalar(node) and node not in program.buffers


def loop(host: HostFunction, step: Loop, place: int) -> None:
    """Write a ``for`` around the steps of a loop."""
    host.heading(step, place, f"scan: {len(step.steps)} steps in each step")
    count = host.dim(step.count)
    for _, leaf in step.rows:
        host.stored(leaf)
    for cell in step.cells:
        _begin(host, cell)
    made = _count_made(host, step, count)
    for node in step.reads:
        if node.op is not CONST and not is_tuple(node) and node.op.kind is not Kind.REGION:
            host.backend.prepare(host, node)
    for inner in every_step(step.steps):
        if isinstance(inner, Launch):
            count_of = host.program.sizes.find(product(inner.group.space))
            if not host.program.is_late(count_of):
                host.dim(count_of)
    counter = host.names.fresh("step")
    steps = f"range({count})"
    if step.node.attrs["backwards"]:
        steps = f"range({count} - 1, -1, -1)"
    host.body.line(f"for {counter} in {steps}:", [step.node])
    around = host.blocks.enter_loop()
    host.names.set(step.counter, counter)
    host.whole[step.counter] = counter
    host.run(step.steps)
    _end_of_step(host, step, counter, made)
    cells = {cell.leaf: host.names[cell.leaf] for cell in step.cells}
    cells.update({leaf: host.names[leaf] for _, leaf in step.rows})
    host.blocks.leave_loop(around)
    for result, leaf in step.outputs:
        host.names.set(result, cells[leaf])


def _begin(host: HostFunction, cell: Cell) -> None:
    """Write the lines that give a carry its first value."""
    if is_on_host(cell.leaf, host.program):
        initial = host.scalar(cell.initial)
        name = host.names.give(cell.leaf, "carry")
        host.body.line(f"{name} = {initial}", [cell.initial])
        return
    host.stored(cell.leaf)
    if cell.spare is not None:
        host.stored(cell.spare)
    host.backend.assign(host, cell.initial, cell.leaf, "0" if cell.traced else None)


def _count_made(host: HostFunction, step: Loop, count: str) -> str | None:
    """Write the line that says how many steps are made, unless one stops the loop."""
    if step.made is None:
        return None
    name = host.names.set(step.made, host.names.fresh("steps"))
    host.whole[step.made] = name
    host.body.line(f"{name} = {count}", [step.made])
    return name


def _end_of_step(host: HostFunction, step: Loop, counter: str, made: str | None) -> None:
    """Write the lines that store rows, pass carries on, and stop."""
    program = host.program
    for value, leaf in step.rows:
        _store_row(host, value, leaf, counter)
    for cell in step.cells:
        if cell.traced:
            _store_row(host, cell.following, cell.leaf, f"{counter} + 1")
    stop = None if step.stop is None else host.scalar(step.stop)
    changes = [
        (host.names[cell.leaf], host.scalar(cell.following))
        for cell in step.cells
        if not cell.traced and is_on_host(cell.leaf, program)
    ]
    changes += _array_changes(host, step)
    changes = [(old, new) for old, new in changes if old != new]
    if changes:
        left, right = zip(*changes, strict=True)
        host.body.line(f"{', '.join(left)} = {', '.join(right)}", [step.node])
    if stop is not None:
        host.body.line(f"if {stop}:", [step.node])
        host.body.indent()
        if made is not None:
            host.body.line(f"{made} = {counter} + 1")
        host.body.line("break")
        host.body.indent(-1)


def _store_row(host: HostFunction, value: Node, leaf: Node, row: str) -> None:
    buffer = host.program.buffers.get(value)
    if buffer is None or buffer.role is not Role.ROW or buffer.rows is not leaf:
        host.backend.assign(host, value, leaf, row)


def _array_changes(host: HostFunction, step: Loop) -> list[tuple[str, str]]:
    """Return which arrays the carries are in the next step: present and spare ones change places.

    A carry that becomes another carry takes over its array; others are made in their spare one.
    """
    buffers = host.program.buffers
    cells = [cell for cell in step.cells if cell.spare is not None]
    taken: dict[Node, Cell] = {}  # whose array goes to which cell
    leaves = {cell.leaf for cell in cells}
    made: list[Cell] = []
    for cell in cells:
        if cell.following in leaves and cell.following not in taken:
            taken[cell.following] = cell
            continue
        made.append(cell)
        assert cell.spare is not None
        if buffers.get(cell.following) is not buffers[cell.spare]:
            host.backend.assign(host, cell.following, cell.spare, None)
    changes = [(host.names[cell.leaf], host.names[leaf]) for leaf, cell in taken.items()]
    for cell in made:
        assert cell.spare is not None
        changes.append((host.names[cell.leaf], host.names[cell.spare]))
        free = cell.leaf
        while free in taken:
            free = taken[free].leaf
        changes.append((host.names[cell.spare], host.names[free]))
    return changes
