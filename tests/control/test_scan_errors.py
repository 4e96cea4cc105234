"""What `scan`, `loop` and `ifelse` say about mistakes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.errors import (
    DTypeError,
    GraphcTypeError,
    GraphcValueError,
    GraphcWarning,
    MissingInputError,
    NotSupportedError,
    ShapeError,
)

x, xs, m = T.dscalar("x"), T.dvector("xs"), T.dmatrix("m")
fs, h = T.fvector("fs"), T.fscalar("h")


def raised(kind: type[Exception], call: Any) -> str:
    with pytest.raises(kind) as failure:
        call()
    return str(failure.value)


def step(one: Any, last: Any) -> Any:
    return one + last


# -- states that change ---------------------------------------------------------------------------


def two_states(one: Any, a: Any, b: Any) -> Any:
    return [a * 2, b + one]


def test_a_state_of_another_dtype_shows_a_table_of_all_states() -> None:
    a = T.dmatrix("a")
    text = raised(DTypeError, lambda: graphc.scan(two_states, xs, [a, h]))
    assert "h: the function of the loop must give a state as it got it" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["state", "dtype", "shape", "in", "dtype", "shape", "out"] in lines
    assert ["a", "float64", "(?,", "?)", "float64", "(?,", "?)"] in lines
    assert ["h", "float32", "()", "float64", "()", "<-", "differs"] in lines
    assert "return [a * 2, b + one]" in text and "T.cast(initial, 'float64')" in text


def test_a_state_of_another_rank() -> None:
    text = raised(GraphcTypeError, lambda: graphc.scan(step, m, T.constant(0.0)))
    assert "y0" in text and "(?,)" in text and "return one + last" in text and "T.zeros" in text


def test_a_state_of_another_size() -> None:
    first = T.tensor("float64", (3,), "first")
    text = raised(
        ShapeError,
        lambda: graphc.scan(lambda v: T.concatenate([v, v]), outputs_info=first, n_steps=2),
    )
    assert "(3,)" in text and "(6,)" in text


def test_a_size_of_one_that_would_grow() -> None:
    first = T.zeros((1, 3))
    text = raised(ShapeError, lambda: graphc.scan(lambda v: v + m, outputs_info=first, n_steps=2))
    assert "(1, 3)" in text and "(?, 3)" in text and "broadcast" in text


def test_an_update_of_another_dtype_is_in_the_table() -> None:
    s = graphc.shared(np.float32(1), "s")
    text = raised(DTypeError, lambda: graphc.scan(lambda one: {s: s + one}, xs))
    assert "s " in text and "float32" in text and "float64" in text


def test_an_update_of_a_narrower_dtype_is_widened() -> None:
    s = graphc.shared(1.0, "s")
    _, updates = graphc.scan(lambda one: {s: one}, fs)
    assert updates[s].dtype == "float64"


# -- functions that do not fit --------------------------------------------------------------------


def test_wrong_arity_shows_what_is_given_and_why() -> None:
    text = raised(GraphcTypeError, lambda: graphc.scan(step, [xs, m], h, [x, 3]))
    assert "step(one: 'Any', last: 'Any') -> 'Any', gets 5 arguments" in text
    order = ["xs[t]", "m[t]", "h[t-1]", "x ", "3 "]
    places = [text.index(f"    {name}") for name in order]
    assert places == sorted(places)
    for role in ("sequence 0", "sequence 1", "output 0, its value at the last step", "non-seq"):
        assert role in text
    assert "in the order of outputs_info" in text and "def step" in text


def test_builtins_need_no_signature() -> None:
    out, _ = graphc.scan(np.multiply, xs, non_sequences=[x])
    assert out.type.ndim == 1


@pytest.mark.parametrize(
    ("fn", "what"),
    [
        (lambda one: None, "returned None"),
        (lambda one: "text", "returned 'text'"),
        (lambda one: [one, None], "returned None among others"),
        (lambda one: [one, graphc.until(x > 0), graphc.until(x > 1)], "two conditions"),
        (lambda one: {x: x + 1}, "only shared variables have updates"),
        (lambda one: graphc.until(xs > 0), "one value, not an array"),
        (3, "the function of a loop is 3"),
    ],
)
def test_what_a_function_must_return(fn: Any, what: str) -> None:
    assert what in raised(GraphcTypeError, lambda: graphc.scan(fn, xs))


def test_a_condition_alone_is_no_loop() -> None:
    text = raised(GraphcValueError, lambda: graphc.scan(lambda a: graphc.until(a > 0), xs))
    assert "no output and no update" in text


def test_outputs_info_must_describe_every_output() -> None:
    text = raised(GraphcValueError, lambda: graphc.scan(lambda a, b: [a, b], xs, [x]))
    assert "returned 2 outputs, and outputs_info describes 1" in text and "output 0" in text
    assert "give None in outputs_info" in text
    text = raised(GraphcValueError, lambda: graphc.scan(lambda a, b: a + b, xs, [x, None]))
    assert "returned 1 output, and outputs_info describes 2" in text and "not fed back" in text


# -- arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options", "what"),
    [
        (GraphcValueError, dict(outputs_info=1.0), "nothing says how many steps"),
        (GraphcTypeError, dict(sequences=x), "sequence 0 is a scalar"),
        (GraphcTypeError, dict(sequences=xs, n_steps=2.5), "n_steps is one integer"),
        (GraphcTypeError, dict(sequences=xs, n_steps=fs), "n_steps is one integer"),
        (GraphcValueError, dict(sequences=xs, n_steps=-1), "negative"),
        (ShapeError, dict(sequences=np.ones(3), n_steps=4), "but a sequence has 3"),
        (GraphcValueError, dict(sequences=dict(inputs=xs)), "no 'inputs'"),
        (GraphcTypeError, dict(sequences=dict(input=xs, taps=[0.5])), "a tap is an integer"),
        (GraphcValueError, dict(sequences=xs, outputs_info=dict(start=x)), "no 'start'"),
        (GraphcValueError, dict(sequences=xs, outputs_info=dict(taps=[-1])), "no initial value"),
        (
            GraphcValueError,
            dict(sequences=xs, outputs_info=dict(initial=xs, taps=[-1, 0])),
            "not all below 0",
        ),
        (
            ShapeError,
            dict(sequences=xs, outputs_info=dict(initial=x, taps=[-2])),
            "need 2 initial values, and there is no axis",
        ),
        (
            ShapeError,
            dict(sequences=xs, outputs_info=dict(initial=np.ones(2), taps=[-3, -1])),
            "need 3 initial values, and there is 2 rows",
        ),
        (GraphcValueError, dict(sequences=xs, truncate_gradient=0), "must be at least 1"),
        (GraphcTypeError, dict(sequences=xs, truncate_gradient=x), "is a number of steps"),
        (GraphcValueError, dict(sequences=xs, checkpoint_every=0), "must be at least 1"),
        (
            NotSupportedError,
            dict(sequences=xs, checkpoint_every=2, truncate_gradient=2),
            "checkpoint_every beside truncate_gradient",
        ),
    ],
)
def test_wrong_arguments(kind: type[Exception], options: dict[str, Any], what: str) -> None:
    assert what in raised(kind, lambda: graphc.scan(lambda *args: args[0], **options))


def test_checkpoints_and_until_do_not_go_together() -> None:
    call = lambda: graphc.scan(  # noqa: E731
        lambda a: (a, graphc.until(a > 0)), xs, checkpoint_every=2
    )
    assert "checkpoint_every beside until" in raised(NotSupportedError, call)


def test_strict_asks_for_everything_that_is_used() -> None:
    w = graphc.shared(1.0, "w")
    text = raised(MissingInputError, lambda: graphc.scan(lambda a: a * w + x, xs, strict=True))
    assert "w " in text and "x " in text and "non_sequences" in text
    graphc.scan(lambda a, w_, x_: a * w_ + x_, xs, non_sequences=[w, x], strict=True)
    graphc.scan(lambda a, y: a * y, xs, non_sequences=[w + x], strict=True)
    graphc.scan(lambda a: {w: w + a}, xs, strict=True)


def test_sizes_that_change_from_step_to_step() -> None:
    ns = T.lvector("ns")
    text = raised(ShapeError, lambda: graphc.scan(lambda n: T.arange(n), ns))
    assert "changes from step to step" in text


# -- updates that nobody takes --------------------------------------------------------------------


def test_updates_that_an_outer_loop_does_not_pass_on() -> None:
    s = graphc.shared(0.0, "s")

    def outer(row: Any) -> Any:
        out, _ = graphc.scan(lambda one: (one * s, {s: s + one}), row)
        return out.sum()

    with pytest.warns(GraphcWarning, match="the function of the loop around it did not get"):
        graphc.scan(outer, m)


def test_updates_that_are_passed_on_give_no_warning() -> None:
    s = graphc.shared(0.0, "s")

    def outer(row: Any) -> Any:
        out, updates = graphc.scan(lambda one: (one * s, {s: s + one}), row)
        return out.sum(), updates

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, updates = graphc.scan(outer, m)
    assert list(updates) == [s]


# -- the plain form -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fn",
    [
        lambda state, one: state + one,
        lambda state, one: (state, one, one),
        lambda state, one: ((state, state), one),
        lambda state, one: [state, one],
    ],
)
def test_a_step_returns_a_state_and_what_to_keep(fn: Any) -> None:
    text = raised(GraphcTypeError, lambda: graphc.loop(fn, x, xs))
    assert "not the next state, x, and what to keep" in text and "return state, None" in text


def test_the_plain_form_says_what_it_gives() -> None:
    text = raised(GraphcTypeError, lambda: graphc.loop(lambda state: (state, None), (x, h), xs))
    assert "gets 2 arguments" in text and "step(state) for a loop without xs" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["the", "state", ":", "(x,", "x)", "of", "float64,", "float32"] in lines
    assert ["an", "element", "of", "xs", ":", "x", "of", "float64"] in lines


def test_the_plain_form_names_parts_of_the_state() -> None:
    text = raised(
        DTypeError,
        lambda: graphc.loop(
            lambda s, one: ({"a": s["a"] + one, "b": s["b"]}, None), {"a": h, "b": x}, xs
        ),
    )
    assert text.startswith("a: the function of the loop")


# -- branches -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "what"),
    [
        ((xs > 0, x, x), "the condition of ifelse is one value"),
        ((x > 0, x, xs), "0 and 1 axes"),
        ((x > 0, [x, x], [x]), "[x, x] and [x]"),
        ((x > 0, {"a": x}, {"b": x}), "hold different values"),
        ((x > 0, "text", x), "not something to compute with"),
    ],
)
def test_branches_must_fit(args: Any, what: str) -> None:
    assert what in raised(GraphcTypeError, lambda: graphc.ifelse(*args))
