"""The order in which every rule must go down, so that rewriting ends.

It is the order of Knuth and Bendix: the right side weighs less; or weighs the same and its top op
comes later in the precedence; or has the same top op and smaller arguments. And it uses no variable
more often than the left side, so the comparison holds whatever the variables stand for. Two rules
that undo each other cannot both go down. Procedures are not checked here; they say in their
docstring why they end.
"""

from __future__ import annotations

from collections import Counter

from graphc.errors import RuleError
from graphc.ir.op import Kind, Op
from graphc.rewrite.pattern import Application, Pattern, Variable, parts, same

EXPENSIVE = 10
"""An op of this weight or more is not created by a rule, except in exchange for another."""

# Where two sides weigh the same, the op further to the right goes out, that further to the left
# comes in: signs, views and casts move outwards, where they meet and cancel.
_LAST = ("expand", "dimshuffle", "neg", "cast", "and_", "or_", "sub", "add")


def precedence(op: Op) -> tuple[int, int, str]:
    """Return the place of an op among those of equal weight."""
    if op.name in _LAST:
        return (0, _LAST.index(op.name), "")
    group = {Kind.VIEW: 1, Kind.ELEMENTWISE: 2}.get(op.kind, 3)
    return (group, op.weight, op.name)


def weight(pattern: Pattern) -> int:
    """Return the sum of the weights of the ops, and 1 for each leaf."""
    return sum(part.op.weight if isinstance(part, Application) else 1 for part in parts(pattern))


def check(left: Application, right: Pattern, *, may_create: bool) -> None:
    """Raise `RuleError` unless the right side is below the left side.

    Parameters
    ----------
    left, right : Pattern
    may_create : bool
        Whether expensive ops may come in without another going out.
    """
    known = Counter(part.name for part in parts(left) if isinstance(part, Variable))
    used = Counter(part.name for part in parts(right) if isinstance(part, Variable))
    for name, count in used.items():
        if count > known[name]:
            raise RuleError(
                f"{name} stands {count} times on the right and {known[name]} times on the left,"
                " so the rule could double the graph again and again; make it a procedure"
            )
    if not _below(right, left):
        raise RuleError(
            f"{right!r} (weight {weight(right)}) is not below {left!r} (weight {weight(left)}):"
            " a rule must lower the total weight, or else the precedence of the top op, or else an"
            " argument"
        )
    if not may_create:
        _check_created(left, right)


def _below(a: Pattern, b: Pattern) -> bool:
    """Tell whether a comes after b in the order."""
    if not isinstance(b, Application):
        return False
    if weight(a) != weight(b):
        return weight(a) < weight(b)
    if not isinstance(a, Application):
        return False
    if a.op is not b.op:
        return precedence(a.op) < precedence(b.op)
    if a.op.commutative:  # their arguments have no order of their own
        return _below_in_any_order(a, b)
    for one, other in zip(a.args, b.args, strict=False):
        if not same(one, other):
            return _below(one, other)
    return False


def _below_in_any_order(a: Application, b: Application) -> bool:
    """Compare arguments as multisets: what is left of a is each below something left of b."""
    left = list(b.args)
    new = []
    for arg in a.args:
        match = next((i for i, other in enumerate(left) if same(arg, other)), None)
        if match is None:
            new.append(arg)
        else:
            left.pop(match)
    return bool(left) and all(any(_below(arg, other) for other in left) for arg in new)


def _check_created(left: Application, right: Pattern) -> None:
    old = [part for part in parts(left) if isinstance(part, Application)]
    created = [
        part
        for part in parts(right)
        if isinstance(part, Application)
        and part.op.weight >= EXPENSIVE
        and not any(same(part, other) for other in old)
    ]
    allowed = 1 if left.op.weight >= EXPENSIVE else 0
    if len(created) > allowed:
        raise RuleError(
            f"{created[-1]!r} is new and expensive, and no expensive op at the top of {left!r} goes"
            " for it; where other expressions need what the left side has, the work would grow"
        )
