"""Library routines of the NumPy backend, found by op name.

A routine gets the host function, the node and the text of its operands, and writes lines that
leave the value under the name ``out``: in a buffer, or in a variable if it is a scalar (`leave`).
For an op with several results, ``out`` is a tuple of names, empty for results that nobody reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from graphc.backends.numpy import linear, windows
from graphc.backends.numpy.leave import leave
from graphc.backends.numpy.views import slice_text
from graphc.emit.host import HostFunction
from graphc.errors import NotSupportedError, message
from graphc.ir.node import Node, number, operand
from graphc.ir.shapes import as_dim
from graphc.ir.types import TupleType
from graphc.lower.program import is_scalar

Routine = Callable[[HostFunction, Node, list[str], Any], None]


def _dot(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    if is_scalar(node):
        leave(host, node, out, f"np.dot({operands[0]}, {operands[1]})")
    else:
        host.body.line(f"np.dot({operands[0]}, {operands[1]}, {out})", [node])


def _matmul(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    host.body.line(f"np.matmul({operands[0]}, {operands[1]}, {out})", [node])


def _join(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    axis = node.attrs["axis"]
    host.body.line(f"np.concatenate(({', '.join(operands)}), {axis}, {out})", [node])


ZEROS = "0"
"""The operand of a put that is an array of zeros, which need not be one."""


def is_zeros(node: Node) -> bool:
    """Tell whether an array is zero everywhere, by the way it is made."""
    return node.op.name == "expand" and number(node.inputs[0]) == 0


def _put(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    x, y = operands[:2]
    index = [":"] * node.type.ndim
    axes, steps = node.attrs["axes"], node.attrs["steps"]
    for axis, step, start in zip(axes, steps, node.inputs[2:], strict=True):
        length = host.program.sizes.of(node.inputs[1])[axis]
        index[axis] = slice_text(host, as_dim(start), length, step)
    if x == ZEROS:
        host.body.line(f"{out}.fill(0)", [node])
    elif x != out:
        host.body.line(f"np.copyto({out}, {x})", [node])
    host.body.line(f"{out}[{', '.join(index)}] = {y}", [node])


def _make_vector(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    host.body.line(f"{out}[:] = {', '.join(operands)}{',' * (len(operands) == 1)}", [node])


def _random(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    state, step = operands[:2]
    part = node.attrs["part"]
    host.body.line(f"{node.op.name}({state}, {step}, {part}, {out})", [node])


def _windows(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    """Call the function of the op's name; sizes among the inputs are those of ``out``."""
    arrays = [text for text, child in zip(operands, node.inputs, strict=True) if child.type.ndim]
    place = ", ".join(map(str, node.attrs.values()))
    host.body.line(f"{node.op.name}({', '.join(arrays)}, {out}, {place})", [node])


def _indices(host: HostFunction, names: list[str]) -> str:
    return f"({', '.join(names)}{',' * (len(names) == 1)})"


def _gather(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    x, *indices = operands
    axis = node.attrs["axis"]
    host.body.line(f"take_at({x}, {_indices(host, indices)}, {axis}, {out})", [node])


def _scatter(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    x, y, *indices = operands
    axis = node.attrs["axis"]
    host.body.line(f"put_at({x}, {y}, {_indices(host, indices)}, {axis}, {out})", [node])


def _scatter_add(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    x, y, *indices = operands
    distinct = ", distinct=True" if node.op.details["distinct"](node.inputs[2:]) else ""
    place = f"{_indices(host, indices)}, {node.attrs['axis']}"
    host.body.line(f"add_at({x}, {y}, {place}, {out}{distinct})", [node])


def _flatnonzero(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    host.body.line(f"find({operands[0]}, {out})", [node])


def _searchsorted(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    a, v = operands
    host.body.line(f"{out}[...] = {a}.searchsorted({v}, '{node.attrs['side']}')", [node])


def _place(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    size = host.dim(host.program.sizes.find(as_dim(node.inputs[1])))
    host.body.line(f"inside({operands[0]}, {size}, {out})", [node])


def _sort(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    host.body.line(f"sort_into({operands[0]}, {node.attrs['axis']}, {out})", [node])


def _argsort(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    axis = node.attrs["axis"]
    host.body.line(f"{out}[...] = {operands[0]}.argsort({axis}, 'stable')", [node])


def _accumulate(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    axis, dtype = node.attrs["axis"], node.type.dtype
    host.body.line(f"np.{node.op.name}({operands[0]}, {axis}, {dtype}, {out})", [node])


def _recurrence(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    place = f"{node.attrs['axis']}, {node.attrs['adjoint']}"
    host.body.line(f"recur({', '.join(operands)}, {place}, {out})", [node])


def _foreign(host: HostFunction, node: Node, operands: list[str], out: Any) -> None:
    """Call a function of the user's: arrays are filled, scalars taken out of what it returns."""
    function, kind = node.attrs["function"], cast(Any, node.type)
    kinds = kind.items if isinstance(kind, TupleType) else (kind,)
    outs = out if isinstance(out, tuple) else (out,)
    name = host.names.fresh(f"call_{_identifier(function.__name__)}_")
    host.refer(name, partial(function.into, node))
    pairs = list(zip(outs, kinds, strict=True))
    arrays = "".join(f"{text if text and one.ndim else None}, " for text, one in pairs)
    call = f"{name}(({arrays}), {', '.join(operands)})"
    if all(one.ndim or not text for text, one in pairs):
        host.body.line(call, [node])
        return
    found = host.names.fresh("found")
    host.body.line(f"{found} = {call}", [node])
    for i, (text, one) in enumerate(pairs):
        if text and not one.ndim:
            value = f"{found}[{i}].item()" if one.dtype == "float64" else f"{found}[{i}][()]"
            host.body.line(f"{text} = {value}", [node])


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _foreign_shape(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    function = node.attrs["function"]
    name = host.names.fresh(f"shape_of_{_identifier(function.__name__)}_")
    host.refer(name, partial(function.shape_into, node))
    host.body.line(f"{name}({out}, {', '.join(operands)})", [node])


ROUTINES: dict[str, Routine] = {
    **linear.ROUTINES,
    "foreign": _foreign,
    "foreign_shape": _foreign_shape,
    "dot": _dot,
    "join": _join,
    "matmul": _matmul,
    "put": _put,
    "make_vector": _make_vector,
    "random_bits": _random,
    "random_normal": _random,
    "random_uniform": _random,
    **dict.fromkeys(windows.__all__, _windows),
    "gather": _gather,
    "scatter": _scatter,
    "scatter_add": _scatter_add,
    "flatnonzero": _flatnonzero,
    "searchsorted": _searchsorted,
    "place": _place,
    "sort": _sort,
    "argsort": _argsort,
    "cumsum": _accumulate,
    "cumprod": _accumulate,
    "recurrence": _recurrence,
}


def run(host: HostFunction, node: Node, operands: list[str], outs: dict[Node, str]) -> None:
    """Write the lines of a node's routine; ``outs`` are the names of the results that are read."""
    routine = ROUTINES.get(node.op.name)
    if routine is None:
        raise NotSupportedError(
            message(f"{node.op.name} has no NumPy routine", [operand(node)], node.where)
        )
    kind: Any = node.type
    if not isinstance(kind, TupleType):
        routine(host, node, operands, outs[node])
        return
    names = [""] * len(kind.items)
    for result, name in outs.items():
        names[result.attrs["index"]] = name
    routine(host, node, operands, tuple(names))
