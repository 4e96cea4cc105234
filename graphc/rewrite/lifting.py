"""Moving parts of a loop's body out of it: before the loop, or after it.

`Opened` says what each node of a body depends on. `Change` is a loop on its way to another one:
what is computed for all steps at once is written over stand-ins for the results that the new loop
will have, which `Change.finish` puts in.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from graphc.config import config
from graphc.errors import NotSupportedError
from graphc.ir.node import DIM, Node, input_node, is_tuple
from graphc.ir.op import Kind
from graphc.ir.replace import substitute
from graphc.ir.shapes import Dim, add, as_dim, as_size_node, sizes, sub
from graphc.ir.walk import demanded, toposort
from graphc.ops.batch import vectorize
from graphc.ops.batch_rules import RULES as BATCHED
from graphc.ops.batched import repeated
from graphc.ops.control import Carry, Loop, carry_of, out_of, scan_op, steps_of
from graphc.ops.elementwise import cast
from graphc.ops.movement import dimshuffle, static
from graphc.ops.parts import slice_axes
from graphc.ops.results import pack

COSTLY = 10
"""The weight from which on an op is worth computing for all steps at once."""

_CHEAP_CALLS = ("put", "join", "make_vector")
_NOT_ALWAYS = (  # with a batched form for some inputs, or none for a loop without end
    *("get", "pack", "searchsorted", "place", "flatnonzero"),
    *("conv2d", "conv2d_inputs", "conv2d_weights"),
)
_SIZED = {"slice": 1, "expand": 1, "reshape": 1, "put": 2}  # inputs after these are sizes, places

ELEMENT, CARRIED = 1, 2  # what a node depends on; 0 is what is the same in every step


class Opened:
    """A scan taken apart, and what each node of its body depends on.

    Sizes are the same in every step, whatever they are the sizes of.

    Attributes
    ----------
    loop : Loop
        Not to be changed.
    kinds : dict of Node to int
        `ELEMENT` and `CARRIED`, or'd.
    always : set of Node
        What is computed in every step, whatever branches are taken.
    fixed : dict of Node to Node
        Leaves for constants, and sizes of leaves, as they are outside.
    holds_loops : bool
        Whether there is a loop in the body.
    """

    def __init__(self, node: Node) -> None:
        self.loop = loop = Loop.open(node)
        results = loop.results
        below = toposort(results)
        self.order = toposort(results, stop={n for n in below if n.op is DIM})
        self.always = set(demanded(results))
        self.outer = dict(loop.sequences)
        self.places = {carry.inside: k for k, carry in enumerate(loop.carries)}
        self.fixed: dict[Node, Node] = dict(loop.constants)
        self.kinds: dict[Node, int] = {}
        for one in self.order:
            self.kinds[one] = self._kind(one)
        self.holds_loops = any(one.op is scan_op for one in self.order)

    def _kind(self, node: Node) -> int:
        if node in self.outer:
            return ELEMENT
        if node in self.places:
            return CARRIED
        if node.op is DIM:
            self.fixed[node] = as_size_node(self._outer_size(node))
            return 0
        found = 0
        for child in node.inputs:
            found |= self.kinds[child]
        return found

    def _outer_size(self, node: Node) -> Dim:
        leaf, axis = node.inputs[0], node.attrs["axis"]
        if leaf in self.outer:
            return sizes(self.outer[leaf])[axis + 1]  # type: ignore[no-any-return]
        if leaf in self.places:
            return sizes(self.loop.carries[self.places[leaf]].initial)[axis]  # type: ignore[no-any-return]
        return sizes(self.fixed[leaf])[axis]  # type: ignore[no-any-return]

    @property
    def count(self) -> Dim:
        """How many steps the loop makes, if nothing stops it."""
        return as_dim(cast(self.loop.count, "int64"))

    def outside(self, nodes: Sequence[Node]) -> list[Node]:
        """Return nodes that are the same in every step as they are outside."""
        return substitute(nodes, self.fixed)

    def sizes_outside(self, node: Node) -> list[Node]:
        """Return the sizes of a node of the body as they are outside."""
        found = [as_size_node(size) for size in sizes(node)]
        below = [n for n in toposort(found) if n.op is DIM and n.inputs[0] in self.kinds]
        outer = {n: as_size_node(self._outer_size(n)) for n in below}
        return substitute(found, {**self.fixed, **outer})

    def varies(self, node: Node) -> bool:
        """Tell whether a node may differ from step to step."""
        return bool(self.kinds[node])

    def can_batch(self, node: Node) -> bool:
        """Tell whether a node that varies has a form for all steps at once that is no dearer."""
        name, kind = node.op.name, node.op.kind
        flags = [self.varies(child) for child in node.inputs]
        if is_tuple(node) or node.op.lazy or name in _NOT_ALWAYS:
            return False
        if name == "dot":
            return not all(flags) or node.inputs[0].type.ndim == node.inputs[1].type.ndim
        if name in _SIZED and any(flags[_SIZED[name] :]):
            return False
        if kind in (Kind.ELEMENTWISE, Kind.REDUCE):
            return True
        return name in BATCHED or name == "fill"

    def is_costly(self, node: Node) -> bool:
        """Tell whether one computation for all steps is better than one in each."""
        if node.op.kind in (Kind.SOURCE, Kind.VIEW) or node.op.name in _CHEAP_CALLS:
            return False
        return node.op.weight >= COSTLY or node.op.kind in (Kind.CALL, Kind.REDUCE)

    def cone(self, tops: Iterable[Node], ends: Collection[Node] = ()) -> list[Node]:
        """Return what varies at and below nodes, not entering ``ends``; in no order."""
        found: dict[Node, None] = {}
        stack = list(tops)
        while stack:
            node = stack.pop()
            if node in found or not self.varies(node):
                continue
            found[node] = None
            if node not in ends:
                stack.extend(child for child in node.inputs if child in self.kinds)
        return list(found)


_opened: weakref.WeakKeyDictionary[Node, Opened] = weakref.WeakKeyDictionary()


def opened(node: Node) -> Opened:
    """Return a scan taken apart; remembered as long as it lives."""
    found = _opened.get(node)
    if found is None:
        found = _opened[node] = Opened(node)
    return found


def fits(nodes: Iterable[Node], count: Dim) -> bool:
    """Tell whether a row of each node in each of so many steps fits in ``config.loop_memory``.

    Sizes that are not known count as nothing.
    """
    total = 0
    for node in nodes:
        known = [count, *sizes(node)]
        if all(isinstance(size, int) for size in known):
            total += math.prod(known) * np.dtype(node.type.dtype).itemsize
    return total <= config.loop_memory


def rows_from(stacked: Node, start: Dim, count: Dim) -> Node:
    """Return so many rows, in order."""
    whole = sizes(stacked)[0]
    same = count is whole or (isinstance(count, int) and count == whole)
    if same and start == 0 and isinstance(start, int):
        return stacked
    return slice_axes(stacked, [0], [start], [count], [1])  # type: ignore[no-any-return]


def flipped(stacked: Node) -> Node:
    """Return the rows the other way round."""
    count = sizes(stacked)[0]
    return slice_axes(stacked, [0], [sub(count, 1)], [count], [-1])  # type: ignore[no-any-return]


def is_flipped(sequence: Node) -> bool:
    """Tell whether a sequence is another one read from its end."""
    if sequence.op.name != "slice" or 0 not in sequence.attrs["axes"]:
        return False
    return bool(sequence.attrs["steps"][sequence.attrs["axes"].index(0)] < 0)


class Change:
    """A loop on its way to another loop with the same results.

    Attributes
    ----------
    own : Opened
        The loop as it was.
    values : list of Node
        What each of its results is, carries first, over stand-ins for results of the new one.
    following : list of Node
        The next value of each carry.
    replace : dict of Node to Node
        What to put in place of nodes of the body: new leaves, or expressions over what is outside.
    sequences, constants : list of (Node, Node)
    backwards : bool
    """

    def __init__(self, node: Node) -> None:
        self.own = opened(node)
        loop = self.own.loop
        self.following = [carry.following for carry in loop.carries]
        self.sequences = list(loop.sequences)
        self.constants = list(loop.constants)
        self.backwards = loop.backwards
        self.replace: dict[Node, Node] = {}
        self._outs: dict[Node, Node] = {}
        self._finals: dict[int, Node] = {}
        self._traces: dict[int, Node] = {}
        self._steps = input_node(cast(loop.count, "int64").type)
        self.values: list[Node] = []
        for k, carry in enumerate(loop.carries):
            self.values.append(self.trace(k) if carry.traced else self.final(k))
        self.values += [self.rows(out) for out in loop.outs]

    # -- results of the new loop --

    def final(self, k: int) -> Node:
        """Return the last value of a carry."""
        carry = self.own.loop.carries[k]
        if self.following[k] is carry.inside:
            return carry.initial
        return self._finals.setdefault(k, input_node(carry.inside.type))

    def trace(self, k: int) -> Node:
        """Return all values of a carry; from now on they are kept."""
        carry = self.own.loop.carries[k]
        if self.following[k] is carry.inside:
            return repeated(carry.initial, add(self.own.count, 1))
        return self._traces.setdefault(k, self._stacked(carry.inside, add(self.own.count, 1)))

    def _stacked(self, node: Node, count: Dim) -> Node:
        known = static(as_size_node(count))
        return input_node(node.type.with_shape((known, *node.type.shape)))

    def rows(self, node: Node) -> Node:
        """Return a node of the body in each step, one row for each."""
        own, count = self.own, self.own.count
        if not own.varies(node):
            return repeated(own.outside([node])[0], count)
        if node in own.outer:
            return rows_from(own.outer[node], 0, count)
        if node in own.places and not own.loop.backwards:
            return rows_from(self.trace(own.places[node]), 0, count)
        for k, following in enumerate(self.following):
            if following is node and k in self._traces:
                return rows_from(self.trace(k), 1, count)
        return self._outs.setdefault(node, self._stacked(node, count))

    def is_there(self, node: Node) -> bool:
        """Tell whether the rows of a node are kept anyway."""
        own = self.own
        if not own.varies(node) or node in own.outer or node in self._outs:
            return True
        if node in own.places and not own.loop.backwards:
            return own.places[node] in self._traces
        return any(node is self.following[k] for k in self._traces)

    # -- all steps at once --

    def batch(self, node: Node, ends: Collection[Node] = ()) -> Node:
        """Return a node computed for all steps at once, from rows of ``ends`` and of leaves.

        Where the loop goes through sequences from their ends, so does the result, but it is
        computed in the order of the sequences: to take apart or put together axes of an array that
        is read backwards would copy it.

        Raises
        ------
        NotSupportedError
            If there is no form for all steps at once but another loop.
        """
        own = self.own
        cone = own.cone([node], ends)
        if not cone:
            return self.rows(node)
        bottom = [n for n in cone if n in ends or n in own.outer or n in own.places]
        stacked = {n: self.rows(n) for n in bottom}
        backwards = all(is_flipped(rows) for rows in stacked.values())
        leaves = {n: input_node(n.type) for n in bottom}
        (over,) = substitute([node], {**own.fixed, **leaves})
        given = {leaves[n]: flipped(r) if backwards else r for n, r in stacked.items()}
        (found,) = vectorize([over], given)
        if any(n.op is scan_op for n in toposort([found], stop=set(given.values()))):
            raise NotSupportedError(f"{node!r} for all steps at once is a loop again")
        return flipped(found) if backwards else found

    # -- the new loop --

    def finish(self, used: Collection[int] | None = None) -> dict[int, Node]:
        """Return what the results of the loop are, by place; by default all of them.

        What none of these needs is left out of the new loop.
        """
        loop, values = self.own.loop, [self._steps, *self.values]
        wanted = range(len(values)) if used is None else sorted(used)
        found = dict(zip(wanted, self._over_new([values[i] for i in wanted]), strict=True))
        if 0 in found and loop.stop is None:
            found[0] = cast(loop.count, "int64")
        return found

    def _over_new(self, values: list[Node]) -> list[Node]:
        """Return values with the results of the new loop put in for their stand-ins."""
        asked = set(toposort(values))
        outs = [node for node, rows in self._outs.items() if rows in asked]
        live = [k for k in range(len(self.following)) if self._is_asked(k, asked)]
        live, results = self._results(live, outs)
        loop = self.own.loop
        carries = [
            Carry(
                loop.carries[k].inside,
                loop.carries[k].initial,
                results[i],
                self._traces.get(k) in asked,
            )
            for i, k in enumerate(live)
        ]
        stop = results[-1] if loop.stop is not None else None
        rows = results[len(live) : len(live) + len(outs)]
        read = set(toposort(results))
        sequences = [pair for pair in self.sequences if pair[0] in read]
        if not live and not outs and not (stop is not None and self._steps in asked):
            return values
        made = Loop(
            loop.count,
            sequences,
            carries,
            self.constants,
            rows,
            stop,
            loop.truncate,
            self.backwards,
        ).close()
        new: dict[Node, Node] = {self._steps: steps_of(made)}
        for i, k in enumerate(live):
            self._put_carry(new, k, carry_of(made, i), carries[i].traced, steps_of(made))
        new.update({self._outs[node]: out_of(made, i) for i, node in enumerate(outs)})
        return substitute(values, new)

    def _is_asked(self, k: int, asked: Collection[Node]) -> bool:
        return self._finals.get(k) in asked or self._traces.get(k) in asked

    def _put_carry(
        self, new: dict[Node, Node], k: int, value: Node, traced: bool, steps: Node
    ) -> None:
        if not traced:
            if k in self._finals:  # else only the loop itself reads it
                new[self._finals[k]] = value
            return
        new[self._traces[k]] = value
        if k in self._finals:
            steps = cast(self.own.loop.count, "int64") if self.own.loop.stop is None else steps
            last = slice_axes(value, [0], [steps], [1], [1])
            new[self._finals[k]] = dimshuffle(last, range(1, value.type.ndim))

    def _results(self, live: list[int], outs: list[Node]) -> tuple[list[int], list[Node]]:
        """Return the carries that are needed, and the results of the body: theirs first."""
        loop, own = self.own.loop, self.own
        stop = [] if loop.stop is None else [loop.stop]
        while True:
            tops = [*(self.following[k] for k in live), *outs, *stop]
            results = substitute(tops, self.replace)
            sized = {n for n in toposort(results) if n.op is DIM}
            read = set(toposort(results, stop=sized)) - sized
            more = [k for k in range(len(self.following)) if loop.carries[k].inside in read]
            if set(more) <= set(live):
                break
            live = sorted({*live, *more})
        # a leaf of which only the sizes are left is no longer needed
        kept = {loop.carries[k].inside for k in live} | (read & own.outer.keys())
        gone = {n: own.fixed[n] for n in sized if n in own.fixed and n.inputs[0] not in kept}
        varying = {n: size for n, size in gone.items() if n.inputs[0] not in dict(loop.constants)}
        return live, substitute(results, varying)


def packed(values: dict[int, Node]) -> Node:
    """Return the results of a loop in one node."""
    return pack([values[i] for i in range(len(values))])  # type: ignore[no-any-return]
