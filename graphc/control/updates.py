"""Updates that loops give back, and a notice for those that nobody took."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterable
from typing import Any

from graphc.errors import GraphcTypeError, GraphcValueError, message
from graphc.ir.node import SHARED, Node, operand
from graphc.ir.source import here, warn
from graphc.ir.walk import toposort


class OrderedUpdates(dict[Any, Any]):
    """New values of shared variables: a dict whose keys are checked, and which can be added.

    Examples
    --------
    >>> import graphc
    >>> a, b = graphc.shared(0, "a"), graphc.shared(0, "b")
    >>> both = OrderedUpdates({a: a + 1}) + {b: b + 2}
    >>> list(both.values())
    [a + 1, b + 2]
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.update(*args, **kwargs)

    def __setitem__(self, key: Any, value: Any) -> None:
        if not (isinstance(key, Node) and key.op is SHARED):
            shown = [operand(key)] if isinstance(key, Node) else ()
            raise GraphcTypeError(
                message(f"only shared variables have updates, not {key!r}", shown, here())
            )
        super().__setitem__(key, value)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Take updates over.

        Raises
        ------
        GraphcValueError
            If a variable would get two different new values.
        """
        for key, value in dict(*args, **kwargs).items():
            if key in self and self[key] is not value:
                raise GraphcValueError(
                    message("a shared variable has two updates", [operand(key)], here())
                )
            self[key] = value

    def __add__(self, other: Any) -> OrderedUpdates:
        found = OrderedUpdates(self)
        found.update(other)
        return found

    def __radd__(self, other: Any) -> OrderedUpdates:
        return OrderedUpdates(other) + self


# -- updates that nobody took ---------------------------------------------------------------------

_promised: weakref.WeakKeyDictionary[Node, tuple[Node, ...]] = weakref.WeakKeyDictionary()
"""For loops that change shared variables, which these are."""


def promise(loop: Node, variables: Iterable[Node]) -> None:
    """Note that a loop gave updates for these shared variables to its caller."""
    variables = tuple(variables)
    if variables:
        _promised[loop] = variables


def notice_missing(results: Iterable[Node], taken: Collection[Node], by: str) -> None:
    """Warn of loops below ``results`` whose updates were left behind.

    Parameters
    ----------
    taken : collection of Node
        The shared variables whose updates were not.
    by : str
        Who should have taken them, for the message.
    """
    if not _promised:
        return
    missing: dict[Node, Node] = {}
    for node in toposort(results):
        for variable in _promised.get(node, ()):
            if variable not in taken:
                missing.setdefault(variable, node)
    if not missing:
        return
    names = [operand(variable) for variable in missing]
    loop = next(iter(missing.values()))
    warn(
        message(
            f"a loop changes shared variables whose updates {by} did not get",
            names,
            loop.where,
            "scan returns (outputs, updates): pass the updates on, or the variables keep their"
            "\nvalues; no_default_updates=True says that they should",
        )
    )
