"""Files of functions: a line that says what it is, a checksum, and a zip of JSON and arrays.

Nothing in a file is run when it is read: there is no pickle in it and no source. The checksum is
over everything after it, so a file that was cut short or altered is refused before it is looked
at. It guards against accidents, not against somebody who writes a wrong file with a right checksum:
against that, everything that is read is checked again (`graphc.compile.rows`).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphc.compile.definition import Definition, assemble
from graphc.compile.rows import Reading, Writing
from graphc.compile.shared import SharedVariable, updating
from graphc.errors import FileFormatError, GraphcError, GraphcTypeError, message
from graphc.ir.node import INPUT
from graphc.ir.source import here

VERSION = 1
_MAGIC = b"graphc file "
_DIGEST = 64

Form = str | tuple[str, ...]


def write_file(path: Any, definitions: Sequence[Definition], form: Form) -> None:
    """Write functions to a file, in place of what was there."""
    target = _path(path)
    writing = Writing()
    with updating:  # no call changes values while they are written down
        rows, place = writing.rows([node for d in definitions for node in d.roots()])
        functions = [_function(d, [place[node] for node in d.roots()]) for d in definitions]
    graph = {"form": form, "functions": functions, "rows": rows}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_member("graph.json"), json.dumps(graph, indent=1))
        for i, array in enumerate(writing.arrays):
            data = io.BytesIO()
            np.save(data, array, allow_pickle=False)
            archive.writestr(_member(f"arrays/{i}.npy"), data.getvalue())
    body = content.getvalue()
    digest = hashlib.sha256(body).hexdigest().encode()
    _replace(target, _MAGIC + b"%d\n" % VERSION + digest + b"\n" + body)


def read_file(path: Any) -> tuple[list[Definition], Form]:
    """Return the functions of a file, and whether it holds one, a list or a dict of them."""
    source = _path(path)
    body = _body(source, source.read_bytes())
    try:
        graph, arrays = _members(body)
        nodes = Reading(arrays).nodes(graph["rows"])
        found = [_definition(function, nodes) for function in graph["functions"]]
        form = graph["form"]
        return found, tuple(map(str, form)) if isinstance(form, list) else str(form)
    except FileFormatError as error:
        raise FileFormatError(f"{source}: {error}") from error
    except (GraphcError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise FileFormatError(f"{source}: its graph makes no sense: {error}") from error
    except _SENSELESS as error:
        raise FileFormatError(f"{source}: its graph makes no sense: {error!r}") from error


_SENSELESS = (
    AssertionError,
    AttributeError,
    RecursionError,
    StopIteration,
    zipfile.BadZipFile,
)


def _path(path: Any) -> Path:
    try:
        return Path(path)
    except TypeError:
        raise GraphcTypeError(
            message(f"a file is named by a path, not {path!r}", (), here())
        ) from None


def _member(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # equal functions give equal files


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _body(path: Path, content: bytes) -> bytes:
    """Return what the checksum is of, or raise."""
    first, _, rest = content.partition(b"\n")
    if not first.startswith(_MAGIC):
        raise FileFormatError(f"{path} is not a file that graphc.save wrote")
    number = first.removeprefix(_MAGIC)
    if not number.isdigit():
        raise FileFormatError(f"{path} was altered: its first line is {first[:40]!r}")
    if int(number) != VERSION:
        raise FileFormatError(
            f"{path} is of version {int(number)}; this graphc reads version {VERSION}"
        )
    digest, body = rest[:_DIGEST], rest[_DIGEST + 1 :]
    if hashlib.sha256(body).hexdigest().encode() != digest or rest[_DIGEST:][:1] != b"\n":
        raise FileFormatError(f"{path} was cut short or altered: its checksum does not agree")
    return body


def _members(body: bytes) -> tuple[dict[str, Any], list[np.ndarray]]:
    arrays: list[np.ndarray] = []
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise FileFormatError("a part of it is compressed, which graphc.save does not do")
        graph = json.loads(archive.read("graph.json"))
        for i in range(len(archive.namelist()) - 1):
            arrays.append(_array(archive.read(f"arrays/{i}.npy")))
    if not isinstance(graph, dict):
        raise FileFormatError("graph.json holds no graph")
    return graph, arrays


def _array(content: bytes) -> np.ndarray:
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise FileFormatError(f"an array of format {version}")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject or len(content) - file.tell() != dtype.itemsize * int(np.prod(shape)):
        raise FileFormatError("an array is not as long as it says")
    flat = np.frombuffer(content, dtype, offset=file.tell())
    return flat.reshape(shape, order="F" if fortran else "C")


def _function(definition: Definition, roots: list[int]) -> dict[str, Any]:
    return {
        "name": definition.name,
        "roots": roots,
        "inputs": [
            [a.name, a.default is not None, a.own, a.implicit, a.strict, a.allow_downcast]
            for a in definition.arguments
        ],
        "outputs": len(definition.outputs),
        "borrowed": list(definition.borrowed),
        "form": definition.form,
        "updates": len(definition.updates),
        "optimize": definition.optimize,
        "backend": definition.backend,
    }


def _definition(written: dict[str, Any], nodes: list[Any]) -> Definition:
    inputs = written["inputs"]
    form, name, backend = written["form"], written["name"], written["backend"]
    if not (isinstance(name, str) and name.isidentifier() and name.isascii()):
        raise FileFormatError(f"a function named {name!r}")
    if backend not in ("numpy", "opencl"):
        raise FileFormatError(f"backend {backend!r}")
    if any(i < 0 for i in written["roots"]):
        raise FileFormatError("a root below 0")
    rest: tuple[Any, ...] = (
        name,
        tuple(map(bool, written["borrowed"])),
        tuple(map(str, form)) if isinstance(form, list) else str(form),
        bool(written["optimize"]),
        backend,
        None,
    )
    counts = (int(written["outputs"]), int(written["updates"]))
    found = assemble(
        [nodes[i] for i in written["roots"]],
        [(n if n is None else str(n), bool(d), bool(o), bool(i)) for n, d, o, i, _, _ in inputs],
        [(bool(s), d if d is None else bool(d)) for *_, s, d in inputs],
        counts,
        rest,
    )
    variables: list[Any] = [a.default for a in found.arguments if a.default is not None]
    variables += [old for old, _ in found.updates]
    if not all(isinstance(node, SharedVariable) for node in variables):
        raise FileFormatError(f"{name} changes what is no shared variable")
    if any(a.node.op is not INPUT for a in found.given):
        raise FileFormatError(f"{name} has an input that is an expression")
    return found
