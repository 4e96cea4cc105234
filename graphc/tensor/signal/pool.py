"""Pooling: one number for each window of an image, as ``T.signal.pool``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError, GraphcValueError, NotSupportedError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, const, operand
from graphc.ir.shapes import Dim, add, at_least, mul, product, sizes, sub
from graphc.ir.source import here
from graphc.ops import window
from graphc.ops.elementwise import cast, eq, maximum, minimum, where
from graphc.ops.movement import dimshuffle, expand, reshape
from graphc.ops.parts import iota, slice_axes
from graphc.tensor.margins import lowest, numbers, pair, reach, steps, with_margins

MODES = ("max", "sum", "average_inc_pad", "average_exc_pad")


def pool_2d(
    input: Any,
    ws: Any = None,
    ignore_border: bool | None = None,
    stride: Any = None,
    pad: Any = (0, 0),
    mode: str = "max",
    ds: Any = None,
    st: Any = None,
    padding: Any = None,
) -> Any:
    """Return one number for each window of the last two axes.

    Parameters
    ----------
    input : expression
        With two axes or more.
    ws : int or pair
        Rows and columns of a window; ``ds`` in old programs.
    ignore_border : bool
        Whether pixels at the end that fill no window are left out. Otherwise there are windows
        beyond the end, of which only the pixels inside count. The default is False, as in Theano.
    stride : int or pair, optional
        How far windows move, by default by their own size; ``st`` in old programs.
    pad : int or pair
        Rows and columns around the image, smaller than a window; only with ``ignore_border=True``.
        They are never the largest, and 0 otherwise. ``padding`` in old programs.
    mode : {'max', 'sum', 'average_inc_pad', 'average_exc_pad'}
        Averages are taken over the whole window, or over the pixels that are not ``pad``.

    Returns
    -------
    expression
        With as many axes as the input.

    Raises
    ------
    GraphcValueError
        For a window of less than one pixel, an unknown mode, or padding that is too large.
    ShapeError
        If a window is larger than the image and ``ignore_border`` is True.

    Notes
    -----
    Equal largest pixels of a window share its gradient evenly.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.TensorType("float32", (None, 8, 5, 5))("x")
    >>> T.signal.pool.pool_2d(x, (2, 2)).type
    float32[?, 8, 3, 3]
    >>> T.signal.pool.pool_2d(x, (2, 2), ignore_border=True, mode="sum").type
    float32[?, 8, 2, 2]
    """
    size = pair(_one_of(ws, ds, "ws"), "pool_2d: ws")
    given = _one_of(stride, st, "stride", size)
    around = pad if padding is None else padding
    margin = numbers(around, "pool_2d: pad", 2, 0)
    cut = bool(ignore_border)
    _check(mode, size, margin, cut)
    x = as_node(input)
    if x.type.ndim < 2:
        raise GraphcTypeError(message("pool_2d needs two axes", [operand(x)], here()))
    x4 = _in_four(x)
    found = _pooled(x4, size, pair(given, "pool_2d: stride"), margin, cut, mode)
    return found if x.type.ndim == 4 else reshape(found, (*sizes(x)[:-2], *sizes(found)[2:]))


def _one_of(new: Any, old: Any, name: str, default: Any = None) -> Any:
    """Return the value of a parameter that has two names."""
    if new is not None and old is not None:
        raise GraphcTypeError(message(f"pool_2d: {name} is given by two names", (), here()))
    found = new if new is not None else old
    if found is None and default is None:
        raise GraphcTypeError(message(f"pool_2d needs {name}, the size of a window", (), here()))
    return default if found is None else found


def _check(mode: str, size: Sequence[int], margin: Sequence[int], cut: bool) -> None:
    if mode not in MODES:
        raise GraphcValueError(
            message(f"pool_2d: no mode {mode!r}", (), here(), f"there are {', '.join(MODES)}")
        )
    if any(margin) and not cut:
        raise NotSupportedError(message("pool_2d: pad needs ignore_border=True", (), here()))
    if any(m >= n for m, n in zip(margin, size, strict=True)):
        raise GraphcValueError(
            message(f"pool_2d: pad {margin} is not smaller than the window {size}", (), here())
        )


def _in_four(x: Node) -> Node:
    """Return images of two axes or more as (batch, channels, rows, columns)."""
    rank = x.type.ndim
    if rank == 4:
        return x
    if rank < 4:
        return dimshuffle(x, ["x"] * (4 - rank) + list(range(rank)))  # type: ignore[no-any-return]
    whole = sizes(x)
    return reshape(x, (product(whole[:-3]), *whole[-3:]))  # type: ignore[no-any-return]


def _pooled(
    x: Node,
    size: tuple[int, int],
    stride: tuple[int, int],
    margin: Sequence[int],
    cut: bool,
    mode: str,
) -> Node:
    if mode == "max":
        around = with_margins(x, [(m, m) for m in margin], lowest(x.type.dtype))
        return window.pool_max(around, size, stride, not cut)  # type: ignore[no-any-return]
    counts: list[Dim] = []
    margins: list[tuple[Dim, Dim]] = []
    for length, n, step, m in zip(sizes(x)[2:], size, stride, margin, strict=True):
        wide = add(length, 2 * m)
        counts.append(steps(wide, n, step, cut))
        over = 0 if cut else at_least(sub(reach(counts[-1], n, step), wide), 0)
        margins.append((m, add(m, over)))
    total = _summed(with_margins(x, margins), size, stride)
    if mode == "sum":
        return total
    total = cast(total, dtypes.floating(total.type.dtype))
    if mode == "average_inc_pad" and cut:
        return total / (size[0] * size[1])  # type: ignore[no-any-return]
    inside = [
        _inside(count, n, step, m, length)
        for count, n, step, m, length in zip(
            counts, size, stride, margin, sizes(x)[2:], strict=True
        )
    ]
    rows, columns = (cast(one, total.type.dtype) for one in inside)
    return total / (dimshuffle(rows, ("x", "x", 0, "x")) * dimshuffle(columns, ("x", "x", "x", 0)))  # type: ignore[no-any-return]


def _summed(x: Node, size: tuple[int, int], stride: tuple[int, int]) -> Node:
    """Return the sum of each window: a correlation with ones, each channel an image of its own."""
    dtype = dtypes.floating(x.type.dtype)
    batch, channels, *shape = sizes(x)
    apart = reshape(cast(x, dtype), (product((batch, channels)), 1, *shape))
    ones = const(np.ones((1, 1, *size), dtype))
    found = window.conv2d(apart, ones, stride=stride)
    return reshape(found, (batch, channels, *sizes(found)[2:]))  # type: ignore[no-any-return]


def _inside(count: Dim, size: int, stride: int, margin: int, length: Dim) -> Node:
    """Return how many pixels of each window along an axis are of the image."""
    first = iota(count) * stride - margin
    last = minimum(first + size, as_node(length))
    return maximum(last - maximum(first, 0), 1)  # type: ignore[no-any-return]


def pool_3d(
    input: Any,
    ws: Any = None,
    ignore_border: bool | None = None,
    stride: Any = None,
    pad: Any = (0, 0, 0),
    mode: str = "max",
    ds: Any = None,
    st: Any = None,
    padding: Any = None,
) -> Any:
    """Return one number for each window of the last three axes: depth, rows and columns.

    Parameters are those of `pool_2d`, with three numbers where it has two. Equal largest elements
    share the gradient by layers, and then within each.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.TensorType("float32", (None, 8, 4, 6, 6))("x")
    >>> T.signal.pool.pool_3d(x, (2, 2, 2), ignore_border=True).type
    float32[?, 8, 2, 3, 3]
    """
    size = numbers(_one_of(ws, ds, "ws"), "pool_3d: ws", 3)
    step = numbers(_one_of(stride, st, "stride", size), "pool_3d: stride", 3)
    margin = numbers(pad if padding is None else padding, "pool_3d: pad", 3, 0)
    x = as_node(input)
    if x.type.ndim < 3:
        raise GraphcTypeError(message("pool_3d needs three axes", [operand(x)], here()))
    layers = pool_2d(x, size[1:], ignore_border, step[1:], margin[1:], mode)
    *outer, depth, rows, columns = sizes(layers)
    flat = reshape(layers, (*outer, depth, mul(rows, columns)))
    found = pool_2d(flat, (size[0], 1), ignore_border, (step[0], 1), (margin[0], 0), mode)
    return reshape(found, (*outer, sizes(found)[-2], rows, columns))


def max_pool_2d(
    input: Any,
    ds: Any,
    ignore_border: bool | None = None,
    st: Any = None,
    padding: Any = (0, 0),
    mode: str = "max",
) -> Any:
    """Return `pool_2d` with the parameters of old programs.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.signal.downsample.max_pool_2d(T.ftensor4("x"), (2, 2)).type
    float32[?, ?, ?, ?]
    """
    return pool_2d(input, ds, ignore_border, st, padding, mode)


def max_pool_2d_same_size(input: Any, patch_size: Any) -> Any:
    """Return an image in which only the largest pixels of each patch are kept, the others 0.

    Patches do not overlap; those at the end may be smaller.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.signal.pool.max_pool_2d_same_size(T.dtensor4("x"), (2, 2)).type
    float64[?, ?, ?, ?]
    """
    size = pair(patch_size, "max_pool_2d_same_size: patch_size")
    x = as_node(input)
    top = pool_2d(x, size)
    rank = x.type.ndim
    *outer, rows, columns = sizes(top)
    wide = dimshuffle(top, (*range(rank - 1), "x", rank - 1, "x"))
    spread = reshape(
        expand(wide, (*outer, rows, size[0], columns, size[1])),
        (*outer, mul(rows, size[0]), mul(columns, size[1])),
    )
    axes = (rank - 2, rank - 1)
    level = slice_axes(spread, axes, (0, 0), sizes(x)[-2:], (1, 1))
    return where(eq(x, level), x, 0)


__all__ = ["max_pool_2d", "max_pool_2d_same_size", "pool_2d", "pool_3d"]
