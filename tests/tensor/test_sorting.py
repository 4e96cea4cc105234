"""Sorting, the largest few, and prefix sums and products: beside NumPy, with their gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.errors import GraphcTypeError, GraphcValueError
from graphc.ir import dtypes
from harness import evaluate, numeric_gradients

AXES = [None, 0, 1, -1]
FUNCTIONS = [
    (T.sort, np.sort),
    (T.argsort, lambda x, axis: np.argsort(x, axis, kind="stable")),
    (T.cumsum, np.cumsum),
    (T.cumprod, np.cumprod),
]
NAMES = ["sort", "argsort", "cumsum", "cumprod"]


def values(dtype: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    if dtype == "bool":
        return rng.random(shape) < 0.5
    found = rng.integers(0 if dtype.startswith("u") else -4, 5, shape).astype(dtype)
    if dtype.startswith("float"):
        found.flat[::7] = np.nan
    return found


@pytest.mark.parametrize(("ours", "numpys"), FUNCTIONS, ids=NAMES)
def test_along_axes_in_every_dtype(ours: Callable[..., Any], numpys: Any, backend: str) -> None:
    rng = np.random.default_rng(3)
    few = ("float64", "int32", "uint8", "bool")  # a kernel takes long to build
    for dtype in few if backend == "opencl" else dtypes.DTYPES:
        x = T.tensor3("x", dtype=dtype)
        f = graphc.function([x], [ours(x, axis=axis) for axis in AXES], backend=backend)
        for shape in [(3, 40, 2), (1, 1, 1), (2, 0, 3)]:
            array = values(dtype, shape, rng)
            for axis, found in zip(AXES, f(array), strict=True):
                expected = numpys(array, axis=axis)
                where = f"{dtype} {shape} along {axis} on {backend}"
                assert found.dtype == expected.dtype and found.shape == expected.shape, where
                np.testing.assert_array_equal(found, expected, where)


@pytest.mark.parametrize(("ours", "numpys"), FUNCTIONS, ids=NAMES)
def test_long_axes(ours: Callable[..., Any], numpys: Any, backend: str) -> None:
    """Many runs and chunks, of an odd length."""
    rng = np.random.default_rng(4)
    x, m = T.dvector("x"), T.dmatrix("m")
    array, matrix = rng.uniform(0.999, 1.001, 20_011), rng.normal(size=(1013, 5))
    f = graphc.function([x, m], [ours(x), ours(m, axis=0), ours(m.T)], backend=backend)
    rows = matrix.T if "arg" in ours.__name__ or "sort" in ours.__name__ else None
    last = numpys(matrix.T, axis=-1 if rows is not None else None)
    for found, expected in zip(
        f(array, matrix), [numpys(array, axis=0), numpys(matrix, axis=0), last], strict=True
    ):
        np.testing.assert_allclose(found, expected, 1e-11, 1e-11)


def test_methods_are_the_functions() -> None:
    m = T.dmatrix("m")
    assert m.sort(0) is T.sort(m, 0) and m.argsort() is T.argsort(m)
    assert m.cumsum(1) is T.cumsum(m, 1) and m.cumprod() is T.cumprod(m)
    assert T.argsort(m, kind="mergesort") is T.argsort(m, kind="quicksort")


def test_the_largest_few(backend: str) -> None:
    m, k = T.dmatrix("m"), T.lscalar("k")
    array = np.random.default_rng(5).normal(size=(4, 7))
    results = [
        T.topk(m, 3),
        T.topk(m, -2, axis=0),
        T.argtopk(m, 1, axis=None),
        T.topk(m, k, axis=1),
        *T.topk_and_argtopk(m, 2, axis=0, sorted=False, idx_dtype="int32"),
    ]
    f = graphc.function([m, k], results, backend=backend)
    rows, low, best, some, top, places = f(array, 4)
    down = np.sort(array, 1)[:, ::-1]
    np.testing.assert_array_equal(rows, down[:, :3])
    np.testing.assert_array_equal(some, down[:, :4])
    np.testing.assert_array_equal(low, np.sort(array, 0)[:2])
    np.testing.assert_array_equal(best, [array.argmax()])
    np.testing.assert_array_equal(top, np.sort(array, 0)[::-1][:2])
    assert places.dtype == "int32"
    np.testing.assert_array_equal(np.take_along_axis(array, places.astype("int64"), 0), top)


def test_gradient_of_the_largest_few(backend: str) -> None:
    v = T.dvector("v")
    f = graphc.function([v], T.grad(T.sum(T.topk(v, 2) * [1.0, 10.0]), v), backend=backend)
    np.testing.assert_array_equal(f([3.0, 1.0, 4.0, 2.0]), [10.0, 0.0, 1.0, 0.0])


@pytest.mark.parametrize(
    "row", [[2.0, -3.0, 0.5, 4.0], [2.0, 0.0, 0.5, 4.0], [0.0, 2.0, 0.0, 3.0], [0.0] * 4]
)
def test_slopes_of_prefix_products_with_zeros(row: list[float], backend: str) -> None:
    x = T.dmatrix("x")
    weights = T.constant(np.array([[0.7], [-1.3], [0.4], [1.9]]))
    cost = T.sum(T.cumprod(x, axis=0) * weights)
    first = T.grad(cost, x)
    second = T.grad(T.sum(first * weights), x)
    array = np.array([row, [1.0, 2.0, 0.0, -1.0]]).T

    def at(node: Any) -> Callable[[Any], float]:
        return lambda arrays: float(evaluate(node, {x: arrays[0]})[0])

    found = graphc.function([x], [first, second], backend=backend)(array)
    for value, node in zip(found, [cost, T.sum(first * weights)], strict=True):
        (expected,) = numeric_gradients(at(node), [array], [0])
        np.testing.assert_allclose(value, expected, 1e-7, 1e-7)


def test_gradient_of_a_long_prefix_product(backend: str) -> None:
    x = T.dvector("x")
    array = np.random.default_rng(6).uniform(0.99, 1.01, 5003)
    f = graphc.function([x], T.grad(T.sum(T.cumprod(x)), x), backend=backend)
    expected = np.cumsum(np.cumprod(array)[::-1])[::-1] / array
    np.testing.assert_allclose(f(array), expected, 1e-10)


def test_the_number_of_the_best_is_an_input(backend: str) -> None:
    x, k = T.dmatrix("x"), T.lscalar("k")
    f = graphc.function([x, k], [T.topk(x, k), T.argtopk(x, k, axis=0)], backend=backend)
    given = np.array([[3.0, 1.0, 2.0], [4.0, 6.0, 5.0]])
    for count in (1, 2, -1, -2):
        best, places = f(given, count)
        ordered = np.sort(given)[:, :: -int(np.sign(count))]
        np.testing.assert_array_equal(best, ordered[:, : abs(count)])
        order = np.argsort(given, axis=0)[:: -int(np.sign(count))]
        np.testing.assert_array_equal(places, order[: abs(count)])
    with pytest.raises(IndexError, match="out of range for an axis of size 2"):
        f(given, 3)
    with pytest.raises(IndexError, match="out of range for an axis of size 3"):
        graphc.function([x], T.topk(x, 4), backend=backend)(given)


def test_mistakes() -> None:
    x, s = T.dvector("x"), T.dscalar("s")
    with pytest.raises(GraphcTypeError, match="sort needs an axis"):
        T.sort(s)
    with pytest.raises(GraphcValueError, match="kind 'bubble' is none of"):
        T.sort(x, kind="bubble")
    with pytest.raises(GraphcValueError, match="no fields to order by"):
        T.argsort(x, order="a")
    with pytest.raises(GraphcValueError, match="topk: 0 of the elements"):
        T.topk(x, 0)
    with pytest.raises(GraphcValueError, match="topk: 4 of 3 elements"):
        T.topk(np.zeros(3), 4)
    with pytest.raises(GraphcTypeError, match="is an integer"):
        T.topk(x, 1.5)
    with pytest.raises(GraphcValueError, match="out of range"):
        T.cumsum(x, axis=1)
    with pytest.raises(GraphcTypeError, match="along one axis"):
        T.cumsum(x, axis=(0,))
