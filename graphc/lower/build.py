"""Lowering: a simplified graph becomes a program."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from graphc.errors import InternalError, NotSupportedError, message
from graphc.ir.node import CONST, DIM, INPUT, SHARED, Node, operand, rebuild
from graphc.ir.op import Kind
from graphc.ir.shapes import Sizes
from graphc.ir.walk import deepest_first, toposort, transform
from graphc.lower.fuse import Draft, Fusion
from graphc.lower.layout import needs_copy
from graphc.lower.memory import plan
from graphc.lower.program import Call, Group, Host, Launch, Limits, Program, Step, base, is_scalar
from graphc.rewrite.pipeline import simplify


def lower(
    name: str,
    inputs: Sequence[Node],
    outputs: Sequence[Node],
    updates: Sequence[tuple[Node, Node]],
    sizes: Sizes,
    limits: Limits,
    optimize: bool = True,
    log: list[Any] | None = None,
    lent: Sequence[bool] = (),
) -> Program:
    """Return the program that computes ``outputs`` and the new values of ``updates``.

    Parameters
    ----------
    outputs, updates
        Already simplified.
    sizes : Sizes
        Of the graph as the user wrote it, with its guards.
    limits : Limits
        Of the backend.
    optimize : bool
        False keeps every node a step of its own.
    log : list, optional
        Where firings of rules are recorded.
    lent : sequence of bool, optional
        For each output, whether it may lie in memory that the next call writes again.
    """
    results = expand_composites([*outputs, *(new for _, new in updates)], limits.backend)
    if optimize:
        results = simplify(results, phases=("canonical", "specialise"), log=log)
        results = expand_composites(results, limits.backend)
    outputs, new = results[: len(outputs)], results[len(outputs) :]
    updates = tuple((old, value) for (old, _), value in zip(updates, new, strict=True))
    order = [node for node in _values(results) if node.op.kind is not Kind.SOURCE]
    steps = _steps(order, results, sizes, limits, optimize)
    leaves = [node for node in toposort(results) if node.op is SHARED]
    leaves += [old for old, _ in updates if old not in leaves]
    program = Program(
        name=name,
        inputs=tuple(inputs),
        shared=tuple(leaves),
        outputs=tuple(outputs),
        updates=updates,
        steps=schedule(steps, {new for _, new in updates}),
        sizes=sizes,
        limits=limits,
        stored=frozenset(node for step in steps for node in step.writes),
        lent=_lent(outputs, lent),
    )
    plan(program)
    return program


def _lent(outputs: Sequence[Node], flags: Sequence[bool]) -> frozenset[Node]:
    """Return the outputs that are lent wherever they are given."""
    pairs = list(zip(outputs, flags, strict=False))
    return frozenset(node for node, flag in pairs if flag) - {n for n, flag in pairs if not flag}


def expand_composites(results: Iterable[Node], backend: str) -> list[Node]:
    """Return results with composites, and ops without a template here, made of other ops."""
    results = list(results)
    done: dict[Node, Node] = {}
    mirrored = _mirrored(results)

    def build(node: Node, inputs: tuple[Node, ...]) -> Node:
        node = rebuild(node, inputs)
        if not _must_expand(node, backend):
            return node
        if node not in done:
            expand = node.op.expand
            if node.inputs[0] in mirrored:
                expand = node.op.expand_mirrored or expand
            assert expand is not None
            made = expand(*node.inputs, **node.attrs)
            done[node] = expand_composites([made], backend)[0]
        return done[node]

    return transform(results, build)


def _mirrored(results: Sequence[Node]) -> set[Node]:
    """Return arguments of ops with a mirrored form whose negative is such an argument too."""
    arguments = {n.inputs[0] for n in toposort(results) if n.op.expand_mirrored is not None}
    negative = {node.inputs[0]: node for node in arguments if node.op.name == "neg"}
    both = {node for node in arguments if node in negative}
    return both | {negative[node] for node in both}


def _must_expand(node: Node, backend: str) -> bool:
    kind = node.op.kind
    if kind is Kind.COMPOSITE:
        return True
    if kind is not Kind.ELEMENTWISE or any(key.startswith(backend) for key in node.op.code):
        return False
    if node.op.expand is None:
        raise NotSupportedError(
            message(
                f"{node.op.name} is not available on the {backend} backend",
                [operand(node)],
                node.where,
            )
        )
    return True


def _values(results: Iterable[Node]) -> list[Node]:
    """Return what must be computed, in order. A size needs a shape, not the value it is of."""
    results = list(results)
    return deepest_first(results, stop={node for node in toposort(results) if node.op is DIM})


def _bounds(order: Sequence[Node]) -> set[Node]:
    """Return the scalars that say where views begin and how long they are, and what is below."""
    found = {child for node in order for child in node.inputs[_OPERANDS.get(node.op.name, 99) :]}
    below = deepest_first(found, stop={node for node in order if not is_scalar(node)})
    return {node for node in below if is_scalar(node)}


# How many of the inputs of an op are arrays; those after them are sizes and places.
_OPERANDS = {"slice": 1, "expand": 1, "reshape": 1, "put": 2, "iota": 0, "place": 1}
_OPERANDS |= dict.fromkeys(("random_bits", "random_uniform", "random_normal"), 2)
_OPERANDS |= dict.fromkeys(("conv2d_inputs", "conv2d_weights"), 2)


def _is_host(node: Node, limits: Limits, host: set[Node], bounds: set[Node]) -> bool:
    """Tell whether a scalar is computed by the host function."""
    if not is_scalar(node) or node.op.kind is not Kind.ELEMENTWISE:
        return False
    if not limits.device_scalars:
        return True
    if not any(key.startswith(("python", "numpy")) for key in node.op.code):
        return False
    leaves = (CONST, DIM, INPUT, SHARED) if node in bounds else (CONST, DIM, INPUT)
    return all(
        child in host
        or (is_scalar(child) and child.op in leaves)
        or (node in bounds and base(child, {}).op in leaves)
        for child in node.inputs
    )


def _steps(
    order: Sequence[Node], results: Sequence[Node], sizes: Sizes, limits: Limits, fuse: bool
) -> list[Step]:
    fusion = Fusion(sizes, limits, fuse)
    host: set[Node] = set()
    bounds = _bounds(order) if limits.device_scalars else set()
    for node in order:
        if _is_host(node, limits, host, bounds):
            host.add(node)
            if any(base(child, fusion.draft_of) in fusion.draft_of for child in node.inputs):
                fusion.add(node, alone=True)  # what reads it must come after what it reads
        elif node.op.kind in (Kind.ELEMENTWISE, Kind.REDUCE, Kind.CALL) or needs_copy(
            node, fusion.draft_of
        ):
            fusion.add(node)
    asked = _asked_outside(order, results, fusion)
    place = {node: i for i, node in enumerate(order)}
    return [*(Host(node) for node in order if node in host)] + [
        _step(draft, asked, place) for draft in fusion.drafts if draft.members[0] not in host
    ]


def _asked_outside(order: Sequence[Node], results: Sequence[Node], fusion: Fusion) -> set[Node]:
    """Return the nodes that are read outside their own group."""
    asked = {base(node, fusion.draft_of) for node in results}
    for user, children in ((node, node.inputs) for node in order):
        for child in children:
            below = base(child, fusion.draft_of)
            home = fusion.draft_of.get(below)
            if home is not None and fusion.draft_of.get(user) is not home:
                asked.add(below)
    return asked


def _step(draft: Draft, asked: set[Node], place: Mapping[Node, int]) -> Step:
    first = draft.members[0]
    if draft.space is None:
        return Call(first)
    members = sorted(draft.members, key=place.__getitem__)
    inside = set(members)
    inputs = dict.fromkeys(c for node in members for c in node.inputs if c not in inside)
    outputs = tuple(node for node in members if node in asked)
    return Launch(Group(draft.space, tuple(members), tuple(inputs), outputs))


def schedule(steps: Sequence[Step], new_values: Collection[Node]) -> list[Step]:
    """Return steps in the order they run.

    Each as soon as what it reads is there, in the order given; but the host's scalars first, so
    that arrays they are read from can be reused, and what writes new values of shared variables
    last, so that it may write over the old ones.
    """
    maker = {node: i for i, step in enumerate(steps) for node in step.writes}
    needs = [{maker[n] for r in step.reads if (n := base(r, maker)) in maker} for step in steps]
    users: list[list[int]] = [[] for _ in steps]
    for i, sources in enumerate(needs):
        for source in sources:
            users[source].append(i)
    waiting = [len(sources) for sources in needs]

    def rank(i: int) -> tuple[int, int]:
        if isinstance(steps[i], Host):
            return 0, i
        return (2 if any(node in new_values for node in steps[i].writes) else 1), i

    ready = [rank(i) for i, count in enumerate(waiting) if not count]
    heapq.heapify(ready)
    order: list[Step] = []
    while ready:
        _, i = heapq.heappop(ready)
        order.append(steps[i])
        for user in users[i]:
            waiting[user] -= 1
            if not waiting[user]:
                heapq.heappush(ready, rank(user))
    if len(order) != len(steps):
        raise InternalError("the steps of a program wait for each other")
    return order
