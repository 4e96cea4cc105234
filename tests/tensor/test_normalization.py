"""Batch normalization, for every form of parameters, against formulas in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from harness import evaluate

RNG = np.random.default_rng(7)
X = T.dtensor4("x")


@pytest.mark.parametrize("axes", ["per-activation", "spatial", (0, 2)], ids=str)
@pytest.mark.parametrize("full", [False, True])
def test_batch_normalization(axes: Any, full: bool, backend: str) -> None:
    over = {"per-activation": (0,), "spatial": (0, 2, 3)}.get(axes, axes)
    shape = [1 if axis in over else n for axis, n in enumerate((4, 3, 5, 2))]
    x = RNG.standard_normal((4, 3, 5, 2))
    parameters = [RNG.uniform(0.5, 1.5, shape) for _ in range(4)]
    own = [p if full else p.reshape([n for n in shape if n > 1]) for p in parameters]
    kind = T.TensorType("float64", [1 if n == 1 else None for n in own[0].shape])
    leaves = [kind(name) for name in ("gamma", "beta", "mean", "var")]
    train = T.nnet.bn.batch_normalization_train(X, *leaves[:2], axes, 1e-3, 0.25, *leaves[2:])
    test = T.nnet.bn.batch_normalization_test(X, *leaves, axes, 1e-3)
    found = graphc.function([X, *leaves], [*train, test], backend=backend)(x, *own)
    gamma, beta, mean, var = parameters
    m, v = x.mean(over, keepdims=True), x.var(over, keepdims=True)
    count = x.size / m.size
    expected = [
        (x - m) / np.sqrt(v + 1e-3) * gamma + beta,
        m,
        1 / np.sqrt(v + 1e-3),
        (0.75 * mean + 0.25 * m).reshape(own[0].shape),
        (0.75 * var + 0.25 * v * count / (count - 1)).reshape(own[0].shape),
        (x - mean) / np.sqrt(var + 1e-3) * gamma + beta,
    ]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, 1e-11, 1e-11)


def test_old_batch_normalization() -> None:
    x = RNG.standard_normal((5, 3))
    m = T.dmatrix("m")
    node = T.nnet.bn.batch_normalization(m, 2.0, 1.0, x.mean(0), x.std(0), mode="high_mem")
    expected = (x - x.mean(0)) / x.std(0) * 2 + 1
    np.testing.assert_allclose(evaluate(node, {m: x})[0], expected)
