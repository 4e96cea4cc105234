# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Choices with known or equal branches."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops.control import ifelse
from graphc.ops.elementwise import invert, where
from graphc.rewrite.pattern import Boolean
from graphc.rewrite.rule import procedure, rule, table, uses


@rule
def where_true(x, y):
    """The condition holds everywhere."""
    return where(True, x, y), x


@rule
def where_false(x, y):
    """The condition holds nowhere."""
    return where(False, x, y), y


@rule
def where_same(c, x):
    """Both branches are the same."""
    return where(c, x, x), x


@rule
def where_not(c, x, y):
    """The branches change places instead."""
    return where(invert(c), x, y), where(c, y, x)


@rule
def where_where_left(c, x, y, z):
    """Where the condition holds, it held before."""
    return where(c, where(c, x, y), z), where(c, x, z)


@rule
def where_where_right(c, x, y, z):
    """Where the condition does not hold, it did not hold before."""
    return where(c, x, where(c, y, z)), where(c, x, z)


@rule
def where_and(c, x: Boolean):
    """A choice between a truth value and false is a logical and."""
    return where(c, x, False), c & x


@rule
def where_or(c, x: Boolean):
    """A choice between true and a truth value is a logical or."""
    return where(c, True, x), c | x


@rule
def ifelse_true(x, y):
    """The condition holds."""
    return ifelse(True, x, y), x


@rule
def ifelse_false(x, y):
    """The condition does not hold."""
    return ifelse(False, x, y), y


@rule
def ifelse_same(c, x):
    """Both branches are the same."""
    return ifelse(c, x, x), x


@rule
def ifelse_not(c, x, y):
    """The branches change places instead."""
    return ifelse(invert(c), x, y), ifelse(c, y, x)


@rule
def ifelse_ifelse_left(c, x, y, z):
    """Where the condition holds, it held before."""
    return ifelse(c, ifelse(c, x, y), z), ifelse(c, x, z)


@rule
def ifelse_ifelse_right(c, x, y, z):
    """Where the condition does not hold, it did not hold before."""
    return ifelse(c, x, ifelse(c, y, z)), ifelse(c, x, z)


@procedure("get", when=uses("pack"))
def get_pack(node: Node) -> Node:
    """One of several values that were bundled is that value.

    Ends, as two nodes fewer remain.
    """
    packed: Node = node.inputs[0].inputs[node.attrs["index"]]
    return packed


RULES = table(globals())
