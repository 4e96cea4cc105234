"""Correlation and pooling on a device: `kernels/conv.cl`, `kernels/pool.cl` and matrix products.

A correlation copies the pixels under its windows into a matrix for each image, some images at a
time, and multiplies; its gradients are products with the same matrices.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import numpy as np

from graphc.backends.opencl import products
from graphc.backends.opencl.arrays import DeviceArray
from graphc.backends.opencl.device import Device
from graphc.backends.opencl.kernel import Kernel, c_type, cpu_group, round_up
from graphc.backends.opencl.kernel_files import read
from graphc.backends.opencl.launch import largest_group, launch_sizes
from graphc.backends.opencl.products import Matrix, Vector

Pair = tuple[int, int]

FILES = {
    "columns": "conv.cl",
    "fold": "conv.cl",
    "pool_max": "pool.cl",
    "pool_share": "pool.cl",
    "pool_spread": "pool.cl",
    "pool_pick": "pool.cl",
}
BUFFERS = {"pool_share": 4, "pool_spread": 4, "pool_pick": 4}
LONGS = {"conv.cl": 13, "pool.cl": 9}
NEEDS = {
    "conv2d": ("columns",),
    "conv2d_inputs": ("fold",),
    "conv2d_weights": ("columns",),
    "pool_max": ("pool_max",),
    "pool_spread": ("pool_share", "pool_spread"),
    "pool_pick": ("pool_pick",),
}
"""The kernels of each op, besides products."""

CPU_BYTES, GPU_BYTES = 1 << 24, 1 << 27
"""Of the matrices that exist at one time, where there is more than one image."""
LANES = 32

_kernels = threading.local()


def prepare(device: Device, op: str, dtype: Any) -> None:
    """Build what an op will launch."""
    for name in NEEDS[op]:
        _kernel(device, name, np.dtype(dtype))
    if op.startswith("conv"):
        products.prepare(device, dtype, "gemm")


def _kernel(device: Device, name: str, dtype: np.dtype[Any]) -> Kernel:
    """Return this thread's kernel of that name: a kernel keeps its arguments until its launch."""
    made = _kernels.__dict__.setdefault("made", {})
    found = made.get((device, name, dtype))
    if found is None:
        options = [f"-DT={c_type(device, dtype)}"]
        options += ["-DNEEDS_FP64"] if dtype == np.float64 else []
        file = FILES[name]
        scalars = [None] * BUFFERS.get(name, 2) + [np.int64] * LONGS[file]
        found = made[device, name, dtype] = device.kernel(read(file), name, scalars, options)
    return found  # type: ignore[no-any-return]


# -- correlation ----------------------------------------------------------------------------------


class _Work:
    """A correlation over images of one size: its matrices, a block of images at a time."""

    def __init__(
        self,
        device: Device,
        x: Any,
        window: tuple[int, ...],
        out: Any,
        stride: Pair,
        dilation: Pair,
        groups: int,
    ) -> None:
        self.device, self.dtype, self.groups = device, out.dtype, groups
        self.images, self.channels = x.shape[:2]
        self.filters, self.places = out.shape[1] // groups, prod(out.shape[2:])
        self.rows = prod(window) * self.channels
        self._numbers = (*x.shape[1:], *window, *out.shape[2:], *stride, *dilation)
        self._out_rows = out.shape[2]

    def blocks(self) -> Iterator[tuple[int, int, Any]]:
        """Yield the first image and the number of images of each block, and space for matrices."""
        image = max(1, self.rows * self.places * self.dtype.itemsize)
        limit = CPU_BYTES if self.device.info.kind == "cpu" else GPU_BYTES
        step = min(max(1, limit // image), max(1, self.images))
        space = self.device.alloc(step * image)
        for first in range(0, self.images, step):
            yield first, min(step, self.images - first), space
        self.device.free(space)

    def run(self, name: str, source: Any, target: Any, first: int, images: int) -> None:
        """Queue `columns` or `fold`."""
        rows = self.rows * self._out_rows if name == "columns" else prod(self._numbers[:2])
        count = images * rows
        along = self._numbers[6] if name == "columns" else self._numbers[2]
        kernel = _kernel(self.device, name, self.dtype)
        if self.device.info.kind == "cpu":
            local = (1, cpu_group(count, self.device.limits.compute_units))
        else:
            largest = largest_group(self.device, kernel)
            lanes = min(LANES, largest)
            local = (lanes, max(1, largest // lanes))
        if count and along:
            sizes = (local[0], round_up(count, local[1]))
            kernel.run((source, target, count, first, *self._numbers), sizes, local)

    def matrix(self, space: Any, group: int) -> Matrix:
        """Return (pixels of the window, places) of a group, a batch over images."""
        rows = self.rows // self.groups
        offset = group * rows * self.places
        return Matrix(space, rows, self.places, self.places, 1, offset, self.rows * self.places)

    def results(self, buffer: Any, first: int, group: int) -> Matrix:
        """Return (filters, places) of a group from an image on, a batch over images."""
        one = self.filters * self.places
        offset = (first * self.groups + group) * one
        return Matrix(buffer, self.filters, self.places, self.places, 1, offset, self.groups * one)

    def weights(self, buffer: Any, group: int) -> Matrix:
        """Return (filters, pixels of the window) of a group, the same for all images."""
        rows = self.rows // self.groups
        return Matrix(buffer, self.filters, rows, rows, 1, group * self.filters * rows)

    def product(self, a: Matrix, b: Matrix, c: Matrix, images: int) -> None:
        """Queue a product for each image."""
        products.gemm(self.device, self.dtype, a, b, c, batch=images)


def conv2d(
    device: Device, x: Any, w: Any, out: DeviceArray, stride: Pair, dilation: Pair, groups: int
) -> None:
    """Queue the correlation of images with filters."""
    work = _Work(device, x, w.shape[2:], out, stride, dilation, groups)
    for first, images, space in work.blocks():
        work.run("columns", x.buffer, space, first, images)
        for group in range(groups):
            columns, results = work.matrix(space, group), work.results(out.buffer, first, group)
            work.product(work.weights(w.buffer, group), columns, results, images)


def conv2d_inputs(
    device: Device, g: Any, w: Any, out: DeviceArray, stride: Pair, dilation: Pair, groups: int
) -> None:
    """Queue the gradient of a correlation by its images."""
    work = _Work(device, out, w.shape[2:], g, stride, dilation, groups)
    for first, images, space in work.blocks():
        for group in range(groups):
            columns, results = work.matrix(space, group), work.results(g.buffer, first, group)
            work.product(work.weights(w.buffer, group).T, results, columns, images)
        work.run("fold", space, out.buffer, first, images)


def conv2d_weights(
    device: Device, x: Any, g: Any, out: DeviceArray, stride: Pair, dilation: Pair, groups: int
) -> None:
    """Queue the gradient of a correlation by its filters: a product an image, and their sum."""
    work = _Work(device, x, out.shape[2:], g, stride, dilation, groups)
    size, itemsize = prod(out.shape), out.dtype.itemsize
    products.fill(device, out.dtype, (size,), products.View(out.buffer, (1,)), 0)
    parts = device.alloc(max(1, work.images * size * itemsize))
    ones = device.alloc(max(1, work.images * itemsize))
    products.fill(device, out.dtype, (work.images,), products.View(ones, (1,)), 1)
    for first, images, space in work.blocks():
        work.run("columns", x.buffer, space, first, images)
        for group in range(groups):
            columns, results = work.matrix(space, group), work.results(g.buffer, first, group)
            part = work.weights(parts, group)
            part = Matrix(parts, part.rows, part.cols, part.cols, 1, part.offset, size)
            work.product(results, columns.T, part, images)
        whole = Matrix(parts, size, images, 1, size)
        ones_, total = Vector(ones, images), Vector(out.buffer, size)
        products.gemv(device, out.dtype, whole, ones_, total, beta=1)
    for buffer in (parts, ones):
        device.free(buffer)


# -- the largest in each window -------------------------------------------------------------------


def _pool(
    device: Device, name: str, arrays: tuple[Any, ...], images: Any, windows: Any, size: Pair,
    stride: Pair,
) -> None:  # fmt: skip
    """Queue a kernel of `pool.cl`; the last array is the result."""
    count = prod((images if name == "pool_spread" else windows).shape)
    if not count:
        return
    kernel = _kernel(device, name, images.dtype)
    places = (*images.shape[2:], *windows.shape[2:], *size, *stride)
    buffers = [getattr(array, "buffer", array) for array in arrays]
    sizes = launch_sizes(device, count, 1, largest_group(device, kernel))
    kernel.run((*buffers, count, *places), *sizes)


def pool_max(
    device: Device, x: Any, out: DeviceArray, size: Pair, stride: Pair, cover: bool
) -> None:
    """Queue the largest number in each window."""
    _pool(device, "pool_max", (x, out), x, out, size, stride)


def pool_spread(
    device: Device,
    x: Any,
    top: Any,
    g: Any,
    out: DeviceArray,
    size: Pair,
    stride: Pair,
    cover: bool,
) -> None:
    """Queue what belongs to the windows, shared evenly by their largest pixels."""
    share = device.alloc(max(1, prod(top.shape) * out.dtype.itemsize))
    _pool(device, "pool_share", (x, top, g, share), x, top, size, stride)
    _pool(device, "pool_spread", (x, top, share, out), x, top, size, stride)
    device.free(share)


def pool_pick(
    device: Device,
    x: Any,
    top: Any,
    v: Any,
    out: DeviceArray,
    size: Pair,
    stride: Pair,
    cover: bool,
) -> None:
    """Queue the mean of v over the largest pixels of each window of x."""
    _pool(device, "pool_pick", (x, top, v, out), x, top, size, stride)


ROUTINES: dict[str, Callable[..., None]] = {
    "conv2d": conv2d,
    "conv2d_inputs": conv2d_inputs,
    "conv2d_weights": conv2d_weights,
    "pool_max": pool_max,
    "pool_spread": pool_spread,
    "pool_pick": pool_pick,
}
