"""What is to be drawn or reported: the ends of a graph, and which step computes what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from graphc.ir.node import CONST, DIM, Node
from graphc.ir.op import Kind
from graphc.lower.program import Call, Launch, Program
from graphc.viz.labels import Labels, Names, operands


@dataclass(slots=True)
class Scene:
    """The ends of a graph, and who computes what.

    Attributes
    ----------
    function : bool
        Whether this is a function, whose outputs are to be marked.
    place : dict
        Number of the step that computes a node, for launches and calls.
    titles : dict
        Number of each group to what it is.
    """

    outputs: Sequence[Node]
    updates: Sequence[tuple[Node, Node]] = ()
    labels: Labels = field(default_factory=Labels)
    function: bool = False
    place: dict[Node, int] = field(default_factory=dict)
    titles: dict[int, str] = field(default_factory=dict)
    _children: dict[Node, list[tuple[Node, str, str]]] = field(default_factory=dict)

    @property
    def roots(self) -> list[Node]:
        """The nodes that have a box in any case."""
        ends = [*self.outputs, *(n for pair in self.updates for n in pair)]
        return list(dict.fromkeys(ends))

    def children(self, node: Node) -> list[tuple[Node, str, str]]:
        """Return the operands that have boxes, each with the kind and the label of its arrow."""
        if node not in self._children:
            self._children[node] = self._find_children(node)
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
        if node in seen or node.op in (CONST, DIM):
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
    scene = Scene(program.outputs, program.updates, labels, function=True)
    fused = any(isinstance(s, Launch) and len(s.group.members) > 1 for s in program.steps)
    for place, step in enumerate(program.steps, 1):
        if isinstance(step, Launch) and fused:
            scene.titles[place] = f"group {place}: {group_title(step, labels)}"
        if isinstance(step, Call) or (isinstance(step, Launch) and fused):
            scene.place.update((node, place) for node in step.nodes)
    return scene


def group_title(step: Launch, labels: Labels) -> str:
    """Return how many ops a group has, over which space: ``17 ops over (n0,)``."""
    count = len(step.group.members)
    if not step.group.space:
        return f"{count} op{'s'[: count > 1]} on numbers"
    return f"{count} op{'s'[: count > 1]} over {labels.shape(step.group.space)}"
