"""``graphc.save`` and ``graphc.load``: functions in files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from graphc.compile.compiled import CompiledFunction
from graphc.compile.files import read_file, write_file
from graphc.config import config
from graphc.errors import GraphcTypeError, message
from graphc.ir.source import here


def save(path: str | Path, functions: Any) -> None:
    """Write compiled functions to one file; variables that they share stay shared.

    The file holds their graphs, as they were written, and the values of shared variables and
    constants. It holds no pickle and nothing that is run when it is read.

    Parameters
    ----------
    path : path
        A file that is there is replaced.
    functions : CompiledFunction, or a list or dict of them
        `load` returns the same form.

    Raises
    ------
    GraphcTypeError
        For anything that is not a compiled function.
    NotSupportedError
        If a graph holds what a file cannot, such as a function of the user's.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x, w = T.dscalar("x"), graphc.shared(2.0, "w")
    >>> step = graphc.function([x], updates=[(w, w + x)])
    >>> show = graphc.function([], w * 1)
    >>> graphc.save("model.graphc", [step, show])
    >>> step, show = graphc.load("model.graphc")
    >>> step(3.0), show()
    ([], array(5.))
    """
    listed = functions
    form: str | tuple[str, ...] = "list"
    if isinstance(functions, CompiledFunction):
        listed, form = [functions], "one"
    elif isinstance(functions, Mapping):
        listed, form = list(functions.values()), tuple(functions)
    if not isinstance(listed, (list, tuple)) or not all(isinstance(key, str) for key in form):
        raise _wrong(functions)
    for item in listed:
        if not isinstance(item, CompiledFunction):
            raise _wrong(item)
    write_file(path, [item.definition for item in listed], form)


def _wrong(value: Any) -> GraphcTypeError:
    what = f"save writes a compiled function, or a list or a dict of them, not {value!r}"
    return GraphcTypeError(message(what, (), here()))


def load(path: str | Path, *, backend: str | None = None, device: str | None = None) -> Any:
    """Read what `save` wrote, and compile it.

    Each call gives functions with shared variables of their own, which start from the values that
    were saved: ``f.get_shared()`` and ``f["w"]`` reach them.

    Parameters
    ----------
    path : path
    backend : {'numpy', 'opencl'}, optional
        By default the one each function was compiled for.
    device : str, optional
        OpenCL device by name; by default ``graphc.config.device``.

    Returns
    -------
    CompiledFunction, list or dict
        In the form that was saved.

    Raises
    ------
    FileFormatError
        If the file is not one of graphc's, of another version, cut short or altered.
    """
    definitions, form = read_file(path)
    device = device or config.device or None
    found = [replace(d, backend=backend or d.backend, device=device) for d in definitions]
    functions = [CompiledFunction(definition) for definition in found]
    if isinstance(form, tuple):
        return dict(zip(form, functions, strict=True))
    return functions[0] if form == "one" else functions
