"""Linear algebra under the names of Theano's ``nlinalg``, which are mostly those of NumPy's.

Functions of matrices take stacks of them too: the last two axes are the matrices. A name with
capitals gives the function of the same name, as classes of ops did in Theano.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.errors import GraphcTypeError, GraphcValueError, NotSupportedError, ShapeError, message
from graphc.ir.node import Node, as_node, operand
from graphc.ir.shapes import Dim, product, sizes
from graphc.ir.source import here
from graphc.ops import decompositions as rows
from graphc.ops.elementwise import abs_, cast, neq
from graphc.ops.linalg import swapped
from graphc.ops.movement import reshape
from graphc.tensor import reductions
from graphc.tensor.creation import eye
from graphc.tensor.elementwise import maximum
from graphc.tensor.grids import diag, diagonal
from graphc.tensor.products import dot, matmul, tensordot
from graphc.tensor.reductions import sum as sum_over


def _square(x: Any, what: str) -> Node:
    """Return a node of at least two axes."""
    node = as_node(x)
    if node.type.ndim < 2:
        raise GraphcTypeError(message(f"{what} needs a matrix", [operand(node)], here()))
    return node


# -- inverses and determinants --------------------------------------------------------------------


def matrix_inverse(a: Any) -> Any:
    """Return the inverse of a square matrix. ``solve(a, b)`` is better than ``inv(a) @ b``.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nlinalg.matrix_inverse(T.fmatrix("m")).type
    float32[?, ?]
    """
    return rows.inv(a)


def pinv(a: Any) -> Any:
    """Return the pseudo-inverse of Moore and Penrose.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nlinalg.pinv(T.TensorType("float64", (3, 2))("m")).type
    float64[2, 3]
    """
    return rows.pinv(a)


def det(a: Any) -> Any:
    """Return the determinant of a square matrix.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nlinalg.det(T.dmatrix("m")).type
    float64
    """
    return rows.det(a)


def slogdet(a: Any) -> tuple[Any, Any]:
    """Return the sign of the determinant, and the logarithm of its size, which cannot overflow.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> sign, log_size = T.nlinalg.slogdet(T.dmatrix("m"))
    >>> log_size.type
    float64
    """
    return rows.slogdet(a)


def logabsdet(a: Any) -> Any:
    """Return the logarithm of the size of the determinant.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nlinalg.logabsdet(T.dtensor3("m")).type
    float64[?]
    """
    return rows.slogdet(a)[1]


def trace(a: Any, offset: Any = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the sum along a diagonal.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nlinalg.trace(T.dmatrix("m")).type, T.dmatrix("m").trace().type
    (float64, float64)
    """
    return sum_over(diagonal(_square(a, "trace"), offset, axis1, axis2), axis=-1)


def alloc_diag(diag_values: Any) -> Any:
    """Return the matrix with a vector as its diagonal.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nlinalg.alloc_diag(T.dvector("v")).type
    float64[?, ?]
    """
    return diag(diag_values)


def extract_diag(a: Any) -> Any:
    """Return the diagonal of a matrix.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nlinalg.extract_diag(T.dmatrix("m")).type
    float64[?]
    """
    return diagonal(_square(a, "extract_diag"))


# -- decompositions -------------------------------------------------------------------------------


def qr(a: Any, mode: str = "reduced") -> Any:
    """Return an orthonormal basis of the columns of a matrix, and the triangle ``a = q @ r``.

    Parameters
    ----------
    a : expression
    mode : {'reduced', 'complete', 'r'}
        ``'r'`` gives the triangle only. Old names of ``'reduced'`` are ``'full'`` and
        ``'economic'``.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> q, r = T.nlinalg.qr(T.TensorType("float64", (5, 2))("m"))
    >>> q.type, r.type
    (float64[5, 2], float64[2, 2])
    """
    known = {"full": "reduced", "economic": "reduced", "f": "reduced", "e": "reduced"}
    mode = known.get(mode, mode)
    if mode not in ("reduced", "complete", "r"):
        raise GraphcValueError(message(f"qr: there is no mode {mode!r}", (), here()))
    q, r = rows.qr(a, "reduced" if mode == "r" else mode)
    return r if mode == "r" else (q, r)


def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Return the singular value decomposition ``u, s, vt``, or ``s`` only.

    Gradients by ``u`` and ``vt`` need ``full_matrices=False``, and singular values that differ.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> m = T.TensorType("float64", (5, 2))("m")
    >>> [part.type for part in T.nlinalg.svd(m, full_matrices=False)]
    [float64[5, 2], float64[2], float64[2, 2]]
    >>> T.nlinalg.svd(m, compute_uv=False).type
    float64[2]
    """
    if not compute_uv:
        return rows.svd(a)[1]
    return rows.svd(a, bool(full_matrices))


def eigh(a: Any, UPLO: str = "L") -> tuple[Any, Any]:
    """Return the eigenvalues of a symmetric matrix, ascending, and its eigenvectors as columns.

    Parameters
    ----------
    a : expression
    UPLO : {'L', 'U'}
        The triangle that is read, and that gets the gradient.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> values, vectors = T.nlinalg.eigh(T.dmatrix("m"))
    >>> values.type, vectors.type
    (float64[?], float64[?, ?])
    """
    if UPLO not in ("L", "U"):
        raise GraphcValueError(message(f"eigh: UPLO={UPLO!r} is neither 'L' nor 'U'", (), here()))
    a = _square(a, "eigh")
    return rows.eigh(a if UPLO == "L" else swapped(a))


def eig(a: Any) -> Any:
    """Refuse: eigenvalues of a general matrix are complex numbers, which there are none of."""
    raise NotSupportedError(
        message(
            "eig: eigenvalues of a general matrix are complex",
            [operand(as_node(a))],
            here(),
            "use eigh for symmetric matrices, or svd",
        )
    )


def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Any, Any, Any, Any]:
    """Return the least squares solution of ``a @ x = b``, sums of squared residuals, rank, values.

    The solution is that of the smallest norm. Unlike NumPy's, sums of residuals are always given.

    Parameters
    ----------
    a : matrix
    b : vector or matrix
    rcond : number, optional
        Singular values are 0 for the rank if they are below this times the largest.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x, residuals, rank, values = T.nlinalg.lstsq(T.dmatrix("a"), T.dvector("b"))
    >>> x.type, rank.type
    (float64[?], int64)
    """
    a, b = _square(a, "lstsq"), as_node(b)
    x = dot(pinv(a), b)
    rest = b - dot(a, x)
    values = rows.svd(a)[1]
    larger = maximum(*[cast(as_node(size), "float64") for size in sizes(a)])
    limit = larger * _epsilon(values) if rcond is None else rcond
    rank = sum_over(values > cast(limit, values.type.dtype) * reductions.max(values))
    return x, sum_over(rest * rest, axis=0), cast(rank, "int64"), values


def _epsilon(x: Node) -> float:
    return {"float32": 2.0**-23, "float64": 2.0**-52}[x.type.dtype]


# -- products and powers --------------------------------------------------------------------------


def matrix_dot(*args: Any) -> Any:
    """Return the product of several matrices.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nlinalg.matrix_dot(T.dmatrix("a"), T.dmatrix("b"), T.dvector("v")).type
    float64[?]
    """
    if not args:
        raise GraphcTypeError(message("matrix_dot needs at least one matrix", (), here()))
    found = as_node(args[-1])  # from the right: a vector there makes all of it cheap
    for one in reversed(args[:-1]):
        found = dot(one, found)
    return found


def matrix_power(M: Any, n: int) -> Any:
    """Return a square matrix to an integer power; a negative one is a power of the inverse.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nlinalg.matrix_power(T.dmatrix("m"), 3)
    dot(dot(m, m), m)
    """
    M = _square(M, "matrix_power")
    if not isinstance(n, int):
        raise GraphcTypeError(message(f"matrix_power: {n!r} is not an int", [operand(M)], here()))
    if M.type.shape[-1] is not None and M.type.shape[-2] not in (None, M.type.shape[-1]):
        raise ShapeError(message("matrix_power needs a square matrix", [operand(M)], here()))
    if n < 0:
        return matrix_power(matrix_inverse(M), -n)
    if n == 0:
        return M * 0 + eye(sizes(M)[-1], dtype=M.type.dtype)
    found, square = None, M
    while n:
        if n & 1:
            found = square if found is None else matmul(square, found)
        n >>= 1
        if n:
            square = matmul(square, square)
    return found


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Return a norm of a vector or a matrix, as ``numpy.linalg.norm``.

    Parameters
    ----------
    x : expression
    ord : number, 'fro', 'nuc' or None
        None is the Euclidean norm of all elements. For matrices 2 and -2 are the largest and the
        smallest singular value, 1 and -1 are of columns, infinities of rows.
    axis : int, pair of int or None
        One axis for norms of vectors, two for norms of matrices.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nlinalg.norm(T.dmatrix("m"), "fro").type, T.nlinalg.norm(T.dmatrix("m"), axis=1).type
    (float64, float64[?])
    """
    x = as_node(x)
    axes = tuple(range(x.type.ndim)) if axis is None else axis
    if isinstance(axes, int) or len(axes) == 1 or ord is None:
        return _vector_norm(x, 2 if ord is None else ord, axes, keepdims)
    if len(axes) != 2:
        raise GraphcValueError(
            message(f"norm of order {ord!r} over {len(axes)} axes", [operand(x)], here())
        )
    return _matrix_norm(x, ord, tuple(a + x.type.ndim if a < 0 else a for a in axes), keepdims)


def _vector_norm(x: Node, ord: Any, axes: Any, keepdims: bool) -> Any:
    if isinstance(ord, str):
        raise GraphcValueError(message(f"norm: {ord!r} is of matrices", [operand(x)], here()))
    if ord == 0:
        return sum_over(cast(neq(x, 0), "float64"), axes, keepdims=keepdims)
    return reductions.norm(x, ord, axes, keepdims)


def _matrix_norm(x: Node, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    row, column = axes
    if ord == "fro":
        return reductions.norm(x, 2, axes, keepdims)
    inf = float("inf")
    if ord in (1, -1, inf, -inf):
        summed, kept = (row, column) if abs(ord) == 1 else (column, row)
        sums = sum_over(abs_(x), summed, keepdims=True)
        fold = reductions.max if ord > 0 else reductions.min
        return _kept(fold(sums, kept, keepdims=True), axes, keepdims)
    folds: dict[Any, Any] = {2: reductions.max, -2: reductions.min, "nuc": sum_over}
    if ord not in folds:
        raise GraphcValueError(message(f"norm: no order {ord!r} of matrices", [operand(x)], here()))
    others = [a for a in range(x.type.ndim) if a not in axes]
    values = rows.svd(x.transpose(*others, row, column))[1]
    found = folds[ord](values, axis=-1)
    shape = [1 if a in axes else sizes(x)[a] for a in range(x.type.ndim)]
    return reshape(found, shape) if keepdims else found


def _kept(x: Node, axes: Sequence[int], keepdims: bool) -> Any:
    if keepdims:
        return x
    return x.dimshuffle(*[axis for axis in range(x.type.ndim) if axis not in axes])


# -- tensors --------------------------------------------------------------------------------------


def tensorinv(a: Any, ind: int = 2) -> Any:
    """Return the inverse for `tensordot` over ``ind`` axes.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nlinalg.tensorinv(T.TensorType("float64", (4, 6, 8, 3))("a")).type
    float64[8, 3, 4, 6]
    """
    a = as_node(a)
    if not 0 < ind < a.type.ndim:
        raise GraphcValueError(
            message(f"tensorinv: ind={ind} of {a.type.ndim} axes", [operand(a)], here())
        )
    first, last = sizes(a)[:ind], sizes(a)[ind:]
    return reshape(rows.inv(_flat(a, first, last)), [*last, *first])


def tensorsolve(a: Any, b: Any, axes: Sequence[int] | None = None) -> Any:
    """Return x for which ``tensordot(a, x, x.ndim)`` is b.

    Parameters
    ----------
    a, b : expression
    axes : sequence of int, optional
        Axes of a that are moved to its end first.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> a, b = T.TensorType("float64", (6, 4, 2, 3, 4))("a"), T.dmatrix("b")
    >>> T.nlinalg.tensorsolve(a, b).type
    float64[2, 3, 4]
    """
    a, b = as_node(a), as_node(b)
    if axes is not None:
        a = a.transpose(*[i for i in range(a.type.ndim) if i not in axes], *axes)
    first, last = sizes(a)[: b.type.ndim], sizes(a)[b.type.ndim :]
    column = reshape(b, [product(first), 1])
    return reshape(rows.solve(_flat(a, first, last), column), list(last))


def _flat(a: Node, first: Sequence[Dim], last: Sequence[Dim]) -> Node:
    return reshape(a, [product(first), product(last)])  # type: ignore[no-any-return]


# -- Theano's classes -----------------------------------------------------------------------------


def _class(function: Callable[..., Any]) -> Callable[..., Callable[..., Any]]:
    def make(**options: Any) -> Callable[..., Any]:
        return lambda *args: function(*args, **options)

    make.__doc__ = f"Return `{function.__name__}`, as the class of this name in Theano."
    return make


MatrixInverse = _class(matrix_inverse)
MatrixPinv = _class(pinv)
Det = _class(det)
QRFull = _class(qr)
SVD = _class(svd)
Eigh = _class(eigh)
AllocDiag = _class(alloc_diag)
ExtractDiag = _class(extract_diag)
TensorInv = _class(tensorinv)

__all__ = [
    "SVD",
    "AllocDiag",
    "Det",
    "Eigh",
    "ExtractDiag",
    "MatrixInverse",
    "MatrixPinv",
    "QRFull",
    "TensorInv",
    "alloc_diag",
    "det",
    "diag",
    "eig",
    "eigh",
    "extract_diag",
    "logabsdet",
    "lstsq",
    "matrix_dot",
    "matrix_inverse",
    "matrix_power",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "svd",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
]
