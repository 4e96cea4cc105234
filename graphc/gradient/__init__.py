"""Derivatives as users ask for them, and checks of them by finite differences.

An expression is simplified before it is differentiated, because the gradient of a stable form is
stable.
"""

from graphc.autodiff.disconnected import Disconnected
from graphc.autodiff.numeric import VerifyGradError, difference, numeric_grad
from graphc.errors import DisconnectedInputError
from graphc.gradient.checks import (
    DifferenceErrors,
    GradCheck,
    difference_errors,
    quick_grad_check,
    verify_grad,
)
from graphc.gradient.derivatives import Lop, Rop, grad, jvp, subgraph_grad
from graphc.gradient.jacobians import hessian, hessian_vector_product, jacobian, vectorize
from graphc.gradient.simplified import NullTypeGradError
from graphc.ir.op import Undefined

__all__ = [
    "DifferenceErrors",
    "Disconnected",
    "DisconnectedInputError",
    "GradCheck",
    "Lop",
    "NullTypeGradError",
    "Rop",
    "Undefined",
    "VerifyGradError",
    "difference",
    "difference_errors",
    "grad",
    "hessian",
    "hessian_vector_product",
    "jacobian",
    "jvp",
    "numeric_grad",
    "quick_grad_check",
    "subgraph_grad",
    "vectorize",
    "verify_grad",
]
