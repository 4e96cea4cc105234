"""What goes along an axis on a device: `kernels/sort.cl` and `kernels/scan.cl`."""

from __future__ import annotations

import threading
from math import prod
from typing import Any

import numpy as np

from graphc.backends.opencl.arrays import DeviceArray
from graphc.backends.opencl.device import Device
from graphc.backends.opencl.kernel import Kernel, c_type
from graphc.backends.opencl.kernel_files import read
from graphc.backends.opencl.routines import ArrayView, Routines, as_view

NAMES = ("scan_along", "sort_along")

LONG = np.dtype(np.int64)
RUN = 16  # elements that are sorted by insertion
PARTS = (32, 1024)  # elements that a work-item merges, on a GPU and on a CPU: powers of 2
ITEMS = 8192  # work-items that keep a device busy
CHUNK = 256  # elements that are worth one

_kernels = threading.local()


class AlongRoutines:
    """The routines on one device."""

    def __init__(self, routines: Routines) -> None:
        self.device = routines.device
        self._copy_view = routines.copy_view

    def sort_along(self, x: Any, axis: int, out: DeviceArray, places: bool = False) -> None:
        """Queue the elements of x in rising order along an axis, or the places they come from."""
        if 0 in out.shape:
            return
        x = as_view(x)
        last = _last(x, axis)
        length, rows = x.shape[axis], prod(out.shape) // x.shape[axis]
        values = [self._empty(last.shape, x.dtype)]
        self._copy_view(last, values[0])
        found = [self._empty(last.shape, LONG)] if places else []
        self._launch("sort_runs", x.dtype, places, values + found, (length, RUN), rows)
        run = RUN
        while run < length:
            new = [self._empty(last.shape, x.dtype)]
            into = [self._empty(last.shape, LONG)] if places else []
            buffers = [*values, *new, *found, *into]
            self._launch("merge_runs", x.dtype, places, buffers, (length, run), rows)
            values, found = new, into
            run *= 2
        self._copy_view((found if places else values)[0], _last(as_view(out), axis))

    def _launch(
        self,
        name: str,
        dtype: np.dtype[Any],
        places: bool,
        arrays: list[DeviceArray],
        numbers: tuple[int, ...],
        rows: int,
    ) -> None:
        options = ["-DWITH_PLACES"] if places else []
        length, run = numbers[:2]
        part = run
        if name == "merge_runs":
            part = min(2 * run, PARTS[self.device.info.kind == "cpu"])
            numbers = (length, run, part)
        kernel = _kernel(self.device, "sort.cl", name, dtype, len(arrays), len(numbers), options)
        arguments = (*(array.buffer for array in arrays), *numbers)
        kernel.run(arguments, (-(-length // part), rows))

    def scan_along(self, kind: str, arrays: list[Any], axis: int, out: DeviceArray) -> None:
        """Queue the values of `kernels/scan.cl`; arrays are contiguous, ``kind`` is its macro."""
        if 0 in out.shape:
            return
        outer, length, inner = prod(out.shape[:axis]), out.shape[axis], prod(out.shape[axis + 1 :])
        wanted = max(1, min(ITEMS // (outer * inner), -(-length // CHUNK)))
        chunk = -(-length // wanted)
        chunks = -(-length // chunk)
        options = [f"-D{kind}"] if kind else []
        given = [array.buffer for array in arrays]
        total, factor = (self._empty((outer * chunks * inner,), out.dtype) for _ in range(2))
        numbers = (length, inner, chunk)
        space = (inner, chunks, outer)
        if chunks > 1:
            buffers = (*given, total.buffer, factor.buffer)
            kernel = self._scan("totals", out, len(buffers), 3, options)
            kernel.run((*buffers, *numbers), space)
            kernel = self._scan("carries", out, 2, 2, options)
            kernel.run((total.buffer, factor.buffer, inner, chunks), (inner, outer))
        buffers = (*given, out.buffer, total.buffer)
        self._scan("scan", out, len(buffers), 3, options).run((*buffers, *numbers), space)

    def _scan(
        self, name: str, out: DeviceArray, buffers: int, longs: int, options: list[str]
    ) -> Kernel:
        return _kernel(self.device, "scan.cl", name, out.dtype, buffers, longs, options)

    def _empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> DeviceArray:
        buffer = self.device.alloc(prod(shape) * dtype.itemsize)
        return DeviceArray(self.device, buffer, shape, dtype)


def _last(view: ArrayView, axis: int) -> ArrayView:
    """Return a view with an axis moved to the end."""
    order = [k for k in range(len(view.shape)) if k != axis] + [axis]
    shape, strides = (tuple(part[k] for k in order) for part in (view.shape, view.strides))
    return view._replace(shape=shape, strides=strides)


def _kernel(
    device: Device,
    file: str,
    name: str,
    dtype: np.dtype[Any],
    buffers: int,
    longs: int,
    options: list[str],
) -> Kernel:
    """Return this thread's kernel for arrays of a dtype: a kernel keeps its arguments."""
    made: dict[Any, Kernel] = _kernels.__dict__.setdefault("made", {})
    key = (device, name, dtype, buffers, *options)
    if key not in made:
        options = [f"-DT={c_type(device, dtype)}", *options]
        options += ["-DNEEDS_FP64"] if dtype == np.float64 else []
        options += ["-DIS_FLOAT"] if dtype.kind == "f" else []
        scalars: list[Any] = [None] * buffers + [LONG] * longs
        made[key] = device.kernel(read(file), name, scalars, options)
    return made[key]
