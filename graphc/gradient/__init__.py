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
from graphc.gradient.custom import (
    CustomGrad,
    OpFromGraph,
    consider_constant,
    custom_grad,
    disconnected_grad,
    grad_clip,
    grad_not_implemented,
    grad_scale,
    grad_undefined,
    undefined_grad,
    zero_grad,
)
from graphc.gradient.derivatives import Lop, Rop, grad, jvp, subgraph_grad
from graphc.gradient.jacobians import hessian, hessian_vector_product, jacobian, vectorize
from graphc.gradient.simplified import NullTypeGradError
from graphc.ir.op import Undefined

__all__ = [
    "CustomGrad",
    "DifferenceErrors",
    "Disconnected",
    "DisconnectedInputError",
    "GradCheck",
    "Lop",
    "NullTypeGradError",
    "OpFromGraph",
    "Rop",
    "Undefined",
    "VerifyGradError",
    "consider_constant",
    "custom_grad",
    "difference",
    "difference_errors",
    "disconnected_grad",
    "grad",
    "grad_clip",
    "grad_not_implemented",
    "grad_scale",
    "grad_undefined",
    "hessian",
    "hessian_vector_product",
    "jacobian",
    "jvp",
    "numeric_grad",
    "quick_grad_check",
    "subgraph_grad",
    "undefined_grad",
    "vectorize",
    "verify_grad",
    "zero_grad",
]
