"""Windows as users describe them: pairs of sizes, margins around images, border modes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError, GraphcValueError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, const, operand
from graphc.ir.shapes import Dim, add, as_dim, floor_div, mul, sizes, sub
from graphc.ir.source import here
from graphc.ops import window
from graphc.ops.movement import expand
from graphc.ops.parts import put

Margins = Sequence[tuple[Dim, Dim]]
NO_MARGINS: Margins = ((0, 0), (0, 0))


def pair(given: Any, what: str, low: int = 1) -> tuple[int, int]:
    """Return two whole numbers: one for rows and one for columns, or one for both.

    Examples
    --------
    >>> pair(2, "the stride"), pair((1, 2), "the stride")
    ((2, 2), (1, 2))
    """
    return numbers(given, what, 2, low)  # type: ignore[return-value]


def numbers(given: Any, what: str, count: int, low: int = 1) -> tuple[int, ...]:
    """Return so many whole numbers, given one for all of them or one each.

    Raises
    ------
    GraphcValueError
        If there are more or fewer, or one is below ``low``.
    GraphcTypeError
        If one is not known before the call, or is no whole number.
    """
    found = list(given) if isinstance(given, (tuple, list, np.ndarray)) else [given] * count
    if len(found) != count:
        raise GraphcValueError(message(f"{what} is {count} numbers, not {given!r}", (), here()))
    return tuple(whole(one, what, low) for one in found)


def whole(given: Any, what: str, low: int) -> int:
    """Return a whole number that is known now."""
    value = as_dim(given) if isinstance(given, Node) and not given.type.ndim else given
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise GraphcTypeError(
            message(
                f"{what} must be a known whole number, not {given!r}",
                (),
                here(),
                "windows are compiled for their size; only images may have any",
            )
        )
    if value < low:
        raise GraphcValueError(message(f"{what} must be at least {low}, not {value}", (), here()))
    return int(value)


def border(mode: Any, covered: Sequence[Dim], what: str) -> Margins:
    """Return the margins of a border mode, (before, after) for each axis.

    Parameters
    ----------
    mode : {'valid', 'full', 'half'}, int, or sequence
        Of numbers, for each axis; or of pairs of them: before and after.
    covered : sequence of sizes
        What a window covers of each axis.
    what : str
        The function that asks, for messages.
    """
    if mode == "valid":
        return [(0, 0)] * len(covered)
    if mode == "full":
        return [(sub(size, 1),) * 2 for size in covered]
    if mode in ("half", "same"):
        return [(floor_div(size, 2),) * 2 for size in covered]
    if isinstance(mode, str):
        raise GraphcValueError(
            message(
                f"{what}: no border_mode {mode!r}",
                (),
                here(),
                "'valid', 'full', 'half', a number of pixels, or numbers for rows and for columns",
            )
        )
    each = list(mode) if isinstance(mode, (tuple, list)) else [mode] * len(covered)
    if len(each) != len(covered):
        raise GraphcValueError(
            message(f"{what}: border_mode for {len(covered)} axes, not {mode!r}", (), here())
        )
    return [_before_and_after(one, what) for one in each]


def _before_and_after(given: Any, what: str) -> tuple[int, int]:
    both = given if isinstance(given, (tuple, list)) else (given, given)
    before, after = numbers(both, f"{what}: a margin", 2, 0)
    return before, after


def with_margins(x: Node, margins: Margins, value: Any = 0) -> Node:
    """Return images in larger ones, which are ``value`` around them; the last axes have margins."""
    if all(isinstance(m, int) and m == 0 for both in margins for m in both):
        return x
    first = x.type.ndim - len(margins)
    shape = list(sizes(x))
    for axis, (before, after) in enumerate(margins, first):
        shape[axis] = add(add(shape[axis], before), after)
    around = expand(const(value, x.type.dtype), shape)
    axes = range(first, x.type.ndim)
    return put(around, x, axes, [before for before, _ in margins], [1] * len(margins))  # type: ignore[no-any-return]


def lowest(dtype: str) -> Any:
    """Return what is smaller than any other number of a dtype."""
    return float("-inf") if dtypes.is_float(dtype) else dtypes.limits(dtype)[0]


def images(x: Any, what: str) -> Node:
    """Return x if it has four axes."""
    node = as_node(x)
    if node.type.ndim != 4:
        raise GraphcTypeError(
            message(
                f"{what} takes images with 4 axes",
                [operand(node)],
                here(),
                "(batch, channels, rows, columns); dimshuffle or reshape what is not",
            )
        )
    return node


def steps(length: Dim, size: int, stride: int, cut: bool) -> Dim:
    """Return how many windows lie along an axis: inside of it, or also beyond its end."""
    if cut:
        return window.places(length, size, stride)
    return window.places_to_cover(length, size, stride)


def reach(count: Dim, size: int, stride: int) -> Dim:
    """Return how far so many windows reach."""
    return add(mul(sub(count, 1), stride), size)
