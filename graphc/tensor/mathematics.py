"""Mathematical functions under Theano's names and NumPy's: all of one or two numbers at a point.

Most are builders of ``ops/``; what is composed here has no row of its own.
"""

from __future__ import annotations

import math
from typing import Any

from graphc.errors import GraphcValueError, message
from graphc.ir import dtypes
from graphc.ir.node import as_node, number
from graphc.ir.source import here
from graphc.ops import math as rows
from graphc.ops.elementwise import abs_, cast, eq, int_div, le, mod, mul, neq, sgn, where
from graphc.ops.family import is_number
from graphc.ops.math import (
    exp,
    exp2,
    expm1,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    sigmoid,
    softplus,
    sqrt,
)
from graphc.ops.special import (
    erf,
    erfc,
    erfcinv,
    erfcx,
    erfinv,
    gamma,
    gammaln,
    i0,
    i1,
    psi,
    xlogy0,
)
from graphc.ops.special import polygamma as _polygamma
from graphc.ops.trigonometry import (
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    cos,
    cosh,
    sin,
    sinh,
    tan,
    tanh,
)

# -- angles ---------------------------------------------------------------------------------------


def deg2rad(x: Any) -> Any:
    """Return degrees as radians.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.deg2rad(180).eval()
    array(3.14159265)
    """
    return mul(as_node(x), math.pi / 180)


def rad2deg(x: Any) -> Any:
    """Return radians as degrees.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.rad2deg(T.arccos(-1.0)).eval()
    array(180.)
    """
    return mul(as_node(x), 180 / math.pi)


# -- rounding -------------------------------------------------------------------------------------


def _rounded(row: Any, x: Any) -> Any:
    """Apply a rounding to floats; bool and integers are whole as they are."""
    x = as_node(x)
    return x if dtypes.is_discrete(x.type.dtype) else row(x)


def floor(x: Any) -> Any:
    """Return the largest whole number that is not above x, in the dtype of x.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.floor([1.5, -1.5]).eval(), T.floor(T.ivector("i"))
    (array([ 1., -2.]), i)
    """
    return _rounded(rows.floor, x)


def ceil(x: Any) -> Any:
    """Return the smallest whole number that is not below x, in the dtype of x.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.ceil([1.5, -1.5]).eval()
    array([ 2., -1.])
    """
    return _rounded(rows.ceil, x)


def trunc(x: Any) -> Any:
    """Return x without its fraction: rounded towards 0.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.trunc([1.5, -1.5]).eval()
    array([ 1., -1.])
    """
    return _rounded(rows.trunc, x)


def round_half_to_even(a: Any) -> Any:
    """Return the nearest whole number; of two that are as near, the even one.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.round_half_to_even([0.5, 1.5, 2.6]).eval()
    array([0., 2., 3.])
    """
    return _rounded(rows.round, a)


def round_half_away_from_zero(a: Any) -> Any:
    """Return the nearest whole number; of two that are as near, the one further from 0.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.round_half_away_from_zero([0.5, 1.5, -2.5]).eval()
    array([ 1.,  2., -3.])
    """
    a = as_node(a)
    if dtypes.is_discrete(a.type.dtype):
        return a
    whole = rows.trunc(a)  # adding a half to a would round up what lies just below one
    return whole + where(abs_(a - whole) >= 0.5, sgn(a), 0)


_ROUND = {
    "half_to_even": round_half_to_even,
    "half_away_from_zero": round_half_away_from_zero,
}


def round(a: Any, mode: str | None = None) -> Any:
    """Return the nearest whole number, in the dtype of ``a``.

    Parameters
    ----------
    a : expression
    mode : str, optional
        ``"half_to_even"``, as NumPy rounds and which None means too, or
        ``"half_away_from_zero"``, as C does.

    Raises
    ------
    GraphcValueError
        For any other mode.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.round([0.5, 2.5]).eval(), T.round([0.5, 2.5], "half_away_from_zero").eval()
    (array([0., 2.]), array([1., 3.]))
    """
    if mode is not None and mode not in _ROUND:
        raise GraphcValueError(
            message(f"round: there is no mode {mode!r}", (), here(), f"use one of {[*_ROUND]}")
        )
    return _ROUND[mode or "half_to_even"](a)


def iround(a: Any, mode: str | None = None) -> Any:
    """Return the nearest whole number as int64.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.iround([0.5, 1.6]).eval()
    array([0, 2])
    """
    return cast(round(a, mode), "int64")


def ceil_intdiv(a: Any, b: Any) -> Any:
    """Return ``a / b`` of integers rounded up.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.ceil_intdiv(T.constant(7, dtype="int64"), 2).eval()
    array(4)
    """
    quotient = int_div(a, b)
    return quotient + cast(neq(mod(a, b), 0), quotient.type.dtype)


# -- special functions ----------------------------------------------------------------------------


def polygamma(n: Any, x: Any) -> Any:
    """Return the n-th derivative of the digamma function `psi` at x.

    Parameters
    ----------
    n : int or expression of integers
        0 or more.
    x : expression

    Raises
    ------
    GraphcValueError
        If ``n`` is a number below 0.
    DTypeError
        If ``n`` is not an integer.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.polygamma(0, T.dvector("x")), T.polygamma(1, 1.0).eval()
    (psi(x), array(1.64493407))
    """
    order = n if is_number(n) else number(as_node(n))
    if order is not None and order < 0:
        raise GraphcValueError(message(f"polygamma: the order {order} is below 0", (), here()))
    return psi(x) if order == 0 else _polygamma(n, x)


def tri_gamma(x: Any) -> Any:
    """Return the derivative of `psi`.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.tri_gamma(T.dvector("x"))
    polygamma(1, x)
    """
    return _polygamma(1, x)


def xlogx(x: Any) -> Any:
    """Return ``x * log(x)``, and 0 where x is 0.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.xlogx([0.0, 1.0, 2.0]).eval()
    array([0.        , 0.        , 1.38629436])
    """
    x = as_node(x)
    zero = eq(x, 0)
    return where(zero, 0, x * log(where(zero, 1, x)))


# Theano has the two in a module of this name
xlogx.xlogx = xlogx  # type: ignore[attr-defined]
xlogx.xlogy0 = xlogy0  # type: ignore[attr-defined]

# -- what floats are ------------------------------------------------------------------------------


def isnan(a: Any) -> Any:
    """Return whether each element is not a number.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.isnan([1.0, float("nan")]).eval()
    array([False,  True])
    """
    a = as_node(a)
    return neq(a, a) if dtypes.is_discrete(a.type.dtype) else rows.isnan(a)


def isinf(a: Any) -> Any:
    """Return whether each element is an infinity of either sign.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.isinf([1.0, -float("inf"), float("nan")]).eval()
    array([False,  True, False])
    """
    a = as_node(a)
    return neq(a, a) if dtypes.is_discrete(a.type.dtype) else eq(abs_(a), math.inf)


def isfinite(a: Any) -> Any:
    """Return whether each element is a number that is not infinite.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.isfinite([1.0, -float("inf"), float("nan")]).eval()
    array([ True, False, False])
    """
    a = as_node(a)
    return eq(a, a) if dtypes.is_discrete(a.type.dtype) else abs_(a) < math.inf


def isclose(
    a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Any:
    """Return whether elements differ by at most ``atol + rtol * abs(b)``.

    Infinities are close to those of the same sign only.

    Parameters
    ----------
    a, b : expressions
    rtol, atol : float
        Relative and absolute tolerance.
    equal_nan : bool
        Whether NaN is close to NaN.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.isclose([1.0, 2.0], [1.0 + 1e-9, 2.1]).eval()
    array([ True, False])
    """
    a, b = as_node(a), as_node(b)
    common = dtypes.floating(a.type.dtype, b.type.dtype)
    a, b = cast(a, common), cast(b, common)
    near = le(abs_(a - b), atol + rtol * abs_(b)) & isfinite(b)
    found = eq(a, b) | near
    return found | (rows.isnan(a) & rows.isnan(b)) if equal_nan else found


degrees, radians = rad2deg, deg2rad
rint = round_half_to_even
acos, acosh, asin, asinh = arccos, arccosh, arcsin, arcsinh
atan, atan2, atanh = arctan, arctan2, arctanh

__all__ = [
    "acos",
    "acosh",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "ceil",
    "ceil_intdiv",
    "cos",
    "cosh",
    "deg2rad",
    "degrees",
    "erf",
    "erfc",
    "erfcinv",
    "erfcx",
    "erfinv",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "gamma",
    "gammaln",
    "i0",
    "i1",
    "iround",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "polygamma",
    "psi",
    "rad2deg",
    "radians",
    "rint",
    "round",
    "round_half_away_from_zero",
    "round_half_to_even",
    "sigmoid",
    "sin",
    "sinh",
    "softplus",
    "sqrt",
    "tan",
    "tanh",
    "tri_gamma",
    "trunc",
    "xlogx",
    "xlogy0",
]
