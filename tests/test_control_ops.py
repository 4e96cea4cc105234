"""The op scan by itself: what a loop of a body means, and how it is taken apart."""

from __future__ import annotations

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.errors import ShapeError
from graphc.ir.node import Node
from graphc.ir.shapes import as_size_node
from graphc.ir.verify import verify
from graphc.ops.control import Carry, Loop, carry_of, ifelse, out_of, steps_of
from harness import evaluate

xs, x = T.dmatrix("xs"), T.dvector("x")
h, h0, w = T.dvector("h"), T.dvector("h0"), T.dmatrix("w")


def recurrence(traced: bool = False, stop: Node | None = None) -> Node:
    following = T.tanh(x + T.dot(h, w))
    carry = Carry(h, h0, following, traced)
    return Loop(xs.shape[0], [(x, xs)], [carry], outs=[following * 2], stop=stop).close()


def values() -> dict[Node, np.ndarray]:
    rng = np.random.default_rng(1)
    return {xs: rng.normal(size=(4, 3)), h0: rng.normal(size=3), w: rng.normal(size=(3, 3))}


def steps(given: dict[Node, np.ndarray]) -> list[np.ndarray]:
    found = [given[h0]]
    for row in given[xs]:
        found.append(np.tanh(row + found[-1] @ given[w]))
    return found


def test_a_loop_computes_what_python_does() -> None:
    given = values()
    node = recurrence()
    last, outs, count = evaluate([carry_of(node, 0), out_of(node, 0), steps_of(node)], given)
    expected = steps(given)
    np.testing.assert_allclose(last, expected[-1])
    np.testing.assert_allclose(outs, 2 * np.array(expected[1:]))
    assert count == 4


def test_a_traced_carry_keeps_all_values_the_first_included() -> None:
    given = values()
    (trace,) = evaluate([carry_of(recurrence(True), 0)], given)
    np.testing.assert_allclose(trace, np.array(steps(given)))


def test_what_stops_a_loop_is_its_last_step() -> None:
    given = values()
    node = recurrence(stop=x[0] > np.sort(given[xs][:, 0])[-2])
    place = int(np.argmax(given[xs][:, 0])) + 1
    last, count = evaluate([carry_of(node, 0), steps_of(node)], given)
    assert count == place
    np.testing.assert_allclose(last, steps(given)[place])


def test_opened_and_closed_it_is_the_same_node() -> None:
    node = recurrence(True, stop=h.sum() > 5)
    verify([node])
    assert Loop.open(node).close() is node


def test_what_does_not_change_is_a_constant_of_the_loop() -> None:
    carry = Carry(h, h0, h + x * (w * 2).sum())
    node = Loop(xs.shape[0], [(x, xs)], [carry]).close()
    assert node.inputs[-1] is (w * 2).sum()


def test_equal_bodies_are_one_node_whatever_their_variables() -> None:
    other, y = T.dvector("other"), T.dvector("y")
    first = Loop(xs.shape[0], [(x, xs)], [Carry(h, h0, h * x)]).close()
    second = Loop(xs.shape[0], [(y, xs)], [Carry(other, h0, other * y)]).close()
    assert first is second


def test_a_size_that_changes_is_refused() -> None:
    n = T.lscalar("n")
    counts = T.lvector("counts")
    with pytest.raises(ShapeError, match="changes from step to step"):
        Loop(counts.shape[0], [(n, counts)], outs=[T.arange(n)]).close()


def test_branches_of_one_size_are_stacked_and_others_refused() -> None:
    node = Loop(xs.shape[0], [(x, xs)], [], outs=[ifelse(x.sum() > 0, x, T.dot(x, w))]).close()
    given = values()
    (rows,) = evaluate(out_of(node, 0), given)
    expected = [row if row.sum() > 0 else row @ given[w] for row in given[xs]]
    np.testing.assert_allclose(rows, np.array(expected))
    pairs = [(left, right) for left, relation, right, _ in node.op.checks(node) if relation == "=="]
    assert (xs.shape[1], w.shape[1]) in [tuple(map(as_size_node, pair)) for pair in pairs]


def test_a_loop_may_count_down() -> None:
    given = values()
    carry = Carry(h, h0, T.tanh(x + T.dot(h, w)))
    outs = [carry.following * 2]
    node = Loop(xs.shape[0], [(x, xs)], [carry], outs=outs, backwards=True).close()
    verify([node])
    assert Loop.open(node).close() is node
    expected = steps({**given, xs: given[xs][::-1]})
    found = evaluate([carry_of(node, 0), out_of(node, 0)], given)
    np.testing.assert_allclose(found[0], expected[-1])
    np.testing.assert_allclose(found[1], 2 * np.array(expected[1:])[::-1])


def test_a_loop_that_counts_down_runs_on_both_backends(backend: str) -> None:
    given = values()
    carry = Carry(h, h0, T.tanh(x + T.dot(h, w)))
    node = Loop(
        xs.shape[0], [(x, xs)], [carry], outs=[carry.following * 2, x * h], backwards=True
    ).close()
    results = [carry_of(node, 0), out_of(node, 0), out_of(node, 1), steps_of(node)]
    for mode in (None, "FAST_COMPILE"):
        f = graphc.function([xs, h0, w], results, backend=backend, mode=mode)
        for one, other in zip(f(*given.values()), evaluate(results, given), strict=True):
            np.testing.assert_allclose(one, other)
