"""What is in a picture: boxes, arrows and clusters, made from a scene.

Large pictures are made small here: groups are closed, each into one box, and what lies deepest is
left out, with a box that says how much it was. How a box looks is the business of ``dot``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from graphc.ir.node import CONST, DIM, INPUT, PARAM, SHARED, Node
from graphc.ir.op import Kind
from graphc.ir.printer import leaf
from graphc.ops.control import CELL
from graphc.viz.labels import clean, own_name, symbol
from graphc.viz.scene import Scene

LIMIT = 200  # boxes in a picture before it is made smaller
_LEVELS = 40  # of ops, when not all have room
_FEW = 12  # leaves that are drawn although all that uses them is left out
_RETURNS = 6  # updates whose arrows go back up to the variable; more would cross everything
_OFTEN = 12  # arrows from one leaf; with more, each user has a small copy of its name beside it


@dataclass(frozen=True, slots=True)
class Box:
    """A box: a node, a closed group, an output, or what was left out.

    ``kind`` is input, shared, const, op, reduce, call, view, group, output, new (value of a
    shared variable), carry, rest or copy.
    """

    key: str
    kind: str
    label: str
    tip: str = ""
    cluster: int | None = None


@dataclass(frozen=True, slots=True)
class Arrow:
    """From operand to op. ``kind`` is data, index, output, update, new or near (not seen)."""

    source: str
    target: str
    kind: str = "data"
    label: str = ""


@dataclass(slots=True)
class Picture:
    """All that is drawn; ``clusters`` are titles by number, ``parents`` what is around them."""

    title: str = ""
    note: str = ""
    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    clusters: dict[int, str] = field(default_factory=dict)
    parents: dict[int, int] = field(default_factory=dict)


# -- drawing --------------------------------------------------------------------------------------

Unit = Node | int  # what is one box: a node, or a closed group by its number


def draw(scene: Scene, title: str = "", depth: int | None = None, limit: int = LIMIT) -> Picture:
    """Return the picture of a scene.

    Parameters
    ----------
    depth : int, optional
        Of a program, 0 closes all groups and 1 opens them; of a graph, how many levels of ops to
        show. By default a picture is made smaller only if it has more than ``limit`` boxes.
    """
    order = _visible(scene)
    cluster = _clusters(scene, order)
    grouped = scene.steps
    around = {n: scene.outermost(c) for n, c in cluster.items()}
    closed = grouped and (len(order) > limit if depth is None else depth < 1)
    units: dict[Node, Unit] = {n: around[n] if closed and n in cluster else n for n in order}
    painter = _Painter(scene, order, units, {} if closed else cluster)
    levels = painter.levels()
    if grouped:
        deepest = None if depth else _deepest(levels, limit)
    else:
        deepest = depth if depth is not None else _deepest(levels, limit)
    return painter.paint(title, levels, deepest, limit)


def _visible(scene: Scene) -> list[Node]:
    """Return the nodes that have boxes, operands before users."""
    order: list[Node] = []
    seen: set[Node] = set()
    nexts = [new for new, _ in scene.loops.nexts if scene.labels.inline(new) is None]
    for root in (*scene.roots, *nexts):
        if root in seen:
            continue
        seen.add(root)
        stack = [(root, iter(scene.children(root)))]
        while stack:
            node, rest = stack[-1]
            for child, _, _ in rest:
                if child not in seen:
                    seen.add(child)
                    stack.append((child, iter(scene.children(child))))
                    break
            else:
                order.append(node)
                stack.pop()
    return order


def _clusters(scene: Scene, order: Sequence[Node]) -> dict[Node, int]:
    """Return the group of each node; a view that one group alone reads is drawn inside of it."""
    found = {n: p for n in order if (p := scene.cluster(n)) is not None}
    readers: dict[Node, set[int | None]] = {}
    ends = set(scene.roots)
    for node in reversed(order):
        if node.op.kind is Kind.VIEW and node not in ends and node not in scene.place:
            groups = readers.get(node, set())
            if len(groups) == 1 and (group := next(iter(groups))) is not None:
                found[node] = group
        for child, _, _ in scene.children(node):
            readers.setdefault(child, set()).add(found.get(node))
    return found


def _deepest(levels: dict[Unit, int], limit: int) -> int | None:
    """Return the level below which units are left out, None if all have room."""
    if len(levels) <= limit:
        return None
    total = 0
    for level, count in sorted(Counter(levels.values()).items()):
        total += count
        if total > limit or level > _LEVELS:
            return max(level - 1, 0)
    return None


class _Painter:
    """Turns units into boxes, and what lies between them into arrows."""

    def __init__(
        self,
        scene: Scene,
        order: Sequence[Node],
        units: dict[Node, Unit],
        cluster: dict[Node, int],
    ) -> None:
        self.scene = scene
        self.order = order
        self.units = units
        self.cluster = cluster
        self.picture = Picture()
        self.members: dict[Unit, list[Node]] = {}
        for node, unit in units.items():
            self.members.setdefault(unit, []).append(node)
        self.keys: dict[Unit, str] = {}

    def levels(self) -> dict[Unit, int]:
        """Return the longest way from each unit that computes to an end of the graph."""
        users: dict[Unit, dict[Unit, None]] = {}
        for node in self.order:
            for child, _, _ in self.scene.children(node):
                if self.units[child] != self.units[node]:
                    users.setdefault(self.units[child], {})[self.units[node]] = None
        found: dict[Unit, int] = {}
        for unit in _last_first(self.units, users):
            if not (isinstance(unit, Node) and _is_leaf(unit)):
                found[unit] = max((found[user] + 1 for user in users.get(unit, ())), default=0)
        return found

    def paint(
        self, title: str, levels: dict[Unit, int], deepest: int | None, limit: int
    ) -> Picture:
        """Return the picture, without the units below the deepest level."""
        ends = {self.units[node] for node in self.scene.roots}
        hidden = {u for u, level in levels.items() if deepest is not None and level > deepest}
        hidden -= ends
        leaves = self._hidden_leaves(hidden, limit)
        for node in self.order:
            unit = self.units[node]
            if unit not in self.keys and unit not in hidden and unit not in leaves:
                self._box(unit, node)
        if hidden or leaves:
            self._rest(hidden, leaves)
        self._arrows(hidden, leaves)
        self._copies()
        self._ends()
        self._together()
        self.picture.title = title
        used = self.scene.labels.used.items()
        self.picture.note = ", ".join(sorted(f"{name} = {clean(leaf(n))}" for n, name in used))
        return self.picture

    def _hidden_leaves(self, hidden: set[Unit], limit: int) -> set[Unit]:
        """Return the leaves that are left out: if they are many, and nothing shown uses them."""
        leaves = [node for node in self.order if _is_leaf(node)]
        shown: set[Node] = set(self.scene.roots)
        for node in self.order:
            if self.units[node] not in hidden:
                shown.update(child for child, _, _ in self.scene.children(node))
        unused = [node for node in leaves if node not in shown]
        used = [node for node in leaves if node in shown]
        ends = set(self.scene.roots)
        too_many = [node for node in used[limit:] if node not in ends]
        return {*(unused if len(unused) > _FEW else ()), *too_many}

    def _key(self, unit: Unit) -> str:
        return self.keys.setdefault(unit, f"n{len(self.keys)}")

    def _box(self, unit: Unit, node: Node) -> None:
        scene = self.scene
        if isinstance(unit, int):
            label = f"{scene.titles[unit]}\n{_ops(self.members[unit])}"
            self.picture.boxes.append(Box(self._key(unit), "group", label, scene.titles[unit]))
            return
        label = self._label(node)
        place = scene.place.get(node)
        if place is not None and place not in scene.titles:
            label += f"\n{'copy' if node.op.kind is Kind.VIEW else 'call'} {place}"
        cluster = self.cluster.get(node)
        if cluster is not None:
            self._cluster(cluster)
        grouped = cluster is not None and cluster == place
        kind = "call" if place is not None and not grouped else _kind(node)
        self.picture.boxes.append(Box(self._key(unit), kind, label, self._tip(node), cluster))

    def _cluster(self, number: int) -> None:
        """Draw a cluster, and those around it."""
        self.picture.clusters[number] = self.scene.titles[number]
        if number in self.scene.parents:
            self.picture.parents[number] = self.scene.parents[number]
            self._cluster(self.scene.parents[number])

    def _label(self, node: Node) -> str:
        words = self.scene.loops.words.get(node)
        if words is None:
            return self.scene.labels.title(node)
        return f"{own_name(node)} = {words}" if own_name(node) else words

    def _tip(self, node: Node) -> str:
        """Return formula, type and source line."""
        lines = [repr(node.type)]
        if node.inputs:
            lines.insert(0, clean(self.scene.labels.expression(node, {}, 4), 90))
        if node.where:
            text = clean(node.where.text, 90)
            lines.append(f"{node.where}: {text}" if text else str(node.where))
        return "\n".join(lines)

    def _rest(self, hidden: set[Unit], leaves: set[Unit]) -> None:
        ops = sum(unit in hidden for unit in self.units.values())
        counts = [(ops, "op"), (len(leaves), "input")]
        words = [f"{n:,} more {word}{'s'[: n > 1]}" for n, word in counts if n]
        self.picture.boxes.append(Box("rest", "rest", f"… {' and '.join(words)}"))

    def _arrows(self, hidden: set[Unit], leaves: set[Unit]) -> None:
        away = hidden | leaves
        drawn: set[tuple[str, str]] = set()
        for node in self.order:
            target = self.units[node]
            for child, kind, role in self.scene.children(node):
                source = self.units[child]
                if source == target or (target in away and source in away):
                    continue
                if target in away and not _is_leaf(child):
                    continue  # what is left out never stands below what is shown
                ends = (
                    "rest" if source in away else self._key(source),
                    "rest" if target in away else self._key(target),
                )
                if ends not in drawn:
                    drawn.add(ends)
                    label = role if isinstance(target, Node) and "rest" not in ends else ""
                    self.picture.arrows.append(Arrow(*ends, kind, label))

    def _copies(self) -> None:
        """Put a copy of an input beside each user if they are many: far arrows say nothing."""
        uses = Counter(arrow.source for arrow in self.picture.arrows)
        names = {
            self.keys[node]: own_name(node)
            for node in self.order
            if node in self.keys and _is_leaf(node) and own_name(node)
        }
        names["rest"] = "…"
        clusters = {box.key: box.cluster for box in self.picture.boxes}
        for i, arrow in enumerate(self.picture.arrows):
            often = arrow.source in names and uses[arrow.source] > _OFTEN
            if often and arrow.target != "rest":
                key = f"{arrow.source}_{arrow.target}"
                name = names[arrow.source]
                self.picture.boxes.append(Box(key, "copy", name, cluster=clusters[arrow.target]))
                self.picture.arrows[i] = replace(arrow, source=key)

    def _ends(self) -> None:
        count = len(self.scene.outputs)
        for i, node in enumerate(self.scene.outputs, 1):
            if not self.scene.function and count == 1:
                break  # what an expression computes need not be marked
            key, label = f"out{i}", "output" if count == 1 else f"output {i}"
            self.picture.boxes.append(Box(key, "output", label, self._tip(node)))
            self.picture.arrows.append(Arrow(self._key(self.units[node]), key, "output"))
        for new, old in self.scene.loops.nexts:
            ends = [self.units.get(node) for node in (new, old)]
            if None not in ends and ends[0] != ends[1] and all(end in self.keys for end in ends):
                keys = [self.keys[end] for end in ends]  # type: ignore[index]
                self.picture.arrows.append(Arrow(keys[0], keys[1], "update", "next step"))
        changed = [(old, new) for old, new in self.scene.updates if new is not old]
        for i, (old, new) in enumerate(changed, 1):
            source, target = self._key(self.units[new]), self._key(self.units[old])
            if len(changed) <= _RETURNS:
                self.picture.arrows.append(Arrow(source, target, "update", "update"))
                continue
            label = f"new {own_name(old) or self.scene.labels.value(old)}"
            self.picture.boxes.append(Box(f"new{i}", "new", label, self._tip(new)))
            self.picture.arrows.append(Arrow(source, f"new{i}", "new"))

    def _together(self) -> None:
        """Keep parts of a cluster that no arrow joins at one height, by arrows nobody sees.

        They make no circle: the steps of a program have an order, and so have clusters.
        """
        home = {box.key: box.cluster for box in self.picture.boxes if box.cluster is not None}
        inside = [
            (arrow.source, arrow.target)
            for arrow in self.picture.arrows
            if arrow.source in home and home[arrow.source] == home.get(arrow.target)
        ]
        part = _parts(home, inside)
        ends = {part[key]: key for key in home if key not in {source for source, _ in inside}}
        last: dict[int, str] = {}
        for key in ends.values():
            before = last.get(home[key])
            if before is not None:
                self.picture.arrows.append(Arrow(before, key, "near"))
            last[home[key]] = key


def _parts(keys: Iterable[str], joined: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return one key for each set of keys that are joined."""
    parent = {key: key for key in keys}

    def top(key: str) -> str:
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for a, b in joined:
        parent[top(a)] = top(b)
    return {key: top(key) for key in parent}


def _last_first(units: dict[Node, Unit], users: dict[Unit, dict[Unit, None]]) -> list[Unit]:
    """Return units with users first; closed groups make the order of nodes no order of units."""
    order: list[Unit] = []
    done: set[Unit] = set()
    for start in dict.fromkeys(units.values()):
        stack = [(start, iter(users.get(start, ())))] if start not in done else []
        done.add(start)
        while stack:
            unit, rest = stack[-1]
            for user in rest:
                if user not in done:
                    done.add(user)
                    stack.append((user, iter(users.get(user, ()))))
                    break
            else:
                order.append(unit)
                stack.pop()
    return order


def _is_leaf(node: Node) -> bool:
    return (not node.inputs and node.op is not CELL) or node.op is DIM


def _kind(node: Node) -> str:
    if node.op is CELL:
        return "carry"
    if node.op in (INPUT, PARAM):
        return "input"
    if node.op is SHARED:
        return "shared"
    if node.op is CONST or node.op is DIM:
        return "const"
    words = {Kind.REDUCE: "reduce", Kind.VIEW: "view", Kind.CALL: "call", Kind.REGION: "call"}
    return words.get(node.op.kind, "op")


def _ops(nodes: Iterable[Node]) -> str:
    """Return a few words on what a closed group computes."""
    counts = Counter(symbol(node) for node in nodes if node.op.kind is not Kind.VIEW)
    words = [f"{n} {word}" if n > 1 else word for word, n in counts.most_common(6)]
    return ", ".join(words) + (", …" if len(counts) > 6 else "")
