"""Lowering: a simplified graph becomes a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from graphc.errors import InternalError
from graphc.ir.node import SHARED, Node
from graphc.ir.shapes import Sizes
from graphc.ir.walk import toposort
from graphc.lower.expand import expand_composites
from graphc.lower.halves import widen_halves
from graphc.lower.memory import plan
from graphc.lower.program import Check, Host, Limits, Program, every_step
from graphc.lower.schedule import schedule
from graphc.lower.steps import Lowering
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
    asked = sizes.computed()
    results = [*outputs, *(new for _, new in updates), *asked]
    results = expand_composites(results, limits.backend, limits.whole)
    if optimize:
        results = simplify(results, phases=("canonical", "specialise"), log=log)
        results = expand_composites(results, limits.backend, limits.whole)
    if not limits.halves:
        results = widen_halves(results)
    n = len(results) - len(asked)
    sizes.replace(asked, results[n:])
    results = results[:n]
    outputs, new = results[: len(outputs)], results[len(outputs) :]
    updates = tuple((old, value) for (old, _), value in zip(updates, new, strict=True))
    lowering = Lowering(sizes, limits, optimize)
    steps = lowering.function(results)
    stored = [step for step in every_step(steps) if not isinstance(step, Host)]
    written = Counter(node for step in stored for node in step.writes)
    if written and max(written.values()) > 1:
        raise InternalError(f"{written.most_common(1)[0][0]!r} is computed in two places")
    early = [guard for guard in sizes.guards if not lowering.waits_for_steps(guard)]
    checks = [step.guard for step in every_step(steps) if isinstance(step, Check)]
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
        stored=frozenset(node for step in every_step(steps) for node in step.writes),
        lent=lent_everywhere(outputs, lent),
        guards=[*early, *checks],
        early=len(early),
        late=lowering.late,
        aliases=lowering.aliases,
    )
    plan(program)
    return program


def lent_everywhere(outputs: Sequence[Node], flags: Sequence[bool]) -> frozenset[Node]:
    """Return the outputs that are lent wherever they are given."""
    pairs = list(zip(outputs, flags, strict=False))
    return frozenset(node for node, flag in pairs if flag) - {n for n, flag in pairs if not flag}
