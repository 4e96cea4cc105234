"""What is seen only when all of a graph is: which results of a loop are used, and equal loops.

Rules look down from a node, never up. These passes look at all loops of a graph between two sweeps
of the rules on loops. Each change is in the log as a firing, like that of a rule.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from graphc.ir.node import Node, rebuild
from graphc.ir.op import OPS
from graphc.ir.replace import substitute
from graphc.ir.shapes import sizes
from graphc.ir.walk import toposort, transform
from graphc.ops.control import Carry, Loop, carry_of, out_of, steps_of
from graphc.ops.elementwise import cast
from graphc.ops.movement import dimshuffle, expand
from graphc.ops.parts import slice_axes
from graphc.ops.results import get
from graphc.rewrite.engine import Firing
from graphc.rewrite.lifting import Change
from graphc.rewrite.rule import Rule

_SCAN, _GET = OPS["scan"], OPS["get"]

Log = list[Firing]


def _named(function: Callable[..., Any]) -> Rule:
    """Return what stands for a pass in the log: its name and its reason."""
    doc = inspect.cleandoc(function.__doc__ or "")
    return Rule(function.__name__, doc, (_SCAN,), None, None, "", __name__)


def has_loops(results: Sequence[Node]) -> bool:
    """Tell whether a graph has a loop."""
    return any(node.op is _SCAN for node in toposort(results))


def tidy(results: Sequence[Node], phase: str, log: Log) -> list[Node]:
    """Return results with equal loops merged, and loops without what nothing uses.

    Recurses over loops in loops.
    """
    # first, lest one loop of two keep what neither of them needs
    results = drop_dead(list(results), phase, log)
    results = merge_scans(results, phase, log)
    results = drop_dead(results, phase, log)
    for node in _scans(results):
        if not has_loops(node.attrs["body"].results):
            continue
        loop = Loop.open(node)
        found = tidy(loop.results, phase, log)
        if found != loop.results:
            loop.results = found
            results = _exchanged(results, node, dict(enumerate(_results(loop.close()))))
    return results


def _scans(results: Sequence[Node]) -> list[Node]:
    """Return the loops of a graph, each after those that use it."""
    return [node for node in reversed(toposort(results)) if node.op is _SCAN]


def _results(node: Node) -> list[Node]:
    return [get(node, i) for i in range(len(node.type.items))]  # type: ignore[attr-defined]


def _exchanged(results: list[Node], node: Node, values: dict[int, Node]) -> list[Node]:
    """Return results with the results of a loop replaced."""
    return substitute(results, {get(node, i): value for i, value in values.items()})


# -- equal loops ----------------------------------------------------------------------------------


def merge_scans(results: list[Node], phase: str, log: Log) -> list[Node]:
    """Two loops that carry the same through the same steps are one loop with the results of both.

    The gradient of a loop needs more of each step than the loop itself.
    """
    different: set[tuple[Node, Node]] = set()
    while (pair := _alike(results, different)) is not None:
        node, *old = pair
        log += [Firing(phase, MERGE_SCANS, one, node) for one, _ in old]
        replaced = {get(one, k): value for one, values in old for k, value in enumerate(values)}
        results = substitute(results, replaced)
    return results


Merged = tuple[Node, tuple[Node, list[Node]], tuple[Node, list[Node]]]


def _alike(results: list[Node], different: set[tuple[Node, Node]]) -> Merged | None:
    """Return one loop for two of a graph, and the two with their results over it; None if none is.

    ``different`` are pairs that are known to be two, to which those found here are added.
    """
    groups: dict[tuple[Any, ...], list[Node]] = {}
    for node in _scans(results):
        groups.setdefault(_start(node), []).append(node)
    for nodes in groups.values():
        for pair in combinations(nodes, 2):
            if pair in different:
                continue
            made = _merged(*pair)
            if made is not None:
                return made
            different.add(pair)
    return None


def _start(node: Node) -> tuple[Any, ...]:
    """Return what loops that may be one have in common: how they begin."""
    n_seq, n_carry = node.attrs["n_seq"], node.attrs["n_carry"]
    sequences, inits = node.inputs[1 : 1 + n_seq], node.inputs[1 + n_seq : 1 + n_seq + n_carry]
    ways = (node.attrs["stops"], node.attrs["backwards"])
    return node.inputs[0], *ways, frozenset(inits or sequences), n_carry


def _merged(a: Node, b: Node) -> Merged | None:
    """Return one loop for two, and the results of each; None if they differ."""
    if a in toposort(b.inputs) or b in toposort(a.inputs):
        return None
    small, large = Loop.open(a), Loop.open(b)
    places = _matched(small, large)
    if places is None:
        return None
    pairs = list(zip(small.carries, places, strict=True))
    renamed = {own.inside: large.carries[k].inside for own, k in pairs}
    sequences = _joined(small.sequences, large.sequences, renamed)
    constants = _joined(small.constants, large.constants, renamed)
    if not (small.carries or len(sequences) < len(small.sequences) + len(large.sequences)):
        return None  # nothing in common
    found = substitute(small.results, renamed)
    if any(found[i] is not large.carries[k].following for i, k in enumerate(places)):
        return None
    if large.stop is not None and found[-1] is not large.stop:
        return None
    outs = found[len(places) : len(places) + len(small.outs)]
    carries = [replace(carry) for carry in large.carries]
    for own, k in pairs:
        carries[k].traced = carries[k].traced or own.traced
    union = list(dict.fromkeys([*large.outs, *outs]))
    loop = replace(large, sequences=sequences, carries=carries, constants=constants, outs=union)
    order = {out: i for i, out in enumerate(union)}
    node = loop.close()
    whole = list(range(len(carries)))
    return (
        node,
        (a, _of_merged(node, loop, small, places, [order[out] for out in outs])),
        (b, _of_merged(node, loop, large, whole, [order[out] for out in large.outs])),
    )


def _matched(small: Loop, large: Loop) -> list[int] | None:
    """Return for each carry of one loop one of the other that starts in the same way."""
    free = list(range(len(large.carries)))
    found: list[int] = []
    for carry in small.carries:
        alike = [k for k in free if large.carries[k].initial is carry.initial]
        if not alike:
            return None
        found.append(alike[0])
        free.remove(alike[0])
    return found


Pairs = list[tuple[Node, Node]]


def _joined(own: Pairs, other: Pairs, renamed: dict[Node, Node]) -> Pairs:
    """Return the pairs of both; a leaf for what is there twice is renamed."""
    known = {outer: leaf for leaf, outer in other}
    found = list(other)
    for leaf, outer in own:
        if outer in known:
            renamed[leaf] = known[outer]
        else:
            known[outer] = leaf
            found.append((leaf, outer))
    return found


def _of_merged(node: Node, loop: Loop, old: Loop, places: list[int], outs: list[int]) -> list[Node]:
    """Return the results of a loop out of those of a loop that has more."""
    found = [steps_of(node)]
    for carry, k in zip(old.carries, places, strict=True):
        value = carry_of(node, k)
        if loop.carries[k].traced and not carry.traced:
            steps = steps_of(node) if loop.stop is not None else cast(loop.count, "int64")
            row = slice_axes(value, [0], [steps], [1], [1])
            value = dimshuffle(row, range(1, value.type.ndim))
        found.append(value)
    return [*found, *(out_of(node, i) for i in outs)]


# -- what nothing uses ----------------------------------------------------------------------------


def drop_dead(results: list[Node], phase: str, log: Log) -> list[Node]:
    """What nothing uses of a loop is not computed, and what is there already not kept again."""
    while True:
        used: dict[Node, set[int]] = {}
        for node in toposort(results):
            if node.op is _GET and node.inputs[0].op is _SCAN:
                used.setdefault(node.inputs[0], set()).add(node.attrs["index"])
        values: dict[Node, dict[int, Node]] = {}

        def build(
            node: Node,
            inputs: tuple[Node, ...],
            used: dict[Node, set[int]] = used,
            values: dict[Node, dict[int, Node]] = values,
        ) -> Node:
            if node.op is _GET and inputs[0] in values:
                return values[inputs[0]][node.attrs["index"]]
            made = rebuild(node, inputs)
            if node in used:
                values.setdefault(made, {}).update(_needed(made, used[node]))
            return made

        found = transform(results, build)
        if found == results:
            return results
        for node, own in values.items():
            changed = [value for i, value in own.items() if get(node, i) is not value]
            log += [Firing(phase, DROP_DEAD, get(node, min(own)), value) for value in changed[:1]]
        results = found


def _needed(node: Node, used: set[int]) -> dict[int, Node]:
    """Return the used results of a loop, out of a loop with nothing else."""
    change = Change(node)
    loop = change.own.loop
    known: dict[Node, Node] = {}
    for leaf, outer in loop.sequences:
        if outer in known:
            change.replace[leaf] = known[outer]
        elif (same := _repeated(outer)) is not None:
            change.replace[leaf] = same
        known.setdefault(outer, leaf)
    for k, carry in enumerate(loop.carries):
        if carry.following is carry.inside:
            change.replace[carry.inside] = carry.initial
            continue
        twin = _twin(loop.carries, k)
        if twin is not None:
            change.replace[carry.inside] = loop.carries[twin].inside
            change.values[k] = change.trace(twin) if carry.traced else change.final(twin)
    return change.finish(used)


def _repeated(sequence: Node) -> Node | None:
    """Return the one element that all of a sequence is; None if it may have others."""
    if sequence.op.name != "expand":
        return None
    x = sequence.inputs[0]
    if x.type.ndim and x.type.shape[0] != 1:
        return None
    if sequence.type.ndim == 1:
        return dimshuffle(x, ()) if x.type.ndim else x
    row = dimshuffle(x, range(1, x.type.ndim)) if x.type.ndim else x
    return expand(row, sizes(sequence)[1:])  # type: ignore[no-any-return]


def _twin(carries: Sequence[Carry], k: int) -> int | None:
    """Return an earlier carry that always has the same value."""
    own = carries[k]
    for place, other in enumerate(carries[:k]):
        if other.initial is not own.initial or other.inside.type is not own.inside.type:
            continue
        if substitute([own.following], {own.inside: other.inside})[0] is other.following:
            return place
    return None


MERGE_SCANS, DROP_DEAD = map(_named, (merge_scans, drop_dead))
