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
import zipfile
from collections.abc import Iterable, Mapping, Sequence
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
        with zipfile.ZipFile(target.with_suffix(".npz"), "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)


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
        bundle.absorb("from pathlib import Path as _Path")
    own = [body, _reading(arrays, names.values()), _entry(definition, executable, defaults)]
    copied = bundle.text()
    clashes = {name: f"{name}_" for name in _defined([body]) | set(arrays) if name in bundle}
    parts = [_heading(definition, arrays), copied, *(_with_names(text, clashes) for text in own)]
    arrays = {clashes.get(name, name): value for name, value in arrays.items()}
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n", arrays


def _defined(texts: Iterable[str]) -> set[str]:
    """Return the names that texts define on their top level."""
    return {n for text in texts for statement in ast.parse(text).body for n in _made(statement)}


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
    lines = ['with np.load(_Path(__file__).with_suffix(".npz"), allow_pickle=False) as _arrays:']
    for name in arrays:
        lines.append(f"    {name}{'.data' if name in held else ''} = _arrays[{name!r}]")
    return "\n".join(lines)


def _entry(definition: Definition, executable: Executable, defaults: dict[str, str]) -> str:
    """Return the function that is called: arguments by name, values for those left out, quiet."""
    own = [executable.names[a.node] for a in definition.given]
    public = _parameters([a.name for a in definition.given], own, defaults)
    needed = False
    parameters = []
    for given, mine in zip(public, own, strict=True):
        needed = needed or mine in defaults  # after an input with a value, all have a default
        parameters.append(f"{given}=None" if needed else given)
    name = executable.program.name
    lines = [f"_{name} = {name}", "", "", f"def {name}({', '.join(parameters)}):"]
    lines.append(f'    """Compute {name}; what is done stands above."""')
    for given, mine in zip(public, own, strict=True):
        if mine in defaults:
            lines += [f"    if {given} is None:", f"        {given} = {defaults[mine]}"]
    lines.append('    with np.errstate(all="ignore"):')
    lines.append(f"        return _{name}({', '.join(public)})")
    return "\n".join(lines)


def _parameters(
    wanted: Sequence[str | None], own: Sequence[str], defaults: Mapping[str, str]
) -> list[str]:
    """Return the names of parameters: the user's, where nothing else goes by them."""
    used = {"np"} | {word for text in defaults.values() for word in text.split(".")}
    found: list[str] = []
    for name, mine in zip(wanted, own, strict=True):
        good = name and name.isidentifier() and not keyword.iskeyword(name)
        clear = name not in used and name not in found and (name == mine or name not in own)
        found.append(name if name and good and clear else mine)
    return found


# -- what is copied of graphc's modules -----------------------------------------------------------


class Bundle:
    """Definitions from modules of graphc, each with what it needs, in an order that runs.

    Two modules may use one name for two things: the later one is renamed.
    """

    def __init__(self) -> None:
        self._imports: dict[str, None] = {}
        self._names: dict[str, str] = {}  # each name, and the module it is of
        self._pieces: dict[tuple[str, str], str] = {}
        self._renamed: dict[str, dict[str, str]] = {}

    def absorb(self, text: str) -> str:
        """Return text without its imports: those of graphc are copied, others go to the top."""
        kept, wanted = [], []
        for line in text.splitlines():
            match = re.fullmatch(r"from (graphc[\w.]*) import (.+)", line)
            if match:
                wanted += [_home(match[1], name) for name in match[2].split(", ")]
            elif re.match(r"(import|from) \w", line):
                self._imports[line] = None
            else:
                kept.append(line)
        self._names.update({name: module for module, name in wanted})  # as the text knows them
        for module, name in wanted:
            self.add(module, name)
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
            made = self.add(module, own)
            if made != name:
                self._pieces.setdefault(("", name), f"{name} = {made}")
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

    def add(self, module: str, name: str) -> str:
        """Copy a definition of a module, after what it needs; return its name in the copy."""
        module, name = _home(module, name)
        if (module, name) in self._pieces:
            return self._renamed.get(module, {}).get(name, name)
        if (module, name) == ("graphc.config", "config"):
            self._pieces[module, name] = _SETTINGS
            return name
        statement, needs = _definition(module, name)
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            self._imports[ast.unparse(statement)] = None
            return name
        made = self._reserve(module, name)
        self._pieces[module, name] = ""  # so that what calls itself ends
        for needed in needs:
            as_named = self.add(module, needed)
            if as_named != needed:
                self._renamed.setdefault(module, {})[needed] = as_named
        del self._pieces[module, name]
        self._pieces[module, name] = _text(module, statement)
        return made

    def _reserve(self, module: str, name: str) -> str:
        if self._names.setdefault(name, module) == module:
            return name
        made = f"{name}_of_{module.rpartition('.')[2]}"
        self._names[made] = module
        return self._renamed.setdefault(module, {}).setdefault(name, made)

    def __contains__(self, name: str) -> bool:
        """Tell whether a name is one of the imports or definitions."""
        return name in self._names or name in _defined(self._imports)

    def text(self) -> str:
        """Return imports and definitions."""
        for module in dict.fromkeys(module for module, _ in self._pieces):
            self._add_actions(module)
        first = ["from __future__ import annotations", ""]
        pieces = dict.fromkeys(
            _with_names(text, self._renamed.get(module, {}))
            for (module, _), text in self._pieces.items()
        )
        return "\n".join([*first, *sorted(self._imports)]) + "\n\n\n" + "\n\n\n".join(pieces)

    def _add_actions(self, module: str) -> None:
        """Copy what a module does on import to something that was copied of it."""
        if not module.startswith("graphc.backends"):
            return
        text, known = _module(module)
        for place, statement in enumerate(ast.parse(text).body):
            used = _used(statement) & set(known)
            if isinstance(statement, (ast.If, ast.For)) and any(
                (module, name) in self._pieces for name in used
            ):
                for name in sorted(used):
                    self.add(module, name)
                self._pieces[module, f"statement {place}"] = _text(module, statement)


def _with_names(text: str, renamed: Mapping[str, str]) -> str:
    if not renamed:
        return text
    words = rf"(?<![\w.])({'|'.join(renamed)})\b"
    return re.sub(words, lambda match: renamed[match[1]], text)


def _home(module: str, name: str) -> tuple[str, str]:
    """Return the module of graphc that makes what a module only imports."""
    known = _module(module)[1]
    statement = known[name][1] if name in known else None
    while isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("graphc"):
        alias = next(a for a in statement.names if (a.asname or a.name) == name)
        module, name = statement.module or "", alias.name
        statement = _module(module)[1].get(name, (0, None))[1]
    return module, name


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
