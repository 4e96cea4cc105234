"""Correlation and pooling as NumPy has them fastest: what generated code calls.

A correlation copies the pixels under the windows into the columns of a matrix, a block of images at
a time, and multiplies. The matrix of a block stays in the cache, and is filled anew where the
gradient needs it once more, since that takes less time than to read a large one from memory.
Windows that move by one pixel are not cut at the ends of rows: then a column of the filter needs a
single long run of memory, and the few places between rows are not looked at.

Blocks are spread over threads. A product is then one call of NumPy that has BLAS multiply small
tiles, for which BLAS starts no threads of its own: they would wait for each other after each block
(measured: 14 ms with them, 10 without, and many times that on a busy machine). Where filters are
too large for such tiles, blocks run one after the other and the threads are BLAS's.

Nothing here knows about graphs; the text of these functions can stand beside generated source.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, product
from math import prod
from operator import itemgetter
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

TILE_BYTES, BLOCK_BYTES = 1 << 21, 1 << 23
"""Bytes of the columns of a block: what the cache of a core holds, and that of all."""

FEW = 500_000
"""Multiplications for which OpenBLAS starts no threads: it asks for 2 ** 18 a thread."""

STRANDS = 8
"""Sums that the gradient by the filters is made of: as many for any number of threads, so that it
is the same for any number."""


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
    span : int
        How many rows a window covers.
    """

    def __init__(
        self, image: Pair, window: Pair, out: Pair, stride: Pair, dilation: Pair, groups: int
    ) -> None:
        self.image, self.window, self.out = image, window, out
        self.stride, self.dilation, self.groups = stride, dilation, groups
        self.long = stride == (1, 1)
        self.pitch = image[1] if self.long else out[1]
        self.span = (window[0] - 1) * dilation[0] + 1

    def count(self, rows: int) -> int:
        """Return how many places so many rows of results take."""
        return (rows - 1) * self.pitch + self.out[1]

    def blocks(
        self, images: range, channels: int, itemsize: int, limit: int
    ) -> Iterator[tuple[int, int, int, int]]:
        """Yield the images and rows of blocks: (first, after the last) of both."""
        row = max(1, prod(self.window) * channels * self.pitch * itemsize)
        rows = max(1, min(self.out[0], limit // row))
        step = max(1, limit // (row * rows)) if rows == self.out[0] else 1
        for n, r in product(images[::step], range(0, self.out[0], rows)):
            yield n, min(n + step, images.stop), r, min(r + rows, self.out[0])

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


def _margins(images: np.ndarray, margin: Pair, first: int, last: int) -> np.ndarray:
    """Return some rows of images that have so many rows and columns of zeros on each side."""
    high, wide = margin
    n, channels, rows, columns = images.shape
    if margin == (0, 0):
        return images[:, :, first:last]
    found = _scratch.take("margins", (n, channels, last - first, columns + 2 * wide), images.dtype)
    start, stop = max(first, high), min(last, high + rows)
    found[:, :, : max(0, start - first)] = 0
    found[:, :, max(0, stop - first) :] = 0
    found[:, :, :, :wide] = found[:, :, :, wide + columns :] = 0
    if start < stop:
        inside = images[:, :, start - high : stop - high]
        found[:, :, start - first : stop - first, wide : wide + columns] = inside
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

    def work(n: int, m: int, r: int, s: int) -> None:
        images = _margins(x[n:m], margin, r * stride[0], (s - 1) * stride[0] + places.span)
        columns = places.columns(_in_rows(images) if places.long else images, s - r)
        shape = (*filters.shape[:2], columns.shape[2])
        products = _scratch.take("products", shape, x.dtype)
        _multiply(filters, columns, products)
        np.copyto(target[n:m, :, :, r:s], places.results(products, m - n, s - r))

    _over_blocks(work, places, x, _tile(*filters.shape[1:]) is not None)


def conv2d_inputs(
    g: np.ndarray, w: np.ndarray, out: np.ndarray, stride: Pair, dilation: Pair, groups: int
) -> None:
    """Write the gradient of a correlation by its images."""
    filters, own, *window = w.shape
    if stride != (1, 1) or 3 * groups * own < filters:  # then what is added is little
        _scatter(g, w, out, stride, dilation, groups)
        return
    # What a pixel gets comes from the windows around it: a correlation with the filters reversed.
    reversed_ = w.reshape(groups, filters // groups, own, *window)[..., ::-1, ::-1]
    turned = reversed_.swapaxes(1, 2).reshape(groups * own, filters // groups, *window)
    margin = ((window[0] - 1) * dilation[0], (window[1] - 1) * dilation[1])
    _correlate(g, turned, out, margin, stride, dilation, groups)


def _scatter(
    g: np.ndarray, w: np.ndarray, out: np.ndarray, stride: Pair, dilation: Pair, groups: int
) -> None:
    """Write the gradient by its images: each place adds to the pixels under it."""
    places = _Places(out.shape[2:], w.shape[2:], g.shape[2:], stride, dilation, groups)
    filters = np.ascontiguousarray(_as_matrices(w, groups).swapaxes(1, 2))
    source = places.by_group(g)
    out[...] = 0

    def work(n: int, m: int, r: int, s: int) -> None:
        under = places.under(out[n:m, :, r * stride[0] :], s - r)
        columns = _scratch.take("columns", under.shape, g.dtype)
        matrix = columns.reshape(groups, filters.shape[1], (m - n) * places.count(s - r))
        shape = (groups, filters.shape[2], matrix.shape[2])
        results = _scratch.take("products", shape, g.dtype)
        results[...] = 0  # also where no result is
        np.copyto(places.results(results, m - n, s - r), source[n:m, :, :, r:s])
        _multiply(filters, results, matrix)
        for i, j in product(*map(range, places.window)):
            tap = under[:, :, i, j]
            np.add(tap, columns[:, :, i, j], tap)

    # The rows of images that overlap must be written by one thread, so they are one block.
    _over_blocks(work, places, out, _tile(*filters.shape[1:]) is not None, whole=True)


def conv2d_weights(
    x: np.ndarray, g: np.ndarray, out: np.ndarray, stride: Pair, dilation: Pair, groups: int
) -> None:
    """Write the gradient of a correlation by its filters."""
    places = _Places(x.shape[2:], out.shape[2:], g.shape[2:], stride, dilation, groups)
    source = places.by_group(g)
    filters, pixels = len(out) // groups, prod(out.shape[1:])
    small = _part(pixels, filters) is not None
    length = max(1, -(-len(x) // STRANDS)) if small else max(1, len(x))
    strands = [range(n, min(n + length, len(x))) for n in range(0, len(x), length)]
    totals = np.zeros((len(strands), groups, pixels, filters), out.dtype)

    def work(strand: int) -> None:
        limit = TILE_BYTES if small else BLOCK_BYTES
        for n, m, r, s in places.blocks(strands[strand], x.shape[1], x.itemsize, limit):
            images = x[n:m, :, r * stride[0] : (s - 1) * stride[0] + places.span]
            columns = places.columns(_in_rows(images) if places.long else images, s - r)
            results = _scratch.take("products", (groups, filters, columns.shape[2]), g.dtype)
            results[...] = 0  # also where no result is
            np.copyto(places.results(results, m - n, s - r), source[n:m, :, :, r:s])
            _add_products(columns, results, totals[strand])

    _each(range(len(strands)), work, small)
    total = np.add.reduce(totals, 0)
    np.copyto(_as_matrices(out, groups), total.swapaxes(1, 2))


def _over_blocks(
    work: Callable[[int, int, int, int], None],
    places: _Places,
    images: np.ndarray,
    small: bool,
    whole: bool = False,
) -> None:
    """Run ``work`` for all blocks of images: small ones in threads, others one after the other."""
    count, channels = images.shape[:2]
    limit = TILE_BYTES if small else BLOCK_BYTES
    blocks = list(places.blocks(range(count), channels, images.itemsize, limit))
    if small and whole and blocks and blocks[0][3] < places.out[0]:
        by_image = [list(group) for _, group in groupby(blocks, itemgetter(0))]
        _each(by_image, lambda some: _each(some, lambda block: work(*block), False), True)
    else:
        _each(blocks, lambda block: work(*block), small)


def _each(items: Sequence[Any], work: Callable[[Any], Any], in_threads: bool) -> None:
    """Call ``work`` with each item."""
    if not in_threads:
        for item in items:
            work(item)
        return
    left = iter(items)

    def run() -> None:
        for item in left:
            work(item)

    share(run, len(items))


# -- products of small tiles ----------------------------------------------------------------------


def _tile(rows: int, inner: int) -> tuple[int, int] | None:
    """Return the rows and columns of tiles of a product, or None if none are small enough."""
    high = _divisor(rows)
    wide = FEW // max(1, high * inner) // 8 * 8
    return (high, wide) if high and wide else None


def _part(rows: int, columns: int) -> tuple[int, int] | None:
    """Return the rows of tiles of a product, and how much of its sums; None if too little."""
    high = _divisor(rows, 16)  # low tiles, so that sums are long and few are to be added
    long = FEW // max(1, high * columns)
    return (high, long) if high and long >= 256 else None


def _divisor(size: int, most: int = 32) -> int:
    """Return into how large parts an axis is cut, or its size if there are none."""
    parts = [n for n in range(8, most + 1) if not size % n]
    return parts[-1] if parts and size > most else size


def _multiply(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """Write the products of (group, row, inner) and (group, inner, column)."""
    groups, rows, inner = a.shape
    tile = _tile(rows, inner)
    if tile is None:
        np.matmul(a, b, out)
        return
    high, wide = tile
    tall = a.reshape(groups, rows // high, 1, high, inner)
    done = b.shape[2] // wide * wide
    for start, stop, step in ((0, done, wide), (done, b.shape[2], b.shape[2] - done)):
        if start < stop:
            left = _cut(b[:, :, start:stop], step)[:, None]
            np.matmul(tall, left, _cut(out[:, :, start:stop], step, high))


def _cut(matrices: np.ndarray, wide: int, high: int = 0) -> np.ndarray:
    """Return a view of matrices cut into columns of tiles, and into rows of them too."""
    groups, rows, columns = matrices.shape
    if not high:
        return matrices.reshape(groups, rows, columns // wide, wide).swapaxes(1, 2)
    tiles = matrices.reshape(groups, rows // high, high, columns // wide, wide)
    return tiles.swapaxes(2, 3)  # an axis that is split is never copied


def _add_products(a: np.ndarray, b: np.ndarray, total: np.ndarray) -> None:
    """Add the products of (group, row, inner) and transposed (group, column, inner)."""
    groups, rows, inner = a.shape
    columns = b.shape[1]
    part = _part(rows, columns)
    if part is None:
        np.add(total, np.matmul(a, b.swapaxes(1, 2)), total)
        return
    high, long = part
    long = -(-inner // -(-inner // long)) if inner else 1  # parts of nearly one length
    done = inner // long * long
    for start, stop, step in ((0, done, long), (done, inner, inner - done)):
        if start < stop:
            count = (stop - start) // step
            left = _cut(a[:, :, start:stop], step, high).swapaxes(1, 2)
            right = _cut(b[:, :, start:stop], step)[:, :, None].swapaxes(3, 4)
            shape = (groups, count, rows // high, high, columns)
            parts = _scratch.take("parts", shape, total.dtype)
            np.matmul(left, right, parts)
            for k in range(count):
                np.add(total, parts[:, k].reshape(total.shape), total)


# -- the largest in each window -------------------------------------------------------------------

_POOL_BYTES = 1 << 19


def _over_images(work: Callable[[int, int], None], images: np.ndarray) -> None:
    """Run ``work(first, after the last)`` for all images, small blocks of them, in threads."""
    count = len(images)
    step = max(1, _POOL_BYTES // max(1, images.nbytes // max(1, count)))
    _each(range(0, count, step), lambda n: work(n, min(n + step, count)), True)


def _tap(images: np.ndarray, i: int, j: int, stride: Pair, out: Sequence[int]) -> np.ndarray:
    """Return the pixels that lie under one place of the window, wherever it moves.

    They are fewer than windows where the last windows reach beyond the image.
    """
    rows = slice(i, i + stride[0] * (out[0] - 1) + 1, stride[0])
    return images[:, :, rows, j : j + stride[1] * (out[1] - 1) + 1 : stride[1]]


def pool_max(x: np.ndarray, out: np.ndarray, size: Pair, stride: Pair, cover: bool) -> None:
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
    first, *rest = parts
    if rest and rest[0].shape == out.shape:
        np.maximum(first, rest.pop(0), out=out)
    else:
        np.copyto(out, first)
    for part in rest:
        seen = _first(out, part)
        np.maximum(seen, part, out=seen)


def _first(windows: np.ndarray, tap: np.ndarray) -> np.ndarray:
    """Return those windows that have a pixel at a tap."""
    return windows[:, :, : tap.shape[2], : tap.shape[3]]


def pool_spread(
    x: np.ndarray,
    top: np.ndarray,
    g: np.ndarray,
    out: np.ndarray,
    size: Pair,
    stride: Pair,
    cover: bool,
) -> None:
    """Write what belongs to the windows into their largest pixels, in equal shares."""
    apart = size[0] <= stride[0] and size[1] <= stride[1]

    def work(n: int, m: int) -> None:
        hits, count = _hits(x[n:m], top[n:m], size, stride, cover)
        np.divide(g[n:m], count, count)
        out[n:m] = 0
        for hit, (i, j) in zip(hits, product(*map(range, size)), strict=True):
            tap = _tap(out[n:m], i, j, stride, top.shape[2:])
            if apart:
                np.multiply(_first(hit, tap), _first(count, tap), tap)
            else:
                np.add(tap, _first(hit, tap) * _first(count, tap), tap)

    if top.size:
        _over_images(work, x)
    else:
        out[...] = 0


def pool_pick(
    x: np.ndarray,
    top: np.ndarray,
    v: np.ndarray,
    out: np.ndarray,
    size: Pair,
    stride: Pair,
    cover: bool,
) -> None:
    """Write the mean of v over the largest pixels of each window of x."""

    def work(n: int, m: int) -> None:
        hits, count = _hits(x[n:m], top[n:m], size, stride, cover)
        out[n:m] = 0
        for hit, (i, j) in zip(hits, product(*map(range, size)), strict=True):
            tap = _tap(v[n:m], i, j, stride, top.shape[2:])
            seen = _first(out[n:m], tap)
            np.add(seen, _first(hit, tap) * tap, seen)
        np.divide(out[n:m], count, out[n:m])

    if top.size:
        _over_images(work, x)


def _hits(
    x: np.ndarray, top: np.ndarray, size: Pair, stride: Pair, cover: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the largest pixels lie, an array for each place of the window, and how many."""
    hits = _scratch.take("hits", (size[0] * size[1], *top.shape), np.dtype(bool))
    count = _scratch.take("count", top.shape, x.dtype)
    if cover:
        hits[...] = False
    for hit, (i, j) in zip(hits, product(*map(range, size)), strict=True):
        tap = _tap(x, i, j, stride, top.shape[2:])
        np.equal(tap, _first(top, tap), _first(hit, tap))
    np.add.reduce(hits, 0, x.dtype, out=count)
    np.maximum(count, 1, out=count)  # a window that has NaN in it has no largest pixel
    return hits, count
