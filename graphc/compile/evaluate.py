"""``x.eval({...})``: compile and call at once, for looking at values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.compile.compiled import CompiledFunction
from graphc.compile.function import function
from graphc.config import config
from graphc.errors import GraphcTypeError, MissingInputError, message
from graphc.ir.node import INPUT, Node, operand
from graphc.ir.source import here
from graphc.ir.types import LANGUAGE
from graphc.ir.walk import toposort


def evaluate(node: Node, inputs_to_values: Mapping[Any, Any] | None = None) -> Any:
    """Return the value of an expression.

    The compiled function is kept with the expression, so evaluating it again is fast.

    Parameters
    ----------
    node : Node
        The expression.
    inputs_to_values : mapping, optional
        The value of each input, by the input itself or by its name.

    Raises
    ------
    MissingInputError
        If an input has no value, or there is no input of a given name.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> (x * y).eval({x: 2.0, "y": 4.0})
    array(8.)
    """
    if inputs_to_values is not None and not isinstance(inputs_to_values, Mapping):
        raise GraphcTypeError(
            message(
                f"eval takes a dict of values, not {inputs_to_values!r}", [operand(node)], here()
            )
        )
    given = dict(inputs_to_values or {})
    named = {leaf.name: leaf for leaf in toposort([node]) if leaf.op is INPUT and leaf.name}
    values: dict[Node, Any] = {}
    for key, value in given.items():
        if isinstance(key, str) and key not in named:
            raise MissingInputError(
                message(f"the expression has no input named {key!r}", [operand(node)], here())
            )
        if not isinstance(key, (str, Node)):
            raise GraphcTypeError(
                message(f"an input is given by variable or name, not {key!r}", (), here())
            )
        values[named[key] if isinstance(key, str) else key] = value
    kept: dict[Any, CompiledFunction] = node.__dict__.setdefault("_evaluators", {})
    key = (*values, config.backend, config.device, config.optimizer)
    if key not in kept:
        kept[key] = function(list(values), node, on_unused_input="ignore", name="eval")
    return kept[key](*values.values())


LANGUAGE["eval"] = evaluate
