"""The reverse pass: from gradients of outputs to gradients of what they were computed from.

Each op's row says how a gradient passes through it (`Op.vjp`). Here is what all ops share: the
order, sums over several uses, broadcasting, dtypes, zeros that must not meet infinities, and
branches that are not taken. The gradient of an op with several results is a list, of which each
`get` gives one entry.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

from graphc.autodiff.loops import loop_entries
from graphc.autodiff.masks import Branch, Closed, Mask, common, is_steep, meets_steep, union
from graphc.autodiff.places import together
from graphc.ir import dtypes
from graphc.ir.node import Node, const, is_tuple, number
from graphc.ir.op import OPS, Kind, Undefined
from graphc.ir.shapes import Dim, as_size_node, product, sizes
from graphc.ir.walk import toposort
from graphc.ops.control import ifelse
from graphc.ops.elementwise import cast, or_, where
from graphc.ops.family import pad_left
from graphc.ops.movement import dimshuffle, expand
from graphc.ops.reduce import any as any_over
from graphc.ops.reduce import sum as sum_over
from graphc.ops.results import results


class Term(NamedTuple):
    """A gradient: ``value`` inside ``mask``, 0 outside; possibly smaller than what it is for.

    All of it is to be computed only where ``branch`` is taken, and is 0 elsewhere.
    """

    value: Node
    mask: Mask
    branch: Branch


class Bundle(NamedTuple):
    """The gradients of an op with several results, None where there is none."""

    values: list[Node | None]
    mask: Mask
    branch: Branch


class Share(NamedTuple):
    """The gradient of one result of an op with several."""

    place: int
    adjoint: Adjoint


Adjoint = Term | Bundle | Undefined | None  # None is a gradient of zero everywhere


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
    whole, always = Mask(), Branch()
    received: dict[Node, list[Any]] = {}
    for output, seed in zip(outputs, seeds, strict=True):
        if output in active:
            start = _peeled(Term(seed, whole, always), output, output)
            received.setdefault(output, []).append(start)
    found: dict[Node, Node | Undefined] = {}
    wanted = active.intersection(wrt)
    for node in reversed(order):
        if node not in received:
            continue
        adjoint = (_bundled if is_tuple(node) else _total)(received.pop(node), node)
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


def _passed_on(node: Node, adjoint: Adjoint, active: set[Node]) -> Iterator[tuple[Node, Any]]:
    """Yield each active input of a node with its share of the node's gradient."""
    if active.isdisjoint(node.inputs):
        return
    if node.op is OPS["get"]:
        yield node.inputs[0], Share(node.attrs["index"], adjoint)
        return
    if adjoint is None or isinstance(adjoint, Undefined):
        yield from ((child, adjoint) for child in node.inputs if child in active)
        return
    broadcasts = node.op.kind is Kind.ELEMENTWISE or node.op.name in _BROADCASTS
    if isinstance(adjoint, Bundle):
        values, mask, branch = adjoint
        entries = _entries(node, values, active)
    else:
        value, mask, branch = adjoint
        if isinstance(mask, Closed) and node.op.kind is not Kind.ELEMENTWISE:
            mask = mask.whole()
        if node.op.name in _MOVES:
            child = node.inputs[0]
            moved = mask.moved(lambda condition: _move(node, condition))
            yield child, _fitted(Term(_move(node, value), moved, branch), child, None)
            return
        if not broadcasts:
            value, mask = _shaped(mask.keep(value), node), mask.whole()
        entries = _entries(node, value, active)
    space = node if broadcasts else None
    for child, entry in zip(node.inputs, entries, strict=True):
        if child not in active or entry is None:
            continue
        if isinstance(entry, Undefined):
            yield child, entry
        elif isinstance(mask, Closed):
            kept = mask.keep(entry) if is_steep(node) else entry
            yield child, _fitted(Term(kept, mask, branch), child, space)
        else:
            yield child, _peeled(Term(entry, mask, branch), child, space)


def _entries(node: Node, g: Any, active: Collection[Node]) -> Sequence[Node | Undefined | None]:
    """Apply the op's own gradient; the one place that knows where it is found."""
    if node.op is OPS["scan"]:
        return loop_entries(node, g, active, gradients)
    if node.op.vjp is None:
        return [Undefined(f"{node.op.name} has no gradient")] * len(node.inputs)
    return node.op.vjp(g, node, *node.inputs)


def _move(node: Node, value: Node) -> Node:
    """Return a gradient, or its mask, from the places of the result to those of the input."""
    if not value.type.ndim:
        return value  # the same number everywhere
    return _entries(node, _shaped(value, node), ())[0]  # type: ignore[return-value]


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
    assert isinstance(adjoint, Term)
    return _placed(adjoint, node, adjoint.branch.chain()[0])


def _placed(term: Term, node: Node, top: Branch) -> Node:
    """Return the gradient of a node with its conditions put back, within a branch."""
    value = term.value if isinstance(term.mask, Closed) else term.mask.keep(term.value)
    return term.branch.chosen(_full(value, node), node, top)


# -- sums over uses -------------------------------------------------------------------------------


def _total(parts: list[Any], node: Node) -> Adjoint:
    """Return the sum of gradients: in each branch first, then two branches of one choice."""
    branches: dict[Branch, list[Term]] = {}
    for part in parts:
        if isinstance(part, Undefined):
            return part
        if part is not None:
            branches.setdefault(part.branch, []).append(part)
    sums = {branch: _masked_total(terms) for branch, terms in branches.items()}
    for branch in list(sums):
        _join_branches(sums, branch, node)
    if len(sums) < 2:
        return next(iter(sums.values()), None)
    inner, top = union(list(sums)), common(list(sums))
    whole = next(iter(sums.values())).mask.whole()
    return Term(_added([_placed(term, node, top) for term in sums.values()]), whole, inner)


def _join_branches(sums: dict[Branch, Term], branch: Branch, node: Node) -> None:
    """Replace gradients in the two branches of one choice by a choice of gradients."""
    while branch in sums and branch.condition is not None and branch.outer is not None:
        other = branch.opposite()
        if other is None or other not in sums:
            return
        first, second = (branch, other) if branch.holds else (other, branch)
        yes, no = sums.pop(first), sums.pop(second)
        if yes.mask is not no.mask:
            yes, no = (term._replace(value=term.mask.keep(term.value)) for term in (yes, no))
            yes = yes._replace(mask=yes.mask.whole())
        value = ifelse(branch.condition, _full(yes.value, node), _full(no.value, node))
        branch = branch.outer
        joined = Term(value, yes.mask, branch)
        sums[branch] = _masked_total([sums[branch], joined]) if branch in sums else joined


def _bundled(shares: list[Share], node: Node) -> Adjoint:
    """Return the gradients of all results of a node."""
    given: dict[int, list[Any]] = {}
    for share in shares:
        given.setdefault(share.place, []).append(share.adjoint)
    every = results(node)
    totals = {index: _total(parts, every[index]) for index, parts in given.items()}
    for total in totals.values():
        if isinstance(total, Undefined):
            return total
    terms = {i: total for i, total in totals.items() if isinstance(total, Term)}
    if not terms:
        return None
    branches = list(dict.fromkeys(term.branch for term in terms.values()))
    inner = union(branches)
    top = inner if len(branches) == 1 else common(branches)
    values = [_placed(terms[i], one, top) if i in terms else None for i, one in enumerate(every)]
    return Bundle(values, next(iter(terms.values())).mask.whole(), inner)


def _masked_total(terms: list[Term]) -> Term:
    """Return the sum of gradients of one branch: under each mask first, then the two halves."""
    whole, branch = terms[0].mask.whole(), terms[0].branch
    groups: dict[Mask, list[Node]] = {}
    for term in terms:
        groups.setdefault(term.mask, []).append(term.value)
    sums = {mask: _added(values) for mask, values in groups.items()}
    for mask in list(sums):
        _join_halves(sums, mask)
    if len(sums) == 1:
        ((mask, value),) = sums.items()
        return Term(value, mask, branch)
    value = _added([mask.keep(value) for mask, value in sums.items()])
    if whole in sums:
        return Term(value, whole, branch)
    somewhere = _paired([mask.node for mask in sums if mask.node is not None], or_)
    return Term(value, whole.within(somewhere, True), branch)


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
    return _paired(together(values, _is_zero), lambda a, b: a + b)


def _paired(values: list[Node], combine: Callable[[Node, Node], Node]) -> Node:
    """Combine neighbours, then neighbours of these, and so on: the tree is as flat as can be."""
    while len(values) > 1:
        pairs = zip(values[::2], values[1::2], strict=False)
        odd = values[-1:] if len(values) % 2 else []
        values = [combine(a, b) for a, b in pairs] + odd
    return values[0]


# -- fitting a gradient to its input --------------------------------------------------------------


def _peeled(term: Term, child: Node, space: Node | None) -> Adjoint:
    """Return what a vjp gave as a term for its input, with conditions taken off."""
    entry, mask, branch = term
    while entry.op in (OPS["where"], OPS["ifelse"]):
        condition, yes, no = entry.inputs
        if not (_is_zero(yes) or _is_zero(no)):
            break
        entry, holds = (yes, True) if _is_zero(no) else (no, False)
        if term.value.op is OPS["where"]:
            mask = mask.within(condition, holds)
        else:
            branch = branch.within(condition, holds)
        term = Term(entry, mask, branch)
    return None if _is_zero(entry) else _fitted(term, child, space)


def _is_zero(node: Node) -> bool:
    while node.op.name in _BROADCASTS:
        node = node.inputs[node.op.name == "fill"]
    return number(node) == 0


def _fitted(term: Term, child: Node, space: Node | None) -> Term:
    """Return a gradient in the dtype of an input, and summed to its shape.

    ``space`` is the result that the input was broadcast to; None if its op does not broadcast.
    """
    value, mask, branch = term
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
        return Term(value, mask, branch)
    rest = range(lead, len(shape))
    if mask.varies_over(axes):
        value, shield = mask.keep(value), mask.node
        mask = mask.whole()
        if shield is not None and meets_steep(child):
            own = [axis for axis in axes if shield.type.shape[axis] != 1]
            mask = Closed(mask, _without(shield, own, rest, any_over))
    else:
        mask = mask.moved(lambda condition: _without(condition, (), rest))
    varying = [axis for axis in axes if value.type.ndim and value.type.shape[axis] != 1]
    if space is not None:
        repeats = [sizes(space)[axis] for axis in axes if axis not in varying]
        value = _times(value, product(repeats))
    return Term(_without(value, varying, rest), mask, branch)


def _without(
    value: Node, summed: Sequence[int], rest: Sequence[int], fold: Callable[..., Node] = sum_over
) -> Node:
    """Return a value summed over some axes, with the axes ``rest``; others have size 1."""
    if not value.type.ndim:
        return value
    kept = [axis for axis in range(value.type.ndim) if axis not in summed]
    if summed:
        value = fold(value, axes=tuple(summed))
    return dimshuffle(value, [-1 if axis in summed else kept.index(axis) for axis in rest])  # type: ignore[no-any-return]


def _times(value: Node, count: Dim) -> Node:
    """Return the sum of ``count`` equal values."""
    if isinstance(count, int) and count == 1:
        return value
    dtype = value.type.dtype
    wide = "float32" if dtype == "float16" else dtype  # a count may be beyond float16
    repeated = cast(value, wide) * cast(as_size_node(count), wide)
    return cast(repeated, dtype)  # type: ignore[no-any-return]
