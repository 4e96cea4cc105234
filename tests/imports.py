"""Every import of a package, read from its syntax trees; nothing is imported to find out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMPUTED = "(a computed name)"

# Libraries that take long to load or need a driver: imported only when they are needed.
HEAVY = {
    "graphviz",
    "mako",
    "matplotlib",
    "pygraphviz",
    "pyopencl",
    "scipy",
    "sklearn",
    "sympy",
    "tqdm",
}


@dataclass(frozen=True)
class Import:
    """One imported module: who imports it, what, where, and when."""

    module: str
    target: str
    path: str
    line: int
    lazy: bool  # inside a function: imported when it is called
    typing: bool  # under `if TYPE_CHECKING`: never imported

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.module} imports {self.target}"


def modules(package: Path) -> dict[str, Path]:
    """Return the file of every module of a package, by dotted name."""
    return {_dotted(path, package): path for path in sorted(package.rglob("*.py"))}


def _dotted(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(package: Path) -> list[Import]:
    """Return every import in a package, in the order of files and lines."""
    known = modules(package)
    found = []
    for module, path in known.items():
        reader = _Reader(module, path, package, set(known))
        reader.visit(ast.parse(path.read_text(encoding="utf-8"), str(path)))
        found += reader.found
    return found


class _Reader(ast.NodeVisitor):
    def __init__(self, module: str, path: Path, package: Path, known: set[str]) -> None:
        self.module = module
        self.path = path.relative_to(package.parent).as_posix()
        self.parent = module if path.name == "__init__.py" else module.rpartition(".")[0]
        self.known = known
        self.found: list[Import] = []
        self.depth = 0
        self.typing = False

    def add(self, target: str, node: ast.stmt | ast.expr) -> None:
        lazy = self.depth > 0
        found = Import(self.module, target, self.path, node.lineno, lazy, self.typing)
        self.found.append(found)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.add(alias.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            above = self.parent.split(".")[: len(self.parent.split(".")) - node.level + 1]
            base = ".".join([*above, *filter(None, [node.module])])
        for target in dict.fromkeys(self._targets(base, node)):
            self.add(target, node)

    def _targets(self, base: str, node: ast.ImportFrom) -> Iterator[str]:
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            yield inner if inner in self.known else base

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = node.func.id if isinstance(node.func, ast.Name) else name
        if name in {"import_module", "__import__"} and node.args:
            match node.args[0]:
                case ast.Constant(value=str(target)) if not target.startswith("."):
                    self.add(target, node)
                case _:
                    self.add(COMPUTED, node)
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) not in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            return self.generic_visit(node)
        self.typing = True
        for child in node.body:
            self.visit(child)
        self.typing = False
        for child in node.orelse:
            self.visit(child)

    def _function(self, node: ast.AST) -> None:
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function
