"""A group that needs more arguments than a kernel may have becomes several.

Each part computes some of the outputs, with whatever they need; what two parts need is computed
twice. A part that writes over something another part reads runs after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc.errors import NotSupportedError, message
from graphc.ir.node import Node, operand
from graphc.lower.program import Group, Program, Role, base


def split(group: Group, program: Program, fits: Callable[[Group], bool]) -> list[Group]:
    """Return groups that together compute a group, each of which fits, in the order they run.

    Raises
    ------
    NotSupportedError
        If one output alone needs too many arguments, or parts must each run before the other.
    """
    parts = _halved(group, fits)
    return parts if len(parts) == 1 else _ordered(parts, program)


def _halved(group: Group, fits: Callable[[Group], bool]) -> list[Group]:
    if fits(group):
        return [group]
    if len(group.outputs) == 1:
        raise _too_many(group.outputs[0])
    middle = len(group.outputs) // 2
    halves = group.outputs[:middle], group.outputs[middle:]
    return [part for outputs in halves for part in _halved(_only(group, outputs), fits)]


def _only(group: Group, outputs: Sequence[Node]) -> Group:
    """Return the part of a group that some of its outputs need."""
    needed = set(outputs)
    for node in reversed(group.members):
        if node in needed:
            needed.update(node.inputs)
    members = tuple(node for node in group.members if node in needed)
    inputs = tuple(node for node in group.inputs if node in needed)
    return Group(group.space, members, inputs, tuple(outputs))


def _ordered(parts: list[Group], program: Program) -> list[Group]:
    reads = [{_memory(base(n, program.stored), program) for n in p.inputs} for p in parts]
    writes = [{_memory(node, program) for node in part.outputs} for part in parts]
    waiting = list(range(len(parts)))
    order: list[Group] = []
    while waiting:
        ready = [i for i in waiting if not any(writes[i] & reads[j] for j in waiting if j != i)]
        if not ready:
            raise _too_many(parts[waiting[0]].outputs[0])
        order.append(parts[ready[0]])
        waiting.remove(ready[0])
    return order


def _memory(node: Node, program: Program) -> object:
    """Return what stands for the memory of a stored node."""
    buffer = program.buffers.get(node)
    if buffer is None:
        return node
    return buffer.shared if buffer.role is Role.IN_PLACE else buffer.id


def _too_many(node: Node) -> NotSupportedError:
    return NotSupportedError(
        message(
            "a kernel for this would need more arguments than the device takes",
            [operand(node)],
            node.where,
            "compile this function with mode='FAST_COMPILE', or with backend='numpy'",
        )
    )
