"""Whole batches at once: an expression with a new leading axis pushed through each of its nodes.

`vectorize` turns ``f(x)`` into ``f`` of every ``x[i]``, without a loop: elementwise ops broadcast,
reductions and views count their axes from one further on, products become larger products. The
Jacobian is the reverse pass vectorised over its seeds.

A node either has the batch axis in front or is the same for the whole batch; what is the same is
computed once. Sizes are always the same: a batch of arrays of different sizes is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.errors import GraphcTypeError, GraphcValueError, NotSupportedError, message
from graphc.ir.node import DIM, Node, is_tuple, make, operand, rebuild
from graphc.ir.op import Kind
from graphc.ir.shapes import Dim, as_size_node, sizes
from graphc.ir.source import here
from graphc.ir.types import LANGUAGE, Attrs
from graphc.ir.walk import toposort
from graphc.ops.elementwise import where
from graphc.ops.linalg import dot, matmul
from graphc.ops.movement import dimshuffle, expand, reshape
from graphc.ops.parts import join, slice_axes
from graphc.ops.reduce import sum as sum_over
from graphc.ops.results import get, pack, results


@dataclass(frozen=True, slots=True)
class Batched:
    """The inputs of a node inside a batch.

    Attributes
    ----------
    node : Node
        As it was written.
    inputs : tuple of Node
        New ones: those of ``flags`` have the batch axis in front.
    flags : tuple of bool
    size : int or Node
        Of the batch.
    """

    node: Node
    inputs: tuple[Node, ...]
    flags: tuple[bool, ...]
    size: Dim

    def again(self, inputs: Sequence[Node], **changed: Any) -> Node:
        """Return the same op over other inputs, with some attributes changed."""
        attrs = Attrs({**self.node.attrs, **changed}) if changed else self.node.attrs
        op = self.node.op
        return make(op, tuple(inputs), attrs, op.infer(tuple(inputs), attrs), self.node.where)

    def whole(self, i: int) -> Node:
        """Return input ``i`` with the batch axis, repeated over it if it is the same for all."""
        return self.inputs[i] if self.flags[i] else repeated(self.inputs[i], self.size)


Rule = Callable[[Batched], Node]


def repeated(x: Node, size: Dim) -> Node:
    """Return a batch of equal values."""
    front = dimshuffle(x, ("x", *range(x.type.ndim)))
    return expand(front, [size, *sizes(x)])  # type: ignore[no-any-return]


def vectorize(outputs: Sequence[Node], replace: Mapping[Node, Node]) -> list[Node]:
    """Return expressions over batches of some of what they are made of.

    Parameters
    ----------
    outputs : sequence of Node
    replace : mapping of Node to Node
        For each node its batch: the same dtype, and one more axis in front. All batches are of one
        size.

    Returns
    -------
    list of Node
        Each output with the batch axis in front.

    Raises
    ------
    NotSupportedError
        If an op of the batch has no batched form and the size of the batch is not known, or if the
        sizes of arrays would differ within the batch.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x, y, xs = T.dvector("x"), T.dvector("y"), T.dmatrix("xs")
    >>> vectorize([T.sum(x * y)], {x: xs})
    [sum(xs * y[None, :], axis=1)]
    """
    for node, batch in replace.items():
        _check_batch(node, batch)
    if not replace:
        raise GraphcValueError(message("vectorize needs something to replace", (), here()))
    size = sizes(next(iter(replace.values())))[0]
    walk = Walk(replace, size)
    for node in toposort(outputs, stop=replace):
        walk.visit(node)
    return [
        walk.done[node] if node in walk.batched else repeated(walk.done[node], size)
        for node in outputs
    ]


def _check_batch(node: Node, batch: Node) -> None:
    if batch.type.ndim == node.type.ndim + 1 and batch.type.dtype == node.type.dtype:
        return
    raise GraphcTypeError(
        message(
            f"a batch of {_label(node)} has its dtype and one more axis in front",
            [operand(node), operand(batch)],
            here(),
        )
    )


class Walk:
    """Nodes with their batches, filled in from the inputs up."""

    def __init__(self, replace: Mapping[Node, Node], size: Dim) -> None:
        self.size = size
        self.done: dict[Node, Node] = dict(replace)
        self.parts: dict[Node, list[Node]] = {}  # of ops with several results, done one by one
        self.batched: set[Node] = set(replace)

    def visit(self, node: Node) -> None:
        """Find the batch of a node whose inputs are done."""
        if node in self.done:
            return
        flags = tuple(child in self.batched for child in node.inputs)
        if node.op is DIM and flags[0]:
            own = sizes(self.done[node.inputs[0]])[node.attrs["axis"] + 1]
            self.done[node] = as_size_node(own)
            return
        if node.op.kind is Kind.PROJECT and node.inputs[0] in self.parts:
            self.done[node] = self.parts[node.inputs[0]][node.attrs["index"]]
            self.batched.add(node)
            return
        inputs = tuple(self.done[child] for child in node.inputs)
        if node.op.name == "fill":
            self._fill(node, inputs, flags)
        elif any(flags):
            self._push(Batched(node, inputs, flags, self.size))
        else:
            self.done[node] = rebuild(node, inputs)

    def _fill(self, node: Node, inputs: tuple[Node, ...], flags: tuple[bool, ...]) -> None:
        """Of what is filled only the sizes count, and they are the same for the whole batch."""
        like, value = inputs
        shape = sizes(like)[1:] if flags[0] else sizes(like)
        if flags[1]:
            value = with_rank(value, True, len(shape))
            self.batched.add(node)
            shape = (self.size, *shape)
        self.done[node] = expand(value, shape)

    def _push(self, one: Batched) -> None:
        node = one.node
        rule = RULES.get(node.op.name) or _BY_KIND.get(node.op.kind)
        if rule is None and node.op.expand is not None:
            self._expanded(one)
            return
        found = None if rule is None else rule(one)
        if found is None and is_tuple(node):
            self.parts[node] = _one_by_one(one)
        else:
            self.done[node] = _one_by_one(one)[0] if found is None else found
        self.batched.add(node)

    def _expanded(self, one: Batched) -> None:
        """Take a composite apart, and its parts one after the other. Recurses over expansions."""
        node = one.node
        assert node.op.expand is not None
        made = node.op.expand(*node.inputs, **node.attrs)
        for below in toposort([made], stop=self.done):
            self.visit(below)
        self.done[node] = self.done[made]
        if made in self.batched:
            self.batched.add(node)


def _one_by_one(one: Batched) -> list[Node]:
    """Apply an op without a batched form to each element of a batch of known size."""
    node, count = one.node, one.size
    if not isinstance(count, int) or not count:
        raise NotSupportedError(
            message(
                f"{node.op.name} has no form for a whole batch, and the size of the batch is not"
                " known",
                [operand(node)],
                node.where or here(),
                "declare the size, T.TensorType(dtype, shape=(3, ...)), so that it can be applied"
                " to one after the other",
            )
        )
    each = [
        one.again([_element(x, i) if f else x for x, f in zip(one.inputs, one.flags, strict=True)])
        for i in range(count)
    ]
    return [_stacked(parts) for parts in zip(*map(results, each), strict=True)]


def _element(batch: Node, i: int) -> Node:
    row = slice_axes(batch, [0], [i], [1], [1])
    return dimshuffle(row, range(1, batch.type.ndim))  # type: ignore[no-any-return]


def _stacked(rows: Sequence[Node]) -> Node:
    return join(0, [dimshuffle(row, ("x", *range(row.type.ndim))) for row in rows])  # type: ignore[no-any-return]


def _label(node: Node) -> str:
    return LANGUAGE["label"](node)  # type: ignore[no-any-return]


# -- by kind --------------------------------------------------------------------------------------


def with_rank(x: Node, batched: bool, rank: int) -> Node:
    """Return an operand of an op that broadcasts to ``rank`` axes, besides that of the batch."""
    own = x.type.ndim - batched
    if batched:
        return x if own == rank else dimshuffle(x, (0, *["x"] * (rank - own), *range(1, own + 1)))
    return x if own == 0 else dimshuffle(x, (*["x"] * (rank - own + 1), *range(own)))


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
        raise NotSupportedError(
            message(
                f"{one.node.op.name}: the sizes of arrays would differ within the batch",
                [operand(one.node)],
                one.node.where or here(),
            )
        )


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


def _join(one: Batched) -> Node:
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


RULES: dict[str, Callable[[Batched], Node | None]] = {
    "dimshuffle": _dimshuffle,
    "expand": _expand,
    "reshape": _reshape,
    "slice": _slice,
    "put": _put,
    "join": _join,
    "make_vector": _make_vector,
    "get": _get,
    "pack": _pack,
    "ifelse": _ifelse,
    "dot": _dot,
    "matmul": _elementwise,  # which broadcasts too
    "softmax": _shifted,
    "log_softmax": _shifted,
    "logsumexp": _shifted,
}
"""Batched forms by the name of the op, for what its kind does not say. None: it has none here."""
