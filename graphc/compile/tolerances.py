"""How far an op may be off on a backend, in units of the spacing of floats: the one table.

The figures are what OpenCL 1.2 allows its functions (table 7.1 of its specification, in ulp),
doubled, as the NumPy value they are compared with has the same right. In sums and products the
order of the terms is the backend's own.
"""

from __future__ import annotations

import numpy as np

from graphc.ir import dtypes

_BOUNDS: tuple[tuple[float, str, str], ...] = (
    (8, "2 to 4 ulp each", "exp exp2 expm1 log log2 log10 log1p sin cos arcsin arccos"),
    (8, "4 ulp", "sinh cosh arcsinh arccosh"),
    (10, "5 ulp", "tan arctan arctanh"),
    (12, "6 and 5 ulp", "arctan2 tanh"),
    (8, "sqrt 3 ulp, and the quotient of mod 2.5", "sqrt mod"),
    (6, "2.5 ulp; exact in float64", "true_div"),
    (0, "floors: the same whole number", "int_div"),
    (40, "16 ulp, and an exponent that was rounded", "pow"),
    (10, "a product with log", "xlogy0"),
    (16, "exp, a sum and a quotient or log", "sigmoid softplus logaddexp"),
    (32, "16 ulp", "erf erfc gamma"),
    (
        32,
        "series of graphc's own, as OpenCL has none or no bound",
        "erfcx erfinv erfcinv gammaln psi",
    ),
    (64, "a series whose terms alternate", "polygamma"),
    (16, "series of graphc's own", "i0 i1"),
    (16, "terms in another order", "sum dot matmul"),
    (32, "factors in another order: errors are relative to each", "prod"),
    (32, "a sum of exponentials, exp and log", "softmax log_softmax logsumexp"),
    (32, "terms in another order, and borders", "conv2d conv2d_inputs conv2d_weights"),
    (16, "log, sqrt, sin and cos of the same bits", "random_normal"),
)
UNITS = {name: units for units, _, names in _BOUNDS for name in names.split()}
REASONS = {name: reason for _, reason, names in _BOUNDS for name in names.split()}
EXACT = 4
"""Units of ops that the table does not name: arithmetic, and what is composed of a few of them."""


def tolerance(op: str, dtype: str) -> float:
    """Return the relative error that an op may have in a dtype; 0 for what is not a float.

    Examples
    --------
    >>> tolerance("tanh", "float64") == 12 * 2.0**-52
    True
    >>> tolerance("add", "int64")
    0.0
    """
    if not dtypes.is_float(dtype):
        return 0.0
    return UNITS.get(op, EXACT) * float(np.finfo(dtype).eps)
