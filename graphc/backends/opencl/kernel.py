"""A prepared kernel: its arguments are set once, its launch is one call into the driver.

Setting six arguments costs 0.7 microseconds and a launch 1.5 (PoCL); the same with NumPy scalars
instead of declared dtypes costs 20, which is why the dtypes of numbers are declared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from graphc.backends.opencl.runtime import check_process, describe, opencl, out_of_memory
from graphc.errors import DeviceError

if TYPE_CHECKING:
    import pyopencl as cl

    from graphc.backends.opencl.device import Device


class Kernel:
    """One kernel with its arguments. Not for two threads at once: make one each.

    Parameters
    ----------
    device : Device
    program : pyopencl.Program
    name : str
    scalars : sequence of dtype or None
        One per parameter: None for a buffer, the dtype of a number passed by value.
    """

    __slots__ = ("_arguments", "_enqueue", "_handle", "device", "name")

    def __init__(
        self, device: Device, program: cl.Program, name: str, scalars: Sequence[DTypeLike | None]
    ) -> None:
        module = opencl()
        self.device = device
        self.name = name
        self._enqueue = module.enqueue_nd_range_kernel
        self._arguments: tuple[Any, ...] = ()
        try:
            self._handle = module.Kernel(program, name)
        except module.Error as error:
            raise DeviceError(f"kernel {name} on {device.info.label}: {describe(error)}") from error
        self._handle.set_scalar_arg_dtypes(
            [None if dtype is None else np.dtype(dtype) for dtype in scalars]
        )

    @property
    def work_group_size(self) -> int:
        """The largest work-group this kernel can have on its device."""
        return int(self._info("WORK_GROUP_SIZE"))

    @property
    def local_memory(self) -> int:
        """Bytes of local memory a work-group of this kernel takes."""
        return int(self._info("LOCAL_MEM_SIZE"))

    def set(self, *arguments: Any) -> Kernel:
        """Set all arguments, in order, for this launch and later ones; returns the kernel.

        The kernel keeps the buffers alive until other arguments are set.
        """
        self._handle.set_args(*arguments)
        self._arguments = arguments
        return self

    def launch(
        self, global_size: tuple[int, ...], local_size: tuple[int, ...] | None = None
    ) -> cl.Event | None:
        """Queue the kernel; nothing is queued, and None returned, if a size is 0.

        Parameters
        ----------
        global_size : tuple of int
            A multiple of `local_size` on every axis (`round_up`).
        local_size : tuple of int, optional
            The driver chooses if it is not given.

        Returns
        -------
        pyopencl.Event or None

        Raises
        ------
        DeviceError
            If the driver refuses, also after the pool of buffers was emptied.
        """
        check_process()
        if 0 in global_size:
            return None
        try:
            event = self._enqueue(self.device.queue, self._handle, global_size, local_size)
        except opencl().Error as error:
            event = self._again(error, global_size, local_size)
        if self.device.recorder is not None:
            self.device.recorder.note("kernel", self.name, 0, event)
        return event

    def run(
        self,
        arguments: Sequence[Any],
        global_size: tuple[int, ...],
        local_size: tuple[int, ...] | None = None,
    ) -> None:
        """Set the arguments and queue the kernel, without keeping the arguments any longer.

        What is queued keeps its buffers alive by itself, in the driver.
        """
        self._handle.set_args(*arguments)
        self.launch(global_size, local_size)

    def _again(
        self, error: Exception, global_size: tuple[int, ...], local_size: tuple[int, ...] | None
    ) -> cl.Event:
        """Launch once more after a lack of memory: many drivers allocate at the first launch."""
        sizes = f"kernel {self.name}, sizes {global_size} in groups of {local_size}"
        if not out_of_memory(error):
            raise DeviceError(f"{sizes}: {describe(error)}") from error
        self.device.relieve()
        try:
            return self._enqueue(self.device.queue, self._handle, global_size, local_size)
        except opencl().Error as second:
            raise DeviceError(f"{sizes}: {describe(second)}; {self.device.no_room()}") from second

    def _info(self, what: str) -> Any:
        field = getattr(opencl().kernel_work_group_info, what)
        return self._handle.get_work_group_info(field, self.device.queue.device)


CPU_GROUP = 64
C_TYPES = {
    "bool": "uchar",
    "int8": "char",
    "uint8": "uchar",
    "int16": "short",
    "uint16": "ushort",
    "int32": "int",
    "uint32": "uint",
    "int64": "long",
    "uint64": "ulong",
    "float32": "float",
    "float64": "double",
}


def c_type(device: Device, dtype: DTypeLike) -> str:
    """Return the name of a dtype in OpenCL C.

    Raises
    ------
    DeviceError
        If the device has no such type, float64 above all.
    """
    name = np.dtype(dtype).name
    if name == "float64" and not device.limits.fp64:
        raise DeviceError(
            f"{device.info.label} has no float64\n"
            '  - compute in float32: graphc.config.floatX = "float32" before building the graph\n'
            "  - or on another device, or on NumPy"
        )
    if name not in C_TYPES:
        raise DeviceError(f"OpenCL backend: arrays of {name} are not supported")
    return C_TYPES[name]


def cpu_group(items: int, compute_units: int) -> int:
    """Return a work-group size for a kernel without barriers on a CPU.

    PoCL's own choice was slower for a few hundred heavy work-items (0.9 ms instead of 0.55 for a
    large sum). It compiles a kernel anew for each size of group, so there are just two.

    Examples
    --------
    >>> cpu_group(489, 2), cpu_group(100_000, 2)
    (1, 64)
    """
    return CPU_GROUP if items >= 4 * CPU_GROUP * compute_units else 1


def round_up(size: int, step: int) -> int:
    """Round a global size up to a multiple of the work-group's.

    Examples
    --------
    >>> round_up(100, 64), round_up(0, 64)
    (128, 0)
    """
    return -(-size // step) * step
