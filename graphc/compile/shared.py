"""Shared variables: values that live between calls."""

from __future__ import annotations

import copy
import threading
from typing import Any

import numpy as np

from graphc.backends.base import DeviceValue
from graphc.config import config
from graphc.errors import DTypeError, GraphcTypeError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import SHARED, Node, Token, fill_slots
from graphc.ir.replace import substitute
from graphc.ir.source import here
from graphc.ir.types import LANGUAGE, Attrs, TensorType
from graphc.ir.walk import toposort


class Container:
    """Where the value of a shared variable lies: on the host, on a device, or on both.

    Generated code reads and writes containers, not variables: a variable and its clones have one
    container, and so one value.

    Attributes
    ----------
    data : numpy.ndarray
        The value itself. It is a plain attribute while the host's copy is current; when only
        `device` is, it is gone, and fetched by whoever asks.
    device : object, optional
        The value on a device, if it is current there.
    """

    data: np.ndarray
    device: Any

    def __init__(self, data: np.ndarray) -> None:
        self.data = data
        self.device = None

    def __getattr__(self, name: str) -> Any:
        """Return ``data`` that was changed on a device last; keep it until it changes again."""
        if name != "data" or self.__dict__.get("device") is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        with _moving:
            found = self.__dict__["data"] = self.device.to_host()
        return found

    def moved(self, device: Any) -> None:
        """Take a value that a device holds; the host's copy is out of date then."""
        with _moving:
            self.device = device
            self.__dict__.pop("data", None)

    def __reduce__(self) -> Any:
        return Container, (self.data,)

    def __deepcopy__(self, memo: dict[int, Any]) -> Container:
        copy = memo[id(self)] = Container(self.data.copy())
        return copy


class SharedVariable(Node):
    """A symbolic variable with a value that functions read, and change by ``updates``.

    Made by `shared`. It is an expression like any other, and never equal to another one.

    Attributes
    ----------
    container : Container
        What holds the value.
    default_update : Node, optional
        An expression for the new value, taken by every function that reads this variable and has
        no update for it.
    """

    __slots__ = ("allow_downcast", "container", "default_update", "strict")
    container: Container
    default_update: Any
    strict: bool
    allow_downcast: bool | None

    @property
    def data(self) -> np.ndarray:
        """The value itself, which functions change where it lies; `get_value` gives a copy."""
        return self.container.data

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """Return the value.

        Parameters
        ----------
        borrow : bool
            False returns a copy. True may return the array itself, which later calls may change.
        return_internal_type : bool
            True returns the value where it lies: an array on a device, if that is where it was
            changed last.

        Examples
        --------
        >>> import graphc
        >>> graphc.shared([1.0, 2.0], "w").get_value()
        array([1., 2.])
        """
        held = self.container.device
        if return_internal_type and held is not None:
            return held if borrow else held.copy()
        return self.data if borrow else self.data.copy()

    def set_value(self, value: Any, borrow: bool = False) -> None:
        """Replace the value by one of the same dtype and rank.

        An array on a device, of the very dtype, stays there; it is copied unless ``borrow``.

        Raises
        ------
        DTypeError
            If the value would have to be rounded.
        ShapeError
            If the rank, or a size known to the type, differs.
        """
        if isinstance(value, DeviceValue) and value.dtype == self.type.dtype:
            self._check_shape(value)
            self.container.moved(value if borrow else value.copy())
            return
        self.container.data = self._checked(value, copy=not borrow)
        self.container.device = None

    def zero(self, borrow: bool = False) -> None:
        """Set every element to 0.

        Parameters
        ----------
        borrow : bool
            Accepted for Theano's sake; the array that `get_value` lent stays as it is.
        """
        self.set_value(np.zeros_like(self.data), borrow=True)

    def clone(self) -> SharedVariable:
        """Return another variable with the same value, now and later: they have one container.

        Its ``default_update`` and its name are its own.

        Examples
        --------
        >>> import graphc
        >>> w = graphc.shared(1.0, "w")
        >>> again = w.clone()
        >>> w.set_value(2.0)
        >>> again.get_value()
        array(2.)
        """
        return _like(self, self.container)

    def _checked(self, value: Any, copy: bool) -> np.ndarray:
        array = np.asarray(value)
        name = self.name or "a shared variable"
        mine = (name, repr(self.type), self.where)
        if array.dtype == self.type.dtype:
            takes = True
        elif self.strict:
            takes = False
        else:
            takes = bool(self.allow_downcast) or _weak(value, array, self.type.dtype)
        if not takes:
            given = ("the value", f"{array.dtype}{list(array.shape)}", None)
            raise DTypeError(
                message(
                    f"cannot set {name} to a value of dtype {array.dtype} without rounding",
                    [mine, given],
                    here(),
                    f"convert it first: value.astype('{self.type.dtype}')",
                )
            )
        self._check_shape(array)
        return np.array(array, self.type.dtype, order="C", copy=copy or None)

    def _check_shape(self, array: Any) -> None:
        shape = self.type.shape
        if array.ndim != len(shape) or any(
            known not in (None, size) for known, size in zip(shape, array.shape, strict=True)
        ):
            name = self.name or "a shared variable"
            mine = (name, repr(self.type), self.where)
            given = ("the value", f"{array.dtype}{list(array.shape)}", None)
            raise ShapeError(message(f"cannot set {name} to another shape", [mine, given], here()))

    def __reduce__(self) -> Any:
        state = {k: v for k, v in self.__dict__.items() if k != "_evaluators"}
        fixed = (self.attrs["token"], self.type, self.container, self.name)
        return _restore, fixed, (state, self.default_update, self.strict, self.allow_downcast)

    def __setstate__(self, state: Any) -> None:
        extra, self.default_update, self.strict, self.allow_downcast = state
        self.__dict__.update(extra)

    def __copy__(self) -> SharedVariable:
        return _like(self, Container(self.data.copy()))

    def __deepcopy__(self, memo: dict[int, Any]) -> SharedVariable:
        twin = memo[id(self)] = _like(self, copy.deepcopy(self.container, memo))
        twin.default_update = copy.deepcopy(self.default_update, memo)
        return twin


def _like(old: SharedVariable, container: Container) -> SharedVariable:
    new = _new(old.type, container, old.name)
    new.strict, new.allow_downcast = old.strict, old.allow_downcast
    return new


def deep_copy(node: Node, memo: dict[int, Any]) -> Node:
    """Return an expression over copies of its shared variables; without any, itself.

    Inputs stay what they are: they are names, not values.
    """
    found = [leaf for leaf in toposort([node]) if isinstance(leaf, SharedVariable)]
    copies: dict[Node, Node] = {leaf: copy.deepcopy(leaf, memo) for leaf in found}
    return substitute([node], copies)[0] if copies else node


LANGUAGE["deepcopy"] = deep_copy

updating = threading.RLock()
"""Held by a call that changes shared variables."""

# Fetching a value and noting that it has changed must not mix.
_moving = threading.Lock()


def _weak(value: Any, array: np.ndarray, dtype: str) -> bool:
    """Tell whether a value may take a dtype: it loses nothing, or is made of Python numbers."""
    if dtypes.can_cast_safely(array.dtype.name, dtype):
        return True
    if isinstance(value, (np.ndarray, np.generic)):
        return False
    if array.dtype.kind == "f":
        return dtypes.is_float(dtype)
    return bool(np.all(array.astype(dtype) == array))


def shared(
    value: Any,
    name: str | None = None,
    strict: bool = False,
    allow_downcast: bool | None = None,
    *,
    borrow: bool = False,
    broadcastable: tuple[bool, ...] | None = None,
    shape: tuple[int | None, ...] | None = None,
    dtype: str | None = None,
) -> SharedVariable:
    """Return a new shared variable.

    Parameters
    ----------
    value : array, nested list or number
        The first value. Python floats become floatX, Python integers int64.
    name : str, optional
        For messages, pictures and generated code.
    strict : bool
        True makes `set_value` take arrays of the very dtype only.
    allow_downcast : bool, optional
        True makes `set_value` round values of wider dtypes.
    borrow : bool
        True may keep the array itself instead of a copy; functions may then change it.
    broadcastable : tuple of bool, optional
        Axes to treat as size 1, so that they broadcast.
    shape : tuple, optional
        Sizes that stay as they are for good; None where later values may differ.
    dtype : str, optional
        Of the variable.

    Returns
    -------
    SharedVariable
        Of the value's dtype and rank.

    Examples
    --------
    >>> import numpy as np, graphc
    >>> w = graphc.shared(np.zeros(3), name="w")
    >>> w.type
    float64[?]
    """
    if isinstance(value, Node):
        raise GraphcTypeError(
            message("the value of a shared variable is an array, not an expression", (), here())
        )
    array = np.asarray(value)
    if array.dtype == object and hasattr(value, "toarray"):
        dtypes.refuse_object(value)
    if array.dtype == object:
        raise GraphcTypeError(
            message(f"{type(value).__name__} is not an array or a number", (), here())
        )
    if dtype is None and not isinstance(value, (np.ndarray, np.generic)):
        dtype = config.floatX if array.dtype.kind == "f" else None
    kind = dtypes.canonical(dtype or array.dtype)
    sizes = shape or tuple(1 if flag else None for flag in broadcastable or (False,) * array.ndim)
    stored = np.array(array, kind, order="C", copy=None if borrow else True)
    variable = _new(TensorType(kind, sizes), Container(stored), name)
    variable.strict, variable.allow_downcast = strict, allow_downcast
    variable.container.data = variable._checked(stored, copy=False)
    return variable


def state_of(type: TensorType, value: np.ndarray, name: str | None) -> SharedVariable:
    """Return a shared variable of this very type, for a value that fits it."""
    return _new(type, Container(value), name)


def _new(
    type: TensorType, container: Container, name: str | None, token: Token | None = None
) -> SharedVariable:
    variable: SharedVariable = object.__new__(SharedVariable)
    fill_slots(variable, SHARED, (), Attrs({"token": token or Token()}), type, here())
    variable.name = name
    variable.container = container
    variable.default_update = None
    variable.strict = False
    variable.allow_downcast = None
    return variable


def _restore(
    token: Token, type: TensorType, container: Container, name: str | None
) -> SharedVariable:
    return _new(type, container, name, token)


LANGUAGE["shared"] = shared
