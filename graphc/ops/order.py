"""Order along an axis: sorted elements, and the places they came from."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, operand
from graphc.ir.op import Kind, Op, register
from graphc.ir.shapes import Dim, as_size_node, sizes
from graphc.ir.source import here
from graphc.ir.types import Attrs, TensorType
from graphc.ops.family import builder
from graphc.ops.index import gather
from graphc.ops.movement import dimshuffle
from graphc.ops.parts import iota


def _prepare(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    x = as_node(args[0])
    if not x.type.ndim:
        raise GraphcTypeError(message(f"{op.name} needs an axis", [operand(x)], here()))
    return (x,)


def _own_type(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    return inputs[0].type


def _place_type(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    return inputs[0].type.with_dtype(dtypes.INDEX)


def _own_dims(node: Node) -> tuple[Dim, ...]:
    return sizes(node.inputs[0])


def take_along(x: Node, places: Node, axis: int) -> Node:
    """Return the elements of x at places along an axis, one place for each element of x."""
    rank = x.type.ndim
    indices: list[Node] = []
    for other, size in enumerate(sizes(x)):
        counted = iota(as_size_node(size))
        pattern = [0 if k == other else "x" for k in range(rank)]
        indices.append(places if other == axis else dimshuffle(counted, pattern))
    return gather(x, indices)  # type: ignore[no-any-return]


def _sort_vjp(g: Node, out: Node, x: Node) -> list[Node]:
    axis = out.attrs["axis"]
    to = argsort(argsort(x, axis=axis), axis=axis)  # where each element went
    return [take_along(g, to, axis)]


def _call(name: str, infer: Any, vjp: Any, reference: Any, doc: str) -> Any:
    return builder(
        register(
            Op(
                name=name,
                kind=Kind.CALL,
                attrs=("axis",),
                infer=infer,
                dims=_own_dims,
                prepare=_prepare,
                vjp=vjp,
                weight=60,
                reference=reference,
                doc=doc,
            )
        )
    )


sort = _call(
    "sort",
    _own_type,
    _sort_vjp,
    lambda x, axis: np.sort(x, axis),
    "The elements along an axis in rising order; NaN comes last.",
)
argsort = _call(
    "argsort",
    _place_type,
    lambda g, out, x: [None],
    lambda x, axis: np.argsort(x, axis, kind="stable"),
    "The places of the elements along an axis in rising order; equal ones stay in theirs.",
)
