"""What the function of a loop returns: outputs, updates of shared variables, and when to stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.control.updates import OrderedUpdates
from graphc.errors import GraphcTypeError, message
from graphc.ir.node import SHARED, Node, as_node, operand
from graphc.ir.source import Location, here
from graphc.ops.elementwise import cast


class until:
    """What the function of a `scan` returns beside its outputs to stop the loop.

    The step in which the condition holds is the last one; its outputs count.

    Parameters
    ----------
    condition : scalar expression
        Zero or false to go on.

    Examples
    --------
    >>> import graphc
    >>> powers, _ = graphc.scan(
    ...     lambda x: (x * 2, until(x * 2 > 100)), outputs_info=1.0, n_steps=1000
    ... )
    >>> graphc.function([], powers)()
    array([  2.,   4.,   8.,  16.,  32.,  64., 128.])
    """

    def __init__(self, condition: Any) -> None:
        node = as_node(condition)
        if node.type.ndim:
            raise GraphcTypeError(
                message(
                    "the condition of until is one value, not an array",
                    [operand(node)],
                    here(),
                    "condition.any() and condition.all() are one value",
                )
            )
        self.condition: Node = cast(node, "bool")


@dataclass
class Returned:
    """The parts of what a function returned."""

    outputs: list[Any] = field(default_factory=list)
    updates: OrderedUpdates = field(default_factory=OrderedUpdates)
    stop: Node | None = None


def read(value: Any, fn: Callable[..., Any]) -> Returned:
    """Return the parts of what ``fn`` returned, in whatever order and form they stand.

    Raises
    ------
    GraphcTypeError
        If something is no output, no update and no `until`.
    """
    found = Returned()
    if value is None:
        raise _wrong("the function of a loop returned None", fn, "does it lack a return?")
    if isinstance(value, (Mapping, until)) or _is_value(value) or _are_updates(value):
        _add(found, value, fn)
        return found
    if not isinstance(value, (list, tuple)):
        raise _wrong(f"the function of a loop returned {value!r}", fn, _FORMS)
    if all(map(_is_value, value)):
        found.outputs = list(value)
        return found
    for part in value:
        _add(found, part, fn)
    return found


_FORMS = (
    "return outputs, then updates if there are any (a dict, or a list of pairs of a shared\n"
    "variable and its new value), then until(condition) if the loop may stop"
)


def _add(found: Returned, part: Any, fn: Callable[..., Any]) -> None:
    """Take one part: a value, a list of values, updates, or a condition."""
    if isinstance(part, until):
        if found.stop is not None:
            raise _wrong("the function of a loop returned two conditions", fn, _FORMS)
        found.stop = part.condition
    elif isinstance(part, Mapping):
        found.updates.update(part)
    elif _are_updates(part):
        found.updates.update(dict(part))
    elif _is_value(part):
        found.outputs.append(part)
    elif isinstance(part, (list, tuple)) and all(map(_is_value, part)):
        found.outputs.extend(part)
    else:
        raise _wrong(f"the function of a loop returned {part!r} among others", fn, _FORMS)


def _is_value(part: Any) -> bool:
    return isinstance(part, (Node, int, float, np.ndarray, np.generic))


def _are_updates(part: Any) -> bool:
    """Tell whether this is a list of pairs, each of a shared variable and its new value."""
    return isinstance(part, (list, tuple)) and bool(part) and all(map(_is_update, part))


def _is_update(pair: Any) -> bool:
    if not isinstance(pair, (list, tuple)) or len(pair) != 2:
        return False
    return isinstance(pair[0], Node) and pair[0].op is SHARED


def line_of(fn: Callable[..., Any]) -> Location | None:
    """Return the line where a function is written, or the user's line if that is not known."""
    code = getattr(fn, "__code__", None)
    return here() if code is None else Location(code.co_filename, code.co_firstlineno)


def _wrong(what: str, fn: Callable[..., Any], hint: str) -> GraphcTypeError:
    return GraphcTypeError(message(what, (), line_of(fn), hint))
