# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Choices with known or equal branches."""

from __future__ import annotations

from graphc.ir.node import Node, make, number
from graphc.ir.op import OPS
from graphc.ir.types import Attrs
from graphc.ops.control import carry_of, ifelse, steps_of
from graphc.ops.elementwise import invert, where
from graphc.ops.movement import dimshuffle
from graphc.ops.parts import slice_axes
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


@procedure("get", when=uses("scan"))
def count_of_steps(node: Node) -> Node | None:
    """A loop that nothing stops makes as many steps as it was told to.

    Ends, as a result of a loop goes.
    """
    loop = node.inputs[0]
    return None if node.attrs["index"] or loop.attrs["stops"] else loop.inputs[0]


@procedure("slice", when=uses("get"))
def last_only(node: Node) -> Node | None:
    """The last row of what a loop put out is the last value that it carried: no other need be kept.

    Ends, as outs become carries, and no carry becomes an out.
    """
    found = _last_row(node)
    if found is None or found[1] < 0:
        return None
    loop, place = found
    body, n_carry = loop.attrs["body"], loop.attrs["n_carry"]
    for k, following in enumerate(body.results[:n_carry]):
        if following is body.results[n_carry + place]:
            value = carry_of(loop, k)
            if not loop.attrs["traced"][k]:
                return dimshuffle(value, ("x", *range(value.type.ndim)))  # type: ignore[no-any-return]
            return slice_axes(value, [0], [_steps_made(loop)], [1], [1])  # type: ignore[no-any-return]
    return None


@procedure("slice", when=uses("get"))
def last_of_trace(node: Node) -> Node | None:
    """The last value that a loop carried needs no trace of those before it.

    Ends, as a slice goes.
    """
    found = _last_row(node)
    if found is None or found[1] >= 0:
        return None
    loop, place = found
    k = place + loop.attrs["n_carry"]
    traced = tuple(own and i != k for i, own in enumerate(loop.attrs["traced"]))
    attrs = Attrs({**loop.attrs, "traced": traced})
    short = make(loop.op, loop.inputs, attrs, loop.op.infer(loop.inputs, attrs), loop.where)
    value = carry_of(short, k)
    return dimshuffle(value, ("x", *range(value.type.ndim)))  # type: ignore[no-any-return]


def _last_row(node: Node) -> tuple[Node, int] | None:
    """Return the loop and the place of the out of which this is the last row.

    Places of traces are counted from the first out backwards.
    """
    rows, *bounds = node.inputs
    if rows.op is not OPS["get"] or node.attrs["axes"] != (0,):
        return None
    loop = rows.inputs[0]
    if loop.op is not OPS["scan"] or number(bounds[1]) != 1:
        return None
    if loop.attrs["backwards"]:
        return None
    place = rows.attrs["index"] - 1 - loop.attrs["n_carry"]
    return (loop, place) if _is_before(bounds[0], _steps_made(loop), int(place >= 0)) else None


def _steps_made(loop: Node) -> Node:
    return steps_of(loop) if loop.attrs["stops"] else loop.inputs[0]


def _is_before(place: Node, count: Node, distance: int) -> bool:
    """Tell whether a place is so many before a count."""
    known, end = number(place), number(count)
    if known is not None and end is not None:
        return known == end - distance
    if not distance:
        return place is count
    left, right = (*place.inputs, None, None)[:2]
    away = {"add": -distance, "sub": distance}.get(place.op.name)
    return left is count and right is not None and away is not None and number(right) == away


# The gradient of a loop asks for traces besides last values, and one loop gives both: taken apart
# once, before gradients are, they are merged and stay so.
BEFORE_LOOPS = (last_of_trace,)
RULES = tuple(one for one in table(globals()) if one not in BEFORE_LOOPS)
