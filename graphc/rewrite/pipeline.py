"""The list of phases: the only place that orders anything, and the entrance to rewriting."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Sequence
from functools import cache

from graphc.config import config
from graphc.errors import GraphcValueError
from graphc.ir.node import Node, input_node, is_tuple
from graphc.ir.op import Kind
from graphc.ir.replace import substitute
from graphc.ir.shapes import sizes
from graphc.ir.walk import toposort
from graphc.rewrite import whole
from graphc.rewrite.canonical import Order
from graphc.rewrite.engine import Firing, Index, Phase, Sweep
from graphc.rewrite.rule import Rule
from graphc.rewrite.rules import (
    algebra,
    collect,
    control,
    fold,
    functions,
    indexing,
    linalg,
    logic,
    loops,
    matrices,
    movement,
    reduction,
    scaling,
    stability,
)

CANON = (
    fold.RULES
    + algebra.RULES
    + functions.RULES
    + logic.RULES
    + control.RULES
    + movement.RULES
    + indexing.RULES
    + reduction.RULES
    + collect.RULES
)

PIPELINE = (
    Phase("canonical", CANON),
    Phase("stabilise", CANON + stability.RULES + matrices.RULES + control.BEFORE_LOOPS),
    Phase("loops", CANON + loops.RULES),
    Phase("specialise", CANON + linalg.RULES + scaling.RULES),
)


def simplify(
    results: Sequence[Node],
    phases: Sequence[str] | None = None,
    frozen: Collection[Node] = (),
    log: list[Firing] | None = None,
) -> list[Node]:
    """Return expressions in their normal form.

    Parameters
    ----------
    results : sequence of Node
    phases : sequence of str, optional
        Names of phases of `PIPELINE`; by default all of them.
    frozen : collection of Node
        Nodes that are taken as leaves: they and what is below them stay as they are.
    log : list of Firing, optional
        Is extended by every firing.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.dscalar("x")
    >>> simplify([T.log(1 + T.exp(x)) + 0])
    [softplus(x)]
    """
    log = [] if log is None else log
    hidden = {node: _stand_in(node) for node in frozen if node.inputs}
    order = Order()
    settled: set[Node] = set()
    before: tuple[str, ...] = ()
    results = substitute(results, hidden)
    for phase in _chosen(phases):
        if phase.name == "loops" and not whole.has_loops(results):
            continue
        rules, added = _indices(phase, before, config.strict_math)
        sweep = Sweep(phase.name, rules, added, settled, order, log)
        if phase.name == "loops":
            results = whole.tidy(results, phase.name, log)
        results = sweep.run(results)
        if phase.name == "loops":
            results = _settled_loops(results, sweep)
        settled = set(sweep.done.values())
        before = (*before, phase.name)
    return substitute(results, {leaf: node for node, leaf in hidden.items()})


ROUNDS = 8
"""How often loops are looked at as a whole again, after something in them has changed."""


def _settled_loops(results: list[Node], sweep: Sweep) -> list[Node]:
    """Return results after what rules, which look down only, cannot see in loops."""
    for _ in range(ROUNDS):
        tidied = whole.tidy(results, sweep.name, sweep.log)
        if tidied == results:
            break
        results = sweep.run(tidied)
    return results


def _stand_in(node: Node) -> Node:
    """Return an input of the type and sizes of a node: no rule can look below it."""
    leaf = input_node(node.type, node.name)
    leaf._sizes = sizes(node)
    return leaf


def _chosen(names: Sequence[str] | None) -> list[Phase]:
    known = [phase.name for phase in PIPELINE]
    if unknown := set(names or ()) - set(known):
        raise GraphcValueError(f"no phase {', '.join(sorted(unknown))}; there are {known}")
    return [phase for phase in PIPELINE if names is None or phase.name in names]


@cache
def _indices(phase: Phase, before: tuple[str, ...], strict: bool) -> tuple[Index, Index]:
    """Return all rules of a phase by op, and those that the last phase before it did not have."""
    earlier: frozenset[Rule] = frozenset()
    if before:
        earlier = frozenset(next(p.rules for p in PIPELINE if p.name == before[-1]))
    return phase.index(strict, frozenset()), phase.index(strict, earlier)


_sizes: weakref.WeakKeyDictionary[Node, Node | None] = weakref.WeakKeyDictionary()


def simplify_size(node: Node) -> Node:
    """Return the normal form of a size: the canonical phase on one scalar, remembered.

    What is computed from arrays, such as the sum of a mask, stays as it is: it is a part of the
    program, which is simplified as a whole.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> from graphc.ir.shapes import sizes
    >>> n = sizes(T.dvector("x"))[0]
    >>> simplify_size(n + 1 - 1) is n
    True
    """
    if not node.inputs:
        return node
    known = _sizes.get(node, node)
    if known is not node:
        return node if known is None else known
    values = [below for below in toposort([node]) if _is_value(below)]
    (found,) = simplify([node], phases=("canonical",), frozen=values)
    _sizes[node] = None if found is node else found
    return found


def _is_value(node: Node) -> bool:
    """Tell whether a node below a size is not itself a size or arithmetic on sizes."""
    if node.op.kind is Kind.SOURCE:
        return False
    return is_tuple(node) or bool(node.type.ndim) or node.op.kind is not Kind.ELEMENTWISE
