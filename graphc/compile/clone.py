"""``graphc.clone``: an expression with parts of it replaced, or over inputs of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.compile.arguments import Out
from graphc.compile.function import fitting
from graphc.compile.shared import SharedVariable
from graphc.errors import GraphcTypeError, message
from graphc.ir.node import INPUT, Node, as_node, input_node, operand
from graphc.ir.replace import substitute
from graphc.ir.source import here
from graphc.ir.types import LANGUAGE
from graphc.ir.walk import toposort


def clone(
    output: Any,
    replace: Any = None,
    strict: bool = True,
    share_inputs: bool = True,
    copy_inputs: bool | None = None,
) -> Any:
    """Return expressions with parts of them replaced.

    Parameters
    ----------
    output : Node, Out, or a list, tuple or dict of them
        What to write anew; the expressions themselves never change.
    replace : dict, or sequence of (Node, Node), optional
        What takes the place of what, all at once.
    strict : bool
        True wants replacements of the same dtype and rank; False casts where nothing is lost.
    share_inputs : bool
        False gives the result inputs of its own, and shared variables of its own, whose values
        are still those of the old ones: see `SharedVariable.clone`.
    copy_inputs : bool, optional
        An older name of ``share_inputs``.

    Returns
    -------
    Node, or what was given with a Node in each place

    Raises
    ------
    GraphcTypeError
        If something other than an expression is to be replaced, or, with ``strict``, a
        replacement has another dtype or rank.
    DTypeError, ShapeError
        If a replacement does not fit.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> graphc.clone(T.exp(x) + x, replace={x: 2 * y})
    exp(2 * y) + 2 * y
    """
    if isinstance(output, Mapping):
        values = clone(list(output.values()), replace, strict, share_inputs, copy_inputs)
        return dict(zip(output, values, strict=True))
    single = not isinstance(output, (list, tuple))
    outputs = [_expression(item) for item in ([output] if single else output)]
    changed = _replacements(replace, strict)
    if not (share_inputs if copy_inputs is None else copy_inputs):
        changed = _own_leaves(outputs, changed)
    made = substitute(outputs, changed)
    return made[0] if single else type(output)(made)


def _expression(item: Any) -> Node:
    return as_node(item.variable if isinstance(item, Out) else item)


def _replacements(replace: Any, strict: bool) -> dict[Node, Node]:
    items = list(replace.items()) if isinstance(replace, Mapping) else list(replace or ())
    found: dict[Node, Node] = {}
    for item in items:
        if not isinstance(item, (tuple, list)) or len(item) != 2 or not isinstance(item[0], Node):
            raise GraphcTypeError(
                message(f"clone replaces expressions by pairs, not {item!r}", (), here())
            )
        old, new = item[0], as_node(item[1], item[0].dtype if _weak(item[1]) else None)
        if strict and (new.dtype, new.ndim) != (old.dtype, old.ndim):
            raise GraphcTypeError(
                message(
                    "a replacement is of another type",
                    [operand(old), operand(new)],
                    here(),
                    "strict=False casts it, where nothing is lost",
                )
            )
        found[old] = fitting(new, old, "the replacement")
    return found


def _weak(value: Any) -> bool:
    return type(value) in (int, float, bool)


def _own_leaves(outputs: Sequence[Node], changed: dict[Node, Node]) -> dict[Node, Node]:
    """Add a new leaf for each old one that stays, in the replacements, too."""
    fresh: dict[Node, Node] = {}
    for node in toposort([*substitute(outputs, changed)]):
        if isinstance(node, SharedVariable):
            fresh[node] = node.clone()
        elif node.op is INPUT:
            fresh[node] = input_node(node.type, node.name)
    replaced = substitute(changed.values(), fresh)
    return {**fresh, **dict(zip(changed, replaced, strict=True))}


LANGUAGE["clone"] = clone
