"""Closed graphs: functions, loop bodies and branches; and the flat form that is pickled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.errors import InternalError
from graphc.ir.node import CONST, PARAM, Node, input_node, make, param
from graphc.ir.op import OPS, Kind
from graphc.ir.replace import substitute
from graphc.ir.types import LANGUAGE
from graphc.ir.walk import toposort


@dataclass(frozen=True, slots=True)
class Graph:
    """A function over numbered parameters; equal functions are equal and hash equally.

    Every leaf below ``results`` is a constant or one of ``params``.
    """

    params: tuple[Node, ...]
    results: tuple[Node, ...]

    @staticmethod
    def close(args: Sequence[Node], results: Sequence[Node]) -> tuple[Graph, tuple[Node, ...]]:
        """Return the graph of ``results`` over ``args``, and the outer leaves it captured.

        Captured leaves become parameters after those for ``args``.
        """
        known = set(args)
        captured = tuple(
            node
            for node in toposort(results, stop=known)
            if node not in known and node.op.kind is Kind.SOURCE and _is_free(node)
        )
        outer = (*args, *captured)
        params = tuple(param(i, node.type) for i, node in enumerate(outer))
        closed = substitute(results, dict(zip(outer, params, strict=True)))
        return Graph(params, tuple(closed)), captured

    def open(self) -> tuple[list[Node], list[Node]]:
        """Return fresh inputs and the results over them."""
        inputs = [input_node(node.type) for node in self.params]
        return inputs, list(self(*inputs))

    def __call__(self, *args: Node) -> tuple[Node, ...]:
        """Return the results with ``args`` in place of the parameters."""
        return tuple(substitute(self.results, dict(zip(self.params, args, strict=True))))

    def __reduce__(self) -> Any:
        flat = flatten((*self.params, *self.results))
        return _graph_from, (flat, len(self.params), len(self.results))


def _is_free(node: Node) -> bool:
    return not node.inputs and node.op is not CONST and bool(node.op.attrs)


def _graph_from(flat: Sequence[Any], n_params: int, n_results: int) -> Graph:
    found = unflatten(flat)
    return Graph(tuple(found[:n_params]), tuple(found[n_params : n_params + n_results]))


Row = tuple[str, tuple[int, ...], Any, Any, Any, Any]


def flatten(results: Iterable[Node]) -> tuple[list[Row], list[int]]:
    """Return nodes as a list of rows without nesting, and the places of ``results`` in it."""
    results = list(results)
    order = toposort(results)
    place = {node: i for i, node in enumerate(order)}
    rows: list[Row] = []
    for node in order:
        if type(node) is not Node:  # a shared variable pickles itself, value and all
            rows.append(("", (), node, None, None, None))
            continue
        inputs = tuple(place[child] for child in node.inputs)
        rows.append((node.op.name, inputs, node.attrs, node.type, node.where, node.name))
    return rows, [place[node] for node in results]


def unflatten(flat: Any) -> list[Node]:
    """Return the nodes that `flatten` wrote."""
    rows, wanted = flat
    nodes: list[Node] = []
    for op, inputs, attrs, type, where, name in rows:
        if not op:
            nodes.append(attrs)
            continue
        node = make(OPS[op], tuple(nodes[i] for i in inputs), attrs, type, where)
        node.name = node.name or name
        nodes.append(node)
    return [nodes[i] for i in wanted]


def _one(flat: Any) -> Node:
    return unflatten(flat)[0]


def _pickle(node: Node) -> Any:
    return _one, (flatten([node]),)


LANGUAGE["pickle"] = _pickle


def check_closed(graph: Graph) -> None:
    """Raise `InternalError` unless every leaf is a constant or a parameter."""
    known = set(graph.params)
    for node in toposort(graph.results):
        if not node.inputs and node.op is not CONST and _is_free(node) and node not in known:
            raise InternalError(f"{node!r} is free in a closed graph")
    for i, node in enumerate(graph.params):
        if node.op is not PARAM or node.attrs["index"] != i:
            raise InternalError(f"parameter {i} is {node!r}")
