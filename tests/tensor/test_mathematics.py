"""Functions of numbers at a point: beside NumPy and SciPy, at the ends of what they take too."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import special

import graphc
import graphc.tensor as T
from graphc.errors import DTypeError, GraphcValueError

INF, NAN = math.inf, math.nan
ENDS = np.array([-INF, -2.5, -1.0, -0.5, -0.0, 0.0, 0.3, 0.5, 1.0, 1.5, 2.5, INF, NAN])

SAME = [
    "sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh deg2rad rad2deg",
    "degrees radians log2 log10 exp2 floor ceil trunc rint isnan isinf isfinite",
]
SPECIAL = "erf erfc erfcx erfinv erfcinv gamma gammaln psi i0 i1"


def off_by_one(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.floor(np.abs(x) + 0.5)


def compare(found: Any, expected: Any, what: str, tolerance: float = 2e-14) -> None:
    expected = np.asarray(expected)
    assert found.dtype == expected.dtype, what
    np.testing.assert_allclose(found, expected, tolerance, tolerance, err_msg=what)


@pytest.mark.parametrize("name", " ".join(SAME).split())
def test_functions_that_numpy_has(name: str, backend: str) -> None:
    x = T.dvector("x")
    f = graphc.function([x], getattr(T, name)(x), backend=backend)
    with np.errstate(all="ignore"):
        compare(f(ENDS), getattr(np, name)(ENDS), name)


def test_functions_that_scipy_has(backend: str) -> None:
    x = T.dvector("x")
    names = SPECIAL.split()
    # the signs of infinities at poles are matters of taste: 0 and whole numbers below are left out
    values = np.array([-2.5, -0.5, 0.1, 0.3, 0.5, 1.0, 1.5, 2.5, 40.0, INF, NAN])
    f = graphc.function([x], [getattr(T, name)(x) for name in names], backend=backend)
    for name, found in zip(names, f(values), strict=True):
        expected = getattr(special, name)(values)
        if name in ("psi", "gamma"):
            found, expected = found[np.isfinite(values)], expected[np.isfinite(values)]
        compare(found, expected, f"{name} on {backend}", 1e-13)


@pytest.mark.parametrize("order", range(5))
def test_polygamma(order: int, backend: str) -> None:
    x = T.dvector("x")
    values = np.array([-2.4, -0.3, 0.2, 1.0, 3.7, 25.0])
    f = graphc.function([x], T.polygamma(order, x), backend=backend)
    compare(f(values), special.polygamma(order, values), f"order {order}", 1e-13)


def test_polygamma_of_orders_in_an_array(backend: str) -> None:
    n, x = T.lvector("n"), T.dvector("x")
    orders, values = np.array([0, 1, 2, 3]), np.array([0.5, 1.5, 2.5, 3.5])
    f = graphc.function([n, x], T.polygamma(n, x), backend=backend)
    compare(f(orders, values), special.polygamma(orders, values), "orders", 1e-13)


def test_mistaken_orders_are_errors() -> None:
    x = T.dvector("x")
    with pytest.raises(GraphcValueError, match="the order -1 is below 0"):
        T.polygamma(-1, x)
    with pytest.raises(DTypeError, match="an integer as its order"):
        T.polygamma(x, x)


def test_rounding(backend: str) -> None:
    x = T.dvector("x")
    halves = np.array([-2.5, -1.5, -0.5, 0.49999999999999994, 0.5, 1.5, 2.5, 4503599627370497.0])
    f = graphc.function(
        [x],
        [T.round(x), T.round(x, mode="half_away_from_zero"), T.iround(x), round(x), math.floor(x)],
        backend=backend,
    )
    even, away, whole, python, down = f(halves)
    np.testing.assert_array_equal(even, np.rint(halves))
    np.testing.assert_array_equal(away, [-3, -2, -1, 0, 1, 2, 3, 4503599627370497.0])
    np.testing.assert_array_equal(whole, np.rint(halves).astype("int64"))
    np.testing.assert_array_equal(python, even)
    np.testing.assert_array_equal(down, np.floor(halves))


def test_whole_numbers_are_not_rounded() -> None:
    for x in (T.ivector("i"), T.TensorType("bool", (None,))("b")):
        for function in (T.floor, T.ceil, T.trunc, T.round, T.round_half_away_from_zero):
            assert function(x) is x
    with pytest.raises(GraphcValueError, match="there is no mode 'up'"):
        T.round(T.dvector(), "up")
    with pytest.raises(GraphcValueError, match="there is no mode 2"):
        round(T.dscalar(), 2)


def test_logaddexp_at_the_ends(backend: str) -> None:
    x, y = T.dvectors("x y")
    a, b = (
        grid.ravel() for grid in np.meshgrid([-INF, -800.0, 0.0, 800.0, INF, NAN], [-INF, 1, INF])
    )
    f = graphc.function([x, y], T.logaddexp(x, y), backend=backend)
    with np.errstate(all="ignore"):
        compare(f(a, b), np.logaddexp(a, b), "logaddexp")


def test_x_log_x(backend: str) -> None:
    x, y = T.dvectors("x y")
    assert T.xlogx.xlogx is T.xlogx and T.xlogx.xlogy0 is T.xlogy0
    cost = [T.xlogx(x), T.xlogy0(x, y)]
    slopes = [T.grad(T.sum(cost[0]), x), *T.grad(T.sum(cost[1]), [x, y])]
    f = graphc.function([x, y], cost + slopes, backend=backend)
    a, b = np.array([0.0, 0.0, 2.0]), np.array([0.0, 3.0, 3.0])
    found = f(a, b)
    expected = [
        special.xlogy(a, a),
        special.xlogy(a, b),
        [0.0, 0.0, np.log(2) + 1],
        [-INF, np.log(3), np.log(3)],
        [0.0, 0.0, 2 / 3],
    ]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other)


def test_derivative_of_i1_at_zero() -> None:
    x = T.dscalar("x")
    first = T.grad(T.i1(x), x)
    f = graphc.function([x], [first, T.grad(first, x)])
    assert [float(v) for v in f(0.0)] == [0.5, 0.0]


@pytest.mark.parametrize("equal_nan", [False, True])
def test_closeness(equal_nan: bool, backend: str) -> None:
    x, y = T.dvectors("x y")
    a = np.array([1.0, 1.0, INF, -INF, NAN, NAN, 0.0, 1e-9, INF])
    b = np.array([1.000001, 1.1, INF, INF, NAN, 1.0, 1e-9, 0.0, 1.0])
    f = graphc.function(
        [x, y],
        [T.isclose(x, y, equal_nan=equal_nan), T.allclose(x, y), T.allclose(x, y, 1, 1)],
        backend=backend,
    )
    close, all_close, wide = f(a, b)
    np.testing.assert_array_equal(close, np.isclose(a, b, equal_nan=equal_nan))
    assert not all_close and f(a[:1], b[:1])[1] and not wide


SHIFTED = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def test_shifts(backend: str) -> None:
    for dtype in SHIFTED:
        low = np.iinfo(dtype).min
        x, n = T.vector("x", dtype=dtype), T.vector("n", dtype=dtype)
        values = np.array([0, 1, 5, np.iinfo(dtype).max, low], dtype).repeat(6)
        by = np.tile(np.array([0, 1, 3, 7, 64, 127], dtype), 5)
        if low:
            by = np.concatenate([by[:-1], [-1]]).astype(dtype)
        f = graphc.function([x, n], [x << n, x >> n, 3 << n, x >> 2], backend=backend)
        with np.errstate(all="ignore"):
            expected = [values << by, values >> by, np.array(3, dtype) << by, values >> 2]
        for one, other in zip(f(values, by), expected, strict=True):
            np.testing.assert_array_equal(one, other, f"{dtype} on {backend}")
            assert one.dtype == other.dtype
    with pytest.raises(DTypeError, match="bool and integers, not for float64"):
        T.dscalar() << 1


def test_operators_with_numbers_first(backend: str) -> None:
    i = T.lscalar("i")
    quotient, rest = divmod(17, i)
    f = graphc.function([i], [quotient, rest, 6 & i, 6 | i, 6 ^ i, 96 >> i, T.ceil_intdiv(17, i)])
    assert [int(v) for v in f(5)] == [3, 2, 4, 7, 3, 3, 4]


def test_numpy_functions_are_those_of_the_language() -> None:
    x, i = T.dvector("x"), T.lvector("i")
    for name in " ".join(SAME).split():
        assert getattr(np, name)(x) is getattr(T, name)(x), name
    assert np.arctan2(x, 2.0) is T.arctan2(x, np.float64(2))
    assert np.left_shift(i, i) is i << i
    assert np.bitwise_invert is np.invert and np.invert(i) is ~i
