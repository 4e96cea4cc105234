"""Loops in pictures: a cluster that holds the body, and arrows for what is carried along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from graphc.ir.node import Node
from graphc.ir.op import OPS
from graphc.ir.walk import inputs_of, toposort
from graphc.lower.outline import Opened, open_loop

SCAN = OPS["scan"]
Child = tuple[Node, str, str]


@dataclass(slots=True)
class Loops:
    """The loops of a graph, opened.

    Attributes
    ----------
    titles : dict
        Number of a loop to what its cluster is called.
    home : dict
        Node of a body to the number of its loop, the innermost one.
    parents : dict
        Number of a loop to that of the loop around it.
    nexts : list of (Node, Node)
        The next value of each carry, and what stands for the carry.
    words : dict
        What the boxes of results say.
    children : dict
        The operands of results and carries.
    """

    titles: dict[int, str] = field(default_factory=dict)
    home: dict[Node, int] = field(default_factory=dict)
    parents: dict[int, int] = field(default_factory=dict)
    nexts: list[tuple[Node, Node]] = field(default_factory=list)
    words: dict[Node, str] = field(default_factory=dict)
    children: dict[Node, list[Child]] = field(default_factory=dict)


def find_loops(roots: Iterable[Node], numbers: Mapping[Node, int] | None = None) -> Loops:
    """Return the loops below some nodes, and those within them; ``numbers`` are those of steps."""
    found = Loops()
    waiting: list[tuple[Iterable[Node], int | None]] = [(roots, None)]
    seen: set[Node] = set()
    while waiting:
        below, around = waiting.pop()
        for node in toposort(below):
            if node.op is SCAN and node not in seen:
                seen.add(node)
                number = numbers.get(node, -len(seen)) if numbers else -len(seen)
                opened = open_loop(node, inputs_of)
                _add(found, opened, number, around)
                waiting.append((opened.roots, number))
            if node.op.name == "get" and node.inputs[0] in seen:
                _result(found, node, open_loop(node.inputs[0], inputs_of))
    return found


def _add(found: Loops, opened: Opened, number: int, around: int | None) -> None:
    if around is not None and opened.node in found.home:
        found.parents[number] = found.home[opened.node]
    stops = "" if opened.stop is None else ", or until it stops"
    found.titles[number] = f"in each step{stops}"
    found.home.update(dict.fromkeys((*opened.own, *opened.leaves, opened.counter), number))
    found.children[opened.counter] = []
    places = zip(opened.leaves, opened.initials, opened.followings, strict=True)
    for place, (leaf, initial, following) in enumerate(places):
        found.children[leaf] = [(initial, "data", "first")]
        found.nexts.append((following, leaf))
        traced = opened.traced[place]
        found.words[leaf] = f"carry {place + 1}" + (", all values" if traced else "")


def _result(found: Loops, node: Node, opened: Opened) -> None:
    """Say what a result of a loop is, and what it comes from."""
    place = node.attrs["index"] - 1
    if place < 0:
        source = opened.node.inputs[0] if opened.stop is None else opened.stop
        found.words[node] = "steps made"
    elif place < len(opened.leaves):
        source = opened.followings[place]
        found.words[node] = "all values" if opened.traced[place] else "last value"
    else:
        found.words[node], source = "a row of each step", opened.outs[place - len(opened.leaves)]
    found.children[node] = [(source, "data", ""), (opened.node.inputs[0], "index", "steps")]
