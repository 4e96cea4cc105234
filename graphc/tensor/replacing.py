"""Arrays with a part replaced or added to: the inverse of every index.

What an index made is a chain of views and reads from the array up to the part. A new part is taken
down the same chain: a view's inverse is a view, that of a slice is a `put` into what was sliced,
that of a `gather` a `scatter`.
"""

from __future__ import annotations

from typing import Any

from graphc.errors import DTypeError, GraphcTypeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, operand
from graphc.ir.shapes import sizes
from graphc.ir.source import here
from graphc.ops.elementwise import cast, where
from graphc.ops.family import is_number
from graphc.ops.index import scatter, scatter_add
from graphc.ops.movement import dimshuffle, expand, reshape
from graphc.ops.parts import put
from graphc.tensor.indexing import along_axis, getitem
from graphc.tensor.shaping import shape_padleft


def set_subtensor(
    x: Any, y: Any, inplace: bool = False, tolerate_inplace_aliasing: bool = False
) -> Node:
    """Return a copy of an array with a part replaced: ``set_subtensor(a[2:4], 0)``.

    Where an index names a place several times, the last value stays.

    Parameters
    ----------
    x : expression
        The part, written as an index of the array.
    y : expression or number
        What stands there; broadcast to the part.
    inplace, tolerate_inplace_aliasing : bool
        Theano's; have no effect. The memory plan overwrites where nothing else reads.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> a = T.dmatrix("a")
    >>> T.set_subtensor(a[0], 0).type, T.set_subtensor(a[a < 0], 0).type
    (float64[?, ?], float64[?, ?])
    """
    return _replaced(x, y, "set_subtensor", False)


def inc_subtensor(
    x: Any,
    y: Any,
    inplace: bool = False,
    set_instead_of_inc: bool = False,
    tolerate_inplace_aliasing: bool = False,
) -> Node:
    """Return a copy of an array with something added to a part: ``inc_subtensor(a[0], y)``.

    Where an index names a place several times, all values are added.

    Parameters
    ----------
    x, y, inplace, tolerate_inplace_aliasing
        As for `set_subtensor`.
    set_instead_of_inc : bool
        Replace instead of adding.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> a, i = T.dvector("a"), T.lvector("i")
    >>> T.inc_subtensor(a[1:], 1).type, T.inc_subtensor(a[i], 1).type
    (float64[?], float64[?])
    """
    return _replaced(x, y, "inc_subtensor", not set_instead_of_inc)


def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> Any:
    """Return a copy of an array with values at places of their own for each line along an axis.

    NumPy's changes its argument; this one cannot.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> m, i = T.dmatrix("m"), T.lmatrix("i")
    >>> T.put_along_axis(m, i, 0.0, axis=1).type
    float64[?, ?]
    """
    x, place = along_axis(arr, indices, axis, "put_along_axis")
    found = set_subtensor(getitem(x, place), values)
    return found if axis is not None else reshape(found, sizes(as_node(arr)))


# -- down the chain -------------------------------------------------------------------------------


def _replaced(part: Any, y: Any, what: str, adds: bool) -> Node:
    chain, base = _chain(part, what)
    value = _fitting(part, y, what)
    full = False  # whether the value has the sizes of the part, not only ones that broadcast
    for node in chain:
        value, full = _STEPS[node.op.name](node, value, full, adds)
        adds = adds and node.op.name in _VIEWS
    return expand(value, sizes(base)) if not full else value


def _chain(part: Any, what: str) -> tuple[list[Node], Node]:
    """Return the views and reads that a part is made by, the last one first, and of which array."""
    node = part
    base: Node | None = None
    if isinstance(node, Node) and node.op.name == "part_of":
        node, base = node.inputs
    chain: list[Node] = []
    while isinstance(node, Node) and node is not base and node.op.name in _STEPS:
        chain.append(node)
        if base is None and node.op.name in ("slice", "gather"):
            return chain, node.inputs[0]
        if base is None and node.op.name != "dimshuffle":
            break
        node = node.inputs[0]
    if base is None or node is not base:
        raise GraphcTypeError(
            message(
                f"{what}: the first operand is not part of an array",
                [operand(part)] if isinstance(part, Node) else [],
                here(),
                f"write {what}(a[index], y); for the whole array, T.fill(a, y) or a + y",
            )
        )
    return chain, base


_VIEWS = ("dimshuffle", "expand", "reshape")


def _whole(node: Node, value: Node, full: bool) -> Node:
    return value if full else expand(value, sizes(node))


def _into_dimshuffle(node: Node, value: Node, full: bool, adds: bool) -> tuple[Node, bool]:
    pattern, rank = node.attrs["pattern"], node.inputs[0].type.ndim
    back = [pattern.index(i) if i in pattern else -1 for i in range(rank)]
    new = [i for i, axis in enumerate(pattern) if axis < 0]
    if any(value.type.shape[i] != 1 for i in new):
        value = _whole(node, value, full)
    return dimshuffle(value, back), full


def _into_expand(node: Node, value: Node, full: bool, adds: bool) -> tuple[Node, bool]:
    return _whole(node, value, full), True  # it says what the sizes are, and repeats nothing


def _into_reshape(node: Node, value: Node, full: bool, adds: bool) -> tuple[Node, bool]:
    return reshape(_whole(node, value, full), sizes(node.inputs[0])), True


def _into_slice(node: Node, value: Node, full: bool, adds: bool) -> tuple[Node, bool]:
    axes = node.attrs["axes"]
    value = node + value if adds else _whole(node, value, full)
    starts = node.inputs[1 : 1 + len(axes)]
    return put(node.inputs[0], value, axes, starts, node.attrs["steps"]), True


def _into_gather(node: Node, value: Node, full: bool, adds: bool) -> tuple[Node, bool]:
    x, *indices = node.inputs
    axis = node.attrs["axis"]
    by_condition = len(indices) == 1 and indices[0].op.name == "flatnonzero"
    if by_condition and value.type.shape[axis] == 1 and not full:
        condition = indices[0].inputs[0]
        pattern = [0 if i == axis else -1 for i in range(x.type.ndim)]
        chosen = dimshuffle(_as_bool(condition), pattern)
        return where(chosen, x + value if adds else value, x), True
    write = scatter_add if adds else scatter
    return write(x, _whole(node, value, full), indices, axis), True


def _as_bool(node: Node) -> Node:
    return node if node.type.dtype == dtypes.BOOL else cast(node, dtypes.BOOL)


_STEPS = {
    "dimshuffle": _into_dimshuffle,
    "expand": _into_expand,
    "reshape": _into_reshape,
    "slice": _into_slice,
    "gather": _into_gather,
}


def _fitting(x: Node, y: Any, what: str) -> Node:
    """Return what is put into a part, in the part's dtype and rank."""
    strong = [x.type.dtype] if is_number(y) else [x.type.dtype, as_node(y).type.dtype]
    found = dtypes.result_with_number(y, strong) if is_number(y) else dtypes.promote(*strong)
    if found != x.type.dtype:
        raise DTypeError(
            message(
                f"{what}: {found} does not fit an array of {x.type.dtype}",
                [operand(x)] if is_number(y) else [operand(x), operand(as_node(y))],
                here(),
                f"T.cast it to {x.type.dtype}, or the array to {found}",
            )
        )
    value = cast(as_node(y), x.type.dtype)
    rank = x.type.ndim
    if value.type.ndim > rank:
        raise GraphcTypeError(
            message(
                f"{what}: {value.type.ndim} axes do not fit a part of {rank}",
                [operand(x), operand(value)],
                here(),
            )
        )
    return shape_padleft(value, rank - value.type.ndim)  # type: ignore[no-any-return]


__all__ = ["inc_subtensor", "put_along_axis", "set_subtensor"]
