"""Indices of every kind against NumPy: read, written and added to, and the gradients of these."""

from __future__ import annotations

import zlib
from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings

import graphc
import graphc.tensor as T
from graphc.ir.node import Node, const
from graphc.ir.shapes import Sizes, sizes
from graphc.ir.verify import verify
from harness import evaluate, evaluate_sizes
from index_samples import Example, examples


def weights(shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(repr(shape).encode()))
    return rng.uniform(0.5, 1.5, shape)


def check_guards(node: Node, values: dict[Node, Any]) -> None:
    for guard in Sizes([node], lambda size: size).guards:
        left, right = evaluate_sizes([guard.left, guard.right], values)
        legal = {"==": left == right, "in": 0 <= left < right, ">": left > right}
        assert legal[guard.relation], f"the guard {guard} refuses a legal index"


@settings(max_examples=1200)
@given(examples())
def test_reading(one: Example) -> None:
    part = one.x[one.expression]
    verify([part])
    expected = one.value[one.index]
    np.testing.assert_array_equal(evaluate(part, one.values)[0], expected)
    assert evaluate_sizes(sizes(part), one.values) == expected.shape
    check_guards(part, one.values)


def selects(one: Example) -> bool:
    """Tell whether an index is more than new axes, so that it is of a part."""
    return any(part is not None and part is not ... for part in one.index)


def new_value(one: Example, kind: int) -> tuple[Node, np.ndarray]:
    """Return what is put into the part: all of it, what broadcasts to it, or a number."""
    shape = one.value[one.index].shape
    shape = (shape, shape[1:], ())[kind]
    value = -1.0 - np.arange(float(np.prod(shape))).reshape(shape)
    return T.TensorType("float64", [1 if n == 1 else None for n in shape])("y"), value


@settings(max_examples=800)
@given(examples(), st.integers(0, 2), st.booleans())
def test_writing(one: Example, kind: int, adds: bool) -> None:
    if not selects(one):
        return
    y, new = new_value(one, kind)
    found = (T.inc_subtensor if adds else T.set_subtensor)(one.x[one.expression], y)
    expected = one.value.copy()
    if adds:
        np.add.at(expected, one.index, new)
    else:
        expected[one.index] = new
    given_values = {**one.values, y: new}
    verify([found])
    np.testing.assert_array_equal(evaluate(found, given_values)[0], expected)
    check_guards(found, given_values)


def scattered(one: Example, values: np.ndarray) -> np.ndarray:
    """Return what arrives at each element of x."""
    found = np.zeros(one.value.shape)
    np.add.at(found, one.index, values)
    return found


def last_writes(one: Example) -> np.ndarray:
    """Return for each element of the part whether what is written there stays."""
    board = np.full(one.value.shape, -1)
    turns = np.arange(one.value[one.index].size).reshape(one.value[one.index].shape)
    board[one.index] = turns
    return board[one.index] == turns


@settings(max_examples=300)
@given(examples())
def test_gradients_of_reading(one: Example) -> None:
    part, expected = one.x[one.expression], one.value[one.index]
    w = weights(expected.shape)
    v = weights((2, *one.value.shape))[0]
    cost = T.sum(const(w) * part**3)
    first = graphc.grad(cost, one.x, disconnected_inputs="ignore")
    again = graphc.grad(T.sum(first * const(v)), one.x, disconnected_inputs="ignore")
    found = evaluate([first, again], one.values)
    np.testing.assert_allclose(found[0], scattered(one, 3 * w * expected**2))
    np.testing.assert_allclose(found[1], scattered(one, 6 * w * expected * v[one.index]))


@settings(max_examples=300)
@given(examples(), st.booleans())
def test_gradients_of_writing(one: Example, adds: bool) -> None:
    if not selects(one):
        return
    y, new = new_value(one, 0)
    found = (T.inc_subtensor if adds else T.set_subtensor)(one.x[one.expression], y)
    w = weights(one.value.shape)
    cost = T.sum(const(w) * found**2)
    by_x, by_y = graphc.grad(cost, [one.x, y], disconnected_inputs="ignore")
    given_values = {**one.values, y: new}
    slope, found_x, found_y = evaluate([found, by_x, by_y], given_values)
    slope = 2 * w * slope
    expected = slope if adds else np.where(scattered(one, np.ones(new.shape)) > 0, 0.0, slope)
    np.testing.assert_allclose(found_x, expected)
    stays = True if adds else last_writes(one)
    np.testing.assert_allclose(found_y, np.where(stays, slope[one.index], 0.0))


# -- compiled -------------------------------------------------------------------------------------

TOGETHER = 8  # examples in one function


def outputs(one: Example) -> tuple[list[Node], list[np.ndarray]]:
    """Return what is read, two gradients and two writes; and what NumPy computes for them."""
    part, value = one.x[one.expression], one.value[one.index]
    w, v = weights(value.shape), weights((2, *one.value.shape))[1]
    cost = T.sum(const(w) * part**2)
    nodes = [part, graphc.grad(cost, one.x, disconnected_inputs="ignore")]
    expected = [value, scattered(one, 2 * w * value)]
    if not selects(one):
        return nodes, expected
    nodes += [T.set_subtensor(part, const(w)), T.inc_subtensor(part, const(w))]
    written, added = one.value.copy(), one.value.copy()
    written[one.index] = w
    np.add.at(added, one.index, w)
    by_x = graphc.grad(T.sum(const(v) * T.inc_subtensor(one.x[one.expression], part * 2)), one.x)
    return [*nodes, by_x], [*expected, written, added, v + scattered(one, 2 * v[one.index])]


def compare(some: list[Example], backend: str) -> None:
    given_values: dict[Node, Any] = {}
    nodes, expected = [], []
    for one in some:
        own, values = outputs(one)
        nodes += own
        expected += values
        given_values.update(one.values)
    f = graphc.function(list(given_values), nodes, backend=backend, on_unused_input="ignore")
    for node, found, value in zip(nodes, f(*given_values.values()), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-14, err_msg=repr(node))


def test_compiled(backend: str) -> None:
    @settings(max_examples=35 if backend == "numpy" else 10)  # kernels take long to build
    @given(st.lists(examples(), min_size=TOGETHER, max_size=TOGETHER))
    def run(some: list[Example]) -> None:
        compare(some, backend)

    run()
