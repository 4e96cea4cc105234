"""Losses and what else `T.nnet` has, against formulas in NumPy; activations are in the samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

import graphc
import graphc.tensor as T
from graphc.errors import GraphcTypeError

RNG = np.random.default_rng(3)
Z, Y = T.dmatrix("z"), T.lvector("y")
z, y = 3 * RNG.standard_normal((6, 4)), np.array([0, 3, 1, 1, 2, 0])
log_p = special.log_softmax(z, axis=1)


def test_losses_of_classes(backend: str) -> None:
    b = RNG.standard_normal(4)
    nll, p, best = T.nnet.crossentropy_softmax_argmax_1hot_with_bias(Z, b, Y)
    results = [
        nll,
        p,
        best,
        *T.nnet.crossentropy_softmax_1hot_with_bias(Z, b, Y),
        *T.nnet.crossentropy_softmax_1hot(Z, Y),
        T.nnet.crossentropy_categorical_1hot(T.nnet.softmax(Z), Y),
        T.nnet.softmax_with_bias(Z, b),
    ]
    found = graphc.function([Z, Y], results, backend=backend)(z, y)
    biased = special.log_softmax(z + b, axis=1)
    rows = np.arange(6)
    expected = [
        -biased[rows, y],
        np.exp(biased),
        (z + b).argmax(1),
        -biased[rows, y],
        np.exp(biased),
        -log_p[rows, y],
        np.exp(log_p),
        -log_p[rows, y],
        np.exp(biased),
    ]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, 1e-12, 1e-12)


@pytest.mark.parametrize("written", ["indices", "classes"])
def test_the_loss_of_a_classifier_is_stable(written: str, backend: str) -> None:
    """However it is written; its gradient is softmax minus 1 at the true class."""
    p = T.nnet.softmax(Z)
    if written == "indices":
        loss = -T.mean(T.log(p)[T.arange(Y.shape[0]), Y])
    else:
        loss = T.nnet.categorical_crossentropy(p, Y).mean()
    f = graphc.function([Z, Y], [loss, T.grad(loss, Z)], backend=backend)
    for scores in (z, 1000 * z):
        value, slope = f(scores, y)
        expected = special.log_softmax(scores, axis=1)
        np.testing.assert_allclose(value, -expected[np.arange(6), y].mean(), 1e-12)
        np.testing.assert_allclose(slope, (np.exp(expected) - np.eye(4)[y]) / 6, 1e-12, 1e-14)


def test_sigmoid_binary_crossentropy(backend: str) -> None:
    t = RNG.uniform(0, 1, (6, 4))
    loss = T.nnet.sigmoid_binary_crossentropy(Z, t)
    f = graphc.function([Z], [loss, T.grad(loss.sum(), Z)], backend=backend)
    value, slope = f(100 * z)
    expected = -(t * special.log_expit(100 * z) + (1 - t) * special.log_expit(-100 * z))
    np.testing.assert_allclose(value, expected, 1e-12, 1e-12)
    np.testing.assert_allclose(slope, special.expit(100 * z) - t, 1e-12, 1e-12)


def test_selu_and_leaky_relu(backend: str) -> None:
    f = graphc.function([Z], [T.nnet.selu(Z), T.nnet.leaky_relu(Z, 0.2)], backend=backend)
    selu, leaky = f(z)
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    np.testing.assert_allclose(selu, scale * np.where(z > 0, z, alpha * np.expm1(z)), 1e-12)
    np.testing.assert_allclose(leaky, np.where(z > 0, z, 0.2 * z), 1e-15)


def test_hierarchical_softmax(backend: str) -> None:
    x = RNG.standard_normal((6, 5))
    w1, b1 = RNG.standard_normal((5, 4)), RNG.standard_normal(4)
    w2, b2 = RNG.standard_normal((4, 5, 3)), RNG.standard_normal((4, 3))
    target = np.array([0, 9, 4, 2, 7, 9])
    leaf = T.dmatrix("x")
    given = (w1, b1, w2, b2)
    every = T.nnet.h_softmax(leaf, 6, 10, 4, 3, *given)
    wanted = T.nnet.h_softmax(leaf, 6, 10, 4, 3, *given, Y)
    found = graphc.function([leaf, Y], [every, wanted], backend=backend)(x, target)
    outer = special.softmax(x @ w1 + b1, axis=1)
    inner = special.softmax(np.einsum("nf,cfo->nco", x, w2) + b2, axis=2)
    expected = (outer[:, :, None] * inner).reshape(6, 12)[:, :10]
    np.testing.assert_allclose(found[0], expected, 1e-12)
    np.testing.assert_allclose(found[1], expected[np.arange(6), target], 1e-12)


def test_confusion_matrix(backend: str) -> None:
    actual, pred = T.lvectors("actual pred")
    f = graphc.function([actual, pred], T.nnet.confusion_matrix(actual, pred), backend=backend)
    matrix, order = f([2, 0, 2, 2, 0, 5], [0, 0, 2, 2, 0, 2])
    np.testing.assert_array_equal(order, [0, 2, 5])
    np.testing.assert_array_equal(matrix, [[2, 0, 0], [1, 2, 0], [0, 1, 0]])


def test_mistakes() -> None:
    with pytest.raises(GraphcTypeError, match="confusion_matrix takes vectors"):
        T.nnet.confusion_matrix(T.lmatrix("a"), T.lvector("b"))


@pytest.mark.parametrize("label", [3, -1])
def test_a_number_that_is_no_class(backend: str, label: int) -> None:
    x, y, w = T.dmatrix("x"), T.lvector("y"), graphc.shared(np.ones((2, 3)), "w")
    cost = T.nnet.categorical_crossentropy(T.nnet.softmax(T.dot(x, w)), y).mean()
    f = graphc.function([x, y], cost, updates=[(w, w - T.grad(cost, w))], backend=backend)
    with pytest.raises(IndexError, match=rf"index {label} is out of range.* 3[\s\S]*test_nnet.py"):
        f(np.eye(2), [0, label])
    np.testing.assert_array_equal(w.get_value(), np.ones((2, 3)))
    np.testing.assert_allclose(f(np.eye(2), [0, 2]), np.log(3))
