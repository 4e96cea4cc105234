"""Loops and branches in compiled functions, on every backend."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.errors import GraphcValueError, GraphcWarning, ShapeError
from graphc.random import RandomStreams

x, xs, m = T.dscalar("x"), T.dvector("xs"), T.dmatrix("m")


# -- loops ----------------------------------------------------------------------------------------


def test_a_hundred_thousand_steps(backend: str) -> None:
    final, _ = graphc.loop(lambda s: (s * 0.5 + 1, None), x, n_steps=100_000)
    f = graphc.function([x], final, backend=backend)
    np.testing.assert_allclose(f(5.0), 2.0)


def test_a_gradient_of_ten_thousand_steps(backend: str) -> None:
    out, _ = graphc.scan(lambda one, h: T.tanh(h * 0.9 + one), xs, 0.0)
    f = graphc.function([xs], T.grad(out[-1], xs), backend=backend)
    given = np.full(10_000, 0.1)
    h, slopes = 0.0, []
    for one in given:
        h = np.tanh(h * 0.9 + one)
        slopes.append(1 - h**2)
    expected = slopes[-1] * np.cumprod([1.0, *[0.9 * s for s in slopes[-2:-6:-1]]])
    np.testing.assert_allclose(f(given)[::-1][:5], expected, rtol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_number_of_steps_is_an_input(backend: str, count: int) -> None:
    n = T.lscalar("n")
    powers, _ = graphc.scan(lambda p: p * x, None, 1.0, n_steps=n)
    f = graphc.function([x, n], powers, backend=backend)
    np.testing.assert_allclose(f(2.0, count), 2.0 ** np.arange(1, count + 1))


def test_until_gives_as_many_rows_as_there_were_steps(backend: str) -> None:
    powers, _ = graphc.scan(
        lambda p: (p * 2, graphc.until(p * 2 > x)), outputs_info=1.0, n_steps=1000
    )
    f = graphc.function([x], [powers, powers.sum(), powers[-1]], backend=backend)
    for bound in (100.0, 1.0, 3e9):
        rows, total, last = f(bound)
        expected = 2.0 ** np.arange(1, len(rows) + 1)
        np.testing.assert_allclose(rows, expected)
        assert rows[-1] > bound and (len(rows) == 1 or rows[-2] <= bound)
        assert total == expected.sum() and last == rows[-1]


def test_shared_variables_change_by_updates(backend: str) -> None:
    s = graphc.shared(1.0, "s")
    out, updates = graphc.scan(lambda one: (one * s, {s: s * 2}), xs)
    f = graphc.function([xs], out, updates=updates, backend=backend)
    np.testing.assert_allclose(f([1.0, 1.0, 1.0]), [1, 2, 4])
    assert s.get_value() == 8
    np.testing.assert_allclose(f([1.0]), [8])
    assert s.get_value() == 16


def test_draws_differ_from_step_to_step_and_call_to_call(backend: str) -> None:
    stream = RandomStreams(3)
    out, _ = graphc.scan(lambda one: stream.uniform((4,)) + 0 * one, xs)
    f = graphc.function([xs], out, backend=backend)
    found = np.concatenate([f(np.zeros(10)), f(np.zeros(10))])
    assert len(np.unique(found)) == 80


def test_draws_are_the_same_on_every_backend() -> None:
    def numbers(backend: str) -> np.ndarray:
        stream = RandomStreams(3)
        out, _ = graphc.scan(lambda one: stream.uniform((4,)) + 0 * one, xs)
        return graphc.function([xs], out, backend=backend)(np.zeros(5))

    np.testing.assert_array_equal(numbers("numpy"), numbers("opencl"))


def test_a_sequence_that_is_too_short(backend: str) -> None:
    out, _ = graphc.scan(lambda one: one + 1, xs, n_steps=4)
    f = graphc.function([xs], out, backend=backend)
    assert f(np.zeros(6)).shape == (4,)
    with pytest.raises(ShapeError, match="a sequence of 3 elements for 4 steps"):
        f(np.zeros(3))


def test_a_number_of_steps_below_zero(backend: str) -> None:
    n = T.lscalar("n")
    out, _ = graphc.scan(lambda h: h * x, outputs_info=1.0, n_steps=n)
    f = graphc.function([x, n], [out, T.grad(out.sum(), x)], backend=backend)
    assert f(2.0, 0)[0].shape == (0,)
    with pytest.raises(GraphcValueError, match="a loop cannot make -2 steps"):
        f(2.0, -2)


def test_a_state_that_does_not_keep_its_size(backend: str) -> None:
    first = T.tensor("float64", (3,), "first")
    out, _ = graphc.scan(lambda last: last[:1] + xs, outputs_info=first, n_steps=2)
    f = graphc.function([first, xs], out, backend=backend)
    assert f(np.zeros(3), np.ones(3)).shape == (2, 3)
    with pytest.raises(ShapeError):
        f(np.zeros(3), np.ones(2))


def test_the_plain_form_with_a_structure(backend: str) -> None:
    final, ys = graphc.loop(
        lambda s, row: ({"n": s["n"] + 1, "sum": s["sum"] + row}, row.sum()),
        {"n": 0, "sum": T.zeros(3)},
        m,
    )
    f = graphc.function([m], {**final, "ys": ys}, backend=backend)
    rows = np.arange(12.0).reshape(4, 3)
    found = f(rows)
    assert found["n"] == 4
    np.testing.assert_allclose(found["sum"], rows.sum(0))
    np.testing.assert_allclose(found["ys"], rows.sum(1))


def test_checkpoints_keep_fewer_states(backend: str) -> None:
    h0, w = T.tensor("float64", (50,), "h0"), T.tensor("float64", (50, 50), "w")
    rng = np.random.default_rng(0)
    given = rng.normal(size=50), rng.normal(size=(50, 50)) / 5
    found, kept = [], []
    for every in (None, 30):
        final, _ = graphc.loop(
            lambda h: (T.tanh(T.dot(w, h)), None), h0, n_steps=900, checkpoint_every=every
        )
        f = graphc.function([h0, w], T.grad(final.sum(), [h0, w]), backend=backend)
        found.append(f(*given))
        kept.append(sum(int(np.prod(buffer.shape)) for buffer in f.program.temporaries))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    assert kept[0] > 900 * 50 and kept[1] < kept[0] / 10


# -- branches -------------------------------------------------------------------------------------


def wrong_inside(v: Any) -> Any:
    """Return something that cannot be computed for fewer than three elements."""
    return v[2] * 2


def test_what_is_not_chosen_is_not_computed(backend: str) -> None:
    v = T.dvector("v")
    out = graphc.ifelse(v.shape[0] > 2, wrong_inside(v), v.sum())
    f = graphc.function([v], out, backend=backend)
    assert f([1.0, 2.0]) == 3.0 and f([1.0, 2.0, 5.0]) == 10.0
    g = graphc.function([v], T.grad(out, v), backend=backend)
    np.testing.assert_allclose(g([1.0, 2.0]), [1, 1])
    np.testing.assert_allclose(g([1.0, 2.0, 5.0]), [0, 0, 2])


def test_nor_in_a_loop(backend: str) -> None:
    v = T.dvector("v")
    out, _ = graphc.scan(lambda one, s: graphc.ifelse(one > 0, s + v[2], s + one), xs, 0.0)
    f = graphc.function([xs, v], [out, *T.grad(out[-1], [xs, v])], backend=backend)
    rows, by_xs, by_v = f([-1.0, -2.0], [1.0])
    np.testing.assert_allclose(rows, [-1, -3])
    np.testing.assert_allclose(by_xs, [1, 1])
    np.testing.assert_allclose(by_v, [0])
    rows, by_xs, by_v = f([-1.0, 1.0], [1.0, 2.0, 3.0])
    np.testing.assert_allclose(rows, [-1, 2])
    np.testing.assert_allclose(by_xs, [1, 0])
    np.testing.assert_allclose(by_v, [0, 0, 1])


def test_a_slow_branch_is_not_waited_for(backend: str) -> None:
    slow, _ = graphc.loop(lambda s: (T.sin(s), None), x, n_steps=10**12)
    f = graphc.function([x], graphc.ifelse(x > 0, slow, x), backend=backend)
    start = time.perf_counter()
    assert f(-1.0) == -1.0
    assert time.perf_counter() - start < 5


def test_a_branch_with_a_loop_and_a_loop_with_a_branch(backend: str) -> None:
    total, _ = graphc.reduce(lambda one, s: s + one, xs, 0.0)
    f = graphc.function([x, xs], graphc.ifelse(x > 0, total, -total), backend=backend)
    assert f(1.0, [1.0, 2.0]) == 3.0 and f(-1.0, [1.0, 2.0]) == -3.0


def test_several_values_of_one_condition(backend: str) -> None:
    a, b = graphc.ifelse(x > 0, [xs, x], [xs * 2, x - 1])
    f = graphc.function([x, xs], [a, b], backend=backend)
    for value, expected in ((1.0, ([1, 2], 1)), (-1.0, ([2, 4], -2))):
        for one, other in zip(f(value, [1.0, 2.0]), expected, strict=True):
            np.testing.assert_allclose(one, other)


def test_sizes_may_differ_between_branches(backend: str) -> None:
    out = graphc.ifelse(x > 0, xs, xs[:1])
    f = graphc.function([x, xs], [out, out.sum()], backend=backend)
    for value, expected in ((1.0, [1.0, 2.0]), (-1.0, [1.0])):
        rows, total = f(value, [1.0, 2.0])
        np.testing.assert_allclose(rows, expected)
        assert total == sum(expected)


# -- updates that a function does not get ---------------------------------------------------------


def counted() -> Any:
    s = graphc.shared(0.0, "s")
    out, updates = graphc.scan(lambda one: (one * s, {s: s + one}), xs)
    return s, out, updates


def test_a_function_without_the_updates_of_its_loop() -> None:
    _, out, _ = counted()
    with pytest.warns(GraphcWarning, match="updates the function did not get") as seen:
        graphc.function([xs], out.sum())
    text = str(seen[0].message)
    assert "s : float64" in text and "graphc.scan(lambda one: (one * s" in text
    assert seen[0].filename == __file__


def test_a_function_with_them_or_one_that_does_not_want_them() -> None:
    s, out, updates = counted()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graphc.function([xs], out, updates=updates)
        graphc.function([xs], out, updates={s: s + 1})
        graphc.function([xs], out, no_default_updates=True)
        graphc.function([xs], out, no_default_updates=[s])


def test_a_size_that_both_branches_use_in_different_ways(backend: str) -> None:
    out = graphc.ifelse(x > 0, m.mean(), m.max())  # a divisor, and a size to check
    f = graphc.function([x, m], out, backend=backend)
    assert f(1.0, [[1.0, 2.0], [3.0, 6.0]]) == 3.0 and f(-1.0, [[1.0, 2.0]]) == 2.0
    assert np.isnan(f(1.0, np.zeros((0, 2))))
    with pytest.raises(GraphcValueError, match="max over no elements"):
        f(-1.0, np.zeros((0, 2)))


def test_an_element_that_is_not_there_is_not_read(backend: str) -> None:
    v = T.dvector("v")
    for out in (graphc.ifelse(v.shape[0] > 0, v[0], x), graphc.ifelse(x > 0, v[0], v[0] + v[1])):
        f = graphc.function([x, v], out, backend=backend)
        assert f(4.0, [7.0]) == 7.0
    assert graphc.function([x, v], graphc.ifelse(x > 0, v[0], x), backend=backend)(-4.0, []) == -4.0


# -- rules on loops, where they must not fire ------------------------------------------------------


def test_a_sum_that_another_state_reads_stays_in_the_loop(backend: str) -> None:
    def fall(now: Any, dt: Any) -> Any:
        speed = now["speed"] - 9.81 * dt
        return {"height": now["height"] + speed * dt, "speed": speed}, None

    end, _ = graphc.loop(fall, {"height": 100.0, "speed": 0.0}, xs)
    steps = np.linspace(0.01, 0.03, 50)
    height, speed = 100.0, 0.0
    for dt in steps:
        speed -= 9.81 * dt
        height += speed * dt
    found = graphc.function([xs], end, backend=backend)(steps)
    np.testing.assert_allclose(found["height"], height)
    np.testing.assert_allclose(found["speed"], speed)


def test_a_state_that_only_other_results_of_the_loop_read(backend: str) -> None:
    start, weights = T.dvector("start"), np.array([0.5, -1.0])
    (_, s), _ = graphc.scan(
        lambda row, h: [T.tanh(row + h), T.exp(h * weights)], m, outputs_info=[start, None]
    )
    f = graphc.function([m, start], [s, T.grad(s.sum(), start)], backend=backend)
    given = np.random.default_rng(0).normal(size=(5, 2))
    h, expected = np.zeros(2), []
    for row in given:
        expected.append(np.exp(h * weights))
        h = np.tanh(row + h)
    np.testing.assert_allclose(f(given, np.zeros(2))[0], expected)


def test_a_part_of_a_sum_that_is_kept_stays_in_the_loop(backend: str) -> None:
    final, ys = graphc.loop(lambda s, one: (s + one + one**2, s + one), 0.0, xs)
    steps = np.linspace(0.1, 0.5, 5)
    s, kept = 0.0, []
    for one in steps:
        kept.append(s + one)
        s = s + one + one**2
    found = graphc.function([xs], [final, ys], backend=backend)(steps)
    np.testing.assert_allclose(found[0], s)
    np.testing.assert_allclose(found[1], kept)


def test_conditions_that_are_computed_and_sizes_that_hang_on_them(backend: str) -> None:
    p, q = T.dvectors("p", "q")
    first, second = m.sum() > 0, T.exp(m).sum() > 9
    results = [graphc.ifelse(first, p * 2, q), graphc.ifelse(second, T.exp(p) + 1, q)]
    f = graphc.function([m, p, q], [*results, results[0].sum()], backend=backend)
    for value in (-1.0, 1.0, 3.0):
        given = np.full((1, 2), value)
        found = f(given, [1.0, 2.0, 3.0], [5.0])
        np.testing.assert_allclose(found[0], [2, 4, 6] if value > 0 else [5])
        late = 2 * np.exp(value) > 9
        np.testing.assert_allclose(found[1], np.exp([1.0, 2.0, 3.0]) + 1 if late else [5])
        assert found[2] == found[0].sum()


def test_gradients_of_a_branch_that_broadcasts(backend: str) -> None:
    """Sizes are chosen by the same condition then, and are needed under it."""
    row = T.row("row")
    chosen = graphc.ifelse(x > 0, row, m)
    f = graphc.function([x, row, m], T.grad(chosen.sum(), [row, m]), backend=backend)
    given = np.ones((1, 3)), np.ones((4, 2))
    for sign, expected in ((1.0, (1, 0)), (-1.0, (0, 1))):
        for one, like, value in zip(f(sign, *given), given, expected, strict=True):
            np.testing.assert_array_equal(one, np.full(like.shape, value))


@pytest.mark.parametrize("order", [1, 2])
def test_gradients_of_loops_whose_number_of_steps_changes(backend: str, order: int) -> None:
    """Rows of the inner loops cannot be stacked: they are computed again."""
    counts = T.lvector("counts")

    def powers(k: Any) -> Any:
        return graphc.scan(lambda p: p * x, None, T.ones_like(x), n_steps=k)[0].sum()

    total = graphc.map(powers, counts)[0].sum()
    for _ in range(order):
        total = T.grad(total, x)
    f = graphc.function([counts, x], total, backend=backend)
    expected = (1 + 4 + 1 + 4 + 12) if order == 1 else 2 + 2 + 12
    np.testing.assert_allclose(f([0, 2, 3], 2.0), expected)


def test_gradients_of_slices_that_grow(backend: str) -> None:
    ends = T.lvector("ends")

    def step(k: Any, total: Any) -> Any:
        h, _ = graphc.reduce(lambda row, h: T.tanh(row + h), m[:k], T.zeros_like(m[0]))
        return total + h.sum() * T.exp(m[:k]).sum()

    total, _ = graphc.reduce(step, ends, 0.0)
    f = graphc.function([ends, m], [total, T.grad(total, m)], backend=backend)
    given, lengths = np.random.default_rng(2).normal(size=(4, 2)), [2, 1, 3]
    value, gradient = f(lengths, given)
    bumped = given.copy()
    bumped[1, 0] += 1e-6
    np.testing.assert_allclose((f(lengths, bumped)[0] - value) / 1e-6, gradient[1, 0], rtol=1e-4)
    expected = 0.0
    for k in lengths:
        h = np.zeros(2)
        for row in given[:k]:
            h = np.tanh(row + h)
        expected += h.sum() * np.exp(given[:k]).sum()
    np.testing.assert_allclose(value, expected)
    assert not gradient[3].any()


def test_a_place_in_what_stops_is_checked_by_the_loop_itself(backend: str) -> None:
    """The check reads how many steps were made; the body is rewritten and expanded once."""
    out, _ = graphc.scan(
        lambda h: (T.log(1 + T.exp(h)) + T.nnet.sigmoid(h), graphc.until(h.sum() > 5)),
        outputs_info=xs,
        n_steps=100,
    )
    f = graphc.function([xs], [out[-1], T.grad(out[-1].sum(), xs)], backend=backend)
    assert f.source.count("for step") == 2

    def plain(h: Any) -> Any:
        while True:
            last, h = h, np.log1p(np.exp(h)) + 1 / (1 + np.exp(-h))
            if last.sum() > 5:
                return h

    given = np.array([0.3, 0.8])
    value, gradient = f(given)
    np.testing.assert_allclose(value, plain(given))
    steps = [(plain(given + e).sum() - plain(given - e).sum()) / 2e-6 for e in 1e-6 * np.eye(2)]
    np.testing.assert_allclose(gradient, steps, rtol=1e-6)


def test_places_and_sizes_that_composites_compute(backend: str) -> None:
    weights = T.nnet.softmax(xs.dimshuffle("x", 0))[0]
    large, small = (weights > 0.1).nonzero(), (T.nnet.sigmoid(xs) > 0.5).nonzero()
    results = [T.exp(xs)[T.argmax(weights * xs)], xs[large] + T.exp(xs)[small]]
    f = graphc.function([xs], results, backend=backend)
    given = np.array([1.0, 2.0, -3.0, 1.5])
    found = f(given)
    np.testing.assert_allclose(found[0], np.exp(2.0))
    kept = given[given > 0]
    np.testing.assert_allclose(found[1], kept + np.exp(kept))


def test_of_what_stops_only_the_last_value_is_kept_where_no_other_is_asked_for() -> None:
    out, _ = graphc.scan(
        lambda h: (T.cos(h), graphc.until(abs(h - T.cos(h)).max() < 1e-9)),
        outputs_info=xs,
        n_steps=10**12,
    )
    f = graphc.function([xs], out[-1])
    np.testing.assert_allclose(f([0.1, 0.3]), 0.7390851332, rtol=1e-8)
    with pytest.raises(IndexError):
        n = T.lscalar("n")
        out, _ = graphc.scan(lambda h: (h * 2, graphc.until(h > 3)), outputs_info=x, n_steps=n)
        graphc.function([x, n], out[-1])(1.0, 0)
