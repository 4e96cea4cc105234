"""`ifelse`: what it gives, and that what is not chosen is not computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
import graphc.ifelse
import graphc.tensor as T
from graphc.ifelse import ifelse
from harness import evaluate

x, y, xs = T.dscalar("x"), T.dscalar("y"), T.dvector("xs")


def test_it_is_where_theano_has_it() -> None:
    assert ifelse is graphc.ifelse is graphc.ifelse.ifelse is graphc.control.ifelse


@pytest.mark.parametrize("chosen", [True, False])
def test_one_of_two_values(chosen: bool) -> None:
    given = {x: np.array(3.0 if chosen else -3.0)}
    for condition in (x > 0, x > 0, T.cast(x > 0, "int32"), T.maximum(x, 0)):
        (found,) = evaluate(graphc.ifelse(condition, x * 2, 7), given)
        assert found == (6.0 if chosen else 7.0)


def test_several_values_at_once() -> None:
    found = graphc.ifelse(x > 0, [x, xs], [y, xs * 2], name="both")
    assert isinstance(found, list) and [one.name for one in found] == ["both_0", "both_1"]
    assert isinstance(graphc.ifelse(x > 0, (x, y), (y, x)), tuple)
    pair = graphc.ifelse(x > 0, {"a": x, "b": (y, xs)}, {"a": y, "b": (x, xs)})
    assert set(pair) == {"a", "b"} and len(pair["b"]) == 2


def test_dtypes_are_promoted_and_sizes_unified() -> None:
    a, b = T.tensor("float32", (1, 3)), T.tensor("float64", (None, 3))
    assert graphc.ifelse(x > 0, a, b).type == T.TensorType("float64", (None, 3))
    c, d = T.tensor("float32", (2, 1)), T.tensor("float32", (4, 1))
    out = graphc.ifelse(x > 0, c, d)
    assert out.type == T.TensorType("float32", (None, 1)) and out.broadcastable == (False, True)
    assert graphc.ifelse(x > 0, x, 1).dtype == "float64"


def test_a_condition_known_before_the_call() -> None:
    for condition, expected in ((True, 1.0), (0, 2.0), (np.bool_(True), 1.0)):
        assert evaluate(graphc.ifelse(condition, T.constant(1.0), 2.0), {})[0] == expected


def test_gradients_of_both_branches() -> None:
    out = graphc.ifelse(x > 0, x * y, T.sin(y))
    g: list[Any] = graphc.grad(out, [x, y])
    for value, expected in ((2.0, (3.0, 2.0)), (-2.0, (0.0, np.cos(3.0)))):
        found = evaluate(g, {x: np.array(value), y: np.array(3.0)})
        np.testing.assert_allclose(found, expected)


def test_inside_of_a_loop() -> None:
    out, _ = graphc.scan(lambda one, s: graphc.ifelse(one > 0, s + one, s * 2), xs, 1.0)
    (found,) = evaluate(out, {xs: np.array([1.0, -1.0, 3.0, -2.0])})
    np.testing.assert_allclose(found, [2, 4, 7, 14])
