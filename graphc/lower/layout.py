"""Views as strides: where the elements of a view lie in the memory of its base."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from graphc.errors import InternalError
from graphc.ir.node import Node
from graphc.ir.op import Kind
from graphc.ir.shapes import Dim, Sizes, add, as_dim, mul, sizes


@dataclass(frozen=True, slots=True)
class Strided:
    """An array in memory: element ``(i, j, ...)`` is at ``offset + i * strides[0] + ...``.

    Strides are in elements and may be 0 or negative.
    """

    base: Node
    shape: tuple[Dim, ...]
    strides: tuple[Dim, ...]
    offset: Dim


def row_major(shape: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """Return the strides of a contiguous array."""
    strides: list[Dim] = []
    step: Dim = 1
    for size in reversed(shape):
        strides.append(step)
        step = mul(step, size)
    return tuple(reversed(strides))


def strided(node: Node, stored: Container[Node], size_env: Sizes | None = None) -> Strided:
    """Return where a node's elements lie; every stored array is contiguous."""
    chain: list[Node] = []
    while node.op.kind is Kind.VIEW and node not in stored:
        chain.append(node)
        node = node.inputs[0]
    shape = _sizes(node, size_env)
    place = Strided(node, shape, row_major(shape), 0)
    for view in reversed(chain):
        place = _STEPS[view.op.name](view, place, _sizes(view, size_env))
    return place


def _sizes(node: Node, size_env: Sizes | None) -> tuple[Dim, ...]:
    return size_env.of(node) if size_env else sizes(node)


def _dimshuffle(view: Node, place: Strided, shape: tuple[Dim, ...]) -> Strided:
    strides = tuple(0 if axis < 0 else place.strides[axis] for axis in view.attrs["pattern"])
    return Strided(place.base, shape, strides, place.offset)


def _expand(view: Node, place: Strided, shape: tuple[Dim, ...]) -> Strided:
    if not place.shape:
        return Strided(place.base, shape, (0,) * len(shape), place.offset)
    strides = tuple(
        0 if _is_one(old) else stride
        for old, stride in zip(place.shape, place.strides, strict=True)
    )
    return Strided(place.base, shape, strides, place.offset)


def _slice(view: Node, place: Strided, shape: tuple[Dim, ...]) -> Strided:
    axes, steps = view.attrs["axes"], view.attrs["steps"]
    starts = view.inputs[1 : 1 + len(axes)]
    strides = list(place.strides)
    offset = place.offset
    for axis, step, start in zip(axes, steps, starts, strict=True):
        offset = add(offset, mul(as_dim(start), place.strides[axis]))
        strides[axis] = mul(place.strides[axis], step)
    return Strided(place.base, shape, tuple(strides), offset)


def _reshape(view: Node, place: Strided, shape: tuple[Dim, ...]) -> Strided:
    if not is_contiguous(place):
        raise InternalError(f"{view!r} reshapes an array that is not contiguous")
    return Strided(place.base, shape, row_major(shape), place.offset)


def _in_loop(view: Node, place: Strided, shape: tuple[Dim, ...]) -> Strided:
    return place


_STEPS = {
    "in_loop": _in_loop,
    "dimshuffle": _dimshuffle,
    "expand": _expand,
    "slice": _slice,
    "reshape": _reshape,
}


def is_contiguous(place: Strided) -> bool:
    """Tell whether the elements lie one after the other in row-major order."""
    expected: Dim = 1
    for size, stride in zip(reversed(place.shape), reversed(place.strides), strict=True):
        if not _is_one(size) and not _same(stride, expected):
            return False
        expected = mul(expected, size)
    return True


def needs_copy(node: Node, stored: Container[Node]) -> bool:
    """Tell whether a reshape is of a view whose elements do not lie in order."""
    if node.op.name != "reshape":
        return False
    return not is_contiguous(strided(node.inputs[0], stored))


def _is_one(size: Dim) -> bool:
    return isinstance(size, int) and size == 1


def _same(a: Dim, b: Dim) -> bool:
    return a is b or (isinstance(a, int) and isinstance(b, int) and a == b)
