"""Grouping: which elementwise nodes and reductions run in one kernel.

Nodes are taken in topological order; each joins the group of a producer, or of another reader of
the same array, that has the same space, unless some third group lies between. "Lies between" is a
bit test: each group carries the set of groups before it as an integer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from graphc.ir.node import Node
from graphc.ir.op import Kind
from graphc.ir.shapes import Sizes
from graphc.lower.program import Limits, Path, Space, base


@dataclass(slots=True)
class Draft:
    """A group in the making.

    Attributes
    ----------
    number : int
        Its bit in the sets of groups.
    space : tuple of sizes or None
        None for a library call, which nothing joins.
    before : int
        The groups that must run before this one, as bits.
    readers : int
        The groups that read what this one makes, as bits.
    axes : tuple of int or None
        What its reductions fold over; they all fold over the same axes.
    reads : dict
        The stored nodes it reads (an ordered set).
    path : Path
        Under which conditions it runs.
    indirect : set
        Those computed by groups that it reads through a view, or after a fold: such a value must be
        complete, so it never comes from the group's own members.
    """

    number: int
    space: Space | None
    members: list[Node] = field(default_factory=list)
    before: int = 0
    readers: int = 0
    axes: tuple[int, ...] | None = None
    reads: dict[Node, None] = field(default_factory=dict)
    path: Path = ()
    indirect: set[Node] = field(default_factory=set)


class Fusion:
    """Puts nodes into groups, one by one.

    ``outside`` are nodes that other steps have stored before.
    """

    def __init__(
        self, sizes: Sizes, limits: Limits, enabled: bool, outside: frozenset[Node] = frozenset()
    ) -> None:
        self.outside = outside
        self.sizes = sizes
        self.limits = limits
        self.enabled = enabled
        self.draft_of: dict[Node, Draft] = {}
        self._drafts: dict[int, Draft] = {}
        self._count = 0
        self._readers: dict[tuple[Space, Node], list[int]] = {}

    @property
    def drafts(self) -> list[Draft]:
        """The groups, in an order in which they could run."""
        return _ordered(list(self._drafts.values()))

    def __contains__(self, node: object) -> bool:
        """Tell whether a node is stored by a step."""
        return node in self.draft_of or node in self.outside

    def add(
        self,
        node: Node,
        alone: bool = False,
        path: Path = (),
        below: Sequence[Node] = (),
        results: Sequence[Node] = (),
    ) -> None:
        """Put a node into a group, or make it one of its own that nothing joins.

        What it reads was added before, or is a leaf. ``below`` is what it needs besides its inputs,
        ``results`` those of a node with several.
        """
        space = None if alone else space_of(node, self.sizes)
        reads = {base(child, self): None for child in (*node.inputs, *below)}
        new = Draft(-1, space, [node], axes=fold_axes(node), reads=reads, path=path)
        indirect = [base(child, self) for child in node.inputs if not self._direct(child)]
        indirect += [base(child, self) for child in below]
        new.indirect = {read for read in indirect if read in self.draft_of}
        target = self._find(new) if self.enabled and space is not None else None
        if target is None:
            target = Draft(self._count, space, path=path)
            self._drafts[self._count] = target
            self._count += 1
        self._absorb(target, new)
        self.draft_of.update(dict.fromkeys(results, target))
        self._order_after(target, reads)

    def _direct(self, child: Node) -> bool:
        return child in self.draft_of and child.op.kind is Kind.ELEMENTWISE

    def _find(self, alone: Draft) -> Draft | None:
        """Return the group a new node joins, after merging the groups of its producers."""
        for read in alone.reads:
            if read in self.draft_of:
                alone.before |= self.draft_of[read].before | (1 << self.draft_of[read].number)
        producers = {
            self.draft_of[read].number: self.draft_of[read]
            for read in alone.reads
            if read in self.draft_of and read not in alone.indirect
        }
        joined: Draft | None = None
        for draft in producers.values():
            if draft.space != alone.space or not self._compatible(draft, alone):
                continue
            if joined is None:
                joined = draft if not self._between(draft, alone) else None
            elif self._compatible(draft, joined) and not self._separated(draft, joined):
                joined = self._merge(draft, joined)
        return joined or self._sharing(alone)

    def _sharing(self, alone: Draft) -> Draft | None:
        """Return a group of the same space that reads an array the new node reads."""
        assert alone.space is not None
        for read in alone.reads:
            for number in reversed(self._readers.get((alone.space, read), ())):
                draft = self._drafts.get(number)
                if draft and self._compatible(draft, alone) and not self._between(draft, alone):
                    return draft
        return None

    def _compatible(self, a: Draft, b: Draft) -> bool:
        if a.path != b.path:
            return False
        if None not in (a.axes, b.axes) and a.axes != b.axes:
            return False
        if len(a.members) + len(b.members) > self.limits.members:
            return False
        if len(a.reads) + len(b.reads) > self.limits.operands and (
            len(a.reads.keys() | b.reads.keys()) > self.limits.operands
        ):
            return False
        return not any(self.draft_of.get(n) is b for n in a.indirect) and not any(
            self.draft_of.get(n) is a for n in b.indirect
        )

    def _between(self, first: Draft, last: Draft) -> bool:
        """Tell whether a third group must run after ``first`` and before ``last``.

        Then one that reads from ``first`` is before ``last``.
        """
        return bool(first.readers & last.before)

    def _separated(self, a: Draft, b: Draft) -> bool:
        if b.before >> a.number & 1:
            return self._between(a, b)
        return bool(a.before >> b.number & 1) and self._between(b, a)

    def _merge(self, a: Draft, b: Draft) -> Draft:
        """Make one group of two, and return it."""
        small, large = (a, b) if len(a.members) < len(b.members) else (b, a)
        both = (1 << small.number) | (1 << large.number)
        large.before = (large.before | small.before) & ~both
        large.readers = (large.readers | small.readers) & ~both
        self._absorb(large, small)
        del self._drafts[small.number]
        bit = 1 << large.number
        for draft in self._drafts.values():
            if draft.before & both:
                draft.before = (draft.before & ~both) | large.before | bit
            if draft.readers & both:
                draft.readers = (draft.readers & ~both) | bit
        return large

    def _absorb(self, target: Draft, other: Draft) -> None:
        target.members += other.members
        target.axes = target.axes if target.axes is not None else other.axes
        target.indirect |= other.indirect
        for node in other.members:
            self.draft_of[node] = target
        for read in other.reads:
            if read not in target.reads:
                target.reads[read] = None
                if target.space is not None:
                    self._readers.setdefault((target.space, read), []).append(target.number)

    def _order_after(self, target: Draft, reads: dict[Node, None]) -> None:
        """Record that ``target`` runs after the groups it now reads from."""
        new = 0
        for read in reads:
            source = self.draft_of.get(read)
            if source is not None and source is not target:
                source.readers |= 1 << target.number
                new |= source.before | 1 << source.number
        new &= ~target.before
        target.before |= new
        if new and len(target.members) > 1:
            bit = 1 << target.number
            for draft in self._drafts.values():
                if draft.before & bit:
                    draft.before |= new


def space_of(node: Node, sizes: Sizes) -> Space | None:
    """Return the space a node is computed over: for a reduction that of its input."""
    if node.op.kind is Kind.REDUCE:
        return sizes.of(node.inputs[0])
    return sizes.of(node) if node.op.kind is Kind.ELEMENTWISE else None


def fold_axes(node: Node) -> tuple[int, ...] | None:
    """Return the axes a reduction folds, None for other nodes."""
    return node.attrs["axes"] if node.op.kind is Kind.REDUCE else None


def _ordered(drafts: Sequence[Draft]) -> list[Draft]:
    """Return groups so that each comes after those before it, else by first member."""
    return sorted(drafts, key=lambda draft: (draft.before.bit_count(), draft.number))
