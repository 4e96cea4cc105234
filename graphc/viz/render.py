"""DOT to SVG: by the ``dot`` program where it is on the path, else by pygraphviz, which carries it.

The layout runs in a process of its own, so that what it writes on stderr about fonts, and what it
does if it fails, stay there. Nothing is written to any file.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

from graphc.errors import GraphcError, InternalError, NotSupportedError

INSTALL = """\
no layout engine for pictures was found; either of these brings one:
  - python -m pip install "pygraphviz>=2"
  - Graphviz from your system's packages, with its program dot on the PATH
  dot_source() gives the picture as text without either"""

_PYGRAPHVIZ = """\
import sys
sys.path.append(sys.argv[1])
import pygraphviz
text = sys.stdin.buffer.read().decode("utf-8")
sys.stdout.buffer.write(pygraphviz.AGraph(string=text).draw(format="svg", prog="dot"))
"""
_SVG = "http://www.w3.org/2000/svg"
_LINK = "http://www.w3.org/1999/xlink"


def engine() -> str | None:
    """Return what lays pictures out, in words: the program's path or the package; None for nothing.

    Examples
    --------
    >>> "dot" in (engine() or "no dot") or "pygraphviz" in engine()
    True
    """
    program = shutil.which("dot")
    if program:
        return program
    return f"pygraphviz in {_package_folder()}" if _package_folder() else None


def svg(source: str) -> str:
    """Return DOT laid out as the text of an SVG file.

    Raises
    ------
    NotSupportedError
        If no layout engine is installed, saying how to get one.
    """
    return tidy(_run(_command(), source))


def _command() -> list[str]:
    program = shutil.which("dot")
    if program:
        return [program, "-Tsvg"]
    folder = _package_folder()
    if folder is None:
        raise NotSupportedError(INSTALL)
    return [sys.executable, "-P", "-c", _PYGRAPHVIZ, str(folder)]


def _package_folder() -> Path | None:
    spec = find_spec("pygraphviz")
    return Path(spec.origin).parents[1] if spec is not None and spec.origin else None


def _run(command: list[str], source: str) -> bytes:
    try:
        done = subprocess.run(
            command, input=source.encode("utf-8"), capture_output=True, check=False
        )
    except OSError as error:
        raise _LayoutError(f"{command[0]} does not run: {error}") from error
    if done.returncode or not done.stdout:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise _LayoutError(f"the layout of the picture failed: {said[-1] if said else 'no reason'}")
    return done.stdout


class _LayoutError(GraphcError, RuntimeError):
    """The layout engine failed."""


def tidy(text: bytes) -> str:
    """Return an SVG file with tooltips as titles, which every viewer shows, and no comments."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InternalError(f"the layout engine wrote no SVG: {error}") from error
    for group in root.iter(f"{{{_SVG}}}g"):
        _title(group)
    for label in root.iter(f"{{{_SVG}}}text"):
        label.set("font-family", "Helvetica, Arial, sans-serif")
    root.set("role", "img")
    root.set("style", "max-width: 100%; height: auto")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _title(group: ElementTree.Element) -> None:
    """Give a group the tooltip of the link inside as its title, and take the link away."""
    title = group.find(f"{{{_SVG}}}title")
    tip = ""
    for wrapper in [*group.iterfind(f"{{{_SVG}}}g")]:
        link = wrapper.find(f"{{{_SVG}}}a")
        if link is not None:
            tip = link.get(f"{{{_LINK}}}title", "").strip()
            place = list(group).index(wrapper)
            group.remove(wrapper)
            for offset, child in enumerate(link):
                group.insert(place + offset, child)
    if title is not None:
        if tip:
            title.text = tip
        else:
            group.remove(title)
