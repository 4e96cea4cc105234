"""graphc: a compiler for symbolic array programs.

Declare symbolic variables, write mathematics with them, ask for gradients, and compile functions:

>>> import graphc, graphc.tensor as T
>>> x = T.dvector("x")
>>> f = graphc.function([x], [x.sum(), T.exp(x)])
>>> f([0.0, 1.0])
[array(1.), array([1.        , 2.71828183])]
"""

from graphc import errors, gradient, random, tensor
from graphc.compile.arguments import In
from graphc.compile.compiled import CompiledFunction
from graphc.compile.evaluate import evaluate
from graphc.compile.function import Out, function
from graphc.compile.shared import SharedVariable, shared
from graphc.config import config
from graphc.errors import GraphcError, GraphcWarning
from graphc.gradient import OpFromGraph, custom_grad, grad, vectorize
from graphc.ir.node import Node as Variable
from graphc.viz.show import debugprint, dot_source, draw, pp

__version__ = "0.1.0"

__all__ = [
    "CompiledFunction",
    "GraphcError",
    "GraphcWarning",
    "In",
    "OpFromGraph",
    "Out",
    "SharedVariable",
    "Variable",
    "config",
    "custom_grad",
    "debugprint",
    "dot_source",
    "draw",
    "errors",
    "evaluate",
    "function",
    "grad",
    "gradient",
    "pp",
    "random",
    "shared",
    "tensor",
    "vectorize",
]
