"""Ops with several results: `get` takes one of them, `pack` bundles some.

Such an op has a `TupleType`; its `dims` gives a tuple of sizes for each result. Its gradient
receives a list: the gradient of each result, None where there is none.
"""

from __future__ import annotations

from typing import Any

from graphc.errors import InternalError
from graphc.ir.node import Node, apply, is_tuple
from graphc.ir.op import Kind, Op, register
from graphc.ir.shapes import Dim, sizes
from graphc.ir.types import Attrs, TensorType, TupleType


def _infer_get(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    kind: Any = inputs[0].type
    if not isinstance(kind, TupleType):
        raise InternalError(f"{inputs[0]!r} has one result")
    return kind.items[attrs["index"]]  # type: ignore[no-any-return]


def _get_dims(node: Node) -> tuple[Dim, ...]:
    bundle = node.inputs[0]
    if "dims" not in bundle.__dict__:
        bundle.__dict__["dims"] = bundle.op.dims(bundle)
    return bundle.__dict__["dims"][node.attrs["index"]]  # type: ignore[no-any-return]


_get = register(
    Op(
        name="get",
        kind=Kind.PROJECT,
        attrs=("index",),
        infer=_infer_get,
        dims=_get_dims,
        weight=0,
        reference=lambda bundle, index: bundle[index],
        doc="One result of an op that has several.",
    )
)


def get(node: Node, index: int) -> Any:
    """Return a result of an op that has several; of a `pack`, what was packed.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.dscalar("x")
    >>> get(pack([x, x + 1]), 1)
    x + 1
    """
    if node.op is _pack:
        return node.inputs[index]
    return apply(_get, node, index=index)


def results(node: Node) -> list[Node]:
    """Return all results of a node."""
    if not is_tuple(node):
        return [node]
    kind: Any = node.type
    return [get(node, i) for i in range(len(kind.items))]


def _infer_pack(inputs: tuple[Node, ...], attrs: Attrs) -> TupleType:
    return TupleType(tuple(node.type for node in inputs))


_pack = register(
    Op(
        name="pack",
        kind=Kind.PROJECT,
        infer=_infer_pack,
        dims=lambda node: tuple(sizes(child) for child in node.inputs),
        vjp=lambda g, out, *nodes: g,
        weight=0,
        reference=lambda *values: values,
        doc="Several nodes as one, in place of an op with several results.",
    )
)


def pack(nodes: list[Node]) -> Any:
    """Return nodes bundled: what a rule gives for an op with several results."""
    return apply(_pack, *nodes)
