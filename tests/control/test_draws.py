"""Random draws in loops: other numbers in each step, and the same ones in a repeated call."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc
import graphc.tensor as T
from graphc.ir.node import SHARED
from graphc.ir.walk import toposort
from graphc.random import RandomStreams
from harness import evaluate

xs, m = T.dvector("xs"), T.dmatrix("m")


def values(results: list[Any], given: dict[Any, Any]) -> list[np.ndarray]:
    """Return the values of results, with the states of draws as they are at first."""
    given = {node: np.asarray(value, node.type.dtype) for node, value in given.items()}
    states = [node for node in toposort(results) if node.op is SHARED]
    return evaluate(results, {**given, **{s: s.get_value() for s in states if s not in given}})


def test_each_step_has_other_numbers() -> None:
    stream = RandomStreams(1)
    out, updates = graphc.scan(lambda one: stream.uniform((3,)) + 0 * one, xs)
    assert not updates
    (found,) = values([out], {xs: np.zeros(40)})
    assert len(np.unique(found)) == 120 and 0.4 < found.mean() < 0.6
    (again,) = values([out], {xs: np.zeros(40)})
    np.testing.assert_array_equal(found, again)


def test_two_draws_of_a_step_differ() -> None:
    stream = RandomStreams(1)
    outs, _ = graphc.scan(lambda: [stream.normal(), stream.normal()], n_steps=20)
    found = values(outs, {})
    assert len(np.unique(np.concatenate(found))) == 40


def test_a_draw_made_before_the_loop_is_the_same_in_every_step() -> None:
    stream = RandomStreams(1)
    mask = stream.binomial((5,), p=0.5)
    out, _ = graphc.scan(lambda one: mask * one, xs)
    found, expected = values([out, mask], {xs: np.arange(1.0, 4.0)})
    np.testing.assert_array_equal(found, np.outer([1, 2, 3], expected))


def test_a_draw_made_before_stays_so_in_a_branch() -> None:
    stream = RandomStreams(1)
    u = stream.uniform()
    out, _ = graphc.scan(lambda one: graphc.ifelse(one > 0, u * one, one), xs)
    found, expected = values([out, u], {xs: np.array([1.0, -1.0, 2.0])})
    np.testing.assert_allclose(found, [expected, -1, 2 * expected])


def test_draws_of_inner_loops_differ_in_outer_steps() -> None:
    stream = RandomStreams(1)

    def outer(row: Any) -> Any:
        inner, _ = graphc.scan(lambda one: stream.uniform() + 0 * one, row)
        return inner

    out, _ = graphc.scan(outer, m)
    (found,) = values([out], {m: np.zeros((6, 7))})
    assert len(np.unique(found)) == 42


def test_a_draw_between_two_loops_is_one_for_the_inner_steps() -> None:
    stream = RandomStreams(1)

    def outer(row: Any) -> Any:
        u = stream.uniform()
        inner, _ = graphc.scan(lambda one: u + one, row)
        return inner

    out, _ = graphc.scan(outer, m)
    (found,) = values([out], {m: np.zeros((6, 7))})
    assert len(np.unique(found)) == 6 and (found == found[:, :1]).all()


def test_chunks_have_the_numbers_of_one_loop() -> None:
    rows = []
    for every in (None, 3):
        stream = RandomStreams(1)
        step = lambda s, draw=stream.uniform: (s, draw())  # noqa: E731
        rows.append(graphc.loop(step, 0.0, n_steps=7, checkpoint_every=every)[1])
    one, other = values(rows, {})
    assert len(np.unique(one)) == 7
    np.testing.assert_array_equal(one, other)


def test_the_gradient_uses_the_numbers_of_the_forward_steps() -> None:
    stream = RandomStreams(1)
    w = T.dscalar("w")

    def step(one: Any, h: Any) -> list[Any]:
        u = stream.uniform()
        return [T.tanh(h * u + w * one), u]

    (h, u), _ = graphc.scan(step, xs, [0.1, None])
    cost = h[-1]
    given = {xs: np.array([0.3, -0.2, 0.5]), w: np.array(0.7)}
    g, draws = values([graphc.grad(cost, w), u], given)

    def by_hand(weight: float) -> float:
        state = 0.1
        for one, draw in zip(given[xs], draws, strict=True):
            state = np.tanh(state * draw + weight * one)
        return float(state)

    np.testing.assert_allclose(g, (by_hand(0.7 + 1e-6) - by_hand(0.7 - 1e-6)) / 2e-6, rtol=1e-6)
