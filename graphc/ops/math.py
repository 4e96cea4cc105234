"""Elementwise ops: exponentials, logarithms, roots, trigonometry, sigmoid and softplus."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.node import Node
from graphc.ir.op import POSITIVE, REALS, Domain, Trait, Vjp
from graphc.ops.elementwise import maximum, minimum, sqr
from graphc.ops.family import Builder, elementwise, floats


def _function(
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

exp = _function("exp", lambda g, out, x: [g * out], traits=_UP, doc="e ** x.")
log = _function(
    "log", lambda g, out, x: [g / x], domain=POSITIVE, traits=_UP, doc="The natural logarithm."
)
log1p = _function(
    "log1p",
    lambda g, out, x: [g / (x + 1)],
    domain=Domain(-0.9, 3.0),
    traits=_UP,
    doc="log(1 + x), accurate near 0.",
)
expm1 = _function(
    "expm1", lambda g, out, x: [g * (out + 1)], traits=_UP, doc="exp(x) - 1, accurate near 0."
)
sqrt = _function(
    "sqrt",
    lambda g, out, x: [g * 0.5 / out],
    domain=POSITIVE,
    weight=6,
    traits=_UP,
    doc="The square root.",
)
sin = _function("sin", lambda g, out, x: [g * cos(x)], doc="The sine of x radians.")
cos: Builder = _function("cos", lambda g, out, x: [-g * sin(x)], doc="The cosine of x radians.")
tanh = _function(
    "tanh", lambda g, out, x: [g * (1 - sqr(out))], traits=_UP, doc="The hyperbolic tangent."
)


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
