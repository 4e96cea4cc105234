"""Prepared launches: what a generated host function calls to run one kernel.

A launch knows its kernel, its vector width and its device; a call gives sizes, arrays and numbers.
Kernels keep their arguments between setting and launching, so a lock guards the two: several
threads may call one function.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

from graphc.backends.opencl.device import Device
from graphc.backends.opencl.kernel import Kernel, cpu_group, round_up
from graphc.backends.opencl.reduce import split_columns, split_rows

GPU_GROUP = 256
KEPT_CUTS = 64
PLACE_BYTES = 8


def largest_group(device: Device, kernel: Kernel) -> int:
    """Return the work-group a kernel without a tree gets on a device that is not a CPU.

    A kernel that needs many registers may not run in groups as large as the device has them.
    """
    if device.info.kind == "cpu":
        return 1
    return min(GPU_GROUP, device.limits.work_group_size, kernel.work_group_size)


def launch_sizes(
    device: Device, items: int, group: int, largest: int
) -> tuple[tuple[int], tuple[int]]:
    """Return global and local size for so many work-items, or trees of ``group`` of them.

    The size of a work-group is never left to the driver: PoCL would compile the kernel anew for
    each one it thinks of, and others choose 1 where the count is a prime.
    """
    if group > 1:
        return (items * group,), (group,)
    if device.info.kind == "cpu":
        largest = cpu_group(items, device.limits.compute_units)
    return (round_up(items, largest),), (largest,)


class MapLaunch:
    """Runs an elementwise kernel: ``launch(n, *arrays, *numbers)``."""

    def __init__(self, device: Device, kernel: Kernel, arrays: int, width: int) -> None:
        self._kernel = kernel
        self._arrays = arrays
        self._width = width
        self._device = device
        self._largest = largest_group(device, kernel)
        self._lock = threading.Lock()

    def __call__(self, n: int, *arguments: Any) -> None:
        """Queue the kernel over ``n`` elements."""
        if not n:
            return
        count = self._arrays
        buffers = [array.buffer for array in arguments[:count]]
        sizes = launch_sizes(self._device, -(-n // self._width), 1, self._largest)
        with self._lock:
            self._kernel.run((*buffers, *arguments[count:], n), *sizes)


class FoldResult(NamedTuple):
    """What a fold stores: values of so many bytes, and whether places come with them."""

    itemsize: int
    placed: bool


class FoldLaunch:
    """Runs a reducing kernel, in two stages where one would not keep the device busy.

    ``launch(*sizes, arguments, results)`` with the sizes of the frame: rows and length, or outer,
    length and inner.

    Parameters
    ----------
    first, second : Kernel
        Of the elements, and of the parts.
    arrays : int
        How many of the arguments are arrays; the others are numbers.
    width, group : int
        What the kernels were built with.
    folds : sequence of FoldResult
    """

    def __init__(
        self,
        device: Device,
        first: Kernel,
        second: Kernel,
        arrays: int,
        width: int,
        group: int,
        folds: Sequence[FoldResult],
    ) -> None:
        self._device = device
        self._first = first
        self._second = second
        self._arrays = arrays
        self._width = width
        self._group = group
        self._folds = tuple(folds)
        self._largest = min(largest_group(device, first), largest_group(device, second))
        self._lock = threading.Lock()
        self._cuts: dict[tuple[int, ...], tuple[int, int]] = {}

    def __call__(self, *given: Any) -> None:
        """Queue the kernel, and that of the second stage if there is one."""
        *sizes, arguments, results = given
        count = sizes[0] * sizes[2] if len(sizes) == 3 else sizes[0]
        if not count:
            return
        buffers = [array.buffer for array in arguments[: self._arrays]]
        numbers = arguments[self._arrays :]
        splits, chunk = self._cut(tuple(sizes))
        lent: list[Any] = []
        finals = self._outputs([array.buffer for array in results], count, lent)
        outs = finals
        if splits > 1:
            outs = self._outputs([None] * len(self._folds), count * splits, lent)
        items = splits * (sizes[0] * -(-sizes[2] // self._width) if len(sizes) == 3 else sizes[0])
        with self._lock:
            self._first.run(
                (*buffers, *numbers, *outs, *sizes, splits, chunk),
                *launch_sizes(self._device, items, self._group, self._largest),
            )
            if splits > 1:
                own = (1, splits, count) if len(sizes) == 3 else (count, splits)
                self._second.run(
                    (*outs, *finals, *own, 1, splits),
                    *launch_sizes(self._device, count, self._group, self._largest),
                )
        for buffer in lent:
            self._device.free(buffer)

    def _cut(self, sizes: tuple[int, ...]) -> tuple[int, int]:
        """Return the number of parts and their length."""
        cut = self._cuts.get(sizes)
        if cut is None:
            split: Any = split_rows if len(sizes) == 2 else split_columns
            found = split(self._device.info, *sizes, self._width)
            if len(self._cuts) >= KEPT_CUTS:
                self._cuts.clear()
            cut = self._cuts[sizes] = found.splits, found.chunk
        return cut

    def _outputs(self, results: Sequence[Any], count: int, lent: list[Any]) -> list[Any]:
        """Return the buffers of outputs in the frame's order; ``lent`` gets those made here."""
        found = []
        for fold, result in zip(self._folds, results, strict=True):
            if fold.placed or result is None:
                lent.append(self._device.alloc(count * fold.itemsize))
                found.append(lent[-1])
            if fold.placed and result is None:
                lent.append(self._device.alloc(count * PLACE_BYTES))
                found.append(lent[-1])
            elif result is not None:
                found.append(result)
        return found
