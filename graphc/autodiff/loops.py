"""The gradient of a loop: another loop, over the same steps, the last one first.

In each step the reverse pass goes through the body once. What it needs of the forward step is
passed as sequences: elements, the values of carries before the step, and results of the body that
are costly to compute again. For these the forward loop is built once more with more results;
``merge_scans`` makes one loop of the two.

The backward loop carries the gradient of each carry, and a sum for each constant.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from graphc.errors import InternalError
from graphc.ir import dtypes
from graphc.ir.node import DIM, INPUT, Node, const, dim, input_node, is_tuple
from graphc.ir.op import OPS, Kind, Undefined
from graphc.ir.replace import substitute
from graphc.ir.shapes import Dim, as_dim, as_size_node, at_most, sizes, sub
from graphc.ir.walk import demanded, depends_on, toposort
from graphc.ops.control import Carry, Loop, carry_of, out_of, steps_of
from graphc.ops.elementwise import ge, where
from graphc.ops.math import sigmoid
from graphc.ops.movement import dimshuffle, expand
from graphc.ops.parts import put, slice_axes

Differentiate = Callable[[Sequence[Node], Sequence[Node], Sequence[Node]], list[Any]]
COSTLY = 10
"""The weight of an op from which on its result is kept for the backward loop."""


@dataclass
class _Pass:
    """One loop on its way to its gradient.

    Attributes
    ----------
    node : Node
        The loop to differentiate.
    loop : Loop
        Its parts.
    given : list of (Node or None)
        The gradient of each carry, then of each out.
    adjoints, traces, rows : dict
        By place: the leaf for the gradient of a carry, for that of a row of a trace, and for that
        of a row of an out.
    sums : dict
        By leaf of a constant: the leaf for the sum of its gradients.
    """

    node: Node
    loop: Loop
    given: list[Node | None]
    adjoints: dict[int, Node] = field(default_factory=dict)
    traces: dict[int, Node] = field(default_factory=dict)
    rows: dict[int, Node] = field(default_factory=dict)
    sums: dict[Node, Node] = field(default_factory=dict)


def loop_entries(
    node: Node, given: Sequence[Node | None], active: Collection[Node], differentiate: Differentiate
) -> list[Node | Undefined | None]:
    """Return the gradient of each input of a scan.

    Parameters
    ----------
    given : sequence of Node or None
        The gradient of each of its results.
    active : collection of Node
        The inputs whose gradients are wanted are among these.
    differentiate : callable
        The reverse pass: ``(outputs, seeds, wrt) -> gradients``.
    """
    loop = Loop.open(node)
    if loop.backwards:
        raise InternalError(f"{node!r} was made by a rule, after gradients")
    one = _Pass(node, loop, list(given[1:]))
    wanted = _wanted(one, active)
    _seed_leaves(one, wanted)
    outputs, seeds = _seeds(one)
    if not outputs:
        return [None] * len(node.inputs)
    found = dict(zip(wanted, differentiate(outputs, seeds, wanted), strict=True))
    for carry in loop.carries:
        g = found.get(carry.inside)
        if isinstance(g, Undefined):  # and with it those of all earlier steps
            return [g if child in active else None for child in node.inputs]
    return _entries(one, found)


# -- what takes part ------------------------------------------------------------------------------


def _wanted(one: _Pass, active: Collection[Node]) -> list[Node]:
    """Return the leaves of the body by which it is to be differentiated.

    They are inputs that are asked for, and the carries that these reach and that reach a result
    with a gradient. Each of these carries gets a leaf for its gradient.
    """
    loop, n_carry = one.loop, len(one.loop.carries)
    below = _leaves_below(loop)
    outer = [*loop.sequences, *loop.constants]
    asked = {leaf for leaf, value in outer if value in active}
    reached = {carry.inside for carry in loop.carries if carry.initial in active}
    while True:
        more = {
            carry.inside
            for place, carry in enumerate(loop.carries)
            if carry.inside not in reached
            and _is_float(carry.inside)
            and not below[place].isdisjoint(asked | reached)
        }
        if not more:
            break
        reached |= more
    live = {place for place, g in enumerate(one.given) if g is not None}
    while True:
        felt = set().union(*[below[place] for place in live])
        more_live = {
            place for place, carry in enumerate(loop.carries) if carry.inside in felt
        } - live
        if not more_live:
            break
        live |= more_live
    for place in sorted(live):
        if place < n_carry and loop.carries[place].inside in reached:
            one.adjoints[place] = input_node(loop.carries[place].inside.type)
    carried = [loop.carries[place].inside for place in one.adjoints]
    return [*(leaf for leaf, _ in outer if leaf in asked), *carried]


def _leaves_below(loop: Loop) -> list[set[Node]]:
    """Return the leaves that each next carry and each out depends on."""
    leaves = {*loop.varying, *(leaf for leaf, _ in loop.constants)}
    found: dict[Node, set[Node]] = {}
    ends = [*(carry.following for carry in loop.carries), *loop.outs]
    for node in toposort(ends):
        own = {node} if node in leaves else set()
        found[node] = own.union(*[found[child] for child in node.inputs])
    return [found[node] for node in ends]


def _is_float(node: Node) -> bool:
    return dtypes.is_float(node.type.dtype)


def _seed_leaves(one: _Pass, wanted: Sequence[Node]) -> None:
    """Make leaves for the gradients that come in with each step, and for sums."""
    n_carry = len(one.loop.carries)
    for place, g in enumerate(one.given):
        if g is None:
            continue
        if place >= n_carry:
            one.rows[place] = input_node(one.loop.outs[place - n_carry].type)
        elif one.loop.carries[place].traced and place in one.adjoints:
            one.traces[place] = input_node(one.loop.carries[place].inside.type)
    fixed = {leaf for leaf, _ in one.loop.constants}
    one.sums = {leaf: input_node(leaf.type) for leaf in wanted if leaf in fixed}


def _seeds(one: _Pass) -> tuple[list[Node], list[Node]]:
    """Return the results of the body that have a gradient, and these gradients."""
    loop, n_carry = one.loop, len(one.loop.carries)
    outputs = [loop.carries[place].following for place in one.adjoints]
    seeds = [
        g + one.traces[place] if place in one.traces else g for place, g in one.adjoints.items()
    ]
    outputs += [loop.outs[place - n_carry] for place in one.rows]
    return outputs, [*seeds, *one.rows.values()]


# -- the backward loop ----------------------------------------------------------------------------


def _entries(one: _Pass, found: dict[Node, Any]) -> list[Node | Undefined | None]:
    """Return the gradient of each input, from the gradients of the leaves of the body."""
    loop = one.loop
    carried = [loop.carries[place].inside for place in one.adjoints]
    summed = [leaf for leaf in one.sums if isinstance(found[leaf], Node)]
    elements = [leaf for leaf, _ in loop.sequences if isinstance(found.get(leaf), Node)]
    results = [found[leaf] if found[leaf] is not None else _zeros(leaf) for leaf in carried]
    results += [one.sums[leaf] + found[leaf] for leaf in summed]
    results += [found[leaf] for leaf in elements]
    results, forward, kept = _kept(one, results)
    window = _window(forward)
    outer = dict(loop.constants)
    carries = [
        Carry(leaf, _last_gradient(one, k), results.pop(0)) for k, leaf in one.adjoints.items()
    ]
    carries += [Carry(one.sums[leaf], _zeros(outer[leaf]), results.pop(0)) for leaf in summed]
    back = Loop(
        as_size_node(window.length),
        _sequences(one, window, kept),
        carries,
        loop.constants,
        results,
    )
    own = _outer_gradients(one, _used(back).close(), window, summed, elements)
    own.update({leaf: g for leaf, g in found.items() if isinstance(g, Undefined)})
    leaves = [leaf for leaf, _ in loop.sequences] + [carry.inside for carry in loop.carries]
    return [None, *(own.get(leaf) for leaf in (*leaves, *outer))]


def _zeros(like: Node) -> Node:
    return expand(const(0, like.type.dtype), sizes(like))  # type: ignore[no-any-return]


def _last_gradient(one: _Pass, place: int) -> Node:
    """Return the gradient of the last value of a carry; that of a trace comes row by row."""
    carry, g = one.loop.carries[place], one.given[place]
    return _zeros(carry.initial) if g is None or carry.traced else g


def _window(forward: Loop) -> _Window:
    node = forward.close()
    count = as_dim(forward.count if forward.stop is None else steps_of(node))
    limit = forward.truncate
    return _Window(node, count, count if limit is None else at_most(count, limit))


@dataclass
class _Window:
    """The rows that the backward loop reads, the last one first.

    Attributes
    ----------
    forward : Node
        The forward loop with all that is kept.
    count, length : int or Node
        How many steps it made, and how many of them the gradient goes back.
    """

    forward: Node
    count: Dim
    length: Dim

    def rows(self, stacked: Node, shift: int = 0) -> Node:
        """Return the rows of the steps, or those so many places later."""
        start = sub(self.count, 1 - shift)
        return slice_axes(stacked, [0], [start], [self.length], [-1])  # type: ignore[no-any-return]

    def back(self, rows: Node, length: Dim) -> Node:
        """Return rows in their own order and places among ``length`` rows, zeros elsewhere."""
        ahead = slice_axes(rows, [0], [sub(self.length, 1)], [self.length], [-1])
        if length is self.length or (isinstance(length, int) and length == self.length):
            return ahead  # type: ignore[no-any-return]
        whole = expand(const(0, rows.type.dtype), (length, *sizes(rows)[1:]))
        return put(whole, ahead, [0], [sub(self.count, self.length)], [1])  # type: ignore[no-any-return]


def _sequences(one: _Pass, window: _Window, kept: dict[Node, Node]) -> list[tuple[Node, Node]]:
    """Return all that changes from one backward step to the next; some may not be needed."""
    loop, forward = one.loop, window.forward
    traced: tuple[bool, ...] = forward.attrs["traced"]
    found = [(leaf, window.rows(outer)) for leaf, outer in loop.sequences]
    for place, carry in enumerate(loop.carries):
        if traced[place]:
            found.append((carry.inside, window.rows(carry_of(forward, place))))
    for leaves, shift in ((one.traces, 1), (one.rows, 0)):
        for place, leaf in leaves.items():
            g = one.given[place]
            assert g is not None
            found.append((leaf, window.rows(g, shift)))
    next_to = {c.following: k for k, c in enumerate(loop.carries) if traced[k]}
    outs = {node: k for k, node in reversed(list(enumerate(loop.outs)))}
    new = len(loop.outs)
    for node, leaf in kept.items():
        if node in next_to:
            found.append((leaf, window.rows(carry_of(forward, next_to[node]), 1)))
            continue
        if node not in outs:
            outs[node], new = new, new + 1
        found.append((leaf, window.rows(out_of(forward, outs[node]))))
    return found


def _used(loop: Loop) -> Loop:
    """Return a loop without the sequences that its body does not read."""
    read = set(toposort(loop.results))
    return replace(loop, sequences=[pair for pair in loop.sequences if pair[0] in read])


def _outer_gradients(
    one: _Pass, back: Node, window: _Window, summed: Sequence[Node], elements: Sequence[Node]
) -> dict[Node, Any]:
    """Return the gradient of what each leaf of the body is outside."""
    carries, outer = one.loop.carries, dict(one.loop.sequences)
    own: dict[Node, Any] = {}
    for i, place in enumerate(one.adjoints):
        own[carries[place].inside] = _first_gradient(one, place, carry_of(back, i), window)
    for i, leaf in enumerate(summed, len(one.adjoints)):
        own[leaf] = carry_of(back, i)
    for i, leaf in enumerate(elements):
        own[leaf] = window.back(out_of(back, i), sizes(outer[leaf])[0])
    return own


def _first_gradient(one: _Pass, place: int, g: Node, window: _Window) -> Node:
    """Return the gradient of the first value of a carry; none comes through a truncated loop."""
    limit, given = one.loop.truncate, one.given[place]
    if limit is not None:
        g = where(ge(limit, as_size_node(window.count)), g, 0)
    if one.loop.carries[place].traced and given is not None:
        g = g + _row(given, 0)
    return g


def _row(stacked: Node, i: int) -> Node:
    row = slice_axes(stacked, [0], [i], [1], [1])
    return dimshuffle(row, range(1, stacked.type.ndim))  # type: ignore[no-any-return]


# -- what is kept of the forward steps ------------------------------------------------------------


def _kept(one: _Pass, results: list[Node]) -> tuple[list[Node], Loop, dict[Node, Node]]:
    """Return the backward results over leaves for what is kept of each forward step.

    And the forward loop that keeps it, and the leaves by what they stand for. Kept is what is
    costly and computed in every forward step; the rest is computed again.
    """
    loop = one.loop
    ready = set(demanded(loop.results))
    results = substitute(results, _cheaper(one, results, ready))
    saved = {node: input_node(node.type) for node in _costly(loop, results, ready)}
    following = {carry.following for carry in loop.carries}
    results = substitute(results, saved)
    read = set(toposort(results))
    carries = [
        replace(c, traced=c.traced or c.inside in read or c.following in saved)
        for c in loop.carries
    ]
    extra = [node for node in saved if node not in following and node not in loop.outs]
    return results, replace(loop, carries=carries, outs=[*loop.outs, *extra]), saved


def _cheaper(one: _Pass, results: Sequence[Node], ready: set[Node]) -> dict[Node, Node]:
    """Return what stands for nodes of the backward body, so that less of each step is kept.

    A carry has the sizes of its gradient. And where sigmoid(x) is there, sigmoid(-x) is its
    difference from 1: small values lose digits, but the exponential is not computed twice.
    """
    found: dict[Node, Node] = {}
    adjoint = {one.loop.carries[place].inside: leaf for place, leaf in one.adjoints.items()}
    for node in toposort(results):
        if node.op is DIM and node.inputs[0] in adjoint:
            found[node] = dim(adjoint[node.inputs[0]], node.attrs["axis"])
        elif node.op is OPS["sigmoid"] and node.inputs[0].op is OPS["neg"]:
            opposite = sigmoid(node.inputs[0].inputs[0])
            if opposite in ready and node not in ready:
                found[node] = 1 - opposite
    return found


def _costly(loop: Loop, results: Sequence[Node], ready: set[Node]) -> list[Node]:
    """Return what backward results need that is costly, and that forward steps compute anyway."""
    order = toposort(results)
    steps, steady = set(loop.varying), {leaf for leaf, _ in loop.constants}
    moving = depends_on(order, steps)
    foreign = {node for node in order if node.op is INPUT} - steps - steady
    backward = depends_on(order, foreign)
    found: list[Node] = []
    seen: set[Node] = set()
    stack = list(reversed(results))
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node in backward:
            stack.extend(reversed(node.inputs))
        elif node in moving and node in ready and _is_costly(node) and _has_one_size(node, steps):
            found.append(node)
        elif node in moving:
            stack.extend(reversed(node.inputs))
    return found


def _has_one_size(node: Node, steps: Collection[Node]) -> bool:
    """Tell whether a value has the same size in all steps, so that it can be stacked."""
    if is_tuple(node):
        return True
    unknown = [size for size in sizes(node) if isinstance(size, Node)]
    ends = {below for below in toposort(unknown) if below.op is DIM}
    return not any(below in steps for below in toposort(unknown, ends) if below not in ends)


def _is_costly(node: Node) -> bool:
    if is_tuple(node):
        return False  # its results are
    if node.op.kind is Kind.PROJECT:
        return True
    if node.op.kind in (Kind.REDUCE, Kind.REGION):
        return True
    return node.op.kind is not Kind.SOURCE and node.op.weight >= COSTLY
