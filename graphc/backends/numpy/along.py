"""What goes along an axis on NumPy: order, sums and products of what comes before, recurrences."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["recur", "sort_into"]

Array = np.ndarray[Any, Any]
LONG = 4096  # from how many elements on a row is cut into blocks
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
            if len(b) < LONG:
                h[row] = _one_by_one(b[row].tolist(), c[row].tolist())
            else:
                _in_blocks(b[row], c[row], h[row])
        return
    h[0] = b[0]
    for k in range(1, len(b)):
        np.multiply(c[k - 1], h[k - 1], h[k])
        h[k] += b[k]


def _in_blocks(b: Array, c: Array, h: Array) -> None:
    """Write the recurrence of a long row: a step over the elements of all blocks at a time.

    The first walk through the blocks finds what each does to the value it begins with, the second
    one begins with that value.
    """
    width = int(len(b) ** 0.5)
    blocks = len(b) // width
    whole = blocks * width
    terms = np.ascontiguousarray(b[:whole].reshape(blocks, width).T)
    given = np.concatenate([np.zeros(1, c.dtype), c[: whole - 1]])
    factors = np.ascontiguousarray(given.reshape(blocks, width).T)
    total, factor = np.zeros(blocks, b.dtype), np.ones(blocks, b.dtype)
    for term, times in zip(terms, factors, strict=True):
        total = term + times * total
        factor *= times
    begin = [0.0]
    for end, scale in zip(total.tolist()[:-1], factor.tolist()[:-1], strict=True):
        begin.append(end + scale * begin[-1] if begin[-1] else end)  # a scale may be infinite
    now = np.array(begin, b.dtype)
    for k in range(width):
        now = terms[k] + factors[k] * now
        terms[k] = now
    h[:whole] = terms.T.reshape(-1)
    for k in range(whole, len(b)):
        h[k] = b[k] + c[k - 1] * h[k - 1]


def _one_by_one(b: list[float], c: list[float]) -> list[float]:
    found = [now := b[0]]
    for factor, term in zip(c, b[1:], strict=True):
        now = term + factor * now
        found.append(now)
    return found
