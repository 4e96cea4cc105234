"""What each elementwise op is in SymPy, and back: a table by the name of the op.

A row that is missing here must stand in `UNTRANSLATED`, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

try:
    import sympy
except ImportError as error:
    from graphc.errors import NotSupportedError

    raise NotSupportedError(
        "expressions to and from SymPy need SymPy\n  python -m pip install sympy"
    ) from error

__all__ = ["COMPOSED", "FOLDED", "FROM_SYMPY", "TO_SYMPY", "UNTRANSLATED", "number", "sympy"]

Function = Callable[..., Any]

_HALF = sympy.Rational(1, 2)


def _piecewise(condition: Any, yes: Any, no: Any) -> Any:
    return sympy.Piecewise((yes, condition), (no, True))


def _truncated(x: Any) -> Any:
    return sympy.sign(x) * sympy.floor(sympy.Abs(x))


def _xlogy0(x: Any, y: Any) -> Any:
    return _piecewise(sympy.Eq(x, 0), sympy.Integer(0), x * sympy.log(y))


def _sinc(x: Any) -> Any:
    return _piecewise(sympy.Eq(x, 0), sympy.Integer(1), sympy.sin(sympy.pi * x) / (sympy.pi * x))


TO_SYMPY: dict[str, Function] = {
    # arithmetic
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "neg": lambda x: -x,
    "true_div": lambda x, y: x / y,
    "int_div": lambda x, y: sympy.floor(x / y),
    "mod": sympy.Mod,
    "pow": lambda x, y: x**y,
    "sqr": lambda x: x**2,
    "inv": lambda x: 1 / x,
    "abs": sympy.Abs,
    "sgn": sympy.sign,
    "sign": sympy.sign,
    "maximum": sympy.Max,
    "minimum": sympy.Min,
    "clip": lambda x, low, high: sympy.Min(sympy.Max(x, low), high),
    "floor": sympy.floor,
    "ceil": sympy.ceiling,
    "trunc": _truncated,
    # comparison, logic, choice
    "lt": sympy.Lt,
    "le": sympy.Le,
    "gt": sympy.Gt,
    "ge": sympy.Ge,
    "eq": sympy.Eq,
    "neq": sympy.Ne,
    "and_": sympy.And,
    "or_": sympy.Or,
    "xor": sympy.Xor,
    "invert": sympy.Not,
    "where": _piecewise,
    "ifelse": _piecewise,
    # exponentials, logarithms, roots
    "exp": sympy.exp,
    "exp2": lambda x: 2**x,
    "expm1": lambda x: sympy.exp(x) - 1,
    "log": sympy.log,
    "log2": lambda x: sympy.log(x) / sympy.log(2),
    "log10": lambda x: sympy.log(x) / sympy.log(10),
    "log1p": lambda x: sympy.log(1 + x),
    "sqrt": sympy.sqrt,
    "cbrt": sympy.cbrt,
    "rsqrt": lambda x: 1 / sympy.sqrt(x),
    "logaddexp": lambda x, y: sympy.log(sympy.exp(x) + sympy.exp(y)),
    "logaddexp2": lambda x, y: sympy.log(2**x + 2**y) / sympy.log(2),
    "sigmoid": lambda x: 1 / (1 + sympy.exp(-x)),
    "softplus": lambda x: sympy.log(1 + sympy.exp(x)),
    "xlogx": lambda x: _xlogy0(x, x),
    "xlogy0": _xlogy0,
    "xlog1py": lambda x, y: _piecewise(sympy.Eq(x, 0), sympy.Integer(0), x * sympy.log(1 + y)),
    # trigonometry
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tan": sympy.tan,
    "arcsin": sympy.asin,
    "arccos": sympy.acos,
    "arctan": sympy.atan,
    "arctan2": sympy.atan2,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "tanh": sympy.tanh,
    "arcsinh": sympy.asinh,
    "arccosh": sympy.acosh,
    "arctanh": sympy.atanh,
    "deg2rad": lambda x: x * sympy.pi / 180,
    "rad2deg": lambda x: x * 180 / sympy.pi,
    "hypot": lambda x, y: sympy.sqrt(x**2 + y**2),
    "sinc": _sinc,
    # special functions
    "erf": sympy.erf,
    "erfc": sympy.erfc,
    "erfcx": lambda x: sympy.exp(x**2) * sympy.erfc(x),
    "erfinv": sympy.erfinv,
    "erfcinv": lambda x: sympy.erfinv(1 - x),  # SymPy computes no numbers of its erfcinv
    "gamma": sympy.gamma,
    "gammaln": sympy.loggamma,
    "psi": sympy.digamma,
    "digamma": sympy.digamma,
    "tri_gamma": sympy.trigamma,
    "trigamma": sympy.trigamma,
    "polygamma": sympy.polygamma,
    "i0": lambda x: sympy.besseli(0, x),
    "i1": lambda x: sympy.besseli(1, x),
    "iv": sympy.besseli,
    "j0": lambda x: sympy.besselj(0, x),
    "j1": lambda x: sympy.besselj(1, x),
    "jv": sympy.besselj,
}
"""The value of an op over the SymPy values of its inputs."""

UNTRANSLATED: dict[str, str] = {
    "cast": "what it means depends on the dtypes: `to_sympy` reads it",
    "left_shift": "of integers only",
    "right_shift": "of integers only",
    "isnan": "SymPy's reals hold no NaN",
    "isinf": "SymPy's reals hold no infinity",
    "round": "SymPy has no function that rounds halves to even",
    "rint": "SymPy has no function that rounds halves to even",
}


# -- numbers --------------------------------------------------------------------------------------

_KNOWN = {
    float(number): number
    for number in (
        sympy.pi,
        2 * sympy.pi,
        sympy.pi / 2,
        sympy.pi / 180,
        180 / sympy.pi,
        sympy.E,
        sympy.log(2),
        sympy.log(10),
        1 / sympy.log(2),
        1 / sympy.log(10),
        sympy.sqrt(2),
        1 / sympy.sqrt(2),
        sympy.sqrt(sympy.pi),
        sympy.sqrt(sympy.pi) / 2,
        1 / sympy.sqrt(sympy.pi),
        2 / sympy.sqrt(sympy.pi),
        sympy.sqrt(2 * sympy.pi),
        1 / sympy.sqrt(2 * sympy.pi),
    )
}
"""Numbers that are no fractions, by the float next to them."""


def number(value: float) -> Any:
    """Return a number in SymPy: exactly if it is a short fraction or a well-known constant.

    Examples
    --------
    >>> number(3.0), number(0.1), number(math.pi)
    (3, 1/10, pi)
    """
    if isinstance(value, bool):
        return sympy.true if value else sympy.false
    if math.isnan(value):
        return sympy.nan
    if math.isinf(value):
        return sympy.oo if value > 0 else -sympy.oo
    short = Fraction(value).limit_denominator(1000)
    if float(short) == value:
        return sympy.Rational(short.numerator, short.denominator)
    for sign in (1, -1):
        if sign * value in _KNOWN:
            return sign * _KNOWN[sign * value]
    return sympy.Float(value, 17)


# -- and back -------------------------------------------------------------------------------------

FROM_SYMPY: dict[Any, str] = {
    sympy.Abs: "abs",
    sympy.sign: "sgn",
    sympy.floor: "floor",
    sympy.ceiling: "ceil",
    sympy.Mod: "mod",
    sympy.exp: "exp",
    sympy.log: "log",
    sympy.sin: "sin",
    sympy.cos: "cos",
    sympy.tan: "tan",
    sympy.asin: "arcsin",
    sympy.acos: "arccos",
    sympy.atan: "arctan",
    sympy.atan2: "arctan2",
    sympy.sinh: "sinh",
    sympy.cosh: "cosh",
    sympy.tanh: "tanh",
    sympy.asinh: "arcsinh",
    sympy.acosh: "arccosh",
    sympy.atanh: "arctanh",
    sympy.erf: "erf",
    sympy.erfc: "erfc",
    sympy.erfinv: "erfinv",
    sympy.erfcinv: "erfcinv",
    sympy.gamma: "gamma",
    sympy.loggamma: "gammaln",
    sympy.StrictLessThan: "lt",
    sympy.LessThan: "le",
    sympy.StrictGreaterThan: "gt",
    sympy.GreaterThan: "ge",
    sympy.Equality: "eq",
    sympy.Unequality: "neq",
    sympy.Not: "invert",
    sympy.ITE: "where",
}
"""The op of a SymPy function with the same operands."""

FOLDED: dict[Any, str] = {
    sympy.Add: "add",
    sympy.Max: "maximum",
    sympy.Min: "minimum",
    sympy.And: "and_",
    sympy.Or: "or_",
    sympy.Xor: "xor",
}
"""The op of two operands that a SymPy function of many repeats."""

COMPOSED: dict[Any, Function] = {
    sympy.sec: lambda x: 1 / sympy.cos(x, evaluate=False),
    sympy.csc: lambda x: 1 / sympy.sin(x, evaluate=False),
    sympy.cot: lambda x: 1 / sympy.tan(x, evaluate=False),
    sympy.sech: lambda x: 1 / sympy.cosh(x, evaluate=False),
    sympy.csch: lambda x: 1 / sympy.sinh(x, evaluate=False),
    sympy.coth: lambda x: 1 / sympy.tanh(x, evaluate=False),
    sympy.Heaviside: lambda x, at_zero=_HALF: sympy.Piecewise(
        (0, x < 0), (at_zero, sympy.Eq(x, 0)), (1, True)
    ),
}
"""SymPy functions that are written with others first."""
