"""Gradients of parts of an array that fill different places of it: one array instead of a sum.

``z[:, :n]`` and ``z[:, n:]`` each send back an array of zeros with a gradient in it. Where the
parts are known not to overlap, all are put into one array of zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from graphc.ir.node import Node, number
from graphc.ir.op import OPS
from graphc.ir.shapes import Dim, as_dim, sizes
from graphc.ops.parts import put

_PUT = OPS["put"]
_DEPTH = 8  # of the formulas of sizes that are looked into

Range = tuple[float, float]
_ANY: Range = (float("-inf"), float("inf"))


def together(values: Sequence[Node], is_zero: Callable[[Node], bool]) -> list[Node]:
    """Return gradients of one array, of which those of different parts of it are one."""
    found: list[Node] = []
    boards: dict[tuple[object, ...], list[Node]] = {}
    for value in values:
        if value.op is _PUT and is_zero(value.inputs[0]) and set(value.attrs["steps"]) == {1}:
            boards.setdefault((value.attrs["axes"], value.inputs[0]), []).append(value)
        else:
            found.append(value)
    for parts in boards.values():
        found += _merged(parts)
    return found


def _merged(parts: list[Node]) -> list[Node]:
    axes = parts[0].attrs["axes"]
    if len(parts) < 2 or not any(_are_apart(parts, i) for i in range(len(axes))):
        return parts
    board = parts[0].inputs[0]
    for part in parts:
        board = put(board, part.inputs[1], axes, part.inputs[2:], part.attrs["steps"])
    return [board]


def _are_apart(parts: Sequence[Node], i: int) -> bool:
    """Tell whether no two parts share a place along one of their axes."""
    ranges = []
    for part in parts:
        start = bounds(as_dim(part.inputs[2 + i]))
        size = bounds(sizes(part.inputs[1])[part.attrs["axes"][i]])
        ranges.append((start[0], start[1] + size[1]))
    ranges.sort()
    return all(first[1] <= second[0] for first, second in pairwise(ranges))


def bounds(size: Dim, depth: int = _DEPTH) -> Range:
    """Return between which numbers a formula of sizes lies, as far as is easily seen.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> n = T.lscalar("n")
    >>> bounds(T.maximum(T.minimum(n, 256) - 128, 0))
    (0, 128)
    """
    if isinstance(size, int):
        return size, size
    value = number(size)
    if value is not None:
        return value, value
    if not depth or len(size.inputs) not in (1, 2):
        return _ANY
    low, high = zip(*[bounds(as_dim(child), depth - 1) for child in size.inputs], strict=True)
    match size.op.name:
        case "dim":
            return 0, _ANY[1]
        case "minimum":
            return min(low), min(high)
        case "maximum":
            return max(low), max(high)
        case "add":
            return sum(low), sum(high)
        case "sub":
            return low[0] - high[1], high[0] - low[1]
    return _ANY
