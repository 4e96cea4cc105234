"""Conditions shield gradients from infinities: what `where` does not choose is not felt."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc.tensor as T
from autodiff.slopes import as_written, assert_gradients, every_way
from graphc.autodiff.masks import Mask
from graphc.gradient import grad
from graphc.ir.node import Node
from graphc.ir.walk import leaves, toposort
from harness import evaluate

x, y = T.dvectors("x", "y")
s = T.dscalar("s")
m, row = T.dmatrix("m"), T.drow("row")
root = T.sqrt(x)
AT = [0.0, 1.0, 4.0]

# expression over x, and its derivative at 0, 1 and 4
SHIELDED: dict[str, tuple[Node, list[float]]] = {
    "log": (T.switch(x > 0, T.log(x), 0), [0, 1, 1 / 4]),
    "sqrt": (T.switch(x > 0, T.sqrt(x), 0), [0, 1 / 2, 1 / 4]),
    "pow": (T.switch(x > 0, x**0.5, 0), [0, 1 / 2, 1 / 4]),
    "negative pow": (T.switch(x > 0, x**-1.5, 0), [0, -1.5, -1.5 * 4**-2.5]),
    "pow of constants": (T.switch(x > 0, 2.0 ** (1 / x), 0), [0, -2 * np.log(2), None]),
    "division": (T.switch(x > 0, 1 / x, 0), [0, -1, -1 / 16]),
    "sinc": (
        T.switch(T.neq(x, 0), T.sin(x) / x, 1),
        [0, np.cos(1) - np.sin(1), np.cos(4) / 4 - np.sin(4) / 16],
    ),
    "a value besides": (T.switch(x > 0, T.log(x), -9.5), [0, 1, 1 / 4]),
    "the other branch": (T.switch(x <= 0, 0, T.log(x)), [0, 1, 1 / 4]),
    "not": (T.switch(~(x <= 0), T.log(x), 0), [0, 1, 1 / 4]),
    "not the other": (T.switch(~(x > 0), 0, T.log(x)), [0, 1, 1 / 4]),
    "both branches": (T.switch(x > 0, T.log(x), x * 7), [7, 1, 1 / 4]),
    "both infinite": (T.switch(x > 0, T.log(x), 1 / (x - 1)), [-1, 1, 1 / 4]),
    "double where": (T.switch(x > 0, T.log(T.switch(x > 0, x, 1)), 0), [0, 1, 1 / 4]),
    "inner where": (T.log(T.switch(x > 0, x, 1)), [0, 1, 1 / 4]),
    "nested": (
        T.switch(x > 0, T.switch(x < 4, T.log(x) * T.sqrt(4 - x), 0), 0),
        [0, np.sqrt(3), 0],
    ),
    "nested, same condition": (T.switch(x > 0, T.switch(x > 0, T.log(x), 1), 2), [0, 1, 1 / 4]),
    "both conditions at once": (T.switch((x > 0) & (x < 4), T.log(x), 0), [0, 1, 0]),
    "shielded by another": (T.switch(y > 0, T.log(x), 0), [0, 1, 1 / 4]),
    "far below": (T.switch(x > 0, T.exp(2 * T.log(T.sqrt(x))) + 1, 0), [0, 1, 1]),
    "used twice under one": (
        T.switch(x > 0, root * T.log(root), 0),
        [0, 1 / 2, (np.log(2) + 1) / 4],
    ),
    "the same condition twice": (
        T.switch(x > 0, root, 0) + T.switch(x > 0, T.log(root), 0),
        [0, 1, 1 / 4 + 1 / 8],
    ),
    "two conditions on one root": (
        T.switch(x > 0, root, 0) + T.switch(x > 1, T.log(root), 0),
        [0, 1 / 2, 1 / 4 + 1 / 8],
    ),
    "three conditions on one root": (
        T.switch(x > 0, root, 0) + T.switch(x > 1, root, 0) * T.switch(x > 2, root, 1),
        [0, 1 / 2, 1 / 4 + 1],
    ),
    "halves of a half": (
        T.switch(x > 0, T.switch(x > 1, root * 3, root * 5), 0),
        [0, 5 / 2, 3 / 4],
    ),
    "one use is open": (T.switch(x > 0, T.log(x), 0) + x * x, [0, 3, 8.25]),
    "reshaped": (T.switch(row > 0, T.log(x).reshape((1, 3)), 0), [0, 1, 1 / 4]),
    "transposed": (T.switch(row.T > 0, T.log(x).dimshuffle(0, "x"), 0), [0, 1, 1 / 4]),
    "summed": (T.switch(x > 0, T.log(x.dimshuffle(0, "x")).sum(axis=1), 0), [0, 1, 1 / 4]),
    "repeated": (T.switch(x > 0, T.log(x), T.ones((5, 1))), [0, 5, 5 / 4]),
    "cast": (T.switch(x > 0, T.cast(T.log(T.cast(x, "float32")), "float64"), 0), [0, 1, 1 / 4]),
    "clipped": (T.clip(T.switch(x > 0, T.log(x), -1), -5, 1), [0, 1, 0]),
    "maximum": (T.switch(x > 0, T.maximum(T.log(x), x - 9), 0), [0, 1, 1 / 4]),
    "entropy": (T.switch(x > 0, x * T.log(x), 0), [0, 1, np.log(4) + 1]),
}


def given(cost: Node) -> dict[Node, Any]:
    values = {x: AT, y: AT, row: [AT]}
    inside = set(leaves([cost]))
    return {node: value for node, value in values.items() if node in inside}


@pytest.mark.parametrize("name", SHIELDED)
def test_first_derivative(name: str) -> None:
    expression, expected = SHIELDED[name]
    known = np.array([slope is not None for slope in expected])
    slopes = np.array([slope or 0.0 for slope in expected])
    cost = T.sum(expression)
    for way, (found,) in every_way(cost, [x], given(cost)).items():
        np.testing.assert_allclose(found[known], slopes[known], 1e-6, 1e-12, err_msg=way)


SECOND: dict[str, tuple[Node, list[float]]] = {
    "log": (T.switch(x > 0, T.log(x), 0), [0, -1, -1 / 16]),
    "sqrt": (T.switch(x > 0, T.sqrt(x), 0), [0, -1 / 4, -1 / 32]),
    "pow": (T.switch(x > 0, x**1.5, 0), [0, 3 / 4, 3 / 8]),
    "division": (T.switch(x > 0, 1 / x, 0), [0, 2, 2 / 64]),
    "entropy": (T.switch(x > 0, x * T.log(x), 0), [0, 1, 1 / 4]),
    "nested": (T.switch(x > 0, T.switch(x < 4, T.log(x), 0), 0), [0, -1, 0]),
    "double where": (T.switch(x > 0, T.log(T.switch(x > 0, x, 1)), 0), [0, -1, -1 / 16]),
}


@pytest.mark.parametrize("name", SECOND)
def test_second_derivative(name: str) -> None:
    expression, expected = SECOND[name]
    slope = grad(T.sum(expression), x)
    assert_gradients(T.sum(slope), {x: AT}, {x: expected})


def test_second_derivative_of_a_weighted_sum() -> None:
    slope = grad(T.sum(T.switch(x > 0, T.sqrt(x), 0) * y), x)
    cost = T.sum(slope * y)
    expected = {x: [0, -1 / 4, -9 / 32], y: [0, 2 * 1 / 2, 3 * 2 / 4]}
    assert_gradients(cost, {x: AT, y: [5.0, 1.0, 3.0]}, expected)


@pytest.mark.parametrize(("at", "slope"), [(0.0, 0.0), (2.0, 10.0 / 2)])
def test_a_scalar_condition_stays_with_a_scalar(at: float, slope: float) -> None:
    shielded = T.switch(s > 0, T.log(s), 0)
    assert_gradients(T.sum(shielded * y), {s: at, y: [1, 2, 7]}, {s: slope})
    outside = T.switch(s > 0, T.log(s) * y, 0)
    assert_gradients(T.sum(outside), {s: at, y: [1, 2, 7]}, {s: slope})
    chosen = T.switch(s > 0, T.log(s), y)
    assert_gradients(T.sum(chosen), {s: at, y: [1, 2, 7]}, {s: slope * 3 / 10})


def test_a_condition_that_varies_over_what_is_summed() -> None:
    log = T.log(s)
    cost = T.sum(T.switch(y > 0, log, 0))
    assert_gradients(cost, {s: 2.0, y: [1.0, -1.0, 3.0]}, {s: 1.0, y: [0.0, 0.0, 0.0]})


def test_a_row_under_a_condition_of_its_own() -> None:
    cost = T.sum(T.switch(x > 0, T.log(x), 0) * m)
    expected = {x: [0, 5, 7 / 4], m: [[0, 0, np.log(4)], [0, 0, np.log(4)]]}
    assert_gradients(cost, {x: AT, m: [[1, 2, 3], [2, 3, 4]]}, expected)


def test_what_is_infinite_stays_infinite() -> None:
    cost = T.sum(T.switch(x >= 0, T.sqrt(x), 0))
    assert_gradients(cost, {x: AT}, {x: [np.inf, 1 / 2, 1 / 4]})


def test_a_mask_is_one_object_for_one_meaning() -> None:
    whole = Mask()
    half = whole.within(x > 0, True)
    assert half is whole.within(x > 0, True)
    assert half is whole.within(~(x > 0), False)
    assert half is half.within(x > 0, True)
    assert half.opposite() is None
    other = whole.within(x > 0, False)
    assert half.opposite() is other and other.opposite() is half
    assert whole.opposite() is None and whole.node is None
    assert half.within(y > 0, True).whole() is whole
    assert half.within(y > 0, False).node is (x > 0) & ~(y > 0)


def test_a_mask_keeps_what_is_inside() -> None:
    whole = Mask()
    assert whole.keep(y) is y
    assert whole.within(x > 0, True).keep(y) is T.switch(x > 0, y, 0)
    assert whole.within(x > 0, False).keep(y) is T.switch(x > 0, 0, y)
    both = whole.within(x > 0, True).within(y > 0, True)
    assert both.keep(y) is T.switch((x > 0) & (y > 0), y, 0)
    assert not whole.varies_over([0])
    assert both.varies_over([0])
    wide = whole.within(x.dimshuffle("x", 0) > 0, True)
    assert wide.varies_over([1]) and not wide.varies_over([0])


def test_the_gradient_is_written_as_one_choice() -> None:
    """Two halves of a space are not added, they are chosen between."""
    (g,) = as_written(T.sum(T.switch(x > 0, T.sin(x), T.cos(x))), [x])
    assert [node.op.name for node in toposort([g])].count("where") == 1


# -- what varies along an axis that a gradient is summed over -------------------------------------

SUMMED: dict[str, tuple[Node, float]] = {
    "a scalar": (T.switch(x > 0, T.log(s), 0), 1),
    "an expression of it": (T.switch(x > 0, 2 * T.log(3 * s) * x, 0), 2),
    "a product": (T.switch(x > 0, x * T.sqrt(s), 0), 0.5),
    "a division": (T.switch(x > 0, 1 / (x * s), 0), -1),
    "both branches": (T.switch(x > 0, T.log(s), T.sqrt(x)), 1),
    "two sums": (T.switch(x > 0, T.log(s), 0) + T.switch(x > 5, T.sqrt(s), 0), 1),
}


@pytest.mark.parametrize("name", SUMMED)
def test_a_shield_that_varies_along_a_summed_axis(name: str) -> None:
    expression, factor = SUMMED[name]
    cost = T.sum(expression)
    again = grad(grad(cost, s), s)
    for array, at, slope in [([-1.0, 0.0, -3.0], 0.0, 0.0), ([-1.0, 1.0, -3.0], 1.0, factor)]:
        given = {x: np.array(array), s: np.array(at)}
        for way, (found,) in every_way(cost, [s], given).items():
            np.testing.assert_allclose(found, slope, 1e-12, err_msg=f"{name}, {way}")
        assert np.isfinite(evaluate(again, given)[0]), name


def test_shields_of_rows() -> None:
    cost = T.sum(T.switch(m > 0, T.log(row) * m, 0))
    given = {m: np.array([[1.0, -1.0], [2.0, -1.0]]), row: np.array([[2.0, 0.0]])}
    for way, (found,) in every_way(cost, [row], given).items():
        np.testing.assert_allclose(found, [[1.5, 0.0]], err_msg=way)


def test_no_shield_where_no_slope_is_infinite() -> None:
    weight = T.dscalar("weight")
    found = grad(T.sum(T.switch(x > 0, x * T.exp(weight), 0)), weight)
    assert "any" not in {node.op.name for node in toposort([found])}
