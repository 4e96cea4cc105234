"""From nodes to steps: of a function, and of the bodies of its loops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphc.errors import InternalError
from graphc.ir.node import CONST, DIM, INPUT, SHARED, Node, is_tuple
from graphc.ir.op import Kind
from graphc.ir.shapes import Guard, Sizes
from graphc.ir.walk import deepest_first, depends_on, toposort
from graphc.lower.fuse import Draft, Fusion
from graphc.lower.layout import needs_copy
from graphc.lower.outline import (
    IFELSE,
    Late,
    Opened,
    circle,
    is_scalar_choice,
    open_loop,
    paths_of,
    rows_leaf,
    spare_leaf,
)
from graphc.lower.program import (
    Call,
    Cell,
    Check,
    Choose,
    Group,
    Host,
    Launch,
    Limits,
    Loop,
    Path,
    Step,
    base,
    is_scalar,
)
from graphc.lower.schedule import schedule
from graphc.ops.control import COUNTER, scan_op

ROUNDS = 100
"""How often conditions are made of conditions before that is an error."""


class Lowering:
    """Makes the steps of one function.

    Attributes
    ----------
    late : Late
        Tells which sizes are known only when some steps have run.
    aliases : dict
        Values of branches that are made where the choice between them lies.
    """

    def __init__(self, sizes: Sizes, limits: Limits, fuse: bool) -> None:
        self.sizes = sizes
        self.limits = limits
        self.fuse = fuse
        self.late = Late(sizes)
        self.aliases: dict[Node, Node] = {}
        self._opened: dict[Node, Opened] = {}
        self._needs: dict[Node, tuple[Node, ...]] = {}

    def function(self, results: Sequence[Node]) -> list[Step]:
        """Return the steps that compute the results of a function, in no particular order."""
        guards = [guard for guard in self.sizes.guards if self.waits_for_steps(guard)]
        return Scope(self, results, guards).steps()

    def waits_for_steps(self, guard: Guard) -> bool:
        """Tell whether a guard can only be looked at when some steps have run."""
        return bool(_late_sizes(guard, self.late))

    def opened(self, node: Node) -> Opened:
        """Return a scan with its body opened."""
        if node not in self._opened:
            self._opened[node] = open_loop(node, self.below)
        return self._opened[node]

    def below(self, node: Node) -> Sequence[Node]:
        """Return what must be there before a node is computed."""
        if node.op is scan_op:
            return (*node.inputs, *self.opened(node).outer)
        return node.inputs

    def needs(self, node: Node) -> tuple[Node, ...]:
        """Return the late scalars that say how large a node and its inputs are."""
        if node not in self._needs:
            found = dict.fromkeys(self.late.of(node))
            for child in self.below(node):
                found.update(dict.fromkeys(self.late.of(child)))
            self._needs[node] = tuple(found)
        return self._needs[node]


class Scope:
    """One list of steps: a function's, or a loop's.

    Parameters
    ----------
    roots : sequence of Node
        What is to be computed.
    guards : sequence of Guard
        What is to be checked as soon as its sizes are known.
    loop : Opened, optional
        The loop whose steps these are.
    outside : frozenset of Node
        What steps around the loop store.
    host_outside : frozenset of Node
        The scalars that the host function computes around the loop, and here too where asked.
    """

    def __init__(
        self,
        lowering: Lowering,
        roots: Iterable[Node],
        guards: Sequence[Guard] = (),
        loop: Opened | None = None,
        outside: frozenset[Node] = frozenset(),
        host_outside: frozenset[Node] = frozenset(),
    ) -> None:
        self.lowering = lowering
        self.loop = loop
        self.outside = outside
        self.host_outside = host_outside
        self.roots = list(dict.fromkeys(roots))
        self.stop: set[Node] = set()
        if loop is not None:
            self.stop = {loop.counter, *loop.leaves, *loop.outer, *loop.node.inputs}
        for guard in guards:
            self._ask(_late_sizes(guard, lowering.late))
        self.conditions: dict[Node, Node] = {}
        self.checks: list[tuple[Guard, Path]] = []
        while True:
            order = self._outlined()
            self.checks = [*((guard, ()) for guard in guards), *self._local_checks(order)]
            late = [s for guard, _ in self.checks for s in _late_sizes(guard, lowering.late)]
            known = {*order, *self.stop, *outside}
            if not any(s.inputs and s not in known for s in late):
                break
            self._ask(s for s in dict.fromkeys(late) if s.inputs and s not in known)
        self.order = [n for n in order if n.op.kind is not Kind.SOURCE and n not in self.stop]
        self.fusion = Fusion(lowering.sizes, lowering.limits, lowering.fuse, outside)
        self.host: set[Node] = set()
        self.results: dict[Node, list[Node]] = {}
        for node in self.order:
            if node.op.kind is Kind.PROJECT:
                self.results.setdefault(node.inputs[0], []).append(node)

    def _ask(self, scalars: Iterable[Node]) -> None:
        self.roots += [s for s in scalars if s not in self.stop and s not in self.roots]

    def below(self, node: Node) -> Sequence[Node]:
        """Return what must be there before a node is computed."""
        found = self.lowering.below(node)
        return (*found, self.conditions[node]) if node in self.conditions else found

    def _outlined(self) -> list[Node]:
        """Return what must be computed, in order, and find under which conditions."""
        early: set[Node] = set()
        for _ in range(ROUNDS):
            order = self._ordered()
            paths = paths_of(order, self.roots, self.lowering.below, self.conditions, early)
            made = [n for n in order if n.inputs and n.op is not DIM and n not in self.stop]
            conditions = {n: paths[n][-1][0] for n in made if paths[n]}
            self.paths = paths
            if conditions == self.conditions:
                return order
            self.conditions = conditions
            while ring := circle(self.roots, self.stop, self.below):
                # to know whether it is needed would need the node itself: so it is computed anyway
                turn = [
                    n
                    for n, after in zip(ring, ring[1:] + ring[:1], strict=True)
                    if self.conditions.get(n) is after
                ]
                early.add(turn[0])
                del self.conditions[turn[0]]
        raise InternalError("the conditions under which branches need their nodes do not settle")

    def _ordered(self) -> list[Node]:
        """Return what must be computed, in order, sizes that steps compute included."""
        while True:
            ends = {node for node in toposort(self.roots, self.stop, self.below) if node.op is DIM}
            order = deepest_first(self.roots, {*self.stop, *ends}, self.below)
            known = {*order, *self.stop, *self.outside}
            asked = dict.fromkeys(
                s for n in order if n not in self.stop for s in self.lowering.needs(n)
            )
            lacking = [s for s in asked if s not in known and s.inputs]
            if not lacking:
                return order
            self._ask(lacking)

    def _local_checks(self, order: Sequence[Node]) -> list[tuple[Guard, Path]]:
        """Return what is to be checked of nodes that may not be computed, or in every step."""
        found: list[tuple[Guard, Path]] = []
        for node in order:
            path = self.paths[node]
            if node in self.stop or not (self.loop or path):
                continue
            for guard in self.lowering.sizes.local(node):
                of_step = self.loop is not None and guard.left is self.loop.counter
                if not of_step and (path or _late_sizes(guard, self.lowering.late)):
                    found.append((guard, path))
        return found

    def needs(self, node: Node) -> tuple[Node, ...]:
        """Return the scalars a step needs to run: sizes, and the conditions of its path."""
        conditions = [condition for condition, _ in self.paths[node]]
        return tuple(dict.fromkeys((*conditions, *self.lowering.needs(node))))

    # -- steps --

    def steps(self) -> list[Step]:
        """Return the steps, in no particular order."""
        bounds = _bounds(self.order) if self.lowering.limits.device_scalars else set()
        for node in self.order:
            self._place(node, bounds)
        asked = self._asked_outside()
        place = {node: i for i, node in enumerate(self.order)}
        found: list[Step] = [self._check(*check) for check in self.checks]
        found += [
            Host(node, (), self.paths[node], self.needs(node))
            for node in self.order
            if node in self.host
        ]
        for draft in self.fusion.drafts:
            if draft.members[0] not in self.host:
                found.append(self._step(draft, asked, place))
        self._alias(found)
        return found

    def _place(self, node: Node, bounds: set[Node]) -> None:
        """Put a node where it is computed: with the host's scalars, in a group, or alone."""
        path, needs = self.paths[node], self.needs(node)
        below = (*self.lowering.below(node)[len(node.inputs) :], *needs)
        if self._is_host(node, bounds):
            self.host.add(node)
            reads = (base(child, self.fusion) for child in (*node.inputs, *needs))
            if any(read in self.fusion.draft_of for read in reads):
                # what reads it must come after what it reads
                self.fusion.add(node, True, path, below)
            return
        alone = node.op.kind in (Kind.REGION, Kind.COMPOSITE)
        if (
            alone
            or node.op.kind in (Kind.ELEMENTWISE, Kind.REDUCE, Kind.CALL)
            or needs_copy(node, self.fusion)
        ):
            self.fusion.add(node, alone, path, below, self.results.get(node, ()))

    def _is_host(self, node: Node, bounds: set[Node]) -> bool:
        """Tell whether a scalar is computed by the host function."""
        limits = self.lowering.limits
        if is_tuple(node) or not is_scalar(node):
            return False
        if node in self.host_outside:
            return True
        if is_scalar_choice(node) and node not in self.lowering.late:
            return True
        if node.op.kind is not Kind.ELEMENTWISE:
            return False
        if not limits.device_scalars:
            return True
        if not any(key.startswith(("python", "numpy")) for key in node.op.code):
            return False
        leaves = (CONST, DIM, INPUT, SHARED) if node in bounds else (CONST, DIM, INPUT)
        return all(
            child in self.host
            or (is_scalar(child) and child.op in (*leaves, COUNTER))
            or (node in bounds and base(child, {}).op in leaves)
            for child in node.inputs
        )

    def _asked_outside(self) -> set[Node]:
        """Return the nodes that are read outside their own group."""
        draft_of = self.fusion.draft_of
        asked = {base(node, self.fusion) for node in self.roots}
        for user in self.order:
            for child in (*self.lowering.below(user), *self.needs(user)):
                below = base(child, self.fusion)
                home = draft_of.get(below)
                if home is not None and draft_of.get(user) is not home:
                    asked.add(below)
        for guard, path in self.checks:
            asked.update(_late_sizes(guard, self.lowering.late), (node for node, _ in path))
        return asked

    def _check(self, guard: Guard, path: Path) -> Check:
        needs = [*(condition for condition, _ in path), *_late_sizes(guard, self.lowering.late)]
        return Check(guard, path, tuple(dict.fromkeys(needs)))

    def _step(self, draft: Draft, asked: set[Node], place: Mapping[Node, int]) -> Step:
        first = draft.members[0]
        needs = tuple(dict.fromkeys(n for node in draft.members for n in self.needs(node)))
        if first.op is scan_op:
            return self._loop(first)
        if draft.space is None:
            outputs = tuple(self.results.get(first, ()))
            made = Choose if first.op is IFELSE else Call
            return made(first, outputs, draft.path, needs)
        members = sorted(draft.members, key=place.__getitem__)
        inside = set(members)
        inputs = dict.fromkeys(c for node in members for c in node.inputs if c not in inside)
        outputs = tuple(node for node in members if node in asked)
        group = Group(draft.space, tuple(members), tuple(inputs), outputs)
        return Launch(group, draft.path, tuple(n for n in needs if n not in inside))

    def _alias(self, steps: Sequence[Step]) -> None:
        """Let branches make their values where the choice between them lies."""
        maker = {
            node: step
            for step in steps
            if isinstance(step, (Launch, Call))
            for node in step.writes
            if self.lowering.limits.device_scalars or not is_scalar(node)
        }
        for step in steps:
            if not isinstance(step, Choose) or step.node.op is not IFELSE:
                continue
            if self.lowering.late.of(step.node):  # its memory is not there when branches begin
                continue
            condition, *values = step.node.inputs
            for value, holds in zip(values, (True, False), strict=True):
                made = maker.get(value)
                if (
                    made is not None
                    and made.path == (*step.path, (condition, holds))
                    and value not in self.roots
                ):
                    self.lowering.aliases.setdefault(value, step.node)

    # -- loops --

    def _loop(self, node: Node) -> Loop:
        opened = self.lowering.opened(node)
        stored = self.outside | frozenset(self.fusion.draft_of)
        on_host = self.host_outside | self.host
        inner = Scope(self.lowering, opened.roots, (), opened, stored, on_host).steps()
        cells = tuple(
            Cell(leaf, initial, following, traced, self._spare(leaf, traced))
            for leaf, initial, following, traced in zip(
                opened.leaves, opened.initials, opened.followings, opened.traced, strict=True
            )
        )
        n_carry = len(cells)
        made, outputs, rows = None, [], []
        for result in self.results.get(node, ()):
            place = result.attrs["index"] - 1
            if place < 0:
                made = result
            elif place < n_carry:
                outputs.append((result, opened.leaves[place]))
            else:
                leaf = rows_leaf(node, place - n_carry, opened.outs[place - n_carry])
                rows.append((opened.outs[place - n_carry], leaf))
                outputs.append((result, leaf))
        reads = dict.fromkeys((*self.lowering.below(node), *self.needs(node)))
        for step in inner:
            reads.update(dict.fromkeys(step.reads))
        leaves = {opened.counter, *opened.leaves}
        inside = {n for step in inner for n in step.writes} | leaves
        changing = depends_on(toposort(reads, stop=inside | stored), inside)
        outer = tuple(read for read in reads if read not in changing and read not in opened.own)
        return Loop(
            node,
            node.inputs[0],
            opened.counter,
            cells,
            tuple(rows),
            opened.stop,
            tuple(schedule(inner, ())),
            tuple(outputs),
            made,
            outer,
            self.paths[node],
        )

    def _spare(self, leaf: Node, traced: bool) -> Node | None:
        on_host = is_scalar(leaf) and not self.lowering.limits.device_scalars
        return None if traced or on_host else spare_leaf(leaf)


def _late_sizes(guard: Guard, late: Late) -> list[Node]:
    return [s for s in (guard.left, guard.right) if not isinstance(s, int) and s in late]


# How many of the inputs of an op are arrays; those after them are sizes and places.
_OPERANDS = {"in_loop": 1, "slice": 1, "expand": 1, "reshape": 1, "put": 2, "iota": 0, "place": 1}
_OPERANDS |= dict.fromkeys(("random_bits", "random_uniform", "random_normal"), 2)
_OPERANDS |= dict.fromkeys(("conv2d_inputs", "conv2d_weights"), 2)


def _bounds(order: Sequence[Node]) -> set[Node]:
    """Return the scalars that say where views begin and how long they are, and what is below."""
    found = {child for node in order for child in node.inputs[_OPERANDS.get(node.op.name, 99) :]}
    below = deepest_first(found, stop={node for node in order if not _is_number(node)})
    return {node for node in below if _is_number(node)}


def _is_number(node: Node) -> bool:
    return not is_tuple(node) and is_scalar(node)
