"""Random loops with branches, inner loops and stops: compiled, they compute what they say.

The formulas mean nothing. What they share, and what only a branch needs, is where plans go wrong.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.control.structure import flatten
from graphc.ir.node import Node
from harness import evaluate

xs, w = T.dmatrices("xs", "w")
c, s0, n = T.dvector("c"), T.dscalar("s0"), T.lscalar("n")
Pool = dict[str, list[Node]]


def values() -> dict[Node, Any]:
    rng = np.random.default_rng(0)
    return {
        xs: rng.normal(size=(5, 3)),
        w: rng.normal(size=(3, 3)) / 2,
        c: rng.normal(size=3),
        s0: np.array(0.4),
        n: np.array(3),
    }


def function_of(r: random.Random, x: Node) -> Node:
    """Return a function of a vector or a number."""
    return r.choice(
        [
            lambda: T.tanh(x),
            lambda: x * 0.5,
            lambda: -x,
            lambda: T.nnet.sigmoid(x),
            lambda: x**2 * 0.1,
            lambda: T.exp(-(x**2)),
            lambda: x[::-1] if x.ndim else x + 0.1,
            lambda: T.maximum(x, 0.1),
            lambda: x - x.mean() if x.ndim else x,
        ]
    )()


def number(r: random.Random, pool: Pool, depth: int) -> Node:
    """Return a random number."""
    if not depth:
        return r.choice(pool["numbers"])

    def less() -> Node:
        return number(r, pool, depth - 1)

    def below() -> Node:
        return vector(r, pool, depth - 1)

    return r.choice(
        [
            lambda: below().sum() * 0.3,
            lambda: T.dot(below(), below()) * 0.2,
            lambda: below()[r.randrange(3)],
            lambda: less() + less(),
            lambda: graphc.ifelse(less() > 0.1, less(), less() * 2),
            lambda: function_of(r, less()),
        ]
    )()


def vector(r: random.Random, pool: Pool, depth: int) -> Node:
    """Return a random vector."""
    if not depth:
        return r.choice(pool["vectors"])

    def less() -> Node:
        return vector(r, pool, depth - 1)

    return r.choice(
        [
            lambda: less() + less(),
            lambda: less() * less(),
            lambda: T.dot(less(), w) * 0.3,
            lambda: less() * number(r, pool, depth - 1),
            lambda: T.switch(less() > 0, less(), c),
            lambda: function_of(r, less()),
        ]
    )()


MAKERS = {"vectors": vector, "numbers": number}


def stepping(r: random.Random) -> Any:
    """Return a random step of a loop."""
    nested = r.random() < 0.3

    def step(states: dict[str, Node], element: tuple[Node, Node]) -> Any:
        x, t = element
        pool: Pool = {"vectors": [x, c], "numbers": [s0, t * 0.1]}
        for name, state in states.items():
            pool[name.rstrip("01")].append(state)
        new = {}
        for name, state in states.items():
            kind = name.rstrip("01")
            value = MAKERS[kind](r, pool, r.randrange(1, 4))
            new[name] = state + value * 0.2 if r.random() < 0.3 else value
            if r.random() < 0.3:
                pool[kind].append(new[name])
        kept = [MAKERS[r.choice([*MAKERS])](r, pool, r.randrange(1, 3)) for _ in range(2)]
        kept += [state for state in new.values() if r.random() < 0.3]
        if nested:
            kept += inner(r, pool, x)
        return new, kept

    return step


def inner(r: random.Random, pool: Pool, x: Node) -> list[Node]:
    """Return the results of a loop over the elements of a vector."""

    def step(state: Node, element: Node) -> Any:
        own = {"vectors": pool["vectors"], "numbers": [state, element]}
        return state * 0.5 + number(r, own, 2) * 0.3, state * element

    last, rows = graphc.loop(step, s0, x)
    return [last, rows]


def program(seed: int) -> list[Node]:
    """Return results of a random loop, and their gradients."""
    r = random.Random(seed)
    states = {f"vectors{i}": c * 0.5 if i else T.zeros_like(c) for i in range(r.randrange(3))}
    states |= {f"numbers{i}": s0 * (i + 1) for i in range(r.randrange(3))}
    states = states or {"vectors0": c * 0.3}
    options: dict[str, Any] = {"reverse": r.random() < 0.3}
    if r.random() < 0.2:
        options["until"] = lambda states: next(iter(states.values())).sum() > 3
    elif r.random() < 0.25:
        options["checkpoint_every"] = r.choice([1, 2, 3])
    if r.random() < 0.3:
        options["n_steps"] = r.choice([0, 1, 2, 3, n])
    found = graphc.loop(stepping(r), states, (xs, T.arange(xs.shape[0]) * 1.0), **options)
    leaves, _ = flatten(found)
    results = [leaf for leaf in leaves if r.random() < 0.8] or leaves[:1]
    cost = sum(((leaf**2).sum() * (i + 1) for i, leaf in enumerate(results)), T.constant(0.0))
    return [*results, *graphc.grad(cost, [xs, w, c, s0], disconnected_inputs="ignore")]


# On OpenCL each program is new kernels, whose compilation takes seconds.
CASES = [*(("numpy", seed) for seed in range(60)), *(("opencl", seed) for seed in range(3))]


@pytest.mark.parametrize(("where", "seed"), CASES)
def test_compiled_loops_compute_what_they_say(where: str, seed: int) -> None:
    wanted, given = program(seed), values()
    expected = evaluate(wanted, given)
    f = graphc.function(list(given), wanted, backend=where, on_unused_input="ignore")
    for found, right in zip(f(*given.values()), expected, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-6, atol=1e-8)
