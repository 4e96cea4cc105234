# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Laws of arithmetic: neutral elements, signs, powers, inverses, largest and smallest.

Comparisons, logic and casts are in `logic`; sums and products of many terms in `collect`.
"""

from __future__ import annotations

import numpy as np

from graphc.ops.elementwise import abs_, clip, int_div, maximum, minimum, mod, neg, pow, sgn, sqr
from graphc.ops.math import exp, log, sqrt
from graphc.ops.trigonometry import cos, sin, tanh
from graphc.rewrite.pattern import Const, Float, Integer, Signed, compute
from graphc.rewrite.rule import rule, table

INF = float("inf")

# -- neutral and absorbing elements ---------------------------------------------------------------


@rule
def add_zero(x):
    """Adding zero changes nothing."""
    return x + 0, x


@rule
def zero_sub(x):
    """Zero minus x is -x."""
    return 0 - x, -x


@rule
def sub_const(x, c: Const):
    """To subtract a constant is to add its negative; so sums have one form."""
    return x - c, x + compute(lambda c: -c, "(-c)")


@rule
def mul_one(x):
    """Multiplying by one changes nothing."""
    return x * 1, x


@rule
def mul_minus_one(x):
    """Multiplying by minus one changes the sign."""
    return x * -1, -x


@rule
def integer_mul_zero(x: Integer):
    """Any integer times zero is zero."""
    return x * 0, 0


@rule(assumes="x is finite")
def mul_zero(x: Float):
    """Anything times zero is zero, except inf and nan."""
    return x * 0, 0


@rule
def div_one(x):
    """Dividing by one changes nothing."""
    return x / 1, x


@rule
def div_minus_one(x):
    """Dividing by minus one changes the sign."""
    return x / -1, -x


@rule(assumes="x is neither 0 nor nan")
def zero_div(x):
    """Zero divided by anything is zero, except by 0 and nan."""
    return 0 / x, 0


@rule(assumes="x is finite and not 0")
def div_self(x):
    """A quotient of equals is one."""
    return x / x, 1


@rule
def integer_sub_self(x: Integer):
    """A difference of equal integers is zero."""
    return x - x, 0


@rule(assumes="x is finite")
def sub_self(x: Float):
    """A difference of equals is zero."""
    return x - x, 0


# -- signs ----------------------------------------------------------------------------------------


@rule
def neg_neg(x):
    """Two changes of sign are none."""
    return neg(neg(x)), x


@rule
def neg_sub(x, y):
    """The negative of a difference is the difference the other way round."""
    return -(x - y), y - x


@rule
def sub_neg(x, y):
    """To subtract a negative is to add."""
    return x - (-y), x + y


@rule
def neg_sub_left(x, y):
    """Signs move outwards, where they meet and cancel."""
    return -x - y, -(x + y)


@rule
def add_neg(x, y):
    """To add a negative is to subtract."""
    return x + (-y), x - y


@rule
def mul_neg(x, y):
    """Signs move outwards, where they meet and cancel."""
    return x * (-y), -(x * y)


@rule
def neg_mul_const(x, c: Const):
    """The sign of a multiple goes into its constant."""
    return -(x * c), x * compute(lambda c: -c, "(-c)")


@rule
def neg_div(x, y):
    """Signs move outwards, where they meet and cancel."""
    return -x / y, -(x / y)


@rule
def div_neg(x, y):
    """Signs move outwards, where they meet and cancel."""
    return x / (-y), -(x / y)


@rule
def abs_neg(x: Signed):
    """The absolute value does not see a sign."""
    return abs_(-x), abs_(x)


@rule
def sqr_neg(x):
    """A square does not see a sign."""
    return sqr(-x), sqr(x)


@rule
def cos_neg(x):
    """The cosine is even."""
    return cos(-x), cos(x)


@rule
def sin_neg(x):
    """The sine is odd; signs move outwards."""
    return sin(-x), -sin(x)


@rule
def tanh_neg(x):
    """The hyperbolic tangent is odd; signs move outwards."""
    return tanh(-x), -tanh(x)


@rule
def sgn_neg(x: Signed):
    """The sign function is odd; signs move outwards."""
    return sgn(-x), -sgn(x)


# -- powers and inverses --------------------------------------------------------------------------


@rule
def pow_zero(x):
    """Everything to the power 0 is 1, also 0, inf and nan."""
    return pow(x, 0), 1


@rule
def pow_one(x):
    """The first power is the number itself."""
    return pow(x, 1), x


@rule
def one_pow(x: Float):
    """Every power of 1 is 1."""
    return pow(1, x), 1


@rule
def mul_self(x: Signed):
    """A square reads its operand once."""
    return x * x, sqr(x)


@rule
def pow_two(x):
    """A square is one multiplication, and is not rounded twice."""
    return pow(x, 2), sqr(x)


@rule(assumes="x is not -inf")
def pow_half(x):
    """The square root is faster and more accurate than a power."""
    return pow(x, 0.5), sqrt(x)


@rule(assumes="y is finite")
def pow_exp(x, y):
    """A power of e ** x multiplies the exponent, which also does not overflow on the way."""
    return pow(exp(x), y), exp(x * y)


@rule
def abs_abs(x):
    """What is not negative stays as it is."""
    return abs_(abs_(x)), abs_(x)


@rule
def abs_sqr(x: Float):
    """A square is not negative."""
    return abs_(sqr(x)), sqr(x)


@rule
def abs_exp(x):
    """A power of e is not negative."""
    return abs_(exp(x)), exp(x)


@rule
def sqr_abs(x):
    """A square does not see a sign."""
    return sqr(abs_(x)), sqr(x)


@rule
def sqrt_sqr(x):
    """The root of a square is the absolute value, also where the square would overflow."""
    return sqrt(sqr(x)), abs_(x)


@rule(assumes="x is not negative")
def sqr_sqrt(x):
    """The square of the root is the number."""
    return sqr(sqrt(x)), x


@rule
def mul_sgn(x: Float):
    """A number times its sign is its absolute value."""
    return x * sgn(x), abs_(x)


@rule
def abs_mul_sgn(x: Float):
    """The absolute value times the sign is the number."""
    return abs_(x) * sgn(x), x


@rule
def sgn_sgn(x):
    """A sign is its own sign."""
    return sgn(sgn(x)), sgn(x)


@rule
def log_exp(x):
    """The logarithm undoes the exponential, also where that would overflow."""
    return log(exp(x)), x


@rule(assumes="x is positive")
def exp_log(x):
    """The exponential undoes the logarithm."""
    return exp(log(x)), x


# -- quotients ------------------------------------------------------------------------------------


@rule
def mul_reciprocal(x, y):
    """One division instead of a division and a product; and it is rounded once."""
    return x * (1 / y), x / y


@rule
def div_reciprocal(x, y):
    """To divide by 1 / y is to multiply by y."""
    return x / (1 / y), x * y


@rule
def reciprocal_div(x, y):
    """The reciprocal of a quotient is the quotient the other way round."""
    return 1 / (x / y), y / x


def _reciprocal(c: np.ndarray) -> np.ndarray | None:
    """Return 1 / c if it is exact, which it is for powers of two."""
    mantissa, exponent = np.frexp(c)
    exact = (np.abs(mantissa) == 0.5).all() and (np.abs(exponent) < 100).all()
    return 1 / c if exact and c.dtype != "float16" else None


@rule
def div_power_of_two(x, c: Const):
    """The reciprocal of a power of two is exact, and multiplying is faster than dividing."""
    return x / c, x * compute(_reciprocal, "(1 / c)")


@rule
def int_div_one(x: Integer):
    """Dividing an integer by one changes nothing."""
    return int_div(x, 1), x


@rule
def mod_one(x: Integer):
    """Every integer is a multiple of one."""
    return mod(x, 1), 0


@rule
def mod_mod(x: Integer, c: Const):
    """A remainder is left as it is by the same division."""
    return mod(mod(x, c), c), mod(x, c)


def _quotient(c: np.ndarray, d: np.ndarray) -> int | None:
    """Return c / d for scalars if it is a whole number."""
    if c.ndim or d.ndim or d == 0 or c % d:
        return None
    return int(c) // int(d)


@rule(assumes="x * c does not overflow")
def int_div_multiple(x: Integer, c: Const, d: Const):
    """A multiple of c divided by a divisor of c leaves no remainder."""
    return int_div(x * c, d), x * compute(_quotient, "(c / d)")


@rule(assumes="x * c does not overflow")
def mod_multiple(x: Integer, c: Const, d: Const):
    """A multiple of c has no remainder by a divisor of c."""
    return mod(x * c, d), compute(lambda c, d: None if _quotient(c, d) is None else 0, "0")


# -- largest and smallest -------------------------------------------------------------------------


@rule
def maximum_self(x):
    """The larger of equals is either."""
    return maximum(x, x), x


@rule
def minimum_self(x):
    """The smaller of equals is either."""
    return minimum(x, x), x


@rule
def maximum_again(x, y):
    """Comparing with the same value a second time changes nothing."""
    return maximum(maximum(x, y), y), maximum(x, y)


@rule
def minimum_again(x, y):
    """Comparing with the same value a second time changes nothing."""
    return minimum(minimum(x, y), y), minimum(x, y)


@rule(assumes="y is not nan")
def maximum_minimum(x, y):
    """x is at least the smaller of x and y."""
    return maximum(x, minimum(x, y)), x


@rule(assumes="y is not nan")
def minimum_maximum(x, y):
    """x is at most the larger of x and y."""
    return minimum(x, maximum(x, y)), x


@rule
def maximum_lowest(x: Float):
    """Nothing is below -inf."""
    return maximum(x, -INF), x


@rule
def minimum_highest(x: Float):
    """Nothing is above inf."""
    return minimum(x, INF), x


@rule
def maximum_constants(x, c: Const, d: Const):
    """Of two lower bounds the higher one counts."""
    return maximum(maximum(x, c), d), maximum(
        x, compute(lambda c, d: np.maximum(c, d), "max(c, d)")
    )


@rule
def minimum_constants(x, c: Const, d: Const):
    """Of two upper bounds the lower one counts."""
    return minimum(minimum(x, c), d), minimum(
        x, compute(lambda c, d: np.minimum(c, d), "min(c, d)")
    )


def _moved(c: np.ndarray, d: np.ndarray, e: np.ndarray) -> np.ndarray | None:
    return np.maximum(c + d, e) if c.dtype.kind == "i" else None


@rule(assumes="x + d does not overflow")
def maximum_moved(x: Integer, c: Const, d: Const, e: Const):
    """Two lower bounds with a constant added in between are one, as lengths of slices have them."""
    return maximum(maximum(x, c) + d, e), maximum(
        x + compute(lambda d: d, "d"), compute(_moved, "max(c + d, e)")
    )


@rule
def maximum_neg(x: Float, y: Float):
    """The larger of two negatives is the negative of the smaller; signs move outwards."""
    return maximum(-x, -y), -minimum(x, y)


@rule
def minimum_neg(x: Float, y: Float):
    """The smaller of two negatives is the negative of the larger; signs move outwards."""
    return minimum(-x, -y), -maximum(x, y)


@rule
def maximum_neg_const(x: Float, c: Const):
    """The larger of -x and c is the negative of the smaller of x and -c; signs move outwards."""
    return maximum(-x, c), -minimum(x, compute(lambda c: 0 - c, "-c"))  # 0 - 0.0 is 0.0, not -0.0


@rule
def minimum_neg_const(x: Float, c: Const):
    """The smaller of -x and c is the negative of the larger of x and -c; signs move outwards."""
    return minimum(-x, c), -maximum(x, compute(lambda c: 0 - c, "-c"))


@rule
def maximum_of_opposites(x: Float):
    """The larger of x and -x is the absolute value."""
    return maximum(x, -x), abs_(x)


@rule
def clip_below(x, y):
    """A clip without an upper bound is a maximum."""
    return clip(x, y, INF), maximum(x, y)


@rule
def clip_above(x, y):
    """A clip without a lower bound is a minimum."""
    return clip(x, -INF, y), minimum(x, y)


@rule
def clip_clip(x, low, high):
    """Clipping to the same bounds a second time changes nothing."""
    return clip(clip(x, low, high), low, high), clip(x, low, high)


RULES = table(globals())
