"""Correlation and pooling as NumPy has them fastest: what generated code calls.

A correlation copies the pixels under the windows into the columns of a matrix, a block of images at
a time, and multiplies: one call of BLAS a block. The matrix of a block stays in the cache, and is
filled anew where the gradient needs it once more, since that takes less time than to read a large
one from memory. Windows that move by one pixel are not cut at the ends of rows: then a column of
the filter needs a single long run of memory, and the few places between rows are not looked at.

Nothing here knows about graphs; the text of these functions can stand beside generated source.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from graphc.backends.numpy.runtime import share

__all__ = [
    "conv2d",
    "conv2d_inputs",
    "conv2d_weights",
    "pool_max",
    "pool_pick",
    "pool_spread",
]

Pair = tuple[int, int]

BLOCK_BYTES = 1 << 22
"""Bytes of the columns of a block: what the caches of one or two cores hold."""


class _Scratch(threading.local):
    """Arrays kept between calls, a set for each thread: fresh memory costs more than the work."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, np.dtype[Any]], np.ndarray] = {}

    def take(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
        """Return an array with arbitrary contents; the next one of that name is the same memory."""
        count = prod(shape)
        held = self.held.get((name, dtype))
        if held is None or held.size < count:
            held = self.held[name, dtype] = np.empty(count, dtype)
        return held[:count].reshape(shape)


_scratch = _Scratch()


# -- the places of a window -----------------------------------------------------------------------


class _Places:
    """Where the windows of a correlation lie, for all images of one size.

    Attributes
    ----------
    pitch : int
        How many places a row of results takes in the matrix: as many as pixels where windows move
        by one pixel, and the last of them are not results.
    """

    def __init__(
        self, image: Pair, window: Pair, out: Pair, stride: Pair, dilation: Pair, groups: int
    ) -> None:
        self.image, self.window, self.out = image, window, out
        self.stride, self.dilation, self.groups = stride, dilation, groups
        self.long = stride == (1, 1)
        self.pitch = image[1] if self.long else out[1]

    def count(self, rows: int) -> int:
        """Return how many places so many rows of results take."""
        return (rows - 1) * self.pitch + self.out[1]

    def blocks(self, images: int, channels: int, itemsize: int) -> Iterator[tuple[int, ...]]:
        """Yield the images and rows of blocks: (first, after the last) of both."""
        row = max(1, prod(self.window) * channels * self.pitch * itemsize)
        rows = max(1, min(self.out[0], BLOCK_BYTES // row))
        step = max(1, BLOCK_BYTES // (row * rows)) if rows == self.out[0] else 1
        for n, r in product(range(0, images, step), range(0, self.out[0], rows)):
            yield n, min(n + step, images), r, min(r + rows, self.out[0])

    def under(self, images: np.ndarray, rows: int) -> np.ndarray:
        """Return the pixels under the windows, as a view whose last axes are the places."""
        n, channels = images.shape[:2]
        per_image, per_channel, per_row, per_pixel = images.strides
        own = channels // self.groups
        shape = (self.groups, own, *self.window, n)
        taps = (per_row * self.dilation[0], per_pixel * self.dilation[1])
        strides = (own * per_channel, per_channel, *taps, per_image)
        if self.long:
            return as_strided(images, (*shape, self.count(rows)), (*strides, per_pixel))
        moves = (per_row * self.stride[0], per_pixel * self.stride[1])
        return as_strided(images, (*shape, rows, self.out[1]), (*strides, *moves))

    def results(self, matrix: np.ndarray, images: int, rows: int) -> np.ndarray:
        """Return those columns of (group, filter, place) that are results, as images of them."""
        groups, filters, _ = matrix.shape
        group, one, place = matrix.strides
        shape = (images, groups, filters, rows, self.out[1])
        return as_strided(
            matrix, shape, (self.count(rows) * place, group, one, self.pitch * place, place)
        )

    def by_group(self, array: np.ndarray) -> np.ndarray:
        """Return images of results with the channels of each group on an axis of their own."""
        n, channels, *rest = array.shape
        return array.reshape(n, self.groups, channels // self.groups, *rest)

    def columns(self, images: np.ndarray, rows: int) -> np.ndarray:
        """Return (group, pixel of the window, place), the pixels under all windows."""
        under = self.under(images, rows)
        columns = _scratch.take("columns", under.shape, images.dtype)
        np.copyto(columns, under)
        return columns.reshape(self.groups, prod(under.shape[1:4]), len(images) * self.count(rows))


def _in_rows(images: np.ndarray) -> np.ndarray:
    """Return images whose rows follow one another, a copy if need be."""
    size = images.itemsize
    if images.strides[3] == size and images.strides[2] == size * images.shape[3]:
        return images
    copied = _scratch.take("images", images.shape, images.dtype)
    np.copyto(copied, images)
    return copied


def _margins(images: np.ndarray, margin: Pair) -> np.ndarray:
    """Return images with so many rows and columns of zeros on each side."""
    if margin == (0, 0):
        return images
    high, wide = margin
    n, channels, rows, columns = images.shape
    found = _scratch.take(
        "margins", (n, channels, rows + 2 * high, columns + 2 * wide), images.dtype
    )
    found[:, :, :high] = found[:, :, high + rows :] = 0
    found[:, :, :, :wide] = found[:, :, :, wide + columns :] = 0
    found[:, :, high : high + rows, wide : wide + columns] = images
    return found


# -- correlation ----------------------------------------------------------------------------------


def _as_matrices(filters: np.ndarray, groups: int) -> np.ndarray:
    """Return filters as (group, filter, pixel of the window), without a copy if they follow."""
    count, *rest = filters.shape
    return np.ascontiguousarray(filters).reshape(groups, count // groups, prod(rest))


def conv2d(
    x: np.ndarray, w: np.ndarray, out: np.ndarray, stride: Pair, dilation: Pair, groups: int
) -> None:
    """Write the correlation of images with filters."""
    _correlate(x, w, out, (0, 0), stride, dilation, groups)


def _correlate(
    x: np.ndarray,
    w: np.ndarray,
    out: np.ndarray,
    margin: Pair,
    stride: Pair,
    dilation: Pair,
    groups: int,
) -> None:
    image = (x.shape[2] + 2 * margin[0], x.shape[3] + 2 * margin[1])
    places = _Places(image, w.shape[2:], out.shape[2:], stride, dilation, groups)
    filters = _as_matrices(w, groups)
    target = places.by_group(out)
    for n, m, r, s in places.blocks(len(x), x.shape[1], x.itemsize):
        images = _margins(x[n:m], margin)
        images = _in_rows(images) if places.long else images
        columns = places.columns(images[:, :, r * stride[0] :], s - r)
        shape = (*filters.shape[:2], columns.shape[2])
        products = _scratch.take("products", shape, x.dtype)
        np.matmul(filters, columns, products)
        np.copyto(target[n:m, :, :, r:s], places.results(products, m - n, s - r))


def conv2d_inputs(
    g: np.ndarray, w: np.ndarray, out: np.ndarray, stride: Pair, dilation: Pair, groups: int
) -> None:
    """Write the gradient of a correlation by its images."""
    if stride != (1, 1):
        _scatter(g, w, out, stride, dilation, groups)
        return
    # What a pixel gets comes from the windows around it: a correlation with the filters reversed.
    filters, own, *window = w.shape
    reversed_ = w.reshape(groups, filters // groups, own, *window)[..., ::-1, ::-1]
    turned = reversed_.swapaxes(1, 2).reshape(groups * own, filters // groups, *window)
    margin = ((window[0] - 1) * dilation[0], (window[1] - 1) * dilation[1])
    _correlate(g, turned, out, margin, stride, dilation, groups)


def _scatter(
    g: np.ndarray, w: np.ndarray, out: np.ndarray, stride: Pair, dilation: Pair, groups: int
) -> None:
    """Write the gradient where windows move by more: each place adds to the pixels under it."""
    places = _Places(out.shape[2:], w.shape[2:], g.shape[2:], stride, dilation, groups)
    filters = _as_matrices(w, groups).swapaxes(1, 2)
    source = places.by_group(g)
    out[...] = 0
    for n, m, r, s in places.blocks(len(g), out.shape[1], g.itemsize):
        under = places.under(out[n:m, :, r * stride[0] :], s - r)
        columns = _scratch.take("columns", under.shape, g.dtype)
        matrix = columns.reshape(groups, filters.shape[1], (m - n) * places.count(s - r))
        shape = (groups, filters.shape[2], matrix.shape[2])
        results = _scratch.take("products", shape, g.dtype)
        np.copyto(places.results(results, m - n, s - r), source[n:m, :, :, r:s])
        np.matmul(filters, results, matrix)
        for i, j in product(*map(range, places.window)):
            tap = under[:, :, i, j]
            np.add(tap, columns[:, :, i, j], tap)


def conv2d_weights(
    x: np.ndarray, g: np.ndarray, out: np.ndarray, stride: Pair, dilation: Pair, groups: int
) -> None:
    """Write the gradient of a correlation by its filters."""
    places = _Places(x.shape[2:], out.shape[2:], g.shape[2:], stride, dilation, groups)
    total = _as_matrices(out, groups)
    part = _scratch.take("part", total.shape, out.dtype)
    source = places.by_group(g)
    total[...] = 0
    for n, m, r, s in places.blocks(len(x), x.shape[1], x.itemsize):
        images = _in_rows(x[n:m]) if places.long else x[n:m]
        columns = places.columns(images[:, :, r * stride[0] :], s - r)
        results = _scratch.take("products", (*total.shape[:2], columns.shape[2]), g.dtype)
        results[...] = 0  # also where no result is
        np.copyto(places.results(results, m - n, s - r), source[n:m, :, :, r:s])
        np.matmul(results, columns.swapaxes(1, 2), part)
        np.add(total, part, total)


# -- the largest in each window -------------------------------------------------------------------

_POOL_BYTES = 1 << 19


def _over_images(work: Callable[[int, int], None], images: np.ndarray) -> None:
    """Run ``work(first, after the last)`` for all images, small blocks of them, in threads."""
    count = len(images)
    step = max(1, _POOL_BYTES // max(1, images.nbytes // max(1, count)))
    firsts = iter(range(0, count, step))

    def run() -> None:
        for first in firsts:
            work(first, min(first + step, count))

    share(run, -(-count // step))


def _tap(images: np.ndarray, i: int, j: int, stride: Pair, out: Sequence[int]) -> np.ndarray:
    """Return the pixels that lie under one place of the window, wherever it moves."""
    rows = slice(i, i + stride[0] * (out[0] - 1) + 1, stride[0])
    return images[:, :, rows, j : j + stride[1] * (out[1] - 1) + 1 : stride[1]]


def pool_max(x: np.ndarray, out: np.ndarray, size: Pair, stride: Pair) -> None:
    """Write the largest number in each window: first along columns, then along rows."""
    if not out.size:
        return

    def work(n: int, m: int) -> None:
        rows = _scratch.take("rows", (m - n, *out.shape[1:3], x.shape[3]), x.dtype)
        whole = (out.shape[2], x.shape[3])
        _largest([_tap(x[n:m], i, 0, (stride[0], 1), whole) for i in range(size[0])], rows)
        taps = [_tap(rows, 0, j, (1, stride[1]), out.shape[2:]) for j in range(size[1])]
        _largest(taps, out[n:m])

    _over_images(work, x)


def _largest(parts: Sequence[np.ndarray], out: np.ndarray) -> None:
    if len(parts) == 1:
        np.copyto(out, parts[0])
        return
    np.maximum(parts[0], parts[1], out=out)
    for part in parts[2:]:
        np.maximum(out, part, out=out)


def pool_spread(
    x: np.ndarray, top: np.ndarray, g: np.ndarray, out: np.ndarray, size: Pair, stride: Pair
) -> None:
    """Write what belongs to the windows into their largest pixels, in equal shares."""
    apart = size[0] <= stride[0] and size[1] <= stride[1]

    def work(n: int, m: int) -> None:
        hits, count = _hits(x[n:m], top[n:m], size, stride)
        np.divide(g[n:m], count, count)
        out[n:m] = 0
        for hit, (i, j) in zip(hits, product(*map(range, size)), strict=True):
            tap = _tap(out[n:m], i, j, stride, top.shape[2:])
            if apart:
                np.multiply(hit, count, tap)
            else:
                np.add(tap, hit * count, tap)

    if top.size:
        _over_images(work, x)
    else:
        out[...] = 0


def pool_pick(
    x: np.ndarray, top: np.ndarray, v: np.ndarray, out: np.ndarray, size: Pair, stride: Pair
) -> None:
    """Write the mean of v over the largest pixels of each window of x."""

    def work(n: int, m: int) -> None:
        hits, count = _hits(x[n:m], top[n:m], size, stride)
        out[n:m] = 0
        for hit, (i, j) in zip(hits, product(*map(range, size)), strict=True):
            np.add(out[n:m], hit * _tap(v[n:m], i, j, stride, top.shape[2:]), out[n:m])
        np.divide(out[n:m], count, out[n:m])

    if top.size:
        _over_images(work, x)


def _hits(
    x: np.ndarray, top: np.ndarray, size: Pair, stride: Pair
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the largest pixels lie, an array for each place of the window, and how many."""
    hits = _scratch.take("hits", (size[0] * size[1], *top.shape), np.dtype(bool))
    count = _scratch.take("count", top.shape, x.dtype)
    for hit, (i, j) in zip(hits, product(*map(range, size)), strict=True):
        np.equal(_tap(x, i, j, stride, top.shape[2:]), top, hit)
    np.add.reduce(hits, 0, x.dtype, out=count)
    np.maximum(count, 1, out=count)  # a window that has NaN in it has no largest pixel
    return hits, count
