"""Shapes as users handle them: the vector ``x.shape``, and lists of sizes read from anything.

A vector of sizes is ``make_vector`` of scalar nodes, and is read element by element without an
index in the graph: ``x.shape[0]`` is the size itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError, GraphcValueError, message
from graphc.ir import dtypes
from graphc.ir.node import CONST, Node, apply, as_node, const, operand
from graphc.ir.op import Kind
from graphc.ir.shapes import Dim, as_size_node, product, sizes
from graphc.ir.source import here
from graphc.ops.elementwise import cast
from graphc.ops.parts import element, make_vector

MAKE_VECTOR = make_vector.op  # type: ignore[attr-defined]
_DEPTH = 8  # formulas over shapes are read through to this depth, and no graph is walked


def shape(x: Any) -> Node:
    """Return the sizes of x as a vector of int64; ``x.shape[i]`` is the size itself.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.dmatrix("x")
    >>> x.shape[0], len(x.shape), T.shape(T.dscalar()).type
    (x.shape[0], 2, int64[0])
    """
    return vector_of(sizes(as_node(x)))


def size(x: Any) -> Node:
    """Return the number of elements of x.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.dmatrix("x").size
    x.shape[0] * x.shape[1]
    """
    return as_size_node(product(sizes(as_node(x))))


def vector_of(found: Sequence[Dim]) -> Node:
    """Return sizes as a vector."""
    if not found:
        return const(np.zeros(0, dtypes.INDEX))
    return make_vector(*map(as_size_node, found))  # type: ignore[no-any-return]


def elements(vector: Node, depth: int = _DEPTH) -> list[Node]:
    """Return the elements of a vector of known length, as formulas where they can be read off."""
    length = vector.type.shape[0]
    assert length is not None
    if vector.op is MAKE_VECTOR:
        return list(vector.inputs)
    if vector.op is CONST:
        return [const(value, vector.type.dtype) for value in vector.attrs["value"].array.tolist()]
    if depth and vector.op.name == "join":
        return [one for part in vector.inputs for one in elements(part, depth - 1)]
    if depth and vector.op.kind is Kind.ELEMENTWISE and _reads_through(vector):
        columns = [
            elements(child, depth - 1) if child.type.ndim else [child] * length
            for child in vector.inputs
        ]
        columns = [column * length if len(column) < length else column for column in columns]
        return [apply(vector.op, *row, **vector.attrs) for row in zip(*columns, strict=True)]
    return [element(vector, i) for i in range(length)]


def _reads_through(vector: Node) -> bool:
    """Tell whether every operand is a short vector of known length or a scalar."""
    lengths = [child.type.shape[0] for child in vector.inputs if child.type.ndim]
    return all(length is not None and length <= 16 for length in lengths)


def size_list(given: Any, what: str, ndim: int | None = None) -> list[Dim]:
    """Return sizes as users give them: one, several, or a vector of known length.

    Parameters
    ----------
    given : int, expression, or sequence of them
    what : str
        The function that asks, for messages.
    ndim : int, optional
        How many there are, for a vector of unknown length.
    """
    if isinstance(given, Node) and given.type.ndim:
        return [_dim(one, what) for one in _vector(given, what, ndim)]
    listed = isinstance(given, (list, tuple))
    if isinstance(given, Node) or (not listed and np.ndim(given) == 0):
        given = [given]
    found = [_dim(one, what) for one in given]
    if ndim is not None and len(found) != ndim:
        raise GraphcValueError(message(f"{what}: {len(found)} sizes but ndim={ndim}", (), here()))
    return found


def _vector(given: Node, what: str, ndim: int | None) -> list[Node]:
    length = given.type.shape[0]
    if given.type.ndim > 1 or (length is None and ndim is None):
        hint = "give ndim=, or a list of sizes" if given.type.ndim == 1 else "give a vector"
        problem = "of unknown length" if given.type.ndim == 1 else f"of {given.type.ndim} axes"
        raise GraphcTypeError(
            message(f"{what}: the shape is an array {problem}", [operand(given)], here(), hint)
        )
    if length is None:
        return [element(given, i) for i in range(ndim or 0)]
    if ndim is not None and length != ndim:
        raise GraphcValueError(
            message(f"{what}: {length} sizes but ndim={ndim}", [operand(given)], here())
        )
    return elements(given)


def _dim(given: Any, what: str) -> Dim:
    if isinstance(given, Node):
        node = _index(given, what)
        value = known(node)
        return node if value is None else int(value)
    if isinstance(given, (int, np.integer)) and not isinstance(given, (bool, np.bool_)):
        return int(given)
    if isinstance(given, np.ndarray) and given.ndim == 0 and given.dtype.kind in "iu":
        return int(given)
    raise GraphcTypeError(message(f"{what}: a size is an integer, not {given!r}", (), here()))


def known(node: Node, depth: int = _DEPTH) -> Any:
    """Return the value of a short formula over constants, such as a product of known sizes."""
    if node.op is CONST:
        return node.attrs["value"].array
    if not depth or node.op.kind is not Kind.ELEMENTWISE or node.op.reference is None:
        return None
    values = [known(child, depth - 1) for child in node.inputs]
    if any(value is None for value in values):
        return None
    with np.errstate(all="ignore"):
        return node.op.reference(*values, **node.attrs)


def _index(node: Node, what: str) -> Node:
    if node.type.ndim or dtypes.kind(node.type.dtype) not in ("int", "uint"):
        raise GraphcTypeError(
            message(f"{what}: a size is an integer scalar", [operand(node)], here())
        )
    return cast(node, dtypes.INDEX)  # type: ignore[no-any-return]


__all__ = ["shape", "size"]
