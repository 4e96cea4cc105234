"""The product over axes: its slopes where elements are 0, no special place of a polynomial."""

from __future__ import annotations

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from harness import evaluate, numeric_gradients

ZEROS = [
    [[2.0, -3.0, 0.5], [1.5, 4.0, -1.0]],
    [[2.0, 0.0, 0.5], [1.5, 4.0, 0.0]],
    [[0.0, 0.0, 0.5], [0.0, 4.0, 0.0]],
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
    [[-0.0, 2.0, -3.0], [0.0, -0.0, 5.0]],
]


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1)])
@pytest.mark.parametrize("values", ZEROS)
def test_slopes_of_a_product_with_zeros(
    values: list[list[float]], axis: object, backend: str
) -> None:
    x = T.dmatrix("x")
    weights = T.constant(np.array([[0.7, -1.3, 0.4], [1.9, 0.6, -0.8]]))
    product = T.prod(x, axis=axis, keepdims=True)
    cost = T.sum(product * weights)
    first = T.grad(cost, x)
    second = T.grad(T.sum(first * weights), x)
    array = np.array(values)

    def at(node: object) -> object:
        return lambda arrays: float(evaluate(node, {x: arrays[0]})[0])

    by_x, by_x_twice = graphc.function([x], [first, second], backend=backend)(array)
    (expected,) = numeric_gradients(at(cost), [array], [0])
    np.testing.assert_allclose(by_x, expected, 1e-8, 1e-8)
    (expected,) = numeric_gradients(at(T.sum(first * weights)), [array], [0])
    np.testing.assert_allclose(by_x_twice, expected, 1e-7, 1e-7)
