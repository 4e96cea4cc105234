"""Dtypes: their names, how they promote, and what Python numbers become.

A dtype is the name NumPy gives it, as a string. Promotion is NumPy 2's, except that integers
become ``config.floatX`` where a float is needed (true division, ``exp`` and friends), never
float16, and that a Python float beside integers is ``config.floatX``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, Literal, NoReturn

import numpy as np

from graphc.config import config
from graphc.errors import DTypeError, GraphcTypeError, NotSupportedError, message
from graphc.ir.source import here

BOOL = "bool"
INTS = ("int8", "int16", "int32", "int64")
UINTS = ("uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64")
DTYPES = (BOOL, *INTS, *UINTS, *FLOATS)
INDEX = "int64"

Kind = Literal["bool", "int", "uint", "float"]
_KINDS: dict[str, Kind] = {
    BOOL: "bool",
    **dict.fromkeys(INTS, "int"),
    **dict.fromkeys(UINTS, "uint"),
    **dict.fromkeys(FLOATS, "float"),
}


_KNOWN = f"there are {', '.join(DTYPES[:5])},\n{', '.join(DTYPES[5:])}"


def canonical(dtype: Any) -> str:
    """Return the name of a dtype given in any form NumPy understands, or ``"floatX"``.

    Raises
    ------
    NotSupportedError
        For complex, object, string and other dtypes that graphc does not compute with.

    Examples
    --------
    >>> canonical("f4"), canonical(int), canonical("floatX")
    ('float32', 'int64', 'float64')
    """
    name: str
    if isinstance(dtype, str):
        if dtype in _KINDS:
            return dtype
        if dtype == "floatX":
            return config.floatX
    try:
        name = np.dtype(dtype).name
    except TypeError:
        raise DTypeError(message(f"{dtype!r} is not a dtype", (), here(), _KNOWN)) from None
    if name not in _KINDS:
        kind = "complex numbers are" if name.startswith("complex") else f"dtype {name} is"
        raise NotSupportedError(message(f"{kind} not supported", (), here(), _KNOWN))
    return name


def refuse_object(value: Any) -> NoReturn:
    """Raise the error for what NumPy makes an array of objects of.

    Raises
    ------
    NotSupportedError
        If it is a sparse matrix.
    GraphcTypeError
        For everything else.
    """
    if hasattr(value, "toarray"):  # a sparse matrix of SciPy's, which need not be loaded
        what, hint = "sparse matrices are not supported", "use dense arrays: matrix.toarray()"
        raise NotSupportedError(message(what, (), here(), hint))
    what = f"cannot make a constant of {type(value).__name__}: {value!r}"
    raise GraphcTypeError(message(what, (), here()))


def kind(dtype: str) -> Kind:
    """Return 'bool', 'int', 'uint' or 'float'."""
    return _KINDS[dtype]


def is_float(dtype: str) -> bool:
    """Tell whether a dtype is a floating-point one."""
    return _KINDS[dtype] == "float"


def is_discrete(dtype: str) -> bool:
    """Tell whether a dtype is bool or an integer one, so that nothing has a gradient there."""
    return _KINDS[dtype] != "float"


@functools.cache
def promote(*dtypes: str) -> str:
    """Return the dtype that NumPy 2 computes in when these meet."""
    return functools.reduce(lambda a, b: np.promote_types(a, b).name, dtypes)


def floating(*dtypes: str) -> str:
    """Return the float dtype for functions such as ``exp`` and for true division."""
    common = promote(*dtypes)
    return common if is_float(common) else config.floatX


def result_with_number(number: bool | int | float, dtypes: Iterable[str]) -> str:
    """Return the dtype a Python number takes beside operands of these dtypes: it is weak.

    Examples
    --------
    >>> result_with_number(2.5, ["float32"]), result_with_number(2, ["int8"])
    ('float32', 'int8')
    >>> result_with_number(2.5, ["int32"]), result_with_number(True, ["int8"])
    ('float64', 'int8')
    """
    dtypes = tuple(dtypes)
    if not dtypes:
        return number_dtype(number)
    common = promote(*dtypes)
    if isinstance(number, bool):
        return common
    if isinstance(number, int):
        return "int64" if common == BOOL else common
    return common if is_float(common) else config.floatX


def number_dtype(number: bool | int | float) -> str:
    """Return the dtype of a Python number that stands alone."""
    if isinstance(number, bool):
        return BOOL
    return "int64" if isinstance(number, int) else config.floatX


def narrowest(number: int) -> str:
    """Return the narrowest signed integer dtype that holds a number; int64 if none does.

    Examples
    --------
    >>> narrowest(100), narrowest(-200)
    ('int8', 'int16')
    """
    return next((dtype for dtype in INTS if fits(number, dtype)), "int64")


@functools.cache
def limits(dtype: str) -> tuple[float | int, float | int]:
    """Return the smallest and the largest value of a dtype."""
    if dtype == BOOL:
        return 0, 1
    if is_float(dtype):
        return -float("inf"), float("inf")
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def fits(number: int, dtype: str) -> bool:
    """Tell whether an integer can be stored in a dtype without wrapping."""
    low, high = limits(dtype)
    return low <= number <= high


def can_cast_safely(source: str, target: str) -> bool:
    """Tell whether every value of ``source`` has its equal in ``target`` (NumPy's "safe")."""
    return bool(np.can_cast(source, target, "safe"))
