"""What a loop does in each step, and ways to run it: as it is, or in chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from graphc.control.arguments import cut, row
from graphc.control.updates import promise
from graphc.ir.node import Node, input_node
from graphc.ir.shapes import Dim, as_size_node, floor_div, mul, sizes, sub
from graphc.ops.control import Carry, Loop, carry_of, out_of, steps_of
from graphc.ops.movement import reshape
from graphc.ops.parts import join


@dataclass
class Step:
    """A step: expressions over fresh leaves for what changes.

    Attributes
    ----------
    elements, carried : list of Node
        Leaves: elements of sequences, and values from the last step.
    following : list of Node
        For each of ``carried``, what it is in the next step.
    recorded : list of bool
        For each of ``carried``, whether all its values are wanted, or only the last one.
    outs : list of Node
        Results that are not carried.
    stop : Node or None
        Whether this step is the last one.
    constants : list of (Node, Node)
        Leaves for what is the same in every step, and what it is.
    variables : list of Node
        Shared variables that the loop changes.
    truncate : int or None
        How many steps gradients go back.
    """

    elements: list[Node]
    carried: list[Node]
    following: list[Node]
    recorded: list[bool]
    outs: list[Node] = field(default_factory=list)
    stop: Node | None = None
    constants: list[tuple[Node, Node]] = field(default_factory=list)
    variables: list[Node] = field(default_factory=list)
    name: str | None = None
    truncate: int | None = None


@dataclass
class Ran:
    """What came of a loop.

    Attributes
    ----------
    last : list of Node
        The last value of each carry; the first one if no step was made.
    history : list of (Node or None)
        Of each recorded carry, a row for each step.
    outs : list of Node
        Of each out, a row for each step.
    """

    last: list[Node]
    history: list[Node | None]
    outs: list[Node]


def run(step: Step, count: Dim, sequences: Sequence[Node], initial: Sequence[Node]) -> Ran:
    """Make a loop of a step."""
    carries = [
        Carry(*parts)
        for parts in zip(step.carried, initial, step.following, step.recorded, strict=True)
    ]
    loop = Loop(
        as_size_node(count),
        list(zip(step.elements, sequences, strict=True)),
        carries,
        list(step.constants),
        list(step.outs),
        step.stop,
        step.truncate,
    )
    node = loop.close()
    node.name = node.name or step.name
    promise(node, step.variables)
    return _results(node, step, count)


def _results(node: Node, step: Step, count: Dim) -> Ran:
    steps = count if step.stop is None else steps_of(node)
    last: list[Node] = []
    history: list[Node | None] = []
    for place, recorded in enumerate(step.recorded):
        value = carry_of(node, place)
        last.append(row(value, steps) if recorded else value)
        history.append(cut(value, 1, steps) if recorded else None)
    outs = [out_of(node, place) for place in range(len(step.outs))]
    if step.stop is not None:
        outs = [cut(out, 0, steps) for out in outs]
    return Ran(last, history, outs)


def run_in_chunks(
    step: Step, count: Dim, sequences: Sequence[Node], initial: Sequence[Node], length: int
) -> Ran:
    """Make a loop over chunks of ``length`` steps, and one over the steps that are left.

    The gradient keeps the states between chunks, and computes those inside again.
    """
    chunks = floor_div(count, length)
    whole = mul(chunks, length)
    chunk = _chunk(step, sequences, length)
    folded = [_folded(cut(one, 0, whole), chunks, length) for one in sequences]
    main = run(chunk, chunks, folded, initial)
    split = _unfolded(main, step, whole)
    left = sub(count, whole)
    if isinstance(left, int) and left == 0:
        return split
    rest = run(step, left, [cut(one, whole, left) for one in sequences], main.last)
    return joined(split, rest)


def _chunk(step: Step, sequences: Sequence[Node], length: int) -> Step:
    """Return the step of the loop over chunks: a loop itself."""
    elements = [
        input_node(one.type.with_shape((length, *one.type.shape[1:])), leaf.name)
        for one, leaf in zip(sequences, step.elements, strict=True)
    ]
    carried = [input_node(leaf.type, leaf.name) for leaf in step.carried]
    inner = run(replace(step, variables=[]), length, elements, carried)
    recorded = [rows for rows in inner.history if rows is not None]
    return Step(
        elements,
        carried,
        inner.last,
        [False] * len(carried),
        [*recorded, *inner.outs],
        variables=step.variables,
        name=step.name,
    )


def _folded(rows: Node, chunks: Dim, length: int) -> Node:
    return reshape(rows, (chunks, length, *sizes(rows)[1:]))  # type: ignore[no-any-return]


def _unfolded(main: Ran, step: Step, whole: Dim) -> Ran:
    """Return rows for steps in place of rows for chunks of steps."""
    flat = iter([reshape(rows, (whole, *sizes(rows)[2:])) for rows in main.outs])
    history = [next(flat) if recorded else None for recorded in step.recorded]
    return Ran(main.last, history, list(flat))


def joined(first: Ran, second: Ran) -> Ran:
    """Return what came of two loops, the second of which went on where the first one ended."""
    pairs = zip(first.history, second.history, strict=True)
    history = [None if a is None or b is None else join(0, [a, b]) for a, b in pairs]
    outs = [join(0, [a, b]) for a, b in zip(first.outs, second.outs, strict=True)]
    return Ran(second.last, history, outs)
