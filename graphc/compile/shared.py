"""Shared variables: values that live between calls."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from graphc.config import config
from graphc.errors import DTypeError, GraphcTypeError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import SHARED, Node, Token, fill_slots
from graphc.ir.source import here
from graphc.ir.types import LANGUAGE, Attrs, TensorType


class SharedVariable(Node):
    """A symbolic variable with a value that functions read, and change by ``updates``.

    Made by `shared`. It is an expression like any other, and never equal to another one.

    Attributes
    ----------
    data : numpy.ndarray
        The value itself; `get_value` gives a copy of it. It is a plain attribute while the host's
        copy is current; when only `device` is, it is gone, and fetched by whoever asks.
    device : object, optional
        The value on a device, if it is current there.
    default_update : Node, optional
        An expression for the new value, taken by every function that reads this variable and has
        no update for it.
    """

    __slots__ = ()
    data: np.ndarray
    device: Any
    default_update: Any

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

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> np.ndarray:
        """Return the value.

        Parameters
        ----------
        borrow : bool
            False returns a copy. True may return the array itself, which later calls may change.
        return_internal_type : bool
            Accepted for Theano's sake; values are NumPy arrays.

        Examples
        --------
        >>> import graphc
        >>> graphc.shared([1.0, 2.0], "w").get_value()
        array([1., 2.])
        """
        return self.data if borrow else self.data.copy()

    def set_value(self, value: Any, borrow: bool = False) -> None:
        """Replace the value by one of the same dtype and rank.

        Raises
        ------
        DTypeError
            If the value would have to be rounded.
        ShapeError
            If the rank, or a size known to the type, differs.
        """
        self.data = self._checked(value, copy=not borrow)
        self.device = None

    def _checked(self, value: Any, copy: bool) -> np.ndarray:
        array = np.asarray(value)
        name = self.name or "a shared variable"
        mine = (name, repr(self.type), self.where)
        if array.dtype != self.type.dtype and not _weak(value, array, self.type.dtype):
            given = ("the value", f"{array.dtype}{list(array.shape)}", None)
            raise DTypeError(
                message(
                    f"cannot set {name} to a value of dtype {array.dtype} without rounding",
                    [mine, given],
                    here(),
                    f"convert it first: value.astype('{self.type.dtype}')",
                )
            )
        shape = self.type.shape
        if array.ndim != len(shape) or any(
            known not in (None, size) for known, size in zip(shape, array.shape, strict=True)
        ):
            given = ("the value", f"{array.dtype}{list(array.shape)}", None)
            raise ShapeError(message(f"cannot set {name} to another shape", [mine, given], here()))
        return np.array(array, self.type.dtype, order="C", copy=copy or None)

    def __reduce__(self) -> Any:
        extra = {k: v for k, v in self.__dict__.items() if k not in _OWN}
        made_by = (self.attrs["token"], self.type, self.data, self.name, extra)
        if self.default_update is None:
            return _restore, made_by
        return _restore, made_by, {"default_update": self.default_update}  # it may hold this one

    def __copy__(self) -> Any:
        return _new(self.type, self.data.copy(), self.name)


# Fetching a value and noting that it has changed must not mix.
_moving = threading.Lock()
_OWN = ("data", "device", "default_update")


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
    strict, allow_downcast
        Accepted for Theano's sake; the type is that of the value.
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
    if array.dtype == object:
        raise GraphcTypeError(
            message(f"{type(value).__name__} is not an array or a number", (), here())
        )
    if dtype is None and not isinstance(value, (np.ndarray, np.generic)):
        dtype = config.floatX if array.dtype.kind == "f" else None
    kind = dtypes.canonical(dtype or array.dtype)
    sizes = shape or tuple(1 if flag else None for flag in broadcastable or (False,) * array.ndim)
    stored = np.array(array, kind, order="C", copy=None if borrow else True)
    variable = _new(TensorType(kind, sizes), stored, name)
    variable.data = variable._checked(stored, copy=False)
    return variable


def _new(
    type: TensorType, data: np.ndarray, name: str | None, token: Token | None = None
) -> SharedVariable:
    variable: SharedVariable = object.__new__(SharedVariable)
    fill_slots(variable, SHARED, (), Attrs({"token": token or Token()}), type, here())
    variable.name = name
    variable.data = data
    variable.device = None
    variable.default_update = None
    return variable


def _restore(
    token: Token, type: TensorType, data: np.ndarray, name: str | None, extra: dict[str, Any]
) -> SharedVariable:
    variable = _new(type, data, name)
    variable.__dict__.update(extra)
    return variable


LANGUAGE["shared"] = shared
