"""Elementwise ops: error functions, the gamma function and its kin, Bessel functions.

On NumPy they are SciPy's; on OpenCL the device's own or those of `kernels/special.cl`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from graphc.errors import DTypeError
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node
from graphc.ir.op import NONZERO, POSITIVE, REALS, Domain, Trait, Vjp
from graphc.ops.elementwise import eq, sqr, where
from graphc.ops.family import Builder, elementwise, floats
from graphc.ops.math import exp, log

_LIBRARY = "special.cl"


def _scipy(name: str) -> Callable[..., Any]:
    """Return a function of SciPy's as a reference: in the dtype of its last operand."""

    def reference(*operands: Any) -> Any:
        from scipy import special

        found = getattr(special, name)(*operands)
        return found.astype(operands[-1].dtype, copy=False)

    return reference


def _special(
    name: str,
    vjp: Vjp,
    *,
    opencl: str = "",
    scipy: str = "",
    domain: Domain = REALS,
    weight: int = 30,
    increasing: bool = False,
    doc: str,
) -> Any:
    """Declare a float function of one variable that SciPy has.

    ``opencl`` names one of OpenCL's own; without it there is one in `kernels/special.cl`.
    """
    return elementwise(
        name,
        1,
        dtype=floats,
        numpy=f"special.{scipy or name}({{0}}, {{out}})",
        opencl=f"{opencl or name}({{0}})",
        library="" if opencl else _LIBRARY,
        vjp=vjp,
        domain=domain,
        weight=weight,
        traits=(Trait.MONOTONE,) if increasing else (),
        reference=_scipy(scipy or name),
        doc=doc,
    )


# -- error functions ------------------------------------------------------------------------------

_SLOPE = 2 / math.sqrt(math.pi)  # of erf at 0

erf = _special(
    "erf",
    lambda g, out, x: [g * _SLOPE * exp(-sqr(x))],
    opencl="erf",
    increasing=True,
    doc="The error function: 2 / sqrt(pi) times the integral of exp(-t * t) from 0 to x.",
)
erfc = _special(
    "erfc",
    lambda g, out, x: [-g * _SLOPE * exp(-sqr(x))],
    opencl="erfc",
    doc="1 - erf(x), accurate for large x.",
)
erfcx = _special(
    "erfcx",
    lambda g, out, x: [g * (2 * x * out - _SLOPE)],
    doc="exp(x * x) * erfc(x), without underflow for large x.",
)
erfinv = _special(
    "erfinv",
    lambda g, out, x: [g / _SLOPE * exp(sqr(out))],
    domain=Domain(-0.9, 0.9),
    increasing=True,
    doc="The number whose error function is x, which lies between -1 and 1.",
)
erfcinv = _special(
    "erfcinv",
    lambda g, out, x: [-g / _SLOPE * exp(sqr(out))],
    domain=Domain(0.1, 1.9),
    doc="The number whose erfc is x, which lies between 0 and 2.",
)

# -- the gamma function ---------------------------------------------------------------------------


def _order(name: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """First operand is an order, an integer; the other and the result are floats."""
    if dtypes.is_float(given[0]):
        raise DTypeError(f"{name} needs an integer as its order, not {given[0]}")
    return dtypes.INDEX, dtypes.floating(given[1])


gamma = _special(
    "gamma",
    lambda g, out, x: [g * out * psi(x)],
    opencl="tgamma",
    domain=POSITIVE,
    doc="The gamma function: (n - 1)! for whole numbers n above 0.",
)
gammaln = _special(
    "gammaln",
    lambda g, out, x: [g * psi(x)],
    opencl="lgamma",
    domain=POSITIVE,
    doc="The logarithm of the size of gamma(x), without overflow.",
)
psi: Builder = _special(
    "psi",
    lambda g, out, x: [g * polygamma(1, x)],
    opencl="",
    domain=POSITIVE,
    doc="The digamma function: the derivative of gammaln.",
)
_polygamma = elementwise(
    "polygamma",
    2,
    dtype=_order,
    numpy="polygamma({0}, {1}, {out})",
    opencl="polygamma({0}, {1})",
    library=_LIBRARY,
    vjp=lambda g, out, n, x: [None, g * polygamma(n + 1, x)],
    domain=(Domain(1, 3, integers=True), Domain(0.3, 3.0)),
    weight=60,
    reference=_scipy("polygamma"),
    doc="The n-th derivative of psi at x, for n of 1 or more: polygamma(n, x).",
)


def polygamma(n: Any, x: Any) -> Any:
    """Return the n-th derivative of psi at x; a Python number n is an int64, not a weak one."""
    return _polygamma(as_node(n), x)


# -- Bessel functions -----------------------------------------------------------------------------


def _i1_vjp(g: Node, out: Node, x: Node) -> list[Node]:
    zero = eq(x, 0)
    return [g * where(zero, 0.5, i0(x) - out / where(zero, 1, x))]


i0: Builder = _special(
    "i0", lambda g, out, x: [g * i1(x)], doc="The modified Bessel function of order 0."
)
i1: Builder = _special(
    "i1", _i1_vjp, domain=NONZERO, doc="The modified Bessel function of order 1."
)

# -- products with a logarithm --------------------------------------------------------------------


def _expand_xlogy0(x: Node, y: Node) -> Node:
    zero = eq(x, 0)
    return where(zero, 0, x * log(where(zero, 1, y)))  # type: ignore[no-any-return]


xlogy0 = elementwise(
    "xlogy0",
    2,
    dtype=floats,
    numpy="",
    expand=_expand_xlogy0,
    # the slope by y is 0 where x is, also at y = 0
    vjp=lambda g, out, x, y: [g * log(y), where(eq(x, 0), 0, g * x / y)],
    domain=(NONZERO, POSITIVE),
    weight=22,
    reference=_scipy("xlogy"),
    doc="x * log(y), and 0 where x is 0, whatever y is.",
)
