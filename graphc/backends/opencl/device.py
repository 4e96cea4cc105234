"""A device that is open: context, queue, memory, programs and kernels.

`get_device` opens each device once per process. All work goes through one queue that runs in
order, so nothing here waits except `to_host` and `finish`. Which device is `choice`'s business,
what the kernels compute is that of `kernels/` and of those who generate more.
"""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from graphc.backends.opencl.choice import DeviceInfo, Limits, choose, find_devices
from graphc.backends.opencl.kernel import Kernel
from graphc.backends.opencl.pool import (
    BufferPool,
    InFlight,
    plain_array,
    shared_buffer_type,
    size_text,
)
from graphc.backends.opencl.runtime import check_process, describe, opencl, out_of_memory
from graphc.backends.opencl.tuned import Choices, load
from graphc.errors import DeviceError

if TYPE_CHECKING:
    import pyopencl as cl

# Up to this size an array is copied on the host first, so that sending it need not wait.
SMALL_COPY = 1 << 16
MOST_IN_FLIGHT = 512
LOG_LINES = 20
Array = NDArray[Any]

_open: dict[tuple[int, int], Device] = {}
_open_lock = threading.Lock()


def get_device(name: str | None = None, configured: str | None = None) -> Device:
    """Open the device of that name, or the one graphc picks; a device is opened once a process.

    Parameters
    ----------
    name : str, optional
        "gpu", "nvidia", "pocl", "pocl:1", a part of the device's name, or "0:1". The module
        `choice` has the rules, and what is taken without a name.
    configured : str, optional
        `graphc.config.device`, which the environment variable GRAPHC_DEVICE overrides.

    Returns
    -------
    Device

    Raises
    ------
    DeviceError
        If there is no such device, or in a process forked from one that used OpenCL.
    """
    found = find_devices()
    info = choose([info for info, _ in found], name, configured)
    with _open_lock:
        if info.number not in _open:
            handle = next(device for other, device in found if other.number == info.number)
            _open[info.number] = Device(info, handle)
        return _open[info.number]


class Device:
    """One OpenCL device with its context and queue; made by `get_device`.

    Attributes
    ----------
    info : DeviceInfo
        What it is, and why it was chosen.
    limits : Limits
        What it can take.
    choices : Choices
        What was measured on it.
    context, queue
        pyopencl's objects.
    recorder : object, optional
        Is told of everything that is queued, by its ``note``.
    recording : lock
        Held while there is one.

    Examples
    --------
    >>> import numpy as np
    >>> from graphc.backends.opencl.device import get_device
    >>> device = get_device()
    >>> source = "kernel void twice(global float *x) { x[get_global_id(0)] *= 2; }"
    >>> x = device.to_device(np.array([1, 2, 3], "float32"))
    >>> event = device.kernel(source, "twice", [None]).set(x).launch((3,))
    >>> device.to_host(x, (3,), "float32")
    array([2., 4., 6.], dtype=float32)
    """

    def __init__(self, info: DeviceInfo, handle: cl.Device) -> None:
        module = opencl()
        self.info = info
        self.limits: Limits = info.limits
        self.choices: Choices = load(info)
        try:
            self.context = module.Context([handle])
            self.queue = module.CommandQueue(self.context)
        except module.Error as error:
            raise DeviceError(f"{info.label} does not open: {describe(error)}") from error
        self.pool: BufferPool[cl.Buffer] = BufferPool(self._allocate, self.limits.max_allocation)
        self._programs: dict[tuple[str, tuple[str, ...]], cl.Program] = {}
        self._widths: dict[np.dtype[Any], int] = {}
        self._in_flight = InFlight()
        self._lock = threading.RLock()
        self._shared_type = shared_buffer_type(module)
        self.recorder: Any = None
        self.recording = threading.RLock()

    def __repr__(self) -> str:
        return f"<Device {self.info.label}>"

    # -- memory ----------------------------------------------------------------------------

    def alloc(self, nbytes: int) -> cl.Buffer:
        """Take a buffer of at least that many bytes from the pool; its content is arbitrary.

        Raises
        ------
        DeviceError
            If it does not fit, saying what was asked and what there is.
        """
        check_process()
        if nbytes > self.limits.max_allocation:
            raise DeviceError(self.no_room(nbytes))
        try:
            return self.pool.take(nbytes)
        except MemoryError as error:
            raise DeviceError(self.no_room(nbytes)) from error

    def free(self, buffer: cl.Buffer) -> None:
        """Give a buffer of `alloc` back to the pool, at once, whatever is still queued on it."""
        self.pool.give(buffer)

    def to_device(self, array: Array, *, share: bool = False) -> cl.Buffer:
        """Bring an array to the device.

        Parameters
        ----------
        array : numpy.ndarray
            Any layout; what is not C-contiguous is copied first. bool is stored as uint8.
        share : bool
            Where device and host use one memory, make a buffer over the array itself. It costs
            nothing, but the array must then not change while the buffer is in use, and kernels
            must not write the buffer if the array is read-only. Elsewhere the array is copied.

        Returns
        -------
        pyopencl.Buffer
            From the pool, except where it is shared: `free` it only if `share` is False.
        """
        check_process()
        plain = plain_array(array)
        if share and self.limits.shares_memory and plain.size and plain.flags.aligned:
            return self._share(plain)
        buffer = self.alloc(plain.nbytes)
        if plain.size:
            self._send(
                buffer, plain, private=plain is not array and not np.shares_memory(plain, array)
            )
        return buffer

    def shared_array(
        self, shape: Sequence[int], dtype: DTypeLike
    ) -> tuple[cl.Buffer, NDArray[Any]]:
        """Make an array and a buffer over the same memory, for results that need no copy.

        The array may be read after `finish`, and it stays valid when the buffer is gone. Only
        where `limits.shares_memory`.

        Returns
        -------
        buffer, array
        """
        if not self.limits.shares_memory:
            raise DeviceError(f"{self.info.label} has a memory of its own; nothing can be shared")
        check_process()
        array = np.empty(shape, dtype)
        return (self._share(plain_array(array)) if array.size else self.alloc(0)), array

    def to_host(
        self, buffer: cl.Buffer, shape: Sequence[int], dtype: DTypeLike, *, offset: int = 0
    ) -> Array:
        """Wait for everything queued, and copy from a buffer into a new array.

        Parameters
        ----------
        buffer : pyopencl.Buffer
        shape : sequence of int
        dtype : dtype
            bool reads the uint8 it is stored as.
        offset : int
            First element, counted in elements.

        Returns
        -------
        numpy.ndarray
        """
        check_process()
        array = np.empty(shape, dtype)
        if array.size:
            with self._in_flight.settled():
                event = self._checked(
                    opencl().enqueue_copy,
                    self.queue,
                    plain_array(array),
                    buffer,
                    src_offset=offset * array.itemsize,
                    is_blocking=True,
                )
                self.note("to host", array.nbytes, event)
        return array

    @contextmanager
    def on_host(
        self, buffer: cl.Buffer, dtype: DTypeLike, *, write: bool = False
    ) -> Iterator[Array]:
        """Wait for everything queued, and lend a buffer to the host as a flat array.

        It costs no copy where `limits.shares_memory`. Nothing may use the buffer meanwhile.
        """
        check_process()
        flags = opencl().map_flags
        dtype = np.dtype(dtype)
        array, _ = self._checked(
            opencl().enqueue_map_buffer,
            self.queue,
            buffer,
            flags.WRITE if write else flags.READ,
            0,
            (buffer.size // dtype.itemsize,),
            dtype,
            is_blocking=True,
        )
        try:
            yield array
        finally:
            array.base.release(self.queue)

    def copy_buffer(
        self,
        source: cl.Buffer,
        target: cl.Buffer,
        nbytes: int,
        *,
        source_offset: int = 0,
        target_offset: int = 0,
    ) -> None:
        """Queue a copy of bytes from one buffer to another."""
        check_process()
        if nbytes:
            event = self._checked(
                opencl().enqueue_copy,
                self.queue,
                target,
                source,
                byte_count=nbytes,
                src_offset=source_offset,
                dst_offset=target_offset,
            )
            self.note("on device", nbytes, event)

    def copy_rows(
        self,
        source: cl.Buffer,
        target: cl.Buffer,
        region: tuple[int, int],
        offsets: tuple[int, int],
        steps: tuple[int, int],
    ) -> None:
        """Queue a copy of rows from one buffer to another: their bytes and how many there are.

        ``offsets`` are where the first row begins in each buffer, ``steps`` from row to row.
        """
        check_process()
        event = self._checked(
            opencl().enqueue_copy,
            self.queue,
            target,
            source,
            src_origin=(offsets[0], 0, 0),
            dst_origin=(offsets[1], 0, 0),
            region=(*region, 1),
            src_pitches=(steps[0],),
            dst_pitches=(steps[1],),
        )
        self.note("on device", region[0] * region[1], event)

    def fill_buffer(self, buffer: cl.Buffer, value: Array, nbytes: int, offset: int = 0) -> None:
        """Queue a value, an array of one element, for a piece of a buffer; sizes are in bytes."""
        check_process()
        if nbytes:
            fill = opencl().enqueue_fill_buffer
            event = self._checked(fill, self.queue, buffer, value, offset, nbytes)
            self.note("on device", nbytes, event)

    def finish(self) -> None:
        """Wait until everything queued is done."""
        check_process()
        with self._in_flight.settled():
            self._once(self.queue.finish)

    # -- programs --------------------------------------------------------------------------

    def build(self, source: str, options: Sequence[str] = ()) -> cl.Program:
        """Compile OpenCL C; the same text is compiled once per process, and cached on disk.

        Raises
        ------
        DeviceError
            With the compiler's log.
        """
        check_process()
        key = (source, tuple(options))
        with self._lock:
            if key not in self._programs:
                self._programs[key] = self._compile(source, options)
            return self._programs[key]

    def kernel(
        self,
        source: str,
        name: str,
        scalars: Sequence[DTypeLike | None],
        options: Sequence[str] = (),
    ) -> Kernel:
        """Prepare one kernel of a program.

        Parameters
        ----------
        source : str
            OpenCL C.
        name : str
            The kernel in it.
        scalars : sequence of dtype or None
            One per parameter: None for a buffer, the dtype of a number passed by value.
        options : sequence of str
            For the compiler, such as "-DT=double".

        Returns
        -------
        Kernel
            A new one at each call, since it keeps its arguments: one per place of use.
        """
        return Kernel(self, self.build(source, options), name, scalars)

    def vector_width(self, dtype: DTypeLike) -> int:
        """Return how many elements a kernel should take at once, as far as is known now."""
        dtype = np.dtype(dtype)
        return self._widths.get(dtype, self.limits.vector_width(dtype))

    def build_widest(
        self, write: Callable[[int], str], dtype: DTypeLike, options: Sequence[str] = ()
    ) -> tuple[str, int]:
        """Build the same kernels with the widest vectors that this device's compiler manages.

        PoCL 3.0 fails on some widths on some processors. A width that fails is not tried again
        for that dtype on this device.

        Parameters
        ----------
        write : callable
            From a vector width (4, 2 or 1) to source text.
        dtype : dtype
            The elements.
        options : sequence of str
            For the compiler.

        Returns
        -------
        source : str
        width : int
        """
        width = self.vector_width(dtype)
        while True:
            source = write(width)
            try:
                self.build(source, options).all_kernels()
            except (DeviceError, opencl().Error):
                if width == 1:
                    raise
                width = self._widths[np.dtype(dtype)] = width // 2
            else:
                return source, width

    # -- the rest --------------------------------------------------------------------------

    def no_room(self, nbytes: int | None = None) -> str:
        """Say what was asked of the memory and what there is: the message of a DeviceError."""
        asked = f"{size_text(nbytes)} do not fit" if nbytes is not None else "out of memory"
        return (
            f"{asked} on {self.info.label}: it has {size_text(self.limits.global_memory)} in all, "
            f"{size_text(self.limits.max_allocation)} at most in one array, and "
            f"{size_text(self.pool.bytes_held)} of it wait in graphc's pool\n"
            "  - smaller batches, or float32 instead of float64, need less"
        )

    def note(self, kind: str, nbytes: int, event: Any) -> None:
        """Tell of a copy, if somebody wants to know."""
        if self.recorder is not None:
            self.recorder.note(kind, "", nbytes, event)

    @contextmanager
    def host_work(self, name: str) -> Iterator[None]:
        """Tell how long the host computes in the block, if somebody wants to know."""
        start = time.perf_counter()
        yield
        if self.recorder is not None:
            self.recorder.spent(name, time.perf_counter() - start)

    def relieve(self) -> None:
        """Give the pool's memory back to the driver, after waiting for its last users."""
        self.finish()
        self.pool.clear()

    def _allocate(self, nbytes: int) -> cl.Buffer:
        module = opencl()
        try:
            return module.Buffer(self.context, module.mem_flags.READ_WRITE, nbytes)
        except module.Error as error:
            if out_of_memory(error):
                raise MemoryError(describe(error)) from error
            raise DeviceError(f"{self.info.label}: {describe(error)}") from error

    def _share(self, plain: Array) -> cl.Buffer:
        flags = opencl().mem_flags
        access = flags.READ_WRITE if plain.flags.writeable else flags.READ_ONLY
        buffer = self._shared_type(self.context, access | flags.USE_HOST_PTR, 0, plain)
        buffer.array, buffer.retire = plain, self._keep
        return buffer

    def _keep(self, thing: object) -> None:
        if self._in_flight.keep(thing) > MOST_IN_FLIGHT:
            self.finish()

    def _send(self, buffer: cl.Buffer, plain: Array, private: bool) -> None:
        waits = plain.nbytes > SMALL_COPY and not private
        if not waits and not private:
            plain = plain.copy()
        event = self._checked(opencl().enqueue_copy, self.queue, buffer, plain, is_blocking=waits)
        self.note("to device", plain.nbytes, event)
        if not waits:
            self._keep(event)  # holds the array, and its destructor would wait

    def _checked(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Queue something; once more with an empty pool, as many drivers allocate only then."""
        try:
            return call(*args, **options)
        except opencl().Error as error:
            if not out_of_memory(error):
                raise DeviceError(f"{self.info.label}: {describe(error)}") from error
        self.relieve()
        return self._once(call, *args, **options)

    def _once(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        module = opencl()
        try:
            return call(*args, **options)
        except module.Error as error:
            what = self.no_room() if out_of_memory(error) else describe(error)
            raise DeviceError(f"{self.info.label}: {what}") from error

    def _compile(self, source: str, options: Sequence[str]) -> cl.Program:
        module = opencl()
        asked = bool(os.environ.get("PYOPENCL_COMPILER_OUTPUT"))
        with warnings.catch_warnings():
            if not asked:
                warnings.simplefilter("ignore", module.CompilerWarning)
            try:
                return module.Program(self.context, source).build(list(options))
            except module.Error as error:
                raise DeviceError(
                    f"a kernel does not build on {self.info.label}\n{_log(str(error))}"
                ) from error


def _log(text: str) -> str:
    """Shorten a compiler's output: after the first errors the others say little."""
    lines = [line for line in text.splitlines() if line.strip()]
    rest = len(lines) - LOG_LINES
    return "\n".join([*lines[:LOG_LINES], *([f"... {rest} more lines"] if rest > 0 else [])])
