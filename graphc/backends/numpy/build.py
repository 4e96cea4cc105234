"""From a program to an executable that runs on NumPy."""

from __future__ import annotations

from typing import Any

from graphc.backends.base import Executable
from graphc.backends.numpy.backend import HELPERS, NumpyBackend
from graphc.backends.numpy.recording import bandwidth, recording
from graphc.emit.host import HostFunction
from graphc.emit.writer import Names, names_of
from graphc.ir.dtypes import DTYPES
from graphc.lower.program import Host, Program


def build(program: Program, form: str | tuple[str, ...]) -> Executable:
    """Return the executable of a program.

    Parameters
    ----------
    form : str or tuple of str
        ``"one"`` result, a ``"list"`` of them, or the keys of a dict.
    """
    host = HostFunction(program, NumpyBackend(), form, names=_names(program))
    text, origin = host.emit()
    return Executable(
        backend="numpy",
        program=program,
        host_source=text,
        source=text,
        origin=origin,
        names=host.names,
        quiet=not _plain(program, text),
        namespace=dict(host.namespace),
        scalar_argument=_scalar,
        recording=recording,
        bandwidth=bandwidth,
    )


def _names(program: Program) -> Names:
    """Return the names of a program, clear of those that the text uses for itself."""
    kernels = [
        f"k{k}{end}" for k in range(1, len(program.every_step) + 1) for end in ("", "_tiles")
    ]
    own = ["np", "inf", "nan", "ndarray", "pool", "buffers", "make_buffers", "guard_error"]
    own += ["at_step", "locals"]
    helpers = [name for source in HELPERS for name in source.__all__]
    return names_of(program, [*own, "argument", "Shared", "special", *helpers, *DTYPES, *kernels])


def _plain(program: Program, text: str) -> bool:
    """Tell whether a program computes on Python floats alone, which never warn."""
    for step in program.every_step:
        if not isinstance(step, Host):
            return False
        if any(node.type.dtype not in ("float64", "bool") for node in (step.node, *step.reads)):
            return False
    body = text.replace("np.array(", "").replace("import numpy as np", "").replace("np.dtype", "")
    return "np." not in body and "special." not in body


def _scalar(array: Any) -> Any:
    return array.item() if array.dtype in ("float64", "bool") else array[()]
