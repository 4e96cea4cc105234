"""Random draws in loops: each step has other numbers."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.control.steps import Step
from graphc.ir.node import Node, input_node, rebuild
from graphc.ir.replace import substitute
from graphc.ir.shapes import Dim, as_size_node
from graphc.ir.types import TensorType
from graphc.ir.walk import toposort, transform
from graphc.ops.control import Loop, scan_op
from graphc.ops.parts import iota
from graphc.ops.random import DRAWS, with_step


def numbered(step: Step, count: Dim, start: int) -> list[Node]:
    """Let the draws that a function made depend on the number of the step.

    A draw that was made before, which is a node with a serial number below ``start``, is the same
    in every step: it becomes a constant of the loop.

    Returns
    -------
    list of Node
        The sequence of numbers, if there are draws; ``step`` has a leaf for its elements then.
    """
    outer = [n for n in toposort(_results(step)) if n.op in DRAWS and n.serial < start]
    if outer:
        fixed = {node: input_node(node.type, node.name) for node in outer}
        step.constants += [(leaf, node) for node, leaf in fixed.items()]
        _replace(step, substitute(_results(step), fixed))
    if not _has_draws(_results(step)):
        return []
    leaf = input_node(TensorType("int64", ()), "t")
    step.elements.append(leaf)
    _replace(step, _with_numbers(_results(step), leaf))
    return [iota(as_size_node(count))]


def _results(step: Step) -> list[Node]:
    stop = [] if step.stop is None else [step.stop]
    return [*step.following, *step.outs, *stop]


def _replace(step: Step, results: Sequence[Node]) -> None:
    n_carry, n_out = len(step.following), len(step.outs)
    step.following = list(results[:n_carry])
    step.outs = list(results[n_carry : n_carry + n_out])
    step.stop = None if step.stop is None else results[-1]


def _has_draws(results: Sequence[Node]) -> bool:
    """Recurses over loops in loops."""
    return any(
        node.op in DRAWS or (node.op is scan_op and _has_draws(node.attrs["body"].results))
        for node in toposort(results)
    )


def _with_numbers(results: Sequence[Node], leaf: Node) -> list[Node]:
    """Return results in which every draw depends on the number of the step, in inner loops too."""

    def build(node: Node, inputs: tuple[Node, ...]) -> Node:
        node = rebuild(node, inputs)
        if node.op in DRAWS:
            return with_step(node, leaf)
        if node.op is scan_op and _has_draws(node.attrs["body"].results):
            loop = Loop.open(node)
            loop.results = _with_numbers(loop.results, leaf)
            return loop.close()
        return node

    return transform(results, build)
