"""The driver: one bottom-up sweep for each phase, and the log of what fired.

A node's inputs are brought to normal form first, then the node is rebuilt over them and the rules
for its op are tried. The result of a firing goes through the same once more. As rules look only
down, one sweep reaches the normal form; nothing is repeated until it stops changing. The engine
knows no rule and no phase by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphc.errors import RuleError
from graphc.ir import node as nodes
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make, rebuild
from graphc.ir.op import OPS, Kind, Op
from graphc.ir.shapes import as_size_node, sizes
from graphc.ir.source import Location
from graphc.ir.types import NO_ATTRS, Attrs, TensorType
from graphc.rewrite.canonical import Order
from graphc.rewrite.matching import assemble
from graphc.rewrite.rule import Body, Ops, Rule

GENERATIONS = 200
"""A node that exists only because of this many firings one upon the other is a loop of rules."""


class Firing(NamedTuple):
    """One entry of the log: a rule replaced a node by another in a phase."""

    phase: str
    rule: Rule
    before: Node
    after: Node


Candidates = dict[tuple[Op, Ops], list[tuple[Rule, Body]]]


@dataclass(frozen=True, eq=False, slots=True)
class Phase:
    """A name and the rules of one sweep."""

    name: str
    rules: tuple[Rule, ...]

    def index(self, strict: bool, before: frozenset[Rule]) -> Index:
        """Return the rules by op, without those of an earlier phase."""
        rules = [r for r in self.rules if r not in before and not (strict and r.assumes)]
        return Index(rules)


class Index:
    """The functions to try on a node, by its op and the ops of its inputs."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._by_op: dict[Op, list[Rule]] = {}
        self._found: Candidates = {}

    def candidates(self, op: Op, children: Ops) -> list[tuple[Rule, Body]]:
        """Return the functions that may fire, in the order of the table."""
        found = self._found.get((op, children))
        if found is None:
            if op not in self._by_op:
                self._by_op[op] = [rule for rule in self._rules if rule.applies_to(op)]
            found = [(r, body) for r in self._by_op[op] for body in r.bodies(children)]
            self._found[op, children] = found
        return found


class Sweep:
    """One phase over one set of expressions.

    Parameters
    ----------
    name : str
        Of the phase, for the log.
    rules : Index
        All rules of the phase.
    added : Index
        The rules that earlier phases did not have.
    settled : set of Node
        Nodes in the normal form of the earlier phases: only ``added`` need be tried on them.
    order : Order
        The order of commutative arguments.
    log : list of Firing
    """

    def __init__(
        self,
        name: str,
        rules: Index,
        added: Index,
        settled: set[Node],
        order: Order,
        log: list[Firing],
    ) -> None:
        self.name = name
        self.log = log
        self.done: dict[Node, Node] = {}
        self._rules = rules
        self._added = added
        self._settled = settled
        self._order = order
        self._forward: dict[Node, Node] = {}
        self._generation: dict[Node, int] = {}

    def run(self, results: Iterable[Node]) -> list[Node]:
        """Return the normal forms of ``results``."""
        results = list(results)
        for node in results:
            self._normalise(node)
        return [self.done[node] for node in results]

    def _normalise(self, root: Node) -> None:
        done, forward, stack = self.done, self._forward, [root]
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
                continue
            target = forward.get(node)
            if target is not None:
                if target in done:
                    self._finish(node, done[target])
                else:
                    stack.append(target)
                continue
            waiting = [child for child in node.inputs if child not in done]
            if waiting:
                stack += self._checked(node, waiting[::-1])
            else:
                self._step(node)

    def _finish(self, node: Node, final: Node) -> None:
        self.done[node] = final
        if final is node:
            self._order.add(node)
        elif node.name and final.name is None and final.op.kind is not Kind.SOURCE:
            final.name = node.name  # so that what a user named can be found in the picture

    def _checked(self, node: Node, new: list[Node]) -> list[Node]:
        """Return nodes to work on for ``node``, sure that this does not go on for ever."""
        age = self._generation.get(node, 0)
        for one in new:
            if (one in self._forward and one not in self.done) or age > GENERATIONS:
                last = [str(firing.rule) for firing in self.log[-8:]]
                raise RuleError(
                    f"rules of phase {self.name} do not come to an end at {node!r};"
                    f" the last to fire were {', '.join(last)}"
                )
            if age:
                self._generation.setdefault(one, age)
        return new

    def _step(self, node: Node) -> None:
        """Settle a node whose inputs are in normal form, or find what replaces it."""
        inputs = tuple([self.done[child] for child in node.inputs])
        if node.op.commutative:
            inputs = self._order.arrange(inputs)
        current = self._over(node, inputs)
        if current not in self.done:
            after = self._fired(current)
            if after is not None:
                self._generation[after] = self._generation.get(node, 0) + 1
                self._forward[node] = self._checked(node, [after])[0]
                return
            self._finish(current, current)
        if current is not node:
            self._finish(node, self.done[current])

    def _over(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        """Return a node over other inputs, and with its bodies in normal form."""
        if node.op.kind is Kind.REGION:
            attrs = Attrs({name: self._inside(value) for name, value in node.attrs.items()})
            return make(node.op, inputs, attrs, node.op.infer(inputs, attrs), node.where)
        if inputs == node.inputs or node.op.kind is Kind.ELEMENTWISE:
            return rebuild(node, inputs)
        # a size among the inputs may have become known, and the type with it
        return make(node.op, inputs, node.attrs, node.op.infer(inputs, node.attrs), node.where)

    def _inside(self, value: Any) -> Any:
        """Return a loop body or a branch in normal form, any other attribute as it is."""
        if not isinstance(value, Graph):
            return value
        # what a body passes on to its next step keeps its type
        results = [
            new if new.type is old.type else old
            for old, new in zip(value.results, self.run(value.results), strict=True)
        ]
        return Graph(value.params, tuple(results))

    def _fired(self, node: Node) -> Node | None:
        """Return what the first rule that fires makes of a node, None if none does."""
        index = self._added if node in self._settled else self._rules
        for rule, body in index.candidates(node.op, tuple([child.op for child in node.inputs])):
            mark = next(nodes._serials)
            result = body(node)
            if result is None:
                continue
            after = restored(rule, node, result)
            if after is not None and after is not node:
                _inherit(after, mark, node.where)
                self.log.append(Firing(self.name, rule, node, after))
                return after
        return None


def _inherit(result: Node, mark: int, where: Location | None) -> None:
    """Give the nodes that a firing made the place of the node that it replaces."""
    stack, seen = [result], set()
    while stack:
        node = stack.pop()
        if node.serial > mark and node not in seen:
            seen.add(node)
            node.where = where
            stack.extend(node.inputs)


def restored(rule: Rule, node: Node, result: Node) -> Node | None:
    """Return a result in the type of the node it replaces; None where it cannot be.

    The dtype is restored by a cast, sizes and rank by broadcasting.

    Raises
    ------
    RuleError
        If known sizes differ: the rule is wrong.
    """
    if result.type is node.type or not isinstance(node.type, TensorType):
        return result
    if result.type.dtype != node.type.dtype:
        result = assemble(OPS["cast"], (result,), {"dtype": node.type.dtype}, node.where)
    old, new = node.type.shape, result.type.shape
    if old == new:
        return result
    if new and len(new) != len(old):
        raise RuleError(f"rule {rule}: {result!r} of rank {len(new)} cannot stand for {node!r}")
    if not new or any(b == 1 and a != 1 for a, b in zip(old, new, strict=True)):
        return _broadcast(result, node)
    if any(b is not None and a not in (b, None) for a, b in zip(old, new, strict=True)):
        raise RuleError(f"rule {rule}: {result.type!r} cannot stand for {node.type!r}")
    # a size that was known to be 1 must stay known: what broadcasts is decided by it
    lost = any(a == 1 and b is None for a, b in zip(old, new, strict=True))
    return None if lost else result


def _broadcast(result: Node, node: Node) -> Node:
    shape = tuple([as_size_node(size) for size in sizes(node)])
    op = OPS["expand"]
    inputs = (result, *shape)
    return make(op, inputs, NO_ATTRS, op.infer(inputs, NO_ATTRS), node.where)
