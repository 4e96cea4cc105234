"""float16 for backends that only store it: every op is taken in float32, and rounded.

The rounding after each op is the one NumPy does, so both backends give the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir.graph import Graph
from graphc.ir.node import Node, const, is_tuple, make, number, rebuild
from graphc.ir.op import OPS, Kind
from graphc.ir.source import Location
from graphc.ir.types import Attrs
from graphc.ir.walk import transform

HALF, WIDE = "float16", "float32"

MOVES = ("cast", "gather", "join", "make_vector", "part_of", "put", "scatter")
"""Ops that move or convert numbers and compute nothing with them."""


_COMPUTE = (Kind.ELEMENTWISE, Kind.REDUCE, Kind.CALL, Kind.COMPOSITE)


def computes_in_half(node: Node) -> bool:
    """Tell whether a node does arithmetic on float16."""
    if node.op.kind not in _COMPUTE or node.op.name in MOVES:
        return False
    return any(value.type.dtype == HALF for value in (node, *node.inputs) if not is_tuple(value))


def widen_halves(results: Sequence[Node]) -> list[Node]:
    """Return results in which float16 is only stored, moved and converted.

    Ops that have float16 among their attributes, as random draws have, stay as they are.
    """

    def build(node: Node, inputs: tuple[Node, ...]) -> Node:
        node = rebuild(_inside(node), inputs)
        if is_tuple(node) or not computes_in_half(node) or HALF in node.attrs.values():
            return node
        wide = tuple(_wide(one, node.where) for one in node.inputs)
        if node.type.dtype != HALF:
            return make(node.op, wide, node.attrs, node.type, node.where)
        found = make(node.op, wide, node.attrs, node.type.with_dtype(WIDE), node.where)
        return _cast(found, HALF, node.where)

    return transform(results, build)


def _inside(node: Node) -> Node:
    """Return a loop or a choice with its bodies widened, any other node as it is."""
    if node.op.kind is not Kind.REGION:
        return node
    attrs = {name: _widened(value) for name, value in node.attrs.items()}
    return make(node.op, node.inputs, Attrs(attrs), node.type, node.where)


def _widened(value: Any) -> Any:
    if not isinstance(value, Graph):
        return value
    return Graph(value.params, tuple(widen_halves(value.results)))


def _wide(node: Node, where: Location | None) -> Node:
    if is_tuple(node) or node.type.dtype != HALF:
        return node
    value = number(node)
    return const(value, WIDE) if value is not None else _cast(node, WIDE, where)


def _cast(node: Node, dtype: str, where: Location | None) -> Node:
    return make(OPS["cast"], (node,), Attrs({"dtype": dtype}), node.type.with_dtype(dtype), where)
