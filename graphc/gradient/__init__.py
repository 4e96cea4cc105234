"""Derivatives as users ask for them, and checks of them by finite differences.

An expression is simplified before it is differentiated, because the gradient of a stable form is
stable.
"""

from graphc.autodiff.disconnected import Disconnected
from graphc.autodiff.numeric import VerifyGradError, numeric_grad
from graphc.errors import DisconnectedInputError
from graphc.gradient.checks import verify_grad
from graphc.gradient.derivatives import Lop, Rop, grad
from graphc.gradient.jacobians import hessian, hessian_vector_product, jacobian, vectorize
from graphc.gradient.simplified import NullTypeGradError
from graphc.ir.op import Undefined

__all__ = [
    "Disconnected",
    "DisconnectedInputError",
    "Lop",
    "NullTypeGradError",
    "Rop",
    "Undefined",
    "VerifyGradError",
    "grad",
    "hessian",
    "hessian_vector_product",
    "jacobian",
    "numeric_grad",
    "vectorize",
    "verify_grad",
]
