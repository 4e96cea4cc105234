"""Matching: patterns against nodes, and nodes built from patterns.

The left side of a rule becomes one function for each order in which the arguments of its
commutative ops can stand, so that none has to go back and try again. This module does not decide
which rule is tried when; the engine does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np

from graphc.errors import RuleError
from graphc.ir.node import CONST, Node, const, make, number
from graphc.ir.op import Kind, Op
from graphc.ir.source import Location
from graphc.ir.types import NO_ATTRS, Attrs
from graphc.rewrite.pattern import (
    TESTS,
    Application,
    Computed,
    Number,
    Pattern,
    Variable,
    parts,
    same,
    top,
)

Bindings = dict[str, Any]
Matcher = Callable[[Node], Bindings | None]
_MANY = 32  # more orders than this are a sign of a rule that wants to be a procedure


# -- orders of commutative arguments --------------------------------------------------------------


def variants(pattern: Application) -> list[Application]:
    """Return the pattern with the arguments of commutative ops in every order that can matter.

    Constants stand last in every node, so arguments that are constants stay where they are.
    """
    found = list(_orders(pattern, _shared_names(pattern)))
    if len(found) > _MANY:
        raise RuleError(f"{pattern!r} can match in {len(found)} ways: make it a procedure")
    return found  # type: ignore[return-value]


def check_constants(pattern: Pattern) -> None:
    """Raise `RuleError` if a constant stands first in a commutative op, where none ever does."""
    for part in parts(pattern):
        if isinstance(part, Application) and part.op.commutative:
            a, b = part.args
            if top(a) is CONST and top(b) is not CONST:
                raise RuleError(f"constants stand last: write {b!r} before {a!r}")


def _shared_names(pattern: Pattern) -> set[str]:
    names = [part.name for part in parts(pattern) if isinstance(part, Variable)]
    return {name for name in names if names.count(name) > 1}


def _orders(pattern: Pattern, shared: set[str]) -> Iterator[Pattern]:
    if not isinstance(pattern, Application):
        yield pattern
        return
    for args in product(*[list(_orders(arg, shared)) for arg in pattern.args]):
        yield Application(pattern.op, args, pattern.attrs)
        if pattern.op.commutative and _order_matters(args[0], args[1], shared):
            yield Application(pattern.op, args[::-1], pattern.attrs)


def _order_matters(a: Pattern, b: Pattern, shared: set[str]) -> bool:
    if top(b) is CONST or same(a, b):
        return False
    alike = isinstance(a, Variable) and isinstance(b, Variable) and a.sort == b.sort
    return not (alike and not {a.name, b.name} & shared)  # type: ignore[attr-defined]


def required(pattern: Application) -> tuple[Op | None, ...]:
    """Return for each input the op it must have, None where any will do; `Rest` is left out."""
    return tuple(
        top(arg) for arg in pattern.args if not (isinstance(arg, Variable) and arg.sort == "Rest")
    )


# -- matching -------------------------------------------------------------------------------------

Step = Callable[[Any, Bindings], bool]  # (what is compared, what is bound so far) -> it matches


def matcher(pattern: Application) -> Matcher:
    """Return a function that returns what the variables are bound to, or None."""
    step = _step(pattern)

    def match(node: Node) -> Bindings | None:
        bound: Bindings = {}
        return bound if step(node, bound) else None

    return match


def _step(pattern: Pattern) -> Step:
    if isinstance(pattern, Application):
        return _application_step(pattern)
    if isinstance(pattern, Number):
        value = pattern.value
        return lambda node, bound: number(node) == value
    if isinstance(pattern, Variable):
        return _variable_step(pattern)
    raise RuleError("what is computed stands on the right side only")


def _variable_step(pattern: Variable) -> Step:
    name, test = pattern.name, TESTS.get(pattern.sort)

    def step(node: Node, bound: Bindings) -> bool:
        found = bound.get(name)
        if found is not None:
            return found is node
        bound[name] = node
        return test is None or test(node)

    return step


def _application_step(pattern: Application) -> Step:
    op = pattern.op
    *first, last = pattern.args
    rest = last.name if isinstance(last, Variable) and last.sort == "Rest" else None
    children = tuple(map(_step, first if rest else pattern.args))
    attrs = tuple((name, _value_step(value)) for name, value in pattern.attrs.items())

    def step(node: Node, bound: Bindings) -> bool:
        if node.op is not op:
            return False
        inputs = node.inputs
        if len(inputs) < len(children) if rest else len(inputs) != len(children):
            return False
        for child, inner in zip(children, inputs, strict=False):
            if not child(inner, bound):
                return False
        for name, match in attrs:
            if not match(node.attrs[name], bound):
                return False
        return rest is None or _bind(rest, inputs[len(children) :], bound)

    return step


def _value_step(pattern: Any) -> Step:
    """Return the step for an attribute."""
    if isinstance(pattern, Variable):
        name = pattern.name
        return lambda value, bound: _bind(name, value, bound)
    return lambda value, bound: bool(value == pattern)


def _bind(name: str, value: Any, bound: Bindings) -> bool:
    return bool(bound.setdefault(name, value) == value)


# -- building -------------------------------------------------------------------------------------


class NotApplicable(Exception):
    """A computed part of a rule said None."""


def build(pattern: Pattern, bound: Bindings, like: Node) -> Node | None:
    """Return the node that a right side stands for, None if the rule does not apply.

    Parameters
    ----------
    pattern : Pattern
    bound : dict
        What the left side was matched with.
    like : Node
        The node to be replaced: gives new nodes their place in the user's program, and a number
        that stands alone its dtype.
    """
    try:
        found = _part(pattern, bound, like.where)
    except NotApplicable:
        return None
    return found if isinstance(found, Node) else const(found, like.type.dtype)


def _part(pattern: Any, bound: Bindings, where: Location | None) -> Any:
    """Return a node, number or array for a part of a right side, or the value of an attribute."""
    if isinstance(pattern, Variable):
        return bound[pattern.name]
    if isinstance(pattern, Number):
        return pattern.value
    if isinstance(pattern, Computed):
        return _computed(pattern, bound)
    if not isinstance(pattern, Application):
        return pattern
    args: list[Any] = []
    for arg in pattern.args:
        if isinstance(arg, Variable) and arg.sort == "Rest":
            args += bound[arg.name]
        else:
            args.append(_part(arg, bound, where))
    attrs = {name: _part(value, bound, where) for name, value in pattern.attrs.items()}
    return assemble(pattern.op, tuple(args), attrs, where)


def _computed(pattern: Computed, bound: Bindings) -> Any:
    seen = []
    for name in pattern.names:
        value = bound[name]
        seen.append(value.attrs["value"].array if name in pattern.arrays else value)
    with np.errstate(all="ignore"):
        found = pattern.function(*seen)
    if found is None:
        raise NotApplicable
    return found


def assemble(op: Op, args: tuple[Any, ...], attrs: dict[str, Any], where: Location | None) -> Node:
    """Apply an op as its builder would, for a given line; numbers take the dtype beside them."""
    inputs = _operands(args, op.name == "where") if op.kind is Kind.ELEMENTWISE else None
    if inputs is None:
        inputs = op.prepare(op, args, attrs)
    frozen = Attrs(attrs) if attrs else NO_ATTRS
    return make(op, inputs, frozen, op.infer(inputs, frozen), where)


def _operands(args: tuple[Any, ...], choice: bool) -> tuple[Node, ...] | None:
    """Return operands with numbers made constants; None if their dtypes differ."""
    data = args[1:] if choice else args
    found = {arg.type.dtype for arg in data if isinstance(arg, Node)}
    if len(found) != 1 or (choice and not isinstance(args[0], Node)):
        return None
    (dtype,) = found
    nodes = [arg if isinstance(arg, Node) else const(arg, dtype) for arg in data]
    return (args[0], *nodes) if choice else tuple(nodes)
