"""The pages "From Theano to graphc" and "From NumPy to graphc": where each name went.

The lists hold the left sides. A name that graphc has under the same path is found by looking; what
is renamed or not supported is said in a table below. A name that is neither is a mistake: the tests
list them.
"""

from __future__ import annotations

import importlib
import types
from collections.abc import Iterable
from typing import Any

from reference_numpy import CONSTRUCTORS, NUMPY, NUMPY_LATER, NUMPY_NOTES, NUMPY_UNSUPPORTED
from reference_theano import LATER, METHODS, RENAMED, THEANO, UNSUPPORTED

import graphc
import graphc.tensor as T
from graphc.ir.node import METHODS as LOOKED_UP
from graphc.ir.node import Node
from graphc.ir.types import LANGUAGE
from graphc.tensor import variables
from graphc.tensor.numpy_protocol import FUNCTIONS, UFUNCS

HINTS = """\
Change the import line first; much of a program then runs as it is:

```python no-run
import graphc as theano
import graphc.tensor as T
```

What differs on purpose:

- Dtypes are NumPy 2's, not Theano's: `int8 + int8` stays int8, `x / n` of integers is `floatX`.
- An unknown size never broadcasts. Declare it: `T.row`, `T.col`, `broadcastable=`.
- The gradient of `maximum` at a tie is split evenly.
- There is no optimizer to choose by name: `mode="FAST_COMPILE"` computes what was written.
"""


def resolve(path: str) -> Any:
    """Return what a dotted name stands for, importing modules on the way; None if nothing."""
    parts = path.split(".")
    found: Any = importlib.import_module(parts[0])
    for depth, part in enumerate(parts[1:], 2):
        try:
            found = getattr(found, part)
        except AttributeError:
            if not isinstance(found, types.ModuleType):
                return None
            try:
                found = importlib.import_module(".".join(parts[:depth]))
            except ImportError:
                return None
    return found


# -- Theano ---------------------------------------------------------------------------------------


def theano_target(name: str) -> str:
    """Return where a name of Theano went, or why it is not here; nothing if nobody knows.

    ``name`` is a path below ``theano``, such as ``tensor.nnet.relu``.
    """
    path = RENAMED.get(name, f"graphc.{name}")
    if path.startswith("graphc") and resolve(path.removesuffix("()")) is not None:
        return f"`{path}`"
    if name in RENAMED and not path.startswith("graphc"):
        return path
    for known in (name, *_prefixes(name)):
        if known in UNSUPPORTED:
            return f"not supported: {UNSUPPORTED[known]}"
        if known in LATER:
            return "not there yet"
    return ""


def _prefixes(name: str) -> Iterable[str]:
    parts = name.split(".")
    return [".".join(parts[:n]) + ".*" for n in range(len(parts) - 1, 0, -1)]


def theano_page() -> str:
    """Return the page for those who come from Theano."""
    lines = ["# From Theano to graphc", "", "Names and keywords are Theano's wherever they can be."]
    lines += [HINTS]
    for title, prefix, text in THEANO:
        lines += [f"## {title}", "", "| Theano | graphc |", "| --- | --- |"]
        for word in text.split():
            name = f"{prefix}{word}"
            lines.append(f"| `theano.{name}` | {theano_target(name)} |")
        lines.append("")
    lines += ["## Methods and attributes of variables", "", "| Theano | graphc |", "| --- | --- |"]
    lines += [f"| `x.{name}` | {method_target(name)} |" for name in METHODS]
    return "\n".join([*lines, ""])


def method_target(name: str) -> str:
    """Return what became of a method of Theano's variables; nothing if nobody knows."""
    said = METHODS[name]
    if said:
        return said
    for kind, variable in ((Node, "x"), (graphc.SharedVariable, "shared")):
        present = hasattr(kind, name) or name in getattr(kind, "__slots__", ())
        if present and (name in LANGUAGE or not _looked_up(kind, name)):
            return f"`{variable}.{name}`"
    return ""


def _looked_up(kind: type, name: str) -> bool:
    """Tell whether a method is one that the table of the language must fill."""
    return kind is Node and name in LOOKED_UP


# -- NumPy ----------------------------------------------------------------------------------------


def numpy_target(name: str) -> str:
    """Return how a function of NumPy is written for expressions; nothing if nobody knows."""
    if name in NUMPY_NOTES:
        return NUMPY_NOTES[name]
    found = [f"np.{name}"] if numpy_takes(name) else []
    own = tensor_name(name)
    if own:
        found.append(own)
    if found:
        return ", ".join(f"`{text}`" for text in found)
    if name in NUMPY_UNSUPPORTED:
        return f"not supported: {NUMPY_UNSUPPORTED[name]}"
    return "not there yet" if name in NUMPY_LATER else ""


def numpy_takes(name: str) -> bool:
    """Tell whether NumPy's function builds graphs of expressions."""
    meaning = FUNCTIONS.get(name, UFUNCS.get(name, name))
    if name in CONSTRUCTORS:
        return False
    if callable(meaning):
        return True
    known = name in FUNCTIONS or isinstance(resolve(f"numpy.{name}"), _ufunc())
    return known and meaning in LANGUAGE


def _ufunc() -> type:
    return type(importlib.import_module("numpy").add)


def tensor_name(name: str) -> str:
    """Return the name in graphc.tensor, or a module of it, that goes with one of NumPy's."""
    last = name.rpartition(".")[2]
    meaning = FUNCTIONS.get(name, UFUNCS.get(name, last))
    words = [last, meaning if isinstance(meaning, str) else last]
    if "linalg" in name and name in FUNCTIONS:
        words = words[1:]  # T.inv is 1 / x
    for word in dict.fromkeys(words):
        for home in ("", *(["nlinalg.", "slinalg."] if "linalg" in name else []), "extra_ops."):
            value = resolve(f"graphc.tensor.{home}{word}")
            if callable(value):
                return f"T.{home}{word}"
    return ""


def numpy_page() -> str:
    """Return the page for those who come from NumPy."""
    lines = [
        "# From NumPy to graphc",
        "",
        "NumPy's functions build graphs when they are given expressions: `np.exp(x)` is `T.exp(x)`",
        "then. Where two names are given, they make the same expression. What makes arrays of",
        "nothing, like `np.zeros`, makes arrays; its namesake in `T` takes symbolic sizes.",
        "",
    ]
    for title, prefix, text in NUMPY:
        lines += [f"## {title}", "", "| NumPy | for expressions |", "| --- | --- |"]
        for word in text.split():
            lines.append(f"| `np.{prefix}{word}` | {numpy_target(prefix + word)} |")
        lines.append("")
    lines += ["## Names of graphc.tensor that neither page has", "", own_names(), ""]
    return "\n".join(lines)


def own_names() -> str:
    """Return the public names of graphc.tensor that are not on the left of either table."""
    theirs = {w for _, _, text in THEANO for w in text.split()}
    theirs |= {w for _, _, text in NUMPY for w in text.split()}
    theirs |= set(variables.__all__)  # one for each dtype and rank
    mine = sorted(name for name in T.__all__ if name not in theirs and not name.startswith("_"))
    return ", ".join(f"`T.{name}`" for name in mine) or "None."


def holes() -> list[str]:
    """Return the names on the left that have nothing on the right."""
    missing = [
        f"theano.{prefix}{word}"
        for _, prefix, text in THEANO
        for word in text.split()
        if not theano_target(prefix + word)
    ]
    missing += [f"x.{name}" for name in METHODS if not method_target(name)]
    missing += [
        f"np.{prefix}{word}"
        for _, prefix, text in NUMPY
        for word in text.split()
        if not numpy_target(prefix + word)
    ]
    return missing
