"""Who may import whom, and how large a file or a function may be (docs/design.md).

The layering is a table here; every import of the package is read and compared with it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from imports import COMPUTED, HEAVY, ROOT, Import, imports, modules

# A module imports from its own part or from parts on an earlier line. Parts that share a line do
# not know each other.
LAYERS = (
    ("errors",),
    ("config",),
    ("ir",),
    ("ops",),
    ("autodiff", "rewrite", "tensor"),
    ("lower",),
    ("emit",),
    ("backends",),
    ("viz", "interop", "random", "gradient", "control"),
    ("compile",),
    ("gof", "ifelse", "printing", "scan_module"),  # where Theano has them
    ("",),  # graphc/__init__.py, the public names
    ("sandbox",),
    ("cli",),
    ("__main__",),
)
RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}

# Places of the design that nothing stands in yet.
PLANNED: set[str] = set()

# Further to the left, and still not to be known.
STRANGERS = {
    "backends": {"autodiff", "rewrite", "ops"},
    "viz": {"backends"},
}

# Loaded only by the function that needs them, because they load something heavy.
LAZY = ("interop", "viz.render", "backends.opencl")

# Import statements that break a rule for a reason: (module, target) -> the reason.
EXCEPTIONS: dict[tuple[str, str], str] = {}

FILE_LINES = 600
FUNCTION_LINES = 60  # without the docstring
SOURCES = ("graphc", "kernels", "tests", "examples", "benchmarks", "docs")


def part(module: str) -> str:
    """Return the part of the table that a module of graphc belongs to."""
    return module.split(".")[1] if "." in module else ""


def is_lazy_module(module: str) -> bool:
    return any(f"{module}.".startswith(f"graphc.{name}.") for name in LAZY)


def wrong_imports(found: Iterable[Import]) -> list[str]:
    """Return a line for each import that breaks a rule."""
    lines = []
    for statement in found:
        if (statement.module, statement.target) in EXCEPTIONS:
            continue
        inside = statement.target.split(".")[0] == "graphc"
        reason = wrong_layer(statement) if inside else ""
        reason = reason or wrong_place(statement, inside)
        if reason:
            lines.append(f"{statement}, {reason}")
    return lines


def wrong_layer(statement: Import) -> str:
    mine, other = part(statement.module), part(statement.target)
    if other not in RANK or mine not in RANK:
        return "which is in no layer: give it a place in LAYERS"
    if mine == other:
        return ""
    if RANK[other] > RANK[mine]:
        return f"but {other or 'graphc'} lies to the right of {mine or 'graphc'}"
    if RANK[other] == RANK[mine]:
        return f"but {mine} and {other} do not know each other"
    if other in STRANGERS.get(mine, ()):
        return f"but {mine} does not know {other}"
    return ""


def wrong_place(statement: Import, inside: bool) -> str:
    if statement.typing:
        return ""
    if statement.target == COMPUTED:
        return "which no reader and no test can follow: write the name out"
    heavy = statement.target.split(".")[0] in HEAVY or is_lazy_module(statement.target)
    if statement.lazy and not heavy:
        return "inside a function: move it to the top of the file"
    mine = is_lazy_module(statement.module)
    if inside and mine and part(statement.module) == part(statement.target):
        return ""
    if not statement.lazy and heavy and not mine:
        return "at the top of the file: it is heavy, import it in the function that needs it"
    return ""


def cycles(found: Iterable[Import]) -> list[str]:
    """Return the cycles of imports that happen when modules are loaded, as text."""
    known = list(found)
    loaded = {i.module for i in known}
    edges: dict[str, set[str]] = {module: set() for module in loaded}
    for i in known:
        if not i.lazy and not i.typing and i.target in loaded:
            edges[i.module].add(i.target)
    return [" -> ".join(cycle) for start in sorted(edges) if (cycle := _cycle(start, edges))]


def _cycle(start: str, edges: dict[str, set[str]]) -> list[str]:
    """Return a shortest way from a module back to it, if it is the first name on that way."""
    ways = [[start]]
    seen: set[str] = set()
    for way in ways:
        for target in sorted(edges[way[-1]]):
            if target == start:
                return [*way, start] if start == min(way) else []
            if target not in seen:
                seen.add(target)
                ways.append([*way, target])
    return []


def sources(pattern: str) -> list[Path]:
    return [
        p for folder in SOURCES for p in (ROOT / folder).rglob(pattern) if "_build" not in p.parts
    ]


FOUND = imports(ROOT / "graphc")


def test_imports_follow_the_layers() -> None:
    assert FOUND
    assert not (wrong := wrong_imports(FOUND)), "\n" + "\n".join(wrong)


def test_no_cycles() -> None:
    assert not (wrong := cycles(FOUND)), "\n" + "\n".join(wrong)


def test_the_table_names_what_exists() -> None:
    parts = {part(module) for module in modules(ROOT / "graphc")}
    assert parts | PLANNED == set(RANK), "LAYERS and the files of graphc/ differ"
    assert not parts & PLANNED, "take it out of PLANNED"


def test_the_lists_are_up_to_date() -> None:
    known = set(modules(ROOT / "graphc"))
    assert {f"graphc.{name}" for name in LAZY if name not in PLANNED} <= known
    assert set(EXCEPTIONS) <= {(i.module, i.target) for i in FOUND}
    assert not HEAVY & sys.stdlib_module_names


def test_subpackages_hold_reexports_only() -> None:
    wrong = []
    for path in (ROOT / "graphc").rglob("__init__.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            named = isinstance(node, ast.FunctionDef | ast.ClassDef)
            if named and node.name != "__getattr__":
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}")
    assert not wrong, "\n".join(wrong)


def test_files_are_short() -> None:
    paths = [p for pattern in ("*.py", "*.cl") for p in sources(pattern)]
    long = {p: n for p in paths if (n := len(p.read_text("utf-8").splitlines())) > FILE_LINES}
    assert paths
    assert not long, "\n".join(f"{p.relative_to(ROOT)}: {n} lines" for p, n in long.items())


def test_functions_are_short() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} has {length} lines"
        for path in modules(ROOT / "graphc").values()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (length := function_length(node)) > FUNCTION_LINES
    ]
    assert not long, "\n" + "\n".join(long)


def function_length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    docstring = node.body[0] if ast.get_docstring(node) else None
    length = (node.end_lineno or node.lineno) - node.lineno + 1
    return length - ((docstring.end_lineno - docstring.lineno + 1) if docstring else 0)


def test_names_say_what_a_thing_is() -> None:
    wrong = [p.relative_to(ROOT) for p in sources("*.py") if p.stem in {"utils", "util"}]
    wrong += [
        f"{path.relative_to(ROOT)}:{node.lineno}: class {node.name}"
        for path in modules(ROOT / "graphc").values()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and re.search(r"^_?Base|Base$|Manager$", node.name)
    ]
    assert not wrong, "\n".join(map(str, wrong))


# The rules themselves, tried on a package that breaks each of them once.

TOP = "at the top of the file: it is heavy, import it in the function that needs it"
INSIDE = "inside a function: move it to the top of the file"

BROKEN = {
    "autodiff/reverse.py": "import graphc.ir.node\n",
    "backends/base.py": "from ..ops.math import exp\n",
    "backends/opencl/device.py": "import pyopencl\nfrom graphc.backends import base\n",
    "compile/function.py": "from graphc.backends.opencl import device\nimport graphc\n",
    "compile/shared.py": """
from importlib import import_module
def f(name):
    import_module("graphc.backends.opencl.device")
    import_module(name)
""",
    "emit/host.py": """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from graphc.compile import function
else:
    from graphc import stray
""",
    "ir/node.py": "from graphc.ops import math\n",
    "ops/math.py": """
def f():
    from graphc.ir import node
    import json
""",
    "rewrite/engine.py": "from graphc.autodiff.reverse import vjp\n",
    "stray.py": "",
    "viz/dot.py": """
import graphviz
def f():
    import graphviz
    from graphc.backends import base
""",
    "viz/render.py": "import pygraphviz\n",
}

WRONG = {
    "backends/base.py:1": "but backends does not know ops",
    "compile/function.py:1": TOP,
    "compile/function.py:2": "but graphc lies to the right of compile",
    "compile/shared.py:5": "which no reader and no test can follow: write the name out",
    "emit/host.py:4": "but compile lies to the right of emit",
    "emit/host.py:6": "which is in no layer: give it a place in LAYERS",
    "ir/node.py:1": "but ops lies to the right of ir",
    "ops/math.py:3": INSIDE,
    "ops/math.py:4": INSIDE,
    "rewrite/engine.py:1": "but rewrite and autodiff do not know each other",
    "viz/dot.py:2": TOP,
    "viz/dot.py:5": "but viz does not know backends",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "graphc"
    for name, text in BROKEN.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for path in [folder, *filter(Path.is_dir, folder.rglob("*"))]:
        (path / "__init__.py").touch()
    return folder


def test_every_broken_rule_is_named(package: Path) -> None:
    wrong = wrong_imports(imports(package))
    assert "graphc/ir/node.py:1: graphc.ir.node imports graphc.ops.math, but" in "\n".join(wrong)
    places = [line.removeprefix("graphc/").split(": ")[0] for line in wrong]
    assert dict(zip(places, (line.split(", ", 1)[1] for line in wrong), strict=True)) == WRONG


def test_a_cycle_is_shown(package: Path) -> None:
    (package / "ir/op.py").write_text("from graphc.ir import types\n", encoding="utf-8")
    (package / "ir/types.py").write_text("import graphc.ir.node\n", encoding="utf-8")
    (package / "ir/node.py").write_text("from .op import Op\n", encoding="utf-8")
    way = "graphc.ir.node -> graphc.ir.op -> graphc.ir.types -> graphc.ir.node"
    assert cycles(imports(package)) == [way]
