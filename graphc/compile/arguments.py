"""Arguments of compiled functions: declared by `In`, checked and converted at each call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.compile.shared import SharedVariable
from graphc.errors import DTypeError, GraphcTypeError, GraphcValueError, ShapeError, message
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
        Taken when the call does not give the input; of a shared variable, its value then. It is
        read and changed as ``f[variable]`` or ``f[name]``.
    update : Node, optional
        The new ``value``, stored when a call has computed everything.
    strict : bool
        True refuses every conversion.
    allow_downcast : bool, optional
        True rounds values of wider dtypes; None only Python numbers; False nothing.
    autoname : bool
        False leaves an input without ``name`` to its place: no keyword calls it.
    implicit : bool, optional
        True hides the input from calls, which always take its value.
    mutable, borrow : bool, optional
        Permissions to write over an argument, or to keep it. graphc makes no use of them.
    shared : bool
        Accepted for Theano's sake.

    Raises
    ------
    GraphcTypeError
        If ``variable`` is not an expression.
    GraphcValueError
        If ``update`` or ``implicit`` comes without a value, or ``mutable`` without ``borrow``.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> f = graphc.function([x, graphc.In(y, value=10.0)], x + y)
    >>> f(1.0), f(1.0, y=2.0)
    (array(11.), array(3.))
    >>> n = T.lscalar("n")
    >>> count = graphc.function([graphc.In(n, value=0, update=n + 1)], n)
    >>> count(), count(), count["n"]
    (array(0), array(1), array(2))
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
        if name is not None and not isinstance(name, str):
            raise GraphcTypeError(
                message(f"the name of an input is a string, not {name!r}", (), here())
            )
        mine = operand(variable, name)
        if value is None and (update is not None or implicit):
            what = "an update" if update is not None else "implicit=True"
            raise GraphcValueError(
                message(f"an input with {what} needs a value to begin with", [mine], here())
            )
        if mutable and borrow is False:
            raise GraphcValueError(
                message("an input cannot be mutable and not borrowed", [mine], here())
            )
        self.variable = variable
        self.name = name or (variable.name if autoname else None)
        self.value = value
        self.update = update
        self.implicit = bool(implicit)
        self.mutable = bool(mutable)
        self.borrow = self.mutable if borrow is None else borrow
        self.strict = strict
        self.allow_downcast = allow_downcast


class Out:
    """An output of a function.

    Parameters
    ----------
    variable : Node
        The expression.
    borrow : bool
        True lets a call return memory that the function keeps and the next call writes again, or
        memory of a shared variable or an argument. It saves an allocation or a copy for each call;
        copy what you want to keep. On OpenCL the output stays on the device: a call returns an
        array there, which is yours to keep, and does not wait for it.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dvector("x")
    >>> f = graphc.function([x], graphc.Out(T.exp(x) + 1, borrow=True))
    >>> f([0.0])
    array([2.])
    """

    def __init__(self, variable: Any, borrow: bool = False) -> None:
        self.variable = variable
        self.borrow = bool(borrow)


@dataclass(frozen=True, slots=True)
class Argument:
    """An input as a compiled function knows it.

    Attributes
    ----------
    default : SharedVariable, optional
        Holds the value that is taken when a call leaves the input out.
    own : bool
        Whether `default` belongs to the function; otherwise it is the user's shared variable.
    implicit : bool
        Whether calls cannot give it; the program then reads `default` itself.
    """

    node: Node
    name: str | None
    default: SharedVariable | None = None
    own: bool = False
    implicit: bool = False
    strict: bool = False
    allow_downcast: bool | None = None


def checker(
    function: str,
    place: int,
    argument: Argument,
    scalar: Callable[[np.ndarray], Any],
    on_device: Callable[[Any], Any] | None = None,
) -> Callable[[Any], Any]:
    """Return the check that generated code calls for an argument that is not plainly right.

    Parameters
    ----------
    scalar : callable
        Brings a 0-d array into the form the backend wants.
    on_device : callable, optional
        Returns what lies on the backend's device, None for what does not.
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
        held = on_device(value) if on_device is not None and kind.ndim else None
        if held is None:
            array = _convert(value, argument, wrong, name)
        elif held.dtype == kind.dtype:
            array = held
        else:
            what = f"{name} is {held.dtype} on the device, {kind.dtype} was declared"
            raise wrong(DTypeError, what, value, "convert it on the host: value.get()")
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

    if kind.ndim or argument.strict or dtypes.kind(kind.dtype) not in ("int", "uint"):
        return check
    low, high = dtypes.limits(kind.dtype)
    number = np.dtype(kind.dtype).type

    def check_whole(value: Any) -> Any:  # the common case, without an array
        return number(value) if type(value) is int and low <= value <= high else check(value)

    return check_whole


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
