"""Groups as kernels: their text, and their numbers against NumPy for every way to lie in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.backends.opencl.device import Device
from graphc.ir.node import Node
from graphc.ir.types import TensorType

pytestmark = pytest.mark.usefixtures("device")

INTS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
RNG = np.random.default_rng(7)


def both(
    inputs: Sequence[Node], outputs: Sequence[Any], *args: Any, rtol: float = 1e-12
) -> graphc.function:
    """Compile for OpenCL and for NumPy, compare the results, and return the OpenCL function."""
    found = graphc.function(inputs, outputs, backend="opencl", on_unused_input="ignore")
    plain = graphc.function(inputs, outputs, backend="numpy", on_unused_input="ignore")
    for k, (got, wanted) in enumerate(zip(found(*args), plain(*args), strict=True)):
        assert got.dtype == wanted.dtype and got.shape == wanted.shape, k
        scale = np.max(np.abs(wanted[np.isfinite(wanted)]), initial=0)
        np.testing.assert_allclose(
            got, wanted, rtol=rtol, atol=rtol * float(scale), err_msg=f"output {k}"
        )
    return found


# -- text ---------------------------------------------------------------------------------------


def test_text_of_the_host_function() -> None:
    x, y = T.dmatrix("x"), T.dvector("y")
    w = graphc.shared(np.zeros(3), "w")
    p = T.nnet.sigmoid(T.dot(x, w))
    cost = T.sqr(p - y).mean()
    f = graphc.function(
        [x, y], [p, cost], updates=[(w, w - T.grad(cost, w))], backend="opencl", name="step"
    )
    host = f.source[: f.source.index("/*")]
    assert "def step(x, y):" in host
    assert host.count("dot(") == 2
    assert "commit(w_, " in host or "changed(w_)" in host
    assert host.count("read(") == 1, "one wait for all results"
    assert "test_groups.py" in host


def test_names_that_c_does_not_have() -> None:
    names = ["exp", "float", "größe", "out0", "k1", "read", "np", "i", "x", "x0", "kernel"]
    inputs = [T.dvector(name) for name in names]
    inputs += [TensorType("float64", (None,))("x")]  # two variables of one name
    values = [RNG.normal(size=5) for _ in inputs]
    both(inputs, [T.exp(sum(inputs[1:], inputs[0]))], *values)


# -- dtypes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_special_numbers(dtype: str) -> None:
    special = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e300, -1e-300, 2.5, -3.5]
    with np.errstate(over="ignore"):
        pairs = np.array(list(itertools.product(special, special))).astype(dtype)
    x, y = T.vector("x", dtype=dtype), T.vector("y", dtype=dtype)
    outputs = [T.maximum(x, y), T.minimum(x, y), x < y, x <= y, T.eq(x, y), T.neq(x, y)]
    outputs += [T.sgn(x), x % y, x // y, T.switch(x > y, x, y), abs(x), T.clip(x, -1, 1)]
    outputs += [x / y, T.maximum(x, np.nan), T.minimum(x, np.inf), x * np.inf, x + -np.inf]
    outputs += [x.max(), y.min(), T.argmax(x), T.any(x), T.all(x)]
    both([x, y], outputs, pairs[:, 0].copy(), pairs[:, 1].copy(), rtol=0)


@pytest.mark.parametrize("dtype", INTS)
def test_integers_wrap_and_divide_as_in_numpy(dtype: str) -> None:
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    special = [low, low + 1, 0, 1, 2, 3, 7, high - 1, high, high // 2]
    special += [-1, -2, -7] if low else []
    pairs = np.array(list(itertools.product(special, special)), dtype)
    x, y = T.vector("x", dtype=dtype), T.vector("y", dtype=dtype)
    outputs = [x + y, x - y, x * y, -x, x // y, x % y, abs(x), T.sgn(x), T.maximum(x, y)]
    outputs += [x < y, x >= y, x & y, x | y, x ^ y, ~x, T.switch(x > y, x, y), T.sqr(x)]
    outputs += [x.sum(), x.prod(), x.max(), x.min(), T.argmin(x), x + 1, x * 3, T.clip(x, 1, 5)]
    both([x, y], outputs, pairs[:, 0].copy(), pairs[:, 1].copy(), rtol=0)


def test_casts_between_all_dtypes() -> None:
    names = [*INTS, "bool", "float32", "float64"]
    inputs = [T.vector(f"a_{name}", dtype=name) for name in names]
    base = np.array([0, 1, 2, 3, 100, 5, 0, 77, 1, 126, 13])
    floats = np.array([0.0, -0.0, 1.5, 2.5, 99.9, 0.1, 126.7, 3.0, 1e-9, 7.99, 12.5])
    values = [(floats if "float" in name else base).astype(name) for name in names]
    both(inputs, [T.cast(x, name) for x in inputs for name in names if x.dtype != name], *values)


def test_floats_that_integers_cannot_hold() -> None:
    """Signed results are NumPy's on this kind of processor; negative numbers wrap."""
    x = T.dvector("x")
    value = np.array([-1.0, -100.7, 200.3, 70000.9, -70000.9, 1e5, 3e9, -3e9, 2.0**63, 1.8e19])
    both(
        [x], [T.cast(x[:6], name) for name in INTS if "64" not in name and "32" not in name], value
    )
    both([x], [T.cast(x[:6], "int32"), T.cast(x[:8], "int64"), T.cast(x[:7], "uint32")], value)
    both([x], [T.cast(x[:6], "uint64"), T.cast(x[8:], "uint64")], value)


def test_bools() -> None:
    x, y = T.matrix("x", dtype="bool"), T.matrix("y", dtype="bool")
    outputs = [x + y, x * y, x & y, x | y, x ^ y, ~x, T.eq(x, y), T.switch(x, y, ~y), x > y]
    outputs += [
        x.any(axis=0),
        x.all(axis=1),
        x.sum(),
        x.sum(axis=0),
        x.max(axis=0),
        T.argmax(x, axis=1),
    ]
    outputs += [T.dot(x, y.T), T.cast(x, "float32") * 2]
    value = RNG.random((2, 7, 9)) < 0.4
    both([x, y], outputs, value[0], value[1], rtol=0)


# -- places in memory ---------------------------------------------------------------------------


def test_broadcasting_and_views() -> None:
    x = T.tensor3("x", dtype="float64")
    row, column, v, s = T.drow("row"), T.dcol("column"), T.dvector("v"), T.dscalar("s")
    plane = T.dmatrix("plane")
    a, b, c = 3, 5, 13
    outputs = [
        x + v,
        x + row,
        x + column,
        x * s + plane,
        row + column,
        x[::-1] + x,
        x[:, ::-1, ::-1] * 2,
        x[:, :, 1:-1] + x[:, :, 2:],
        x[::2, 1::3, ::-2] + 1,
        x.dimshuffle(2, 0, 1) + 1,
        x.dimshuffle(2, 1, 0) * v.dimshuffle(0, "x", "x"),
        x + x.dimshuffle(0, "x", 1, 2)[:, 0],
        T.exp(plane.T) + plane.T[::-1],
        x[1] + plane,
        T.arange(v.shape[0]) * 2 + v,
        T.arange(v.shape[0])[::-1] + x,
        T.zeros_like(x) + 1,
        x[:, 2, 3].dimshuffle(0, "x") + v,
        T.cast(x > 0, "int64") + T.arange(13),
    ]
    both(
        [x, row, column, v, s, plane],
        outputs,
        RNG.normal(size=(a, b, c)),
        RNG.normal(size=(1, c)),
        RNG.normal(size=(b, 1)),
        RNG.normal(size=c),
        0.5,
        RNG.normal(size=(b, c)),
    )


@pytest.mark.parametrize("shape", [(4, 6, 8), (3, 1, 17), (1, 1, 1), (2, 300, 3), (5, 2, 1000)])
def test_folds_over_all_combinations_of_axes(shape: tuple[int, ...]) -> None:
    x, v = T.tensor3("x", dtype="float64"), T.dvector("v")
    combinations = [c for n in (1, 2, 3) for c in itertools.combinations(range(3), n)]
    outputs = []
    for axes in combinations:
        outputs += [x.sum(axis=axes), x.max(axis=axes), (x * v).min(axis=axes)]
        outputs += [x.dimshuffle(2, 0, 1).sum(axis=axes), (x[:, ::-1] > 0).any(axis=axes)]
    outputs += [T.argmax(x, axis=k) for k in range(3)]
    outputs += [T.argmin(x.dimshuffle(1, 2, 0), axis=k) for k in range(3)]
    both([x, v], outputs, RNG.normal(size=shape), RNG.normal(size=shape[-1]))


def test_stores_and_folds_in_one_kernel() -> None:
    x, y = T.dmatrix("x"), T.dvector("y")
    for axis in (None, 0, 1):
        z = T.exp(x * y)
        f = both(
            [x, y],
            [z, z.sum(axis=axis), (z * x).max(axis=axis), z + 1],
            RNG.normal(size=(37, 21)),
            RNG.normal(size=21),
        )
        assert f.source.count("kernel void") == 1, axis


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_large_arrays_with_odd_sizes(dtype: str) -> None:
    x, v = T.matrix("x", dtype=dtype), T.vector("v", dtype=dtype)
    z = T.tanh(x) * v
    outputs = [z, z.sum(), z.sum(axis=0), z.sum(axis=1), z.max(), T.argmax(z, axis=1), x.T * 2]
    for shape in [(1009, 1013), (3, 333_337), (333_337, 3)]:
        value = RNG.normal(size=shape).astype(dtype)
        both(
            [x, v],
            outputs,
            value,
            RNG.normal(size=shape[1]).astype(dtype),
            rtol=1e-9 if dtype == "float64" else 1e-3,
        )


def test_empty_arrays() -> None:
    x, v = T.dmatrix("x"), T.dvector("v")
    outputs = [x + v, x.sum(), x.sum(axis=0), x.sum(axis=1), x.prod(), x.any(), x.all(axis=0)]
    outputs += [T.dot(x, v), T.dot(x.T, x), T.concatenate([x, x]), x[:0] * 2, x.T.flatten()]
    for shape in [(0, 3), (3, 0), (0, 0)]:
        both([x, v], outputs, np.zeros(shape), np.zeros(shape[1]))


def test_more_outputs_than_a_kernel_has_arguments(device: Device) -> None:
    x, w = T.dvector("x"), graphc.shared(np.zeros(9), "w")
    numbers = range(device.limits.max_parameter_size // 8 + 20)
    outputs = [x * float(k) + w for k in numbers]
    f = graphc.function([x], outputs, updates=[(w, w + x)], backend="opencl")
    value = RNG.normal(size=9)
    for old in (0 * value, value):  # the old value, in whichever kernel the new one is written
        np.testing.assert_allclose(f(value), [value * k + old for k in numbers])
    for text in f.source.split("kernel void")[1:]:
        assert (text.split("{")[0].count(",") + 1) * 8 <= device.limits.max_parameter_size


def test_a_long_chain_and_many_inputs() -> None:
    inputs = [T.dvector(f"x{k}") for k in range(150)]
    total: Any = inputs[0]
    for one in inputs[1:]:
        total = total * 0.5 + T.sin(one)
    both(inputs, [total, total.sum()], *[RNG.normal(size=11) for _ in inputs])


def test_scalars_that_stay_on_the_device() -> None:
    x, w = T.dvector("x"), graphc.shared(2.0, "w")
    mean = x.mean()
    spread = T.sqrt(T.sqr(x - mean).mean())
    f = graphc.function([x], [(x - mean) / spread * w], updates=[(w, w + spread)], backend="opencl")
    value = RNG.normal(size=50)
    got = f(value)[0]
    np.testing.assert_allclose(got, (value - value.mean()) / value.std() * 2)
    np.testing.assert_allclose(w.get_value(), 2 + value.std())
    assert "number(" not in f.source


def _identity(x: Any) -> Any:
    return x


@pytest.mark.parametrize("make", [_identity, np.negative])
def test_the_vector_widths_of_the_device_all_build(
    make: Callable[..., Any], device: Device
) -> None:
    """Nothing in the tests before fell back to narrower vectors."""
    for dtype in ("float32", "float64"):
        assert device.vector_width(dtype) == device.limits.vector_width(dtype)
