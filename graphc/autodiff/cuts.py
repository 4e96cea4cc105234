"""Why no gradient reaches an expression: which op on the way lets none through.

For messages only. The reverse pass does not need it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from graphc.autodiff.loops import loop_entries
from graphc.autodiff.reverse import gradients
from graphc.ir import dtypes
from graphc.ir.node import DIM, Node, is_tuple
from graphc.ir.op import OPS
from graphc.ir.types import LANGUAGE
from graphc.ir.walk import depends_on, toposort
from graphc.ops.results import results


class Path(NamedTuple):
    """How outputs depend on an expression.

    ``exists`` says whether they use it at all. If they do, ``cut`` is where its gradient ends and
    ``why`` the reason; None if it does not end.
    """

    exists: bool
    cut: Node | None = None
    why: str = ""


def trace(outputs: Sequence[Node], x: Node, constant: Collection[Node] = ()) -> Path:
    """Return how outputs depend on ``x``, and what cuts the way of its gradient.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.dscalar("x")
    >>> trace([x * (x > 0)], x)
    Path(exists=True, cut=None, why='')
    >>> trace([T.exp(x) * 0 + T.cast(x > 0, "float64")], x).exists
    True
    >>> trace([1 - T.cast(x > 0, "float64")], x).why
    'x > 0 is bool, and only floats pass gradients'
    """
    order = toposort(outputs)
    users = depends_on(order, {x})
    outputs = [output for output in outputs if output in users]
    if not outputs:
        return Path(exists=False)
    found: list[Path] = []
    reached: set[Node] = set()
    for output in outputs:
        _arrive(output, users, constant, reached, found)
    for node in reversed(order):
        if node not in reached or node is x:
            continue
        for child in _inputs_with_gradient(node, users, found):
            _arrive(child, users, constant, reached, found)
    return Path(exists=True) if x in reached else found[0]


def _inputs_with_gradient(node: Node, users: set[Node], found: list[Path]) -> Iterator[Node]:
    if node.op.vjp is None and node.op is not OPS["scan"]:
        yield from users.intersection(node.inputs)
        return
    for child, entry in zip(node.inputs, _entries(node, users), strict=True):
        if child not in users:
            continue
        if entry is not None or not _is_float(child):
            yield child
        else:
            why = node.op.details.get("cuts")
            if node.op is OPS["scan"]:
                why = f"no result of the loop that is used changes with {_label(child)}"
            why = why or f"{node.op.name} uses only the shape of {_label(child)}"
            found.append(Path(True, node, why))


def _entries(node: Node, users: set[Node]) -> Sequence[Any]:
    """Return what the gradient of an op gives each input: None where it gives nothing."""
    if node.op is OPS["scan"]:
        given = [one if _is_float(one) else None for one in results(node)]
        active = {user for user in users if not is_tuple(user) and _is_float(user)}
        return loop_entries(node, given, active, gradients)
    assert node.op.vjp is not None
    g = results(node) if is_tuple(node) else node
    return node.op.vjp(g, node, *node.inputs)


def _arrive(
    node: Node,
    users: set[Node],
    constant: Collection[Node],
    reached: set[Node],
    found: list[Path],
) -> None:
    """Note that a gradient comes to a node, and goes on or ends there."""
    if node in constant:
        found.append(Path(True, node, f"{_label(node)} is in consider_constant"))
    elif _is_float(node):
        reached.add(node)
    else:
        end = _first_discrete(node, users)
        why = f"{_label(end)} is {end.type.dtype}, and only floats pass gradients"
        if end.op is DIM:
            why = f"only the size of {_label(end.inputs[0])} is used, and sizes are integers"
        found.append(Path(True, end, why))


def _first_discrete(node: Node, users: set[Node]) -> Node:
    """Return the op at which floats that depend on ``x`` become integers or bools."""
    while node.op is not DIM:
        inside = [child for child in node.inputs if child in users]
        if not inside or any(map(_is_float, inside)):
            break
        node = inside[0]
    return node


def _is_float(node: Node) -> bool:
    return is_tuple(node) or dtypes.is_float(node.type.dtype)


def _label(node: Node) -> str:
    return LANGUAGE["label"](node)  # type: ignore[no-any-return]
