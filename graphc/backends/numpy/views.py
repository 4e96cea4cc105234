"""Views as NumPy expressions."""

from __future__ import annotations

from graphc.emit.host import HostFunction
from graphc.ir.node import Node, number
from graphc.ir.shapes import Dim, add, as_dim, mul


def view_expression(host: HostFunction, node: Node, array: str) -> str:
    """Return a view node as an expression over the text of what it is a view of."""
    return _VIEWS[node.op.name](host, node, array)


def view_source(node: Node) -> Node:
    """Return what a view is written as a view of: ``x[i]`` is one of x, not of ``x[i:i+1]``."""
    below = node.inputs[0]
    return below.inputs[0] if _is_element(node) else below


def _is_element(node: Node) -> bool:
    """Tell whether a view is a slice of size 1 whose axis is dropped: an integer index."""
    below = node.inputs[0]
    if node.op.name != "dimshuffle" or below.op.name != "slice":
        return False
    axes = below.attrs["axes"]
    lengths = below.inputs[1 + len(axes) :]
    dropped = set(range(below.type.ndim)) - set(node.attrs["pattern"])
    return dropped == set(axes) and all(number(length) == 1 for length in lengths)


def _dimshuffle(host: HostFunction, node: Node, array: str) -> str:
    pattern: tuple[int, ...] = node.attrs["pattern"]
    kept = [axis for axis in pattern if axis >= 0]
    dropped = set(range(node.inputs[0].type.ndim)) - set(kept)
    if _is_element(node):
        array = _element(host, node.inputs[0], array)
    elif dropped:
        index = ["0" if axis in dropped else ":" for axis in range(node.inputs[0].type.ndim)]
        while index and index[-1] == ":":
            index.pop()
        array = f"{array}[{', '.join(index)}]"
    ranks = {axis: place for place, axis in enumerate(sorted(kept))}
    order = [ranks[axis] for axis in kept]
    if order == sorted(order, reverse=True) and len(order) > 1:
        array = f"{array}.T"
    elif order != sorted(order):
        array = f"{array}.transpose({', '.join(map(str, order))})"
    if -1 in pattern:
        array = f"{array}[{', '.join('None' if axis < 0 else ':' for axis in pattern)}]"
    return array


def _expand(host: HostFunction, node: Node, array: str) -> str:
    return f"np.broadcast_to({array}, {host.dims(host.program.sizes.of(node))})"


def _reshape(host: HostFunction, node: Node, array: str) -> str:
    inside = ", ".join(host.dim(size) for size in host.program.sizes.of(node))
    return f"{array}.reshape({inside})" if inside else f"{array}.reshape(())"


def _slice(host: HostFunction, node: Node, array: str) -> str:
    axes, steps = node.attrs["axes"], node.attrs["steps"]
    starts, lengths = node.inputs[1 : 1 + len(axes)], node.inputs[1 + len(axes) :]
    index = [":"] * node.inputs[0].type.ndim
    for axis, step, start, length in zip(axes, steps, starts, lengths, strict=True):
        index[axis] = slice_text(host, as_dim(start), as_dim(length), step)
    while len(index) > 1 and index[-1] == ":":
        index.pop()
    return f"{array}[{', '.join(index)}]"


def _element(host: HostFunction, node: Node, array: str) -> str:
    """Return a slice whose sizes are all 1 as integer indices."""
    axes = node.attrs["axes"]
    index = [":"] * (max(axes) + 1)
    for axis, start in zip(axes, node.inputs[1 : 1 + len(axes)], strict=True):
        index[axis] = host.dim(host.program.sizes.find(as_dim(start)))
    return f"{array}[{', '.join(index)}]"


def slice_text(host: HostFunction, start: Dim, length: Dim, step: int) -> str:
    """Return ``start:stop:step`` for so many elements."""
    find = host.program.sizes.find
    if step < 0:
        return f"down({host.dim(find(start))}, {host.dim(find(length))}, {step})"
    first = "" if isinstance(start, int) and start == 0 else host.dim(find(start))
    last = host.dim(find(add(start, mul(length, step))))
    return f"{first}:{last}" + (f":{step}" if step != 1 else "")


def _in_loop(host: HostFunction, node: Node, array: str) -> str:
    return array


_VIEWS = {
    "in_loop": _in_loop,
    "dimshuffle": _dimshuffle,
    "expand": _expand,
    "reshape": _reshape,
    "slice": _slice,
}
