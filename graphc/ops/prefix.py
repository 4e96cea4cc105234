"""Sums and products of all that comes before along an axis, and the recurrence behind them."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, const, operand
from graphc.ir.op import Domain, Kind, Op, register
from graphc.ir.shapes import Dim, sizes
from graphc.ir.source import here
from graphc.ir.types import Attrs, TensorType
from graphc.ops.elementwise import cast
from graphc.ops.family import broadcast_checks, broadcast_dims, broadcast_shape, builder
from graphc.ops.movement import expand
from graphc.ops.parts import join, slice_axes


def _with_axis(op: Op, x: Node) -> Node:
    if not x.type.ndim:
        raise GraphcTypeError(message(f"{op.name} needs an axis", [operand(x)], here()))
    return x


def _prepare(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    x = _with_axis(op, as_node(args[0]))
    return (cast(x, "int64") if x.type.dtype == dtypes.BOOL else x,)


def _own_type(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    return inputs[0].type


def _own_dims(node: Node) -> tuple[Dim, ...]:
    return sizes(node.inputs[0])


def _reversed(x: Node, axis: int) -> Node:
    return x[(slice(None),) * axis + (slice(None, None, -1),)]


def _before(x: Node, axis: int, first: float) -> Node:
    """Return x moved by one place along an axis, with a number at the first place."""
    shape = sizes(x)
    start = expand(const(first, x.type.dtype), [*shape[:axis], 1, *shape[axis + 1 :]])
    return slice_axes(join(axis, [start, x]), [axis], [0], [shape[axis]], [1])  # type: ignore[no-any-return]


def _cumsum_vjp(g: Node, out: Node, x: Node) -> list[Node]:
    axis = out.attrs["axis"]
    return [_reversed(cumsum(_reversed(g, axis), axis=axis), axis)]


def _cumprod_vjp(g: Node, out: Node, x: Node) -> list[Node]:
    # nothing is divided by x, which may be 0
    axis = out.attrs["axis"]
    return [recurrence(g, x, axis=axis, adjoint=True) * _before(out, axis, 1)]


def _accumulation(name: str, vjp: Any, domain: Domain, doc: str) -> Any:
    function = getattr(np, name)
    return builder(
        register(
            Op(
                name=name,
                kind=Kind.CALL,
                attrs=("axis",),
                infer=_own_type,
                dims=_own_dims,
                prepare=_prepare,
                vjp=vjp,
                weight=12,
                domain=(domain,),
                reference=lambda x, axis: function(x, axis, x.dtype),
                doc=doc,
            )
        )
    )


cumsum = _accumulation(
    "cumsum", _cumsum_vjp, Domain(-3.0, 3.0), "The sums of all elements up to each along an axis."
)
cumprod = _accumulation(
    "cumprod",
    _cumprod_vjp,
    Domain(-2.0, 2.0),
    "The products of all elements up to each along an axis.",
)

# -- the recurrence -------------------------------------------------------------------------------


def _prepare_recurrence(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    b, c = (_with_axis(op, as_node(arg)) for arg in args)
    common = dtypes.floating(b.type.dtype, c.type.dtype)
    return cast(b, common), cast(c, common)


def _infer_recurrence(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    return TensorType(inputs[0].type.dtype, broadcast_shape("recurrence", inputs))


def _recurrence_vjp(g: Node, out: Node, b: Node, c: Node) -> list[Node]:
    axis, adjoint = out.attrs["axis"], out.attrs["adjoint"]
    back = recurrence(g, c, axis=axis, adjoint=not adjoint)
    if adjoint:
        return [back, _before(back, axis, 0) * out]
    return [back, back * _before(out, axis, 0)]


def _recurrence_reference(b: Any, c: Any, axis: int, adjoint: bool) -> Any:
    found = np.zeros_like(b)
    b, c, h = (np.moveaxis(array, axis, 0) for array in (b, c, found))
    if adjoint:
        for k in reversed(range(len(b))):
            h[k] = b[k] + (c[k + 1] * h[k + 1] if k + 1 < len(b) else 0)
    else:
        for k in range(len(b)):
            h[k] = b[k] + (c[k] * h[k - 1] if k else 0)
    return found


recurrence = builder(
    register(
        Op(
            name="recurrence",
            kind=Kind.CALL,
            attrs=("axis", "adjoint"),
            infer=_infer_recurrence,
            dims=broadcast_dims,
            prepare=_prepare_recurrence,
            checks=broadcast_checks,
            vjp=_recurrence_vjp,
            weight=20,
            domain=(Domain(-2.0, 2.0),),
            reference=_recurrence_reference,
            doc="h[k] = b[k] + c[k] * h[k - 1] along an axis; its adjoint goes back from the end: "
            "h[k] = b[k] + c[k + 1] * h[k + 1].",
        )
    )
)
