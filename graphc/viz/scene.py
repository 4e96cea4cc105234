"""What is to be drawn or reported: the ends of a graph, and which step computes what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graphc.ir.node import CONST, DIM, Node
from graphc.ir.op import Kind
from graphc.lower.program import Call, Launch, Loop, Program
from graphc.ops.control import COUNTER
from graphc.viz.labels import Labels, Names, operands
from graphc.viz.loops import Loops, find_loops


@dataclass(slots=True)
class Scene:
    """The ends of a graph, and who computes what.

    Attributes
    ----------
    function : bool
        Whether this is a function, whose outputs are to be marked.
    steps : bool
        Whether it shows a program, with steps, and not what was written.
    place : dict
        Number of the step that computes a node, for launches and calls.
    titles : dict
        Number of each group and each loop to what it is.
    loops : Loops
        What is inside of loops.
    parents : dict
        Number of a group or a loop to that of the loop around it.
    """

    outputs: Sequence[Node]
    updates: Sequence[tuple[Node, Node]] = ()
    labels: Labels = field(default_factory=Labels)
    function: bool = False
    steps: bool = False
    place: dict[Node, int] = field(default_factory=dict)
    titles: dict[int, str] = field(default_factory=dict)
    loops: Loops = field(default_factory=Loops)
    parents: dict[int, int] = field(default_factory=dict)
    _children: dict[Node, list[tuple[Node, str, str]]] = field(default_factory=dict)

    @property
    def roots(self) -> list[Node]:
        """The nodes that have a box in any case."""
        ends = [*self.outputs, *(n for pair in self.updates for n in pair)]
        return list(dict.fromkeys(ends))

    def show_loops(self, numbers: Mapping[Node, int] | None = None) -> None:
        """Open the loops, each into a cluster; ``numbers`` are those of the steps."""
        self.loops = find_loops(self.roots, numbers)
        for number, title in self.loops.titles.items():
            self.titles[number] = f"loop {number}: {title}" if numbers else title
        self.parents.update(self.loops.parents)

    def put_into_loops(self, group: int, nodes: Iterable[Node]) -> None:
        """Note which loop a group is a part of."""
        homes = [self.loops.home[node] for node in nodes if node in self.loops.home]
        if homes:
            self.parents[group] = homes[0]

    def cluster(self, node: Node) -> int | None:
        """Return the number of the group that a node is in, or else of the loop."""
        place = self.place.get(node)
        return place if place in self.titles else self.loops.home.get(node)

    def outermost(self, number: int) -> int:
        """Return the cluster around a cluster that is in no other."""
        while number in self.parents:
            number = self.parents[number]
        return number

    def children(self, node: Node) -> list[tuple[Node, str, str]]:
        """Return the operands that have boxes, each with the kind and the label of its arrow."""
        if node not in self._children:
            known = self.loops.children.get(node)
            if known is None:
                known = self._find_children(node)
            self._children[node] = [c for c in known if self.labels.inline(c[0]) is None]
        return self._children[node]

    def _find_children(self, node: Node) -> list[tuple[Node, str, str]]:
        data, places = operands(node)
        roles = self.labels.roles(node)
        found: dict[Node, tuple[str, str]] = {}
        for child, role in zip(data, roles, strict=False):
            if self.labels.inline(child) is None:
                found[child] = "data", found.get(child, ("", role))[1] or role
        for child in _behind(places):
            found.setdefault(child, ("index", ""))
        return [(child, kind, role) for child, (kind, role) in found.items()]


def _behind(places: Iterable[Node]) -> list[Node]:
    """Return what index arithmetic starts from, sizes and constants aside."""
    found: dict[Node, None] = {}
    seen: set[Node] = set()
    stack = list(places)[::-1]
    while stack:
        node = stack.pop()
        if node in seen or node.op in (CONST, DIM, COUNTER):
            continue
        seen.add(node)
        if node.op.kind is Kind.ELEMENTWISE and not node.type.ndim:
            stack.extend(node.inputs[::-1])
        else:
            found[node] = None
    return list(found)


def program_scene(program: Program, names: Names | None = None) -> Scene:
    """Return the scene of a program: its steps, numbered as in the generated code.

    Groups are left out if each is a single op, as in a program that was not optimised.
    """
    labels = Labels(names, program.sizes.find)
    scene = Scene(program.outputs, program.updates, labels, function=True, steps=True)
    fused = any(isinstance(s, Launch) and len(s.group.members) > 1 for s in program.every_step)
    numbers = {s.node: i for i, s in enumerate(program.every_step, 1) if isinstance(s, Loop)}
    scene.show_loops(numbers)
    for place, step in enumerate(program.every_step, 1):
        if isinstance(step, Launch) and fused:
            scene.titles[place] = f"group {place}: {group_title(step, labels)}"
        if isinstance(step, Call) or (isinstance(step, Launch) and fused):
            scene.place.update((node, place) for node in step.nodes)
        if isinstance(step, Launch) and fused:
            scene.put_into_loops(place, step.nodes)
    return scene


def group_title(step: Launch, labels: Labels) -> str:
    """Return how many ops a group has, over which space: ``17 ops over (n0,)``."""
    count = len(step.group.members)
    if not step.group.space:
        return f"{count} op{'s'[: count > 1]} on numbers"
    return f"{count} op{'s'[: count > 1]} over {labels.shape(step.group.space)}"
