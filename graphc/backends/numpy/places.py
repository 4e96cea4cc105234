"""Indexing with arrays on NumPy: what generated host functions call by name.

`np.take` writes into an array it is given twice as fast if it need not promise to leave it alone
when an index is wrong, so indices are looked at first. `np.add.at` is fast for vectors only, so
rows are added as vectors, with the place of each element computed.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

__all__ = ["add_at", "find", "inside", "put_at", "take_at"]

Array = np.ndarray[Any, Any]
BLOCK = 1 << 16  # elements whose places are computed at once: they fit into a cache


def take_at(x: Array, indices: tuple[Array, ...], axis: int, out: Array) -> None:
    """Write ``x[:, ..., *indices]`` into ``out``, the first index for axis ``axis``.

    Raises
    ------
    IndexError
        If an index is out of range.
    """
    if len(indices) == 1 and x.flags.c_contiguous:
        check_range(indices[0], x.shape[axis])
        np.take(x, indices[0], axis, out, "wrap")
        return
    for index, size in zip(indices, x.shape[axis:], strict=False):
        check_range(index, size)
    out[...] = x[(slice(None),) * axis + indices]


def put_at(x: Array, y: Array, indices: tuple[Array, ...], axis: int, out: Array) -> None:
    """Write x into ``out``, and then y at the places of `take_at`.

    Raises
    ------
    IndexError
        If an index is out of range.
    """
    for index, size in zip(indices, x.shape[axis:], strict=False):
        check_range(index, size)
    if x is not out:
        np.copyto(out, x)
    out[(slice(None),) * axis + indices] = y


def add_at(
    x: Array, y: Array, indices: tuple[Array, ...], axis: int, out: Array, distinct: bool = False
) -> None:
    """Write x into ``out``, and add y at the places of `take_at`, as often as each occurs.

    Raises
    ------
    IndexError
        If an index is out of range.
    """
    rows = flat_places(indices, x.shape[axis : axis + len(indices)])
    if x is not out:
        np.copyto(out, x)
    if distinct:
        out[(slice(None),) * axis + indices] += y
        return
    size = prod(out.shape[axis : axis + len(indices)])
    before, width = prod(out.shape[:axis]), prod(out.shape[axis + len(indices) :])
    if before != 1:
        rows = (np.arange(before)[:, None] * size + rows).reshape(-1)
    y = y.reshape(len(rows), width)
    _add_rows(out.reshape(-1), rows, y, width)


def _add_rows(out: Array, rows: Array, y: Array, width: int) -> None:
    """Add rows of y to rows of what ``out`` is the elements of."""
    if width == 1:
        np.add.at(out, rows, y.reshape(-1))
        return
    columns = np.arange(width)
    step = max(1, BLOCK // max(width, 1))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        places = (some[:, None] * width + columns).reshape(-1)
        np.add.at(out, places, y[start : start + step].reshape(-1))


def flat_places(indices: tuple[Array, ...], shape: tuple[int, ...]) -> Array:
    """Return the places, counted from 0 over all of ``shape``, as a vector.

    Raises
    ------
    IndexError
        If an index is out of range.
    """
    found: Any = 0
    for index, size in zip(indices, shape, strict=True):
        low = check_range(index, size)
        index = index.astype(np.int64, copy=False)  # a narrow one could not count all places
        counted = np.where(index < 0, index + size, index) if low < 0 else index
        found = found * size + counted
    return found.reshape(-1)  # type: ignore[no-any-return]


def check_range(index: Array, size: int, lowest: int | None = None) -> int:
    """Return the smallest index; indices lie in ``[-size, size)``, or from ``lowest`` on.

    Raises
    ------
    IndexError
        If an index is out of range.
    """
    if not index.size:
        return 0
    low, high = int(index.min()), int(index.max())
    if low < (-size if lowest is None else lowest) or high >= size:
        bad = high if high >= size else low
        raise IndexError(f"index {bad} is out of range for an axis of size {size}")
    return low


def inside(index: Array, size: int, out: Array) -> None:
    """Write an index into ``out`` if all of it lies in ``[0, size)``.

    Raises
    ------
    IndexError
        If it does not.
    """
    check_range(index, size, 0)
    np.copyto(out, index)


def find(x: Array, out: Array) -> None:
    """Write the places at which a vector is not zero into ``out``."""
    out[...] = np.flatnonzero(x)
