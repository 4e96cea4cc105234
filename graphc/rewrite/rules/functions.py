# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Laws of mathematical functions: symmetry, inverses, rounding, error functions, sorting."""

from __future__ import annotations

from graphc.ir import dtypes
from graphc.ir.node import Node
from graphc.ops.elementwise import left_shift, right_shift
from graphc.ops.math import exp2, log, log2
from graphc.ops.order import sort
from graphc.ops.special import erf, gamma, gammaln, i0, i1
from graphc.ops.trigonometry import (
    arcsin,
    arcsinh,
    arctan,
    arctanh,
    cosh,
    sinh,
    tan,
)
from graphc.rewrite.pattern import Attr, Integer
from graphc.rewrite.rule import procedure, rule, table

# -- odd and even functions: signs move outwards, where they meet and cancel ----------------------


@rule
def tan_neg(x):
    """The tangent is odd; signs move outwards."""
    return tan(-x), -tan(x)


@rule
def arcsin_neg(x):
    """The inverse sine is odd; signs move outwards."""
    return arcsin(-x), -arcsin(x)


@rule
def arctan_neg(x):
    """The inverse tangent is odd; signs move outwards."""
    return arctan(-x), -arctan(x)


@rule
def sinh_neg(x):
    """The hyperbolic sine is odd; signs move outwards."""
    return sinh(-x), -sinh(x)


@rule
def cosh_neg(x):
    """The hyperbolic cosine is even."""
    return cosh(-x), cosh(x)


@rule
def arcsinh_neg(x):
    """The inverse hyperbolic sine is odd; signs move outwards."""
    return arcsinh(-x), -arcsinh(x)


@rule
def arctanh_neg(x):
    """The inverse hyperbolic tangent is odd; signs move outwards."""
    return arctanh(-x), -arctanh(x)


@rule
def erf_neg(x):
    """The error function is odd; signs move outwards."""
    return erf(-x), -erf(x)


@rule
def i0_neg(x):
    """The Bessel function i0 is even."""
    return i0(-x), i0(x)


@rule
def i1_neg(x):
    """The Bessel function i1 is odd; signs move outwards."""
    return i1(-x), -i1(x)


# -- inverses -------------------------------------------------------------------------------------


@rule(assumes="2 ** x is finite and not 0")
def log2_exp2(x):
    """The logarithm undoes the power."""
    return log2(exp2(x)), x


@rule(assumes="x is positive")
def exp2_log2(x):
    """The power undoes the logarithm."""
    return exp2(log2(x)), x


@rule(assumes="x is finite")
def tan_arctan(x):
    """The tangent undoes its inverse; the other way round, only between -pi/2 and pi/2."""
    return tan(arctan(x)), x


@rule(assumes="sinh(x) is finite")
def arcsinh_sinh(x):
    """The inverse hyperbolic sine undoes the hyperbolic sine."""
    return arcsinh(sinh(x)), x


@rule
def sinh_arcsinh(x):
    """The hyperbolic sine undoes its inverse."""
    return sinh(arcsinh(x)), x


# -- forms that keep their digits -----------------------------------------------------------------


@rule(assumes="gamma(x) is positive")
def log_gamma(x):
    """The gamma function overflows for x above 171, its logarithm does not."""
    return log(gamma(x)), gammaln(x)


# -- bits -----------------------------------------------------------------------------------------


@rule
def shift_left_by_nothing(x: Integer):
    """No place is no move."""
    return left_shift(x, 0), x


@rule
def shift_right_by_nothing(x: Integer):
    """No place is no move."""
    return right_shift(x, 0), x


# -- rounding and order ---------------------------------------------------------------------------

ROUNDINGS = ("floor", "ceil", "trunc", "round")


@procedure(*ROUNDINGS)
def rounding_of_whole(node: Node) -> Node | None:
    """What is rounded, or was an integer, is whole already. Ends, as an op goes."""
    (x,) = node.inputs
    if x.op.name in ROUNDINGS:
        return x
    if x.op.name == "cast" and dtypes.is_discrete(x.inputs[0].type.dtype):
        return x
    return None


@rule
def sort_sort(x, p: Attr):
    """What is sorted need not be sorted again."""
    return sort(sort(x, axis=p), axis=p), sort(x, axis=p)


RULES = table(globals())
