"""Views as people write them: ``x[1:]``, ``x[::-1]``, ``x[:, None]``, ``x.T``.

In the graph a slice is a start and a number of elements for each axis, both formulas that have been
cut to the axis and perhaps rewritten. They are read here as sums of terms, in which the cuts are
left away. What cannot be read so is shown as an ellipsis.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from graphc.ir.node import Node, number
from graphc.ir.shapes import Dim, as_dim, sizes

Sum = dict[Node | None, int]  # factor of each term; None stands for 1


def called(node: Node) -> str:
    """Return the name of what a node applies: that of its op, or of a function of the user's."""
    return str(node.attrs.get("called", node.op.name))


def shuffle_text(node: Node) -> str | None:
    """Return what stands behind the operand of a dimshuffle, None if NumPy has no short form.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> shuffle_text(T.dmatrix("m").T), shuffle_text(T.dvector("v").dimshuffle(0, "x"))
    ('.T', '[:, None]')
    """
    pattern: tuple[int, ...] = node.attrs["pattern"]
    rank = node.inputs[0].type.ndim
    kept = [axis for axis in pattern if axis >= 0]
    if kept == sorted(kept) and len(kept) == rank:
        return "[" + ", ".join(":" if axis >= 0 else "None" for axis in pattern) + "]"
    if kept == sorted(kept) and len(kept) == len(pattern):
        return "[" + ", ".join(":" if axis in kept else "0" for axis in range(rank)) + "]"
    return ".T" if pattern == tuple(range(rank))[::-1] else None


def slice_text(node: Node, text: Callable[[Dim], str]) -> str:
    """Return the brackets of a slice, or of the place a put replaces."""
    axes, steps = node.attrs["axes"], node.attrs["steps"]
    whole = sizes(node.inputs[0])
    if node.op.name == "put":
        starts = node.inputs[2:]
        lengths = [sizes(node.inputs[1])[axis] for axis in axes]
    else:
        starts = node.inputs[1 : 1 + len(axes)]
        lengths = [as_dim(size) for size in node.inputs[1 + len(axes) :]]
    parts = [":"] * (max(axes, default=-1) + 1)
    for axis, step, start, length in zip(axes, steps, starts, lengths, strict=True):
        parts[axis] = _part(as_dim(start), length, step, whole[axis], text)
    return f"[{', '.join(parts)}]"


def places_text(node: Node, indices: Sequence[str]) -> str:
    """Return the brackets of a read or write at places: ``[:, i, j]``."""
    return f"[{', '.join([':'] * node.attrs['axis'] + list(indices))}]"


def _part(start: Dim, length: Dim, step: int, whole: Dim, text: Callable[[Dim], str]) -> str:
    first, count, end = (_sum(size, whole) for size in (start, length, whole))
    if step < 0 and first == _plus(end, {None: -1}) and count == end:
        return f"::{step}"
    begin = _index(first, end, text)
    if step == 1 and count == {None: 1}:
        return begin
    begin = "" if begin == "0" and step > 0 else begin
    if step == 1:
        return f"{begin}:{_stop(_plus(first, count), end, text)}"
    return f"{begin}::{step}"


def _stop(last: Sum, end: Sum, text: Callable[[Dim], str]) -> str:
    return "" if last == end else _index(last, end, text)


def _index(place: Sum, end: Sum, text: Callable[[Dim], str]) -> str:
    """Return a place along an axis; counted from the end if the formula names the end."""
    terms = [node for node in end if node is not None]
    if terms and place.get(terms[0]) == end[terms[0]]:
        place = _plus(place, {node: -factor for node, factor in end.items()})
        if not place:
            return text(terms[0])
    parts = []
    for node, factor in sorted(place.items(), key=lambda item: item[0] is None):
        size = "" if node is None else text(node)
        amount = str(abs(factor)) if node is None else size
        if node is not None and abs(factor) != 1:
            amount = f"{abs(factor)} * {size}"
        sign = "-" if factor < 0 else "+"
        parts.append(f"{sign} {amount}")
    if not parts:
        return "0"
    joined = " ".join(parts)
    return joined[2:] if joined.startswith("+ ") else "-" + joined[2:]


def _plus(a: Sum, b: Sum, factor: int = 1) -> Sum:
    total = Counter(a)
    for node, count in b.items():
        total[node] += factor * count
    return {node: count for node, count in total.items() if count}


def _sum(size: Dim, whole: Dim, depth: int = 6) -> Sum:
    """Return a size as a sum of terms, without what cuts it to ``[0, whole]``."""
    if isinstance(size, int):
        return {None: size} if size else {}
    value = number(size)
    if value is not None:
        return {None: int(value)} if value else {}
    if size is whole or not depth:
        return {size: 1}
    inputs = size.inputs
    name = size.op.name
    if name in ("add", "sub"):
        first, second = (_sum(child, whole, depth - 1) for child in inputs)
        return _plus(first, second, 1 if name == "add" else -1)
    if name == "neg":
        return _plus({}, _sum(inputs[0], whole, depth - 1), -1)
    if name == "where":  # a negative index, counted from the end
        return _sum(inputs[2], whole, depth - 1)
    limit = {"maximum": 0, "minimum": whole}.get(name)
    for child, other in (inputs, inputs[::-1]) if len(inputs) == 2 else ():
        if limit is not None and as_dim(other) == limit:
            return _sum(child, whole, depth - 1)
    return {size: 1}
