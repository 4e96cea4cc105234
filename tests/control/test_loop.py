"""`loop`: graphc's own plain form, with nested structures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.ir.verify import verify
from graphc.ir.walk import toposort
from harness import evaluate

x, xs, m = T.dscalar("x"), T.dvector("xs"), T.dmatrix("m")
VALUES = np.array([0.5, -1.0, 2.0, 0.25, 1.5])


def values(results: Any, given: dict[Any, Any]) -> list[np.ndarray]:
    results = results if isinstance(results, list) else [results]
    verify(results)
    return evaluate(results, {n: np.asarray(v, n.type.dtype) for n, v in given.items()})


def scans(results: Any) -> list[Any]:
    results = results if isinstance(results, list) else [results]
    return [node for node in toposort(results) if node.op.name == "scan"]


class Pair(NamedTuple):
    first: Any
    second: Any


@dataclass
class Point:
    x: Any
    y: Any


def test_final_state_and_rows() -> None:
    final, ys = graphc.loop(lambda total, one: (total + one, total * one), 1.0, xs)
    found = values([final, ys], {xs: VALUES})
    before = 1 + np.concatenate([[0], np.cumsum(VALUES)])
    np.testing.assert_allclose(found[0], before[-1])
    np.testing.assert_allclose(found[1], before[:-1] * VALUES)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_without_sequences(count: int) -> None:
    n = T.lscalar("n")
    final, ys = graphc.loop(lambda s: (s * 2, None), x, n_steps=n)
    assert ys is None
    assert values(final, {x: 3.0, n: count})[0] == 3.0 * 2**count


def test_a_loop_of_no_steps_gives_the_first_state() -> None:
    final, ys = graphc.loop(lambda s, one: (s + one, s), x, xs)
    found = values([final, ys], {x: 3.0, xs: []})
    assert found[0] == 3 and found[1].shape == (0,)


@pytest.mark.parametrize("make", [lambda a, b: (a, b), lambda a, b: [a, b], Pair, Point])
def test_states_and_elements_of_any_structure(make: Any) -> None:
    def step(state: Any, element: Any) -> Any:
        a, b = parts(state)
        c, d = parts(element)
        return make(a + c, b * d), {"sum": a + b, "both": (c, None)}

    def parts(pair: Any) -> list[Any]:
        return [pair.x, pair.y] if isinstance(pair, Point) else list(pair)

    final, ys = graphc.loop(step, make(0.0, 1.0), make(xs, m[:, 0]))
    assert type(final) is type(make(0, 0)) and set(ys) == {"sum", "both"}
    assert ys["both"][1] is None
    rows = np.arange(10.0).reshape(5, 2) / 7
    found = values([*parts(final), ys["sum"], ys["both"][0]], {xs: VALUES, m: rows})
    a, b, sums = 0.0, 1.0, []
    for c, d in zip(VALUES, rows[:, 0], strict=True):
        sums.append(a + b)
        a, b = a + c, b * d
    np.testing.assert_allclose(found[0], a)
    np.testing.assert_allclose(found[1], b)
    np.testing.assert_allclose(found[2], sums)
    np.testing.assert_allclose(found[3], VALUES)


def test_states_in_dicts() -> None:
    final, _ = graphc.loop(
        lambda s, one: ({"n": s["n"] + 1, "sum": s["sum"] + one}, None), {"n": 0, "sum": 0.0}, xs
    )
    found = values([final["n"], final["sum"]], {xs: VALUES})
    assert found[0] == 5 and found[0].dtype == np.int64
    np.testing.assert_allclose(found[1], VALUES.sum())


def test_a_state_that_is_kept_is_stored_once() -> None:
    final, ys = graphc.loop(lambda s, one: (s + one, (s + one, 2 * s, s + one)), 0.0, xs)
    (node,) = scans([final, *ys])
    assert node.attrs["traced"] == (True,) and len(node.type.items) == 3
    assert ys[0] is ys[2]
    found = values([final, *ys], {xs: VALUES})
    np.testing.assert_allclose(found[1], np.cumsum(VALUES))
    np.testing.assert_allclose(found[0], VALUES.sum())


def test_a_state_that_is_not_kept_has_no_history() -> None:
    final, _ = graphc.loop(lambda s, one: (s + one, None), 0.0, xs)
    (node,) = scans(final)
    assert node.attrs["traced"] == (False,)


def test_until() -> None:
    final, ys = graphc.loop(
        lambda s: ((s + 2 / s) / 2, s), 1.0, n_steps=50, until=lambda s: abs(s * s - 2) < 1e-12
    )
    found = values([final, ys], {})
    np.testing.assert_allclose(found[0], np.sqrt(2))
    assert found[1].shape == (5,)


def test_in_reverse() -> None:
    final, ys = graphc.loop(lambda s, one: (2 * s + one, one), 0.0, xs, reverse=True)
    found = values([final, ys], {xs: VALUES})
    np.testing.assert_allclose(found[0], VALUES @ 2.0 ** np.arange(5))
    np.testing.assert_allclose(found[1], VALUES[::-1])


def test_loops_in_loops() -> None:
    def row_sum(total: Any, row: Any) -> Any:
        inner, _ = graphc.loop(lambda s, one: (s + one * total, None), 0.0, row)
        return total + inner, inner

    final, ys = graphc.loop(row_sum, 1.0, m)
    rows = np.arange(6.0).reshape(3, 2)
    total, expected = 1.0, []
    for row in rows:
        expected.append((row * total).sum())
        total += expected[-1]
    found = values([final, ys], {m: rows})
    np.testing.assert_allclose(found[0], total)
    np.testing.assert_allclose(found[1], expected)


@pytest.mark.parametrize("every", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("known", [False, True])
def test_checkpoints_change_nothing(every: int, count: int, known: bool) -> None:
    given = T.constant(VALUES[:count]) if known else xs
    results = [
        graphc.loop(
            lambda s, one: ((s[1] + one, s[0] * one), (s[1] + one, s[0])),
            (x, 2.0),
            given,
            checkpoint_every=k,
        )
        for k in (None, every)
    ]
    found = [values([*final, *ys], {x: 0.5, xs: VALUES[:count]}) for final, ys in results]
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other)


def test_checkpoints_are_loops_in_a_loop() -> None:
    final, _ = graphc.loop(lambda s, one: (s * one, None), 1.0, xs, checkpoint_every=10)
    inner = [n for s in scans(final) for n in toposort(s.attrs["body"].results)]
    assert any(node.op.name == "scan" for node in inner)
    known = T.constant(np.ones(20))
    final, _ = graphc.loop(lambda s, one: (s * one, None), 1.0, known, checkpoint_every=10)
    assert len(scans(final)) == 1  # nothing is left over
