"""Strided copies, fills and joins, of any rank."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from graphc.backends.opencl import products
from graphc.backends.opencl.device import Device
from graphc.backends.opencl.products import View

DTYPES = ["bool", "int16", "float32", "float64"]


def view_of(whole: NDArray[Any], part: NDArray[Any], buffer: Any) -> View:
    """Say where a NumPy view lies in its array."""
    start = part.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    strides = tuple(s // whole.itemsize for s in part.strides)
    return View(buffer, strides, start // whole.itemsize)


@st.composite
def views(draw: st.DrawFn, whole: NDArray[Any]) -> NDArray[Any]:
    """Draw a view: axes permuted, cut, stepped over and reversed."""
    part = whole.transpose(draw(st.permutations(range(whole.ndim))))
    step = st.sampled_from([1, 1, 2, -1, -2])
    return part[(..., *(slice(None, None, draw(step)) for _ in range(part.ndim)))]


@settings(max_examples=60, deadline=None)
@given(shape=st.lists(st.integers(0, 4), max_size=8), data=st.data())
@pytest.mark.parametrize("dtype", DTYPES)
def test_copy(device: Device, dtype: str, shape: list[int], data: st.DataObject) -> None:
    count = int(np.prod(shape)) if shape else 1
    source = np.arange(count).reshape(shape).astype(dtype)
    part = data.draw(views(source))
    target = np.zeros((*part.shape[:-1], part.shape[-1] + 2) if part.ndim else (2,), dtype)
    into = target[..., 1 : 1 + part.shape[-1]] if part.ndim else target[1]
    buffer = device.to_device(target)
    at = View(buffer, tuple(s // target.itemsize for s in into.strides), 1)
    given_view = view_of(source, part, device.to_device(source))
    products.copy(device, dtype, part.shape, given_view, at)
    if part.ndim:
        into[...] = part
    else:
        target[1] = part
    np.testing.assert_array_equal(device.to_host(buffer, target.shape, dtype), target)


def test_copy_repeats_stride_0(device: Device) -> None:
    x = np.arange(3, dtype="float32")
    out = device.alloc(4 * 12)
    source, target = View(device.to_device(x), (0, 1)), View(out, (3, 1))
    products.copy(device, "float32", (4, 3), source, target)
    np.testing.assert_array_equal(device.to_host(out, (4, 3), "float32"), np.tile(x, (4, 1)))


@settings(max_examples=40, deadline=None)
@given(shape=st.lists(st.integers(0, 4), max_size=6), data=st.data())
@pytest.mark.parametrize(
    ("dtype", "value"), [("bool", True), ("int16", -7), ("float32", np.nan), ("float64", -0.0)]
)
def test_fill(
    device: Device, dtype: str, value: Any, shape: list[int], data: st.DataObject
) -> None:
    whole = np.ones([*shape, 3], dtype)
    part = data.draw(views(whole))
    buffer = device.to_device(whole)
    products.fill(device, dtype, part.shape, view_of(whole, part, buffer), value)
    part[...] = value
    got = device.to_host(buffer, whole.shape, dtype)
    np.testing.assert_array_equal(got, whole)
    if whole.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(got), np.signbit(whole))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_join_is_copies(device: Device, axis: int) -> None:
    pieces = [np.random.default_rng(n).random(np.roll([n, 3, 4], axis)) for n in (1, 0, 5)]
    pieces = [np.ascontiguousarray(p).astype("float32") for p in pieces]
    whole = np.concatenate(pieces, axis)
    out = device.alloc(whole.nbytes)
    steps = tuple(s // 4 for s in whole.strides)
    done = 0
    for piece in pieces:
        source = View(device.to_device(piece), tuple(s // 4 for s in piece.strides))
        target = View(out, steps, done * steps[axis])
        products.copy(device, "float32", piece.shape, source, target)
        done += piece.shape[axis]
    np.testing.assert_array_equal(device.to_host(out, whole.shape, "float32"), whole)


@pytest.mark.parametrize(("shape", "rows"), [((5, 7), True), ((4, 5, 7), True), ((1, 7), False)])
def test_rows_are_copied_by_the_driver(
    device: Device, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], rows: bool
) -> None:
    """Where they are neighbours on both sides, and only there; what lies between is untouched."""
    if device.info.kind != "cpu":
        pytest.skip("on CPUs only")
    seen = []
    copy_rows = Device.copy_rows
    monkeypatch.setattr(Device, "copy_rows", lambda *a: (seen.append(a[3]), copy_rows(*a)))
    source = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    target = np.full((*shape[:-1], shape[-1] + 3), -1, "float32")
    sent, buffer = device.to_device(source), device.to_device(target)
    strides = tuple(s // 4 for s in source.strides), tuple(s // 4 for s in target.strides)
    products.copy(device, "float32", shape, View(sent, strides[0]), View(buffer, strides[1], 2))
    target[..., 2:-1] = source
    np.testing.assert_array_equal(device.to_host(buffer, target.shape, "float32"), target)
    assert len(seen) == rows
