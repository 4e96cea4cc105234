"""Replacing nodes in expressions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphc.ir.node import DIM, Node, rebuild
from graphc.ir.shapes import as_size_node, sizes
from graphc.ir.walk import transform


def substitute(results: Iterable[Node], replace: Mapping[Node, Node]) -> list[Node]:
    """Return ``results`` with nodes replaced, all at once; replacements are not entered.

    The size of something that is replaced becomes the size of what takes its place.
    """
    return transform(results, _over, replace)


def _over(node: Node, inputs: tuple[Node, ...]) -> Node:
    if node.op is DIM and inputs != node.inputs:
        return as_size_node(sizes(inputs[0])[node.attrs["axis"]])
    return rebuild(node, inputs)
