"""Numerical differences, and the checks that are made of them."""

from __future__ import annotations

import numpy as np
import pytest

import graphc.tensor as T
from graphc.autodiff.numeric import STEPS_OF, difference, numeric_grad, step_for
from graphc.errors import GraphcTypeError, GraphcValueError
from graphc.gradient import (
    VerifyGradError,
    difference_errors,
    quick_grad_check,
    verify_grad,
)
from graphc.ir.node import Node
from graphc.ir.op import OPS

METHODS = list(STEPS_OF)
ORDER = {"forward": 1, "backward": 1, "central": 2}


@pytest.mark.parametrize("method", ORDER)
def test_the_error_falls_with_the_order_of_the_method(method: str) -> None:
    wide, narrow = (
        abs(difference(lambda t: np.exp(1 + t), h, method) - np.e) for h in (1e-2, 1e-3)
    )
    assert narrow == pytest.approx(wide / 10 ** ORDER[method], rel=0.05)


def test_one_sided_differences_look_to_their_side() -> None:
    assert difference(lambda t: max(t, 0.0), 0.1, "forward") == 1.0
    assert difference(lambda t: max(t, 0.0), 0.1, "backward") == 0.0
    assert difference(lambda t: max(t, 0.0), 0.1, "central") == 0.5


def test_extrapolation_is_exact_for_polynomials_of_even_errors() -> None:
    found = difference(lambda t: (1 + t) ** 7, 0.5, "richardson")
    assert found == pytest.approx(7.0, rel=1e-13)


@pytest.mark.parametrize("function", [np.exp, np.sin, np.tanh, np.log], ids=lambda f: f.__name__)
def test_extrapolation_beats_the_others(function: np.ufunc) -> None:
    slopes = {"exp": np.exp, "sin": np.cos, "tanh": lambda v: 1 / np.cosh(v) ** 2}
    exact = slopes.get(function.__name__, lambda v: 1 / v)(0.7)
    errors = {
        method: abs(
            difference(lambda t: float(function(0.7 + t)), step_for("float64", method), method)
            - exact
        )
        for method in METHODS
    }
    assert errors["richardson"] < 1e-11
    assert errors["richardson"] < errors["central"] < 1e-9 < 1e-7
    assert max(errors["forward"], errors["backward"]) < 1e-7


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("dtype", "allowed"), [("float64", 1e-6), ("float32", 1e-2)])
def test_numeric_grad_by_every_method(method: str, dtype: str, allowed: float) -> None:
    at = [np.array([[1.0, -2.0]], dtype), np.array(3.0, dtype)]
    found = numeric_grad(lambda a, b: np.sum(a**3) * b, at, method=method)
    assert [part.dtype for part in found] == [dtype, dtype]
    np.testing.assert_allclose(found[0], [[9.0, 36.0]], allowed)
    np.testing.assert_allclose(found[1], -7.0, allowed)
    np.testing.assert_array_equal(at[0], [[1.0, -2.0]])


def test_an_unknown_method() -> None:
    with pytest.raises(GraphcValueError, match="method='complex': must be one of 'forward'"):
        numeric_grad(np.sum, np.ones(2), method="complex")


def test_verify_grad_by_extrapolation_allows_less() -> None:
    at = [np.array([0.3, 1.2, -0.7])]
    verify_grad(T.sin, at, method="richardson", abs_tol=1e-11, rel_tol=1e-11)
    with pytest.raises(VerifyGradError):
        verify_grad(T.sin, at, method="forward", abs_tol=1e-11, rel_tol=1e-11)


def test_the_table_of_errors() -> None:
    table = difference_errors(T.sin, 1.0, steps=[1e-1, 1e-4, 1e-8, 1e-12])
    assert table.exact == np.cos(1.0)
    assert set(table.errors) == set(METHODS)
    assert table.best("forward")[0] == 1e-8
    assert table.best("central")[0] == 1e-4
    assert table.errors["richardson"][0] < 1e-10 < table.errors["central"][0]
    lines = str(table).splitlines()
    assert lines[0].split() == ["step", *METHODS] and len(lines) == 5


# -- one direction --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_right_gradient_passes(dtype: str) -> None:
    rng = np.random.default_rng(5)
    points = [rng.normal(size=shape).astype(dtype) for shape in ((4, 3), (3,), ())]
    check = quick_grad_check(lambda a, b, c: T.tanh(T.dot(a, b)) * c, points)
    assert check, str(check)
    assert check.error < check.tolerance
    assert "they agree" in str(check) and "reverse (gradient)" in str(check)
    assert quick_grad_check(lambda a: T.sum(a**2), points[0], rng=np.random.default_rng(1))


def test_a_wrong_gradient_is_found() -> None:
    row = OPS["sin"]
    vjp = row.vjp
    object.__setattr__(row, "vjp", lambda g, out, x: [g * T.cos(x) * 1.001])
    try:
        check = quick_grad_check(lambda x: T.sin(x) ** 2, np.array([0.3, 0.8]))
    finally:
        object.__setattr__(row, "vjp", vjp)
    assert not check
    assert "THEY DIFFER" in str(check)


def test_forward_and_reverse_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(f: Node, wrt: list[Node], points: list[Node], **options: object) -> Node:
        return f * 0 + 17.0

    monkeypatch.setattr("graphc.gradient.checks.Rop", wrong)
    check = quick_grad_check(T.exp, np.array([0.3, 0.8]))
    assert not check and check.numeric == pytest.approx(check.reverse)


def test_it_needs_floats() -> None:
    with pytest.raises(GraphcTypeError, match="point 0 is int64"):
        quick_grad_check(T.exp, np.arange(3))
