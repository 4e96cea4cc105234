"""How Sphinx builds these pages. Nothing is fetched from the network."""

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

_VERSION = r'^__version__ = "(.+)"'
_INIT = (Path(__file__).parents[1] / "graphc" / "__init__.py").read_text(encoding="utf-8")

project = "graphc"
author = "The graphc developers"
copyright = f"2026, {author}"
release = re.findall(_VERSION, _INIT, re.MULTILINE)[0]

extensions = ["myst_parser"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "alabaster"
html_theme_options = {"description": "Symbolic array programs, compiled", "page_width": "1000px"}


def number_lines(app: Sphinx, page: nodes.document) -> None:
    """Number the Python of a tutorial as one file: `linear.py:17` in generated text is line 17."""
    if not app.env.docname.startswith("tutorials/"):
        return
    start = 1
    generated = False
    for node in page.findall(lambda node: isinstance(node, (nodes.raw, nodes.literal_block))):
        if isinstance(node, nodes.raw):
            generated = "<!-- generated:" in node.astext()
        elif node.get("language") == "python" and not generated:
            node["linenos"] = True
            node["highlight_args"] = {"linenostart": start}
            start += len(node.astext().splitlines())


def leave_out_benchmarks(app: Sphinx, page: str, source: list[str]) -> None:
    """Build the site of a checkout in which `python -m benchmarks` has not written its page yet."""
    if page == "index" and "benchmarks" not in app.env.found_docs:
        source[0] = source[0].replace("\nbenchmarks\n", "\n")


def setup(app: Sphinx) -> None:
    """Register what is not in an extension."""
    app.connect("source-read", leave_out_benchmarks)
    app.connect("doctree-read", number_lines)
