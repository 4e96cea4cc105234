"""Writes the reference pages from the tables. Run ``python docs/reference.py`` after a change.

Tests compare the pages with what this would write, and run what they show, so they cannot lie.
The samples that the tests of the tables use are the examples here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
for _folder in (FOLDER.parent, FOLDER.parent / "tests", FOLDER):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))

import reference_names as names  # noqa: E402 - beside this file
import reference_ops as ops  # noqa: E402
import reference_rules as rules  # noqa: E402

PAGES = {
    "ops.md": ops.page,
    "rules.md": rules.page,
    "from_theano.md": names.theano_page,
    "from_numpy.md": names.numpy_page,
}


def write(pages: Iterable[str] = PAGES) -> None:
    """Write the pages."""
    for name in pages:
        (FOLDER / name).write_text(PAGES[name](), encoding="utf-8")


if __name__ == "__main__":
    write()
