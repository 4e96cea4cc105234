"""Random draws on a device: the kernels of `kernels/philox.cl`."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from graphc.backends.opencl.arrays import DeviceArray
from graphc.backends.opencl.device import Device
from graphc.backends.opencl.kernel import Kernel, c_type
from graphc.backends.opencl.kernel_files import read

BLOCK = 32
"""Bytes of a block of four words, for which there is one work-item."""

_kernels = threading.local()


def draw(
    device: Device, name: str, state: Any, step: DeviceArray, part: int, out: DeviceArray
) -> None:
    """Queue the draw of an array: ``name`` is that of a kernel."""
    lanes = BLOCK // out.dtype.itemsize
    count = out.nbytes // out.dtype.itemsize
    kernel = _kernel(device, out.dtype, name)
    kernel.set(state.buffer, step.buffer, out.buffer, part, count)
    kernel.launch((-(-count // lanes),))


def prepare(device: Device, dtype: str, name: str) -> None:
    """Build a kernel before it is needed."""
    _make_kernel(device, np.dtype(dtype), name)


def _kernel(device: Device, dtype: np.dtype[Any], name: str) -> Kernel:
    """Return this thread's kernel of that name: a kernel keeps its arguments until its launch."""
    made: dict[Any, Kernel] = _kernels.__dict__
    key = (device, dtype, name)
    if key not in made:
        made[key] = _make_kernel(device, dtype, name)
    return made[key]


def _make_kernel(device: Device, dtype: np.dtype[Any], name: str) -> Kernel:
    options = [f"-DT={c_type(device, dtype)}", f"-DLANES={BLOCK // dtype.itemsize}"]
    if device.info.kind == "cpu":
        options.append("-DON_CPU")
    if dtype == np.float64:
        options.append("-DNEEDS_FP64")
    if dtype.kind == "u":
        options.append("-DBITS")
    scalars: list[Any] = [None] * 3 + [np.int64] * 2
    return device.kernel(read("philox.cl"), name, scalars, options)
