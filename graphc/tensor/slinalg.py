"""Linear algebra under the names of Theano's ``slinalg``, which are mostly those of SciPy's.

Functions of matrices take stacks of them too: the last two axes are the matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.errors import GraphcTypeError, GraphcValueError, message
from graphc.ir.node import Node, as_node, operand
from graphc.ir.shapes import sizes
from graphc.ir.source import here
from graphc.ops import decompositions as rows
from graphc.ops.elementwise import where
from graphc.ops.family import same_rank
from graphc.ops.linalg import swapped
from graphc.ops.movement import dimshuffle, expand
from graphc.tensor.products import kron

_STRUCTURES = {
    "general": "general",
    "gen": "general",
    "symmetric": "general",
    "sym": "general",
    "her": "general",
    "positive_definite": "general",
    "pos": "general",
    "lower_triangular": "lower",
    "upper_triangular": "upper",
}


def solve(
    a: Any,
    b: Any,
    lower: bool = False,
    A_structure: str | None = None,
    assume_a: str | None = None,
) -> Any:
    """Return the x for which ``a @ x`` is b.

    Parameters
    ----------
    a : square matrix, or stack
    b : vector, matrix, or stack
    lower : bool
        With ``A_structure='triangular'``, which triangle.
    A_structure, assume_a : str, optional
        What is known of a: 'general', 'symmetric', 'positive_definite', 'lower_triangular',
        'upper_triangular', or SciPy's short names. Of triangular matrices one triangle is read.

    Raises
    ------
    ShapeError
        If a is not square, or b does not fit it.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.slinalg.solve(T.dmatrix("a"), T.dvector("b")).type
    float64[?]
    """
    name = A_structure or assume_a or "general"
    if name == "triangular":
        name = "lower_triangular" if lower else "upper_triangular"
    if name not in _STRUCTURES:
        known = ", ".join(map(repr, _STRUCTURES))
        raise GraphcValueError(message(f"solve: {name!r} is none of {known}", (), here()))
    return _solved(a, b, _STRUCTURES[name])


def solve_triangular(
    a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False
) -> Any:
    """Return the x for which ``a @ x`` is b, of a triangular matrix.

    Parameters
    ----------
    a, b
        As for `solve`.
    trans : {0, 1, 'N', 'T'}
        1 or 'T' takes the transposed matrix.
    lower : bool
        Which triangle of a is read.
    unit_diagonal : bool
        The diagonal is not read, but taken as ones.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.slinalg.solve_triangular(T.dmatrix("a"), T.dmatrix("b"), lower=True).type
    float64[?, ?]
    """
    if trans not in (0, 1, "N", "T"):
        raise GraphcValueError(message(f"solve_triangular: trans={trans!r}", (), here()))
    a = _matrix(a, "solve_triangular")
    if unit_diagonal:
        a = where(rows.on_diagonal(a), 1, a)
    if trans in (1, "T"):
        a, lower = swapped(a), not lower
    return _solved(a, b, "lower" if lower else "upper")


def solve_lower_triangular(a: Any, b: Any) -> Any:
    """Return the x for which ``a @ x`` is b; the upper triangle of a is not read.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.slinalg.solve_lower_triangular(T.dmatrix("a"), T.dvector("b")).type
    float64[?]
    """
    return _solved(a, b, "lower")


def solve_upper_triangular(a: Any, b: Any) -> Any:
    """Return the x for which ``a @ x`` is b; the lower triangle of a is not read.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.slinalg.solve_upper_triangular(T.dmatrix("a"), T.dvector("b")).type
    float64[?]
    """
    return _solved(a, b, "upper")


def _matrix(x: Any, what: str) -> Node:
    node = as_node(x)
    if node.type.ndim < 2:
        raise GraphcTypeError(message(f"{what} needs a matrix", [operand(node)], here()))
    return node


def _solved(a: Any, b: Any, structure: str) -> Any:
    a, b = _matrix(a, "solve"), as_node(b)
    vector = b.type.ndim == 1
    if not b.type.ndim:
        raise GraphcTypeError(
            message("solve needs a vector or a matrix", [operand(a), operand(b)], here())
        )
    if vector:
        b = dimshuffle(b, (0, "x"))
    found = rows.solve(*_same_stacks(a, b), structure)
    return dimshuffle(found, range(found.type.ndim - 1)) if vector else found


def _same_stacks(a: Node, b: Node) -> tuple[Node, Node]:
    """Return operands with equal axes before the matrices: axes of size 1 are repeated."""
    a, b = same_rank([a, b])
    of_a, of_b = list(sizes(a)), list(sizes(b))
    for axis in range(a.type.ndim - 2):
        if a.type.shape[axis] == 1:
            of_a[axis] = of_b[axis]
        elif b.type.shape[axis] == 1:
            of_b[axis] = of_a[axis]
    return expand(a, of_a), expand(b, of_b)


def cholesky(a: Any, lower: bool = True, on_error: str = "raise") -> Any:
    """Return the triangular root of a positive definite matrix.

    Parameters
    ----------
    a : expression
    lower : bool
        True gives ``l`` with ``l @ l.T == a``, False ``u`` with ``u.T @ u == a``. This triangle of
        a is read, and gets the gradient.
    on_error : {'raise', 'nan'}
        What to do about a matrix that is not positive definite: an error, or NaN.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.slinalg.cholesky(T.dmatrix("m")).type
    float64[?, ?]
    """
    if on_error not in ("raise", "nan"):
        raise GraphcValueError(
            message(f"cholesky: on_error={on_error!r} is neither 'raise' nor 'nan'", (), here())
        )
    a = _matrix(a, "cholesky")
    return rows.cholesky(a, on_error) if lower else swapped(rows.cholesky(swapped(a), on_error))


def eigvalsh(a: Any, b: Any = None, lower: bool = True) -> Any:
    """Return the eigenvalues of a symmetric matrix, in ascending order.

    Parameters
    ----------
    a : expression
    b : expression, optional
        Positive definite: then ``a @ v == w * b @ v`` is solved.
    lower : bool
        Which triangles are read.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.slinalg.eigvalsh(T.dmatrix("a"), T.dmatrix("b")).type
    float64[?]
    """
    a = _matrix(a, "eigvalsh") if lower else swapped(_matrix(a, "eigvalsh"))
    if b is None:
        return rows.eigh(a)[0]
    root = cholesky(b, lower)
    root = root if lower else swapped(root)
    below = rows.lower_part(a, strict=True)
    whole = rows.lower_part(a) + swapped(below)
    half = rows.solve(*_same_stacks(root, whole), "lower")
    return rows.eigh(rows.solve(*_same_stacks(root, swapped(half)), "lower"))[0]


def expm(a: Any) -> Any:
    """Return the exponential of a square matrix.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.slinalg.expm(T.dmatrix("m")).type
    float64[?, ?]
    """
    return rows.expm(a)


# -- Theano's classes -----------------------------------------------------------------------------


def Cholesky(lower: bool = True, on_error: str = "raise", **ignored: Any) -> Callable[..., Any]:
    """Return `cholesky` with its options, as the class of this name in Theano."""
    return lambda a: cholesky(a, lower, on_error)


def Solve(A_structure: str = "general", lower: bool = False, **ignored: Any) -> Callable[..., Any]:
    """Return `solve` with its options, as the class of this name in Theano."""
    return lambda a, b: solve(a, b, lower, A_structure)


def Eigvalsh(lower: bool = True) -> Callable[..., Any]:
    """Return `eigvalsh` with its options, as the class of this name in Theano."""
    return lambda a, b=None: eigvalsh(a, b, lower)


def Expm() -> Callable[..., Any]:
    """Return `expm`, as the class of this name in Theano."""
    return expm


def Kron() -> Callable[..., Any]:
    """Return `kron`, as the class of this name in Theano."""
    return kron


__all__ = [
    "Cholesky",
    "Eigvalsh",
    "Expm",
    "Kron",
    "Solve",
    "cholesky",
    "eigvalsh",
    "expm",
    "kron",
    "solve",
    "solve_lower_triangular",
    "solve_triangular",
    "solve_upper_triangular",
]
