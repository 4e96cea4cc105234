"""Indices of integers, slices, Ellipsis and None in normal form: one `slice`, one `dimshuffle`.

Bounds follow Python: they count from the end if negative, and are cut to the axis. Where the size
of the axis is not known before the call, start and length are formulas.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any

import numpy as np

from graphc.errors import (
    GraphcIndexError,
    GraphcTypeError,
    GraphcValueError,
    NotSupportedError,
    message,
)
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, operand
from graphc.ir.shapes import (
    Dim,
    add,
    as_dim,
    at_least,
    at_most,
    floor_div,
    never_negative,
    sizes,
    sub,
)
from graphc.ir.source import here
from graphc.ops.elementwise import cast, lt, where
from graphc.ops.movement import dimshuffle
from graphc.ops.parts import slice_axes

Slice = builtins.slice


# -- reading an index -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """A part of an index that is an array: of integers, or a condition over several axes."""

    array: Node

    @property
    def is_condition(self) -> bool:
        """Whether it chooses what is true."""
        return self.array.type.dtype == dtypes.BOOL

    @property
    def axes(self) -> int:
        """How many axes of the array it is for."""
        return self.array.type.ndim if self.is_condition else 1


def read(x: Node, index: Any) -> list[Any]:
    """Return an index as a list of int, scalar Node, slice, `Places`, None and one Ellipsis."""
    given = list(index) if isinstance(index, tuple) else [index]
    parts = [_part(x, one) for one in given]
    dots = [i for i, one in enumerate(parts) if isinstance(one, EllipsisType)]
    if len(dots) > 1:
        raise GraphcIndexError(message("an index has one ... at most", [operand(x)], here()))
    used = used_axes(parts)
    if used > x.type.ndim:
        raise GraphcIndexError(
            message(f"{used} indices for {x.type.ndim} axes", [operand(x)], here())
        )
    return parts


def used_axes(parts: list[Any]) -> int:
    """Return how many axes the parts of an index are for, without an Ellipsis."""
    return sum(
        one.axes if isinstance(one, Places) else 1
        for one in parts
        if one is not None and not isinstance(one, EllipsisType)
    )


def without_dots(x: Node, parts: list[Any]) -> list[Any]:
    """Return the parts of an index with slices in place of an Ellipsis."""
    left = x.type.ndim - used_axes(parts)
    found: list[Any] = []
    for one in parts:
        found += [Slice(None)] * left if isinstance(one, EllipsisType) else [one]
    return found


def _part(x: Node, one: Any) -> Any:
    """Return one part of an index in the form the rest of the module knows."""
    if one is None or isinstance(one, EllipsisType):
        return one
    if isinstance(one, Slice):
        bounds = [None if b is None else _whole(x, b) for b in (one.start, one.stop, one.step)]
        return Slice(*bounds)
    if isinstance(one, (list, tuple)) or np.ndim(one) > 0:
        return _places(x, one)
    if isinstance(one, (bool, np.bool_)) or getattr(one, "dtype", None) == dtypes.BOOL:
        raise NotSupportedError(
            message(
                "indexing with a condition without axes",
                [operand(x), operand(as_node(one))],
                here(),
                "T.switch(condition, x, y) chooses between arrays",
            )
        )
    return _whole(x, one)


def _places(x: Node, one: Any) -> Places:
    if isinstance(one, (list, tuple)) and _is_empty(one):
        one = np.zeros(np.shape(one), dtypes.INDEX)  # NumPy reads an empty list as integers
    array = as_node(one)
    if array.type.dtype != dtypes.BOOL and not _is_whole(array):
        raise GraphcTypeError(
            message(
                f"an index is an array of integers or a condition, not of {array.type.dtype}",
                [operand(x), operand(array)],
                here(),
                "cast it with T.cast(i, 'int64')",
            )
        )
    return Places(array)


def _is_empty(nested: Any) -> bool:
    return isinstance(nested, (list, tuple)) and all(map(_is_empty, nested))


def _whole(x: Node, value: Any) -> int | Node:
    """Return an index or a bound as an int, or as an int64 scalar node."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "iu":
        return int(value)
    if isinstance(value, Node) and not value.type.ndim and _is_whole(value):
        return as_dim(cast(value, dtypes.INDEX))
    operands = [operand(x), operand(value)] if isinstance(value, Node) else [operand(x)]
    raise GraphcTypeError(
        message(
            f"an index is an integer, a slice, ... or None, not {value!r}",
            operands,
            here(),
            "cast it with T.cast(i, 'int64')" if isinstance(value, Node) else None,
        )
    )


def _is_whole(node: Node) -> bool:
    return dtypes.kind(node.type.dtype) in ("int", "uint")


def checked(index: int, size: int, x: Node, axis: int) -> int:
    """Return an index counted from 0, or raise if it lies outside its axis."""
    if not -size <= index < size:
        raise GraphcIndexError(
            message(
                f"index {index} is out of range for axis {axis} of size {size}",
                [operand(x)],
                here(),
            )
        )
    return index % size


# -- the normal form ------------------------------------------------------------------------------


@dataclass
class Cut:
    """A basic index in normal form: one slice, then one dimshuffle."""

    axes: list[int] = field(default_factory=list)
    starts: list[Dim] = field(default_factory=list)
    lengths: list[Dim] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    pattern: list[int] = field(default_factory=list)  # of the result's axes; -1 is a new one

    @classmethod
    def of(cls, x: Node, parts: list[Any], whole: bool = True) -> Cut:
        """Return the normal form of the parts of an index.

        With ``whole`` an index that cuts nothing is a slice all the same, so that ``x[:]`` can be
        the target of `set_subtensor`.
        """
        cut = cls()
        trivial: int | None = None
        axis = 0
        for part in parts:
            if part is None:
                cut.pattern.append(-1)
                continue
            if not isinstance(part, Slice):
                cut.take(axis, _place(part, sizes(x)[axis], x, axis), 1, 1)
            else:
                cut.pattern.append(axis)
                if part == Slice(None):
                    trivial = axis if trivial is None else trivial
                else:
                    cut.take(axis, *_bounds(part, sizes(x)[axis], x))
            axis += 1
        cut.pattern += range(axis, x.type.ndim)
        if whole and not cut.axes and trivial is not None:
            cut.take(trivial, 0, sizes(x)[trivial], 1)
        return cut

    def take(self, axis: int, start: Dim, length: Dim, step: int) -> None:
        """Cut an axis."""
        self.axes.append(axis)
        self.starts.append(start)
        self.lengths.append(length)
        self.steps.append(step)

    def apply(self, x: Node) -> Node:
        """Return the part of x."""
        if self.axes:
            x = slice_axes(x, self.axes, self.starts, self.lengths, self.steps)
        return dimshuffle(x, self.pattern)  # type: ignore[no-any-return]


def _place(index: Dim, size: Dim, x: Node, axis: int) -> Dim:
    """Return where an integer index points, counted from 0; the slice checks that it is inside."""
    if isinstance(index, int):
        if isinstance(size, int):
            return checked(index, size, x, axis)
        return index if index >= 0 else sub(size, -index)
    return index if never_negative(index) else _wrap(index, size)


def _wrap(index: Node, size: Dim) -> Node:
    """Return an index with the size added where it is negative."""
    return where(lt(index, 0), add(index, size), index)  # type: ignore[no-any-return]


def _bounds(part: Slice, size: Dim, x: Node) -> tuple[Dim, Dim, int]:
    """Return start, length and step of a slice of an axis."""
    step = 1 if part.step is None else part.step
    assert isinstance(step, int), "symbolic steps are read as places"
    if step == 0:
        raise GraphcValueError(message("the step of a slice is 0", [operand(x)], here()))
    start, stop = part.start, part.stop
    if isinstance(size, int) and not isinstance(start, Node) and not isinstance(stop, Node):
        place = range(size)[Slice(start, stop, step)]
        return (place.start if len(place) else 0), len(place), step
    if step < 0:
        return *_downwards(start, stop, size, -step), step
    return *_upwards(start, stop, size, step), step


def _upwards(start: Dim | None, stop: Dim | None, size: Dim, step: int) -> tuple[Dim, Dim]:
    """Return start and length of a slice with a positive step.

    Lengths are written so that equal ones are equal formulas: ``x[1:]`` and ``x[:-1]`` both have
    ``max(n - 1, 0)`` elements. A start beyond the end does no harm, as the length is then 0.
    """
    low = 0 if start is None else start
    if isinstance(low, int) and low >= 0:
        if stop is None or (isinstance(stop, int) and stop < 0):
            off = low + (0 if stop is None else -int(stop))
            span = at_least(sub(size, off), 0) if off else size
        else:
            span = at_least(sub(_cut(stop, size), low), 0) if low else _cut(stop, size)
        return low, _count(span, step)
    if isinstance(low, int) and stop is None:
        return at_least(sub(size, -low), 0), _count(at_most(size, -low), step)
    begin, end = _cut(low, size), size if stop is None else _cut(stop, size)
    span = sub(end, begin)
    return begin, _count(span if stop is None else at_least(span, 0), step)


def _cut(bound: Dim, size: Dim) -> Dim:
    """Return a bound counted from 0 and limited to [0, size]."""
    if isinstance(bound, int):
        return at_most(size, bound) if bound >= 0 else at_least(sub(size, -bound), 0)
    if never_negative(bound):
        return at_most(bound, size)
    return at_most(at_least(_wrap(bound, size), 0), size)


def _downwards(start: Dim | None, stop: Dim | None, size: Dim, step: int) -> tuple[Dim, Dim]:
    """Return start and length of a slice with a negative step, whose size is ``step``."""
    last = sub(size, 1)
    if start is None and stop is None:
        return last, _count(size, step)
    begin = last if start is None else _cut_down(start, size)
    end: Dim = -1 if stop is None else _cut_down(stop, size)
    return begin, _count(at_least(sub(begin, end), 0), step)


def _cut_down(bound: Dim, size: Dim) -> Dim:
    """Return a bound counted from 0 and limited to [-1, size - 1]."""
    last = sub(size, 1)
    if isinstance(bound, int):
        return at_most(last, bound) if bound >= 0 else at_least(sub(size, -bound), -1)
    if never_negative(bound):
        return at_most(bound, last)
    return at_most(at_least(_wrap(bound, size), -1), last)


def _count(span: Dim, step: int) -> Dim:
    """Return span / step, rounded up."""
    return floor_div(add(span, step - 1), step) if step > 1 else span
