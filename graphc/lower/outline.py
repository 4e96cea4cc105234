"""What runs where: loops opened into steps of their own, and branches into conditions of steps.

A node that is needed only through one branch of an ``ifelse`` runs under that condition. A node of
a loop's body that is the same in every step runs before the loop, unless only a branch needs it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graphc.ir.node import CONST, DIM, INPUT, SHARED, Node, const, is_tuple, make, number
from graphc.ir.op import OPS, Kind
from graphc.ir.replace import substitute
from graphc.ir.shapes import Sizes, add, as_dim, sizes
from graphc.ir.types import Attrs, TensorType
from graphc.ir.walk import depends_on, inputs_of, toposort
from graphc.lower.program import Path
from graphc.ops.control import CELL, COUNTER, ifelse, out_of, scan_parts
from graphc.ops.elementwise import invert, or_
from graphc.ops.movement import dimshuffle
from graphc.ops.parts import slice_axes

IFELSE = OPS["ifelse"]
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


def open_loop(node: Node) -> Opened:
    """Return a scan with its body opened: elements are views of sequences at the counter."""
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
    _split(opened)
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


def _split(opened: Opened) -> None:
    """Find what the steps of a loop compute, and what they need from outside."""
    leaves = {opened.counter, *opened.leaves}
    stop = {*leaves, *opened.node.inputs}
    order = _order(opened.roots, stop)
    varying = depends_on(order, leaves)
    paths = paths_of(order, opened.roots, inputs_of)
    opened.own = {n for n in order if n in varying or paths[n]} - stop
    outer: dict[Node, None] = {}
    for node in order:
        if node in opened.own:
            outer.update(dict.fromkeys(c for c in node.inputs if _is_outer(c, opened, leaves)))
    outer.update(dict.fromkeys(r for r in opened.roots if _is_outer(r, opened, leaves)))
    opened.outer = list(outer)


def _is_outer(node: Node, opened: Opened, leaves: Collection[Node]) -> bool:
    return node not in opened.own and node not in leaves and node.op is not CONST


def _order(roots: Iterable[Node], stop: Collection[Node]) -> list[Node]:
    """Return the nodes below roots; a size is a leaf."""
    roots = list(roots)
    ends = {node for node in toposort(roots, stop) if node.op is DIM}
    return toposort(roots, {*stop, *ends})


def paths_of(
    order: Sequence[Node],
    roots: Iterable[Node],
    below: Below,
    conditions: Mapping[Node, Node] | None = None,
) -> dict[Node, Path]:
    """Return under which conditions each node is needed.

    What is needed under several conditions gets one of its own, made of these. Those that are known
    already are in ``conditions``, by the node they are for.
    """
    conditions = conditions or {}
    uses: dict[Node, set[Path]] = {root: {()} for root in roots}
    found: dict[Node, Path] = {}
    for node in reversed(order):
        own = found[node] = _demand(uses.pop(node, {()}))
        for place, child in enumerate(below(node)):
            path = own
            if place in node.op.lazy:
                path = _under(own, (node.inputs[0], place == node.op.lazy[0]))
            uses.setdefault(child, set()).add(path)
        if node in conditions:
            uses.setdefault(conditions[node], set()).add(own[:-1])
    return found


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
