"""Fills the marked regions of pages with what the compiler writes for the code on them.

Run ``python docs/generate_examples.py`` after a change; a test compares the pages with what this
file would write, so they cannot lie. A region begins with a comment and ends with ``<!-- end -->``:

``<!-- generated: EXPRESSION -->``
    The text that the expression has at the end of the page, in a fence.
``<!-- generated: EXPRESSION | PART | PART -->``
    Of the text, only the first block that begins so, or ``with TEXT`` the first one that has this
    text in it; dots stand for what is left out.
``<!-- picture: FILE.svg | EXPRESSION | CAPTION -->``
    The picture of a DOT source, in `docs/images/`.
``<!-- code: FILE | PART | PART -->``
    Parts of a Python file, which begin so. They are run with the Python of the page.

The Python blocks of a page are run as one file of the page's name, such as ``linear.py``, and the
source lines in generated text are those of that file: they do not move when prose is edited.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import io
import linecache
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphc.backends.opencl.device import get_device
from graphc.viz import render

FOLDER = Path(__file__).resolve().parent
IMAGES = FOLDER / "images"
PAGES = {
    "README.md": "example.py",
    "docs/tutorials/linear.md": "linear.py",
    "docs/tutorials/logistic.md": "logistic.py",
    "docs/tutorials/network.md": "network.py",
    "docs/tutorials/convolution.md": "convolution.py",
    "docs/tutorials/opencl.md": "opencl.py",
    "docs/tutorials/loops-1-first.md": "first.py",
    "docs/tutorials/loops-2-choices.md": "choices.py",
    "docs/tutorials/loops-3-recurrent.md": "recurrent.py",
    "docs/tutorials/loops-4-exploding.md": "exploding.py",
    "docs/tutorials/loops-5-characters.md": "characters.py",
    "docs/tutorials/loops-6-simulation.md": "simulation.py",
    "docs/tutorials/loops-7-kalman.md": "kalman.py",
}
BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```$", re.M | re.S)
REGION = re.compile(
    r"^<!-- (?P<kind>generated|picture|code): (?P<what>.+?) -->\n(?:.*?^)?<!-- end -->$",
    re.M | re.S,
)
ELLIPSIS = {"python no-run": "# ...", "c": "/* ... */", "text": "..."}
VECTOR_BYTES = 32  # so that kernels on the pages do not depend on the processor of the writer


def written(path: str) -> tuple[str, dict[str, str]]:
    """Return the text of a page with its regions filled, and the DOT source of each picture."""
    page = REGION.sub(with_code, (FOLDER.parent / path).read_text(encoding="utf-8"))
    pictures: dict[str, str] = {}
    namespace = run(page, PAGES[path])

    def fill(region: re.Match[str]) -> str:
        what, *rest = region["what"].split(" | ")
        if region["kind"] == "code":
            return region[0]
        if region["kind"] == "picture":
            pictures[what] = eval(rest[0], namespace)
            folder = os.path.relpath(IMAGES, (FOLDER.parent / path).parent)
            body = f"![{rest[1]}]({folder}/{what})"
        else:
            body = fenced(what, eval(what, namespace), rest)
        return f"<!-- {region['kind']}: {region['what']} -->\n\n{body}\n\n<!-- end -->"

    return REGION.sub(fill, page), pictures


def with_code(region: re.Match[str]) -> str:
    """Return a region, filled if it shows parts of a file."""
    if region["kind"] != "code":
        return region[0]
    what, *starts = region["what"].split(" | ")
    text = (FOLDER.parent / what).read_text(encoding="utf-8")
    lines = text.split("\n")
    parts = [block(lines, find(what, text, lines, start)) for start in starts]
    shown = "\n\n".join("\n".join(lines[part.start : part.stop]) for part in parts)
    return f"<!-- code: {region['what']} -->\n\n```python\n{shown}\n```\n\n<!-- end -->"


def run(page: str, filename: str) -> dict[str, Any]:
    """Run the Python blocks of a page quietly, as one file, and return its names."""
    blocks = [block["code"] for block in BLOCK.finditer(page)]
    text = "".join(blocks)
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    namespace: dict[str, Any] = {"__name__": filename}
    with elsewhere(), plain_vectors(), contextlib.redirect_stdout(io.StringIO()):
        exec(compile(text, filename, "exec"), namespace)
    return namespace


@contextlib.contextmanager
def elsewhere() -> Iterator[None]:
    """Work in an empty folder: pages write pictures."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        yield


@contextlib.contextmanager
def plain_vectors() -> Iterator[None]:
    """Write kernels for vectors of `VECTOR_BYTES`."""
    device = get_device()
    before = device.limits
    device.limits = dataclasses.replace(before, vector_bytes=VECTOR_BYTES)
    try:
        yield
    finally:
        device.limits = before


def fenced(what: str, text: str, starts: list[str]) -> str:
    """Return a text, or the parts of it that begin with ``starts``, as a fenced block."""
    language = "python no-run" if what.endswith(".source") else "text"
    if starts and starts[0].startswith("kernel "):
        language = "c"
    body = excerpt(what, text, starts, ELLIPSIS[language]) if starts else text
    return f"```{language}\n{body.rstrip()}\n```"


def excerpt(what: str, text: str, starts: list[str], dots: str) -> str:
    """Return the blocks of a text whose first lines begin with ``starts``, in the text's order."""
    lines = text.split("\n")
    blocks = [block(lines, find(what, text, lines, start)) for start in starts]
    shown, end = "", 0
    for part in sorted(blocks, key=lambda part: part.start):
        left_out = any(lines[end : part.start])
        if shown:
            shown += f"\n{dots}\n\n" if left_out else "\n"
        shown += "\n".join(lines[part.start : part.stop]) + "\n"
        end = part.stop
    return shown


def find(what: str, text: str, lines: list[str], start: str) -> int:
    """Return the line on which a part begins, wherever it is indented to."""
    inside = start.removeprefix("with ")
    for place, line in enumerate(lines):
        if inside is start and line.strip().startswith(start):
            return place
        if inside is not start and inside in line:
            return max(i for i in range(place) if lines[i] and not indent(lines[i]))
    raise SystemExit(f"{what}: nothing for {start!r} in\n{text}")


def block(lines: list[str], start: int) -> range:
    """Return the lines of the block that begins at ``start``, with the comment before it."""
    depth = indent(lines[start])
    end = start + 1
    while end < len(lines) and (not lines[end].strip() or indent(lines[end]) > depth):
        end += 1
    if end < len(lines) and lines[end].strip() == "}":
        end += 1
    while not lines[end - 1].strip():
        end -= 1
    while start and lines[start - 1].lstrip().startswith(("/*", "# ")):
        start -= 1
    return range(start, end)


def indent(line: str) -> int:
    """Return how far a line is indented."""
    return len(line) - len(line.lstrip())


# -- pictures -------------------------------------------------------------------------------------


def stamp(dot: str) -> str:
    """Return what a picture says of its source: layouts differ from machine to machine, this not.

    Examples
    --------
    >>> stamp("digraph { a }")
    '<!-- DOT source: 49a77cb0 -->'
    """
    return f"<!-- DOT source: {hashlib.sha256(dot.encode()).hexdigest()[:8]} -->"


def is_current(name: str, dot: str) -> bool:
    """Tell whether the picture was drawn from this source."""
    path = IMAGES / name
    return path.exists() and stamp(dot) in path.read_text(encoding="utf-8")


def draw(name: str, dot: str) -> None:
    """Write a picture."""
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / name).write_text(f"{render.svg(dot)}{stamp(dot)}\n", encoding="utf-8")


def main() -> None:
    """Write all pages, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pages", nargs="*", metavar="PAGE", help=f"of {', '.join(PAGES)}")
    for path in parser.parse_args().pages or PAGES:
        text, pictures = written(path)
        (FOLDER.parent / path).write_text(text, encoding="utf-8")
        for name, dot in pictures.items():
            if not is_current(name, dot):
                draw(name, dot)


if __name__ == "__main__":
    main()
