"""Elementwise ops: exponentials, logarithms, roots, rounding, sigmoid, softplus and kin."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from graphc.ir.node import Node, apply
from graphc.ir.op import OPS, POSITIVE, REALS, Domain, Trait, Vjp
from graphc.ops.elementwise import eq, maximum, minimum, where, zero_for
from graphc.ops.family import Builder, elementwise, floats


def float_function(
    name: str, vjp: Vjp, *, numpy: str = "", domain: Domain = REALS, weight: int = 16, **more: Any
) -> Any:
    """Declare a float function of one variable that NumPy and OpenCL name alike."""
    return elementwise(
        name,
        1,
        dtype=floats,
        numpy=f"np.{numpy or name}({{0}}, {{out}})",
        opencl=more.pop("opencl", f"{name}({{0}})"),
        vjp=vjp,
        domain=domain,
        weight=weight,
        reference=getattr(np, numpy or name),
        **more,
    )


_UP = (Trait.MONOTONE,)

exp = float_function("exp", lambda g, out, x: [g * out], traits=_UP, doc="e ** x.")
log = float_function(
    "log", lambda g, out, x: [g / x], domain=POSITIVE, traits=_UP, doc="The natural logarithm."
)
log1p = float_function(
    "log1p",
    lambda g, out, x: [g / (x + 1)],
    domain=Domain(-0.9, 3.0),
    traits=_UP,
    doc="log(1 + x), accurate near 0.",
)
expm1 = float_function(
    "expm1", lambda g, out, x: [g * (out + 1)], traits=_UP, doc="exp(x) - 1, accurate near 0."
)
sqrt = float_function(
    "sqrt",
    lambda g, out, x: [g * 0.5 / out],
    domain=POSITIVE,
    weight=6,
    traits=_UP,
    doc="The square root.",
)
log2 = float_function(
    "log2",
    lambda g, out, x: [g / (x * math.log(2.0))],
    domain=POSITIVE,
    traits=_UP,
    doc="The logarithm to base 2, exact for powers of 2.",
)
log10 = float_function(
    "log10",
    lambda g, out, x: [g / (x * math.log(10.0))],
    domain=POSITIVE,
    traits=_UP,
    doc="The logarithm to base 10.",
)
exp2 = float_function(
    "exp2", lambda g, out, x: [g * out * math.log(2.0)], traits=_UP, doc="2 ** x."
)

# -- rounding -------------------------------------------------------------------------------------


def _rounding(name: str, numpy: str, opencl: str, steps: Iterable[float], doc: str) -> Any:
    """Declare a step function from floats to whole floats, with steps at these points."""
    return float_function(
        name,
        lambda g, out, x: [zero_for(x)],
        numpy=numpy,
        opencl=f"{opencl}({{0}})",
        domain=Domain(-3.0, 3.0, kinks=tuple(steps)),
        weight=2,
        traits=(Trait.IDEMPOTENT, Trait.MONOTONE),
        doc=doc,
    )


_WHOLE = range(-3, 4)

floor = _rounding(
    "floor", "floor", "floor", _WHOLE, "The largest whole number that is not above x."
)
ceil = _rounding("ceil", "ceil", "ceil", _WHOLE, "The smallest whole number that is not below x.")
trunc = _rounding("trunc", "trunc", "trunc", _WHOLE, "x without its fraction: rounded towards 0.")
round = _rounding(
    "round",
    "rint",
    "rint",
    [n + 0.5 for n in range(-3, 3)],
    "The nearest whole number; of two that are as near, the even one.",
)

isnan = elementwise(
    "isnan",
    1,
    dtype=floats,
    result="bool",
    numpy="np.isnan({0}, {out})",
    opencl="ne({0}, {0})",
    vjp=lambda g, out, x: [None],
    weight=2,
    reference=np.isnan,
    doc="Whether x is not a number.",
)

# -- sigmoid, softplus and kin --------------------------------------------------------------------


_ONE_FROM = {"float16": 10.0, "float32": 20.0, "float64": 40.0}
"""Where sigmoid rounds to 1; the exponential is not asked for more, so it cannot overflow."""


def _expand_sigmoid(x: Node) -> Node:
    # exp(x) / (1 + exp(x)) has full accuracy down to the smallest numbers
    e = exp(minimum(x, _ONE_FROM[x.type.dtype]))
    return e / (e + 1)  # type: ignore[no-any-return]


_LARGEST_EXPONENT = {"float16": 11.0, "float32": 88.0, "float64": 700.0}
"""An exponent whose exponential is finite, and whose softplus is itself to rounding."""


def _expand_softplus(x: Node) -> Node:
    # where the exponent is cut off, x itself is larger than what comes out, and right
    return maximum(log1p(exp(minimum(x, _LARGEST_EXPONENT[x.type.dtype]))), x)  # type: ignore[no-any-return]


def _exp_up_to_one(x: Node) -> Node:
    return exp(minimum(x, 0))  # type: ignore[no-any-return]


def _decay(x: Node) -> Node:
    """Return exp(-|x|) out of the two exponentials that sigmoid(x) and sigmoid(-x) need.

    One of them is exactly 1, so the product is exactly the other.
    """
    return _exp_up_to_one(x) * _exp_up_to_one(-x)  # type: ignore[no-any-return]


sigmoid: Builder = elementwise(
    "sigmoid",
    1,
    dtype=floats,
    numpy="",
    opencl="sigmoid({0})",
    expand=_expand_sigmoid,
    expand_mirrored=lambda x: _exp_up_to_one(x) / (_decay(x) + 1),
    vjp=lambda g, out, x: [g * out * sigmoid(-x)],
    weight=18,
    traits=_UP,
    reference=lambda x: np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x))),
    doc="1 / (1 + exp(-x)), accurate for large x of either sign.",
)

softplus = elementwise(
    "softplus",
    1,
    dtype=floats,
    numpy="",
    opencl="softplus({0})",
    expand=_expand_softplus,
    expand_mirrored=lambda x: maximum(x, 0) + log1p(_decay(x)),
    vjp=lambda g, out, x: [g * sigmoid(x)],
    weight=22,
    traits=_UP,
    reference=lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    doc="log(1 + exp(x)), accurate for large x of either sign.",
)


def _expand_logaddexp(x: Node, y: Node) -> Node:
    # equal operands may be infinite, and have no difference then
    apart = where(eq(x, y), 0, x - y)
    return maximum(x, y) + log1p(exp(-apply(OPS["abs"], apart)))  # type: ignore[no-any-return]


logaddexp = elementwise(
    "logaddexp",
    2,
    dtype=floats,
    numpy="",
    expand=_expand_logaddexp,
    vjp=lambda g, out, x, y: [g * sigmoid(x - y), g * sigmoid(y - x)],
    traits=(Trait.COMMUTATIVE,),
    weight=24,
    reference=np.logaddexp,
    doc="log(exp(x) + exp(y)), without overflow.",
)
