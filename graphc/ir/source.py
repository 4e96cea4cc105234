"""Which line of the user's program made a node.

The location is taken when the node is made, by walking up to the nearest frame outside graphc;
the text of the line is fetched only when a message is printed.
"""

from __future__ import annotations

import linecache
import sys
import warnings
from pathlib import Path
from types import CodeType
from typing import NamedTuple

from graphc.errors import GraphcWarning

_PACKAGE = str(Path(__file__).parent.parent) + "/"
_EXAMPLES = _PACKAGE + "_examples/"  # tutorials shipped in the wheel speak as a user does
_inside: dict[CodeType, bool] = {}


class Location(NamedTuple):
    """A line of a user's file."""

    filename: str
    line: int

    @property
    def text(self) -> str:
        """The line itself, stripped; empty if the file cannot be read."""
        return linecache.getline(self.filename, self.line).strip()

    def __str__(self) -> str:
        return f"{Path(self.filename).name}:{self.line}"


def here() -> Location | None:
    """Return the innermost line outside graphc that led here."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        inside = _inside.get(code)
        if inside is None:
            inside = _inside[code] = _is_inside(code.co_filename)
        if not inside:
            return Location(code.co_filename, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return None


def warn(text: str) -> None:
    """Give a warning that Python shows, and filters, as one of the user's line."""
    place = here() or Location("graphc", 0)
    warnings.warn_explicit(text, GraphcWarning, place.filename, place.line)


def _is_inside(filename: str) -> bool:
    if filename.startswith(("<frozen", "<graphc ")):  # the latter is generated code
        return True
    name = filename.replace("\\", "/")
    return name.startswith(_PACKAGE) and not name.startswith(_EXAMPLES)
