"""How Sphinx builds these pages. Nothing is fetched from the network."""

import re
from pathlib import Path

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
