"""Arrays made of a value, a count or a pattern."""

from __future__ import annotations

import math
from typing import Any

from graphc.config import config
from graphc.errors import GraphcTypeError, GraphcValueError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, const, number, operand
from graphc.ir.shapes import sizes
from graphc.ir.source import here
from graphc.ops.elementwise import cast, eq, int_div, maximum, neg
from graphc.ops.family import is_number
from graphc.ops.movement import dimshuffle, expand, fill
from graphc.ops.parts import iota
from graphc.tensor.shaping import broadcast_to
from graphc.tensor.sizes import size_list


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """Return a value repeated over a shape.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.full((2, T.lscalar("n")), 1.5, "float32").type
    float32[2, ?]
    """
    value = const(fill_value, _dtype(dtype)) if is_number(fill_value) else as_node(fill_value)
    return broadcast_to(value if dtype is None else cast(value, dtype), shape)


def _dtype(dtype: Any) -> str | None:
    return None if dtype is None else dtypes.canonical(dtype)


def zeros(shape: Any, dtype: Any = None) -> Any:
    """Return zeros of a shape; floatX by default.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.zeros((3, 2)).type, T.zeros(T.dmatrix("m").shape, "int8").type
    (float64[3, 2], int8[?, ?])
    """
    return expand(const(0, dtypes.canonical(dtype or "floatX")), size_list(shape, "zeros"))


def ones(shape: Any, dtype: Any = None) -> Any:
    """Return ones of a shape; floatX by default.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.ones((3, 2), dtype="int64").type
    int64[3, 2]
    """
    return expand(const(1, dtypes.canonical(dtype or "floatX")), size_list(shape, "ones"))


def full_like(a: Any, fill_value: Any, dtype: Any = None) -> Any:
    """Return a value in the shape of a, by default in its dtype too.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.full_like(T.fmatrix("m"), 0.5).type
    float32[?, ?]
    """
    a = as_node(a)
    wanted = _dtype(dtype) or a.type.dtype
    value = (
        const(fill_value, wanted) if is_number(fill_value) else cast(as_node(fill_value), wanted)
    )
    return fill(a, value)


def zeros_like(model: Any, dtype: Any = None, opt: bool = False) -> Any:
    """Return zeros in the shape of an array, by default in its dtype too.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.zeros_like(T.ivector("i")).type, T.zeros_like(T.ivector("i"), dtype="float32").type
    (int32[?], float32[?])
    """
    return full_like(model, 0, dtype)


def ones_like(model: Any, dtype: Any = None, opt: bool = False) -> Any:
    """Return ones in the shape of an array, by default in its dtype too.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.ones_like(T.dmatrix("m")).type
    float64[?, ?]
    """
    return full_like(model, 1, dtype)


def alloc(val: Any, *shapes: Any, dtype: Any = None) -> Any:
    """Return a value broadcast to sizes that are given one by one.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.alloc(0.0, 3, 2).type
    float64[3, 2]
    """
    one = shapes[0] if len(shapes) == 1 and not is_number(shapes[0]) else shapes
    return full(one, val, dtype)


# -- counting -------------------------------------------------------------------------------------


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    """Return numbers from start up to, not including, stop, in steps.

    Parameters
    ----------
    start, stop, step : number or scalar expression
        With one argument it is the stop, and start is 0.
    dtype : dtype-like, optional
        By default int64 for integers, and otherwise that of the arguments.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.arange(5).type, T.arange(T.lscalar("n")).type, T.arange(0, 1, 0.25).type
    (int64[5], int64[?], float64[4])
    """
    if stop is None:
        start, stop = 0, start
    ends = [_scalar(one) for one in (start, stop, step)]
    wanted = _dtype(dtype) or _counting_dtype((start, stop, step))
    inside = dtypes.promote(wanted, *[node.type.dtype for node in ends if not _is_const(node)])
    begin, end, each = [_converted(node, _working(inside, ends)) for node in ends]
    places = iota(_steps(begin, end, each))
    if number(each) != 1:
        places = cast(places, begin.type.dtype) * each
    if number(begin) != 0:
        places = places + begin
    return cast(places, wanted)


def _scalar(value: Any) -> Node:
    node = as_node(value)
    if node.type.ndim or node.type.dtype == dtypes.BOOL:
        raise GraphcTypeError(
            message("arange counts between numbers, not arrays", [operand(node)], here())
        )
    return node


def _converted(node: Node, dtype: str) -> Node:
    value = number(node)
    return cast(node, dtype) if value is None else const(value, dtype)


def _is_const(node: Node) -> bool:
    return number(node) is not None


def _counting_dtype(given: tuple[Any, ...]) -> str:
    strong = [as_node(one).type.dtype for one in given if not is_number(one)]
    if not strong:  # numbers alone: weak among themselves, too
        return config.floatX if any(isinstance(one, float) for one in given) else dtypes.INDEX
    found = [
        dtypes.result_with_number(one, strong) if is_number(one) else as_node(one).type.dtype
        for one in given
    ]
    common = dtypes.promote(*found)
    return common if dtypes.is_float(common) else dtypes.INDEX


def _working(wanted: str, ends: list[Node]) -> str:
    """Return the dtype to count in: exact for integers, wide enough for float ends."""
    floats = [node for node in ends if dtypes.is_float(node.type.dtype)]
    if floats and not dtypes.is_float(wanted):
        return dtypes.floating(*[node.type.dtype for node in floats])
    return wanted if dtypes.is_float(wanted) else dtypes.INDEX


def _steps(begin: Node, end: Node, each: Node) -> Any:
    """Return how many numbers arange gives: (stop - start) / step rounded up, at least 0."""
    known = [number(node) for node in (begin, end, each)]
    if known[2] == 0:
        raise GraphcValueError(message("arange: the step is 0", (), here()))
    if None not in known:
        low, high, step = known
        if begin.type.dtype == dtypes.INDEX:
            return len(range(int(low), int(high), int(step)))  # type: ignore[arg-type]
        return max(0, math.ceil((high - low) / step))  # type: ignore[operator]
    if begin.type.dtype == dtypes.INDEX:
        return _whole_steps(begin, end, each)
    return maximum(cast(neg(int_div((begin - end) / each, 1)), dtypes.INDEX), 0)


def _whole_steps(begin: Node, end: Node, each: Node) -> Any:
    if number(each) == 1:
        count = end if number(begin) == 0 else end - begin
        return count if _is_size(count) else maximum(count, 0)
    return maximum(neg(int_div(begin - end, each)), 0)  # rounds up for steps of either sign


def _is_size(node: Node) -> bool:
    return node.op.name == "dim"


# -- diagonals ------------------------------------------------------------------------------------


def eye(n: Any, m: Any = None, k: Any = 0, dtype: Any = None) -> Any:
    """Return a matrix with ones on a diagonal and zeros elsewhere; floatX by default.

    Parameters
    ----------
    n, m : int or expression
        Rows and columns; as many columns as rows if ``m`` is not given.
    k : int or expression
        0 for the main diagonal, above 0 for one above it.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.eye(3).type, T.eye(2, 5, k=1, dtype="int8").type
    (float64[3, 3], int8[2, 5])
    """
    (rows,) = size_list(n, "eye")
    (columns,) = (rows,) if m is None else size_list(m, "eye")
    down = dimshuffle(iota(rows), (0, "x"))
    if not is_number(k) or k != 0:
        down = down + k
    return cast(eq(down, dimshuffle(iota(columns), ("x", 0))), dtype or "floatX")


def identity_like(x: Any) -> Any:
    """Return the identity matrix in the shape and dtype of a matrix.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.identity_like(T.fmatrix("m")).type
    float32[?, ?]
    """
    x = as_node(x)
    if x.type.ndim != 2:
        raise GraphcTypeError(message("identity_like needs a matrix", [operand(x)], here()))
    rows, columns = sizes(x)
    return eye(rows, columns, 0, x.type.dtype)


__all__ = [
    "alloc",
    "arange",
    "eye",
    "full",
    "full_like",
    "identity_like",
    "ones",
    "ones_like",
    "zeros",
    "zeros_like",
]
