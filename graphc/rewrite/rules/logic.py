# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Laws of comparison and logic, and casts."""

from __future__ import annotations

import numpy as np

from graphc.ir import dtypes
from graphc.ir.node import Node
from graphc.ops.elementwise import (
    abs_,
    eq,
    ge,
    gt,
    invert,
    le,
    lt,
    maximum,
    minimum,
    neq,
    xor,
)
from graphc.rewrite.pattern import Attr, Boolean, Discrete, Integer, compute, raw
from graphc.rewrite.rule import procedure, rule, table

cast = raw("cast")

# -- a value compared with itself -----------------------------------------------------------------


@rule
def lt_self(x):
    """Nothing is below itself."""
    return x < x, False


@rule
def gt_self(x):
    """Nothing is above itself."""
    return x > x, False


@rule
def le_discrete_self(x: Discrete):
    """Everything is at most itself."""
    return le(x, x), True


@rule(assumes="x is not nan")
def le_self(x):
    """Everything is at most itself, except nan."""
    return le(x, x), True


@rule
def ge_discrete_self(x: Discrete):
    """Everything is at least itself."""
    return ge(x, x), True


@rule(assumes="x is not nan")
def ge_self(x):
    """Everything is at least itself, except nan."""
    return ge(x, x), True


@rule
def eq_discrete_self(x: Discrete):
    """Everything equals itself."""
    return eq(x, x), True


@rule
def neq_discrete_self(x: Discrete):
    """Nothing differs from itself."""
    return neq(x, x), False


# x == x and x != x are left alone for floats: they are how programs look for nan

# -- comparisons of booleans ----------------------------------------------------------------------


@rule
def eq_true(x: Boolean):
    """To be equal to true is to be true."""
    return eq(x, True), x


@rule
def eq_false(x: Boolean):
    """To be equal to false is to be false."""
    return eq(x, False), invert(x)


@rule
def neq_true(x: Boolean):
    """To differ from true is to be false."""
    return neq(x, True), invert(x)


@rule
def neq_false(x: Boolean):
    """To differ from false is to be true."""
    return neq(x, False), x


@rule
def neq_cast(x: Boolean, t: Attr):
    """A truth value as a number differs from 0 where it is true."""
    return neq(cast(x, dtype=t), 0), x


@rule
def eq_cast(x: Boolean, t: Attr):
    """A truth value as a number is 0 where it is false."""
    return eq(cast(x, dtype=t), 0), invert(x)


@rule
def gt_cast(x: Boolean, t: Attr):
    """A truth value as a number is above 0 where it is true."""
    return gt(cast(x, dtype=t), 0), x


# -- negation -------------------------------------------------------------------------------------


@rule
def invert_invert(x):
    """Two negations are none."""
    return invert(invert(x)), x


@rule
def invert_eq(x, y):
    """Not equal is different, also for nan."""
    return invert(eq(x, y)), neq(x, y)


@rule
def invert_neq(x, y):
    """Not different is equal, also for nan."""
    return invert(neq(x, y)), eq(x, y)


@rule
def invert_lt(x: Discrete, y):
    """Where there is no nan, not below is at least."""
    return invert(lt(x, y)), ge(x, y)


@rule
def invert_le(x: Discrete, y):
    """Where there is no nan, not at most is above."""
    return invert(le(x, y)), gt(x, y)


@rule
def invert_gt(x: Discrete, y):
    """Where there is no nan, not above is at most."""
    return invert(gt(x, y)), le(x, y)


@rule
def invert_ge(x: Discrete, y):
    """Where there is no nan, not at least is below."""
    return invert(ge(x, y)), lt(x, y)


@rule
def and_of_inverts(x, y):
    """De Morgan's law: one negation instead of two."""
    return invert(x) & invert(y), invert(x | y)


@rule
def or_of_inverts(x, y):
    """De Morgan's law: one negation instead of two."""
    return invert(x) | invert(y), invert(x & y)


# -- and, or, xor ---------------------------------------------------------------------------------


@rule
def and_self(x):
    """x and x is x."""
    return x & x, x


@rule
def or_self(x):
    """x or x is x."""
    return x | x, x


@rule
def xor_self(x):
    """Nothing differs from itself."""
    return xor(x, x), 0


@rule
def and_zero(x):
    """False and anything is false."""
    return x & 0, 0


@rule
def and_true(x: Boolean):
    """True and x is x."""
    return x & True, x


@rule
def and_ones(x: Integer):
    """All bits of x."""
    return x & -1, x


@rule
def or_zero(x):
    """False or x is x."""
    return x | 0, x


@rule
def or_true(x: Boolean):
    """True or anything is true."""
    return x | True, True


@rule
def xor_zero(x):
    """To differ from false is to be true."""
    return xor(x, 0), x


@rule
def xor_true(x: Boolean):
    """To differ from true is to be false."""
    return xor(x, True), invert(x)


@rule
def and_invert_self(x):
    """Nothing is both true and false."""
    return x & invert(x), 0


@rule
def or_invert_self(x: Boolean):
    """Everything is true or false."""
    return x | invert(x), True


@rule
def and_or(x, y):
    """Absorption: x or y holds where x does."""
    return x & (x | y), x


@rule
def or_and(x, y):
    """Absorption: x holds where x and y do."""
    return x | (x & y), x


@rule
def and_again(x, y):
    """To ask for the same a second time changes nothing."""
    return (x & y) & y, x & y


@rule
def or_again(x, y):
    """To ask for the same a second time changes nothing."""
    return (x | y) | y, x | y


# -- arithmetic of booleans -----------------------------------------------------------------------


@rule
def boolean_add(x: Boolean, y):
    """The sum of truth values is their logical or, as in NumPy."""
    return x + y, x | y


@rule
def boolean_mul(x: Boolean, y):
    """The product of truth values is their logical and, as in NumPy."""
    return x * y, x & y


@rule
def boolean_maximum(x: Boolean, y):
    """The larger of truth values is their logical or."""
    return maximum(x, y), x | y


@rule
def boolean_minimum(x: Boolean, y):
    """The smaller of truth values is their logical and."""
    return minimum(x, y), x & y


@rule
def boolean_abs(x: Boolean):
    """A truth value has no sign."""
    return abs_(x), x


# -- casts ----------------------------------------------------------------------------------------


@procedure("cast")
def cast_to_own(node: Node) -> Node | None:
    """A cast to the dtype it has changes nothing.

    Ends, as a cast goes.
    """
    (x,) = node.inputs
    return x if x.type.dtype == node.type.dtype else None


def _exact(source: str, target: str) -> bool:
    """Tell whether every value of one dtype is one of the other."""
    if not dtypes.can_cast_safely(source, target):
        return False
    if dtypes.kind(source) in ("int", "uint") and dtypes.is_float(target):
        return np.iinfo(source).bits <= np.finfo(target).nmant
    return True


@rule
def cast_cast(x, s: Attr, t: Attr):
    """What the first cast does not change, the second one sees as it was."""
    return (
        cast(cast(x, dtype=s), dtype=t),
        cast(x, dtype=compute(lambda x, s, t: t if _exact(x.type.dtype, s) else None, "t")),
    )


RULES = table(globals())
