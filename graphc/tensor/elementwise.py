"""Elementwise arithmetic, comparison, logic and choice under Theano's names and NumPy's.

Most are builders of ``ops/`` under a second name; what is composed here has no row of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from graphc.errors import GraphcTypeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, const
from graphc.ir.source import here
from graphc.ops import elementwise as rows
from graphc.ops.elementwise import (
    abs_,
    and_,
    eq,
    ge,
    gt,
    int_div,
    invert,
    le,
    left_shift,
    lt,
    maximum,
    minimum,
    mod,
    neg,
    neq,
    or_,
    pow,
    right_shift,
    sgn,
    sqr,
    sub,
    true_div,
    xor,
)
from graphc.ops.family import is_number
from graphc.ops.reduce import need_bool


def _operands(name: str, xs: tuple[Any, ...]) -> list[Any]:
    """Return n operands for a chain of applications; Python numbers stay weak in all of it."""
    if not xs:
        raise GraphcTypeError(message(f"{name} needs at least one operand", (), here()))
    strong = [as_node(x).type.dtype for x in xs if not is_number(x)]
    if len(xs) == 2 and strong:
        return list(xs)
    return [const(x, dtypes.result_with_number(x, strong)) if is_number(x) else x for x in xs]


def _chain(row: Callable[..., Any], xs: tuple[Any, ...]) -> Any:
    first, *rest = _operands(row.__name__, xs)
    return functools.reduce(row, rest, first if rest else as_node(first))


def add(*xs: Any) -> Any:
    """Return the sum of two or more operands; for bool, logical or.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> a, b, c = T.dscalars("a b c")
    >>> T.add(a, b, c)
    a + b + c
    """
    return _chain(rows.add, xs)


def mul(*xs: Any) -> Any:
    """Return the product of two or more operands; for bool, logical and.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> a, b, c = T.dscalars("a b c")
    >>> T.mul(a, b, c)
    a * b * c
    """
    return _chain(rows.mul, xs)


def cast(x: Any, dtype: Any) -> Any:
    """Return x converted to another dtype, x itself if it has it already.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.cast(T.lvector("i"), "float32")
    float32(i)
    """
    if x is None or dtype is None:
        raise GraphcTypeError(message("cast needs an expression and a dtype", (), here()))
    return rows.cast(as_node(x), dtype)


def clip(x: Any, min: Any = None, max: Any = None) -> Any:
    """Return x limited to ``[min, max]``; None leaves a side open.

    The gradient passes where x is inside, ends included.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.clip(T.dvector("x"), 0, 1)
    clip(x, 0, 1)
    """
    if min is None and max is None:
        return as_node(x)
    if min is None:
        return minimum(x, max)
    return maximum(x, min) if max is None else rows.clip(x, min, max)


def inv(x: Any) -> Any:
    """Return 1 / x.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.inv(T.dvector("x"))
    1 / x
    """
    return true_div(1, x)


def switch(condition: Any, ift: Any, iff: Any) -> Any:
    """Return ``ift`` where the condition holds and ``iff`` elsewhere; both are computed.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.dvector("x")
    >>> T.switch(x > 0, x, 0)
    where(x > 0, x, 0)
    """
    return rows.where(_condition(condition), ift, iff)


def _condition(x: Any) -> Node:
    return need_bool(as_node(x))


def logical_and(x: Any, y: Any) -> Any:
    """Return whether x and y are both true; what is not zero is true.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.logical_and(T.dvector("x"), T.dvector("y")).dtype
    'bool'
    """
    return and_(_condition(x), _condition(y))


def logical_or(x: Any, y: Any) -> Any:
    """Return whether x or y is true; what is not zero is true.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.logical_or(T.dvector("x"), T.dvector("y")).dtype
    'bool'
    """
    return or_(_condition(x), _condition(y))


def logical_xor(x: Any, y: Any) -> Any:
    """Return whether exactly one of x and y is true; what is not zero is true.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.logical_xor(T.dvector("x"), T.dvector("y")).dtype
    'bool'
    """
    return xor(_condition(x), _condition(y))


def logical_not(x: Any) -> Any:
    """Return whether x is zero.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.logical_not(T.dvector("x"))
    ~(x != 0)
    """
    return invert(_condition(x))


def divmod(x: Any, y: Any) -> tuple[Any, Any]:
    """Return ``x // y`` and ``x % y``.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.divmod(T.lscalar("i"), 3)
    (i // 3, i % 3)
    """
    return int_div(x, y), mod(x, y)


def copy(x: Any) -> Node:
    """Return x: expressions do not change, so none needs a copy.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.dvector("x")
    >>> x.copy() is x
    True
    """
    return as_node(x)


def upcast(*dtypes_: Any) -> str:
    """Return the dtype in which arrays of these dtypes meet.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.upcast("int32", "float32")
    'float64'
    """
    return dtypes.promote(*map(dtypes.canonical, dtypes_))


multiply = mul
subtract = sub
divide = true_divide = true_div
floor_divide = int_div
remainder = mod
power = pow
negative = neg
square = sqr
absolute = abs_
sign = sgn
reciprocal = inv
equal, not_equal = eq, neq
less, less_equal, greater, greater_equal = lt, le, gt, ge
bitwise_and, bitwise_or, bitwise_xor, bitwise_not = and_, or_, xor, invert
bitwise_invert, bitwise_left_shift, bitwise_right_shift = invert, left_shift, right_shift
conj = real = copy

__all__ = [
    "abs_",
    "absolute",
    "add",
    "and_",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "cast",
    "clip",
    "conj",
    "copy",
    "divide",
    "divmod",
    "eq",
    "equal",
    "floor_divide",
    "ge",
    "greater",
    "greater_equal",
    "gt",
    "int_div",
    "inv",
    "invert",
    "le",
    "left_shift",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "lt",
    "maximum",
    "minimum",
    "mod",
    "mul",
    "multiply",
    "neg",
    "negative",
    "neq",
    "not_equal",
    "or_",
    "pow",
    "power",
    "real",
    "reciprocal",
    "remainder",
    "right_shift",
    "sgn",
    "sign",
    "sqr",
    "square",
    "sub",
    "subtract",
    "switch",
    "true_div",
    "true_divide",
    "upcast",
    "xor",
]
