"""Indexing with integers, slices, Ellipsis and None, and arrays with a part replaced.

Every such index becomes one `slice` node, with a start, a length and a step per indexed axis, and
one `dimshuffle`. Bounds follow Python: they count from the end if negative, and are cut to the
axis. Where the size of the axis is not known before the call, start and length are formulas.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any

import numpy as np

from graphc.errors import (
    DTypeError,
    GraphcIndexError,
    GraphcTypeError,
    GraphcValueError,
    NotSupportedError,
    message,
)
from graphc.ir import dtypes
from graphc.ir.node import DIM, Node, as_node, number, operand
from graphc.ir.shapes import Dim, add, as_dim, at_least, at_most, floor_div, sizes, sub
from graphc.ir.source import here
from graphc.ops.elementwise import cast, lt, where
from graphc.ops.family import is_number
from graphc.ops.movement import dimshuffle, expand
from graphc.ops.parts import put, slice_axes
from graphc.tensor.shaping import shape_padleft
from graphc.tensor.sizes import MAKE_VECTOR, elements, vector_of

Slice = builtins.slice
_DIMSHUFFLE, _SLICE = "dimshuffle", "slice"


def getitem(x: Any, index: Any) -> Node:
    """Return part of x, as ``x[index]`` does.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> m = T.TensorType("float64", (5, None))("m")
    >>> m[0].type, m[1:3, ::-1].type, m[:, None, -1].type
    (float64[?], float64[2, ?], float64[5, 1])
    """
    x = as_node(x)
    parts = _parts(x, index)
    if x.op is MAKE_VECTOR and len(parts) == 1:
        found = _of_scalars(x, parts[0])
        if found is not None:
            return found
    return _Cut.of(x, parts).apply(x)


def _of_scalars(vector: Node, part: Any) -> Node | None:
    """Return an element or a slice of a vector of scalars, such as a shape, without an index."""
    if isinstance(part, int):
        return vector.inputs[_checked(part, len(vector.inputs), vector, 0)]
    if isinstance(part, Slice) and all(
        bound is None or isinstance(bound, int) for bound in (part.start, part.stop, part.step)
    ):
        return vector_of([as_dim(one) for one in elements(vector)[part]])
    return None


# -- reading an index -----------------------------------------------------------------------------


def _parts(x: Node, index: Any) -> list[Any]:
    """Return an index as a list of int, Node, slice and None, without Ellipsis."""
    given = list(index) if isinstance(index, tuple) else [index]
    parts = [_part(x, one) for one in given]
    dots = [i for i, one in enumerate(parts) if isinstance(one, EllipsisType)]
    if len(dots) > 1:
        raise GraphcIndexError(message("an index has one ... at most", [operand(x)], here()))
    used = sum(one is not None and not isinstance(one, EllipsisType) for one in parts)
    if used > x.type.ndim:
        raise GraphcIndexError(
            message(f"{used} indices for {x.type.ndim} axes", [operand(x)], here())
        )
    if dots:
        parts[dots[0] : dots[0] + 1] = [Slice(None)] * (x.type.ndim - used)
    return parts


def _part(x: Node, one: Any) -> Any:
    """Return one part of an index in the form the rest of the module knows."""
    if one is None or isinstance(one, EllipsisType):
        return one
    if isinstance(one, Slice):
        bounds = [None if b is None else _whole(x, b) for b in (one.start, one.stop, one.step)]
        return Slice(*bounds)
    if isinstance(one, (list, tuple)) or np.ndim(one) > 0 or _is_bool(one):
        found = as_node(one)
        raise NotSupportedError(
            message(
                f"indexing with {'a condition' if _is_bool(found) else 'an array'}",
                [operand(x), operand(found)],
                here(),
                "use integers, slices, ... and None; T.switch chooses by a condition",
            )
        )
    return _whole(x, one)


def _is_bool(one: Any) -> bool:
    return isinstance(one, (bool, np.bool_)) or getattr(one, "dtype", None) == dtypes.BOOL


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


def _checked(index: int, size: int, x: Node, axis: int) -> int:
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
class _Cut:
    """A basic index in normal form: one slice, then one dimshuffle."""

    axes: list[int] = field(default_factory=list)
    starts: list[Dim] = field(default_factory=list)
    lengths: list[Dim] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    pattern: list[int] = field(default_factory=list)  # of the result's axes; -1 is a new one

    @classmethod
    def of(cls, x: Node, parts: list[Any]) -> _Cut:
        """Return the normal form of the parts of an index."""
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
        if not cut.axes and trivial is not None:  # so that x[:] can be the target of set_subtensor
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
            return _checked(index, size, x, axis)
        return index if index >= 0 else sub(size, -index)
    return index if _never_negative(index) else _wrap(index, size)


def _wrap(index: Node, size: Dim) -> Node:
    """Return an index with the size added where it is negative."""
    return where(lt(index, 0), add(index, size), index)  # type: ignore[no-any-return]


def _never_negative(node: Node, depth: int = 6) -> bool:
    """Tell whether a scalar is a size, or made of sizes so that it cannot be below 0."""
    value = number(node)
    if value is not None:
        return value >= 0
    if node.op is DIM or dtypes.kind(node.type.dtype) == "uint":
        return True
    if not depth:
        return False
    below = (_never_negative(child, depth - 1) for child in node.inputs)
    if node.op.name == "maximum":
        return any(below)
    return node.op.name in ("add", "mul", "minimum", "int_div", "cast") and all(below)


def _bounds(part: Slice, size: Dim, x: Node) -> tuple[Dim, Dim, int]:
    """Return start, length and step of a slice of an axis."""
    step = 1 if part.step is None else part.step
    if not isinstance(step, int):
        raise NotSupportedError(
            message(
                "a slice with a symbolic step",
                [operand(x), operand(step)],
                here(),
                "write the step as a number",
            )
        )
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
    if _never_negative(bound):
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
    if _never_negative(bound):
        return at_most(bound, last)
    return at_most(at_least(_wrap(bound, size), -1), last)


def _count(span: Dim, step: int) -> Dim:
    """Return span / step, rounded up."""
    return floor_div(add(span, step - 1), step) if step > 1 else span


# -- replacing a part -----------------------------------------------------------------------------


def set_subtensor(
    x: Any, y: Any, inplace: bool = False, tolerate_inplace_aliasing: bool = False
) -> Node:
    """Return a copy of an array with a part replaced: ``set_subtensor(a[2:4], 0)``.

    Parameters
    ----------
    x : expression
        The part, written as an index of the array.
    y : expression or number
        What stands there; broadcast to the part.
    inplace, tolerate_inplace_aliasing : bool
        Theano's; have no effect. The memory plan overwrites where nothing else reads.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> a = T.dmatrix("a")
    >>> T.set_subtensor(a[0], 0).type
    float64[?, ?]
    """
    return _replaced(x, y, "set_subtensor")


def inc_subtensor(
    x: Any,
    y: Any,
    inplace: bool = False,
    set_instead_of_inc: bool = False,
    tolerate_inplace_aliasing: bool = False,
) -> Node:
    """Return a copy of an array with something added to a part: ``inc_subtensor(a[0], y)``.

    Parameters
    ----------
    x, y, inplace, tolerate_inplace_aliasing
        As for `set_subtensor`.
    set_instead_of_inc : bool
        Replace instead of adding.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> a = T.dvector("a")
    >>> T.inc_subtensor(a[1:], 1).type
    float64[?]
    """
    return _replaced(x, y if set_instead_of_inc else _sum(x, y), "inc_subtensor")


def _sum(x: Any, y: Any) -> Any:
    return y if not isinstance(x, Node) else x + _fitting(x, y, "inc_subtensor")


def _replaced(x: Any, y: Any, what: str) -> Node:
    view = x
    pattern: tuple[int, ...] | None = None
    if isinstance(view, Node) and view.op.name == _DIMSHUFFLE:
        pattern = view.attrs["pattern"]
        view = view.inputs[0]
    if not isinstance(view, Node) or view.op.name != _SLICE:
        raise GraphcTypeError(
            message(
                f"{what}: the first operand is not part of an array",
                [operand(x)] if isinstance(x, Node) else [],
                here(),
                f"write {what}(a[index], y); for the whole array, T.fill(a, y) or a + y",
            )
        )
    value = expand(_fitting(x, y, what), sizes(x))
    if pattern is not None:
        back = [pattern.index(i) if i in pattern else -1 for i in range(view.type.ndim)]
        value = dimshuffle(value, back)
    axes = view.attrs["axes"]
    starts = view.inputs[1 : 1 + len(axes)]
    return put(view.inputs[0], value, axes, starts, view.attrs["steps"])  # type: ignore[no-any-return]


def _fitting(x: Node, y: Any, what: str) -> Any:
    """Return what is put into a part, in the part's dtype and rank."""
    strong = [x.type.dtype] if is_number(y) else [x.type.dtype, as_node(y).type.dtype]
    found = dtypes.result_with_number(y, strong) if is_number(y) else dtypes.promote(*strong)
    if found != x.type.dtype:
        raise DTypeError(
            message(
                f"{what}: {found} does not fit an array of {x.type.dtype}",
                [operand(x)] if is_number(y) else [operand(x), operand(as_node(y))],
                here(),
                f"T.cast it to {x.type.dtype}, or the array to {found}",
            )
        )
    value = cast(as_node(y), x.type.dtype)
    rank = x.type.ndim
    if value.type.ndim > rank:
        raise GraphcTypeError(
            message(
                f"{what}: {value.type.ndim} axes do not fit a part of {rank}",
                [operand(x), operand(value)],
                here(),
            )
        )
    return shape_padleft(value, rank - value.type.ndim) if value.type.ndim else value


__all__ = ["inc_subtensor", "set_subtensor"]
