"""Losses in the form a user naturally writes them: finite and accurate, and so are their gradients.

Every value and derivative is compared with one computed to 500 digits. The only slack beside the
last digits is for results that a double can only hold as a denormal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import graphc
import graphc.tensor as T
from graphc.ir.walk import toposort
from graphc.rewrite.pipeline import simplify

DIGITS = 500
RTOL = 1e-12
SMALLEST = np.finfo(np.float64).tiny

POINTS = [0.0, 1e-300, 1e-10, 1e-3, 0.5, 1.0, 5.0, 20.0, 36.5, 40.0, 100.0, 709.5, 745.5, 1000.0]
X = np.array([-p for p in reversed(POINTS)] + POINTS)


@pytest.fixture(autouse=True)
def digits() -> Any:
    with mp.workdps(DIGITS):
        yield


def assert_accurate(found: Any, expected: Sequence[Any], what: str) -> None:
    found = np.asarray(found, dtype=np.float64).ravel()
    assert len(found) == len(expected)
    for place, (actual, exact) in enumerate(zip(found, expected, strict=True)):
        assert np.isfinite(actual), f"{what}: {actual} at {place}, not {mp.nstr(exact, 20)}"
        error = abs(mpf(float(actual)) - exact)
        assert error <= RTOL * abs(exact) or (abs(exact) < SMALLEST and error < SMALLEST), (
            f"{what}: {actual!r} at {place}, not {mp.nstr(exact, 20)}"
        )


# -- functions of one number ----------------------------------------------------------------------

Both = tuple[Callable[[Any], Any], Callable[[Any], Any]]


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))


SCALAR: dict[str, Both] = {
    "log(1 + exp(x))": (lambda x: T.log(1 + T.exp(x)), _softplus),
    "log(exp(x) + 1)": (lambda x: T.log(T.exp(x) + 1), _softplus),
    "log1p(exp(x))": (lambda x: T.log1p(T.exp(x)), _softplus),
    "log(1 + exp(-x))": (lambda x: T.log(1 + T.exp(-x)), lambda x: _softplus(-x)),
    "log(1 + 1 / exp(x))": (lambda x: T.log(1 + 1 / T.exp(x)), lambda x: _softplus(-x)),
    "log(sigmoid(x))": (lambda x: T.log(T.nnet.sigmoid(x)), lambda x: -_softplus(-x)),
    "log(1 / (1 + exp(-x)))": (lambda x: T.log(1 / (1 + T.exp(-x))), lambda x: -_softplus(-x)),
    "-log(1 / (1 + exp(-x)))": (lambda x: -T.log(1 / (1 + T.exp(-x))), lambda x: _softplus(-x)),
    "log(exp(x) / (1 + exp(x)))": (
        lambda x: T.log(T.exp(x) / (1 + T.exp(x))),
        lambda x: -_softplus(-x),
    ),
    "log(1 - sigmoid(x))": (lambda x: T.log(1 - T.nnet.sigmoid(x)), lambda x: -_softplus(x)),
    "log(1 - 1 / (1 + exp(-x)))": (
        lambda x: T.log(1 - 1 / (1 + T.exp(-x))),
        lambda x: -_softplus(x),
    ),
    "log1p(-sigmoid(x))": (lambda x: T.log1p(-T.nnet.sigmoid(x)), lambda x: -_softplus(x)),
    "1 / (1 + exp(-x))": (lambda x: 1 / (1 + T.exp(-x)), _sigmoid),
    "(1 + exp(-x)) ** -1": (lambda x: (1 + T.exp(-x)) ** -1, _sigmoid),
    "exp(x) / (1 + exp(x))": (lambda x: T.exp(x) / (1 + T.exp(x)), _sigmoid),
    "1 - sigmoid(x)": (lambda x: 1 - T.nnet.sigmoid(x), lambda x: _sigmoid(-x)),
    "softplus(x) - x": (lambda x: T.nnet.softplus(x) - x, lambda x: _softplus(-x)),
}
SMALL: dict[str, Both] = {
    "exp(x) - 1": (lambda x: T.exp(x) - 1, mp.expm1),
    "1 - exp(x)": (lambda x: 1 - T.exp(x), lambda x: -mp.expm1(x)),
    "log(1 + x)": (lambda x: T.log(1 + x), mp.log1p),
    "log(1 - x)": (lambda x: T.log(1 - x), lambda x: mp.log1p(-x)),
}


def check(build: Callable[[Any], Any], exact: Callable[[Any], Any], at: np.ndarray) -> None:
    x = T.dvector("x")
    y = build(x)
    f = graphc.function([x], [y, graphc.grad(T.sum(y), x)])
    value, slope = f(at)
    points = [mpf(float(one)) for one in at]
    assert_accurate(value, [exact(one) for one in points], repr(y))
    assert_accurate(slope, [mp.diff(exact, one) for one in points], f"gradient of {y!r}")


@pytest.mark.parametrize("name", SCALAR)
def test_functions_of_one_number(name: str) -> None:
    check(*SCALAR[name], X)


@pytest.mark.parametrize("name", SMALL)
def test_functions_near_a_zero(name: str) -> None:
    check(*SMALL[name], np.array([-0.5, -1e-3, -1e-10, -1e-300, 1e-300, 1e-10, 1e-3, 0.5]))


# -- binary cross-entropy -------------------------------------------------------------------------


def _by_hand(p: Any, y: Any) -> Any:
    return -(y * T.log(p) + (1 - y) * T.log(1 - p))


def _theano(p: Any, y: Any) -> Any:
    return -y * T.log(p) - (1 - y) * T.log(1 - p)


BINARY = {"by hand": _by_hand, "in two terms": _theano, "nnet": T.nnet.binary_crossentropy}
SIGMOIDS = {
    "nnet": T.nnet.sigmoid,
    "1 / (1 + exp(-x))": lambda x: 1 / (1 + T.exp(-x)),
    "exp(x) / (1 + exp(x))": lambda x: T.exp(x) / (1 + T.exp(x)),
}


def _binary(x: Any, y: Any) -> Any:
    return y * _softplus(-x) + (1 - y) * _softplus(x)


@pytest.mark.parametrize("loss", BINARY)
@pytest.mark.parametrize("sigmoid", SIGMOIDS)
@pytest.mark.parametrize("target", [0.0, 1.0, 0.375])
def test_binary_crossentropy(loss: str, sigmoid: str, target: float) -> None:
    x, y = T.dvectors("x y")
    z = BINARY[loss](SIGMOIDS[sigmoid](x), y)
    f = graphc.function([x, y], [z, graphc.grad(T.sum(z), x)])
    value, slope = f(X, np.full(X.shape, target))
    points = [mpf(float(one)) for one in X]
    exact = mpf(target)
    assert_accurate(value, [_binary(one, exact) for one in points], repr(z))
    assert_accurate(
        slope,
        [(1 - exact) * _sigmoid(one) - exact * _sigmoid(-one) for one in points],
        f"gradient of {z!r}",
    )


def test_logistic_regression() -> None:
    x, w, b, y = T.dmatrix("x"), T.dvector("w"), T.dscalar("b"), T.dvector("y")
    p = 1 / (1 + T.exp(-T.dot(x, w) - b))
    xent = -y * T.log(p) - (1 - y) * T.log(1 - p)
    cost = xent.mean() + 0.01 * (w**2).sum()
    gw, gb = graphc.grad(cost, [w, b])
    names = {node.op.name for node in toposort(simplify([cost, gw, gb]))}
    assert not names & {"exp", "log", "log1p"}
    f = graphc.function([x, w, b, y], [cost, gw, gb])
    rows = np.array([[1000.0, 0.5], [-1000.0, 0.25], [2.0, -1.0], [-40.0, 40.0]])
    targets = np.array([0.0, 1.0, 1.0, 0.0])
    cost_, gw_, gb_ = f(rows, np.array([1.0, 0.5]), 0.125, targets)
    z = [mpf(r[0]) + mpf(r[1]) / 2 + mpf(0.125) for r in rows.tolist()]
    t = [mpf(one) for one in targets]
    total = sum(_binary(a, c) for a, c in zip(z, t, strict=True)) / 4 + mpf(0.01) * mpf(1.25)
    slope = [(1 - c) * _sigmoid(a) - c * _sigmoid(-a) for a, c in zip(z, t, strict=True)]
    assert_accurate(cost_, [total], "cost")
    assert_accurate(gb_, [sum(slope) / 4], "gradient of b")
    decay = [mpf(0.01) * 2, mpf(0.01)]
    assert_accurate(
        gw_,
        [
            sum(s * mpf(r[i]) for s, r in zip(slope, rows.tolist(), strict=True)) / 4 + decay[i]
            for i in range(2)
        ],
        "gradient of w",
    )


# -- softmax and categorical cross-entropy --------------------------------------------------------

ROWS = np.array(
    [
        [1.0, 2.0, 3.5],
        [0.0, 0.0, 0.0],
        [1000.0, 0.0, -1000.0],
        [-1000.0, -1000.0, -999.0],
        [50.0, 0.25, -0.5],
        [0.0, 1000.0, 999.5],
        [-40.0, 1.0, -720.0],
    ]
)


def _shifted(x: Any) -> Any:
    e = T.exp(x - T.max(x, axis=1, keepdims=True))
    return e / T.sum(e, axis=1, keepdims=True)


SOFTMAXES: dict[str, Callable[[Any], Any]] = {
    "nnet": T.nnet.softmax,
    "exp / sum": lambda x: T.exp(x) / T.sum(T.exp(x), axis=1, keepdims=True),
    "exp / sum with a new axis": lambda x: T.exp(x) / T.exp(x).sum(axis=1).dimshuffle(0, "x"),
    "shifted": _shifted,
}
LOG_SOFTMAXES: dict[str, Callable[[Any], Any]] = {
    **{f"log of {name}": lambda x, f=f: T.log(f(x)) for name, f in SOFTMAXES.items()},
    "x - log(sum(exp(x)))": lambda x: x - T.log(T.sum(T.exp(x), axis=1, keepdims=True)),
    "nnet": T.nnet.logsoftmax,
}


def _log_softmax(row: Sequence[Any]) -> list[Any]:
    """Return the logarithms without losing those near 0 or far below."""
    found = []
    for i, one in enumerate(row):
        rest = sum(mp.exp(other - one) for j, other in enumerate(row) if j != i)
        found.append(-mp.log1p(rest))
    return found


def _rows() -> list[list[Any]]:
    return [[mpf(float(one)) for one in row] for row in ROWS]


@pytest.mark.parametrize("name", SOFTMAXES)
def test_softmax(name: str) -> None:
    x = T.dmatrix("x")
    f = graphc.function([x], SOFTMAXES[name](x))
    exact = [mp.exp(one) for row in _rows() for one in _log_softmax(row)]
    assert_accurate(f(ROWS), exact, name)


@pytest.mark.parametrize("name", LOG_SOFTMAXES)
def test_log_softmax(name: str) -> None:
    x, g = T.dmatrices("x g")
    y = LOG_SOFTMAXES[name](x)
    f = graphc.function([x, g], [y, graphc.grad(T.sum(y * g), x)])
    weights = np.array([0.25, 1.0, 0.5]) * np.ones_like(ROWS)
    value, slope = f(ROWS, weights)
    logs = [_log_softmax(row) for row in _rows()]
    assert_accurate(value, [one for row in logs for one in row], name)
    total = mpf(1.75)
    exact = [
        mpf(w) * -mp.expm1(one) - mp.exp(one) * (total - mpf(w))
        for row in logs
        for one, w in zip(row, (0.25, 1.0, 0.5), strict=True)
    ]
    assert_accurate(slope, exact, f"gradient of {name}")


@pytest.mark.parametrize("name", ["log(sum(exp(x)))", "of all"])
def test_logsumexp(name: str) -> None:
    x = T.dmatrix("x")
    axis = 1 if name != "of all" else None
    y = T.log(T.sum(T.exp(x), axis=axis))
    f = graphc.function([x], [y, graphc.grad(T.sum(y), x)])
    value, slope = f(ROWS)
    rows = _rows() if axis else [[one for row in _rows() for one in row]]
    assert_accurate(value, [mp.log(sum(map(mp.exp, row))) for row in rows], name)
    exact = [mp.exp(one) for row in rows for one in _log_softmax(row)]
    assert_accurate(slope, exact, f"gradient of {name}")


def _dense(p: Any, y: Any) -> Any:
    return -T.sum(y * T.log(p), axis=1)


CATEGORICAL = {"by hand": _dense, "nnet": T.nnet.categorical_crossentropy}


@pytest.mark.parametrize("loss", CATEGORICAL)
@pytest.mark.parametrize("softmax", SOFTMAXES)
@pytest.mark.parametrize("target", [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.25, 0.25]], ids=str)
def test_categorical_crossentropy(loss: str, softmax: str, target: list[float]) -> None:
    x, y = T.dmatrices("x y")
    z = CATEGORICAL[loss](SOFTMAXES[softmax](x), y)
    f = graphc.function([x, y], [z, graphc.grad(T.sum(z), x)])
    _check_categorical(f(ROWS, np.array(target) * np.ones_like(ROWS)), target)


@pytest.mark.parametrize("softmax", SOFTMAXES)
@pytest.mark.parametrize("target", [0, 1, 2])
def test_categorical_crossentropy_of_classes(softmax: str, target: int) -> None:
    x, y = T.dmatrix("x"), T.lvector("y")
    z = T.nnet.categorical_crossentropy(SOFTMAXES[softmax](x), y)
    f = graphc.function([x, y], [z, graphc.grad(T.sum(z), x)])
    one_hot = [float(i == target) for i in range(3)]
    _check_categorical(f(ROWS, np.full(len(ROWS), target)), one_hot)


def _check_categorical(found: Sequence[Any], target: list[float]) -> None:
    exact = [mpf(one) for one in target]
    logs = [_log_softmax(row) for row in _rows()]
    values = [-sum(t * one for t, one in zip(exact, row, strict=True)) for row in logs]
    assert_accurate(found[0], values, "loss")
    slopes = [
        (1 - t) * mp.exp(one) + t * mp.expm1(one)
        for row in logs
        for t, one in zip(exact, row, strict=True)
    ]
    assert_accurate(found[1], slopes, "gradient")
