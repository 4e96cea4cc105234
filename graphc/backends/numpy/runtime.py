"""What generated NumPy code calls besides NumPy: choice, casts, tiles over threads, buffer pools.

Nothing here knows about graphs; the text of these functions can stand beside generated source.
"""

from __future__ import annotations

import contextvars
import itertools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from graphc.config import config

__all__ = [
    "LARGE",
    "TILE",
    "Pool",
    "Tiled",
    "at_least",
    "at_most",
    "choose",
    "convert",
    "down",
    "guard_error",
    "inner",
    "over_zero",
    "polygamma",
    "scratch",
]

TILE = 131_072
"""Elements above which a group runs in tiles."""

LARGE = 16 * TILE
"""Elements above which a group of one or two cheap ops runs in tiles: below, to hand it to threads
costs more than it does."""

TILE_BYTES = 6 * TILE
"""Bytes of an array in a tile: large, as handing over the interpreter lock costs more than the work
of a small tile (measured: docs/benchmarks.md)."""


def choose(condition: Any, x: Any, y: Any, out: np.ndarray) -> None:
    """Write x where the condition holds and y elsewhere; ``out`` is neither x nor y.

    Of large arrays the bits are multiplied by 0 and 1: a copy "where" takes a branch for each
    element, which processors guess wrong half of the time (measured: 4 ns, and 0.5 without).
    """
    if out.size < _MANY:
        np.copyto(out, y)
        np.copyto(out, x, where=condition)
        return
    x, y = _bits(x, out.dtype), _bits(y, out.dtype)
    target = out.view(_WORDS[out.itemsize])
    if not y.ndim and not y:
        np.multiply(x, condition, target)
        return
    np.bitwise_xor(x, y, target)
    np.multiply(target, condition, target)
    np.bitwise_xor(target, y, target)


def _bits(x: Any, dtype: np.dtype[Any]) -> np.ndarray:
    """Return an array or number of a dtype as unsigned integers of its size."""
    return np.asarray(x, dtype).view(_WORDS[dtype.itemsize])


_WORDS = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}
_MANY = 256  # where that makes up for the longer call
_LONG = 4096  # where NumPy's clip, which uses vector instructions, makes up for its longer call


def at_least(x: np.ndarray, low: Any, out: np.ndarray) -> None:
    """Write the larger of x and a number, NaN where x is."""
    if out.size < _LONG:
        np.maximum(x, low, out=out)
    else:
        x.clip(low, np.inf, out)


def at_most(x: np.ndarray, high: Any, out: np.ndarray) -> None:
    """Write the smaller of x and a number, NaN where x is."""
    if out.size < _LONG:
        np.minimum(x, high, out=out)
    else:
        x.clip(-np.inf, high, out)


def convert(x: Any, out: np.ndarray) -> None:
    """Write x in the dtype of ``out``, as astype does."""
    if out.dtype == bool:
        np.not_equal(x, 0, out)
    else:
        np.copyto(out, x, casting="unsafe")


def over_zero(x: Any, zero: Any) -> Any:
    """Return x / 0: an infinity or NaN, by the signs of both."""
    with np.errstate(all="ignore"):
        return np.divide(x, zero)


def polygamma(n: Any, x: Any, out: Any = None) -> Any:
    """Return the n-th derivative of the digamma function, also in ``out`` if there is one.

    SciPy's function of this name writes into no array and takes no float32 as it is.
    """
    from scipy import special

    x = np.asarray(x)
    order = np.asarray(n).astype(x.dtype)
    found = special.zeta(order + 1, x) * special.gamma(order + 1) * np.where(order % 2, 1, -1)
    found = np.where(order == 0, special.psi(x), found)
    if out is None:
        return found.astype(x.dtype)[()]
    np.copyto(out, found)
    return out


def inner(x: np.ndarray, y: np.ndarray, space: np.ndarray) -> Any:
    """Return the sum of x * y; ``space`` holds the product where x is long.

    For short vectors BLAS is faster; for long ones it would start threads of its own.
    """
    if x.size <= 8192:
        return np.dot(x, y)
    np.multiply(x, y, space)
    return np.add.reduce(space)


def down(start: int, length: int, step: int) -> slice:
    """Return the slice of ``length`` elements from ``start`` by a negative step."""
    if not length:  # wherever it starts
        return slice(0, 0)
    stop = start + step * length
    return slice(start, stop if stop >= 0 else None, step)


class Shared:
    """Stands for a shared variable in generated source that runs on its own."""

    data: np.ndarray


def argument(
    name: str,
    dtype: str,
    shape: tuple[int | None, ...],
    strict: bool = False,
    downcast: bool | None = None,
) -> Callable[[Any], Any]:
    """Return a check of an argument, for generated source that runs on its own."""

    def check(value: Any) -> Any:
        array = np.asarray(value)
        if array.dtype != dtype or (strict and not isinstance(value, np.ndarray)):
            plain = not isinstance(value, (np.ndarray, np.generic)) and downcast is None
            fits = plain and (array.dtype.kind == "f") <= (np.dtype(dtype).kind == "f")
            safe = np.can_cast(array.dtype, dtype, "safe")
            if array.dtype.kind not in "biuf" or strict or not (safe or downcast or fits):
                raise TypeError(f"{name} is {array.dtype}, {dtype} was declared")
            if fits and not safe and np.dtype(dtype).kind in "iu" and array.size:
                limits = np.iinfo(dtype)
                if array.min() < limits.min or array.max() > limits.max:
                    raise TypeError(f"{name} does not fit into {dtype}")
            array = array.astype(dtype)
        if array.ndim != len(shape):
            raise TypeError(f"{name} has {array.ndim} axes, {len(shape)} were declared")
        if any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True)):
            raise ValueError(f"{name} has shape {array.shape}, {shape} was declared")
        return array if shape else (array.item() if dtype in ("float64", "bool") else array[()])

    return check


def guard_error(number: int, left: int, right: int) -> ValueError:
    """Return the error of a failed guard, for generated source that runs on its own."""
    return ValueError(f"guard {number}: sizes {left} and {right} do not agree")


# -- quiet floating point ----------------------------------------------------------------------


class Quiet(threading.local):
    """A context per thread in which NumPy warns of nothing; entering it is cheap.

    ``np.errstate`` costs as much as several small array operations; running inside a context
    that was prepared once costs next to nothing.
    """

    def __init__(self) -> None:
        self.context = contextvars.copy_context()
        self.context.run(np.seterr, all="ignore")


QUIET = Quiet()


def is_nested(error: Exception) -> bool:
    """Tell whether an error is that of entering a context from within: a call inside a call."""
    return isinstance(error, RuntimeError) and "cannot enter context" in str(error)


# -- tiles ----------------------------------------------------------------------------------------


class _Workers:
    """Threads that help the calling one; made when first needed, again after a fork."""

    def __init__(self) -> None:
        self.pool: ThreadPoolExecutor | None = None
        self.size = 0

    def submit(self, count: int, task: Callable[[], None]) -> list[Future[None]]:
        if self.pool is None or self.size < count:
            self.pool = ThreadPoolExecutor(
                count, thread_name_prefix="graphc", initializer=lambda: np.seterr(all="ignore")
            )
            self.size = count
        return [self.pool.submit(task) for _ in range(count)]

    def forget(self) -> None:
        self.pool = None


_workers = _Workers()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_workers.forget)


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads() -> int:
    """Return how many threads large groups are spread over."""
    return int(config.threads) or available_cores()


def share(work: Callable[[], None], parts: int) -> None:
    """Run in as many threads as there is work for; each call takes parts until none is left."""
    helpers = min(threads(), parts) - 1
    others = _workers.submit(helpers, work) if helpers > 0 else []
    work()
    for other in others:
        other.result()


class _Scratch(threading.local):
    """Buffers for the inside of kernels, one set per thread, kept between calls."""

    def __init__(self) -> None:
        self.buffers: dict[tuple[str, int], np.ndarray] = {}

    def take(self, dtypes: Sequence[str], count: int, shape: tuple[int, ...]) -> list[np.ndarray]:
        taken = []
        for place, dtype in enumerate(dtypes):
            buffer = self.buffers.get((dtype, place))
            if buffer is None or buffer.size < count:
                buffer = self.buffers[dtype, place] = np.empty(max(count, TILE), dtype)
            taken.append(buffer[:count].reshape(shape))
        return taken


_scratch = _Scratch()


class Tiled:
    """A kernel that runs over a large space in tiles, spread over threads.

    Parameters
    ----------
    kernel : callable
        ``kernel(*arrays, *scratch)`` computes a part and returns its folds over tiled axes.
    scratch : sequence of str
        Dtypes of the scratch arrays the kernel takes after its arrays.
    folds : sequence of (ufunc or None, axes)
        One per fold: how parts are combined, and the axes folded over. Folds over all axes are
        returned by the kernel; others are written to the last arrays, in order.
    """

    def __init__(
        self,
        kernel: Callable[..., Any],
        scratch: Sequence[str],
        folds: Sequence[tuple[np.ufunc, tuple[int, ...]]],
    ) -> None:
        self.kernel = kernel
        self.scratch = tuple(scratch)
        self.folds = tuple(folds)

    def __call__(self, space: tuple[int, ...], *arrays: Any) -> Any:
        """Run the kernel over the whole space and return its complete folds."""
        whole = [len(axes) == len(space) for _, axes in self.folds]
        if len(space) > 1 and all(whole) and _all_flat(space, arrays):
            arrays = tuple(a.reshape(-1) if isinstance(a, np.ndarray) else a for a in arrays)
            space = (int(np.prod(space)),)
        partial = [fold for fold, full in zip(self.folds, whole, strict=True) if not full]
        axis = _tile_axis(space, partial[0][1] if partial else ())
        parts = self._run(space, arrays, axis, len(partial))
        if not any(whole):
            return None
        ufuncs = [ufunc for (ufunc, _), full in zip(self.folds, whole, strict=True) if full]
        if len(ufuncs) == 1:
            return ufuncs[0].reduce(np.array(parts))
        return tuple(
            ufunc.reduce(np.array([part[k] for part in parts])) for k, ufunc in enumerate(ufuncs)
        )

    def _run(
        self, space: tuple[int, ...], arrays: tuple[Any, ...], axis: int, folded: int
    ) -> list[Any]:
        rest = max(1, int(np.prod(space)) // max(1, space[axis]))
        widest = max((a.itemsize for a in arrays if isinstance(a, np.ndarray)), default=8)
        rows = max(1, TILE_BYTES // widest // rest)
        starts = range(0, space[axis], rows)
        parts: list[Any] = [None] * len(starts)
        numbers = itertools.count()
        shift = [0] * (len(arrays) - folded)
        if folded:  # results of partial folds have lost the folded axes before this one
            lost = sum(a < axis for a in self.folds[0][1])
            shift += [lost] * folded

        def work() -> None:
            for number in iter(numbers.__next__, None):
                if number >= len(starts):
                    return
                low = starts[number]
                high = min(low + rows, space[axis])
                shape = (*space[:axis], high - low, *space[axis + 1 :])
                views = [
                    _part(a, axis - s, space[axis], low, high)
                    for a, s in zip(arrays, shift, strict=True)
                ]
                count = (high - low) * rest
                parts[number] = self.kernel(*views, *_scratch.take(self.scratch, count, shape))

        share(work, len(starts))
        return parts


def _part(array: Any, axis: int, size: int, low: int, high: int) -> Any:
    if not isinstance(array, np.ndarray) or array.ndim <= axis or array.shape[axis] != size:
        return array
    return array[(slice(None),) * axis + (slice(low, high),)]


def _all_flat(space: tuple[int, ...], arrays: Sequence[Any]) -> bool:
    return all(
        not isinstance(a, np.ndarray) or a.ndim == 0 or (a.shape == space and a.flags.c_contiguous)
        for a in arrays
    )


def _tile_axis(space: tuple[int, ...], folded: tuple[int, ...]) -> int:
    """Return the axis to cut: the first one long enough, among those that are not folded away."""
    kept = [axis for axis in range(len(space)) if axis not in folded]
    return max(kept, key=lambda axis: (min(space[axis], 64), -axis))


# -- buffers --------------------------------------------------------------------------------------


class Pool:
    """Sets of buffers for calls to come, by the sizes they were made for.

    A call takes a set out and gives it back at its end, so calls may overlap; a call that fails
    does not give its set back. Only the sets of the last few sizes are kept.
    """

    KEPT = 4

    def __init__(self, make: Callable[..., tuple[np.ndarray, ...]]) -> None:
        self._make = make
        self._free: dict[tuple[int, ...], list[tuple[np.ndarray, ...]]] = {}

    def take(self, *sizes: int) -> tuple[np.ndarray, ...]:
        """Return a set of buffers for these sizes."""
        free = self._free.get(sizes)
        if free:
            try:
                return free.pop()
            except IndexError:  # another thread was faster
                return self._make(*sizes)
        return self._make(*sizes)

    def give(self, buffers: tuple[np.ndarray, ...], *sizes: int) -> None:
        """Take a set back."""
        free = self._free.get(sizes)
        if free is None:
            if len(self._free) >= self.KEPT:
                self._free.pop(next(iter(self._free)), None)
            free = self._free.setdefault(sizes, [])
        free.append(buffers)

    def clear(self) -> None:
        """Let go of all buffers."""
        self._free.clear()


def scratch(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Return a scratch array for the direct path of a kernel: nothing above the tile size."""
    return np.empty(shape if np.prod(shape) <= TILE else (0,) * len(shape), dtype)
