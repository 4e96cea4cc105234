"""Scalars of the host function, as Python expressions.

Sizes are Python ints, float64 scalars Python floats, other scalars NumPy scalars; the ``python``
templates of ops mean the same on all of them. Literals are Python numbers, which are weak.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from graphc.errors import InternalError
from graphc.ir.node import Node

_PYTHON_TYPES = {"float64": "float", "bool": "bool"}


def literal(value: bool | int | float) -> str:
    """Return a number as source text; ``inf`` and ``nan`` are names of the generated module."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    text = repr(value)
    return f"({text})" if text.startswith("-") else text


def expression(node: Node, operands: Sequence[str]) -> str:
    """Return the expression for a scalar node over its operands, which are names or literals."""
    if node.op.name == "cast":
        return _cast(node, operands[0])
    kind = "float" if node.inputs[-1].type.dtype.startswith("float") else "int"
    code = node.op.code
    template = code.get(f"python:{kind}") or code.get("python") or code.get("numpy")
    if template is None:
        raise InternalError(f"{node.op.name} has no code for the host function")
    return without_out(template).format(*operands)


def without_out(template: str) -> str:
    """Return a template as an expression: without the array its value would be written to."""
    return template.replace(", out={out}", "").replace(", {out}", "")


def _cast(node: Node, operand: str) -> str:
    source, target = node.inputs[0].type.dtype, node.type.dtype
    if source.startswith("float") and not target.startswith(("float", "bool")):
        return f"np.asarray({operand}).astype('{target}')[()]"  # NaN and overflow as NumPy has them
    return f"{_PYTHON_TYPES.get(target, f'np.{target}')}({operand})"


def from_array(array: str, dtype: str) -> str:
    """Return the expression that takes the one element of a 0-d array as a scalar."""
    return f"{array}.item()" if dtype in _PYTHON_TYPES else f"{array}[()]"
