"""Where values live: lifetimes, reuse, and updates written where the old value lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from graphc.ir.node import Node
from graphc.ir.op import Kind
from graphc.lower.program import (
    Buffer,
    Call,
    Group,
    Host,
    Launch,
    Program,
    Role,
    Space,
    Step,
    base,
    is_scalar,
)


def plan(program: Program) -> None:
    """Give a buffer to every array that a step stores."""
    last_use = _last_uses(program)
    shared_of = _new_values(program)
    outputs = {n for n in program.outputs if n in program.stored and n not in program.lent}
    free: dict[tuple[str, Space], list[Buffer]] = {}
    for i, step in enumerate(program.steps):
        if isinstance(step, Host):
            continue
        dying = [n for n in _arrays(step.reads, program) if last_use.get(n) == i]
        for node in step.writes:
            if is_scalar(node) and not program.limits.device_scalars:
                continue
            if node in outputs:
                _give(program, node, Role.OUTPUT)
            elif node in shared_of:
                _give_update(program, i, node, shared_of[node], last_use)
            else:
                _give_temp(program, step, node, dying, free)
        for node in (*dying, *(n for n in step.writes if n not in last_use)):
            _release(program, node, free)
    values = Counter(buffer.id for buffer in program.buffers.values())
    program.reused = frozenset(number for number, count in values.items() if count > 1)


def _give(program: Program, node: Node, role: Role, shared: Node | None = None) -> Buffer:
    buffer = Buffer(program.new_buffer_id(), node.type.dtype, program.sizes.of(node), role, shared)
    program.buffers[node] = buffer
    return buffer


def _give_temp(
    program: Program,
    step: Step,
    node: Node,
    dying: list[Node],
    free: dict[tuple[str, Space], list[Buffer]],
) -> None:
    key = (node.type.dtype, program.sizes.of(node))
    if isinstance(step, Launch):
        for old in list(dying):
            buffer = program.buffers.get(old)
            if (
                buffer is None
                or buffer.role is not Role.TEMP
                or (buffer.dtype, buffer.shape) != key
            ):
                continue
            if may_overwrite(step.group, old, node, program):
                dying.remove(old)
                program.buffers[node] = buffer
                return
    if _is_put_in_place(program, step, dying, key):
        old = step.reads[0]
        dying.remove(old)
        program.buffers[node] = program.buffers[old]
    elif free.get(key):
        program.buffers[node] = free[key].pop()
    else:
        _give(program, node, Role.TEMP)


def _is_put_in_place(program: Program, step: Step, dying: list[Node], key: object) -> bool:
    """Tell whether a part of an array may be replaced where the array lies."""
    if not isinstance(step, Call) or step.node.op.name != "put":
        return False
    whole, part = step.node.inputs[:2]
    buffer = program.buffers.get(whole)
    return (
        whole in dying
        and buffer is not None
        and buffer.role is Role.TEMP
        and (buffer.dtype, buffer.shape) == key
        and base(part, program.stored) is not whole
    )


def _release(program: Program, node: Node, free: dict[tuple[str, Space], list[Buffer]]) -> None:
    buffer = program.buffers.get(node)
    if buffer is not None and buffer.role is Role.TEMP:
        free.setdefault((buffer.dtype, buffer.shape), []).append(buffer)


def _give_update(
    program: Program, i: int, node: Node, old: Node, last_use: dict[Node, int]
) -> None:
    """Write a new value over the old one if nothing reads the old one, or can fail, after it."""
    step = program.steps[i]
    in_place = (
        isinstance(step, Launch)
        and not is_scalar(node)
        and node.type.shape == old.type.shape
        and node.type.dtype == old.type.dtype
        and last_use.get(old, -1) <= i
        and (last_use.get(old, -1) < i or may_overwrite(step.group, old, node, program))
        and all(isinstance(later, (Launch, Host)) for later in program.steps[i + 1 :])
    )
    if in_place:
        _give(program, node, Role.IN_PLACE, old)
    else:
        _give(program, node, Role.UPDATE)


def may_overwrite(group: Group, old: Node, new: Node, program: Program) -> bool:
    """Tell whether a member of a group may be stored in the memory of something it reads.

    Every read of that memory must be of the element that is written, and none may come after the
    statement that writes it (OpenCL runs a group element by element, NumPy statement by statement:
    the stricter is obeyed).
    """
    if new.op.kind is Kind.REDUCE or program.sizes.of(new) != program.sizes.of(old):
        return False
    written = group.members.index(new)
    if old not in group.inputs:
        return False
    for i, member in enumerate(group.members):
        for child in member.inputs:
            if base(child, program.stored) is not old:
                continue
            if child is not old or i > written or (i == written and member.op.name == "where"):
                return False
    return True


def _arrays(nodes: Iterable[Node], program: Program) -> list[Node]:
    """Return the stored arrays that nodes are, or are views of, each once."""
    return list(dict.fromkeys(base(node, program.stored) for node in nodes))


def _last_uses(program: Program) -> dict[Node, int]:
    """Return the last step that reads each stored array; results are read after all steps."""
    last: dict[Node, int] = {}
    for i, step in enumerate(program.steps):
        for node in _arrays(step.reads, program):
            last[node] = i
    end = len(program.steps)
    results = [*program.outputs, *(new for _, new in program.updates)]
    last.update((node, end) for node in _arrays(results, program))
    return last


def _new_values(program: Program) -> dict[Node, Node]:
    """Return for each stored new value the shared variable it is for; the first if several."""
    found: dict[Node, Node] = {}
    for old, new in program.updates:
        if new in program.stored:
            found.setdefault(new, old)
    return found
