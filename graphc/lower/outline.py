"""What runs where: loops opened into steps of their own, and branches into conditions of steps.

A node that is needed only through one branch of an ``ifelse`` runs under that condition. A node of
a loop's body that is the same in every step runs before the loop, unless only a branch needs it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graphc.ir.node import (
    CONST,
    DIM,
    INPUT,
    SHARED,
    Node,
    const,
    is_tuple,
    make,
    number,
    rebuild,
)
from graphc.ir.op import OPS, Kind
from graphc.ir.replace import substitute
from graphc.ir.shapes import Sizes, add, as_dim, sizes
from graphc.ir.types import Attrs, TensorType
from graphc.ir.walk import depends_on, toposort, transform
from graphc.lower.program import Path
from graphc.ops.control import CELL, COUNTER, ifelse, in_loop, out_of, scan_parts
from graphc.ops.elementwise import invert, or_
from graphc.ops.movement import dimshuffle
from graphc.ops.parts import slice_axes

IFELSE, _SCAN = OPS["ifelse"], OPS["scan"]
Below = Callable[[Node], Sequence[Node]]


@dataclass
class Opened:
    """A scan with its body over leaves of its own and over nodes outside.

    Attributes
    ----------
    counter : Node
        The number of the step.
    leaves : list of Node
        What stands for the carries: a cell, or the trace for one that is traced.
    initials, followings : list of Node
    traced : tuple of bool
    outs : list of Node
    stop : Node or None
    outer : list of Node
        What the loop needs from outside, besides its inputs.
    own : set of Node
        What its steps compute.
    """

    node: Node
    counter: Node
    leaves: list[Node]
    initials: list[Node]
    followings: list[Node]
    traced: tuple[bool, ...]
    outs: list[Node]
    stop: Node | None
    outer: list[Node] = field(default_factory=list)
    own: set[Node] = field(default_factory=set)

    @property
    def roots(self) -> list[Node]:
        """What a step of the loop computes."""
        return [*self.followings, *self.outs, *([] if self.stop is None else [self.stop])]


def open_loop(node: Node, below: Below) -> Opened:
    """Return a scan with its body opened: elements are views of sequences at the counter.

    ``below`` says what a node needs, with what the loops inside of the body need besides inputs.
    """
    body, n_carry = node.attrs["body"], node.attrs["n_carry"]
    sequences, initials, constants = scan_parts(node)
    counter = make(COUNTER, (), Attrs({"of": node.serial}), TensorType("int64", ()), node.where)
    leaves = [
        _leaf(node, place, initial, traced)
        for place, (initial, traced) in enumerate(zip(initials, node.attrs["traced"], strict=True))
    ]
    carried = [
        _row(leaf, counter) if traced else leaf
        for leaf, traced in zip(leaves, node.attrs["traced"], strict=True)
    ]
    elements = [_row(sequence, counter) for sequence in sequences]
    replace = dict(zip(body.params, (*elements, *carried, *constants), strict=True))
    found = substitute(body.results, replace)
    stop = found.pop() if node.attrs["stops"] else None
    opened = Opened(
        node,
        counter,
        leaves,
        list(initials),
        found[:n_carry],
        node.attrs["traced"],
        found[n_carry:],
        stop,
    )
    _split(opened, below)
    return opened


def _leaf(node: Node, place: int, initial: Node, traced: bool) -> Node:
    """Return what stands for a carry, or for all its values, in the steps of a loop."""
    kind = node.attrs["body"].params[node.attrs["n_seq"] + place].type
    shape = (None, *kind.shape) if traced else kind.shape
    attrs = Attrs({"of": node.serial, "place": place})
    leaf = make(CELL, (), attrs, TensorType(kind.dtype, shape), node.where)
    leaf._sizes = (add(as_dim(node.inputs[0]), 1), *sizes(initial)) if traced else sizes(initial)
    return leaf


def spare_leaf(leaf: Node) -> Node:
    """Return what stands for the memory in which the next value of a carry is made."""
    attrs = Attrs({"of": leaf.attrs["of"], "place": -1 - leaf.attrs["place"]})
    spare = make(CELL, (), attrs, leaf.type, leaf.where)
    spare._sizes = leaf._sizes
    return spare


def rows_leaf(node: Node, place: int, value: Node) -> Node:
    """Return what stands for all rows of an out in the steps of a loop."""
    attrs = Attrs({"of": node.serial, "place": node.attrs["n_carry"] + place})
    leaf = make(CELL, (), attrs, out_of(node, place).type, node.where)
    leaf._sizes = sizes(out_of(node, place))
    return leaf


def _row(array: Node, place: Node) -> Node:
    row = slice_axes(array, [0], [place], [1], [1])
    return dimshuffle(row, range(1, array.type.ndim))  # type: ignore[no-any-return]


def _split(opened: Opened, below: Below) -> None:
    """Find what the steps of a loop compute, and what they need from outside."""
    leaves = {opened.counter, *opened.leaves}
    stop = {*leaves, *opened.node.inputs}
    order = _told_apart(opened, leaves, stop, below)
    varying = depends_on(order, leaves)
    paths = paths_of(order, opened.roots, below)
    opened.own = {n for n in order if n in varying or paths[n]} - stop
    outer: dict[Node, None] = {}
    for node in order:
        if node in opened.own:
            outer.update(dict.fromkeys(c for c in below(node) if _is_outer(c, opened, leaves)))
    outer.update(dict.fromkeys(r for r in opened.roots if _is_outer(r, opened, leaves)))
    opened.outer = list(outer)


def _told_apart(
    opened: Opened, leaves: Collection[Node], stop: Collection[Node], below: Below
) -> list[Node]:
    """Return the order of a body in which what branches compute is nobody else's.

    What is the same in every step but only a branch needs is computed in the steps; the same node
    may be computed outside or in another loop, and must not be taken for this one.
    """
    order = _order(opened.roots, stop, below)
    varying = depends_on(order, leaves)
    paths = paths_of(order, opened.roots, below)
    lazy = {
        n
        for n in order
        if n not in varying and paths[n] and n not in stop and n.op.kind is not Kind.SOURCE
    }
    if not lazy:
        return order

    def build(node: Node, inputs: tuple[Node, ...]) -> Node:
        if node in lazy and inputs == node.inputs:
            several = len(inputs) if node.op is _SCAN else 1
            inputs = (*map(apart, inputs[:several]), *inputs[several:])
        return rebuild(node, inputs)

    def apart(node: Node) -> Node:
        own: Node = node if node.op in (CONST, DIM) else in_loop(node, opened.counter)
        return own

    ends = {n: n for n in order if n in stop or n.op is DIM}
    found = transform(opened.roots, build, ends)
    n_carry, n_out = len(opened.followings), len(opened.outs)
    opened.followings, opened.outs = found[:n_carry], found[n_carry : n_carry + n_out]
    opened.stop = None if opened.stop is None else found[-1]
    return _order(opened.roots, stop, below)


def _is_outer(node: Node, opened: Opened, leaves: Collection[Node]) -> bool:
    return node not in opened.own and node not in leaves and node.op is not CONST


def _order(roots: Iterable[Node], stop: Collection[Node], below: Below) -> list[Node]:
    """Return the nodes below roots; a size is a leaf."""
    roots = list(roots)
    ends = {node for node in toposort(roots, stop, below) if node.op is DIM}
    return toposort(roots, {*stop, *ends}, below)


def paths_of(
    order: Sequence[Node],
    roots: Iterable[Node],
    below: Below,
    conditions: Mapping[Node, Node] | None = None,
    early: Collection[Node] = (),
) -> dict[Node, Path]:
    """Return under which conditions each node is needed.

    What is needed under several conditions gets one of its own, made of these; ``conditions`` are
    those that are known already, by the node they are for. They are always made of the conditions
    of branches, never of each other. The nodes in ``early`` get none of their own: they are
    computed where all ways to them begin.
    """
    conditions = conditions or {}
    uses: dict[Node, set[Path]] = {root: {()} for root in roots}
    found: dict[Node, Path] = {}
    for node in reversed(order):
        paths = _shortest(uses.pop(node, {()}), node in early)
        own = found[node] = _demand(paths)
        for place, child in enumerate(below(node)):
            through = paths
            if place in node.op.lazy:
                choice = (node.inputs[0], place == node.op.lazy[0])
                through = {_under(path, choice) for path in paths}
            uses.setdefault(child, set()).update(through)
        if own and node in conditions:
            uses.setdefault(own[-1][0], set()).add(own[:-1])
    return found


def circle(roots: Iterable[Node], stop: Collection[Node], below: Below) -> list[Node]:
    """Return nodes each of which needs the next one, the last one the first; none if none do."""
    done: set[Node] = set()
    for root in roots:
        path: dict[Node, None] = {root: None}
        stack = [iter(() if root in stop or root in done else below(root))]
        while stack:
            child = next(stack[-1], None)
            if child is None:
                stack.pop()
                done.add(path.popitem()[0])
            elif child in path:
                nodes = list(path)
                return nodes[nodes.index(child) :]
            elif child not in done and child not in stop:
                path[child] = None
                stack.append(iter(below(child)))
    return []


_MANY = 16  # ways to need a node; what is needed in more is computed where all of them begin


def _shortest(paths: set[Path], early: bool) -> set[Path]:
    """Return the paths that do not go on from another one."""
    if early or len(paths) > _MANY:
        return {functools.reduce(_common, paths)}
    return {p for p in paths if not any(p[:k] in paths for k in range(len(p)))}


def _under(path: Path, choice: tuple[Node, bool]) -> Path:
    """Return a path that goes on with a choice; one that it has made already says nothing new."""
    return path if choice in path else (*path, choice)


def _demand(paths: Collection[Path]) -> Path:
    """Return the path of a node that is needed under each of some paths."""
    common = functools.reduce(_common, paths)
    if common in paths:
        return common
    sides: dict[Node, dict[bool, list[Path]]] = {}
    for path in paths:
        condition, holds = path[len(common)]
        rest = path[len(common) + 1 :]
        sides.setdefault(condition, {}).setdefault(holds, []).append(rest)
    in_order = sorted(sides, key=lambda condition: condition.serial)  # equal demands, equal nodes
    needed = [_needed(condition, sides[condition]) for condition in in_order]
    if any(number(one) is True for one in needed):
        return common
    return (*common, (functools.reduce(or_, needed), True))


def _needed(condition: Node, sides: Mapping[bool, Sequence[Path]]) -> Node:
    """Return whether something is needed, by whether a condition holds."""
    yes, no = (_either(sides[holds]) if holds in sides else _FALSE for holds in (True, False))
    if (number(yes), number(no)) == (True, False):
        return condition
    if (number(yes), number(no)) == (False, True):
        return invert(condition)  # type: ignore[no-any-return]
    same = yes is no
    return yes if same else ifelse(condition, yes, no)


def _either(paths: Sequence[Path]) -> Node:
    path = _demand(paths)
    if not path:
        return _TRUE
    held = [condition if holds else invert(condition) for condition, holds in path]
    result = held[-1]
    for condition in reversed(held[:-1]):
        result = ifelse(condition, result, _FALSE)
    return result


_TRUE, _FALSE = const(True), const(False)


def _common(a: Path, b: Path) -> Path:
    same = 0
    for one, other in zip(a, b, strict=False):
        if one != other:
            break
        same += 1
    return a[:same]


# -- what is known late ---------------------------------------------------------------------------


class Late:
    """Tells which scalars are known only when some steps have run."""

    def __init__(self, size_env: Sizes) -> None:
        self._sizes = size_env
        self._known: dict[Node, bool] = {}

    def __contains__(self, size: object) -> bool:
        if not isinstance(size, Node) or size.op is CONST:
            return False
        found = self._known.get(size)
        if found is None:
            ends = {node for node in toposort([size]) if node.op is DIM}
            found = any(_is_computed(n) for n in toposort([size], ends) if n not in ends)
            self._known[size] = found
        return found

    def of(self, node: Node) -> list[Node]:
        """Return the late scalars among the sizes of a node, and where the views below begin."""
        if is_tuple(node):
            return []
        found = [size for size in self._sizes.of(node) if size in self]
        while node.op.kind is Kind.VIEW and node.inputs:
            found += [child for child in node.inputs[1:] if child in self]
            node = node.inputs[0]
            found += [size for size in self._sizes.of(node) if size in self]
        return found  # type: ignore[return-value]


def is_scalar_choice(node: Node) -> bool:
    """Tell whether a node chooses between scalars, which one expression of Python's can do.

    Not if one is an element of an array, which may not be there.
    """
    if node.op is not IFELSE or node.type.ndim:
        return False
    return all(value.op.kind is not Kind.VIEW for value in node.inputs[1:])


def _is_computed(node: Node) -> bool:
    """Tell whether a node needs a step: all but leaves, views of them, and scalars of these."""
    if node.op in (INPUT, SHARED, CONST, DIM):
        return False
    if node.op.kind is Kind.VIEW or is_scalar_choice(node):
        return False
    return node.op.kind is not Kind.ELEMENTWISE or bool(node.type.ndim)
