"""The language users write: ``import graphc.tensor as T``.

Names are Theano's, with NumPy's beside them where they differ. What belongs to later layers, such
as ``T.grad``, is looked up when it is asked for.
"""

# ruff: noqa: F403 - __all__ of each module says what is public

from typing import Any

from graphc.errors import UnknownNameError
from graphc.ir.types import LANGUAGE, TensorType
from graphc.tensor import (
    creation,
    elementwise,
    extra_ops,
    grids,
    indexing,
    language,
    mathematics,
    nlinalg,
    nnet,
    products,
    rearranging,
    reductions,
    replacing,
    shaping,
    shared_randomstreams,
    signal,
    sizes,
    slinalg,
    sorting,
    subscripts,
    unsupported,
    variables,
)
from graphc.tensor.creation import *
from graphc.tensor.elementwise import *
from graphc.tensor.extra_ops import *
from graphc.tensor.grids import *
from graphc.tensor.indexing import *
from graphc.tensor.mathematics import *
from graphc.tensor.nlinalg import trace
from graphc.tensor.products import *
from graphc.tensor.rearranging import *
from graphc.tensor.reductions import *
from graphc.tensor.replacing import *
from graphc.tensor.shaping import *
from graphc.tensor.sizes import *
from graphc.tensor.sorting import *
from graphc.tensor.subscripts import *
from graphc.tensor.variables import *

_LATER = (
    "Lop",
    "Rop",
    "consider_constant",
    "disconnected_grad",
    "grad",
    "grad_not_implemented",
    "grad_undefined",
    "hessian",
    "jacobian",
    "jvp",
    "numeric_grad",
    "verify_grad",
)


def __getattr__(name: str) -> Any:
    if name in _LATER and name in LANGUAGE:
        return LANGUAGE[name]
    if unsupported.is_complex(name):
        raise UnknownNameError(unsupported.complex_message(name))
    raise AttributeError(f"graphc.tensor has no {name!r}")


__all__ = ["TensorType", "extra_ops", "nlinalg", "nnet"]
__all__ += ["shared_randomstreams", "signal", "slinalg", "trace"]
__all__ += variables.__all__
__all__ += elementwise.__all__
__all__ += mathematics.__all__
__all__ += reductions.__all__
__all__ += shaping.__all__
__all__ += sizes.__all__
__all__ += sorting.__all__
__all__ += creation.__all__
__all__ += products.__all__
__all__ += subscripts.__all__
__all__ += indexing.__all__
__all__ += replacing.__all__
__all__ += rearranging.__all__
__all__ += grids.__all__
__all__ += extra_ops.__all__

language.fill()
