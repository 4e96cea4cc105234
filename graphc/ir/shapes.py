"""Symbolic sizes, and the guards that say which of them must agree.

A size is an int where it is known, and otherwise an int64 scalar node over the sizes of inputs. As
nodes are interned, "the same size" is a pointer comparison. Where an op needs two sizes to be
equal that are not known to be, they are taken as equal from then on and a `Guard` is recorded,
which the compiled function checks before it computes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.errors import ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import DIM, Node, apply, const, number, operand
from graphc.ir.op import OPS, Kind
from graphc.ir.walk import demanded, toposort

Dim = int | Node


def sizes(node: Node) -> tuple[Dim, ...]:
    """Return the size of a node along each axis."""
    if node._sizes is None:
        for below in _unsized(node):
            below._sizes = _own_sizes(below)
    return node._sizes or ()


def _unsized(node: Node) -> list[Node]:
    """Return the nodes at and below ``node`` whose sizes are not known yet, inputs first."""
    order: list[Node] = []
    seen: set[Node] = set()
    stack = [(node, False)]
    while stack:
        current, ready = stack.pop()
        if ready:
            order.append(current)
            continue
        if current._sizes is not None or current in seen:
            continue
        seen.add(current)
        if None in getattr(current.type, "shape", (None,)):
            stack.append((current, True))
            stack.extend((child, False) for child in current.inputs if child._sizes is None)
        else:
            current._sizes = current.type.shape
    return order


def _own_sizes(node: Node) -> tuple[Dim, ...]:
    if node._sizes is not None:
        return node._sizes
    shape = getattr(node.type, "shape", ())
    if None not in shape:
        return shape
    found = node.op.dims(node)
    return tuple(size if known is None else known for size, known in zip(found, shape, strict=True))


def as_dim(node: Node) -> Dim:
    """Return an int for a constant scalar node, the node itself otherwise."""
    value = number(node)
    return node if value is None else int(value)


def as_size_node(size: Dim) -> Node:
    """Return a size as an int64 scalar node."""
    return const(size, "int64") if isinstance(size, int) else size


def never_negative(node: Node, depth: int = 6) -> bool:
    """Tell whether a scalar is a size, or made of sizes so that it cannot be below 0."""
    value = number(node)
    if value is not None:
        return value >= 0
    if node.op is DIM or dtypes.kind(node.type.dtype) == "uint":
        return True
    if not depth:
        return False
    below = (never_negative(child, depth - 1) for child in node.inputs)
    if node.op.name == "maximum":
        return any(below)
    return node.op.name in ("add", "mul", "minimum", "int_div", "cast") and all(below)


# -- arithmetic on sizes, folded as it is written -------------------------------------------------


def add(a: Dim, b: Dim) -> Dim:
    """Return a + b."""
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    if a == 0 and isinstance(a, int):
        return b
    if b == 0 and isinstance(b, int):
        return a
    return _apply("add", *_ordered(a, b))


def sub(a: Dim, b: Dim) -> Dim:
    """Return a - b."""
    if isinstance(a, int) and isinstance(b, int):
        return a - b
    if a is b:
        return 0
    return a if isinstance(b, int) and b == 0 else _apply("sub", a, b)


def mul(a: Dim, b: Dim) -> Dim:
    """Return a * b."""
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    for one, other in ((a, b), (b, a)):
        if isinstance(one, int) and one in (0, 1):
            return other if one else 0
    return _apply("mul", *_ordered(a, b))


def floor_div(a: Dim, b: Dim) -> Dim:
    """Return a // b, for b above zero."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b
    return a if isinstance(b, int) and b == 1 else _apply("int_div", a, b)


def at_least(a: Dim, low: Dim) -> Dim:
    """Return max(a, low)."""
    if isinstance(a, int) and isinstance(low, int):
        return max(a, low)
    return a if a is low else _apply("maximum", a, low)


def at_most(a: Dim, high: Dim) -> Dim:
    """Return min(a, high)."""
    if isinstance(a, int) and isinstance(high, int):
        return min(a, high)
    return a if a is high else _apply("minimum", a, high)


def product(factors: Iterable[Dim]) -> Dim:
    """Return the product of sizes, 1 for none."""
    known, unknown = 1, []
    for factor in factors:
        if isinstance(factor, int):
            known *= factor
        else:
            unknown.append(factor)
    result: Dim = known
    for factor in unknown:
        result = mul(factor, result) if isinstance(result, int) else mul(result, factor)
    return result


def _ordered(a: Dim, b: Dim) -> tuple[Dim, Dim]:
    return (b, a) if isinstance(a, int) else (a, b)  # constants last, as everywhere


def _apply(op: str, a: Dim, b: Dim) -> Node:
    return apply(OPS[op], as_size_node(a), as_size_node(b))  # type: ignore[no-any-return]


# -- guards ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Guard:
    """Something about sizes that must hold when the program runs.

    ``relation`` is ``"=="``, ``">"``, ``">="``; or ``"in"`` for a place that must lie in
    ``[0, right)``. A place below 0 came of a negative index: ``left - right`` is what the user
    wrote.
    """

    left: Dim
    relation: str
    right: Dim
    node: Node


def located(check: tuple[Any, ...], node: Node) -> tuple[Dim, str, Dim, Node]:
    """Return what an op's ``checks`` gave in full: sizes, relation, and whose line to show."""
    if len(check) == 2:
        return check[0], "==", check[1], node
    left, relation, right, *where = check
    return left, relation, right, where[0] if where else node


class Sizes:
    """The sizes of one program: which are equal, and what must be checked to say so.

    Sizes in branches that may not be taken are not looked at: see `local`.

    Parameters
    ----------
    results : sequence of Node
        The graph as the user wrote it, before any rewriting.
    simplify : callable
        Brings a scalar node to its normal form, so that equal formulas are one node.
    """

    def __init__(self, results: Sequence[Node], simplify: Callable[[Node], Node]) -> None:
        self.guards: list[Guard] = []
        self._same: dict[Node, Dim] = {}
        self._known: set[tuple[Dim, str, Dim]] = set()
        self._simplify = simplify
        self._settled: set[Node] = set()
        wanted = set(demanded(results))
        for node in toposort(results):
            if node in wanted:
                for check in node.op.checks(node):
                    self._require(*located(check, node))

    def local(self, node: Node) -> list[Guard]:
        """Return what must be checked where a node is computed, for one that may not be.

        Such sizes are not taken as equal, since elsewhere they need not be.
        """
        found: list[Guard] = []
        for check in node.op.checks(node):
            left, relation, right, where = located(check, node)
            left, right = self.find(left), self.find(right)
            if left is right or (left, relation, right) in self._known:
                continue
            if isinstance(left, int) and isinstance(right, int) and _holds(left, relation, right):
                continue
            found.append(Guard(left, relation, right, where))
        return found

    def _require(self, left: Dim, relation: str, right: Dim, node: Node) -> None:
        left, right = self.find(left), self.find(right)
        if left is right and relation == ">=":
            return
        if relation == "==":
            if left is right or (isinstance(left, int) and left == right):
                return
            if isinstance(left, int) and isinstance(right, int):
                raise size_mismatch(node, left, right)
            if _rank(right) > _rank(left):
                self._same[right] = left  # type: ignore[index]
            else:
                self._same[left] = right  # type: ignore[index]
        elif isinstance(left, int) and isinstance(right, int) and _holds(left, relation, right):
            return
        if (left, relation, right) not in self._known:
            self._known.add((left, relation, right))
            self.guards.append(Guard(left, relation, right, node))

    def find(self, size: Dim) -> Dim:
        """Return the one size that stands for all that are equal to this one."""
        if isinstance(size, Node) and size not in self._settled:
            size = as_dim(self._simplify(size))
        while isinstance(size, Node):
            if size in self._same:
                size = self._same[size]
            elif size.op.lazy and len(either := self._branches(size)) == 1:
                (size,) = either
            else:
                break
        return size

    def computed(self) -> list[Node]:
        """Return the sizes and places in guards that more than sizes of inputs are needed for."""
        sides = dict.fromkeys(side for guard in self.guards for side in (guard.left, guard.right))
        found = [side for side in sides if isinstance(side, Node) and side.op is not DIM]
        ends = {node for node in toposort(found) if node.op is DIM}
        return [side for side in found if not _is_plain(side, ends)]

    def replace(self, old: Sequence[Node], new: Sequence[Node]) -> None:
        """Take over what became of sizes and places when the graph was rewritten."""
        changed = {a: as_dim(b) for a, b in zip(old, new, strict=True) if a is not b}
        if not changed:
            return

        def now(size: Dim) -> Dim:
            return changed.get(size, size) if isinstance(size, Node) else size

        self._settled.update(b for b in changed.values() if isinstance(b, Node))
        self.guards = [Guard(now(g.left), g.relation, now(g.right), g.node) for g in self.guards]
        self._known |= {(now(left), relation, now(right)) for left, relation, right in self._known}
        for size, same in [*self._same.items()]:
            one, other = now(size), now(same)
            if isinstance(one, Node) and one is not other:
                self._same[one] = other

    def _branches(self, size: Node) -> set[Dim]:
        """Return the sizes between which a choice is made, each by its representative."""
        return {self.find(as_dim(size.inputs[place])) for place in size.op.lazy}

    def of(self, node: Node) -> tuple[Dim, ...]:
        """Return the sizes of a node, each by its representative."""
        return tuple(size if isinstance(size, int) else self.find(size) for size in sizes(node))


def _holds(left: int, relation: str, right: int) -> bool:
    return {
        "==": left == right,
        ">": left > right,
        ">=": left >= right,
        "in": 0 <= left < right,
    }[relation]


def _rank(size: Dim) -> tuple[int, int]:
    """Order in which sizes are preferred as representatives: numbers, plain sizes, formulas."""
    if isinstance(size, int):
        return -1, size
    return (0 if size.op is DIM else 1, size.serial)


def _is_plain(size: Node, ends: Collection[Node]) -> bool:
    """Tell whether a size is arithmetic of sizes and scalars that are given."""
    kinds = (Kind.SOURCE, Kind.ELEMENTWISE)
    return all(n.op.kind in kinds and not n.type.ndim for n in toposort([size], ends))


def size_mismatch(node: Node, left: int, right: int) -> ShapeError:
    """Return the error for an application whose sizes do not agree."""
    from_inputs = [operand(child) for child in node.inputs]
    return ShapeError(
        message(f"{node.op.name}: sizes {left} and {right} differ", from_inputs, node.where)
    )
