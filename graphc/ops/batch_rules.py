"""Batched forms of ops: by kind, and by name where the kind does not say it."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ir.op import Kind, Op
from graphc.ir.shapes import Dim, sizes
from graphc.ops import decompositions
from graphc.ops.batch_calls import ROUTINES
from graphc.ops.batched import Batched, Rule, different_sizes, with_rank
from graphc.ops.elementwise import where
from graphc.ops.linalg import dot, matmul
from graphc.ops.movement import dimshuffle, expand, reshape
from graphc.ops.parts import join
from graphc.ops.reduce import sum as sum_over
from graphc.ops.results import get, pack

# -- by kind --------------------------------------------------------------------------------------


def _elementwise(one: Batched) -> Node:
    rank = one.node.type.ndim
    pairs = zip(one.inputs, one.flags, strict=True)
    return one.again([with_rank(x, batched, rank) for x, batched in pairs])


def _shifted(one: Batched) -> Node:
    """Apply an op with axes to one input, whose axes are counted from the batch axis on."""
    return one.again(one.inputs, axes=tuple(axis + 1 for axis in one.node.attrs["axes"]))


_BY_KIND: dict[Kind, Rule] = {Kind.ELEMENTWISE: _elementwise, Kind.REDUCE: _shifted}


# -- views ----------------------------------------------------------------------------------------


def _same_sizes(one: Batched, first: int) -> None:
    """Raise an error if a size differs within the batch; sizes are the inputs from ``first`` on."""
    if any(one.flags[first:]):
        raise different_sizes(one)


def _dimshuffle(one: Batched) -> Node:
    pattern = [axis if axis < 0 else axis + 1 for axis in one.node.attrs["pattern"]]
    return dimshuffle(one.inputs[0], (0, *pattern))  # type: ignore[no-any-return]


def _expand(one: Batched) -> Node:
    _same_sizes(one, 1)
    x, *shape = one.inputs
    return expand(with_rank(x, True, len(shape)), [one.size, *shape])  # type: ignore[no-any-return]


def _reshape(one: Batched) -> Node:
    _same_sizes(one, 1)
    x, *shape = one.inputs
    return reshape(x, [one.size, *shape])  # type: ignore[no-any-return]


def _slice(one: Batched) -> Node | None:
    axes = one.node.attrs["axes"]
    _same_sizes(one, 1 + len(axes))
    if any(one.flags[1:]):
        return None  # each begins elsewhere
    return _shifted(one)


# -- parts ----------------------------------------------------------------------------------------


def _put(one: Batched) -> Node | None:
    if any(one.flags[2:]):
        return None
    axes = tuple(axis + 1 for axis in one.node.attrs["axes"])
    return one.again([one.whole(0), one.whole(1), *one.inputs[2:]], axes=axes)


def _along(one: Batched) -> Node:
    """Apply an op that goes along an axis, which is counted from the batch axis on."""
    parts = [one.whole(i) for i in range(len(one.inputs))]
    return one.again(parts, axis=one.node.attrs["axis"] + 1)


def _make_vector(one: Batched) -> Node:
    columns = [dimshuffle(one.whole(i), (0, "x")) for i in range(len(one.inputs))]
    return join(1, columns)  # type: ignore[no-any-return]


def _get(one: Batched) -> Node:
    return get(one.inputs[0], one.node.attrs["index"])  # type: ignore[no-any-return]


def _pack(one: Batched) -> Node:
    return pack([one.whole(i) for i in range(len(one.inputs))])  # type: ignore[no-any-return]


def _ifelse(one: Batched) -> Node:
    condition = one.inputs[0]
    if one.flags[0]:  # some elements take one branch, some the other
        return where(with_rank(condition, True, one.node.type.ndim), one.whole(1), one.whole(2))  # type: ignore[no-any-return]
    return one.again([condition, one.whole(1), one.whole(2)])


# -- products -------------------------------------------------------------------------------------


def _dot(one: Batched) -> Node:
    a, b = one.inputs
    if one.flags == (True, False):
        return _rows_times(a, b)
    if one.flags == (False, True):
        return _times_columns(a, b, one.size)
    return _pairwise(a, b)


def _rows_times(a: Node, b: Node) -> Node:
    """Return ``a[i] @ b`` for each ``i``."""
    if a.type.ndim == 2:
        return dot(a, b)  # type: ignore[no-any-return]
    outer = sizes(a)[:-1]
    rows = reshape(a, [-1, sizes(a)[-1]])
    return reshape(dot(rows, b), [*outer, *sizes(b)[1:]])  # type: ignore[no-any-return]


def _times_columns(a: Node, b: Node, size: Dim) -> Node:
    """Return ``a @ b[i]`` for each ``i``."""
    if b.type.ndim == 2:
        return dot(b, a if a.type.ndim == 1 else dimshuffle(a, (1, 0)))  # type: ignore[no-any-return]
    inner, columns = sizes(b)[1:]
    side_by_side = reshape(dimshuffle(b, (1, 0, 2)), [inner, -1])
    product = dot(a, side_by_side)
    if a.type.ndim == 1:
        return reshape(product, [size, columns])  # type: ignore[no-any-return]
    return dimshuffle(reshape(product, [sizes(a)[0], size, columns]), (1, 0, 2))  # type: ignore[no-any-return]


def _pairwise(a: Node, b: Node) -> Node:
    """Return ``a[i] @ b[i]`` for each ``i``."""
    if a.type.ndim == 2 and b.type.ndim == 2:
        return sum_over(a * b, axes=(1,))  # type: ignore[no-any-return]
    if b.type.ndim == 2:
        return sum_over(a * dimshuffle(b, (0, "x", 1)), axes=(2,))  # type: ignore[no-any-return]
    if a.type.ndim == 2:
        return sum_over(dimshuffle(a, (0, 1, "x")) * b, axes=(1,))  # type: ignore[no-any-return]
    return matmul(a, b)  # type: ignore[no-any-return]


def _stacks(one: Batched) -> Node:
    """Put the batch in front of the stacks of matrices that an op works on."""
    return one.again([one.whole(i) for i in range(len(one.inputs))])


RULES: dict[str, Rule] = {
    **ROUTINES,
    "dimshuffle": _dimshuffle,
    "expand": _expand,
    "reshape": _reshape,
    "slice": _slice,
    "put": _put,
    **dict.fromkeys(("join", "sort", "argsort", "cumsum", "cumprod", "recurrence"), _along),
    "make_vector": _make_vector,
    "get": _get,
    "pack": _pack,
    "ifelse": _ifelse,
    "dot": _dot,
    "matmul": _elementwise,  # which broadcasts too
    **dict.fromkeys((row.name for row in decompositions.ROWS), _stacks),
    "softmax": _shifted,
    "log_softmax": _shifted,
    "logsumexp": _shifted,
    "prod_of_others": _shifted,
}
"""Batched forms by the name of the op."""


def rule_of(op: Op) -> Rule | None:
    """Return the batched form of an op, None if it has none."""
    return RULES.get(op.name) or _BY_KIND.get(op.kind)
