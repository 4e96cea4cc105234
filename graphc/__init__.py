"""graphc: a compiler for symbolic array programs.

Declare symbolic variables, write mathematics with them, ask for gradients, and compile functions:

>>> import graphc, graphc.tensor as T
>>> x = T.dvector("x")
>>> f = graphc.function([x], [x.sum(), T.exp(x)])
>>> f([0.0, 1.0])
[array(1.), array([1.        , 2.71828183])]
"""

from typing import Any

from graphc import control, errors, gof, gradient, printing, random, scan_module, tensor
from graphc.compile.arguments import In, Out
from graphc.compile.check import check
from graphc.compile.clone import clone
from graphc.compile.compiled import CompiledFunction
from graphc.compile.evaluate import evaluate
from graphc.compile.function import function
from graphc.compile.mode import Mode
from graphc.compile.ops import as_op, custom_op
from graphc.compile.shared import SharedVariable, shared
from graphc.compile.storage import load, save
from graphc.config import config
from graphc.control import OrderedUpdates, foldl, foldr, loop, map, reduce, scan, until
from graphc.errors import GraphcError, GraphcWarning
from graphc.gradient import Lop, OpFromGraph, Rop, custom_grad, grad, subgraph_grad, vectorize
from graphc.ifelse import ifelse
from graphc.ir.node import Node as Variable
from graphc.tensor import unsupported
from graphc.viz.dtypes import explain_dtype
from graphc.viz.show import debugprint, dot_source, draw, pp

__version__ = "0.1.0"

__all__ = [
    "CompiledFunction",
    "GraphcError",
    "GraphcWarning",
    "In",
    "Lop",
    "Mode",
    "OpFromGraph",
    "OrderedUpdates",
    "Out",
    "Rop",
    "SharedVariable",
    "Variable",
    "as_op",
    "check",
    "clone",
    "config",
    "control",
    "custom_grad",
    "custom_op",
    "debugprint",
    "dot_source",
    "draw",
    "errors",
    "evaluate",
    "explain_dtype",
    "foldl",
    "foldr",
    "function",
    "gof",
    "grad",
    "gradient",
    "ifelse",
    "load",
    "loop",
    "map",
    "pp",
    "printing",
    "random",
    "reduce",
    "save",
    "scan",
    "scan_module",
    "shared",
    "subgraph_grad",
    "tensor",
    "until",
    "vectorize",
]


def __getattr__(name: str) -> Any:
    """Find what needs SymPy, which is loaded when it is asked for; say what does not exist."""
    if name in ("from_sympy", "latex", "to_sympy"):
        from graphc.interop import sympy

        return getattr(sympy, name)
    if name == "sparse":
        raise errors.UnknownNameError(unsupported.sparse_message())
    raise AttributeError(f"graphc has no {name!r}")
