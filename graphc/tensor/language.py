"""What methods of expressions and NumPy's functions mean: the table `LANGUAGE`, filled."""

from __future__ import annotations

from graphc.ir.types import LANGUAGE
from graphc.tensor import (
    creation,
    elementwise,
    extra_ops,
    grids,
    indexing,
    mathematics,
    nlinalg,
    nnet,
    products,
    rearranging,
    reductions,
    replacing,
    shaping,
    sizes,
    slinalg,
    sorting,
    subscripts,
    variables,
)
from graphc.tensor.numpy_protocol import array_function, array_ufunc

MODULES = (
    nlinalg,  # first: where others have a name too, a method has their meaning
    slinalg,
    elementwise,
    mathematics,
    reductions,
    shaping,
    sizes,
    creation,
    products,
    subscripts,
    indexing,
    replacing,
    rearranging,
    grids,
    extra_ops,
    sorting,
    nnet.nnet,
)


def fill() -> None:
    """Put every function of the language into `LANGUAGE` under its name."""
    for module in MODULES:
        LANGUAGE.update({name: getattr(module, name) for name in module.__all__})
    LANGUAGE.update(array_ufunc=array_ufunc, array_function=array_function)
    LANGUAGE.update(linalg_norm=nlinalg.norm)
    LANGUAGE.update(variable=variables.variable, getitem=indexing.getitem, astype=elementwise.cast)
