"""Indexing with arrays on a device: `kernels/gather.cl`, `scatter.cl` and `search.cl`.

Indices that the host has are checked there and sent as places. Those on the device are checked by
a kernel that notes the first one out of range, which the host waits for: an error is raised before
anything else of the call happens. Writes are sorted by place on the host, so that each place has
one work-item; there are no atomics on floats, and every run gives the same bits.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from graphc.backends.numpy.places import check_range, flat_places
from graphc.backends.opencl import products
from graphc.backends.opencl.arrays import DeviceArray
from graphc.backends.opencl.device import Device
from graphc.backends.opencl.kernel import Kernel, c_type, cpu_group, round_up
from graphc.backends.opencl.kernel_files import read
from graphc.backends.opencl.routines import ArrayView, Routines, as_view

NAMES = ("add_at", "find", "inside", "put_at", "search", "take_at")

LONG = np.dtype(np.int64)
NOWHERE = 0xFFFFFFFF  # of the first index out of range: there is none
CHUNKS = 1024


class IndexRoutines:
    """The routines on one device."""

    def __init__(self, routines: Routines) -> None:
        self.device = routines.device
        self._copy_view = routines.copy_view
        self._fill_view = routines.fill_view

    # -- reading --

    def take_at(self, x: Any, indices: Sequence[Any], axis: int, out: DeviceArray) -> None:
        """Queue ``out = x[:, ..., *indices]``, the first index for axis ``axis``.

        Raises
        ------
        IndexError
            If an index is out of range.
        """
        count = len(indices)
        cuts = (axis, *range(axis + 1, axis + count + 1))
        x, strides, held = self._in_groups(as_view(x), cuts)
        place = self._places(indices, x.shape[axis : axis + count], strides[1:-1])
        if 0 in out.shape:
            return
        behind = prod(x.shape[axis + count :])
        buffers = (x.buffer, out.buffer, place.buffer)
        numbers = (behind, place.shape[0], x.offset, strides[0], strides[-1])
        before = prod(out.shape[:axis])
        _launch(self.device, ("gather", "gather_at"), buffers, numbers, before, out)
        del held

    def _places(
        self, indices: Sequence[Any], shape: Sequence[int], strides: Sequence[int]
    ) -> DeviceArray:
        """Return what indices point to, as a vector of offsets in elements."""
        if all(isinstance(index, np.ndarray) for index in indices):
            found: Any = 0
            for index, size, stride in zip(indices, shape, strides, strict=True):
                low = check_range(index, size)
                index = index.astype(np.int64, copy=False)
                counted = np.where(index < 0, index + size, index) if low < 0 else index
                found = found + counted * stride
            return self._send(found.reshape(-1))
        place = self._empty((prod(_shape(indices[0])),), LONG)
        self._fill_places(indices, [-size for size in shape], shape, strides, place)
        return place

    def _fill_places(
        self,
        indices: Sequence[Any],
        lowest: Sequence[int],
        shape: Sequence[int],
        strides: Sequence[int],
        place: DeviceArray,
    ) -> None:
        """Write places from indices on the device, and wait to hear whether all are in range."""
        count = prod(place.shape)
        if not count:
            return
        bad = self._send(np.full(len(indices), NOWHERE, np.uint32))
        there = [self._contiguous(index) for index in indices]
        for which, (index, low, size, stride) in enumerate(
            zip(there, lowest, shape, strides, strict=True)
        ):
            kernel = _kernel(self.device, "gather", "place_at", index.dtype)
            numbers = (which, count, low, size, stride)
            kernel.run((index.buffer, place.buffer, bad.buffer, *numbers), (count,))
        for first, index, size in zip(bad.to_host(), there, shape, strict=True):
            if first != NOWHERE:
                value = self.device.to_host(index.buffer, (), index.dtype, offset=int(first))
                raise IndexError(f"index {value} is out of range for an axis of size {size}")

    def inside(self, index: Any, size: int, out: DeviceArray) -> None:
        """Queue a copy of an index array, if all of it lies in ``[0, size)``.

        Raises
        ------
        IndexError
            If it does not.
        """
        if isinstance(index, np.ndarray):
            check_range(index, size, 0)
            self._copy_view(self._send(index), out)
            return
        place = self._empty((prod(out.shape),), LONG)
        self._fill_places([index], [0], [size], [1], place)
        self._copy_view(index, out)

    # -- writing --

    def put_at(self, x: Any, y: Any, indices: Sequence[Any], axis: int, out: DeviceArray) -> None:
        """Queue ``out = x``, and then y at the places of `take_at`; the last write stays.

        x may be a number.

        Raises
        ------
        IndexError
            If an index is out of range.
        """
        self._write("scatter_at", (x, y, indices, axis, out), False)

    def add_at(
        self,
        x: Any,
        y: Any,
        indices: Sequence[Any],
        axis: int,
        out: DeviceArray,
        distinct: bool = False,
    ) -> None:
        """Queue ``out = x``, and y added at the places of `take_at`, as often as each occurs.

        x may be a number.

        Raises
        ------
        IndexError
            If an index is out of range.
        """
        self._write("scatter_add_at", (x, y, indices, axis, out), distinct)

    def _write(self, name: str, operands: tuple[Any, ...], distinct: bool) -> None:
        x, y, indices, axis, out = operands
        shape = out.shape[axis : axis + len(indices)]
        rows = flat_places(tuple(map(self._fetched, indices)), shape)
        if isinstance(x, (bool, int, float)):
            self._fill_view(out, x)
        elif x is not out:
            self._copy_view(x, out)
        if not rows.size or 0 in out.shape:
            return
        order, first, place = map(self._send, _runs(rows, distinct))
        y, strides, held = self._in_groups(as_view(y), (axis, axis + len(_shape(indices[0]))))
        behind = prod(out.shape[axis + len(indices) :])
        buffers = (y.buffer, out.buffer, order.buffer, first.buffer, place.buffer)
        numbers = (behind, place.shape[0], prod(shape), y.offset, *strides)
        _launch(self.device, ("scatter", name), buffers, numbers, prod(out.shape[:axis]), out)
        del held

    # -- finding --

    def find(self, x: Any, out: DeviceArray) -> None:
        """Queue the places at which a vector is not zero."""
        x = as_view(x)
        (size,), (stride,) = x.shape, x.strides
        if not size or 0 in out.shape:
            return
        chunk = max(64, -(-size // CHUNKS))
        chunks = -(-size // chunk)
        counts = self._empty((chunks,), LONG)
        place = (size, chunk, x.offset, stride)
        kernel = _kernel(self.device, "search", "count_nonzero", x.dtype)
        kernel.run((x.buffer, counts.buffer, *place), (chunks,))
        _kernel(self.device, "search", "sum_before", x.dtype).run((counts.buffer, chunks), (1,))
        kernel = _kernel(self.device, "search", "find_nonzero", x.dtype)
        kernel.run((x.buffer, counts.buffer, out.buffer, *place, *out.shape), (chunks,))

    def search(self, a: Any, v: Any, side: str, out: DeviceArray) -> None:
        """Queue where each value would be put into a sorted vector."""
        a, v = self._contiguous(a), self._contiguous(v)
        count = prod(out.shape)
        kernel = _kernel(self.device, "search", "search", v.dtype)
        numbers = (a.shape[0], count, int(side == "right"))
        kernel.run((a.buffer, v.buffer, out.buffer, *numbers), (count,))

    # -- arrays --

    def _empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> DeviceArray:
        buffer = self.device.alloc(prod(shape) * dtype.itemsize)
        return DeviceArray(self.device, buffer, shape, dtype)

    def _send(self, array: np.ndarray) -> DeviceArray:
        return DeviceArray(self.device, self.device.to_device(array), array.shape, array.dtype)

    def _contiguous(self, array: Any) -> DeviceArray:
        """Return an array whose elements lie one after the other, from the start of its buffer."""
        if isinstance(array, DeviceArray):
            return array
        if isinstance(array, np.ndarray):
            return self._send(array)
        made = self._empty(array.shape, array.dtype)
        self._copy_view(array, made)
        return made

    def _fetched(self, index: Any) -> np.ndarray:
        """Return an index array on the host: a wait, if it is on the device."""
        if isinstance(index, np.ndarray):
            return index
        return self._contiguous(index).to_host()

    def _in_groups(
        self, view: ArrayView, cuts: Sequence[int]
    ) -> tuple[ArrayView, tuple[int, ...], object]:
        """Return a view with the one stride of each group of its axes; of a copy, if need be.

        What comes last holds the copy's buffer: without it, the pool would give it away.
        """
        strides = _of_groups(view, cuts)
        if strides is not None:
            return view, strides, None
        copy = self._contiguous(view)
        view = as_view(copy)
        return view, _of_groups(view, cuts) or (), copy


def _of_groups(view: ArrayView, cuts: Sequence[int]) -> tuple[int, ...] | None:
    """Return the stride of each group of axes; None if a group does not have one."""
    strides = []
    for start, end in itertools.pairwise([0, *cuts, len(view.shape)]):
        axes = products.merged(view.shape[start:end], (view.strides[start:end],))
        if len(axes) > 1:
            return None
        strides.append(axes[0][1][0] if axes else 0)
    return tuple(strides)


def _shape(index: Any) -> tuple[int, ...]:
    return index.shape  # type: ignore[no-any-return]


def _runs(rows: np.ndarray, distinct: bool) -> tuple[np.ndarray, ...]:
    """Return the order of writes by place, where each place's begin, and the places."""
    if distinct:
        return np.arange(rows.size), np.arange(rows.size + 1), rows
    order = np.argsort(rows, kind="stable")
    sorted_rows = rows[order]
    starts = np.flatnonzero(np.concatenate(([True], sorted_rows[1:] != sorted_rows[:-1])))
    return order, np.append(starts, rows.size), sorted_rows[starts]


_BUFFERS = {
    "place_at": 3,
    "gather_at": 3,
    "scatter_at": 5,
    "scatter_add_at": 5,
    "count_nonzero": 2,
    "sum_before": 1,
    "find_nonzero": 3,
    "search": 3,
}
_LONGS = {
    "place_at": 5,
    "gather_at": 5,
    "scatter_at": 7,
    "scatter_add_at": 7,
    "count_nonzero": 4,
    "sum_before": 1,
    "find_nonzero": 5,
    "search": 3,
}
_kernels = threading.local()
_MOVES_BITS = ("gather_at", "scatter_at")


def _kernel(
    device: Device, file: str, name: str, dtype: np.dtype[Any], whole: bool = False
) -> Kernel:
    """Return this thread's kernel for a dtype: a kernel keeps its arguments until its launch."""
    made = _kernels.__dict__.setdefault("made", {})
    key = (device, name, dtype, whole)
    if key not in made:
        made[key] = _make_kernel(device, file, name, dtype, whole)
    return made[key]  # type: ignore[no-any-return]


def _make_kernel(device: Device, file: str, name: str, dtype: np.dtype[Any], whole: bool) -> Kernel:
    options = ["-DWHOLE"] if whole else []
    if name == "place_at":
        options.append(f"-DI={c_type(device, dtype)}")
    elif name in _MOVES_BITS:
        options.append(f"-DT={c_type(device, np.dtype(f'u{dtype.itemsize}'))}")
    else:
        options.append(f"-DT={c_type(device, dtype)}")
        options += ["-DNEEDS_FP64"] if dtype == np.float64 else []
        options += ["-DIS_FLOAT"] if dtype.kind == "f" else []
    if name == "scatter_add_at" and dtype == np.bool_:
        options.append("-DSUM(a,b)=((a)|(b))")
    scalars: list[Any] = [None] * _BUFFERS[name] + [LONG] * _LONGS[name]
    return device.kernel(read(f"{file}.cl"), name, scalars, options)


def _launch(
    device: Device,
    names: tuple[str, str],
    buffers: tuple[Any, ...],
    numbers: tuple[int, ...],
    before: int,
    out: DeviceArray,
) -> None:
    """Launch a kernel over what lies behind the places, the places, and what lies before."""
    width, count = numbers[:2]
    units = device.limits.compute_units
    whole = width == 1 or (device.info.kind == "cpu" and count * before >= 4 * units)
    kernel = _kernel(device, *names, out.dtype, whole)
    if not whole:
        kernel.run((*buffers, *numbers), (width, count, before))
    elif device.info.kind == "cpu":
        group = cpu_group(count, units)
        kernel.run((*buffers, *numbers), (round_up(count, group), 1, before), (group, 1, 1))
    else:
        kernel.run((*buffers, *numbers), (count, 1, before))
