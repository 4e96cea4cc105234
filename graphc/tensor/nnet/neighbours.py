"""The windows of images as rows of a matrix, and back: ``T.nnet.neighbours``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product as every
from typing import Any

from graphc.errors import GraphcValueError, message
from graphc.ir.node import Node, as_node
from graphc.ir.shapes import Dim, add, floor_div, mul, product, sizes, sub
from graphc.ir.source import here
from graphc.ops.movement import dimshuffle, reshape
from graphc.ops.parts import join, slice_axes
from graphc.tensor.margins import images, pair, reach, steps, with_margins
from graphc.tensor.sizes import size_list

MODES = ("valid", "ignore_borders", "wrap_centered", "half", "full")


def images2neibs(ten4: Any, neib_shape: Any, neib_step: Any = None, mode: str = "valid") -> Any:
    """Return a matrix with a row for each window of each channel of each image.

    Parameters
    ----------
    ten4 : expression (batch, channels, rows, columns)
    neib_shape : pair of int
        The size of a window.
    neib_step : pair of int, optional
        How far windows move; by default by their own size.
    mode : {'valid', 'ignore_borders', 'wrap_centered', 'half', 'full'}
        ``valid``: windows fill the image; ``ignore_borders``: pixels that fill no window are left
        out; ``wrap_centered``: a window of odd size around each place, which goes on at the other
        side of the image; ``half`` and ``full``: with zeros around the image, as in `conv2d`.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.TensorType("float32", (2, 3, 4, 6))("x")
    >>> T.nnet.neighbours.images2neibs(x, (2, 2)).type
    float32[36, 4]
    """
    x = images(ten4, "images2neibs")
    size = pair(neib_shape, "images2neibs: neib_shape")
    step = size if neib_step is None else pair(neib_step, "images2neibs: neib_step")
    if mode not in MODES:
        problem = f"images2neibs: no mode {mode!r}"
        raise GraphcValueError(message(problem, (), here(), f"there are {', '.join(MODES)}"))
    x, counts = _placed(x, size, step, mode)
    return _rows(x, size, step, counts)


def _placed(
    x: Node, size: tuple[int, int], step: tuple[int, int], mode: str
) -> tuple[Node, list[Dim]]:
    """Return the image with what is around it, and how many windows it has along its axes."""
    if mode == "wrap_centered":
        if any(n % 2 == 0 for n in size):
            problem = f"images2neibs: mode 'wrap_centered' needs windows of odd size, not {size}"
            raise GraphcValueError(message(problem, (), here()))
        counts = [floor_div(add(n, s - 1), s) for n, s in zip(sizes(x)[2:], step, strict=True)]
        for axis, n in enumerate(size, 2):
            x = _wrapped(x, axis, n // 2)
        return x, counts
    margin = {"half": [n // 2 for n in size], "full": [n - 1 for n in size]}.get(mode, [0, 0])
    x = with_margins(x, [(m, m) for m in margin])
    counts = [steps(n, k, s, True) for n, k, s in zip(sizes(x)[2:], size, step, strict=True)]
    if mode != "ignore_borders":  # windows must fill the image: the sizes are checked here
        filled = map(reach, counts, size, step)
        x = reshape(x, (*sizes(x)[:2], *filled))
    return x, counts


def _wrapped(x: Node, axis: int, margin: int) -> Node:
    """Return an image that goes on at both ends of an axis with what is at the other."""
    if not margin:
        return x
    length = sizes(x)[axis]
    end = slice_axes(x, [axis], [sub(length, margin)], [margin], [1])
    start = slice_axes(x, [axis], [0], [margin], [1])
    return join(axis, [end, x, start])  # type: ignore[no-any-return]


def _rows(x: Node, size: tuple[int, int], step: tuple[int, int], counts: Sequence[Dim]) -> Node:
    batch, channels = sizes(x)[:2]
    if size == step:
        shape = [mul(count, n) for count, n in zip(counts, size, strict=True)]
        inner = slice_axes(x, (2, 3), (0, 0), shape, (1, 1))
        apart = reshape(inner, (batch, channels, counts[0], size[0], counts[1], size[1]))
        windows = dimshuffle(apart, (0, 1, 2, 4, 3, 5))
    else:
        taps = [slice_axes(x, (2, 3), at, counts, step) for at in every(*map(range, size))]
        windows = join(4, [dimshuffle(tap, (0, 1, 2, 3, "x")) for tap in taps])
    return reshape(windows, (product((batch, channels, *counts)), size[0] * size[1]))  # type: ignore[no-any-return]


def neibs2images(neibs: Any, neib_shape: Any, original_shape: Any, mode: str = "valid") -> Any:
    """Return the images whose windows, which do not overlap, are the rows of a matrix.

    Parameters
    ----------
    neibs : expression (windows, pixels)
        As `images2neibs` makes it.
    neib_shape : pair of int
    original_shape : sequence
        The sizes of the images; pixels that fill no window are 0.
    mode : {'valid', 'ignore_borders'}

    Examples
    --------
    >>> import graphc.tensor as T
    >>> rows = T.TensorType("float32", (36, 4))("rows")
    >>> T.nnet.neighbours.neibs2images(rows, (2, 2), (2, 3, 4, 6)).type
    float32[2, 3, 4, 6]
    """
    if mode not in ("valid", "ignore_borders"):
        problem = f"neibs2images: no mode {mode!r}"
        raise GraphcValueError(message(problem, (), here(), "there are valid, ignore_borders"))
    size = pair(neib_shape, "neibs2images: neib_shape")
    batch, channels, *shape = size_list(original_shape, "neibs2images", 4)
    counts = [floor_div(n, k) for n, k in zip(shape, size, strict=True)]
    apart = reshape(as_node(neibs), (batch, channels, *counts, *size))
    whole = [mul(count, n) for count, n in zip(counts, size, strict=True)]
    found = reshape(dimshuffle(apart, (0, 1, 2, 4, 3, 5)), (batch, channels, *whole))
    if mode == "valid":
        return found
    return with_margins(found, [(0, sub(n, m)) for n, m in zip(shape, whole, strict=True)])


__all__ = ["images2neibs", "neibs2images"]
