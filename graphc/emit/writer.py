"""Lines of source text, each remembering the nodes it came from."""

from __future__ import annotations

import keyword
from collections.abc import Container, Iterable

from graphc.ir.node import CONST, Node
from graphc.ir.source import Location
from graphc.lower.program import Program


class Writer:
    """Collects indented lines.

    Attributes
    ----------
    lines : list of str
    origin : dict
        Line number, counted from 1, to the nodes the line computes.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.origin: dict[int, tuple[Node, ...]] = {}
        self._indent = 0

    def line(self, text: str = "", nodes: Iterable[Node] = ()) -> None:
        """Add a line."""
        self.lines.append("    " * self._indent + text if text else "")
        found = tuple(nodes)
        if found:
            self.origin[len(self.lines)] = found

    def indent(self, by: int = 1) -> None:
        """Indent what follows; negative to go back."""
        self._indent += by

    def drop_empty_block(self) -> None:
        """Take back the line that began a block, if nothing was written in it."""
        if self.lines[-1].startswith("    " * self._indent + "if ") and self.lines[-1][-1] == ":":
            self.lines.pop()

    def extend(self, other: Writer) -> None:
        """Add all lines of another writer, with what they remember."""
        offset = len(self.lines)
        self.lines += ["    " * self._indent + text if text else "" for text in other.lines]
        self.origin.update({offset + k: nodes for k, nodes in other.origin.items()})

    def text(self) -> str:
        """Return all lines as one string."""
        return "\n".join(self.lines) + "\n"


class Names:
    """Identifiers for nodes: the user's own where they can be had, each used once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._of: dict[Node, str] = {}
        self._next: dict[str, int] = {}
        self._order: list[Node] = []

    def mark(self) -> int:
        """Return a mark to which `forget` can go back."""
        return len(self._order)

    def forget(self, mark: int, keep: Container[Node]) -> dict[Node, str]:
        """Forget names given since a mark, except of constants and some nodes; they stay taken.

        Returns
        -------
        dict
            What was forgotten.
        """
        found: dict[Node, str] = {}
        for node in self._order[mark:]:
            if node in self._of and node not in keep and node.op is not CONST:
                found[node] = self._of.pop(node)
        del self._order[mark:]
        return found

    def __contains__(self, node: Node) -> bool:
        return node in self._of

    def __getitem__(self, node: Node) -> str:
        return self._of[node]

    def set(self, node: Node, name: str) -> str:
        """Let a node go by a name that exists."""
        self._of[node] = name
        self._order.append(node)
        return name

    def give(self, node: Node, prefix: str, beside: str = "{}") -> str:
        """Return a new name for a node: its own, or the prefix and a number.

        ``beside`` is the pattern of another name that goes with it, such as ``"check_{}"``.
        """
        own = node.name if node.name and node.name.isidentifier() else None
        if own and not keyword.iskeyword(own) and self._take(own, beside.format(own)):
            return self.set(node, own)
        name = self.fresh(prefix)
        while not self._take(beside.format(name)) and beside != "{}":
            name = self.fresh(prefix)
        return self.set(node, name)

    def _take(self, *names: str) -> bool:
        free = not self._taken.intersection(names)
        if free:
            self._taken.update(names)
        return free

    def fresh(self, prefix: str) -> str:
        """Return a name nobody has."""
        while True:
            number = self._next.get(prefix, 0)
            self._next[prefix] = number + 1
            name = f"{prefix}{number}"
            if name not in self._taken:
                self._taken.add(name)
                return name


def names_of(program: Program, taken: Iterable[str]) -> Names:
    """Return the names of a program beside others; its function gives way to them, too."""
    taken = set(taken)
    while program.name in taken:
        program.name += "_"
    return Names([*taken, program.name])


def places(nodes: Iterable[Node]) -> str:
    """Return where nodes were written: ``train.py:9-12``, or several of these; for comments."""
    lines: dict[str, list[int]] = {}
    for node in nodes:
        if isinstance(node.where, Location):
            lines.setdefault(str(node.where).rsplit(":", 1)[0], []).append(node.where.line)
    parts = []
    for name, found in lines.items():
        low, high = min(found), max(found)
        parts.append(f"{name}:{low}" if low == high else f"{name}:{low}-{high}")
    return ", ".join(parts[:3])
