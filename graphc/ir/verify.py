"""Every invariant of the graph, as a function for tests."""

from __future__ import annotations

from collections.abc import Iterable

from graphc.errors import InternalError
from graphc.ir.graph import Graph, check_closed
from graphc.ir.node import Node, Token, make
from graphc.ir.op import OPS, Kind
from graphc.ir.types import TensorType
from graphc.ir.walk import toposort


def verify(results: Iterable[Node]) -> None:
    """Raise `InternalError` if a node below ``results`` breaks an invariant."""
    for node in toposort(results):
        _interned(node)
        _type_follows(node)
        _attrs_frozen(node)


def _interned(node: Node) -> None:
    if type(node) is Node and make(node.op, node.inputs, node.attrs, node.type) is not node:
        raise InternalError(f"{node!r} exists twice")
    if OPS.get(node.op.name) is not node.op:
        raise InternalError(f"{node.op!r} is not in the table of ops")
    if tuple(node.attrs) != node.op.attrs:
        raise InternalError(f"{node!r} has attrs {tuple(node.attrs)}, its op {node.op.attrs}")


def _type_follows(node: Node) -> None:
    if node.op.kind is Kind.SOURCE:
        return
    inferred = node.op.infer(node.inputs, node.attrs)
    if not refines(node.type, inferred):
        raise InternalError(f"{node!r} has type {node.type!r}, its op says {inferred!r}")


def refines(found: object, inferred: object) -> bool:
    """Tell whether a type is another one, or knows a size that the other does not."""
    if found is inferred:
        return True
    if not isinstance(found, TensorType) or not isinstance(inferred, TensorType):
        return False
    return (
        found.dtype == inferred.dtype
        and found.ndim == inferred.ndim
        and all(b in (None, a) for a, b in zip(found.shape, inferred.shape, strict=True))
    )


def _attrs_frozen(node: Node) -> None:
    hash(node.attrs)
    for name, value in node.attrs.items():
        if isinstance(value, Node):
            raise InternalError(f"a node hides in attr {name!r} of {node.op!r}")
        if isinstance(value, Graph):
            check_closed(value)
            verify(value.results)
        if isinstance(value, Token) and node.op.kind is not Kind.SOURCE:
            raise InternalError(f"an identity token hides in {node.op!r}")
