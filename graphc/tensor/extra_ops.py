"""Counting, searching and small helpers: Theano's ``tensor.extra_ops``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import GraphcTypeError, GraphcValueError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, const, operand
from graphc.ir.shapes import Dim, as_size_node, product, sizes
from graphc.ir.source import here
from graphc.ops import index as places_of
from graphc.ops.elementwise import and_, cast, eq, int_div, maximum, minimum, mod, neq, where
from graphc.ops.index import gather, scatter, scatter_add
from graphc.ops.movement import dimshuffle, expand
from graphc.ops.parts import iota, join
from graphc.ops.reduce import max as max_over
from graphc.tensor.indexing import flatnonzero, getitem, inside, open_grid, place_of_axis, take
from graphc.tensor.rearranging import atleast_nd
from graphc.tensor.rearranging import repeat as repeat
from graphc.tensor.replacing import set_subtensor
from graphc.tensor.shaping import flatten
from graphc.tensor.shaping import squeeze as squeeze
from graphc.tensor.sizes import size_list
from graphc.tensor.sorting import argsort
from graphc.tensor.sorting import cumprod as cumprod
from graphc.tensor.sorting import cumsum as cumsum

# -- counting -------------------------------------------------------------------------------------


def bincount(
    x: Any, weights: Any = None, minlength: Any = None, assert_nonneg: bool = False
) -> Any:
    """Return how often each number occurs in a vector of integers, from 0 up to the largest.

    Parameters
    ----------
    x : expression
        A vector of integers; one below 0 is an IndexError.
    weights : expression, optional
        What each element counts for; by default 1.
    minlength : int or expression, optional
        The size of the result at least.
    assert_nonneg : bool
        Theano's; numbers below 0 are always an error.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.bincount(T.lvector("x")).type, T.bincount(T.lvector("x"), T.dvector("w")).type
    (int64[?], float64[?])
    """
    x = _integers(x, "bincount")
    if x.type.ndim != 1:
        raise GraphcTypeError(message("bincount needs a vector", [operand(x)], here()))
    place = cast(x, dtypes.INDEX)
    least = const(-1) if minlength is None else as_node(minlength) - 1
    largest = max_over(join(0, [place, expand(cast(least, dtypes.INDEX), [1])]), axes=(0,))
    count = largest + 1
    weight: Any = const(1) if weights is None else as_node(weights)
    if weights is not None and not dtypes.is_float(weight.type.dtype):
        weight = cast(weight, dtypes.floating(weight.type.dtype))
    board = expand(const(0, weight.type.dtype), [count])
    return scatter_add(board, expand(weight, sizes(x)), [inside(place, count)])


def _integers(x: Any, what: str) -> Node:
    node = as_node(x)
    if dtypes.kind(node.type.dtype) not in ("int", "uint"):
        raise GraphcTypeError(
            message(
                f"{what}: {node.type.dtype} is no integer", [operand(node)], here(), "T.cast it"
            )
        )
    return node


def diff(x: Any, n: int = 1, axis: int = -1) -> Any:
    """Return the differences of neighbours along an axis, ``n`` times.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.diff(T.TensorType("float64", (5,))("v"), n=2).type
    float64[3]
    """
    x = as_node(x)
    if n < 0:
        raise GraphcValueError(message(f"diff: n is {n}", [operand(x)], here()))
    axis = place_of_axis(axis, x, "diff")
    before = (slice(None),) * axis
    for _ in range(n):
        upper = getitem(x, (*before, slice(1, None)))
        lower = getitem(x, (*before, slice(None, -1)))
        x = neq(upper, lower) if x.type.dtype == dtypes.BOOL else upper - lower
    return x


def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: None = None,
) -> Any:
    """Return the numbers that occur in an array, in order, each once.

    Parameters
    ----------
    ar : expression
        Of any rank; it is taken as a vector.
    return_index : bool
        Whether to return also where each number stands first.
    return_inverse : bool
        Whether to return also the places in the result from which ``ar`` can be made again.
    return_counts : bool
        Whether to return also how often each number occurs.
    axis : None
        Only whole arrays are supported.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> numbers, counts = T.unique(T.dmatrix("m"), return_counts=True)
    >>> numbers.type, counts.type
    (float64[?], int64[?])
    """
    if axis is not None:
        raise GraphcValueError(message("unique: axis is None", [operand(as_node(ar))], here()))
    flat = flatten(as_node(ar))
    order = argsort(flat)
    in_order = gather(flat, [order])
    new = neq(getitem(in_order, slice(1, None)), getitem(in_order, slice(None, -1)))
    if dtypes.is_float(flat.type.dtype):  # NaN is one number
        upper, lower = getitem(in_order, slice(1, None)), getitem(in_order, slice(None, -1))
        new = and_(new, eq(upper, upper) | eq(lower, lower))
    # the first is new if there is one: of an empty array it is cut off
    marks = getitem(join(0, [expand(const(True), [1]), new]), slice(None, sizes(flat)[0]))
    first = flatnonzero(marks)
    found = [gather(in_order, [first])]
    if return_index:
        found.append(gather(order, [first]))
    if return_inverse:
        number = cumsum(cast(marks, dtypes.INDEX)) - 1
        found.append(scatter(iota(as_size_node(sizes(flat)[0])), number, [order]))
    if return_counts:
        end = expand(as_size_node(sizes(flat)[0]), [1])
        found.append(join(0, [getitem(first, slice(1, None)), end])[: sizes(first)[0]] - first)
    return found[0] if len(found) == 1 else tuple(found)


# -- searching ------------------------------------------------------------------------------------


def searchsorted(x: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """Return where values would be put into a sorted vector so that it stays sorted.

    Parameters
    ----------
    x : expression
        A vector, sorted upwards.
    v : expression or number
    side : {'left', 'right'}
        Before or after elements that are equal.
    sorter : expression, optional
        The places by which x is sorted, such as ``argsort(x)``.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.searchsorted(T.dvector("x"), T.dmatrix("v")).type
    int64[?, ?]
    """
    if side not in ("left", "right"):
        raise GraphcValueError(message(f"searchsorted: side={side!r}", (), here()))
    x, v = as_node(x), as_node(v)
    if x.type.ndim != 1:
        raise GraphcTypeError(message("searchsorted needs a sorted vector", [operand(x)], here()))
    if sorter is not None:
        x = gather(x, [_integers(sorter, "searchsorted")])
    if v.type.ndim:
        return places_of.searchsorted(x, v, side)
    return dimshuffle(places_of.searchsorted(x, dimshuffle(v, ("x",)), side), ())


def compress(condition: Any, x: Any, axis: int | None = None) -> Any:
    """Return the slices of an array along an axis at which a vector of conditions holds.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.compress(T.TensorType("bool", (None,))("c"), T.dmatrix("m"), axis=0).type
    float64[?, ?]
    """
    return take(x, flatnonzero(condition), axis)


# -- writing --------------------------------------------------------------------------------------


def fill_diagonal(a: Any, val: Any) -> Any:
    """Return a copy of an array with a number on its main diagonal.

    Parameters
    ----------
    a : expression
        A matrix, or an array of more axes, which must all be of one size.
    val : number or scalar expression

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.fill_diagonal(T.dmatrix("m"), 0).type
    float64[?, ?]
    """
    a = as_node(a)
    if a.type.ndim < 2:
        raise GraphcTypeError(message("fill_diagonal needs two axes", [operand(a)], here()))
    if a.type.ndim > 2:
        a = expand(a, [sizes(a)[0]] * a.type.ndim)
    first, *rest = open_grid(sizes(a))
    here_ = eq(first, rest[0])
    for one in rest[1:]:
        here_ = and_(here_, eq(first, one))
    return where(here_, _number(val, a, "fill_diagonal"), a)


def fill_diagonal_offset(a: Any, val: Any, offset: Any) -> Any:
    """Return a copy of a matrix with a number on a diagonal, above the main one if offset > 0.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.fill_diagonal_offset(T.dmatrix("m"), 0, 1).type
    float64[?, ?]
    """
    a = as_node(a)
    if a.type.ndim != 2:
        raise GraphcTypeError(message("fill_diagonal_offset: a matrix", [operand(a)], here()))
    down, right = open_grid(sizes(a))
    return where(eq(right - down, offset), _number(val, a, "fill_diagonal_offset"), a)


def _number(val: Any, a: Node, what: str) -> Node:
    val = as_node(val)
    if val.type.ndim:
        raise ShapeError(
            message(f"{what}: a value has no axes", [operand(a), operand(val)], here())
        )
    return cast(val, a.type.dtype)  # type: ignore[no-any-return]


def to_one_hot(y: Any, nb_class: Any, dtype: Any = None) -> Any:
    """Return a matrix whose row i has a 1 in column ``y[i]``, and zeros.

    Parameters
    ----------
    y : expression
        A vector of integers; one that is no column is an IndexError.
    nb_class : int or expression
        The number of columns.
    dtype : dtype-like, optional
        By default floatX.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.extra_ops.to_one_hot(T.lvector("y"), 10, dtype="int8").type
    int8[?, 10]
    """
    y = _integers(y, "to_one_hot")
    if y.type.ndim != 1:
        raise GraphcTypeError(message("to_one_hot needs a vector", [operand(y)], here()))
    (columns,) = size_list(nb_class, "to_one_hot")
    rows = sizes(y)[0]
    board = expand(const(0, dtypes.canonical(dtype or "floatX")), [rows, columns])
    return set_subtensor(getitem(board, (iota(as_size_node(rows)), y)), 1)


def inverse_permutation(perm: Any) -> Any:
    """Return the permutation that undoes a permutation of 0, 1, ...

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.inverse_permutation(T.constant([2, 0, 1])).eval()
    array([1, 2, 0])
    """
    perm = _integers(perm, "inverse_permutation")
    if perm.type.ndim != 1:
        raise GraphcTypeError(message("inverse_permutation: a vector", [operand(perm)], here()))
    turns = iota(as_size_node(sizes(perm)[0]))
    return cast(scatter(turns, turns, [perm]), perm.type.dtype)


def permute_row_elements(x: Any, y: Any, inverse: int = 0) -> Any:
    """Return an array with its last axis permuted by the rows of y, or by their inverses.

    Parameters
    ----------
    x : expression
    y : expression of integers
        A permutation for each line along the last axis, or a vector for all of them.
    inverse : int
        Whether to undo the permutation instead.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.permute_row_elements(T.dmatrix("m"), T.lvector("p")).type
    float64[?, ?]
    """
    x, y = as_node(x), _integers(y, "permute_row_elements")
    rank = max(x.type.ndim, y.type.ndim)
    x, y = atleast_nd(x, rank), atleast_nd(y, rank)
    place = (*open_grid(sizes(x))[:-1], y)
    return set_subtensor(getitem(x, place), x) if inverse else getitem(x, place)


# -- places as numbers and as tuples --------------------------------------------------------------


def ravel_multi_index(
    multi_index: Sequence[Any], dims: Any, mode: str = "raise", order: str = "C"
) -> Any:
    """Return places, given by an index for each axis, as numbers in row-major order.

    Parameters
    ----------
    multi_index : sequence of expressions
        Broadcast together.
    dims : sequence of sizes, or a vector
    mode : {'raise', 'wrap', 'clip'}
        What becomes of an index outside of its axis: an IndexError, the index as often around as
        it takes, or the nearest end.
    order : {'C', 'F'}
        Row-major or column-major.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.ravel_multi_index((T.lvector("i"), T.lvector("j")), (3, 4)).type
    int64[?]
    """
    shape = size_list(dims, "ravel_multi_index", None)
    indices = [cast(_integers(one, "ravel_multi_index"), dtypes.INDEX) for one in multi_index]
    if len(indices) != len(shape):
        raise GraphcValueError(
            message(f"ravel_multi_index: {len(indices)} indices, {len(shape)} sizes", (), here())
        )
    pairs = list(zip(indices, shape, strict=True))
    found: Any = const(0)
    for index, size in pairs if _row_major(order) else pairs[::-1]:
        found = found * as_size_node(size) + _bounded(index, size, mode)
    return found


def _bounded(index: Node, size: Dim, mode: str) -> Node:
    count = as_size_node(size)
    if mode == "raise":
        return inside(index, size)
    if mode == "wrap":
        return mod(index, count)  # type: ignore[no-any-return]
    if mode == "clip":
        return maximum(minimum(index, count - 1), 0)  # type: ignore[no-any-return]
    raise GraphcValueError(message(f"mode={mode!r} is not 'raise', 'wrap' or 'clip'", (), here()))


def _row_major(order: str) -> bool:
    if order not in ("C", "F"):
        raise GraphcValueError(message(f"order={order!r} is not 'C' or 'F'", (), here()))
    return order == "C"


def unravel_index(indices: Any, dims: Any, order: str = "C") -> tuple[Any, ...]:
    """Return numbers in row-major order as places, with an index for each axis.

    Parameters
    ----------
    indices : expression
        One outside of the array is an IndexError.
    dims : sequence of sizes, or a vector
    order : {'C', 'F'}
        Row-major or column-major.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> [one.type for one in T.unravel_index(T.lvector("i"), (3, 4))]
    [int64[?], int64[?]]
    """
    shape = size_list(dims, "unravel_index", None)
    index = inside(cast(_integers(indices, "unravel_index"), dtypes.INDEX), product(shape))
    found: list[Any] = []
    for size in shape[::-1] if _row_major(order) else shape:
        count = as_size_node(size)
        found.append(mod(index, count))
        index = int_div(index, count)
    return tuple(found[::-1] if _row_major(order) else found)


# what else Theano has here (cumsum, cumprod, repeat, squeeze) is exported by its own module
__all__ = [
    "bincount",
    "compress",
    "diff",
    "fill_diagonal",
    "fill_diagonal_offset",
    "inverse_permutation",
    "permute_row_elements",
    "ravel_multi_index",
    "searchsorted",
    "to_one_hot",
    "unique",
    "unravel_index",
]
