"""Scalar nodes as OpenCL C: types, literals, conversions and the templates of ops.

The same text serves scalars and vectors: the templates call the functions of `kernels/prelude.cl`,
which are there for both, and literals are written in the type of their dtype. A vector type is the
name of the scalar one followed by the width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from graphc.backends.opencl.kernel import C_TYPES
from graphc.errors import NotSupportedError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, operand

_SUFFIXES = {"int64": "L", "uint32": "U", "uint64": "UL"}
_LOWEST = {"int32": "INT_MIN", "int64": "LONG_MIN"}  # C has no literal for these two numbers
_PLAIN = ("int32", "int64", "uint32", "uint64", "float16", "float32", "float64")


def c_name(dtype: str, width: int = 1) -> str:
    """Return the C type of a dtype, or of a vector of it.

    Examples
    --------
    >>> c_name("bool"), c_name("float64", 4)
    ('uchar', 'double4')
    """
    name = "float" if dtype == "float16" else C_TYPES[dtype]  # which is only stored
    return name + (str(width) if width > 1 else "")


def stored_name(dtype: str) -> str:
    """Return the C type in which numbers of a dtype lie in arrays.

    Examples
    --------
    >>> stored_name("float16"), stored_name("bool")
    ('half', 'uchar')
    """
    return "half" if dtype == "float16" else c_name(dtype)


def loaded(dtype: str, pointer: str, index: str) -> str:
    """Return the expression of one element of an array."""
    return f"vload_half({index}, {pointer})" if dtype == "float16" else f"{pointer}[{index}]"


def loaded_vector(dtype: str, address: str) -> str:
    """Return the expression of the vector that begins at an address."""
    return f"VLOAD_HALF({address})" if dtype == "float16" else f"VLOAD({c_name(dtype)}, {address})"


def store(dtype: str, value: str, pointer: str, index: str, width: int) -> str:
    """Return the statement that stores a value, or a vector of them."""
    half = dtype == "float16"
    if width > 1:
        kind = "VSTORE_HALF(" if half else f"VSTORE({c_name(dtype)}, "
        return f"{kind}{value}, {pointer} + {index});"
    return (
        f"vstore_half({value}, {index}, {pointer});" if half else f"{pointer}[{index}] = {value};"
    )


def literal(value: bool | int | float, dtype: str, width: int = 1) -> str:
    """Return a number of a dtype as C.

    Examples
    --------
    >>> (
    ...     literal(0.1, "float32"),
    ...     literal(-1, "int64"),
    ...     literal(3, "int8"),
    ...     literal(2.0, "float64", 4),
    ... )
    ('0.1f', '(-1L)', '(char)3', '(double4)(2.0)')
    """
    text = _float(value, dtype) if dtypes.is_float(dtype) else _int(int(value), dtype)
    if width > 1:
        return f"({c_name(dtype, width)})({unwrapped(text)})"
    return text if dtype in _PLAIN else f"({c_name(dtype)}){text}"


def _float(value: float, dtype: str) -> str:
    number = np.dtype(dtype).type(value)
    if not math.isfinite(number):
        name = "NAN" if math.isnan(number) else "INFINITY"  # which are floats
        name = f"(double){name}" if dtype == "float64" else name
        return f"(-{name})" if number < 0 else name
    text = str(number) + ("" if dtype == "float64" else "f")
    return f"({text})" if text.startswith("-") else text


def _int(value: int, dtype: str) -> str:
    if dtype in _LOWEST and value == np.iinfo(dtype).min:
        return _LOWEST[dtype]
    text = f"{value}{_SUFFIXES.get(dtype, '')}"
    return f"({text})" if value < 0 else text


def expression(node: Node, operands: Sequence[str], width: int = 1) -> str:
    """Return the C expression of an elementwise node over the text of its operands."""
    if node.op.name == "cast":
        return conversion(operands[0], node.inputs[0].type.dtype, node.type.dtype, width)
    kind = dtypes.kind(node.inputs[-1].type.dtype)
    template = node.op.code.get(f"opencl:{kind}") or node.op.code.get("opencl")
    if template is None:
        raise NotSupportedError(
            message(
                f"{node.op.name} of {node.inputs[-1].type.dtype} has no OpenCL code",
                [operand(child) for child in node.inputs],
                node.where,
            )
        )
    return template.format(*operands, T=c_name(node.type.dtype, width))


def unwrapped(text: str) -> str:
    """Return an expression without a pair of brackets around all of it.

    Examples
    --------
    >>> unwrapped("(a + b)"), unwrapped("(a) + (b)")
    ('a + b', '(a) + (b)')
    """
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return text[1:-1] if letter == ")" and place == len(text) - 1 else text
    return text


def conversion(text: str, source: str, target: str, width: int = 1) -> str:
    """Return an expression in another dtype, with NumPy's numbers.

    A float outside of the range of an integer dtype goes where NumPy's compilers take it on
    processors of the usual kind: through int to what is narrower, through long to what is unsigned.

    Examples
    --------
    >>> conversion("x", "float32", "int8"), conversion("x", "float64", "bool")
    ('convert_char(convert_int(x))', 'truth(x)')
    """
    if target == "bool":
        return f"truth({text})"
    if target == "float16":
        wide = source if source in ("float16", "float64") else "float32"
        return f"to_half({text if wide == source else conversion(text, source, wide, width)})"
    if source == "float16":
        return text if target == "float32" else conversion(text, "float32", target, width)
    to = c_name(target, width)
    direct = f"convert_{to}({text})"
    for dtype in steps(source, target):
        through = f"convert_{c_name(dtype, width)}({text})"
        if target == "uint64":
            low = f"lt({text}, {literal(2.0**63, source, width)})"
            return f"where({low}, as_{to}({through}), {direct})"
        return f"convert_{to}({through})"
    return direct


def steps(source: str, target: str) -> tuple[str, ...]:
    """Return the dtypes a conversion goes through."""
    if not dtypes.is_float(source) or dtypes.is_float(target):
        return ()
    if target in ("uint32", "uint64"):
        return ("int64",)
    return ("int32",) if np.dtype(target).itemsize < 4 else ()


def widths_of(node: Node) -> tuple[str, ...]:
    """Return the dtypes whose vectors the code of a node holds."""
    own = (node.type.dtype, *(child.type.dtype for child in node.inputs))
    return (*own, *steps(own[1], own[0])) if node.op.name == "cast" else own
