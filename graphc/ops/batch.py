"""Whole batches at once: an expression with a new leading axis pushed through each of its nodes.

`vectorize` turns ``f(x)`` into ``f`` of every ``x[i]``, without a loop: elementwise ops broadcast,
reductions and views count their axes from one further on, products become larger products. The
Jacobian is the reverse pass vectorised over its seeds.

A node either has the batch axis in front or is the same for the whole batch; what is the same is
computed once. Sizes are always the same: a batch of arrays of different sizes is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.errors import GraphcTypeError, GraphcValueError, message
from graphc.ir.node import DIM, Node, input_node, is_tuple, operand, rebuild
from graphc.ir.op import Kind
from graphc.ir.shapes import Dim, as_size_node, sizes
from graphc.ir.source import here
from graphc.ir.types import LANGUAGE
from graphc.ir.walk import depends_on, toposort
from graphc.ops.batch_rules import rule_of
from graphc.ops.batched import Batched, different_sizes, repeated, with_rank
from graphc.ops.control import Loop, carry_of, out_of, scan_op, steps_of
from graphc.ops.movement import dimshuffle, expand
from graphc.ops.parts import join, slice_axes
from graphc.ops.results import results


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
        If the sizes of arrays would differ within the batch.

    Notes
    -----
    An op without a batched form is applied to one element after the other: by a loop, if they are
    many.

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
    return [walk.of(node) for node in outputs]


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

    def of(self, node: Node) -> Node:
        """Return the batch of a node that is done, repeated if it is the same for all."""
        found = self.done[node]
        return found if node in self.batched else repeated(found, self.size)

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
        if node.op is scan_op and (parts := _scan(one)):
            self.parts[node] = parts
            self.batched.add(node)
            return
        rule = rule_of(node.op)
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


SHORT = 4
"""Up to so many elements are taken one after the other without a loop."""


def _one_by_one(one: Batched) -> list[Node]:
    """Apply an op without a batched form to each element of a batch."""
    count = one.size
    if not isinstance(count, int) or not 0 < count <= SHORT:
        return _in_a_loop(one)
    pairs = list(zip(one.inputs, one.flags, strict=True))
    each = [one.again([_element(x, i) if f else x for x, f in pairs]) for i in range(count)]
    return [_stacked(parts) for parts in zip(*map(results, each), strict=True)]


def _in_a_loop(one: Batched) -> list[Node]:
    """Apply an op to each element of a batch of any size."""
    loop = Loop(as_size_node(one.size))
    inputs: list[Node] = []
    for x, batched in zip(one.inputs, one.flags, strict=True):
        if batched:
            element = input_node(x.type.with_shape(x.type.shape[1:]))
            loop.sequences.append((element, x))
            inputs.append(element)
        else:
            inputs.append(x)
    loop.outs = results(one.again(inputs))
    node = loop.close()
    return [out_of(node, i) for i in range(len(loop.outs))]


def _scan(one: Batched) -> list[Node]:
    """Return the results of a loop whose body works on the whole batch; none if it cannot.

    It cannot if elements of the batch may take different numbers of steps.
    """
    if one.flags[0]:
        raise different_sizes(one)
    loop = Loop.open(one.node)
    changing = _changing(loop, one)
    if loop.stop in depends_on(toposort(loop.results), changing):
        return []
    known = (one.size if isinstance(one.size, int) else None,)
    leaves = {leaf: input_node(leaf.type.with_shape(known + leaf.type.shape)) for leaf in changing}
    walk = Walk(leaves, sizes(next(iter(leaves.values())))[0])
    for node in toposort(loop.results, stop=leaves):
        walk.visit(node)
    outs = [out in walk.batched for out in loop.outs]
    _rewire(loop, one, leaves, walk)
    carries = [carry.inside in leaves.values() for carry in loop.carries]
    return _fronted(loop.close(), loop, carries, outs, one.size)


def _rewire(loop: Loop, one: Batched, leaves: Mapping[Node, Node], walk: Walk) -> None:
    """Put batches in the places of what a loop is made of."""
    new = dict(zip(one.node.inputs, one.inputs, strict=True))
    flags = dict(zip(one.node.inputs, one.flags, strict=True))
    loop.count = new[loop.count]
    loop.constants = [(leaves.get(leaf, leaf), new[given]) for leaf, given in loop.constants]
    loop.sequences = [
        (leaves.get(leaf, leaf), _swapped(new[given]) if leaf in leaves else new[given])
        for leaf, given in loop.sequences
    ]
    for carry in loop.carries:
        whole = carry.inside in leaves
        first = new[carry.initial]
        carry.initial = repeated(first, one.size) if whole and not flags[carry.initial] else first
        carry.following = walk.of(carry.following) if whole else walk.done[carry.following]
        carry.inside = leaves.get(carry.inside, carry.inside)
    loop.outs = [walk.done[out] for out in loop.outs]
    loop.stop = None if loop.stop is None else walk.done[loop.stop]


def _changing(loop: Loop, one: Batched) -> set[Node]:
    """Return the leaves of a loop's body that have a batch axis, carries that get one included."""
    flags = dict(zip(one.node.inputs, one.flags, strict=True))
    pairs = [*loop.sequences, *loop.constants, *((c.inside, c.initial) for c in loop.carries)]
    found = {leaf for leaf, given in pairs if flags[given]}
    order = toposort(loop.results)
    while True:
        reached = depends_on(order, found)
        new = {c.inside for c in loop.carries if c.following in reached} - found
        if not new:
            return found
        found |= new


def _fronted(
    node: Node, loop: Loop, carries: Sequence[bool], outs: Sequence[bool], size: Dim
) -> list[Node]:
    """Return the results of a loop over batches with the batch axis in front of all of them."""
    found = [repeated(steps_of(node), size)]
    for i, batched in enumerate(carries):
        value = carry_of(node, i)
        if batched and loop.carries[i].traced:
            value = _swapped(value)
        found.append(value if batched else repeated(value, size))
    for i, batched in enumerate(outs):
        value = out_of(node, i)
        found.append(_swapped(value) if batched else repeated(value, size))
    return found


def _swapped(x: Node) -> Node:
    """Return an array with its first two axes exchanged."""
    return dimshuffle(x, (1, 0, *range(2, x.type.ndim)))  # type: ignore[no-any-return]


def _element(batch: Node, i: int) -> Node:
    row = slice_axes(batch, [0], [i], [1], [1])
    return dimshuffle(row, range(1, batch.type.ndim))  # type: ignore[no-any-return]


def _stacked(rows: Sequence[Node]) -> Node:
    return join(0, [dimshuffle(row, ("x", *range(row.type.ndim))) for row in rows])  # type: ignore[no-any-return]


def _label(node: Node) -> str:
    return LANGUAGE["label"](node)  # type: ignore[no-any-return]
