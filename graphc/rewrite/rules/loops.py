"""Loops: what need not be done in every step is done before, after, or for all steps at once.

What depends on which results of a loop are used is in `graphc.rewrite.whole`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from graphc.errors import NotSupportedError
from graphc.ir.node import DIM, Node, const, input_node
from graphc.ir.op import OPS, Kind
from graphc.ir.replace import substitute
from graphc.ir.shapes import sizes
from graphc.ir.walk import toposort
from graphc.ops.control import Carry, Loop
from graphc.ops.index import scatter_add
from graphc.ops.linalg import dot, transpose
from graphc.ops.movement import dimshuffle, expand, reshape, static
from graphc.ops.parts import join, slice_axes
from graphc.ops.reduce import sum as sum_over
from graphc.ops.results import get, pack
from graphc.rewrite.lifting import (
    ELEMENT,
    Change,
    Opened,
    fits,
    flipped,
    is_flipped,
    opened,
    packed,
    rows_from,
)
from graphc.rewrite.rule import procedure, table

STEPS = 4
"""Loops of no more steps than this are written out."""

NODES = 200
"""... unless more nodes than this come of it."""


@procedure("scan")
def unroll(node: Node) -> Node | None:
    """A loop of few steps is written out: nothing is left to go round.

    Ends, as a loop goes.
    """
    count = static(node.inputs[0])
    body = node.attrs["body"]
    if count is None or count > STEPS or node.attrs["stops"]:
        return None
    if count * len(toposort(body.results)) > NODES:
        return None
    loop = Loop.open(node)
    state = [carry.initial for carry in loop.carries]
    traces = [[value] for value in state]
    rows: list[list[Node]] = [[] for _ in loop.outs]
    places = range(count)[::-1] if loop.backwards else range(count)
    for step in places:
        given = dict(loop.constants)
        given.update({leaf: _element(outer, step) for leaf, outer in loop.sequences})
        given.update(zip((carry.inside for carry in loop.carries), state, strict=True))
        found = substitute(loop.results, given)
        state = found[: len(state)]
        for trace, value in zip(traces, state, strict=True):
            trace.append(value)
        for place, value in enumerate(found[len(state) :]):
            rows[place].append(value)
    kept = [
        _stacked(trace) if carry.traced else trace[-1]
        for carry, trace in zip(loop.carries, traces, strict=True)
    ]
    outs = [
        _stacked(values[::-1] if loop.backwards else values) if values else _no_rows(node, place)
        for place, values in enumerate(rows, 1 + len(kept))
    ]
    return pack([node.inputs[0], *kept, *outs])  # type: ignore[no-any-return]


def _element(sequence: Node, step: int) -> Node:
    row = slice_axes(sequence, [0], [step], [1], [1])
    return dimshuffle(row, range(1, sequence.type.ndim))  # type: ignore[no-any-return]


def _stacked(rows: Sequence[Node]) -> Node:
    return join(0, [dimshuffle(row, ("x", *range(row.type.ndim))) for row in rows])  # type: ignore[no-any-return]


def _no_rows(node: Node, place: int) -> Node:
    kind = node.type.items[place]  # type: ignore[attr-defined]
    return expand(const(0, kind.dtype), node.op.dims(node)[place])  # type: ignore[no-any-return]


@procedure("scan")
def read_backwards(node: Node) -> Node | None:
    """A loop that reads all its sequences from their ends counts down instead.

    What it keeps is then in the order of the sequences, and can be taken apart and put together
    with them without a copy. Ends, as no rule makes a loop count up.
    """
    own = opened(node)
    loop = own.loop
    if loop.backwards or loop.stop is not None or any(c.traced for c in loop.carries):
        return None
    if not loop.sequences or not all(is_flipped(outer) for _, outer in loop.sequences):
        return None
    ahead = [(leaf, flipped(rows_from(outer, 0, own.count))) for leaf, outer in loop.sequences]
    carries = [replace(carry) for carry in loop.carries]
    found = replace(loop, sequences=ahead, carries=carries, backwards=True).close()
    results = [get(found, i) for i in range(1 + len(loop.carries) + len(loop.outs))]
    n_carry = len(loop.carries)
    return pack([*results[: 1 + n_carry], *map(flipped, results[1 + n_carry :])])  # type: ignore[no-any-return]


# -- before the loop ------------------------------------------------------------------------------


@procedure("scan")
def hoist_invariants(node: Node) -> Node | None:
    """What is the same in every step is computed once, before the loop.

    Ends, as nodes leave the body.
    """
    own = opened(node)
    tops = [n for n in own.order if n in own.always and not own.varies(n) and _is_work(n, own)]
    if not tops:
        return None
    change = Change(node)
    leaves = [input_node(n.type) for n in tops]
    change.replace.update(zip(tops, leaves, strict=True))
    change.constants += zip(leaves, own.outside(tops), strict=True)
    return packed(change.finish())


def _is_work(node: Node, own: Opened) -> bool:
    """Tell whether an invariant is more than a leaf, a size, or a number repeated."""
    if node in own.fixed or node.op.kind is Kind.SOURCE:
        return False
    if node.op.name == "expand" and not node.inputs[0].type.ndim:
        return False
    return any(leaf in own.fixed for leaf in toposort([node]))


@procedure("scan")
def hoist_maps(node: Node) -> Node | None:
    """What depends on elements only is computed for all steps at once, before the loop.

    Products of elements become one large product. Left in the loop is what is cheap, what would
    take more than ``config.loop_memory``, and what stands beside another loop: loops in loops are
    how memory is saved. Ends, as ops leave the body.
    """
    own = opened(node)
    if own.loop.stop is not None or own.holds_loops:
        return None  # elements that are never reached would be computed
    maps: set[Node] = set()
    costly: set[Node] = set()
    summed = _summed_products(own)
    for n in own.order:
        if own.kinds[n] != ELEMENT or n not in own.always or n in summed:
            continue
        if n in own.outer or (own.can_batch(n) and all(_is_map(c, own, maps) for c in n.inputs)):
            maps.add(n)
            if own.is_costly(n) or not costly.isdisjoint(n.inputs):
                costly.add(n)
    results = set(own.loop.results)
    outside = {c for n in own.order if n not in maps for c in n.inputs} | results
    tops = [n for n in own.order if n in costly and n in outside]
    if not tops or not fits(tops, own.count):
        return None
    change = Change(node)
    for top in tops:
        leaf = input_node(top.type)
        try:
            change.sequences.append((leaf, change.batch(top)))
        except NotSupportedError:
            continue
        change.replace[top] = leaf
    return packed(change.finish()) if change.replace else None


def _summed_products(own: Opened) -> set[Node]:
    """Return products that are only summed over the steps: `hoist_sums` makes one of all."""
    found = set()
    for terms in _accumulators(own).values():
        for term, _ in terms:
            while term.op in (_DIMSHUFFLE, _NEG):
                term = term.inputs[0]
            if term.op is _DOT and all(map(own.varies, term.inputs)):
                found.add(term)
    return {n for n in found if sum(n in other.inputs for other in own.order) == 1}


def _is_map(node: Node, own: Opened, maps: Collection[Node]) -> bool:
    return node in maps or not own.varies(node)


# -- after the loop -------------------------------------------------------------------------------


@procedure("scan")
def hoist_outputs(node: Node) -> Node | None:
    """What no step needs of an earlier one is computed after the loop, for all steps at once.

    Ends, as ops leave the body.
    """
    own = opened(node)
    loop = own.loop
    if loop.stop is not None or not loop.outs or own.holds_loops:
        return None
    needed = set(own.cone([carry.following for carry in loop.carries]))
    change, moved = Change(node), False
    for place, out in enumerate(loop.outs, len(loop.carries)):
        ends = _ends(out, own, needed)
        if ends is None:
            continue
        new = [n for n in ends if not change.is_there(n)]
        if len(new) > 1 or any(n.type.ndim > out.type.ndim for n in new):
            continue
        if not fits(new, own.count):
            continue
        try:
            change.values[place] = change.batch(out, ends)
        except NotSupportedError:
            continue
        moved = True
    return packed(change.finish()) if moved else None


def _ends(out: Node, own: Opened, needed: Collection[Node]) -> list[Node] | None:
    """Return what an out is made of that must come from the loop; None if nothing can move."""
    if not own.varies(out) or out in needed or not _moves(out, own):
        return None
    ends: dict[Node, None] = {}
    seen: set[Node] = set()
    stack = [out]
    while stack:
        n = stack.pop()
        if n in seen or not own.varies(n):
            continue
        seen.add(n)
        if n in needed or not _moves(n, own):
            ends[n] = None
        else:
            stack.extend(n.inputs)
    return list(ends)


def _moves(node: Node, own: Opened) -> bool:
    leaf = node in own.outer or node in own.places
    return not leaf and node in own.always and own.can_batch(node)


# -- sums over steps ------------------------------------------------------------------------------

_ADD, _SUB, _NEG, _MUL, _DIV = (OPS[name] for name in ("add", "sub", "neg", "mul", "true_div"))
_DOT, _SUM, _DIMSHUFFLE = OPS["dot"], OPS["sum"], OPS["dimshuffle"]
_SCATTER = OPS["scatter_add"]


@procedure("scan")
def hoist_sums(node: Node) -> Node | None:
    """What is only summed over the steps is summed after them: products as one large product.

    Not what would take more than ``config.loop_memory``. Ends, as sums and products leave the body.
    """
    own = opened(node)
    loop = own.loop
    if loop.stop is not None or own.holds_loops:
        return None
    sums = _accumulators(own)
    kept = [c.following for k, c in enumerate(loop.carries) if k not in sums]
    every = [term for terms in sums.values() for term, _ in terms]
    kept += [term for term in every if _factors(term, own) is None]
    total = _Total(Change(node), set(own.cone([*kept, *loop.outs])))
    factors = [factor for term in every for factor in _factors(term, own) or ()]
    total.keep(factors)
    if not any(map(total.leaves, every)) or not fits(total.new, own.count):
        return None
    try:
        for k, terms in sums.items():
            total.take(k, terms)
    except NotSupportedError:
        return None
    return packed(total.change.finish())


def _accumulators(own: Opened) -> dict[int, list[tuple[Node, int]]]:
    """Return the carries to which something is added in each step and that nothing else reads.

    With the terms that are added, and the sign of each.
    """
    found = {}
    for k, carry in enumerate(own.loop.carries):
        if carry.traced or not _is_read_by_its_sum_alone(carry, own):
            continue
        terms = _terms(carry.following, own)
        if (carry.inside, 1) in terms and len(terms) > 1:
            terms.remove((carry.inside, 1))
            found[k] = terms
    return found


def _is_read_by_its_sum_alone(carry: Carry, own: Opened) -> bool:
    """Tell whether nothing uses a carry, or a part of its next value, but that next value."""
    node, results = carry.inside, list(own.loop.results)
    results.remove(carry.following)
    while node not in results:
        readers = [n for n in own.order if n.op is not DIM and node in n.inputs]
        if node is carry.following:
            return not readers
        if len(readers) != 1:
            return False
        (node,) = readers
    return False


def _terms(total: Node, own: Opened) -> list[tuple[Node, int]]:
    """Return what a sum is made of; a scatter_add stands for what it adds."""
    found: list[tuple[Node, int]] = []
    stack = [(total, 1)]
    while stack:
        n, sign = stack.pop()
        if n.op in (_ADD, _SUB) and all(c.type.ndim == total.type.ndim for c in n.inputs):
            stack += [(n.inputs[1], -sign if n.op is _SUB else sign), (n.inputs[0], sign)]
        elif n.op is _NEG:
            stack.append((n.inputs[0], -sign))
        else:
            found.append((n, sign))
            if n.op is _SCATTER and _factors(n, own) is not None:
                stack.append((n.inputs[0], sign))
    return found


def _factors(term: Node, own: Opened) -> list[Node] | None:
    """Return what must be known of each step to sum a term over all; None if it stays."""
    if term not in own.always or not own.varies(term):
        return None
    if (scaled := _scaled(term, own)) is not None:
        return _factors(scaled[0], own)
    if term.op in (_DIMSHUFFLE, _NEG):
        return _factors(term.inputs[0], own)
    if term.op is _SUM:
        return [term.inputs[0]]
    if term.op is _DOT:
        return [n for n in term.inputs if own.varies(n)]
    if term.op is _SCATTER:
        _, value, *places = term.inputs
        alike = len({place.type.ndim for place in places}) == 1 and term.attrs["axis"] == 0
        return [value, *places] if alike else None
    if (pair := _outer(term, own)) is not None:
        return list(pair)
    cone = own.cone([term])
    plain = all(n in own.outer or own.can_batch(n) for n in cone)
    return [term] if plain and own.kinds[term] == ELEMENT else None


def _scaled(term: Node, own: Opened) -> tuple[Node, Node] | None:
    """Return what is multiplied or divided by one number that is the same in every step, and it."""
    if term.op not in (_MUL, _DIV):
        return None
    a, b = term.inputs
    if not own.varies(b) and not b.type.ndim:
        return a, b
    return (b, a) if term.op is _MUL and not own.varies(a) and not a.type.ndim else None


def _outer(term: Node, own: Opened) -> tuple[Node, Node] | None:
    """Return the vectors of an outer product."""
    if term.op is not _MUL or term.type.ndim != 2:
        return None
    for a, b in (term.inputs, term.inputs[::-1]):
        shapes = [n.attrs["pattern"] if n.op is _DIMSHUFFLE else () for n in (a, b)]
        if shapes == [(0, -1), (-1, 0)] and own.varies(a) and own.varies(b):
            return a.inputs[0], b.inputs[0]
    return None


class _Total:
    """Terms of sums on their way out of a loop; ``needed`` is what the loop needs without them."""

    def __init__(self, change: Change, needed: Collection[Node]) -> None:
        self.change = change
        self.own = change.own
        self.new: list[Node] = []  # what the loop will have to keep besides
        self._needed = needed
        self._kept = set(self.own.loop.outs)

    def keep(self, factors: Iterable[Node]) -> None:
        """Note what is to be known of each step after the loop."""
        ends = dict.fromkeys(n for factor in factors for n in self._ends(factor))
        self.new = [n for n in ends if not self.change.is_there(n)]
        self._kept |= ends.keys()

    def leaves(self, term: Node) -> bool:
        """Tell whether a term is summed after the loop: a sum of what is kept costs no memory."""
        return _factors(term, self.own) is not None or (
            term in self._kept and self.own.varies(term)
        )

    def _ends(self, factor: Node) -> list[Node]:
        found = _ends(factor, self.own, self._needed)
        return [factor] if found is None else found

    def take(self, k: int, terms: list[tuple[Node, int]]) -> None:
        """Sum what can be of the terms of a carry after the loop."""
        change, carry = self.change, self.own.loop.carries[k]
        rest = [(term, sign) for term, sign in terms if not self.leaves(term)]
        total = change.values[k] if rest else carry.initial
        for term, sign in terms:
            if self.leaves(term):
                part = self.over_steps(term)
                total = total + part if sign > 0 else total - part
        change.values[k] = total
        following = carry.inside
        for term, sign in rest:
            following = following + term if sign > 0 else following - term
        change.following[k] = following

    def over_steps(self, term: Node) -> Node:
        """Return the sum of a term over all steps. Recurses over scalings and views only."""
        if (scaled := _scaled(term, self.own)) is not None:
            (scale,) = self.own.outside([scaled[1]])
            total = self.over_steps(scaled[0])
            return total * scale if term.op is _MUL else total / scale  # type: ignore[no-any-return]
        if term.op is _NEG:
            return -self.over_steps(term.inputs[0])  # type: ignore[no-any-return]
        if term.op is _DIMSHUFFLE:
            return dimshuffle(self.over_steps(term.inputs[0]), term.attrs["pattern"])  # type: ignore[no-any-return]
        if term.op is _SUM:
            axes = (0, *(axis + 1 for axis in term.attrs["axes"]))
            return sum_over(self.stack(term.inputs[0]), axes=axes)  # type: ignore[no-any-return]
        if term.op is _DOT:
            return self._products(*term.inputs)
        if term.op is _SCATTER:
            board = expand(const(0, term.type.dtype), self.own.sizes_outside(term))
            value, *places = map(self.stack, term.inputs[1:])
            return scatter_add(board, value, places)  # type: ignore[no-any-return]
        if (pair := _outer(term, self.own)) is not None:
            return dot(transpose(self.stack(pair[0])), self.stack(pair[1]))  # type: ignore[no-any-return]
        return sum_over(self.stack(term), axes=(0,))  # type: ignore[no-any-return]

    def stack(self, factor: Node) -> Node:
        """Return a node of the body in all steps."""
        return self.change.batch(factor, self._ends(factor))

    def _products(self, a: Node, b: Node) -> Node:
        """Return the sum over steps of ``dot(a, b)``, as one product."""
        varies = self.own.varies
        if not varies(a):
            return dot(self.own.outside([a])[0], sum_over(self.stack(b), axes=(0,)))  # type: ignore[no-any-return]
        if not varies(b):
            return dot(sum_over(self.stack(a), axes=(0,)), self.own.outside([b])[0])  # type: ignore[no-any-return]
        if a.type.ndim == b.type.ndim == 1:
            return sum_over(self.stack(a) * self.stack(b), axes=(0, 1))  # type: ignore[no-any-return]
        right = self.stack(b)
        right = reshape(right, [-1, *sizes(right)[2:]])
        if a.type.ndim == 1:
            return dot(reshape(self.stack(a), [-1]), right)  # type: ignore[no-any-return]
        if a.op is _DIMSHUFFLE and a.attrs["pattern"] == (1, 0):
            left = self.stack(a.inputs[0])
            return dot(transpose(reshape(left, [-1, sizes(left)[2]])), right)  # type: ignore[no-any-return]
        left = dimshuffle(self.stack(a), (1, 0, 2))
        return dot(reshape(left, [sizes(left)[0], -1]), right)  # type: ignore[no-any-return]


RULES = table(globals())
