"""One draw of a stream: its state, the arrays drawn with it, and parameters over its shape."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from graphc.config import config
from graphc.errors import GraphcValueError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, operand
from graphc.ir.shapes import Dim, sizes
from graphc.ir.source import here
from graphc.ops import random as rows
from graphc.ops.elementwise import cast
from graphc.ops.family import is_number
from graphc.ops.movement import dimshuffle
from graphc.tensor.shaping import broadcast_to
from graphc.tensor.sizes import size_list

Shape = tuple[Dim, ...]


class Draw:
    """Arrays of random numbers from one state, independent of each other.

    Parameters
    ----------
    state : Node
        Three words, as `graphc.ops.random` says.
    """

    def __init__(self, state: Node) -> None:
        self.state = state
        self._parts = itertools.count()

    def bits(self, shape: Shape, dtype: str = "uint64") -> Any:
        """Return integers of which every one is equally likely."""
        return self._array(rows.bits, shape, dtype)

    def uniform(self, shape: Shape, dtype: str) -> Any:
        """Return numbers of [0, 1)."""
        if dtype != "float16":
            return self._array(rows.uniform, shape, dtype)
        steps = self.bits(shape, "uint32") // 2**21  # so that nothing is rounded up to 1
        return cast(steps, dtype) * 2.0**-11

    def normal(self, shape: Shape, dtype: str) -> Any:
        """Return numbers with mean 0 and variance 1."""
        wide = "float32" if dtype == "float16" else dtype
        return cast(self._array(rows.normal, shape, wide), dtype)

    def _array(self, row: Callable[..., Any], shape: Shape, dtype: str) -> Any:
        found = row(self.state, 0, *(shape or (1,)), dtype=dtype, part=next(self._parts))
        return found if shape else dimshuffle(found, ())


def float_dtype(dtype: Any, *parameters: Any) -> str:
    """Return the dtype of a draw: as asked for, or floatX unless a parameter is wider."""
    if dtype is not None:
        wanted = dtypes.canonical(dtype)
        if not dtypes.is_float(wanted):
            raise GraphcValueError(message(f"a draw of floats has no dtype {wanted}", (), here()))
        return wanted
    given = [as_node(one).type.dtype for one in parameters if not is_number(one)]
    return dtypes.promote(config.floatX, *filter(dtypes.is_float, given))


def fitted(
    size: Any, ndim: int | None, what: str, dtype: str, *parameters: Any
) -> tuple[Shape, list[Any]]:
    """Return the shape of a draw, and its parameters in a dtype and over that shape.

    Numbers stay as they are. Without a size the parameters broadcast against each other.
    """
    nodes = [one if is_number(one) else cast(as_node(one), dtype) for one in parameters]
    arrays = [one for one in nodes if isinstance(one, Node)]
    if size is None:
        shape = sizes(functools.reduce(lambda a, b: a + b, arrays)) if arrays else ()
        return shape, nodes
    shape = tuple(size_list(size, what, ndim))
    return shape, [over(one, shape, what) for one in nodes]


def over(parameter: Any, shape: Sequence[Dim], what: str) -> Any:
    """Return a parameter broadcast to the shape of a draw; a number as it is."""
    if not isinstance(parameter, Node) or not parameter.type.ndim:
        return parameter
    if parameter.type.ndim > len(shape):
        raise ShapeError(
            message(
                f"{what}: a parameter has {parameter.type.ndim} axes, the draw {len(shape)}",
                [operand(parameter)],
                here(),
                "give a larger size, or none: then it is that of the parameters",
            )
        )
    return broadcast_to(parameter, list(shape))
