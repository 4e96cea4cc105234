"""The reverse pass over simplified expressions: the gradient of a stable form is stable.

This is the first layer that knows rewriting and differentiation; the pass itself is in
``autodiff/``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.autodiff.reverse import gradients
from graphc.config import config
from graphc.errors import GraphcTypeError, message
from graphc.gradient.arguments import as_seed, label
from graphc.ir.node import Node, const, input_node, operand
from graphc.ir.op import Undefined
from graphc.ir.replace import substitute
from graphc.ir.source import here
from graphc.ir.types import TensorType
from graphc.ir.walk import toposort
from graphc.ops.movement import fill
from graphc.rewrite.pipeline import simplify


class NullTypeGradError(GraphcTypeError):
    """A gradient that is not defined is needed."""


_PHASES = ("canonical", "stabilise")


def simplified_gradients(
    outputs: Sequence[Node],
    seeds: Sequence[Node],
    wrt: Sequence[Node],
    constant: Sequence[Node],
    fixed: Sequence[Node] = (),
) -> list[Node | Undefined | None]:
    """Differentiate simplified outputs by nodes that simplification leaves alone."""
    if not config.optimizer:
        return gradients(outputs, seeds, wrt, constant, fixed)
    named = list(dict.fromkeys([*wrt, *fixed]))
    inner = _with_another_below(named, set(constant))
    if inner:
        found = _in_layers(outputs, seeds, named, inner, constant, fixed)
        return [found[x] for x in wrt]
    simple = simplify(outputs, _PHASES, {*named, *constant})
    return gradients(simple, seeds, wrt, constant, fixed)


def simplified_products(
    outputs: Sequence[Node],
    wrt: Sequence[Node],
    points: Sequence[Any],
    constant: Sequence[Node] = (),
) -> list[Node | Undefined | None]:
    """Return how outputs change when ``wrt`` moves by ``points``; None for those that do not.

    The gradient of an output with a seed ``u`` is linear in ``u``, so its gradient by ``u`` is the
    change sought, and no op needs a rule for it.
    """
    # a fresh scalar makes each seed a node of its own, with the sizes of its output
    scalars = [input_node(TensorType(node.type.dtype, ())) for node in outputs]
    free = [fill(node, scalar) for node, scalar in zip(outputs, scalars, strict=True)]
    pairs = zip(simplified_gradients(outputs, free, wrt, constant), wrt, points, strict=True)
    linear = [
        (defined(g, x, "raise"), as_seed(x, v, "direction")) for g, x, v in pairs if g is not None
    ]
    found = gradients([g for g, _ in linear], [v for _, v in linear], free)
    gone = {scalar: const(0, scalar.type.dtype) for scalar in scalars}  # left in shapes only
    return [substitute([g], gone)[0] if isinstance(g, Node) else g for g in found]


def _in_layers(
    outputs: Sequence[Node],
    seeds: Sequence[Node],
    named: Sequence[Node],
    inner: Sequence[Node],
    constant: Sequence[Node],
    fixed: Sequence[Node],
) -> dict[Node, Node | Undefined | None]:
    """Differentiate down to the named nodes, and then from each of the inner ones on.

    So each is simplified too, although what it becomes may be equal to something else.
    """
    found: dict[Node, Node | Undefined | None] = dict.fromkeys(named)

    def spread(tops: Sequence[Node], seeds: Sequence[Node], leaves: list[Node]) -> None:
        simple = simplify(tops, _PHASES, {*leaves, *constant})
        kept = [x for x in fixed if x in tops]
        parts = gradients(simple, seeds, leaves, constant, kept, leaves)
        for x, g in zip(leaves, parts, strict=True):
            if g is not None and (x not in fixed or x in kept):
                found[x] = _added(found[x], g)

    spread(outputs, seeds, list(named))
    for node in reversed(inner):
        g = found[node]
        if isinstance(g, Node):
            spread([node], [g], [x for x in named if x is not node])
        elif g is not None:
            found.update(dict.fromkeys(set(toposort([node])).intersection(named), g))
    return found


def _added(a: Node | Undefined | None, b: Node | Undefined) -> Node | Undefined:
    if a is None or isinstance(b, Undefined):
        return b
    return a if isinstance(a, Undefined) else a + b


def _with_another_below(named: Sequence[Node], constant: set[Node]) -> list[Node]:
    """Return the named expressions that are computed from other named ones, inputs first."""
    order = toposort(named, stop=constant)
    wanted = set(named) - constant
    above: set[Node] = set()
    for node in order:
        inputs = set(node.inputs)
        if node not in constant and not (above.isdisjoint(inputs) and wanted.isdisjoint(inputs)):
            above.add(node)
    return [node for node in order if node in above and node in wanted]


def defined(g: Node | Undefined, x: Node, null_gradients: str) -> Any:
    if isinstance(g, Undefined) and null_gradients == "raise":
        raise NullTypeGradError(
            message(
                f"grad: the gradient by {label(x)} is not defined: {g.why}", [operand(x)], here()
            )
        )
    return g
