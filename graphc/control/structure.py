"""Nested tuples, lists, dicts and dataclasses of values, as flat lists and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

Rebuild = Callable[[Iterator[Any]], Any]


def flatten(value: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """Return the values in a structure, and what puts others in their places.

    A structure is a tuple, named tuple, list, dict or dataclass of structures, or None, which holds
    nothing; whatever else is a value.

    Examples
    --------
    >>> values, rebuild = flatten({"a": 1, "b": (2, [3, None])})
    >>> values, rebuild([10, 20, 30])
    ([1, 2, 3], {'a': 10, 'b': (20, [30, None])})
    """
    leaves: list[Any] = []
    rebuild = _read(value, leaves)
    return leaves, lambda values: rebuild(iter(values))


def _read(value: Any, leaves: list[Any]) -> Rebuild:
    """Add the values in a structure to a list; return what takes others from an iterator."""
    if value is None:
        return lambda values: None
    if isinstance(value, dict):
        parts = {key: _read(part, leaves) for key, part in value.items()}
        return lambda values: {key: part(values) for key, part in parts.items()}
    if isinstance(value, (list, tuple)):
        inside = [_read(part, leaves) for part in value]
        kind = type(value)
        if hasattr(kind, "_fields"):
            return lambda values: kind(*[part(values) for part in inside])
        return lambda values: kind([part(values) for part in inside])
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value) if f.init]
        fields = {name: _read(getattr(value, name), leaves) for name in names}
        made = type(value)
        return lambda values: made(**{name: part(values) for name, part in fields.items()})
    leaves.append(value)
    return next


def outline(value: Any) -> Any:
    """Return the shape of a structure: something equal for structures that hold values alike.

    Examples
    --------
    >>> outline({"a": 1, "b": (2, 3)}) == outline({"a": 5, "b": (6, 7)})
    True
    >>> outline((1, 2)) == outline([1, 2])
    False
    """
    if value is None:
        return None
    if isinstance(value, dict):
        return {key: outline(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value), [outline(part) for part in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value) if f.init]
        return type(value), {name: outline(getattr(value, name)) for name in names}
    return "value"


def describe(value: Any) -> str:
    """Return a structure as short text: ``(x, {'a': x})``."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {describe(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(describe, value)) + "]"
    if isinstance(value, tuple):
        inside = ", ".join(map(describe, value)) + ("," if len(value) == 1 else "")
        name = type(value).__name__ if hasattr(value, "_fields") else ""
        return f"{name}({inside})"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value) if f.init]
        inside = ", ".join(f"{name}={describe(getattr(value, name))}" for name in names)
        return f"{type(value).__name__}({inside})"
    return "None" if value is None else "x"
