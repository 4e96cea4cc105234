"""Reductions: every axis and keyword, beside NumPy, as functions and as methods."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.ir import dtypes

AXES = [None, 0, 1, -1, -3, (0,), (0, 2), (-1, 0), (0, 1, 2), [1, 2]]
NAMES = ["sum", "prod", "mean", "var", "std", "max", "min", "any", "all", "ptp", "argmax", "argmin"]
C = np.random.default_rng(7).integers(-6, 7, (2, 3, 4)) / 4


def numpys(name: str, x: np.ndarray, axis: Any, keepdims: bool) -> Any:
    axis = tuple(axis) if isinstance(axis, list) else axis
    if not name.startswith("arg") or not isinstance(axis, tuple):
        return getattr(np, name)(x, axis=axis, keepdims=keepdims)
    axes = sorted(one % x.ndim for one in axis)  # what NumPy lacks: over several axes
    kept = [one for one in range(x.ndim) if one not in axes]
    flat = x.transpose([*kept, *axes]).reshape(*[x.shape[k] for k in kept], -1)
    found = getattr(np, name)(flat, axis=-1)
    return np.expand_dims(found, tuple(axes)) if keepdims else found


@pytest.mark.parametrize("name", NAMES)
def test_axes(name: str, backend: str) -> None:
    x = T.dtensor3("x")
    given = list(itertools.product(AXES, (False, True)))
    made = [getattr(T, name)(x, axis=axis, keepdims=keep) for axis, keep in given]
    f = graphc.function([x], made, backend=backend)
    for (axis, keep), node, found in zip(given, made, f(C), strict=True):
        expected = np.asarray(numpys(name, C, axis, keep))
        where = f"{name} over {axis}, keepdims={keep}, on {backend}"
        assert found.shape == expected.shape and found.dtype == expected.dtype, where
        np.testing.assert_allclose(found, expected, 1e-14, 1e-14, err_msg=where)
        if name != "ptp" or not keep:
            assert getattr(x, name)(axis=axis, keepdims=keep) is node, where


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "max", "min", "any", "all", "var"])
def test_dtypes_of_results(name: str) -> None:
    for dtype in dtypes.DTYPES:
        x = T.vector("x", dtype=dtype)
        array = np.array([1, 0, 1], dtype)
        found = graphc.function([x], getattr(T, name)(x))(array)
        expected = getattr(np, name)(array)
        assert found.dtype == expected.dtype, f"{name} of {dtype}"
        np.testing.assert_allclose(found, expected, 1e-3 if dtype == "float16" else 1e-6)


def test_dtype_and_acc_dtype(backend: str) -> None:
    b, f = T.bvector("b"), T.fvector("f")
    small, single = np.full(200, 2, "int8"), np.array([1e8, 1, -1e8], "float32")
    results = [
        T.sum(b),
        b.sum(dtype="int8"),
        T.sum(b, dtype="int8", acc_dtype="int64"),
        T.sum(f, acc_dtype="float64"),
        f.sum(dtype="float64"),
        f.mean(acc_dtype="float64"),
        f.prod(dtype="float64"),
    ]
    found = graphc.function([b, f], results, backend=backend)(small, single)
    wide = single.astype("float64")
    expected = [400, np.int8(-112), np.int8(-112), 1.0, 1.0, 1 / 3, wide.prod()]
    kinds = ["int64", "int8", "int8", "float32", "float64", "float32", "float64"]
    for one, value, kind in zip(found, expected, kinds, strict=True):
        assert one.dtype == kind
        np.testing.assert_allclose(one, value, 1e-7)


@pytest.mark.parametrize("ddof", [0, 1, 2])
def test_degrees_of_freedom(ddof: int, backend: str) -> None:
    x = T.dtensor3("x")
    made = [T.var(x, 1, ddof), T.std(x, (0, 2), ddof=ddof), x.var(ddof=ddof, corrected=True)]
    found = graphc.function([x], made, backend=backend)(C)
    expected = [C.var(1, ddof=ddof), C.std((0, 2), ddof=ddof), C.var(ddof=ddof)]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, 1e-13)


@pytest.mark.parametrize("order", [None, 0, 1, 2, 3, -2, float("inf"), -float("inf")])
def test_norms(order: Any, backend: str) -> None:
    x = T.dmatrix("x")
    m = C[1]
    made = [T.norm(x, order, axis=1), x.norm(order, axis=0, keepdims=True)]
    found = graphc.function([x], made, backend=backend)(m)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(found[0], np.linalg.norm(m, order, axis=1), 1e-13)
        np.testing.assert_allclose(found[1], np.linalg.norm(m, order, axis=0, keepdims=True), 1e-13)


def test_largest_and_its_place(backend: str) -> None:
    x = T.dtensor3("x")
    for axis in (None, 1, (0, 2)):
        top, place = T.max_and_argmax(x, axis=axis, keepdims=True)
        found = graphc.function([x], [top, place], backend=backend)(C)
        np.testing.assert_array_equal(found[0], C.max(axis, keepdims=True))
        np.testing.assert_array_equal(found[1], numpys("argmax", C, axis, True))


def test_logarithm_of_a_sum_of_exponentials(backend: str) -> None:
    x = T.dmatrix("x")
    m = np.array([[1000.0, 1000.0], [-1000.0, 0.0], [-np.inf, -np.inf]])
    made = [T.logsumexp(x, axis=1), T.logsumexp(x, axis=1, keepdims=True), T.logsumexp(x)]
    rows, kept, whole = graphc.function([x], made, backend=backend)(m)
    expected = np.logaddexp(m[:, 0], m[:, 1])
    np.testing.assert_allclose(rows, expected)
    np.testing.assert_allclose(kept, expected[:, None])
    np.testing.assert_allclose(whole, 1000 + np.log(2))


def test_of_nothing(backend: str) -> None:
    x = T.dmatrix("x")
    made = [T.sum(x, 0), T.prod(x, 0), T.any(x, 0), T.all(x, 0), T.mean(x, 0)]
    found = graphc.function([x], made, backend=backend)(np.zeros((0, 2)))
    for one, value in zip(found, [0, 1, False, True, np.nan], strict=True):
        np.testing.assert_array_equal(one, [value, value])
