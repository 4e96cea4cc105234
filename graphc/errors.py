"""Exceptions, and the one form every message has.

A message says what is wrong, shows the operands with name, dtype and shape and where they were
made, shows the user's line with its text, and says what to do. This module knows nothing about
graphs: operands and places arrive as ready text or as objects with ``filename``, ``line`` and
``text``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from numpy.linalg import LinAlgError


class GraphcError(Exception):
    """Base of every exception that graphc raises on purpose."""


class GraphcTypeError(GraphcError, TypeError):
    """An operand of the wrong kind, dtype or rank."""


class DTypeError(GraphcTypeError):
    """Dtypes that do not go together, or a value that would lose precision."""


class ShapeError(GraphcError, ValueError):
    """Sizes that do not agree."""


class GraphcIndexError(GraphcError, IndexError):
    """An index outside its axis."""


class GraphcValueError(GraphcError, ValueError):
    """An argument whose value makes no sense here."""


class LinearAlgebraError(GraphcValueError, LinAlgError):
    """A matrix has no inverse, no root, or no decomposition that could be found."""


class FileFormatError(GraphcValueError):
    """A file that graphc did not write, or that was altered since."""


class UnusedInputError(GraphcValueError):
    """An input that no output and no update needs."""


class MissingInputError(GraphcTypeError):
    """An expression needs an input that was not given."""


class DisconnectedInputError(GraphcValueError):
    """A gradient was asked with respect to something the cost does not depend on."""


class NotSupportedError(GraphcError, NotImplementedError):
    """Something that graphc, or one backend of it, does not do."""


class UnknownNameError(NotSupportedError, AttributeError):
    """A name of Theano's for something that graphc does not do, such as complex numbers."""


class DeviceError(GraphcError, RuntimeError):
    """No device, or a device that cannot do what was asked."""


class RuleError(GraphcError, RuntimeError):
    """A rewrite rule that is wrong: it grows, loops or changes a type."""


class DifferenceError(GraphcError, AssertionError):
    """Two ways of running a program disagree."""


class InternalError(GraphcError, AssertionError):
    """An invariant of graphc itself does not hold: a bug in graphc."""


class GraphcWarning(UserWarning):
    """Category of every warning that graphc gives."""


class Place(Protocol):
    """A line of somebody's source: what an error can point at."""

    @property
    def filename(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def text(self) -> str: ...


def place_name(place: Place) -> str:
    """Return ``file.py:12``: the file's own name is enough to find it and stays short."""
    return f"{Path(place.filename).name}:{place.line}"


def message(
    what: str,
    operands: Iterable[tuple[str, str, Place | None]] = (),
    where: Place | None = None,
    hint: str | None = None,
) -> str:
    """Compose the text of an error.

    Parameters
    ----------
    what : str
        What is wrong, in terms of the user's expression.
    operands : iterable of (name, type, place)
        Shown one a line; ``place`` may be None.
    where : Place, optional
        The user's line, shown with its text.
    hint : str, optional
        What to do about it.

    Examples
    --------
    >>> print(message("dot: sizes 3 and 4 differ", [("x", "float64[?, 3]", None)], hint="mind x"))
    dot: sizes 3 and 4 differ
        x : float64[?, 3]
      mind x
    """
    lines = [what, *_operand_lines(list(operands))]
    if where is not None:
        lines.append(f"  {place_name(where)}")
        if where.text:
            lines.append(f"    {where.text}")
    if hint:
        lines += [f"  {line}" for line in hint.splitlines()]
    return "\n".join(lines)


def _operand_lines(operands: Sequence[tuple[str, str, Place | None]]) -> list[str]:
    if not operands:
        return []
    name_width = max(len(name) for name, _, _ in operands)
    type_width = max(len(kind) for _, kind, _ in operands)
    lines = []
    for name, kind, place in operands:
        line = f"    {name:<{name_width}} : {kind:<{type_width}}"
        lines.append(f"{line}   from {place_name(place)}" if place else line.rstrip())
    return lines
