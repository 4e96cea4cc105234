"""From the definition of a function to something that runs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from graphc.backends.base import Executable
from graphc.backends.numpy.backend import LIMITS as NUMPY_LIMITS
from graphc.backends.numpy.build import build as build_numpy
from graphc.compile.definition import Definition
from graphc.errors import GraphcValueError
from graphc.ir.node import Node
from graphc.ir.shapes import Sizes
from graphc.lower.build import lent_everywhere, lower
from graphc.lower.halves import widen_halves
from graphc.lower.program import Limits
from graphc.ops.custom import inlined
from graphc.rewrite.pipeline import simplify, simplify_size


def build(definition: Definition, log: list[Any]) -> Executable:
    """Return the executable of a function; what was rewritten is added to ``log``."""
    outputs: Sequence[Node] = definition.outputs
    everything = [*outputs, *(new for _, new in definition.updates)]
    limits, build_for = _backend(definition.backend, definition.device)
    if not limits.halves:
        everything = widen_halves(everything)
    sizes = Sizes(everything, simplify_size)
    everything = inlined(everything)
    if definition.optimize:
        # what guards need is rewritten in the same way, so that it is not computed twice
        asked, n = sizes.computed(), len(everything)
        everything = simplify([*everything, *asked], log=log)
        sizes.replace(asked, everything[n:])
        everything = everything[:n]
    outputs, new = everything[: len(outputs)], everything[len(outputs) :]
    updates = [(old, value) for (old, _), value in zip(definition.updates, new, strict=True)]
    lent = definition.borrowed if definition.backend == "numpy" else ()
    inputs = [a.node for a in definition.given]
    program = lower(
        definition.name, inputs, outputs, updates, sizes, limits, definition.optimize, log, lent
    )
    if definition.backend != "numpy":
        program.resident = lent_everywhere(outputs, definition.borrowed)
    executable: Executable = build_for(program, definition.form)
    return executable


def _backend(name: str, device: str | None) -> tuple[Limits, Any]:
    if name == "numpy":
        return NUMPY_LIMITS, build_numpy
    if name == "opencl":
        return import_module("graphc.backends.opencl.build").for_device(device)  # type: ignore[no-any-return]
    raise GraphcValueError(f"backend {name!r}: must be 'numpy' or 'opencl'")
