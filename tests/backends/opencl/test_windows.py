"""`kernels/conv.cl` and `kernels/pool.cl` against the meaning of the ops, for CPUs and GPUs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc.backends.opencl import windows
from graphc.backends.opencl.arrays import DeviceArray, Memory
from graphc.backends.opencl.device import Device
from graphc.ir.op import OPS

RNG = np.random.default_rng(5)


def run(device: Device, op: str, arrays: list[np.ndarray], shape: Any, *place: Any) -> np.ndarray:
    """Run the routine of an op on a device, and return what it wrote."""
    memory = Memory(device)
    windows.prepare(device, op, arrays[0].dtype)
    out: DeviceArray = memory.empty(tuple(shape), arrays[0].dtype)
    windows.ROUTINES[op](device, *map(memory.send, arrays), out, *place)
    return out.to_host()


WAYS = [
    # images, filters, stride, dilation, groups
    ((3, 4, 9, 8), (6, 4, 3, 2), (1, 1), (1, 1), 1),
    ((2, 4, 11, 40), (4, 2, 2, 3), (2, 3), (2, 1), 2),
    ((5, 2, 70, 69), (3, 2, 5, 5), (1, 1), (1, 1), 1),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_correlation(
    way: Any, dtype: str, each_device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With space for the matrices of all images, and of one image at a time."""
    shape, window, *place = way
    x, w = (RNG.standard_normal(size).astype(dtype) for size in (shape, window))
    attrs = dict(zip(("stride", "dilation", "groups"), place, strict=True))
    expected = OPS["conv2d"].reference(x, w, **attrs)  # type: ignore[misc]
    g = RNG.standard_normal(expected.shape).astype(dtype)
    by_x = OPS["conv2d_inputs"].reference(g, w, *shape[2:], **attrs)  # type: ignore[misc]
    by_w = OPS["conv2d_weights"].reference(x, g, *window[2:], **attrs)  # type: ignore[misc]
    for limit in (windows.CPU_BYTES, 1):
        monkeypatch.setattr(windows, "CPU_BYTES", limit)
        monkeypatch.setattr(windows, "GPU_BYTES", limit)
        for op, arrays, wanted in (
            ("conv2d", [x, w], expected),
            ("conv2d_inputs", [g, w], by_x),
            ("conv2d_weights", [x, g], by_w),
        ):
            found = run(each_device, op, arrays, wanted.shape, *place)
            allowed = 100 * np.finfo(dtype).eps
            np.testing.assert_allclose(found, wanted, allowed, allowed * np.abs(wanted).max(), op)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8"])
@pytest.mark.parametrize("size", [(2, 2), (3, 4)])
@pytest.mark.parametrize("stride", [(2, 2), (1, 3)])
@pytest.mark.parametrize("cover", [False, True])
def test_pooling(
    size: tuple[int, int], stride: tuple[int, int], cover: bool, dtype: str, each_device: Device
) -> None:
    x = RNG.integers(0, 5, (3, 2, 37, 20)).astype(dtype)  # with ties
    attrs = {"size": size, "stride": stride, "cover": cover}
    top = OPS["pool_max"].reference(x, **attrs)  # type: ignore[misc]
    np.testing.assert_array_equal(
        run(each_device, "pool_max", [x], top.shape, *attrs.values()), top
    )
    if not dtype.startswith("float"):
        return
    g, v = (RNG.standard_normal(a.shape).astype(dtype) for a in (top, x))
    for op, other, shape in (("pool_spread", g, x.shape), ("pool_pick", v, top.shape)):
        wanted = OPS[op].reference(x, top, other, **attrs)  # type: ignore[misc]
        found = run(each_device, op, [x, top, other], shape, *attrs.values())
        allowed = 20 * np.finfo(dtype).eps
        np.testing.assert_allclose(found, wanted, allowed, allowed, op)
