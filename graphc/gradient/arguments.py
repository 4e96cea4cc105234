"""What users give to `grad` and its relatives, checked and brought into one form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError, GraphcValueError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, input_node, operand
from graphc.ir.shapes import sizes
from graphc.ir.source import here
from graphc.ir.types import LANGUAGE
from graphc.ops.movement import fill


def listed(given: Any) -> list[Any]:
    """Return one thing, several of them or a dict of them as a list."""
    if given is None:
        return []
    if isinstance(given, Mapping):
        return list(given.values())
    return list(given) if is_several(given) else [given]


def is_several(given: Any) -> bool:
    """Tell whether an argument is a list, a tuple or a dict rather than one thing."""
    return isinstance(given, Iterable) and not isinstance(given, (Node, np.ndarray))


def as_given(given: Any, results: list[Any]) -> Any:
    """Return results in the form of the argument they belong to."""
    if isinstance(given, Mapping):
        return dict(zip(given, results, strict=True))
    if isinstance(given, tuple):
        return tuple(results)
    return results if is_several(given) else results[0]


def variable(x: Any) -> Node:
    """Return something to differentiate by, sure that it has a gradient."""
    if not isinstance(x, Node):
        raise GraphcTypeError(
            message(f"grad: cannot differentiate by {x!r}: it is not symbolic", (), here())
        )
    if dtypes.is_discrete(x.type.dtype):
        name = label(x)
        raise GraphcTypeError(
            message(
                f"grad: {name} is {x.type.dtype}, and only floats have gradients",
                [operand(x)],
                here(),
                f"declare it as a float, or write the cost with xf = T.cast({name}, 'float64')"
                " and differentiate by xf",
            )
        )
    return x


def checked_cost(cost: Node) -> Node:
    """Return a cost, sure that it is a float scalar."""
    if cost.type.ndim:
        raise GraphcTypeError(
            message(
                "grad: the cost is an array, and only a scalar has a gradient",
                [operand(cost)],
                here(),
                "reduce it first, with .sum() or .mean()",
            )
        )
    if dtypes.is_discrete(cost.type.dtype):
        raise GraphcTypeError(
            message(
                f"grad: the cost is {cost.type.dtype}, and only floats have gradients",
                [operand(cost)],
                here(),
                "compute it from floats: a cast at the end would cut every gradient",
            )
        )
    return cost


def known_pairs(given: Any) -> dict[Node, Any]:
    """Return ``known_grads`` as a dict."""
    pairs = given.items() if isinstance(given, Mapping) else given or ()
    return {variable(node): g for node, g in pairs}


def matched(what: str, nodes: Any, points: Any) -> tuple[list[Node], list[Any]]:
    """Return two lists of the same length, without the places where no point is given."""
    chosen, given = listed(nodes), listed(points)
    if len(chosen) != len(given):
        raise GraphcValueError(
            message(f"{what} has {len(chosen)} entries, eval_points has {len(given)}", (), here())
        )
    pairs = [(as_node(x), v) for x, v in zip(chosen, given, strict=True) if v is not None]
    return [x for x, _ in pairs], [v for _, v in pairs]


def as_seed(node: Node, given: Any, what: str = "gradient") -> Node:
    """Return a gradient or direction of a node in the node's shape, which a call checks."""
    g = given if isinstance(given, (int, float)) else as_node(given)
    mine = node.type.shape
    theirs = g.type.shape if isinstance(g, Node) else ()
    fits = len(theirs) in (0, len(mine)) and all(
        other in (None, 1) or own in (None, other)
        for own, other in zip(mine, theirs or mine, strict=True)
    )
    if not fits:
        raise ShapeError(
            message(
                f"the {what} of {label(node)} has another shape than {label(node)}",
                [operand(node), operand(as_node(g))],
                here(),
            )
        )
    return fill(node, g)  # type: ignore[no-any-return]


def label(node: Node) -> str:
    """Return the words for a node in a message."""
    return LANGUAGE["label"](node)  # type: ignore[no-any-return]


def stand_in(node: Node) -> Node:
    """Return an input in the place of something of the type and sizes of a node."""
    leaf = input_node(node.type, node.name)
    leaf._sizes = sizes(node)
    return leaf
