"""Products of matrices and vectors against NumPy: any sizes, strides, offsets and batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from graphc.backends.opencl import products
from graphc.backends.opencl.device import Device
from graphc.backends.opencl.products import Matrix, Vector
from graphc.errors import NotSupportedError, ShapeError

DTYPES = ["float32", "float64", "int32"]
SIZES = st.sampled_from([0, 1, 2, 3, 4, 7, 16, 33, 65, 97, 121, 130])
Array = NDArray[Any]


class Operand:
    """A matrix somewhere in a larger buffer, with its value and the strides to reach it."""

    def __init__(
        self,
        device: Device,
        data: st.DataObject,
        name: str,
        shape: tuple[int, int, int],
        dtype: str,
    ) -> None:
        batch, rows, cols = shape
        flip = data.draw(st.booleans(), f"{name} transposed")
        step = data.draw(st.sampled_from([1, 1, 2]), f"{name} step")
        gap, offset = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 5))
        inner, outer = (rows, cols) if flip else (cols, rows)
        row = inner * step + gap
        strides = (step, row) if flip else (row, step)
        self.whole = (
            np.random.default_rng(rows + 7 * cols)
            .integers(-4, 5, offset + batch * (outer * row + gap) + 1)
            .astype(dtype)
        )
        self.buffer = device.to_device(self.whole)
        self.matrix = Matrix(self.buffer, rows, cols, *strides, offset, outer * row + gap)
        self.value = self.view(self.whole, batch)

    def view(self, whole: Array, batch: int) -> Array:
        """Return the matrices as a view of the flat array."""
        m = self.matrix
        size = whole.itemsize
        return np.lib.stride_tricks.as_strided(
            whole[m.offset :],
            (batch, m.rows, m.cols),
            (m.batch_stride * size, m.row_stride * size, m.col_stride * size),
        )

    def result(self, device: Device) -> Array:
        """Read the buffer back, all of it: what lies around the matrix must be untouched."""
        return device.to_host(self.buffer, self.whole.shape, self.whole.dtype)


@settings(max_examples=30, deadline=None)
@given(m=SIZES, n=SIZES, k=SIZES, batch=st.sampled_from([1, 1, 3]), data=st.data())
@pytest.mark.parametrize("dtype", DTYPES)
def test_gemm(
    each_device: Device, dtype: str, m: int, n: int, k: int, batch: int, data: st.DataObject
) -> None:
    if dtype == "float64" and not each_device.limits.fp64:
        pytest.skip("no float64")
    a = Operand(each_device, data, "a", (batch, m, k), dtype)
    b = Operand(each_device, data, "b", (batch, k, n), dtype)
    c = Operand(each_device, data, "c", (batch, m, n), dtype)
    alpha, beta = data.draw(st.sampled_from([1, 2])), data.draw(st.sampled_from([0, 1, -3]))
    products.gemm(
        each_device, dtype, a.matrix, b.matrix, c.matrix, alpha=alpha, beta=beta, batch=batch
    )
    expected = c.whole.copy()
    # Small integers: exact in every dtype, whatever the order of the sums.
    c.view(expected, batch)[...] = alpha * (a.value @ b.value) + beta * c.value
    np.testing.assert_array_equal(c.result(each_device), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(300, 200, 700), (1, 500, 300), (257, 129, 513)])
def test_gemm_of_real_numbers(each_device: Device, dtype: str, shape: tuple[int, ...]) -> None:
    if dtype == "float64" and not each_device.limits.fp64:
        pytest.skip("no float64")
    m, n, k = shape
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype)
    out = each_device.alloc(m * n * a.itemsize)
    left = Matrix.contiguous(each_device.to_device(a), m, k)
    right = Matrix.contiguous(each_device.to_device(b), k, n)
    products.gemm(each_device, dtype, left, right, Matrix.contiguous(out, m, n))
    got = each_device.to_host(out, (m, n), dtype)
    bound = k * np.finfo(dtype).eps * (abs(a) @ abs(b))
    assert (abs(got - a.astype("longdouble") @ b.astype("longdouble")) <= bound).all()


@pytest.mark.parametrize("n", [1, 5, 100])
def test_old_result_is_not_read_without_beta(each_device: Device, n: int) -> None:
    a = np.ones((n, n), "float32")
    out = each_device.to_device(np.full((n, n), np.nan, "float32"))
    x = Matrix.contiguous(each_device.to_device(a), n, n)
    products.gemm(each_device, "float32", x, x.T, Matrix.contiguous(out, n, n))
    assert (each_device.to_host(out, (n, n), "float32") == n).all()


def test_batch_that_repeats_one_matrix(device: Device) -> None:
    a, b = np.arange(6.0, dtype="f4").reshape(2, 3), np.arange(24.0, dtype="f4").reshape(4, 3, 2)
    out = device.alloc(4 * 4 * 4)
    products.gemm(
        device,
        "float32",
        Matrix(device.to_device(a), 2, 3, 3, 1, 0, 0),
        Matrix.contiguous(device.to_device(b), 3, 2),
        Matrix.contiguous(out, 2, 2),
        batch=4,
    )
    np.testing.assert_array_equal(device.to_host(out, (4, 2, 2), "float32"), a @ b)


@settings(max_examples=25, deadline=None)
@given(
    rows=st.sampled_from([1, 2, 3, 8, 31, 200]),
    cols=st.sampled_from([1, 5, 64, 999, 4000, 66_000]),
    flip=st.booleans(),
    beta=st.sampled_from([0, 2]),
    steps=st.tuples(st.integers(1, 2), st.integers(-2, 2).filter(bool)),
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_gemv(
    each_device: Device,
    dtype: str,
    rows: int,
    cols: int,
    flip: bool,
    beta: int,
    steps: tuple[int, int],
) -> None:
    if dtype == "float64" and not each_device.limits.fp64:
        pytest.skip("no float64")
    rng = np.random.default_rng(rows * cols)
    a = rng.integers(-2, 3, (cols, rows) if flip else (rows, cols)).astype(dtype)
    x, y = (rng.integers(-2, 3, n * 2).astype(dtype) for n in (cols, rows))
    x_offset = 0 if steps[0] > 0 else 2 * cols - 1
    y_offset = 0 if steps[1] > 0 else 2 * rows - 1
    ys = each_device.to_device(y)
    matrix = Matrix.contiguous(each_device.to_device(a), *a.shape)
    products.gemv(
        each_device,
        dtype,
        matrix.T if flip else matrix,
        Vector(each_device.to_device(x), cols, steps[0], x_offset),
        Vector(ys, rows, steps[1], y_offset),
        alpha=3,
        beta=beta,
    )
    expected = y.copy()
    target = expected[y_offset :: steps[1]][:rows]
    target[...] = 3 * ((a.T if flip else a) @ x[x_offset :: steps[0]][:cols]) + beta * target
    np.testing.assert_array_equal(each_device.to_host(ys, y.shape, dtype), expected)


@pytest.mark.parametrize("size", [0, 1, 10, 1000, 300_001])
@pytest.mark.parametrize("dtype", DTYPES)
def test_dot(each_device: Device, dtype: str, size: int) -> None:
    x = np.random.default_rng(size).integers(-2, 3, size).astype(dtype)
    buffer, out = each_device.to_device(x), each_device.alloc(8)
    backwards = Vector(buffer, size, -1, max(0, size - 1))
    products.dot(each_device, dtype, Vector(buffer, size), backwards, Vector(out, 1))
    assert each_device.to_host(out, (1,), dtype)[0] == x @ x[::-1]


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (5, 70), (130, 3)])
def test_outer(device: Device, shape: tuple[int, int]) -> None:
    x, y = np.arange(shape[0], dtype="float32"), np.arange(shape[1], dtype="float32")
    c = np.ones(shape[::-1], "float32")
    out = device.to_device(c)
    matrix = Matrix.contiguous(out, *c.shape).T
    vectors = [Vector(device.to_device(v), v.size) for v in (x, y)]
    products.outer(device, "float32", *vectors, matrix, alpha=2, beta=1)
    got = device.to_host(out, c.shape, "float32").T
    np.testing.assert_array_equal(got, 2 * np.outer(x, y) + 1)


def test_wrong_sizes_and_dtypes(device: Device) -> None:
    x = device.alloc(64)
    m = Matrix.contiguous
    with pytest.raises(ShapeError, match=r"product of \(2, 3\) and \(2, 3\) into \(2, 3\)"):
        products.gemm(device, "float32", m(x, 2, 3), m(x, 2, 3), m(x, 2, 3))
    with pytest.raises(ShapeError, match=r"product of \(2, 3\) and \(2,\)"):
        products.gemv(device, "float32", m(x, 2, 3), Vector(x, 2), Vector(x, 2))
    with pytest.raises(ShapeError, match="outer product"):
        products.outer(device, "float32", Vector(x, 2), Vector(x, 2), m(x, 2, 3))
    with pytest.raises(NotSupportedError, match="products of float16"):
        products.gemm(device, "float16", m(x, 2, 2), m(x, 2, 2), m(x, 2, 2))
