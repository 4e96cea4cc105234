"""Memory of the device kept for reuse, and memory of the host kept while the queue needs it.

Buffers go back to buckets by size instead of to the driver. The pool does not know OpenCL: it is
given a function that allocates. Reuse is safe without events because a device has one queue that
runs in order: whoever gets a buffer next is queued behind whoever used it before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

SMALLEST = 256
Array = NDArray[Any]


class Sized(Protocol):
    """What the pool needs to know of a buffer."""

    @property
    def size(self) -> int: ...


B = TypeVar("B", bound=Sized)


def bucket_size(nbytes: int) -> int:
    """Round a size up to its bucket: four buckets for each power of two, at most a quarter lost.

    Examples
    --------
    >>> [bucket_size(n) for n in (0, 256, 257, 1000, 1025)]
    [256, 256, 320, 1024, 1280]
    """
    if nbytes <= SMALLEST:
        return SMALLEST
    step = 1 << ((nbytes - 1).bit_length() - 3)
    return -(-nbytes // step) * step


class BufferPool(Generic[B]):
    """Buffers by bucket, with what is handed out and what is held counted in bytes.

    Parameters
    ----------
    allocate : callable
        From a number of bytes to a new buffer; raises MemoryError if there is no room.
    largest : int
        The largest single buffer the device takes. A request that only its rounding up would
        carry past that is allocated unrounded.
    """

    def __init__(self, allocate: Callable[[int], B], largest: int) -> None:
        self._allocate = allocate
        self._largest = largest
        self._free: dict[int, list[B]] = {}
        # Collected garbage may give a buffer back while this very thread holds the lock.
        self._lock = threading.RLock()
        self.bytes_held = 0

    def take(self, nbytes: int) -> B:
        """Hand out a buffer of at least that size, from the pool if it has one.

        When the driver has no room, everything the pool holds is given back to it and the request
        is made once more.

        Raises
        ------
        MemoryError
            If there is still no room.
        """
        size = bucket_size(nbytes)
        if nbytes <= self._largest < size:
            size = nbytes
        with self._lock:
            waiting = self._free.get(size)
            if waiting:
                self.bytes_held -= size
                return waiting.pop()
        try:
            return self._allocate(size)
        except MemoryError:
            self.clear()
            return self._allocate(size)

    def give(self, buffer: B) -> None:
        """Take a buffer back. The caller must not use it again."""
        size = buffer.size
        with self._lock:
            self._free.setdefault(size, []).append(buffer)
            self.bytes_held += size

    def clear(self) -> int:
        """Give all waiting buffers back to the driver, and say how many bytes that was."""
        with self._lock:
            released, self.bytes_held = self.bytes_held, 0
            self._free.clear()
        return released


class InFlight:
    """Host memory that queued work still reads or writes, kept until the queue has been waited for.

    Examples
    --------
    >>> kept = InFlight()
    >>> kept.keep(object())
    1
    >>> with kept.settled():
    ...     pass  # wait for the queue
    >>> kept.keep(object())
    1
    """

    def __init__(self) -> None:
        self._things: list[object] = []
        # Collected garbage may call `keep` while this very thread holds the lock.
        self._lock = threading.RLock()

    def keep(self, thing: object) -> int:
        """Keep a thing; returns how many are kept."""
        with self._lock:
            self._things.append(thing)
            return len(self._things)

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Let go of what was kept before the block, which waits for the queue, once it is done.

        What is kept while the block runs may be queued behind the wait, and stays.
        """
        with self._lock:
            settled, self._things = self._things, []
        try:
            yield
        except BaseException:
            with self._lock:
                self._things = settled + self._things
            raise


def plain_array(array: Array) -> Array:
    """Return the array as kernels read it: C-contiguous, native byte order, bool as uint8."""
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return plain.view(np.uint8) if plain.dtype == np.bool_ else plain


def size_text(nbytes: int) -> str:
    """Write a number of bytes for people.

    Examples
    --------
    >>> size_text(3 << 30), size_text(17)
    ('3.0 GB', '17 bytes')
    """
    for unit, scale in (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10)):
        if nbytes >= scale:
            return f"{nbytes / scale:.1f} {unit}"
    return f"{nbytes} bytes"


def shared_buffer_type(module: Any) -> Any:
    """Make the class of buffers over host arrays.

    A kernel that is still queued keeps the buffer alive in the driver, but not the host's array
    below it. So a buffer that goes leaves its array to the device's list of things in flight.
    """

    def retire(buffer: Any) -> None:
        buffer.retire(buffer.array)

    slots = {"__slots__": ("array", "retire"), "__del__": retire}
    return type("SharedBuffer", (module.Buffer,), slots)
