"""Diagonals, triangles, and coordinates: arrays that depend on where an element stands."""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcTypeError, GraphcValueError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, operand
from graphc.ir.shapes import Dim, add, as_dim, as_size_node, at_least, at_most, sizes, sub
from graphc.ir.source import here
from graphc.ops.elementwise import cast, eq, ge, maximum, neg, where, zero_for
from graphc.ops.family import is_number
from graphc.ops.index import gather, scatter
from graphc.ops.movement import dimshuffle, expand
from graphc.ops.parts import iota
from graphc.tensor.creation import arange, eye, zeros, zeros_like
from graphc.tensor.indexing import broadcast_together, place_of_axis
from graphc.tensor.sizes import size_list

# -- diagonals ------------------------------------------------------------------------------------


def identity(n: Any, dtype: Any = None) -> Any:
    """Return the identity matrix; floatX by default.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.identity(3).type
    float64[3, 3]
    """
    return eye(n, dtype=dtype)


def _offsets(k: Any) -> tuple[Dim, Dim]:
    """Return the row and the column in which a diagonal begins."""
    if is_number(k):
        return max(-int(k), 0), max(int(k), 0)
    k = cast(as_node(k), dtypes.INDEX)
    return as_dim(maximum(neg(k), 0)), as_dim(maximum(k, 0))


def diagonal(a: Any, offset: Any = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return a diagonal of two axes as the last axis of the result.

    Parameters
    ----------
    a : expression
        Of at least two axes.
    offset : int or expression
        0 for the main diagonal, above 0 for one above it.
    axis1, axis2 : int
        What are rows and columns.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.diagonal(T.dmatrix("m"), 1).type, T.TensorType("float64", (2, 3, 4))("x").diagonal().type
    (float64[?], float64[4, 2])
    """
    a = as_node(a)
    if a.type.ndim < 2:
        raise GraphcTypeError(message("diagonal needs two axes", [operand(a)], here()))
    first, second = (place_of_axis(axis, a, "diagonal") for axis in (axis1, axis2))
    if first == second:
        raise GraphcValueError(message("diagonal: the axes are the same", [operand(a)], here()))
    down, right = _offsets(offset)
    rows, columns = sizes(a)[first], sizes(a)[second]
    count = iota(as_size_node(at_least(at_most(sub(rows, down), sub(columns, right)), 0)))
    places = [_plus(count, down), _plus(count, right)]
    rest = [axis for axis in range(a.type.ndim) if axis not in (first, second)]
    found = gather(dimshuffle(a, [first, second, *rest]), places)
    return dimshuffle(found, [*range(1, len(rest) + 1), 0])


def _plus(count: Node, offset: Dim) -> Node:
    return count if isinstance(offset, int) and not offset else count + as_size_node(offset)


def diag(v: Any, k: Any = 0) -> Any:
    """Return the diagonal of a matrix, or a matrix with a vector on its diagonal.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.diag(T.dmatrix("m")).type, T.diag(T.TensorType("float64", (3,))("v"), k=-1).type
    (float64[?], float64[4, 4])
    """
    v = as_node(v)
    if v.type.ndim == 2:
        return diagonal(v, k)
    if v.type.ndim != 1:
        raise GraphcTypeError(message("diag needs a vector or a matrix", [operand(v)], here()))
    down, right = _offsets(k)
    side = add(add(sizes(v)[0], down), right)
    count = iota(as_size_node(sizes(v)[0]))
    board = expand(zero_for(v), [side, side])
    return scatter(board, v, [_plus(count, down), _plus(count, right)])


# -- triangles ------------------------------------------------------------------------------------


def tri(N: Any, M: Any = None, k: Any = 0, dtype: Any = None) -> Any:
    """Return a matrix with ones on and below a diagonal; floatX by default.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.tri(3, 4, dtype="int64").type
    int64[3, 4]
    """
    (rows,) = size_list(N, "tri")
    (columns,) = (rows,) if M is None else size_list(M, "tri")
    return cast(_lower(rows, columns, k), dtype or "floatX")


def _lower(rows: Dim, columns: Dim, k: Any) -> Node:
    """Return where a matrix is on or below a diagonal."""
    down = dimshuffle(iota(as_size_node(rows)), (0, -1))
    if not is_number(k) or k != 0:
        down = down + k
    return ge(down, dimshuffle(iota(as_size_node(columns)), (-1, 0)))  # type: ignore[no-any-return]


def tril(m: Any, k: Any = 0) -> Any:
    """Return an array with zeros above a diagonal of its last two axes.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.tril(T.dmatrix("m"), -1).type
    float64[?, ?]
    """
    m = _matrices(m, "tril")
    return where(_lower(*_last_two(m), k), m, zero_for(m))


def triu(m: Any, k: Any = 0) -> Any:
    """Return an array with zeros below a diagonal of its last two axes.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.triu(T.dmatrix("m")).type
    float64[?, ?]
    """
    m = _matrices(m, "triu")
    return where(_lower(*_last_two(m), k - 1), zero_for(m), m)


def _last_two(m: Node) -> tuple[Dim, Dim]:
    rows, columns = sizes(m)[-2:]
    return rows, columns


def _matrices(m: Any, what: str) -> Node:
    node = as_node(m)
    if node.type.ndim < 2:
        raise GraphcTypeError(message(f"{what} needs two axes", [operand(node)], here()))
    return node


# -- coordinates ----------------------------------------------------------------------------------


def linspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
) -> Any:
    """Return evenly spaced numbers.

    Parameters
    ----------
    start, stop : number or expression
        Arrays give an array whose first axis counts the numbers.
    num : int or expression
        How many.
    endpoint : bool
        Whether the last one is ``stop``.
    retstep : bool
        Whether to return the distance too.
    dtype : dtype-like, optional
        By default that of a quotient of the ends.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.linspace(0, 1, 5).eval()
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    (count,) = size_list(num, "linspace")
    low, high = broadcast_together([as_node(start), as_node(stop)])
    working = dtypes.floating(low.type.dtype, high.type.dtype)
    low, high = cast(low, working), cast(high, working)
    gaps = sub(count, 1) if endpoint else count
    step = (high - low) / cast(at_least_one(gaps), working)
    place = iota(as_size_node(count))
    place = dimshuffle(place, [0] + [-1] * low.type.ndim)
    found = low + cast(place, working) * step
    if endpoint:  # which the sum would miss by rounding
        last = eq(place, as_size_node(gaps)) & (as_size_node(count) > 1)
        found = where(last, high, found)
    wanted = working if dtype is None else dtypes.canonical(dtype)
    found = cast(found, wanted)
    return (found, step) if retstep else found


def at_least_one(size: Dim) -> Node:
    """Return a size, or 1 for none."""
    return as_size_node(at_least(size, 1))


def logspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
) -> Any:
    """Return numbers whose logarithms are evenly spaced; see `linspace`.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.logspace(0, 2, 3).eval()
    array([  1.,  10., 100.])
    """
    found = base ** linspace(start, stop, num, endpoint)
    return found if dtype is None else cast(found, dtype)


def meshgrid(*xi: Any, indexing: str = "xy", sparse: bool = False) -> list[Any]:
    """Return for each of several vectors an array of its numbers over the grid of all of them.

    Parameters
    ----------
    *xi : expressions
    indexing : {'xy', 'ij'}
        Whether the second vector or the first one runs along the first axis.
    sparse : bool
        Whether to leave the other axes at size 1.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x, y = T.dvectors("x y")
    >>> [one.type for one in T.meshgrid(x, y, sparse=True)]
    [float64[1, ?], float64[?, 1]]
    """
    if indexing not in ("xy", "ij"):
        raise GraphcValueError(message(f"meshgrid: indexing={indexing!r}", (), here()))
    rank = len(xi)
    order = list(range(rank))
    if indexing == "xy" and rank > 1:
        order[:2] = 1, 0
    found = []
    for axis, one in zip(order, map(as_node, xi), strict=True):
        if one.type.ndim > 1:
            raise GraphcTypeError(message("meshgrid takes vectors", [operand(one)], here()))
        own = 0 if one.type.ndim else -1
        found.append(dimshuffle(one, [-1] * axis + [own] + [-1] * (rank - axis - 1)))
    if sparse or rank < 2:
        return found
    whole: list[Dim] = [1] * rank
    for axis, one in zip(order, found, strict=True):
        whole[axis] = sizes(one)[axis]
    return [expand(one, whole) for one in found]


class Grid:
    """What `mgrid` and `ogrid` are: slices between brackets become coordinates."""

    def __init__(self, sparse: bool) -> None:
        self._sparse = sparse

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, tuple):
            return _run(key)
        return tuple(meshgrid(*map(_run, key), indexing="ij", sparse=self._sparse))

    def __repr__(self) -> str:
        return "ogrid" if self._sparse else "mgrid"


def _run(part: Any) -> Any:
    """Return the numbers of a slice; a step such as ``5j`` says how many."""
    if not isinstance(part, slice) or part.stop is None:
        raise GraphcTypeError(message(f"a grid is made of slices, not {part!r}", (), here()))
    start = 0 if part.start is None else part.start
    step = 1 if part.step is None else part.step
    if isinstance(step, complex):
        return linspace(start, part.stop, int(abs(step)))
    return arange(start, part.stop, step)


mgrid, ogrid = Grid(sparse=False), Grid(sparse=True)


# -- arrays whose elements do not matter ----------------------------------------------------------


def empty(shape: Any, dtype: Any = None) -> Any:
    """Return an array of a shape; its elements, which NumPy leaves open, are zeros.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.empty((2, 3)).type
    float64[2, 3]
    """
    return zeros(shape, dtype)


def empty_like(model: Any, dtype: Any = None) -> Any:
    """Return an array in the shape of another; see `empty`.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.empty_like(T.fmatrix("m")).type
    float32[?, ?]
    """
    return zeros_like(model, dtype)


__all__ = [
    "diag",
    "diagonal",
    "empty",
    "empty_like",
    "identity",
    "linspace",
    "logspace",
    "meshgrid",
    "mgrid",
    "ogrid",
    "tri",
    "tril",
    "triu",
]
