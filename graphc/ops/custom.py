"""Ops that are there for their gradient: identities that change it, functions that bring their own.

All of them are taken apart before a program is rewritten: by then gradients have been taken, and
nothing may stand between two ops that a rule wants to see together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import GraphcTypeError, message
from graphc.ir import dtypes
from graphc.ir.graph import Graph
from graphc.ir.node import Node, apply, as_node, is_tuple, operand, rebuild
from graphc.ir.op import OPS, Kind, Op, Undefined, Vjp, register
from graphc.ir.shapes import located, sizes
from graphc.ir.source import here
from graphc.ir.types import Attrs, TupleType, Type
from graphc.ir.walk import toposort, transform
from graphc.ops.control import Loop, scan_op
from graphc.ops.elementwise import clip, zero_for
from graphc.ops.family import Builder, builder, to_dtype
from graphc.ops.movement import fill
from graphc.ops.results import get, pack, results

# -- identities -----------------------------------------------------------------------------------


def _prepare_identity(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    x = as_node(args[0])
    bounds = [to_dtype(arg, x.type.dtype) for arg in args[1:]]
    for bound in bounds:
        if bound.type.ndim:
            raise GraphcTypeError(
                message(
                    f"{op.name} takes numbers besides its first operand", [operand(bound)], here()
                )
            )
    return (x, *bounds)


def _identity(name: str, vjp: Vjp, doc: str, why: str = "") -> Builder:
    return builder(
        register(
            Op(
                name=name,
                kind=Kind.COMPOSITE,
                infer=lambda inputs, attrs: inputs[0].type,
                dims=lambda node: sizes(node.inputs[0]),
                prepare=_prepare_identity,
                vjp=vjp,
                expand=lambda x, *numbers: x,
                weight=1,
                reference=lambda x, *numbers: x,
                doc=doc,
                details={"inline": True, "cuts": why},
            )
        )
    )


zero_grad = _identity(
    "zero_grad",
    lambda g, out, x: [zero_for(x)],
    "x itself, with a gradient of zero.",
)
disconnected_grad = _identity(
    "disconnected_grad",
    lambda g, out, x: [None],
    "x itself, with no gradient: as if what follows did not depend on x.",
    "disconnected_grad lets no gradient through",
)
undefined_grad = _identity(
    "undefined_grad",
    lambda g, out, x: [Undefined("undefined_grad stands in the way")],
    "x itself; to ask for its gradient is an error.",
)
grad_clip = _identity(
    "grad_clip",
    lambda g, out, x, low, high: [clip(g, low, high), None, None],
    "x itself; its gradient is clipped to the range between two numbers.",
)
grad_scale = _identity(
    "grad_scale",
    lambda g, out, x, factor: [g * factor, None],
    "x itself; its gradient is multiplied by a number.",
)


# -- functions with a gradient of their own -------------------------------------------------------

Slot = int | str | None
"""Where the gradient of an argument is: a result of ``backward``; why there is none; nowhere."""


def _body(node_inputs: tuple[Node, ...], attrs: Attrs) -> tuple[Node, ...]:
    body: Graph = attrs["body"]
    return body(*node_inputs[: len(body.params)])


def _infer_custom(inputs: tuple[Node, ...], attrs: Attrs) -> Type:
    found = [node.type for node in _body(inputs, attrs)]
    return found[0] if len(found) == 1 else TupleType(tuple(found))


def _custom_dims(node: Node) -> tuple[Any, ...]:
    found = tuple(sizes(result) for result in _body(node.inputs, node.attrs))
    return found if is_tuple(node) else found[0]


def _custom_checks(node: Node) -> list[tuple[Any, ...]]:
    inside = toposort(_body(node.inputs, node.attrs), stop=set(node.inputs))
    known = set(node.inputs)
    return [
        located(check, below)
        for below in inside
        if below not in known
        for check in below.op.checks(below)
    ]


def _custom_vjp(g: Any, out: Node, *inputs: Node) -> list[Node | Undefined | None]:
    attrs = out.attrs
    own = results(out)
    given = g if is_tuple(out) else [g]
    seeds = [fill(value, 0) if one is None else one for one, value in zip(given, own, strict=True)]
    arguments = inputs[: len(attrs["slots"])]
    captured = inputs[len(attrs["slots"]) + attrs["forward"] :]
    found = attrs["backward"](*seeds, *own, *arguments, *captured)
    entries = [
        Undefined(slot) if isinstance(slot, str) else None if slot is None else found[slot]
        for slot in attrs["slots"]
    ]
    outer = Undefined(f"{attrs['called']} has no gradient by what is not among its arguments")
    rest = inputs[len(attrs["slots"]) :]
    return entries + [outer if dtypes.is_float(x.type.dtype) else None for x in rest]


def _expand_custom(*inputs: Node, body: Graph, **attrs: Any) -> Any:
    found = body(*inputs[: len(body.params)])
    return found[0] if len(found) == 1 else pack(list(found))


custom = register(
    Op(
        name="custom",
        kind=Kind.COMPOSITE,
        attrs=("called", "body", "backward", "slots", "forward"),
        infer=_infer_custom,
        dims=_custom_dims,
        checks=_custom_checks,
        vjp=_custom_vjp,
        expand=_expand_custom,
        weight=1,
        doc="A function of the user's with a gradient of its own.",
        details={"inline": True},
    )
)


def apply_custom(
    called: str,
    arguments: Sequence[Node],
    body: tuple[Graph, tuple[Node, ...]],
    backward: tuple[Graph, tuple[Node, ...]],
    slots: Sequence[Slot],
) -> Node:
    """Return an application of a function with its own gradient.

    Parameters
    ----------
    called : str
        Its name, for people.
    arguments : sequence of Node
    body, backward : (Graph, tuple of Node)
        A closed graph and the leaves it captured. ``body`` takes the arguments; ``backward`` takes
        the gradients of all results, the results and the arguments.
    slots : sequence of int, str or None
        For each argument which result of ``backward`` its gradient is; see `Slot`.
    """
    inputs = (*arguments, *body[1], *backward[1])
    return apply(  # type: ignore[no-any-return]
        custom,
        *inputs,
        called=called,
        body=body[0],
        backward=backward[0],
        slots=tuple(slots),
        forward=len(body[1]),
    )


def inlined(outputs: Sequence[Node]) -> list[Node]:
    """Return expressions without what is there only for gradients, in loops too."""
    return transform(outputs, _without) if _has_some(outputs) else list(outputs)


def _has_some(outputs: Sequence[Node]) -> bool:
    """Tell whether there is something to inline. Recurses over loops in loops."""
    return any(
        node.op.details.get("inline")
        or (node.op is scan_op and _has_some(node.attrs["body"].results))
        for node in toposort(outputs)
    )


def _without(node: Node, inputs: tuple[Node, ...]) -> Node:
    if node.op is OPS["get"]:
        return get(inputs[0], node.attrs["index"])  # type: ignore[no-any-return]
    if node.op is scan_op and _has_some(node.attrs["body"].results):
        loop = Loop.open(rebuild(node, inputs))
        loop.results = inlined(loop.results)
        return loop.close()
    if not node.op.details.get("inline"):
        return rebuild(node, inputs)
    assert node.op.expand is not None
    (found,) = inlined([node.op.expand(*inputs, **node.attrs)])  # functions inside of functions
    return found
