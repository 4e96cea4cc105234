"""Products of scalars, vectors and matrices."""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcTypeError, NotSupportedError, message
from graphc.ir.node import Node, as_node, operand
from graphc.ir.source import here
from graphc.ops import linalg
from graphc.tensor.shaping import flatten


def dot(a: Any, b: Any) -> Any:
    """Return the product of two scalars, vectors or matrices.

    Vectors give their inner product, matrices their matrix product, and a scalar scales the other.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> m, v, s = T.dmatrix("m"), T.dvector("v"), T.dscalar("s")
    >>> T.dot(m, m.T).type, T.dot(m, v).type, v.dot(v).type, T.dot(s, m).type
    (float64[?, ?], float64[?], float64, float64[?, ?])
    """
    return linalg.dot(*_pair(a, b, "dot"))


def matmul(a: Any, b: Any) -> Any:
    """Return ``a @ b``: as `dot` for vectors and matrices; not defined for scalars.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> (T.dmatrix("m") @ T.dvector("v")).type
    float64[?]
    """
    a, b = _pair(a, b, "matmul")
    if not a.type.ndim or not b.type.ndim:
        raise GraphcTypeError(
            message("matmul of a scalar", [operand(a), operand(b)], here(), "use * instead of @")
        )
    return linalg.dot(a, b)


def _pair(a: Any, b: Any, what: str) -> tuple[Node, Node]:
    a, b = as_node(a), as_node(b)
    if max(a.type.ndim, b.type.ndim) > 2:
        raise NotSupportedError(
            message(
                f"{what} of arrays with {a.type.ndim} and {b.type.ndim} axes",
                [operand(a), operand(b)],
                here(),
                "reshape to matrices first",
            )
        )
    return a, b


def outer(x: Any, y: Any) -> Any:
    """Return the matrix of the products of each element of x with each of y.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.outer(T.dvector("x"), T.dvector("y")).type
    float64[?, ?]
    """
    return linalg.outer(flatten(x), flatten(y))


__all__ = ["dot", "matmul", "outer"]
