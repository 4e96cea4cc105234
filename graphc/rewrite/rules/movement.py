# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Views of views, views of constants and broadcasts.

Broadcasts move outwards, to where they are a view of a smaller result, or vanish into an operand
that has the full size. Transpositions stay where they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from graphc.ir.node import Node, make
from graphc.ir.op import OPS, Kind
from graphc.ir.shapes import Dim, add, as_dim, mul, sizes, sub
from graphc.ops.movement import dimshuffle, expand
from graphc.ops.parts import join, join_offsets, make_vector, slice_axes
from graphc.rewrite.pattern import Attr, Rest, compute, raw
from graphc.rewrite.rule import procedure, rule, table, uses

_EXPAND, _DIMSHUFFLE, _JOIN = OPS["expand"], OPS["dimshuffle"], OPS["join"]
_PUT = OPS["put"]
shuffle, shape_as = raw("dimshuffle"), raw("reshape")


def same_size(a: Dim, b: Dim) -> bool:
    """Tell whether two sizes are known to be equal."""
    return a is b or (isinstance(a, int) and isinstance(b, int) and a == b)


def same_sizes(a: Sequence[Dim], b: Sequence[Dim]) -> bool:
    """Tell whether two shapes are known to be equal."""
    return len(a) == len(b) and all(map(same_size, a, b))


# -- dimshuffle -----------------------------------------------------------------------------------


@rule
def dimshuffle_dimshuffle(x, p: Attr, q: Attr):
    """Two rearrangements of axes are one."""
    return (
        shuffle(shuffle(x, pattern=p), pattern=q),
        shuffle(x, pattern=compute(lambda p, q: tuple(-1 if i < 0 else p[i] for i in q), "p[q]")),
    )


@procedure("dimshuffle")
def dimshuffle_identity(node: Node) -> Node | None:
    """Axes in their own order need no rearrangement, and a scalar is broadcast instead.

    Ends, as a dimshuffle goes.
    """
    (x,) = node.inputs
    if not x.type.ndim:
        return expand(x, (1,) * node.type.ndim) if node.type.ndim else x
    return x if node.attrs["pattern"] == tuple(range(x.type.ndim)) else None


@procedure("dimshuffle", when=uses("expand"))
def dimshuffle_expand(node: Node) -> Node | None:
    """Broadcasts move outwards, where they vanish into other operands.

    Ends, as a dimshuffle moves inwards past an expand, and neither is made anew.
    """
    x = node.inputs[0].inputs[0]
    pattern = node.attrs["pattern"]
    if not x.type.ndim:
        return expand(x, sizes(node))  # type: ignore[no-any-return]
    if any(x.type.shape[axis] != 1 for axis in range(x.type.ndim) if axis not in pattern):
        return None
    return expand(dimshuffle(x, pattern), sizes(node))  # type: ignore[no-any-return]


# -- expand ---------------------------------------------------------------------------------------


@procedure("expand", when=uses("expand"))
def expand_expand(node: Node) -> Node | None:
    """A broadcast to the final sizes needs no stop in between, unless that made a size 1.

    Ends, as an expand goes.
    """
    inner = node.inputs[0]
    x = inner.inputs[0]
    stops = zip(x.type.shape, inner.type.shape, node.type.shape, strict=False)
    if any(own != 1 and stop == 1 and wanted != 1 for own, stop, wanted in stops):
        return None
    return expand(x, node.inputs[1:])  # type: ignore[no-any-return]


@procedure("expand")
def expand_nothing(node: Node) -> Node | None:
    """A broadcast that repeats nothing is the operand itself.

    Ends, as an expand goes.
    """
    x = node.inputs[0]
    own, wanted = x.type.shape, node.type.shape
    if x.type.ndim != node.type.ndim:
        return None
    kept = all(a != 1 or b == 1 for a, b in zip(own, wanted, strict=True))
    return x if kept and x.type is node.type else None


@procedure(Kind.ELEMENTWISE, when=uses("expand"))
def elementwise_expand(node: Node) -> Node | None:
    """What is repeated is computed once, or broadcasts against an operand of full size for nothing.

    Ends, as expands move outwards or go.
    """
    inputs = tuple(
        child.inputs[0] if child.op is _EXPAND and _broadcasts(child) else child
        for child in node.inputs
    )
    rank = max(child.type.ndim for child in inputs)
    if inputs == node.inputs or any(child.type.ndim not in (0, rank) for child in inputs):
        return None
    return make(node.op, inputs, node.attrs, node.op.infer(inputs, node.attrs), node.where)


def _broadcasts(node: Node) -> bool:
    """Tell whether an expand only repeats axes of known size 1, or a scalar."""
    own = node.inputs[0].type.shape
    return not own or all(a == 1 or a == b for a, b in zip(own, node.type.shape, strict=True))


@procedure("fill")
def fill_is_expand(node: Node) -> Node | None:
    """Only the sizes of the first operand are needed, and those come from the inputs.

    Ends, as a fill goes.
    """
    return expand(node.inputs[1], sizes(node.inputs[0]))  # type: ignore[no-any-return]


# -- dimshuffle of elementwise --------------------------------------------------------------------


@procedure(Kind.ELEMENTWISE, when=uses("dimshuffle"))
def elementwise_dimshuffle(node: Node) -> Node | None:
    """New axes of size 1 move outwards past what is computed of one array and scalars.

    Then ``log(sum(..., keepdims=True))`` is seen as ``log(sum(...))``. Ends, as dimshuffles move
    outwards.
    """
    arrays = [child for child in node.inputs if child.type.ndim]
    pattern = arrays[0].attrs.get("pattern", ()) if arrays else ()
    if any(c.op is not _DIMSHUFFLE or c.attrs["pattern"] != pattern for c in arrays):
        return None
    kept = [axis for axis in pattern if axis >= 0]
    if kept != sorted(kept):
        return None  # a transposition: fused code reads it in place
    inputs = tuple(c.inputs[0] if c.type.ndim else c for c in node.inputs)
    if len({c.type.ndim for c in inputs} - {0}) > 1:
        return None
    inner = make(node.op, inputs, node.attrs, node.op.infer(inputs, node.attrs), node.where)
    if not inner.type.ndim:
        return inner
    return dimshuffle(inner, pattern)  # type: ignore[no-any-return]


# -- reshape --------------------------------------------------------------------------------------


@rule
def reshape_reshape(x, s: Rest, t: Rest):
    """Of two reshapes the second one alone decides."""
    return shape_as(shape_as(x, s), t), shape_as(x, t)


@procedure("reshape")
def reshape_is_dimshuffle(node: Node) -> Node | None:
    """A reshape that only adds and drops axes of size 1 is a view, whatever the strides.

    Ends, as a reshape goes.
    """
    x = node.inputs[0]
    if x.op is _EXPAND and not x.inputs[0].type.ndim:
        return expand(x.inputs[0], sizes(node))  # type: ignore[no-any-return]
    kept = [i for i, size in enumerate(sizes(x)) if not same_size(size, 1)]
    shown = [i for i, size in enumerate(sizes(node)) if not same_size(size, 1)]
    if any(x.type.shape[i] != 1 for i in range(x.type.ndim) if i not in kept):
        return None
    if not same_sizes([sizes(x)[i] for i in kept], [sizes(node)[i] for i in shown]):
        return None
    source = dict(zip(shown, kept, strict=True))
    return dimshuffle(x, [source.get(i, -1) for i in range(node.type.ndim)])  # type: ignore[no-any-return]


# -- slices ---------------------------------------------------------------------------------------


class Slice:
    """A slice node taken apart: axis to (start, size, step)."""

    def __init__(self, node: Node) -> None:
        axes, steps = node.attrs["axes"], node.attrs["steps"]
        count = len(axes)
        self.x, *bounds = node.inputs
        self.axes = {
            axis: (as_dim(start), as_dim(size), step)
            for axis, start, size, step in zip(
                axes, bounds[:count], bounds[count:], steps, strict=True
            )
        }

    def build(self, x: Node, axes: dict[int, tuple[Dim, Dim, int]]) -> Node:
        """Return a slice of x; x itself if nothing is cut."""
        if not axes:
            return x
        starts, lengths, steps = zip(*[axes[axis] for axis in sorted(axes)], strict=True)
        return slice_axes(x, sorted(axes), starts, lengths, steps)  # type: ignore[no-any-return]


@procedure("slice")
def slice_everything(node: Node) -> Node | None:
    """A slice that takes a whole axis in order is not needed on it.

    Ends, as there are fewer sliced axes.
    """
    cut = Slice(node)
    own = sizes(cut.x)
    axes = {
        axis: (start, size, step)
        for axis, (start, size, step) in cut.axes.items()
        if not (same_size(start, 0) and step == 1 and same_size(size, own[axis]))
    }
    return None if len(axes) == len(cut.axes) else cut.build(cut.x, axes)


@procedure("slice", when=uses("slice"))
def slice_slice(node: Node) -> Node | None:
    """A slice of a slice is one slice.

    Ends, as a slice goes.
    """
    outer, inner = Slice(node), Slice(node.inputs[0])
    axes = dict(inner.axes)
    for axis, (start, size, step) in outer.axes.items():
        if axis in axes:
            first, _, stride = axes[axis]
            axes[axis] = (add(first, mul(start, stride)), size, step * stride)
        else:
            axes[axis] = (start, size, step)
    return inner.build(inner.x, axes)


@procedure("slice", when=uses("expand"))
def slice_expand(node: Node) -> Node | None:
    """A part of what is repeated is repeated less often.

    Ends, as a slice goes, or is on fewer axes.
    """
    cut = Slice(node)
    x = cut.x.inputs[0]
    if not x.type.ndim:
        return expand(x, sizes(node))  # type: ignore[no-any-return]
    axes = {axis: one for axis, one in cut.axes.items() if x.type.shape[axis] != 1}
    if len(axes) == len(cut.axes):
        return None
    return expand(cut.build(x, axes), sizes(node))  # type: ignore[no-any-return]


@procedure("slice", when=uses("make_vector"))
def slice_of_vector(node: Node) -> Node | None:
    """Part of a vector of known scalars is a vector of fewer of them.

    Ends, as a slice goes.
    """
    vector = node.inputs[0]
    start, size, step = Slice(node).axes[0]
    if not isinstance(start, int) or not isinstance(size, int) or not size:
        return None
    return make_vector(*[vector.inputs[start + i * step] for i in range(size)])  # type: ignore[no-any-return]


@procedure("dimshuffle", when=uses("make_vector"))
def only_element(node: Node) -> Node | None:
    """The element of a vector of one scalar is that scalar.

    Ends, as a view goes.
    """
    scalars = node.inputs[0].inputs
    if len(scalars) != 1:
        return None
    return scalars[0] if not node.type.ndim else expand(scalars[0], (1,) * node.type.ndim)


@procedure("slice", when=uses("join"))
def slice_join(node: Node) -> Node | None:
    """A part that lies within one of the joined arrays is a part of that array.

    Ends, as a join goes.
    """
    cut = Slice(node)
    axis = cut.x.attrs["axis"]
    if axis not in cut.axes:
        return None
    start, size, step = cut.axes[axis]
    offsets = join_offsets(cut.x)
    for part, low, high in zip(cut.x.inputs, offsets, offsets[1:], strict=False):
        inside = _start_inside(start, size, step, low, high, sizes(part)[axis])
        if inside is not None:
            return cut.build(part, {**cut.axes, axis: (inside, size, step)})
    return None


def _start_inside(start: Dim, size: Dim, step: int, low: Dim, high: Dim, length: Dim) -> Dim | None:
    """Return where a slice starts in the part of a join between two offsets, None if outside."""
    if same_size(start, low) and step == 1 and same_size(size, length):
        return 0
    known = isinstance(start, int) and isinstance(size, int) and size > 0
    if known and isinstance(low, int) and isinstance(high, int):
        last = start + (size - 1) * step
        if low <= start < high and low <= last < high:
            return start - low
    return None


_CHEAP = 10
"""An elementwise op of less weight than this may be computed for a part and for the whole."""


@procedure("slice", when=lambda children: children[0].kind is Kind.ELEMENTWISE)
def slice_elementwise(node: Node) -> Node | None:
    """Part of something computed from a join is computed from the part that was joined.

    Ends, as a slice moves inwards.
    """
    cut, inner = Slice(node), node.inputs[0]
    if not _reaches_join(inner, cut.axes, depth=6):
        return None
    inputs = tuple([_sliced(child, cut, inner) for child in inner.inputs])
    if any(child.type.ndim not in (0, inner.type.ndim) for child in inputs):
        return None
    return make(inner.op, inputs, inner.attrs, inner.op.infer(inputs, inner.attrs), node.where)


def _reaches_join(node: Node, axes: dict[int, tuple[Dim, Dim, int]], depth: int) -> bool:
    """Tell whether cheap elementwise ops lead to a join along one of the axes."""
    if node.op is _JOIN:
        return node.attrs["axis"] in axes
    if node.op.kind is not Kind.ELEMENTWISE or node.op.weight >= _CHEAP or not depth:
        return False
    return any(_reaches_join(child, axes, depth - 1) for child in node.inputs if child.type.ndim)


def _sliced(x: Node, cut: Slice, whole: Node) -> Node:
    """Return the part of an operand that the part of the result needs."""
    if not x.type.ndim:
        return x
    repeated = [n == 1 and m != 1 for n, m in zip(x.type.shape, whole.type.shape, strict=True)]
    axes = {axis: one for axis, one in cut.axes.items() if not repeated[axis]}
    return cut.build(x, axes)


@procedure("slice", when=uses("put"))
def slice_put(node: Node) -> Node | None:
    """What was put into a slice is found there, and elsewhere what was there before.

    Ends, as a put goes.
    """
    placed = node.inputs[0]
    x, value, *starts = placed.inputs
    same = all(node.attrs[name] == placed.attrs[name] for name in ("axes", "steps"))
    count = len(starts)
    if same and node.inputs[1 : 1 + count] == tuple(starts):
        return value if same_sizes(sizes(value), sizes(node)) else None
    if node.attrs["axes"] != placed.attrs["axes"] or placed.attrs["steps"] != (1,):
        return None
    (axis,), (step,) = node.attrs["axes"], node.attrs["steps"]
    start, size, first = map(as_dim, (*node.inputs[1:], *starts))
    if step == -1 and same_size(size, sizes(value)[axis]):  # all of it, from its end
        last = sub(size, 1)
        if _distance(add(first, last), start) == 0:
            return slice_axes(value, [axis], [last], [size], [-1])  # type: ignore[no-any-return]
    known = isinstance(start, int) and isinstance(size, int) and isinstance(first, int)
    if step == 1 and known and start + size <= first:
        return slice_axes(x, [axis], [start], [size], [1])  # type: ignore[no-any-return]
    return None


def _distance(a: Dim, b: Dim) -> int | None:
    """Return b - a where it is a number whatever the sizes are; None if that is not seen."""
    terms: Counter[Node] = Counter()
    number_ = 0
    stack: list[tuple[Dim, int]] = [(b, 1), (a, -1)]
    while stack:
        size, sign = stack.pop()
        if isinstance(size, Node) and size.op.name in ("add", "sub"):
            left, right = map(as_dim, size.inputs)
            stack += [(left, sign), (right, -sign if size.op.name == "sub" else sign)]
        elif isinstance(size, Node):
            terms[size] += sign
        else:
            number_ += sign * size
    return None if any(terms.values()) else number_


@procedure("put")
def put_everything(node: Node) -> Node | None:
    """Where all of an array is replaced, nothing of it is left.

    Ends, as a put goes.
    """
    x, value, *starts = node.inputs
    first = all(same_size(as_dim(start), 0) for start in starts)
    ahead = all(step == 1 for step in node.attrs["steps"])
    return value if first and ahead and same_sizes(sizes(x), sizes(value)) else None


@procedure("put")
def puts_are_join(node: Node) -> Node | None:
    """Parts that fill an array one after the other are joined: nothing is written before.

    Ends, as puts go.
    """
    (axis,) = node.attrs["axes"] if len(node.attrs["axes"]) == 1 else (-1,)
    parts: list[tuple[int, Node]] = []
    while axis >= 0 and node.op is _PUT and node.attrs["axes"] == (axis,):
        start = as_dim(node.inputs[2])
        if not isinstance(start, int) or node.attrs["steps"] != (1,):
            return None
        parts.append((start, node.inputs[1]))
        whole, node = sizes(node)[axis], node.inputs[0]
        if _tile(parts, axis, whole):
            return join(axis, [part for _, part in sorted(parts, key=lambda p: p[0])])  # type: ignore[no-any-return]
    return None


def _tile(parts: Sequence[tuple[int, Node]], axis: int, whole: Dim) -> bool:
    """Tell whether parts fill an axis, one after the other."""
    end: Dim = 0
    for start, part in sorted(parts, key=lambda p: p[0]):
        if not same_size(start, end):
            return False
        end = add(start, sizes(part)[axis])
    return same_size(end, whole)


# -- join -----------------------------------------------------------------------------------------


@procedure("join", when=lambda children: len(children) == 1 or _JOIN in children)
def join_join(node: Node) -> Node | None:
    """Joins along one axis are one join, and one array alone needs none.

    Ends, as there are fewer joins.
    """
    axis = node.attrs["axis"]
    parts: list[Node] = []
    for child in node.inputs:
        inner = child.op is _JOIN and child.attrs["axis"] == axis
        parts += child.inputs if inner else [child]
    return None if len(parts) == len(node.inputs) > 1 else join(axis, parts)


RULES = table(globals())
