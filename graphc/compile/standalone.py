"""``f.save_source(path)``: a function as a Python file that needs NumPy and no graphc.

The text is the one that runs anyway. What it imports of graphc is copied into it, definition by
definition, from the source of those modules; the rest of them stays behind.
"""

from __future__ import annotations

import ast
import functools
import inspect
import keyword
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from graphc.backends.base import Executable
from graphc.compile.build import build
from graphc.compile.definition import Definition
from graphc.compile.shared import updating
from graphc.errors import GraphcTypeError, GraphcValueError, NotSupportedError, message
from graphc.ir.source import here

_SETTINGS = '''
class config:
    """Settings: threads for large arrays, 0 for all cores."""

    threads = 0
'''.strip()


def unchecked(text: str, names: Iterable[str]) -> str:
    """Return the text of a host function without the checks of some arguments, line by line."""
    for name in names:
        text = re.sub(
            rf"(?m)^( *).*\b{name} = check_{name}\({name}\)$", rf"\1# {name}: trusted", text
        )
    return text


def write_source(path: Any, definition: Definition) -> None:
    """Write a function to a file of source, and its arrays to an ``.npz`` beside it."""
    try:
        target = Path(path)
    except TypeError:
        raise GraphcTypeError(
            message(f"a file is named by a path, not {path!r}", (), here())
        ) from None
    if target.suffix != ".py":
        raise GraphcValueError(message(f"{target} does not end in .py", (), here()))
    definition = replace(
        definition, backend="numpy", device=None, borrowed=(False,) * len(definition.outputs)
    )
    text, arrays = source(definition, build(definition, []))
    target.write_text(text, encoding="utf-8")
    if arrays:
        np.savez(target.with_suffix(".npz"), allow_pickle=False, **arrays)


def source(definition: Definition, executable: Executable) -> tuple[str, dict[str, np.ndarray]]:
    """Return the text of a module, and the arrays it reads when it is imported."""
    bundle = Bundle()
    body = bundle.absorb(_with_flags(definition, executable))
    arrays = {
        name: value for name, value in executable.namespace.items() if isinstance(value, np.ndarray)
    }
    for name, value in executable.namespace.items():
        if callable(value) or isinstance(value, ModuleType):
            bundle.value(name, value)
    names = {node: f"{executable.names[node]}_" for node in executable.program.shared}
    with updating:
        arrays.update({name: node.data for node, name in names.items()})
        defaults = _defaults(definition, executable, names, arrays)
        arrays = {name: np.array(value) for name, value in arrays.items()}
    if arrays:
        bundle.absorb("from pathlib import Path")
    reading = _reading(arrays, names.values())
    parts = [_heading(definition, arrays), bundle.text(), body, reading]
    parts.append(_entry(definition, executable, defaults))
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n", arrays


def _with_flags(definition: Definition, executable: Executable) -> str:
    """Return the text of the host function with checks as strict as the function's own."""
    text = executable.host_source.replace(": set .data to call this\n", "\n")
    for argument in definition.given:
        name = executable.names[argument.node]
        flags = f", {argument.strict}, {argument.allow_downcast})"
        if flags != ", False, None)":
            text = re.sub(rf"(?m)^(check_{name} = argument\(.*)\)$", rf"\1{flags}", text)
    return text


def _defaults(
    definition: Definition, executable: Executable, names: Any, arrays: dict[str, np.ndarray]
) -> dict[str, str]:
    """Return for each argument with a value the expression that reads it."""
    found: dict[str, str] = {}
    for argument in definition.given:
        if argument.default is None:
            continue
        name = executable.names[argument.node]
        held = names.get(argument.default)
        if held is None:
            arrays[f"{name}_default"] = argument.default.data
        found[name] = f"{held}.data.copy()" if held else f"{name}_default"
    return found


def _heading(definition: Definition, arrays: Any) -> str:
    needs = "NumPy and the .npz file beside this one" if arrays else "NumPy alone"
    return f'"""{definition.name}, written by graphc; runs with {needs}."""'


def _reading(arrays: dict[str, np.ndarray], shared: Iterable[str]) -> str:
    if not arrays:
        return ""
    held = set(shared)
    lines = ['with np.load(Path(__file__).with_suffix(".npz"), allow_pickle=False) as _arrays:']
    for name in arrays:
        lines.append(f"    {name}{'.data' if name in held else ''} = _arrays[{name!r}]")
    return "\n".join(lines)


def _entry(definition: Definition, executable: Executable, defaults: dict[str, str]) -> str:
    """Return the function that is called: arguments by name, values for those left out, quiet."""
    own = [executable.names[a.node] for a in definition.given]
    public = [
        a.name if a.name and a.name.isidentifier() and not keyword.iskeyword(a.name) else n
        for a, n in zip(definition.given, own, strict=True)
    ]
    needed = False
    parameters = []
    for name, mine in zip(public, own, strict=True):
        needed = needed or mine in defaults  # after an input with a value, all have a default
        parameters.append(f"{name}=None" if needed else name)
    lines = [f"_run = {definition.name}", "", ""]
    lines.append(f"def {definition.name}({', '.join(parameters)}):")
    lines.append(f'    """Compute {definition.name}; see _run for what is done."""')
    for name, mine in zip(public, own, strict=True):
        if mine in defaults:
            lines += [f"    if {name} is None:", f"        {name} = {defaults[mine]}"]
    lines.append('    with np.errstate(all="ignore"):')
    lines.append(f"        return _run({', '.join(public)})")
    return "\n".join(lines)


# -- what is copied of graphc's modules -----------------------------------------------------------


class Bundle:
    """Definitions from modules of graphc, each with what it needs, in an order that runs."""

    def __init__(self) -> None:
        self._imports: dict[str, None] = {}
        self._pieces: dict[str, tuple[str, str]] = {}  # name to module and text

    def absorb(self, text: str) -> str:
        """Return text without its imports: those of graphc are copied, others go to the top."""
        kept = []
        for line in text.splitlines():
            match = re.fullmatch(r"from (graphc[\w.]*) import (.+)", line)
            if match:
                for name in match[2].split(", "):
                    self.add(match[1], name)
            elif re.match(r"(import|from) \w", line):
                self._imports[line] = None
            else:
                kept.append(line)
        return "\n".join(kept)

    def value(self, name: str, value: Any) -> None:
        """Make a name known that generated text refers to: a module or a function."""
        module = value.__name__ if isinstance(value, ModuleType) else value.__module__ or ""
        if isinstance(value, ModuleType) and not module.startswith("graphc"):
            self._imports[f"import {module} as {name}"] = None
            return
        own = getattr(value, "__name__", "")
        known = getattr(sys.modules.get(module), own, None) is value
        if known and module.startswith("graphc."):
            self.add(module, own)
            if own != name:
                self._pieces.setdefault(name, (module, f"{name} = {own}"))
        elif known and module.split(".")[0] in ("numpy", "scipy", "math"):
            self._imports[f"from {module} import {own} as {name}"] = None
        else:
            raise NotSupportedError(
                message(
                    f"save_source cannot write {name}, a function of yours",
                    (),
                    here(),
                    "keep the program and compile it where it runs",
                )
            )

    def add(self, module: str, name: str) -> None:
        """Copy a definition of a module, after what it needs."""
        if (module, name) == ("graphc.config", "config"):
            self._pieces.setdefault(name, (module, _SETTINGS))
            return
        if name in self._pieces:
            if self._pieces[name][0] != module:
                raise NotSupportedError(f"{name} stands for two things, in {module} and elsewhere")
            return
        statement, needs = _definition(module, name)
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            self._imported(statement, name)
            return
        self._pieces[name] = (module, "")  # so that what calls itself ends
        for needed in needs:
            self.add(module, needed)
        self._pieces.pop(name, None)
        self._pieces[name] = (module, _text(module, statement))

    def _imported(self, statement: ast.Import | ast.ImportFrom, name: str) -> None:
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("graphc"):
            self.add(statement.module or "", name)
        else:
            self._imports[ast.unparse(statement)] = None

    def text(self) -> str:
        """Return imports and definitions."""
        for module in dict.fromkeys(module for module, _ in self._pieces.values()):
            self._add_actions(module)
        first = ["from __future__ import annotations", ""]
        pieces = dict.fromkeys(text for _, text in self._pieces.values())
        return "\n".join([*first, *sorted(self._imports)]) + "\n\n\n" + "\n\n\n".join(pieces)

    def _add_actions(self, module: str) -> None:
        """Copy what a module does on import to something that was copied of it."""
        if module not in sys.modules or not module.startswith("graphc.backends"):
            return
        text, known = _module(module)
        for place, statement in enumerate(ast.parse(text).body):
            used = _used(statement) & set(known)
            mine = {name for name in used if self._pieces.get(name, ("",))[0] == module}
            if isinstance(statement, (ast.If, ast.For)) and mine:
                for name in sorted(used - mine):
                    self.add(module, name)
                self._pieces[f"{module} {place}"] = (module, _text(module, statement))


def _used(statement: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


@functools.cache
def _module(name: str) -> tuple[str, dict[str, tuple[int, ast.stmt]]]:
    """Return the text of a module and the statement that makes each of its names."""
    text = inspect.getsource(sys.modules[name])
    found: dict[str, tuple[int, ast.stmt]] = {}
    for place, statement in enumerate(ast.parse(text).body):
        for made in _made(statement):
            found[made] = (place, statement)
    return text, found


def _made(statement: ast.stmt) -> Sequence[str]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return [(alias.asname or alias.name).split(".")[0] for alias in statement.names]
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return [
            node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)
        ]
    return []


def _definition(module: str, name: str) -> tuple[ast.stmt, list[str]]:
    """Return the statement that makes a name, and the names of the module that it uses."""
    known = _module(module)[1]
    if name not in known:
        raise NotSupportedError(f"{module} makes {name} in a way that cannot be copied")
    statement = known[name][1]
    used = _used(statement)
    return statement, [n for n in known if n in used and n != name]


def _text(module: str, statement: ast.stmt) -> str:
    lines = _module(module)[0].splitlines()
    decorators = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(node.lineno for node in decorators)])
    return "\n".join(lines[first - 1 : statement.end_lineno])
