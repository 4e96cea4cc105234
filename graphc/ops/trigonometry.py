"""Elementwise ops: trigonometric and hyperbolic functions, and their inverses."""

from __future__ import annotations

import numpy as np

from graphc.ir.node import Node
from graphc.ir.op import NONZERO, REALS, Domain, Trait
from graphc.ops.elementwise import sqr
from graphc.ops.family import Builder, elementwise, floats
from graphc.ops.math import float_function, sqrt

_UP = (Trait.MONOTONE,)
_INSIDE = Domain(-0.9, 0.9)  # of what is defined between -1 and 1

# -- trigonometric --------------------------------------------------------------------------------

sin = float_function("sin", lambda g, out, x: [g * cos(x)], doc="The sine of x radians.")
cos: Builder = float_function(
    "cos", lambda g, out, x: [-g * sin(x)], doc="The cosine of x radians."
)
tan = float_function(
    "tan",
    lambda g, out, x: [g * (1 + sqr(out))],
    domain=Domain(-1.3, 1.3),
    doc="The tangent of x radians.",
)
arcsin = float_function(
    "arcsin",
    lambda g, out, x: [g / sqrt(1 - sqr(x))],
    opencl="asin({0})",
    domain=_INSIDE,
    traits=_UP,
    doc="The angle between -pi/2 and pi/2 whose sine is x.",
)
arccos = float_function(
    "arccos",
    lambda g, out, x: [-g / sqrt(1 - sqr(x))],
    opencl="acos({0})",
    domain=_INSIDE,
    doc="The angle between 0 and pi whose cosine is x.",
)
arctan = float_function(
    "arctan",
    lambda g, out, x: [g / (1 + sqr(x))],
    opencl="atan({0})",
    traits=_UP,
    doc="The angle between -pi/2 and pi/2 whose tangent is x.",
)


def _arctan2_vjp(g: Node, out: Node, y: Node, x: Node) -> list[Node]:
    share = g / (sqr(x) + sqr(y))
    return [share * x, -(share * y)]


arctan2 = elementwise(
    "arctan2",
    2,
    dtype=floats,
    numpy="np.arctan2({0}, {1}, {out})",
    opencl="atan2({0}, {1})",
    vjp=_arctan2_vjp,
    weight=18,
    domain=(REALS, NONZERO),
    reference=np.arctan2,
    doc="The angle between -pi and pi of the point with ordinate x and abscissa y: arctan2(y, x).",
)

# -- hyperbolic -----------------------------------------------------------------------------------

sinh: Builder = float_function(
    "sinh", lambda g, out, x: [g * cosh(x)], traits=_UP, doc="The hyperbolic sine."
)
cosh: Builder = float_function(
    "cosh", lambda g, out, x: [g * sinh(x)], doc="The hyperbolic cosine."
)
tanh = float_function(
    "tanh", lambda g, out, x: [g * (1 - sqr(out))], traits=_UP, doc="The hyperbolic tangent."
)
arcsinh = float_function(
    "arcsinh",
    lambda g, out, x: [g / sqrt(sqr(x) + 1)],
    opencl="asinh({0})",
    traits=_UP,
    doc="The number whose hyperbolic sine is x.",
)
arccosh = float_function(
    "arccosh",
    # x * x - 1 would cancel near 1
    lambda g, out, x: [g / sqrt((x - 1) * (x + 1))],
    opencl="acosh({0})",
    domain=Domain(1.2, 4.0),
    traits=_UP,
    doc="The number from 0 up whose hyperbolic cosine is x.",
)
arctanh = float_function(
    "arctanh",
    lambda g, out, x: [g / ((1 - x) * (1 + x))],
    opencl="atanh({0})",
    domain=_INSIDE,
    traits=_UP,
    doc="The number whose hyperbolic tangent is x.",
)
