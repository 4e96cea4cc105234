"""Reductions over axes, with ``axis``, ``keepdims`` and the dtypes of results.

Sums and products of integers smaller than 64 bits are taken in 64 bits, and of float16 in float32;
means of integers are floatX.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from graphc.errors import GraphcTypeError, GraphcValueError, message
from graphc.ir import dtypes
from graphc.ir.node import CONST, Node, as_node, const, operand
from graphc.ir.shapes import as_size_node, product, sizes
from graphc.ir.source import here
from graphc.ops import elementwise, reduce
from graphc.ops.elementwise import abs_, cast, sqr, true_div
from graphc.ops.math import sqrt
from graphc.ops.movement import dimshuffle, keep_axes, reshape
from graphc.ops.parts import make_vector
from graphc.ops.reduce import need_bool, normal_axes
from graphc.tensor.mathematics import isclose

_MAKE_VECTOR = make_vector.op  # type: ignore[attr-defined]


def _reduced(row: Callable[..., Any], x: Node, axis: Any, keepdims: bool) -> Any:
    """Apply a reduction over axes as the user gives them."""
    axes = normal_axes(x, axis, row.__name__)
    found = row(x, axes=axes) if axes else x
    return keep_axes(found, axes, x.type.ndim) if keepdims else found


def _accumulator(dtype: str) -> str:
    """Return the dtype in which numbers of a dtype are summed."""
    if dtype == "float16":
        return "float32"
    if dtypes.is_float(dtype):
        return dtype
    return "uint64" if dtypes.kind(dtype) == "uint" else "int64"


def _fold(
    row: Callable[..., Any], x: Any, axis: Any, dtype: Any, keepdims: bool, acc_dtype: Any
) -> Any:
    x = as_node(x)
    own = x.type.dtype
    if dtype is not None:
        result = dtypes.canonical(dtype)
    else:
        result = own if dtypes.is_float(own) else _accumulator(own)
    inside = _accumulator(result) if acc_dtype is None else dtypes.canonical(acc_dtype)
    return cast(_reduced(row, cast(x, inside), axis, keepdims), result)


def sum(
    input: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None
) -> Any:
    """Return the sum over axes; 0 over no elements.

    Parameters
    ----------
    input : expression
    axis : int, tuple of int or None
        Axes to sum over, counted from the end if negative; None means all.
    dtype : dtype-like, optional
        Of the result. Integers become int64 or uint64, floats keep theirs.
    keepdims : bool
        Keep the axes at size 1.
    acc_dtype : dtype-like, optional
        In which the sum is taken, if not the result's.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> m = T.dmatrix("m")
    >>> T.sum(m, axis=-1).type, m.sum(0, keepdims=True).type, T.bvector("b").sum().type
    (float64[?], float64[1, ?], int64)
    """
    small = _of_scalars(elementwise.add, input, axis, 0)
    if small is not None and dtype is None and acc_dtype is None and not keepdims:
        return small
    return _fold(reduce.sum, input, axis, dtype, keepdims, acc_dtype)


def prod(
    input: Any,
    axis: Any = None,
    dtype: Any = None,
    keepdims: bool = False,
    acc_dtype: Any = None,
    no_zeros_in_input: bool = False,
) -> Any:
    """Return the product over axes; 1 over no elements.

    Parameters
    ----------
    input, axis, dtype, keepdims, acc_dtype
        As for `sum`.
    no_zeros_in_input : bool
        Accepted for Theano's programs; the gradient is right with zeros and without.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.prod(T.dmatrix("m"), axis=0).type
    float64[?]
    """
    small = _of_scalars(elementwise.mul, input, axis, 1)
    if small is not None and dtype is None and acc_dtype is None and not keepdims:
        return small
    return _fold(reduce.prod, input, axis, dtype, keepdims, acc_dtype)


def _of_scalars(row: Callable[..., Any], x: Any, axis: Any, neutral: int) -> Node | None:
    """Return a fold of a vector of scalars, such as a shape, as a formula; None for the rest."""
    if not isinstance(x, Node) or x.op is not _MAKE_VECTOR or x.type.dtype != dtypes.INDEX:
        return None
    if axis not in (None, 0, -1):
        return None
    if row is elementwise.mul:
        return as_size_node(product(reshape_sizes(x)))
    return functools.reduce(row, x.inputs)


def reshape_sizes(vector: Node) -> list[Any]:
    """Return the elements of a vector of scalars as sizes: int where they are constants."""
    return [int(node.attrs["value"].array) if node.op is CONST else node for node in vector.inputs]


def max(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the largest element over axes; NaN wins. Ties share the gradient evenly.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.max(T.dmatrix("m"), axis=1, keepdims=True).type
    float64[?, 1]
    """
    return _reduced(reduce.max, as_node(x), axis, keepdims)


def min(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the smallest element over axes; NaN wins. Ties share the gradient evenly.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.min(T.dmatrix("m"), axis=(0, 1)).type
    float64
    """
    return _reduced(reduce.min, as_node(x), axis, keepdims)


def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the largest element minus the smallest over axes.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.ptp(T.dvector("v")).type
    float64
    """
    return max(x, axis, keepdims) - min(x, axis, keepdims)


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return whether any element over axes is true; what is not zero is true.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.any(T.dmatrix("m") > 0, axis=0).type
    bool[?]
    """
    return _reduced(reduce.any, need_bool(as_node(x)), axis, keepdims)


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return whether all elements over axes are true; what is not zero is true.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.all(T.dmatrix("m") > 0).type
    bool
    """
    return _reduced(reduce.all, need_bool(as_node(x)), axis, keepdims)


def allclose(
    a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Any:
    """Return whether all elements are as close as `isclose` asks.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> bool(T.allclose([1.0, 2.0], [1.0 + 1e-9, 2.0]).eval())
    True
    """
    return all(isclose(a, b, rtol, atol, equal_nan))


# -- places ---------------------------------------------------------------------------------------


def _place(row: Callable[..., Any], x: Any, axis: Any, keepdims: bool) -> Any:
    x = as_node(x)
    axes = normal_axes(x, axis, row.__name__)
    if not axes:
        if axis is None:
            return const(0, dtypes.INDEX)
        raise GraphcValueError(message(f"{row.__name__} needs an axis", [operand(x)], here()))
    found = row(_last_merged(x, axes), axes=(x.type.ndim - len(axes),))
    return keep_axes(found, axes, x.type.ndim) if keepdims else found


def _last_merged(x: Node, axes: Sequence[int]) -> Node:
    """Return x with ``axes`` at the end as a single axis, in row-major order."""
    kept = [axis for axis in range(x.type.ndim) if axis not in axes]
    moved = dimshuffle(x, [*kept, *axes])
    if len(axes) == 1:
        return moved  # type: ignore[no-any-return]
    shape = sizes(moved)
    return reshape(moved, [*shape[: len(kept)], product(shape[len(kept) :])])  # type: ignore[no-any-return]


def argmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the place of the first largest element, along an axis or in the flattened array.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.argmax(T.dmatrix("m"), axis=1).type, T.argmax(T.dmatrix("m")).type
    (int64[?], int64)
    """
    return _place(reduce.argmax, x, axis, keepdims)


def argmin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the place of the first smallest element, along an axis or in the flattened array.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.argmin(T.dmatrix("m"), axis=0).type
    int64[?]
    """
    return _place(reduce.argmin, x, axis, keepdims)


def max_and_argmax(a: Any, axis: Any = None, keepdims: bool = False) -> tuple[Any, Any]:
    """Return `max` and `argmax` over the same axes.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> [part.type for part in T.max_and_argmax(T.dmatrix("m"), axis=1)]
    [float64[?], int64[?]]
    """
    return max(a, axis, keepdims), argmax(a, axis, keepdims)


# -- statistics -----------------------------------------------------------------------------------


def mean(
    input: Any,
    axis: Any = None,
    dtype: Any = None,
    op: bool = False,
    keepdims: bool = False,
    acc_dtype: Any = None,
) -> Any:
    """Return the mean over axes; that of integers is floatX, that of no elements NaN.

    Parameters
    ----------
    input, axis, keepdims, acc_dtype
        As for `sum`.
    dtype : dtype-like, optional
        A float dtype.
    op : bool
        Theano's; has no effect.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.mean(T.fmatrix("m"), axis=0).type, T.mean(T.ivector("i")).type
    (float32[?], float64)
    """
    x = as_node(input)
    result = dtypes.floating(x.type.dtype) if dtype is None else dtypes.canonical(dtype)
    if not dtypes.is_float(result):
        raise GraphcTypeError(
            message(
                f"the mean of numbers is not {result}",
                [operand(x)],
                here(),
                "give a float dtype, or T.cast the mean",
            )
        )
    inside = _accumulator(result) if acc_dtype is None else dtypes.canonical(acc_dtype)
    total = _reduced(reduce.sum, cast(x, inside), axis, keepdims)
    return cast(true_div(total, cast(_count(x, axis), total.type.dtype)), result)


def _count(x: Node, axis: Any) -> Node:
    """Return the number of elements that a reduction folds into one."""
    shape = sizes(x)
    return as_size_node(product(shape[place] for place in normal_axes(x, axis, "mean")))


def var(
    input: Any,
    axis: Any = None,
    ddof: int = 0,
    keepdims: bool = False,
    corrected: bool = False,
) -> Any:
    """Return the variance over axes: the mean of the squared distances from the mean.

    Parameters
    ----------
    input, axis, keepdims
        As for `mean`.
    ddof : int
        Taken off the number of elements that the sum is divided by.
    corrected : bool
        Take off the error that the rounding of the mean leaves.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.var(T.dmatrix("m"), axis=1).type
    float64[?]
    """
    x = as_node(input)
    x = cast(x, dtypes.floating(x.type.dtype))
    apart = x - mean(x, axis, keepdims=True)
    found = mean(sqr(apart), axis, keepdims=keepdims)
    if corrected:
        found = found - sqr(mean(apart, axis, keepdims=keepdims))
    if ddof:
        count = _count(x, axis)
        found = found * cast(count, x.type.dtype) / cast(count - ddof, x.type.dtype)
    return found


def std(
    input: Any,
    axis: Any = None,
    ddof: int = 0,
    keepdims: bool = False,
    corrected: bool = False,
) -> Any:
    """Return the standard deviation over axes, the root of `var`.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.std(T.dmatrix("m")).type
    float64
    """
    return sqrt(var(input, axis, ddof, keepdims, corrected))


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the logarithm of the sum of exponentials over axes, without overflow.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.logsumexp([1000.0, 1000.0]).eval()
    array(1000.69314718)
    """
    x = as_node(x)
    return _reduced(reduce.logsumexp, cast(x, dtypes.floating(x.type.dtype)), axis, keepdims)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the norm of order ``ord`` over axes, of all elements if ``axis`` is None.

    As in Theano it is that of a vector: a matrix counts as its elements.

    Parameters
    ----------
    x : expression
    ord : number
        None or 2 for the Euclidean norm; 0 counts what is not zero; infinity is the largest size.
    axis, keepdims
        As for `sum`.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.dmatrix("m").norm(2, axis=0).type
    float64[?]
    """
    x = as_node(x)
    if ord is None:
        ord = 2
    if ord == 0:
        return sum(need_bool(x), axis, dtypes.floating(x.type.dtype), keepdims)
    if ord == float("inf"):
        return max(abs_(x), axis, keepdims)
    if ord == -float("inf"):
        return min(abs_(x), axis, keepdims)
    if ord == 1:
        return sum(abs_(x), axis, keepdims=keepdims)
    if ord == 2:
        return sqrt(sum(sqr(x), axis, keepdims=keepdims))
    return elementwise.pow(sum(elementwise.pow(abs_(x), ord), axis, keepdims=keepdims), 1 / ord)


__all__ = [
    "all",
    "allclose",
    "any",
    "argmax",
    "argmin",
    "logsumexp",
    "max",
    "max_and_argmax",
    "mean",
    "min",
    "norm",
    "prod",
    "ptp",
    "std",
    "sum",
    "var",
]
