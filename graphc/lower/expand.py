"""Composites, and ops that a backend has no template for, made of other ops."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any

from graphc.errors import NotSupportedError, message
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make, operand, rebuild
from graphc.ir.op import Kind
from graphc.ir.types import Attrs
from graphc.ir.walk import toposort, transform


def expand_composites(
    results: Iterable[Node], backend: str, whole: Container[str] = ()
) -> list[Node]:
    """Return results with composites, and ops without a template here, made of other ops.

    Composites that the backend computes ``whole`` stay where that is of use.
    """
    results = list(results)
    done: dict[Node, Node] = {}
    mirrored = _mirrored(results)
    shared = _shared(results, whole)

    def build(node: Node, inputs: tuple[Node, ...]) -> Node:
        stays = node.op.name in whole and node not in shared and _in_rows(node)
        node = rebuild(_inside(node, backend, whole), inputs)
        if stays or not _must_expand(node, backend):
            return node
        if node not in done:
            expand = node.op.expand
            if node.inputs[0] in mirrored:
                expand = node.op.expand_mirrored or expand
            assert expand is not None
            made = expand(*node.inputs, **node.attrs)
            done[node] = expand_composites([made], backend, whole)[0]
        return done[node]

    return transform(results, build)


def _inside(node: Node, backend: str, whole: Container[str]) -> Node:
    """Return a loop with its body expanded, any other node as it is."""
    if node.op.kind is not Kind.REGION:
        return node
    attrs = {name: _expanded(value, backend, whole) for name, value in node.attrs.items()}
    return make(node.op, node.inputs, Attrs(attrs), node.type, node.where)


def _expanded(value: Any, backend: str, whole: Container[str]) -> Any:
    if not isinstance(value, Graph):
        return value
    return Graph(value.params, tuple(expand_composites(value.results, backend, whole)))


def _mirrored(results: Sequence[Node]) -> set[Node]:
    """Return arguments of ops with a mirrored form whose negative is such an argument too."""
    arguments = {n.inputs[0] for n in toposort(results) if n.op.expand_mirrored is not None}
    negative = {node.inputs[0]: node for node in arguments if node.op.name == "neg"}
    both = {node for node in arguments if node in negative}
    return both | {negative[node] for node in both}


def _shared(results: Sequence[Node], whole: Container[str]) -> set[Node]:
    """Return composites of one argument: made of other ops, they share most of their work."""
    users: dict[Node, list[Node]] = {}
    for node in toposort(results):
        if node.op.kind is Kind.COMPOSITE and node.op.name in whole:
            users.setdefault(node.inputs[0], []).append(node)
    return {node for group in users.values() if len(group) > 1 for node in group}


def _in_rows(node: Node) -> bool:
    """Whether a composite is over the last axes of an array, and for several places before them."""
    ndim, axes = node.inputs[0].type.ndim, node.attrs["axes"]
    kept = ndim - len(axes)
    last = tuple(sorted(axes)) == tuple(range(kept, ndim))
    return kept > 0 and last and node.type.dtype in ("float32", "float64")


def _must_expand(node: Node, backend: str) -> bool:
    kind = node.op.kind
    if kind is Kind.COMPOSITE:
        return True
    if kind is not Kind.ELEMENTWISE or any(key.startswith(backend) for key in node.op.code):
        return False
    if node.op.expand is None:
        raise NotSupportedError(
            message(
                f"{node.op.name} is not available on the {backend} backend",
                [operand(node)],
                node.where,
            )
        )
    return True
