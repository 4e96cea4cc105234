"""The reverse pass: from gradients of outputs to gradients of what they were computed from.

Each op's row says how a gradient passes through it (`Op.vjp`). Here is what all ops share: the
order, sums over several uses, broadcasting, dtypes, and zeros that must not meet infinities.
Ops with several results have no place here yet.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from graphc.autodiff.masks import Mask
from graphc.ir import dtypes
from graphc.ir.node import Node, const, is_tuple, number
from graphc.ir.op import OPS, Kind, Undefined
from graphc.ir.shapes import Dim, as_size_node, product, sizes
from graphc.ir.walk import toposort
from graphc.ops.elementwise import cast, or_, where
from graphc.ops.family import pad_left
from graphc.ops.movement import dimshuffle, expand
from graphc.ops.reduce import sum as sum_over


class Term(NamedTuple):
    """A gradient: ``value`` inside ``mask``, 0 outside; possibly smaller than what it is for."""

    value: Node
    mask: Mask


Adjoint = Term | Undefined | None  # None is a gradient of zero everywhere


def gradients(
    outputs: Sequence[Node],
    seeds: Sequence[Node],
    wrt: Sequence[Node],
    constant: Collection[Node] = (),
    fixed: Collection[Node] = (),
    leaves: Collection[Node] = (),
) -> list[Node | Undefined | None]:
    """Return the sum over outputs of ``seed * d output / d x`` for each ``x`` of ``wrt``.

    Parameters
    ----------
    outputs, seeds : sequences of Node
        Expressions and the gradient of each; a seed may be smaller and is broadcast.
    wrt : sequence of Node
        Leaves or intermediate expressions.
    constant : collection of Node
        Expressions no gradient passes through.
    fixed : collection of Node
        Outputs whose seed is all of their gradient, however other outputs use them.
    leaves : collection of Node
        Expressions of ``wrt`` that have a gradient but pass none on.

    Returns
    -------
    list of Node, Undefined or None
        In the shape and dtype of each ``x``; None where no output depends on it.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.dscalar("x")
    >>> gradients([T.exp(x)], [T.constant(3.0)], [x])
    [3 * exp(x)]
    """
    order = toposort(outputs, stop={*constant, *leaves})
    active = _active(order, set(wrt), set(constant))
    kept, ends = set(fixed), set(leaves)
    whole = Mask()
    received: dict[Node, list[Adjoint]] = {}
    for output, seed in zip(outputs, seeds, strict=True):
        if output in active:
            received.setdefault(output, []).append(_peeled(seed, whole, output, output))
    found: dict[Node, Node | Undefined] = {}
    wanted = active.intersection(wrt)
    for node in reversed(order):
        if node not in received:
            continue
        adjoint = _total(received.pop(node), whole)
        if node in wanted:
            found[node] = _finished(adjoint, node)
        if node in ends:
            continue
        for child, part in _passed_on(node, adjoint, active):
            if child not in kept:
                received.setdefault(child, []).append(part)
    return [found.get(node) for node in wrt]


def _active(order: list[Node], wanted: set[Node], constant: set[Node]) -> set[Node]:
    """Return the nodes that a gradient on its way to ``wanted`` passes."""
    active: set[Node] = set()
    for node in order:
        if node in constant or not (is_tuple(node) or dtypes.is_float(node.type.dtype)):
            continue
        if node in wanted or not active.isdisjoint(node.inputs):
            active.add(node)
    return active


# -- through one node -----------------------------------------------------------------------------

_BROADCASTS = ("expand", "fill")  # besides elementwise ops
_MOVES = ("sum", "dimshuffle", "reshape")  # the gradient is the same numbers in other places
_KEEPS_AXES = ("sum", "prod", "max", "min", "dimshuffle")  # an axis of the gradient may have size 1


def _passed_on(node: Node, adjoint: Adjoint, active: set[Node]) -> Iterator[tuple[Node, Adjoint]]:
    """Yield each active input of a node with its share of the node's gradient."""
    if active.isdisjoint(node.inputs):
        return
    if not isinstance(adjoint, Term):
        yield from ((child, adjoint) for child in node.inputs if child in active)
        return
    value, mask = adjoint
    if node.op.name in _MOVES:
        child = node.inputs[0]
        moved = mask.moved(lambda condition: _move(node, condition))
        yield child, _fitted(_move(node, value), moved, child, None)
        return
    broadcasts = node.op.kind is Kind.ELEMENTWISE or node.op.name in _BROADCASTS
    if not broadcasts:
        value, mask = _shaped(mask.keep(value), node), mask.whole()
    space = node if broadcasts else None
    for child, entry in zip(node.inputs, _entries(node, value), strict=True):
        if child not in active or entry is None:
            continue
        if isinstance(entry, Undefined):
            yield child, entry
        else:
            yield child, _peeled(entry, mask, child, space)


def _entries(node: Node, g: Node) -> Sequence[Node | Undefined | None]:
    """Apply the op's own gradient; the one place that knows where it is found."""
    if node.op.vjp is None:
        return [Undefined(f"{node.op.name} has no gradient")] * len(node.inputs)
    return node.op.vjp(g, node, *node.inputs)


def _move(node: Node, value: Node) -> Node:
    """Return a gradient, or its mask, from the places of the result to those of the input."""
    if not value.type.ndim:
        return value  # the same number everywhere
    return _entries(node, _shaped(value, node))[0]  # type: ignore[return-value]


def _shaped(value: Node, node: Node) -> Node:
    """Return a gradient of a node as large as the node's op needs it."""
    if node.op.name not in _KEEPS_AXES:
        return _full(value, node)
    if value.type.ndim or not node.type.ndim:
        return value
    return pad_left(value, node.type.ndim)


def _full(value: Node, node: Node) -> Node:
    """Return a gradient broadcast to the sizes of its node."""
    if not value.type.ndim:
        return expand(value, sizes(node))  # type: ignore[no-any-return]
    repeated = [
        own == 1 != wanted for own, wanted in zip(value.type.shape, node.type.shape, strict=True)
    ]
    if not any(repeated):
        return value
    pairs = zip(repeated, sizes(value), sizes(node), strict=True)
    return expand(value, [wanted if grows else own for grows, own, wanted in pairs])  # type: ignore[no-any-return]


def _finished(adjoint: Adjoint, node: Node) -> Node | Undefined:
    """Return the gradient of a node as the caller gets it."""
    if isinstance(adjoint, Undefined):
        return adjoint
    if adjoint is None:
        return _full(const(0, node.type.dtype), node)
    return _full(adjoint.mask.keep(adjoint.value), node)


# -- sums over uses -------------------------------------------------------------------------------


def _total(parts: list[Adjoint], whole: Mask) -> Adjoint:
    """Return the sum of gradients: under each mask first, then the two halves of one space."""
    groups: dict[Mask, list[Node]] = {}
    for part in parts:
        if isinstance(part, Undefined):
            return part
        if part is not None:
            groups.setdefault(part.mask, []).append(part.value)
    sums = {mask: _added(values) for mask, values in groups.items()}
    for mask in list(sums):
        _join_halves(sums, mask)
    if not sums:
        return None
    if len(sums) == 1:
        ((mask, value),) = sums.items()
        return Term(value, mask)
    value = _added([mask.keep(value) for mask, value in sums.items()])
    if whole in sums:
        return Term(value, whole)
    somewhere = _paired([mask.node for mask in sums if mask.node is not None], or_)
    return Term(value, whole.within(somewhere, True))


def _join_halves(sums: dict[Mask, Node], mask: Mask) -> None:
    """Replace a gradient where a condition holds and one where it does not by their choice."""
    while mask in sums and mask.condition is not None and mask.outer is not None:
        other = mask.opposite()
        if other is None or other not in sums:
            return
        yes, no = (mask, other) if mask.holds else (other, mask)
        value = where(mask.condition, sums.pop(yes), sums.pop(no))
        mask = mask.outer
        sums[mask] = _added([sums[mask], value]) if mask in sums else value


def _added(values: list[Node]) -> Node:
    return _paired(values, lambda a, b: a + b)


def _paired(values: list[Node], combine: Callable[[Node, Node], Node]) -> Node:
    """Combine neighbours, then neighbours of these, and so on: the tree is as flat as can be."""
    while len(values) > 1:
        pairs = zip(values[::2], values[1::2], strict=False)
        odd = values[-1:] if len(values) % 2 else []
        values = [combine(a, b) for a, b in pairs] + odd
    return values[0]


# -- fitting a gradient to its input --------------------------------------------------------------


def _peeled(entry: Node, mask: Mask, child: Node, space: Node | None) -> Adjoint:
    """Return what a vjp gave as a term for its input, with conditions taken off."""
    while entry.op is OPS["where"]:
        condition, yes, no = entry.inputs
        if _is_zero(no):
            entry, mask = yes, mask.within(condition, True)
        elif _is_zero(yes):
            entry, mask = no, mask.within(condition, False)
        else:
            break
    return None if _is_zero(entry) else _fitted(entry, mask, child, space)


def _is_zero(node: Node) -> bool:
    return number(node) == 0


def _fitted(value: Node, mask: Mask, child: Node, space: Node | None) -> Term:
    """Return a gradient in the dtype of an input, and summed to its shape.

    ``space`` is the result that the input was broadcast to; None if its op does not broadcast.
    """
    value = cast(value, child.type.dtype)
    if 0 < value.type.ndim < child.type.ndim:
        value = pad_left(value, child.type.ndim - value.type.ndim)
    shape = (value if space is None else space).type.shape
    lead = max(len(shape) - child.type.ndim, 0)
    axes = [
        axis
        for axis, size in enumerate(shape)
        if size != 1 and (axis < lead or child.type.shape[axis - lead] == 1)
    ]
    if not axes and not lead:
        return Term(value, mask)
    if mask.varies_over(axes):
        value, mask = mask.keep(value), mask.whole()
    rest = range(lead, len(shape))
    mask = mask.moved(lambda condition: _without(condition, (), rest))
    varying = [axis for axis in axes if value.type.ndim and value.type.shape[axis] != 1]
    if space is not None:
        repeats = [sizes(space)[axis] for axis in axes if axis not in varying]
        value = _times(value, product(repeats))
    return Term(_without(value, varying, rest), mask)


def _without(value: Node, summed: Sequence[int], rest: Sequence[int]) -> Node:
    """Return a value summed over some axes, with the axes ``rest``; others have size 1."""
    if not value.type.ndim:
        return value
    kept = [axis for axis in range(value.type.ndim) if axis not in summed]
    if summed:
        value = sum_over(value, axes=tuple(summed))
    return dimshuffle(value, [-1 if axis in summed else kept.index(axis) for axis in rest])  # type: ignore[no-any-return]


def _times(value: Node, count: Dim) -> Node:
    """Return the sum of ``count`` equal values."""
    if isinstance(count, int) and count == 1:
        return value
    dtype = value.type.dtype
    wide = "float32" if dtype == "float16" else dtype  # a count may be beyond float16
    repeated = cast(value, wide) * cast(as_size_node(count), wide)
    return cast(repeated, dtype)  # type: ignore[no-any-return]
