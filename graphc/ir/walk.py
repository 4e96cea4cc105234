"""Walks over nodes. None recurses along inputs, so depth never matters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from graphc.ir.node import Node

_NOTHING: frozenset[Node] = frozenset()


def inputs_of(node: Node) -> Sequence[Node]:
    """Return what a node is computed from."""
    return node.inputs


def toposort(
    results: Iterable[Node],
    stop: Collection[Node] = _NOTHING,
    below: Callable[[Node], Sequence[Node]] = inputs_of,
) -> list[Node]:
    """Return every node below ``results``, inputs before users, each once.

    ``stop`` holds nodes that are listed but not entered; ``below`` says what a node needs. The
    order depends only on the shape of the graph: depth first, inputs left to right.
    """
    order: list[Node] = []
    seen: set[Node] = set()
    for result in results:
        if result in seen:
            continue
        stack = [(result, iter(() if result in stop else below(result)))]
        seen.add(result)
        while stack:
            node, rest = stack[-1]
            for child in rest:
                if child not in seen:
                    seen.add(child)
                    stack.append((child, iter(() if child in stop else below(child))))
                    break
            else:
                order.append(node)
                stack.pop()
    return order


def demanded(results: Iterable[Node]) -> list[Node]:
    """Return the nodes below ``results`` that are computed whatever the branches taken.

    In no particular order.
    """
    found: dict[Node, None] = {}
    stack = list(results)
    while stack:
        node = stack.pop()
        if node in found:
            continue
        found[node] = None
        lazy = node.op.lazy
        stack.extend(c for place, c in enumerate(node.inputs) if place not in lazy)
    return list(found)


def deepest_first(
    results: Iterable[Node],
    stop: Collection[Node] = _NOTHING,
    below: Callable[[Node], Sequence[Node]] = inputs_of,
) -> list[Node]:
    """Return every node below ``results``, inputs before users, the deeper input's side first.

    Computed in this order, few values wait to be used: in a long sum each term is added as soon
    as it is there, on whichever side of the sum it stands. ``below`` says what a node needs.
    """
    results = list(results)
    depth: dict[Node, int] = {}
    for node in toposort(results, stop, below):
        inputs = () if node in stop else below(node)
        depth[node] = 1 + max([depth[child] for child in inputs], default=0)
    order: dict[Node, None] = {}
    stack = [(node, False) for node in reversed(results)]
    while stack:
        node, ready = stack.pop()
        if node in order:
            continue
        needed = () if node in stop else below(node)
        if ready or not needed:
            order[node] = None
            continue
        stack.append((node, True))
        waiting = [child for child in needed if child not in order]
        waiting.sort(key=depth.__getitem__)
        stack.extend((child, False) for child in waiting)
    return list(order)


def users(order: Iterable[Node]) -> dict[Node, list[Node]]:
    """Return for each node of a toposorted list the nodes that use it, once per use."""
    found: dict[Node, list[Node]] = {}
    for node in order:
        found.setdefault(node, [])
        for child in node.inputs:
            found.setdefault(child, []).append(node)
    return found


def depends_on(order: Iterable[Node], targets: Collection[Node]) -> set[Node]:
    """Return the nodes of a toposorted list that are or use one of ``targets``."""
    found: set[Node] = set()
    for node in order:
        if node in targets or any(child in found for child in node.inputs):
            found.add(node)
    return found


def leaves(results: Iterable[Node]) -> Iterator[Node]:
    """Yield the nodes without inputs, in order."""
    return (node for node in toposort(results) if not node.inputs)


def transform(
    results: Iterable[Node],
    build: Callable[[Node, tuple[Node, ...]], Node],
    replace: Mapping[Node, Node] | None = None,
) -> list[Node]:
    """Return ``results`` rebuilt bottom-up by ``build(node, new inputs)``."""
    done: dict[Node, Node] = dict(replace or {})
    results = list(results)
    for node in toposort(results, stop=done):
        if node not in done:
            inputs = tuple([done[child] for child in node.inputs])
            done[node] = build(node, inputs)
    return [done[result] for result in results]
