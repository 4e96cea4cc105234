"""Softmax and its logarithm in one kernel, against what they are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.backends.opencl import build as build_module
from graphc.backends.opencl.device import Device
from graphc.ops import reduce as ops

BOTH = {"softmax": ops.softmax, "log_softmax": ops.log_softmax}


@pytest.fixture(params=["as it is", "as a gpu"])
def where(
    request: pytest.FixtureRequest, device: Device, as_gpu: Device, monkeypatch: pytest.MonkeyPatch
) -> Device:
    """The device that functions are compiled for, once with trees."""
    found = device if request.param == "as it is" else as_gpu
    monkeypatch.setattr(build_module, "get_device", lambda name: found)
    return found


def compiled(name: str, dtype: str, ndim: int, axes: tuple[int, ...]) -> tuple[Any, Any]:
    """Compile an op for both backends."""
    x = T.TensorType(dtype, (False,) * ndim)("x")
    y = BOTH[name](x, axes=axes)
    return tuple(graphc.function([x], y, backend=backend) for backend in ("opencl", "numpy"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BOTH)
def test_rows_of_any_length(where: Device, name: str, dtype: str) -> None:
    if dtype == "float64" and not where.limits.fp64:
        pytest.skip("no float64")
    f, plain = compiled(name, dtype, 2, (1,))
    assert "along_rows(" in f.source
    assert "kernel void" not in f.source
    for shape in [(1, 1), (3, 7), (5, 8), (2, 1000), (700, 9), (0, 4)]:
        x = 30 * np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)
        tolerance = 1e-5 if dtype == "float32" else 1e-13
        np.testing.assert_allclose(f(x), plain(x), tolerance, tolerance)


@pytest.mark.parametrize("name", BOTH)
def test_infinities_and_nan(where: Device, name: str) -> None:
    f, plain = compiled(name, "float32", 2, (1,))
    inf, nan = np.inf, np.nan
    rows = [[1, -inf, 2], [inf, 1, 2], [-inf, -inf, -inf], [nan, 1, 2], [1e38, -1e38, 0], [5, 5, 5]]
    for repeats in (1, 7):
        x = np.tile(np.array(rows, "float32"), repeats)
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(f(x), plain(x), 1e-6)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize(
    ("axes", "whole"),
    [((2,), True), ((1, 2), True), ((0,), False), ((0, 1), False), ((0, 1, 2), False)],
)
def test_which_axes_are_rows(where: Device, name: str, axes: tuple[int, ...], whole: bool) -> None:
    f, plain = compiled(name, "float32", 3, axes)
    assert ("along_rows(" in f.source) is whole
    x = np.random.default_rng(0).normal(size=(4, 5, 6)).astype("float32")
    np.testing.assert_allclose(f(x), plain(x), 1e-5, 1e-6)


def test_of_a_view_and_among_others(where: Device) -> None:
    x, w = T.fmatrix("x"), T.fmatrix("w")
    y = T.dot(T.nnet.softmax(x.T * 2), w) + T.nnet.logsoftmax(x[::2, 1:].T).sum()
    f, plain = (graphc.function([x, w], y, backend=b) for b in ("opencl", "numpy"))
    assert f.source.count("along_rows(") == 2
    a, b = np.random.default_rng(0).normal(size=(2, 6, 6)).astype("float32")
    np.testing.assert_allclose(f(a, b), plain(a, b), 1e-5, 1e-5)


def test_both_of_one_argument_share_their_work(where: Device) -> None:
    """A loss and its gradient need the exponentials once."""
    x = T.fmatrix("x")
    f = graphc.function([x], [T.nnet.softmax(x), T.nnet.logsoftmax(x)], backend="opencl")
    assert "along_rows(" not in f.source
    a = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
    p, q = f(a)
    np.testing.assert_allclose(np.log(p), q, 1e-5)


def test_in_a_loop(where: Device) -> None:
    x = T.fmatrix("x")
    found, _ = graphc.scan(lambda s: T.nnet.softmax(s), outputs_info=[x], n_steps=3)
    f, plain = (graphc.function([x], found, backend=b) for b in ("opencl", "numpy"))
    a = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
    np.testing.assert_allclose(f(a), plain(a), 1e-5)
