"""Library routines of the OpenCL backend, found by op name.

A routine gets the backend, the host function and the node, and writes lines that leave the value
in the node's buffer. They come down to products, copies, and
what `indexing` does at places.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from graphc.backends.opencl import windows
from graphc.backends.opencl.groups import is_host_value
from graphc.emit.host import HostFunction
from graphc.emit.scalars import literal
from graphc.ir.node import Node, number
from graphc.ir.shapes import Dim, add, as_dim, mul
from graphc.lower.layout import row_major

if TYPE_CHECKING:
    from graphc.backends.opencl.backend import OpenCLBackend

Routine = Callable[["OpenCLBackend", HostFunction, Node], None]
Shape = tuple[Dim, ...]


def _dot(backend: OpenCLBackend, host: HostFunction, node: Node) -> None:
    a, b = (backend.view(host, child) for child in node.inputs)
    _say_where(host, node)
    host.body.line(f"dot({a}, {b}, {backend.array(host, node)})", [node])


def _matmul(backend: OpenCLBackend, host: HostFunction, node: Node) -> None:
    a, b = (backend.view(host, child) for child in node.inputs)
    _say_where(host, node)
    host.body.line(f"matmul({a}, {b}, {backend.array(host, node)})", [node])


def _say_where(host: HostFunction, node: Node) -> None:
    """Say which products of matrices the host computes; their sizes are known in the call."""
    least = dict(host.program.limits.host_products).get(node.type.dtype)
    if least is not None and all(child.type.ndim > 1 for child in node.inputs):
        host.body.line(f"# from {least:.3g} multiplications on, the host's BLAS", [node])


def _copy(backend: OpenCLBackend, host: HostFunction, node: Node) -> None:
    """Bring the elements of what is reshaped into order."""
    source = node.inputs[0]
    shape = host.program.sizes.of(source)
    target = _part(backend, host, node, shape, row_major(shape), 0)
    host.body.line(f"copy_view({backend.view(host, source)}, {target})", [node])


def _part(
    backend: OpenCLBackend,
    host: HostFunction,
    node: Node,
    shape: Shape,
    strides: Shape,
    offset: Dim,
) -> str:
    """Return a part of a node's buffer as a view."""
    find = host.program.sizes.find
    dims = [host.dims(tuple(map(find, sizes))) for sizes in (shape, strides)]
    return f"view({backend.array(host, node)}, {', '.join(dims)}, {host.dim(find(offset))})"


def _join(backend: OpenCLBackend, host: HostFunction, node: Node) -> None:
    axis = node.attrs["axis"]
    strides = row_major(host.program.sizes.of(node))
    start: Dim = 0
    for part in node.inputs:
        shape = host.program.sizes.of(part)
        target = _part(backend, host, node, shape, strides, mul(start, strides[axis]))
        host.body.line(f"copy_view({backend.view(host, part)}, {target})", [node])
        start = add(start, shape[axis])


def _put(backend: OpenCLBackend, host: HostFunction, node: Node) -> None:
    x, y = node.inputs[:2]
    source, out = backend.view(host, x), backend.array(host, node)
    if source != out:
        host.body.line(f"copy_view({source}, {out})", [node])
    shape = list(host.program.sizes.of(x))
    strides = list(row_major(tuple(shape)))
    offset: Dim = 0
    axes, steps = node.attrs["axes"], node.attrs["steps"]
    for axis, step, start in zip(axes, steps, node.inputs[2:], strict=True):
        shape[axis] = host.program.sizes.of(y)[axis]
        offset = add(offset, mul(as_dim(start), strides[axis]))
        strides[axis] = mul(strides[axis], step)
    target = _part(backend, host, node, tuple(shape), tuple(strides), offset)
    host.body.line(f"copy_view({backend.view(host, y)}, {target})", [node])


def _make_vector(backend: OpenCLBackend, host: HostFunction, node: Node) -> None:
    for place, part in enumerate(node.inputs):
        target = _part(backend, host, node, (), (), place)
        if is_host_value(part, host.program):
            host.body.line(f"fill_view({target}, {host.scalar(part)})", [node])
        else:
            host.body.line(f"copy_view({backend.view(host, part)}, {target})", [node])


def _random(backend: OpenCLBackend, host: HostFunction, node: Node) -> None:
    state, step = (_contiguous(backend, host, child) for child in node.inputs[:2])
    part, out = node.attrs["part"], backend.array(host, node)
    host.body.line(f"draw({node.op.name!r}, {state}, {step}, {part}, {out})", [node])


def _windows(backend: OpenCLBackend, host: HostFunction, node: Node) -> None:
    arrays = [_contiguous(backend, host, child) for child in node.inputs if child.type.ndim]
    out = backend.array(host, node)
    place = ", ".join(map(str, node.attrs.values()))
    host.body.line(f"slide({node.op.name!r}, {', '.join(arrays)}, {out}, {place})", [node])


def _contiguous(backend: OpenCLBackend, host: HostFunction, node: Node) -> str:
    """Return an operand as an array whose elements follow each other from the buffer's start."""
    array = backend.view(host, node)
    return f"in_order({array})" if array.startswith("view(") else array


# -- indexing with arrays -------------------------------------------------------------------------


def _index(backend: OpenCLBackend, host: HostFunction, node: Node) -> str:
    """Return an index array: the host's own, if it has it, or one on the device."""
    if is_host_value(node, host.program):
        return backend.host_value(host, node)
    return backend.view(host, node)


def _indices(backend: OpenCLBackend, host: HostFunction, nodes: tuple[Node, ...]) -> str:
    return f"[{', '.join([_index(backend, host, node) for node in nodes])}]"


def _gather(backend: OpenCLBackend, host: HostFunction, node: Node) -> None:
    x = backend.view(host, node.inputs[0])
    indices = _indices(backend, host, node.inputs[1:])
    out = backend.array(host, node)
    host.body.line(f"take_at({x}, {indices}, {node.attrs['axis']}, {out})", [node])


def _board(backend: OpenCLBackend, host: HostFunction, node: Node) -> str:
    """Return what is written into: a number, if it is the same everywhere, or an array."""
    value = number(node.inputs[0]) if node.op.name == "expand" else None
    return backend.view(host, node) if value is None else literal(value)


def _scatter(backend: OpenCLBackend, host: HostFunction, node: Node) -> None:
    name = {"scatter": "put_at", "scatter_add": "add_at"}[node.op.name]
    x, y = _board(backend, host, node.inputs[0]), backend.view(host, node.inputs[1])
    indices = _indices(backend, host, node.inputs[2:])
    distinct = name == "add_at" and node.op.details["distinct"](node.inputs[2:])
    out = backend.array(host, node) + (", distinct=True" if distinct else "")
    host.body.line(f"{name}({x}, {y}, {indices}, {node.attrs['axis']}, {out})", [node])


def _flatnonzero(backend: OpenCLBackend, host: HostFunction, node: Node) -> None:
    x = backend.view(host, node.inputs[0])
    host.body.line(f"find({x}, {backend.array(host, node)})", [node])


def _searchsorted(backend: OpenCLBackend, host: HostFunction, node: Node) -> None:
    a, v = (backend.view(host, child) for child in node.inputs)
    out = backend.array(host, node)
    host.body.line(f"search({a}, {v}, '{node.attrs['side']}', {out})", [node])


def _place(backend: OpenCLBackend, host: HostFunction, node: Node) -> None:
    index = _index(backend, host, node.inputs[0])
    size = host.dim(host.program.sizes.find(as_dim(node.inputs[1])))
    host.body.line(f"inside({index}, {size}, {backend.array(host, node)})", [node])


# -- along an axis --------------------------------------------------------------------------------


def _sort(backend: OpenCLBackend, host: HostFunction, node: Node) -> None:
    x, out = backend.view(host, node.inputs[0]), backend.array(host, node)
    places = ", places=True" if node.op.name == "argsort" else ""
    host.body.line(f"sort_along({x}, {node.attrs['axis']}, {out}{places})", [node])


def _scan(backend: OpenCLBackend, host: HostFunction, node: Node) -> None:
    kind = {"cumsum": "SUM", "cumprod": "PRODUCT"}.get(node.op.name, "")
    kind = "ADJOINT" if node.attrs.get("adjoint") else kind
    arrays = ", ".join(_contiguous(backend, host, child) for child in node.inputs)
    out = backend.array(host, node)
    host.body.line(f"scan_along({kind!r}, [{arrays}], {node.attrs['axis']}, {out})", [node])


def _softmax(backend: OpenCLBackend, host: HostFunction, node: Node) -> None:
    x = _contiguous(backend, host, node.inputs[0])
    axes, out = len(node.attrs["axes"]), backend.array(host, node)
    host.body.line(f"along_rows({node.op.name!r}, {x}, {axes}, {out})", [node])


COPY: Routine = _copy
ROUTINES: dict[str, Routine] = {
    "dot": _dot,
    "join": _join,
    "matmul": _matmul,
    "put": _put,
    "make_vector": _make_vector,
    "random_bits": _random,
    "random_normal": _random,
    "random_uniform": _random,
    **dict.fromkeys(windows.ROUTINES, _windows),
    "gather": _gather,
    "scatter": _scatter,
    "scatter_add": _scatter,
    "flatnonzero": _flatnonzero,
    "searchsorted": _searchsorted,
    "place": _place,
    "sort": _sort,
    "argsort": _sort,
    "cumsum": _scan,
    "cumprod": _scan,
    "recurrence": _scan,
    "softmax": _softmax,
    "log_softmax": _softmax,
}
