"""``f[x]``: the values that a function holds for its inputs, and those of its shared variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphc.compile.definition import Definition
from graphc.compile.shared import SharedVariable
from graphc.errors import GraphcIndexError, GraphcTypeError, GraphcValueError, message
from graphc.ir.node import Node, operand
from graphc.ir.source import here


class Values:
    """The values of a function, by variable, by name or by the place of an input.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> f = graphc.function([x, graphc.In(y, value=10.0)], x + y)
    >>> f[y] = 20.0
    >>> f["y"], f(1.0), list(f.value)
    (array(20.), array(21.), ['y'])
    """

    def __init__(self, name: str, definition: Definition) -> None:
        self._name = name
        self._places: dict[Any, SharedVariable] = {}
        self._names: dict[str, list[SharedVariable]] = {}
        self._inputs: dict[Any, str] = {}
        for place, argument in enumerate(definition.arguments):
            label = argument.name or f"input {place}"
            self._inputs.update({argument.node: label, place: label, argument.name: label})
            if argument.default is not None:
                self._places.update({argument.node: argument.default, place: argument.default})
                self._names.setdefault(argument.name or label, []).append(argument.default)
        for variable in definition.shared:
            self._places[variable] = variable
            if variable.name and variable not in self._names.get(variable.name, ()):
                self._names.setdefault(variable.name, []).append(variable)

    def __getitem__(self, key: Any) -> Any:
        """Return a copy of a value."""
        return self._find(key).get_value()

    def __setitem__(self, key: Any, value: Any) -> None:
        """Set a value, of the dtype and rank it has."""
        self._find(key).set_value(value)

    def __contains__(self, key: Any) -> bool:
        return key in self._places or (isinstance(key, str) and key in self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _find(self, key: Any) -> SharedVariable:
        if not isinstance(key, (Node, str, int)) or isinstance(key, bool):
            raise GraphcTypeError(
                message(f"a value is found by variable, name or place, not {key!r}", (), here())
            )
        if isinstance(key, str):
            named = self._names.get(key, [])
            if len(named) > 1:
                shown = [operand(variable) for variable in named]
                what = f"{self._name} has several values named {key!r}: use the variable"
                raise GraphcValueError(message(what, shown, here()))
            if named:
                return named[0]
        elif key in self._places:
            return self._places[key]
        if key in self._inputs:
            raise GraphcValueError(
                message(
                    f"{self._name} holds no value for its input {self._inputs[key]}",
                    (),
                    here(),
                    "declare it as In(variable, value=...)",
                )
            )
        shown = [operand(key)] if isinstance(key, Node) else []
        label = "such variable" if shown else f"variable {key!r}"
        raise GraphcIndexError(message(f"{self._name} has no {label}", shown, here()))
