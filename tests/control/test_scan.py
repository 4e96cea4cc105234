"""What `scan` means, feature by feature, against loops in Python."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.ir.verify import verify
from harness import evaluate

x, xs, m = T.dscalar("x"), T.dvector("xs"), T.dmatrix("m")
VALUES = np.array([0.5, -1.0, 2.0, 0.25, 1.5])


def values(results: Any, given: dict[Any, Any]) -> list[np.ndarray]:
    results = results if isinstance(results, list) else [results]
    verify(results)
    given = {node: np.asarray(value, node.type.dtype) for node, value in given.items()}
    return evaluate(results, given)


# -- outputs and states ---------------------------------------------------------------------------


def test_a_map_has_a_row_for_each_element() -> None:
    out, updates = graphc.scan(lambda one: one**2, xs)
    assert not updates
    np.testing.assert_allclose(values(out, {xs: VALUES})[0], VALUES**2)


def test_a_state_holds_what_the_last_step_gave() -> None:
    out, _ = graphc.scan(lambda one, total: one + total, xs, 10.0)
    np.testing.assert_allclose(values(out, {xs: VALUES})[0], 10 + np.cumsum(VALUES))
    np.testing.assert_allclose(values(out[-1], {xs: VALUES})[0], 10 + VALUES.sum())


def test_arguments_are_elements_then_states_then_constants() -> None:
    seen: list[Any] = []

    h, v = T.dscalar("h"), T.dmatrix("v")
    out, _ = graphc.scan(
        lambda *args: seen.extend(args) or [args[4], args[2], args[5]],
        [dict(input=xs, taps=[-1, 1]), m],
        [dict(initial=v, taps=[-3, -1]), None, h],
        [x, 2.5],
    )
    names = [getattr(one, "name", one) for one in seen]
    assert names == ["xs[t-1]", "xs[t+1]", "m[t]", "v[t-3]", "v[t-1]", "h[t-1]", "x", 2.5]
    assert [one.type.ndim for one in seen[:7]] == [0, 0, 1, 1, 1, 0, 0]
    assert [one.type.ndim for one in out] == [2, 2, 1]


def test_taps_of_states_reach_back() -> None:
    first = np.array([1.0, 2.0, 3.0])
    out, _ = graphc.scan(
        lambda old, last: last - 0.5 * old,
        outputs_info=dict(initial=first, taps=[-3, -1]),
        n_steps=6,
    )
    known = list(first)
    for _ in range(6):
        known.append(known[-1] - 0.5 * known[-3])
    np.testing.assert_allclose(values(out, {})[0], known[3:])


def test_a_single_tap_further_back_has_rows() -> None:
    out, _ = graphc.scan(
        lambda old: old + 1, outputs_info=dict(initial=np.array([0.0, 10.0]), taps=[-2]), n_steps=5
    )
    np.testing.assert_allclose(values(out, {})[0], [1, 11, 2, 12, 3])


def test_only_the_first_rows_of_an_initial_value_are_used() -> None:
    out, _ = graphc.scan(
        lambda a, b: a + b, outputs_info=dict(initial=T.arange(5.0), taps=[-2, -1]), n_steps=3
    )
    np.testing.assert_allclose(values(out, {})[0], [1, 2, 3])


@pytest.mark.parametrize(
    ("taps", "places"),
    [
        ([0], lambda t: [t]),
        ([-1, 0], lambda t: [t, t + 1]),
        ([-1], lambda t: [t]),
        ([1, 2], lambda t: [t + 1, t + 2]),
        ([2, -1], lambda t: [t + 3, t]),
        ([-2, 0, 1], lambda t: [t, t + 2, t + 3]),
    ],
)
@pytest.mark.parametrize("backwards", [False, True])
def test_taps_of_sequences(taps: list[int], places: Any, backwards: bool) -> None:
    out, _ = graphc.scan(
        lambda *parts: T.stack(parts), dict(input=xs, taps=taps), go_backwards=backwards
    )
    rows = [VALUES[places(t)] for t in range(5) if max(places(t)) < 5]
    rows = rows[: 5 - (max(0, *taps) - min(0, *taps))]
    expected = np.array(rows[::-1] if backwards else rows)
    np.testing.assert_allclose(values(out, {xs: VALUES})[0], expected)


def test_the_shortest_sequence_ends_the_loop() -> None:
    ys = T.dvector("ys")
    out, _ = graphc.scan(lambda a, b: a * b, [xs, ys])
    for count in (0, 2, 7):
        found = values(out, {xs: VALUES, ys: np.arange(count)})[0]
        np.testing.assert_allclose(found, VALUES[:count] * np.arange(count)[:5])


def test_sequences_are_arrays_lists_of_them_or_dicts() -> None:
    for given in (VALUES, [VALUES], dict(input=VALUES), (dict(input=VALUES, taps=0),)):
        out, _ = graphc.scan(lambda one: one * 2, sequences=given)
        np.testing.assert_allclose(values(out, {})[0], VALUES * 2)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_the_number_of_steps_may_be_symbolic_and_zero(count: int) -> None:
    n = T.iscalar("n")
    for steps in (n, count, np.int32(count)):
        out, _ = graphc.scan(lambda h: h * x, outputs_info=1.0, n_steps=steps)
        found = values(out, {x: 3.0, n: count})[0]
        np.testing.assert_allclose(found, 3.0 ** np.arange(1, count + 1))


def test_backwards_with_fewer_steps_takes_the_last_elements() -> None:
    out, _ = graphc.scan(lambda one: one, xs, n_steps=2, go_backwards=True)
    np.testing.assert_allclose(values(out, {xs: VALUES})[0], VALUES[:2:-1])


def test_outputs_of_several_ranks() -> None:
    outs, _ = graphc.scan(
        lambda r, total: [r.sum(), r, T.outer(r, r), total + r], m, [None, None, None, T.zeros(3)]
    )
    rows = np.arange(12.0).reshape(4, 3)
    found = values(outs, {m: rows})
    np.testing.assert_allclose(found[0], rows.sum(1))
    np.testing.assert_allclose(found[1], rows)
    np.testing.assert_allclose(found[2], rows[:, :, None] * rows[:, None])
    np.testing.assert_allclose(found[3], np.cumsum(rows, 0))


def test_a_single_output_comes_alone_unless_a_list_is_wanted() -> None:
    assert isinstance(graphc.scan(lambda one: [one], xs)[0], graphc.Variable)
    assert isinstance(graphc.scan(lambda one: one, xs, return_list=True)[0], list)
    assert len(graphc.scan(lambda one: (one, one), xs)[0]) == 2


def test_what_the_function_uses_from_outside_need_not_be_listed() -> None:
    w = graphc.shared(3.0, "w")
    out, updates = graphc.scan(lambda one: one * w + x.sum(), xs)
    assert not updates
    np.testing.assert_allclose(values(out, {xs: VALUES, x: 1.0, w: 3.0})[0], VALUES * 3 + 1)


def test_loops_in_loops() -> None:
    def outer(row: Any, total: Any) -> Any:
        inner, _ = graphc.scan(lambda one, acc: acc * total + one, row, T.zeros_like(total))
        return inner[-1]

    out, _ = graphc.scan(outer, m, 1.0)
    rows = np.arange(12.0).reshape(4, 3) / 10
    total, expected = 1.0, []
    for row in rows:
        acc = 0.0
        for one in row:
            acc = acc * total + one
        total = acc
        expected.append(total)
    np.testing.assert_allclose(values(out, {m: rows})[0], expected)


# -- numbers and constants ------------------------------------------------------------------------


def test_a_python_number_takes_the_dtype_that_the_loop_needs() -> None:
    fs = T.fvector("fs")
    out, _ = graphc.scan(lambda one, total: one + total, fs, 0)
    assert out.dtype == "float32"
    out, _ = graphc.scan(lambda total: total * 0.5, outputs_info=1, n_steps=3)
    np.testing.assert_allclose(values(out, {})[0], [0.5, 0.25, 0.125])
    out, _ = graphc.scan(lambda n: n + 1, outputs_info=0, n_steps=3)
    assert out.dtype == "int64"


def test_a_number_as_a_result_takes_the_dtype_of_the_state() -> None:
    h = T.fscalar("h")
    out, _ = graphc.scan(lambda last: 1, outputs_info=h, n_steps=2)
    assert out.dtype == "float32"
    out, _ = graphc.scan(lambda last: T.constant(2.0), outputs_info=h, n_steps=2)
    assert out.dtype == "float32"


def test_a_known_size_may_become_unknown_and_is_checked() -> None:
    h = T.tensor("float64", (3,), "h")
    out, _ = graphc.scan(lambda last: last[:1] + xs, outputs_info=h, n_steps=2)
    assert values(out, {h: np.zeros(3), xs: np.ones(3)})[0].shape == (2, 3)


# -- until ----------------------------------------------------------------------------------------


def test_until_makes_its_step_the_last_one() -> None:
    out, _ = graphc.scan(
        lambda h: (h * 2, graphc.scan_module.until(h * 2 > 100)), outputs_info=1.0, n_steps=1000
    )
    np.testing.assert_allclose(values(out, {})[0], 2.0 ** np.arange(1, 8))


def test_until_stops_outputs_and_updates_too() -> None:
    s = graphc.shared(0, "s")
    outs, updates = graphc.scan(
        lambda one: ([one, -one], {s: s + 1}, graphc.until(one > 1)), sequences=xs
    )
    found = values([*outs, updates[s]], {xs: VALUES, s: 0})
    np.testing.assert_allclose(found[0], VALUES[:3])
    np.testing.assert_allclose(found[1], -VALUES[:3])
    assert found[2] == 3


def test_a_loop_may_stop_in_its_first_step_or_never() -> None:
    n = T.lscalar("n")
    out, _ = graphc.scan(lambda one: (one, graphc.until(one > x)), xs, n_steps=n)
    for bound, count, length in ((-9.0, 5, 1), (9.0, 5, 5), (-9.0, 0, 0)):
        found = values(out, {xs: VALUES, n: count, x: bound})[0]
        np.testing.assert_allclose(found, VALUES[:length])


# -- updates --------------------------------------------------------------------------------------

FORMS = {
    "dict": lambda s, one: {s: s + one},
    "ordered": lambda s, one: OrderedDict([(s, s + one)]),
    "pairs": lambda s, one: [(s, s + one)],
    "tuple of pairs": lambda s, one: ((s, s + one),),
    "after outputs": lambda s, one: ([one], {s: s + one}),
    "after an output": lambda s, one: (one, [(s, s + one)]),
    "before outputs": lambda s, one: ({s: s + one}, [one]),
    "with outputs beside": lambda s, one: (one, {s: s + one}),
    "and a condition": lambda s, one: ([one], {s: s + one}, graphc.until(one > 99)),
}


@pytest.mark.parametrize("form", FORMS)
def test_updates_in_every_form(form: str) -> None:
    s = graphc.shared(1.0, "s")
    outs, updates = graphc.scan(lambda one: FORMS[form](s, one), xs)
    assert isinstance(updates, graphc.OrderedUpdates) and list(updates) == [s]
    assert (outs is None) == (form in ("dict", "ordered", "pairs", "tuple of pairs"))
    assert values(updates[s], {xs: VALUES, s: 1.0})[0] == 1 + VALUES.sum()


def test_a_variable_that_the_loop_changes_is_read_as_it_is_then() -> None:
    s = graphc.shared(1.0, "s")
    out, updates = graphc.scan(lambda: (s * 10, {s: s * 2}), n_steps=4)
    found = values([out, updates[s], s + 0], {s: 1.0})
    np.testing.assert_allclose(found[0], [10, 20, 40, 80])
    assert found[1] == 16 and found[2] == 1


def test_a_non_sequence_made_of_it_is_what_it_was_before() -> None:
    s = graphc.shared(1.0, "s")
    out, updates = graphc.scan(
        lambda before: (before + s * 10, {s: s * 2}), non_sequences=s * 10, n_steps=3
    )
    found = values([out, updates[s]], {s: 1.0})
    np.testing.assert_allclose(found[0], [20, 30, 50])


def test_updates_of_inner_loops_are_passed_on() -> None:
    s = graphc.shared(0.0, "s")

    def outer(row: Any) -> Any:
        _, updates = graphc.scan(lambda one: {s: s + one}, row)
        return s, updates

    out, updates = graphc.scan(outer, m)
    rows = np.arange(6.0).reshape(2, 3)
    found = values([out, updates[s]], {m: rows, s: 0.0})
    np.testing.assert_allclose(found[0], [0.0, 3.0])
    assert found[1] == 15


def test_several_variables_are_changed_at_once() -> None:
    a, b = graphc.shared(1.0, "a"), graphc.shared(2.0, "b")
    _, updates = graphc.scan(lambda: {a: b, b: a}, n_steps=3)
    assert [float(v) for v in values(list(updates.values()), {a: 1.0, b: 2.0})] == [2.0, 1.0]


def test_default_updates_happen_in_every_step() -> None:
    s, t = graphc.shared(1.0, "s"), graphc.shared(0.0, "t")
    s.default_update, t.default_update = s * 2, t + 1
    out, updates = graphc.scan(lambda one: one * s, xs)
    assert list(updates) == [s]
    found = values([out, updates[s]], {xs: VALUES, s: 1.0})
    np.testing.assert_allclose(found[0], VALUES * 2.0 ** np.arange(5))
    assert found[1] == 32
    _, updates = graphc.scan(lambda one: {s: s + t}, xs)
    found = values([updates[s], updates[t]], {xs: VALUES, s: 1.0, t: 0.0})
    assert [float(one) for one in found] == [11.0, 5.0]


def test_updates_add_up() -> None:
    a, b = graphc.shared(1.0, "a"), graphc.shared(2.0, "b")
    _, first = graphc.scan(lambda: {a: a + 1}, n_steps=3)
    first[b] = b * 2
    assert list(first + {}) == [a, b] and list({b: first[b]} + first) == [b, a]
    with pytest.raises(graphc.errors.GraphcValueError, match="two updates"):
        first.update({a: a + 5})


# -- folds ----------------------------------------------------------------------------------------


def test_folds() -> None:
    given = {xs: VALUES}
    np.testing.assert_allclose(values(graphc.map(lambda a: a + 1, xs)[0], given)[0], VALUES + 1)
    total, _ = graphc.reduce(lambda a, acc: acc + a, xs, 0.0)
    assert values(total, given)[0] == VALUES.sum() and values(total, {xs: []})[0] == 0
    left, _ = graphc.foldl(lambda a, acc: acc * 2 + a, xs, 0.0)
    right, _ = graphc.foldr(lambda a, acc: acc * 2 + a, xs, 0.0)
    powers = 2.0 ** np.arange(5)
    np.testing.assert_allclose(values(left, given)[0], VALUES @ powers[::-1])
    np.testing.assert_allclose(values(right, given)[0], VALUES @ powers)


def test_folds_of_several_values() -> None:
    (low, high, last), _ = graphc.reduce(
        lambda a, low, high: [T.minimum(a, low), T.maximum(a, high), a * 2],
        xs,
        [9.0, -9.0, None],
    )
    found = values([low, high, last], {xs: VALUES})
    assert [float(v) for v in found] == [-1.0, 2.0, 3.0]


def test_a_fold_with_taps() -> None:
    last, _ = graphc.reduce(
        lambda a, old, new: old + new + a, xs, dict(initial=np.ones(2), taps=[-2, -1])
    )
    known = [1.0, 1.0]
    for one in VALUES:
        known.append(known[-2] + known[-1] + one)
    np.testing.assert_allclose(values(last, {xs: VALUES})[0], known[-1])
