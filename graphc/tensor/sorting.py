"""Order along an axis: sorting, the largest few, and sums and products of all that comes before."""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcTypeError, GraphcValueError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, number, operand
from graphc.ir.source import here
from graphc.ops import order as order_rows
from graphc.ops import prefix
from graphc.ops.elementwise import abs_, cast, where
from graphc.ops.parts import iota
from graphc.ops.reduce import normal_axes
from graphc.tensor.shaping import flatten

_KINDS = (None, "quicksort", "mergesort", "heapsort", "stable")


def _along(x: Any, axis: Any, what: str) -> tuple[Node, int]:
    """Return x and an axis counted from 0; None flattens x first."""
    x = as_node(x)
    if axis is None:
        x, axis = flatten(x), 0
    elif not x.type.ndim:
        raise GraphcTypeError(message(f"{what} needs an axis", [operand(x)], here()))
    if isinstance(axis, (tuple, list)):
        raise GraphcTypeError(message(f"{what} goes along one axis", [operand(x)], here()))
    return x, normal_axes(x, axis, what)[0]


def _check_kind(what: str, kind: Any, order: Any) -> None:
    if kind not in _KINDS:
        names = ", ".join(map(repr, _KINDS[1:]))
        raise GraphcValueError(message(f"{what}: kind {kind!r} is none of {names}", (), here()))
    if order is not None:
        raise GraphcValueError(
            message(f"{what}: there are no fields to order by", (), here(), "leave order out")
        )


def sort(a: Any, axis: int | None = -1, kind: str | None = None, order: None = None) -> Any:
    """Return the elements along an axis in rising order; NaN comes last.

    Parameters
    ----------
    a : expression
    axis : int or None
        None sorts the flattened array.
    kind : str, optional
        One of NumPy's names. Sorting is stable whatever it says.
    order : None
        NumPy's, for arrays of records, which do not exist here.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.sort([[3, 1, 2], [0, 5, 4]]).eval()
    array([[1, 2, 3],
           [0, 4, 5]])
    """
    _check_kind("sort", kind, order)
    x, axis = _along(a, axis, "sort")
    return order_rows.sort(x, axis=axis)


def argsort(a: Any, axis: int | None = -1, kind: str | None = None, order: None = None) -> Any:
    """Return the places of the elements along an axis in rising order; equal ones stay in theirs.

    Parameters
    ----------
    a, axis, kind, order
        As for `sort`.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.argsort([3, 1, 2]).eval()
    array([1, 2, 0])
    """
    _check_kind("argsort", kind, order)
    x, axis = _along(a, axis, "argsort")
    return order_rows.argsort(x, axis=axis)


def topk(
    x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: Any = "int64"
) -> Any:
    """Return the ``kth`` largest elements along an axis, the largest first.

    Parameters
    ----------
    x : expression
    kth : int or expression
        How many; a number below 0 asks for as many of the smallest, the smallest first.
    axis : int or None
        None takes them from the flattened array.
    sorted : bool
        They are always sorted.
    idx_dtype : dtype-like
        Of the places that `argtopk` returns.

    Raises
    ------
    GraphcValueError
        If ``kth`` is 0, or more than the known size of the axis.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.topk([3, 1, 4, 1, 5], 2).eval(), T.topk([3, 1, 4, 1, 5], -2).eval()
    (array([5, 4]), array([1, 1]))
    """
    return topk_and_argtopk(x, kth, axis, sorted, idx_dtype)[0]


def argtopk(
    x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: Any = "int64"
) -> Any:
    """Return the places of the elements that `topk` returns.

    Parameters
    ----------
    x, kth, axis, sorted, idx_dtype
        As for `topk`.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.argtopk([3, 1, 4, 1, 5], 2).eval()
    array([4, 2])
    """
    return topk_and_argtopk(x, kth, axis, sorted, idx_dtype)[1]


def topk_and_argtopk(
    x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: Any = "int64"
) -> tuple[Any, Any]:
    """Return `topk` and `argtopk` of the same.

    Parameters
    ----------
    x, kth, axis, sorted, idx_dtype
        As for `topk`.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> [part.eval() for part in T.topk_and_argtopk([3, 1, 4], 1)]
    [array([4]), array([2])]
    """
    x, axis = _along(x, axis, "topk")
    part = (slice(None),) * axis + (_best(x, kth, axis),)
    places = order_rows.argsort(x, axis=axis)[part]
    return order_rows.sort(x, axis=axis)[part], cast(places, dtypes.canonical(idx_dtype))


def _best(x: Node, kth: Any, axis: int) -> slice | Node:
    """Return where the best of sorted elements are; places, where it is not known to be so many."""
    count = as_node(kth)
    if count.type.ndim or not dtypes.is_discrete(count.type.dtype):
        raise GraphcTypeError(
            message("topk: the number of elements is an integer", [operand(count)], here())
        )
    known, size = number(count), x.type.shape[axis]
    if known == 0 or (known is not None and size is not None and abs(known) > size):
        what = f"topk: {known} of {'the' if size is None else size} elements"
        raise GraphcValueError(message(what, [operand(x)], here()))
    if known is None or size is None:
        places = iota(abs_(count))
        return where(count < 0, places, -1 - places)  # type: ignore[no-any-return]
    return slice(None, -known) if known < 0 else slice(None, -known - 1, -1)


def _accumulated(row: Any, x: Any, axis: Any, dtype: Any, what: str) -> Any:
    x, axis = _along(x, axis, what)
    own = x.type.dtype
    if dtype is not None:
        own = dtypes.canonical(dtype)
    elif dtypes.is_discrete(own):
        own = "uint64" if dtypes.kind(own) == "uint" else "int64"
    return row(cast(x, own), axis=axis)


def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Return the sums of all elements up to each along an axis.

    Parameters
    ----------
    x : expression
    axis : int or None
        None goes through the flattened array.
    dtype : dtype-like, optional
        Of the sums. Integers become int64 or uint64, floats keep theirs.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.cumsum([1, 2, 3]).eval()
    array([1, 3, 6])
    """
    return _accumulated(prefix.cumsum, x, axis, dtype, "cumsum")


def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Return the products of all elements up to each along an axis.

    Parameters
    ----------
    x, axis, dtype
        As for `cumsum`.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.cumprod([1, 2, 3, 4]).eval()
    array([ 1,  2,  6, 24])
    """
    return _accumulated(prefix.cumprod, x, axis, dtype, "cumprod")


__all__ = [
    "argsort",
    "argtopk",
    "cumprod",
    "cumsum",
    "sort",
    "topk",
    "topk_and_argtopk",
]
