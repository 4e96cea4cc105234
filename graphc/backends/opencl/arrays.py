"""Arrays on a device: what generated host functions take, pass to kernels and read back.

An array holds its buffer until nobody refers to it any more; then the buffer goes back to the
device's pool. That is safe whatever is still queued, since a device has one queue that runs in
order. So nothing that a call allocates has to be given back by hand, also when the call fails.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from graphc.backends.opencl.device import Device
from graphc.backends.opencl.pool import plain_array
from graphc.backends.opencl.runtime import opencl


class DeviceArray:
    """A contiguous array in a buffer of a device.

    Attributes
    ----------
    buffer : pyopencl.Buffer
    array : numpy.ndarray or None
        Its value on the host, where `Memory.read` has put it.
    """

    __slots__ = ("array", "buffer", "device", "dtype", "pooled", "shape")

    def __init__(
        self, device: Device, buffer: Any, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self.device = device
        self.buffer = buffer
        self.shape = shape
        self.dtype = dtype
        self.pooled = True
        self.array: np.ndarray | None = None

    def __del__(self) -> None:
        if self.pooled:
            self.device.free(self.buffer)

    @property
    def nbytes(self) -> int:
        """The bytes of its elements; the buffer may be larger."""
        return prod(self.shape) * self.dtype.itemsize

    def to_host(self) -> np.ndarray:
        """Wait for what is queued and return a copy."""
        return self.device.to_host(self.buffer, self.shape, self.dtype)

    def __repr__(self) -> str:
        return f"<{self.dtype}{list(self.shape)} on {self.device.info.name}>"


class Memory:
    """What a host function does with arrays of its device.

    Where device and host use one memory, arguments and results are not copied at all, however
    small: on PoCL a buffer over an array costs 2 to 3 microseconds, a queued copy 25 or more.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self._shares = device.limits.shares_memory

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> DeviceArray:
        """Return an array with arbitrary contents."""
        return DeviceArray(
            self.device, self.device.alloc(prod(shape) * dtype.itemsize), shape, dtype
        )

    def result(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> DeviceArray:
        """Return an array to be read back: in the host's memory where the device shares it."""
        if not self._shares or 0 in shape:
            return self.empty(shape, dtype)
        buffer, array = self.device.shared_array(shape, dtype)
        made = DeviceArray(self.device, buffer, shape, dtype)
        made.pooled = False
        made.array = array
        return made

    def send(self, array: np.ndarray) -> DeviceArray:
        """Return a copy on the device; the caller may change the array at once."""
        return DeviceArray(self.device, self.device.to_device(array), array.shape, array.dtype)

    def borrow(self, array: np.ndarray) -> DeviceArray:
        """Return the array on the device; it may not change before the next `read` has returned."""
        if not self._shares or not array.size:
            return self.send(array)
        buffer = self.device.to_device(array, share=True)
        made = DeviceArray(self.device, buffer, array.shape, array.dtype)
        made.pooled = type(buffer) is opencl().Buffer
        return made

    def copy(self, array: DeviceArray) -> DeviceArray:
        """Return a copy."""
        made = self.empty(array.shape, array.dtype)
        self.device.copy_buffer(array.buffer, made.buffer, array.nbytes)
        return made

    def read(self, *arrays: DeviceArray) -> None:
        """Wait for all that is queued; the values are then in the arrays' `array`."""
        copied = [one for one in arrays if one.array is None]
        events = [self._read_later(one) for one in copied[:-1]]
        if not copied or 0 in copied[-1].shape:
            self.device.finish()
        for one in copied[-1:]:
            one.array = one.to_host()
        del events  # each waits for its copy when it goes

    def _read_later(self, one: DeviceArray) -> Any:
        one.array = np.empty(one.shape, one.dtype)
        if not one.array.size:
            return None
        return opencl().enqueue_copy(
            self.device.queue, plain_array(one.array), one.buffer, is_blocking=False
        )

    def number(self, array: DeviceArray, place: int = 0) -> Any:
        """Wait for what is queued and return one element, in the form of the host's scalars."""
        found = self.device.to_host(array.buffer, (), array.dtype, offset=place)
        return found.item() if found.dtype in ("float64", "bool") else found[()]

    # -- shared variables --

    def resident(self, variable: Any) -> DeviceArray:
        """Return the value of a shared variable on this device, bringing it here if need be."""
        held = variable.device
        if held is not None and held.device is self.device:
            return held  # type: ignore[no-any-return]
        held = variable.device = self.send(variable.data)
        return held

    def commit(self, variable: Any, value: DeviceArray) -> None:
        """Make an array the value of a shared variable; the host's copy is out of date then."""
        variable.moved(value)

    def changed(self, variable: Any) -> None:
        """Note that the value of a shared variable was changed where it lies on the device."""
        variable.moved(variable.device)
