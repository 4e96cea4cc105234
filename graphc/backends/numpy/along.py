"""What goes along an axis on NumPy: order, sums and products of what comes before, recurrences."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["recur", "sort_into"]

Array = np.ndarray[Any, Any]
ROWS = 32  # from how many rows on a step over all of them is faster than Python numbers, one by one


def sort_into(x: Array, axis: int, out: Array) -> None:
    """Write the elements of x in rising order along an axis."""
    np.copyto(out, x)
    out.sort(axis)


def recur(b: Array, c: Array, axis: int, adjoint: bool, out: Array) -> None:
    """Write h[k] = b[k] + c[k] * h[k - 1] along an axis.

    The adjoint goes back from the end: h[k] = b[k] + c[k + 1] * h[k + 1].
    """
    if not out.size:
        return
    b, c, h = (np.moveaxis(array, axis, 0) for array in (b, c, out))
    if adjoint:
        b, h = b[::-1], h[::-1]
        c = c[:0:-1]
    else:
        c = c[1:]
    if h[0].size < ROWS:
        for place in np.ndindex(h.shape[1:]):
            row = (slice(None), *place)
            h[row] = _one_by_one(b[row].tolist(), c[row].tolist())
        return
    h[0] = b[0]
    for k in range(1, len(b)):
        np.multiply(c[k - 1], h[k - 1], h[k])
        h[k] += b[k]


def _one_by_one(b: list[float], c: list[float]) -> list[float]:
    found = [now := b[0]]
    for factor, term in zip(c, b[1:], strict=True):
        now = term + factor * now
        found.append(now)
    return found
