"""Arguments of compiled functions: declared by `In`, checked and converted at each call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import DTypeError, GraphcTypeError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, operand
from graphc.ir.source import here


class In:
    """An input of a function, with more to say about it than the variable itself.

    Parameters
    ----------
    variable : Node
        The symbolic input.
    name : str, optional
        For keyword calls; by default the variable's own.
    value : array, number or shared variable, optional
        Taken when the call does not give the input; of a shared variable, its value then.
    strict : bool
        True refuses every conversion.
    allow_downcast : bool, optional
        True rounds values of wider dtypes; None only Python numbers; False nothing.
    borrow, mutable, autoname, implicit, shared
        Accepted for Theano's sake: inputs are never written.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> f = graphc.function([x, graphc.In(y, value=10.0)], x + y)
    >>> f(1.0), f(1.0, y=2.0)
    (array(11.), array(3.))
    """

    def __init__(
        self,
        variable: Node,
        name: str | None = None,
        value: Any = None,
        update: Any = None,
        mutable: bool | None = None,
        strict: bool = False,
        allow_downcast: bool | None = None,
        autoname: bool = True,
        implicit: bool | None = None,
        borrow: bool | None = None,
        shared: bool = False,
    ) -> None:
        if not isinstance(variable, Node):
            raise GraphcTypeError(
                message(f"an input is a symbolic variable, not {variable!r}", (), here())
            )
        self.variable = variable
        self.name = name
        self.value = value
        self.update = update
        self.strict = strict
        self.allow_downcast = allow_downcast


@dataclass(frozen=True, slots=True)
class Argument:
    """An input as a compiled function knows it."""

    node: Node
    name: str | None
    default: Any = None
    strict: bool = False
    allow_downcast: bool | None = None

    @property
    def has_value(self) -> bool:
        """Whether a call may leave it out."""
        return self.default is not None

    def value(self) -> Any:
        """Return the default."""
        held = getattr(self.default, "data", None) if isinstance(self.default, Node) else None
        return self.default if held is None else held


def checker(
    function: str, place: int, argument: Argument, scalar: Callable[[np.ndarray], Any]
) -> Callable[[Any], Any]:
    """Return the check that generated code calls for an argument that is not plainly right.

    Parameters
    ----------
    scalar : callable
        Brings a 0-d array into the form the backend wants.
    """
    kind = argument.node.type
    name = argument.name or f"input {place}"
    mine = operand(argument.node, name)

    def wrong(error: type[Exception], what: str, value: Any, hint: str | None = None) -> Exception:
        shown = ("the value given", describe(value), None)
        return error(message(f"{function}: {what}", [mine, shown], here(), hint))

    def check(value: Any) -> Any:
        if isinstance(value, Node):
            raise wrong(
                GraphcTypeError,
                f"{name} is a symbolic expression; a call needs its value",
                value,
                "call x.eval({...}), or put the expression into the function's graph by givens",
            )
        array = _convert(value, argument, wrong, name)
        if array.ndim != kind.ndim:
            raise wrong(
                GraphcTypeError, f"{name} has {array.ndim} axes, {kind.ndim} were declared", value
            )
        for axis, (size, known) in enumerate(zip(array.shape, kind.shape, strict=True)):
            if known not in (None, size):
                raise wrong(
                    ShapeError, f"axis {axis} of {name} has size {size}, not {known}", value
                )
        return scalar(array) if kind.ndim == 0 else array

    return check


def _convert(value: Any, argument: Argument, wrong: Callable[..., Exception], name: str) -> Any:
    dtype = argument.node.type.dtype
    if isinstance(value, np.ndarray) and value.dtype == dtype:
        return np.asarray(value, dtype)
    if argument.strict:
        raise wrong(DTypeError, f"{name} is strict and takes only arrays of {dtype}", value)
    try:
        array = np.asarray(value)
    except ValueError:
        raise wrong(GraphcTypeError, f"{name} is not an array: its rows differ", value) from None
    if array.dtype == object or array.dtype.kind not in "biuf":
        raise wrong(GraphcTypeError, f"{name} is not an array of numbers", value)
    if argument.allow_downcast or dtypes.can_cast_safely(array.dtype.name, dtype):
        return array.astype(dtype)
    plain = not isinstance(value, (np.ndarray, np.generic)) and argument.allow_downcast is None
    if plain and _python_numbers_fit(array, dtype):
        return array.astype(dtype)
    raise wrong(
        DTypeError,
        f"{name} would lose digits: {array.dtype} to {dtype}",
        value,
        f"convert it with numpy.asarray(value, '{dtype}'), or allow it for this function"
        "\nwith allow_input_downcast=True",
    )


def _python_numbers_fit(array: np.ndarray, dtype: str) -> bool:
    """Tell whether Python numbers go into a dtype: floats into floats, integers where they fit."""
    if array.size == 0:
        return True
    if array.dtype.kind == "f":
        return dtypes.is_float(dtype) or bool(np.all(array == array.astype(dtype)))
    low, high = dtypes.limits(dtype)
    return bool(array.min() >= low and array.max() <= high)


def describe(value: Any) -> str:
    """Return what a value is, for an error message."""
    if isinstance(value, Node):
        return repr(value.type)
    if isinstance(value, (np.ndarray, np.generic)):
        shape = ", ".join(map(str, value.shape))
        return f"{value.dtype}[{shape}]" if value.shape else f"{value.dtype} {value!r}"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) < 60 else text[:57] + '...'}"
