"""Arrays on a device: what generated host functions take, pass to kernels and read back.

An array holds its buffer until nobody refers to it any more; then the buffer goes back to the
device's pool. That is safe whatever is still queued, since a device has one queue that runs in
order. So nothing that a call allocates has to be given back by hand, also when the call fails.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from graphc.backends.base import DeviceValue
from graphc.backends.opencl.device import Device
from graphc.backends.opencl.pool import plain_array
from graphc.backends.opencl.runtime import opencl
from graphc.errors import DeviceError


class DeviceArray(DeviceValue, NDArrayOperatorsMixin):
    """A contiguous array in a buffer of a device.

    A function compiled for the device takes it as an argument without a copy, and returns it for
    ``Out(borrow=True)`` or ``f(..., device=True)``. graphc never changes it afterwards. NumPy takes
    it for an array, and brings it to the host for that: its operators, functions and indices give
    NumPy arrays.

    Attributes
    ----------
    buffer : pyopencl.Buffer
        Of the device's context. It may be larger than the array.
    device : Device
    shape : tuple of int
    dtype : numpy.dtype
    array : numpy.ndarray or None
        Its value on the host, where `Memory.read` has put it.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dvector("x")
    >>> f = graphc.function([x], x * 2, backend="opencl")
    >>> y = f([1.0, 2.0], device=True)
    >>> y.shape, y.dtype, f(y)
    ((2,), dtype('float64'), array([4., 8.]))
    >>> y.get(), y + 1
    (array([2., 4.]), array([3., 5.]))
    """

    __slots__ = ("array", "buffer", "device", "dtype", "owner", "pooled", "shape")

    def __init__(
        self, device: Device, buffer: Any, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self.device = device
        self.buffer = buffer
        self.shape = shape
        self.dtype = dtype
        self.pooled = True
        self.owner: Any = None
        self.array: np.ndarray | None = None

    def __del__(self) -> None:
        if self.pooled:
            self.device.free(self.buffer)

    @property
    def nbytes(self) -> int:
        """The bytes of its elements; the buffer may be larger."""
        return prod(self.shape) * int(self.dtype.itemsize)

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many elements it has."""
        return prod(self.shape)

    def to_host(self) -> np.ndarray:
        """Wait for what is queued and return a copy."""
        return self.device.to_host(self.buffer, self.shape, self.dtype)

    def get(self) -> np.ndarray:
        """Wait for what is queued and return a copy, a NumPy array."""
        return self.to_host()

    def copy(self) -> DeviceArray:
        """Return a copy on the device."""
        return Memory(self.device).copy(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return the value for NumPy: where device and host use one memory, without a copy.

        Such an array cannot be written.
        """
        if self.array is None or self.pooled or copy:
            if copy is False:
                raise ValueError(f"{self!r} comes to the host as a copy only")
            found = self.to_host()
        else:
            self.device.finish()
            found = self.array.view()
            found.flags.writeable = False
        return found if dtype is None else found.astype(dtype, copy=False)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Compute on the host, as NumPy does."""
        here = [np.asarray(one) if isinstance(one, DeviceArray) else one for one in inputs]
        return getattr(ufunc, method)(*here, **options)

    def __getattr__(self, name: str) -> Any:
        """Return what else arrays of NumPy have: ``y.tolist()``, ``y.mean()``."""
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(np.asarray(self), name)

    def __getitem__(self, key: Any) -> Any:
        return np.asarray(self)[key]

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array without axes")
        size: int = self.shape[0]
        return size

    def __float__(self) -> float:
        return float(np.asarray(self))

    def __int__(self) -> int:
        return int(np.asarray(self))

    def __bool__(self) -> bool:
        return bool(np.asarray(self))

    def __reduce__(self) -> Any:
        return np.asarray, (self.to_host(),)

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

    def send(self, array: np.ndarray | DeviceArray) -> DeviceArray:
        """Return a copy on the device; the caller may change the array at once."""
        if isinstance(array, DeviceArray):
            return array
        return DeviceArray(self.device, self.device.to_device(array), array.shape, array.dtype)

    def borrow(self, array: np.ndarray | DeviceArray) -> DeviceArray:
        """Return the array on the device; it may not change before the next `read` has returned."""
        if isinstance(array, DeviceArray):
            return array
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
        event = opencl().enqueue_copy(
            self.device.queue, plain_array(one.array), one.buffer, is_blocking=False
        )
        self.device.note("to host", one.nbytes, event)
        return event

    def number(self, array: DeviceArray, place: int = 0) -> Any:
        """Wait for what is queued and return one element, in the form of the host's scalars."""
        found = self.device.to_host(array.buffer, (), array.dtype, offset=place)
        return found.item() if found.dtype in ("float64", "bool") else found[()]

    @staticmethod
    def on_host(array: np.ndarray | DeviceArray) -> np.ndarray:
        """Return an argument as a NumPy array: a wait and a copy, if it is on the device."""
        return array if type(array) is np.ndarray else np.asarray(array)

    def argument(self, value: Any) -> DeviceArray | None:
        """Return an argument that lies on this device, None if it lies on none.

        Parameters
        ----------
        value : object
            A `DeviceArray`, a `pyopencl.array.Array` of the device's context, or anything else.

        Raises
        ------
        DeviceError
            If it lies on another device or in another context, or is not contiguous.
        """
        if isinstance(value, DeviceArray):
            if value.device is not self.device:
                raise DeviceError(
                    f"{value!r} lies on another device than {self.device.info.label}\n"
                    "  - bring it to the host: value.get()"
                )
            return value
        if type(value).__module__ != "pyopencl.array" or not hasattr(value, "base_data"):
            return None
        return self._foreign(value)

    def _foreign(self, value: Any) -> DeviceArray:
        """Return an array of pyopencl's as one of ours, over the same buffer."""
        if value.context != self.device.context:
            raise DeviceError(
                f"a pyopencl array of another context than that of {self.device.info.label}\n"
                "  - make it with the queue of the function: f.device.queue\n"
                "  - or bring it to the host: value.get()"
            )
        if not value.flags.c_contiguous:
            raise DeviceError("a pyopencl array whose elements are not in order\n  - value.copy()")
        value.finish()
        if value.queue is not None and value.queue != self.device.queue:
            value.queue.finish()
        if not value.size or value.offset:  # kernels read from the start of a buffer
            made = self.empty(value.shape, value.dtype)
            self.device.copy_buffer(
                value.base_data, made.buffer, value.nbytes, source_offset=value.offset
            )
            return made
        made = DeviceArray(self.device, value.base_data, value.shape, value.dtype)
        made.pooled, made.owner = False, value
        return made

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
