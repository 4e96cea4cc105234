"""Products: of matrices, of stacks of them, over chosen axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import GraphcTypeError, GraphcValueError, ShapeError, message
from graphc.ir.node import Node, as_node, operand
from graphc.ir.shapes import product, sizes
from graphc.ir.source import here
from graphc.ops import linalg, reduce
from graphc.ops.family import pad_left
from graphc.ops.movement import dimshuffle, expand, reshape
from graphc.tensor.shaping import flatten


def dot(a: Any, b: Any) -> Any:
    """Return the product over the last axis of a and the last but one of b, as NumPy's dot.

    Vectors give their inner product, matrices their matrix product, and a scalar scales the other.
    Of arrays with more axes every matrix of a meets every one of b; see `matmul`, which pairs them.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> m, v, s, c = T.dmatrix("m"), T.dvector("v"), T.dscalar("s"), T.dtensor3("c")
    >>> T.dot(m, m.T).type, T.dot(m, v).type, v.dot(v).type, T.dot(s, m).type
    (float64[?, ?], float64[?], float64, float64[?, ?])
    >>> T.dot(c, m).type, T.dot(m, c).type
    (float64[?, ?, ?], float64[?, ?, ?])
    """
    a, b = as_node(a), as_node(b)
    if max(a.type.ndim, b.type.ndim) <= 2 or 0 in (a.type.ndim, b.type.ndim):
        return linalg.dot(a, b)
    meets = max(b.type.ndim - 2, 0)
    return _contracted(a, b, [a.type.ndim - 1], [meets])


def matmul(a: Any, b: Any) -> Any:
    """Return ``a @ b``: the product of two matrices, or of each two of stacks that broadcast.

    A vector is a row on the left, a column on the right. Not defined for scalars.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> (T.dmatrix("m") @ T.dvector("v")).type
    float64[?]
    >>> (T.dtensor4("a") @ T.dtensor3("b")).type
    float64[?, ?, ?, ?]
    """
    a, b = as_node(a), as_node(b)
    if not a.type.ndim or not b.type.ndim:
        raise GraphcTypeError(
            message("matmul of a scalar", [operand(a), operand(b)], here(), "use * instead of @")
        )
    if b.type.ndim <= 2:
        return dot(a, b)  # the matrices on the left are the rows of one
    if a.type.ndim == 1:
        rows = linalg.matmul(dimshuffle(a, ("x", 0)), b)
        return dimshuffle(rows, (*range(rows.type.ndim - 2), rows.type.ndim - 1))
    return linalg.matmul(a, b)


def outer(x: Any, y: Any) -> Any:
    """Return the matrix of the products of each element of x with each of y.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.outer(T.dvector("x"), T.dvector("y")).type
    float64[?, ?]
    """
    return linalg.outer(flatten(x), flatten(y))


def inner(x: Any, y: Any) -> Any:
    """Return the products of x and y over the last axis of both; a scalar scales the other.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.inner(T.dmatrix("x"), T.dvector("y")).type
    float64[?]
    """
    x, y = as_node(x), as_node(y)
    if not x.type.ndim or not y.type.ndim:
        return x * y
    return tensordot(x, y, [[x.type.ndim - 1], [y.type.ndim - 1]])


def vdot(x: Any, y: Any) -> Any:
    """Return the inner product of all elements of x with those of y.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.vdot(T.dmatrix("x"), T.dmatrix("y")).type
    float64
    """
    return linalg.dot(flatten(x), flatten(y))


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Return the sum of products of a and b over pairs of axes.

    Parameters
    ----------
    a, b : expression
    axes : int, or pair of an axis or list of axes of each
        An int means that many of the last axes of a, and as many of the first of b.

    Raises
    ------
    GraphcValueError
        If the axes do not pair up.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> a, b = T.dtensor3("a"), T.dtensor3("b")
    >>> T.tensordot(a, b).type, T.tensordot(a, b, [[0, 1], [1, 0]]).type
    (float64[?, ?], float64[?, ?])
    """
    a, b = as_node(a), as_node(b)
    left, right = _pairs_of_axes(axes, a, b, "tensordot")
    if not left:
        shape = (*sizes(a), *sizes(b))
        return reshape(linalg.outer(flatten(a), flatten(b)), shape)
    return _contracted(a, b, left, right)


def _pairs_of_axes(axes: Any, a: Node, b: Node, what: str) -> tuple[list[int], list[int]]:
    """Return the axes of each operand that meet, counted from 0."""
    if isinstance(axes, int):
        count = axes
        left = list(range(a.type.ndim - count, a.type.ndim))
        right = list(range(count))
    else:
        left, right = ([one] if isinstance(one, int) else list(one) for one in axes)
    found = []
    for node, given in ((a, left), (b, right)):
        rank = node.type.ndim
        counted = [axis + rank if axis < 0 else axis for axis in given]
        if len(set(counted)) != len(counted) or not all(0 <= axis < rank for axis in counted):
            raise GraphcValueError(
                message(f"{what}: axes {given} of {rank}", [operand(a), operand(b)], here())
            )
        found.append(counted)
    if len(found[0]) != len(found[1]):
        raise GraphcValueError(
            message(f"{what}: {left} and {right} are not pairs", [operand(a), operand(b)], here())
        )
    for one, other in zip(*found, strict=True):
        _check_pair(a, b, one, other, what)
    return found[0], found[1]


def _check_pair(a: Node, b: Node, one: int, other: int, what: str) -> None:
    size, meets = a.type.shape[one], b.type.shape[other]
    if size is not None and meets is not None and size != meets:
        raise ShapeError(
            message(f"{what}: sizes {size} and {meets} differ", [operand(a), operand(b)], here())
        )


def _contracted(a: Node, b: Node, left: Sequence[int], right: Sequence[int]) -> Any:
    """Return the sum of products over pairs of axes, as one product of matrices."""
    rows = [axis for axis in range(a.type.ndim) if axis not in left]
    columns = [axis for axis in range(b.type.ndim) if axis not in right]
    a, b = _matched(a, b, left, right)
    found = linalg.dot(_merged(a, rows, left), _merged(b, right, columns))
    shape = [sizes(a)[axis] for axis in rows] + [sizes(b)[axis] for axis in columns]
    return found if found.type.ndim == len(shape) else reshape(found, shape)


def _merged(x: Node, *groups: Sequence[int]) -> Node:
    """Return x with one axis for each group of its axes; a group of none has no axis."""
    moved = dimshuffle(x, [axis for group in groups for axis in group])
    if all(len(group) <= 1 for group in groups):
        return moved  # type: ignore[no-any-return]
    shape = [product(sizes(x)[axis] for axis in group) for group in groups if group]
    return reshape(moved, shape)  # type: ignore[no-any-return]


def _matched(a: Node, b: Node, left: Sequence[int], right: Sequence[int]) -> tuple[Node, Node]:
    """Return operands whose paired axes are known to be of one size, or checked when it runs.

    Merged axes could otherwise agree in their product alone, and an axis of size 1 be repeated.
    """
    of_a, of_b = list(sizes(a)), list(sizes(b))
    for one, other in zip(left, right, strict=True):
        if of_a[one] is of_b[other] or of_a[one] == of_b[other]:
            continue
        if isinstance(of_b[other], int):
            of_a[one] = of_b[other]
        else:
            of_b[other] = of_a[one]
    return expand(a, of_a), expand(b, of_b)


# -- batches --------------------------------------------------------------------------------------


def batched_dot(a: Any, b: Any) -> Any:
    """Return the product of each ``a[i]`` with ``b[i]``: vectors or matrices, as for `dot`.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.batched_dot(T.dtensor3("a"), T.dmatrix("b")).type
    float64[?, ?]
    """
    a, b = as_node(a), as_node(b)
    if not a.type.ndim or not b.type.ndim:
        raise GraphcTypeError(
            message("batched_dot needs batches, not scalars", [operand(a), operand(b)], here())
        )
    if a.type.ndim == 1:  # a scalar for each
        return dimshuffle(a, (0, *["x"] * (b.type.ndim - 1))) * b
    if b.type.ndim == 1:
        return a * dimshuffle(b, (0, *["x"] * (a.type.ndim - 1)))
    return batched_tensordot(a, b, [[a.type.ndim - 1], [max(1, b.type.ndim - 2)]])


def batched_tensordot(x: Any, y: Any, axes: Any = 2) -> Any:
    """Return the `tensordot` of each ``x[i]`` with ``y[i]``; axes are counted with the batch.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.batched_tensordot(T.dtensor3("x"), T.dtensor3("y"), axes=[[2], [1]]).type
    float64[?, ?, ?]
    """
    x, y = as_node(x), as_node(y)
    if isinstance(axes, int):
        axes = [range(x.type.ndim - axes, x.type.ndim), range(1, axes + 1)]
    left, right = _pairs_of_axes(axes, x, y, "batched_tensordot")
    if 0 in left or 0 in right:
        raise GraphcValueError(
            message("batched_tensordot: axis 0 is the batch", [operand(x), operand(y)], here())
        )
    return paired(x, y, [0], [0], left, right)


def paired(
    x: Node,
    y: Node,
    batch_x: Sequence[int],
    batch_y: Sequence[int],
    left: Sequence[int],
    right: Sequence[int],
) -> Any:
    """Return products over ``left`` and ``right``, for each place along the axes of a batch.

    The result has the axes of the batch, those left of x, and those left of y.
    """
    rows = [axis for axis in range(x.type.ndim) if axis not in (*batch_x, *left)]
    columns = [axis for axis in range(y.type.ndim) if axis not in (*batch_y, *right)]
    x, y = _matched(x, y, [*batch_x, *left], [*batch_y, *right])
    shape = [sizes(x)[axis] for axis in (*batch_x, *rows)] + [sizes(y)[a] for a in columns]
    if not batch_x and left:
        return _contracted(x, y, left, right)
    if not (rows and columns and left):  # no matrices: products and their sum are one pass
        return _sum_of_products(x, y, (batch_x, rows, left), (batch_y, columns, right))
    found = linalg.matmul(_merged(x, batch_x, rows, left), _merged(y, batch_y, right, columns))
    return found if len(shape) == 3 else reshape(found, shape)


def _sum_of_products(x: Node, y: Node, of_x: Sequence[Any], of_y: Sequence[Any]) -> Any:
    (batch_x, rows, left), (batch_y, columns, right) = of_x, of_y
    first = dimshuffle(x, (*batch_x, *rows, *["x"] * len(columns), *left))
    second = dimshuffle(y, (*batch_y, *["x"] * len(rows), *columns, *right))
    kept = len(batch_x) + len(rows) + len(columns)
    return folded(first * second, range(kept, kept + len(left)))


def folded(x: Node, axes: Sequence[int]) -> Any:
    """Return the sum over axes in the dtype of x, as products of matrices are summed."""
    return reduce.sum(x, axes=tuple(axes)) if axes else x


def kron(a: Any, b: Any) -> Any:
    """Return the Kronecker product: a block ``a[i, j] * b`` for each element of a.

    Operands of different rank get new axes in front.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.kron(T.dmatrix("a"), T.dmatrix("b")).type
    float64[?, ?]
    """
    a, b = as_node(a), as_node(b)
    rank = max(a.type.ndim, b.type.ndim)
    if not rank or not a.type.ndim or not b.type.ndim:
        return a * b
    a, b = (pad_left(x, rank - x.type.ndim) for x in (a, b))
    blocks = dimshuffle(a, [p for axis in range(rank) for p in (axis, "x")]) * dimshuffle(
        b, [p for axis in range(rank) for p in ("x", axis)]
    )
    pairs = zip(sizes(a), sizes(b), strict=True)
    return reshape(blocks, [product(pair) for pair in pairs])


__all__ = [
    "batched_dot",
    "batched_tensordot",
    "dot",
    "inner",
    "kron",
    "matmul",
    "outer",
    "tensordot",
    "vdot",
]
