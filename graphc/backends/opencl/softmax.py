"""Softmax and its logarithm over the last axes: `kernels/softmax.cl`."""

from __future__ import annotations

import threading
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from graphc.backends.opencl import reduce
from graphc.backends.opencl.device import Device
from graphc.backends.opencl.kernel import Kernel, c_type, cpu_group, round_up
from graphc.backends.opencl.kernel_files import read

NAMES = ("log_softmax", "softmax")
GPU_GROUP = 128

_kernels = threading.local()


def run(device: Device, name: str, x: Any, axes: int, out: Any) -> None:
    """Queue the kernel.

    Parameters
    ----------
    device : Device
    name : {'softmax', 'log_softmax'}
    x, out : DeviceArray
        Of one shape and dtype, in order.
    axes : int
        The number of axes that are a row.
    """
    kept = len(out.shape) - axes
    rows, length = prod(out.shape[:kept]), prod(out.shape[kept:])
    if not rows or not length:
        return
    kernel, group = _kernel(device, out.dtype, name)
    if device.info.kind == "cpu":
        local = cpu_group(rows, device.limits.compute_units)
        sizes = (round_up(rows, local),), (local,)
    else:
        sizes = (rows * group,), (group,)
    kernel.run((x.buffer, out.buffer, rows, length), *sizes)


def prepare(device: Device, dtype: DTypeLike, name: str) -> None:
    """Build the kernel before it is needed."""
    _make_kernel(device, np.dtype(dtype), name)


def _kernel(device: Device, dtype: np.dtype[Any], name: str) -> tuple[Kernel, int]:
    """Return this thread's kernel and the width of its trees: a kernel keeps its arguments."""
    try:
        return _kernels.made[device, dtype, name]  # type: ignore[no-any-return]
    except AttributeError:
        _kernels.made = {}
    except KeyError:
        pass
    made = _kernels.made[device, dtype, name] = _make_kernel(device, dtype, name)
    return made


def _make_kernel(device: Device, dtype: np.dtype[Any], name: str) -> tuple[Kernel, int]:
    group = 1
    if device.info.kind != "cpu":
        group = min(GPU_GROUP, device.limits.work_group_size)
    while True:
        write = partial(_source, device, dtype, group)
        source, _ = device.build_widest(write, dtype)
        kernel = device.kernel(source, name, [None, None, np.int64, np.int64])
        if group == 1 or group <= kernel.work_group_size:
            return kernel, group
        group //= 2  # a kernel may take fewer work-items than the device


def _source(device: Device, dtype: np.dtype[Any], group: int, width: int) -> str:
    head = [
        f"#define T {c_type(device, dtype)}",
        f"#define WIDTH {width}",
        f"#define GROUP {group}",
    ]
    return "\n".join([*head, read("prelude.cl"), reduce.macros(), read("softmax.cl")])
