"""Rules: two expressions with the same meaning, the second preferred; and procedures.

A rule is a function whose parameters are pattern variables, whose result is the two sides and whose
docstring is the reason. A procedure receives a node and returns another, or None. Both decorators
return a `Rule`, which tests, documentation and ``explain()`` list. Nothing here says when a rule is
tried.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, overload

from graphc.errors import RuleError
from graphc.ir.node import Node
from graphc.ir.op import OPS, Kind, Op
from graphc.rewrite.matching import (
    Bindings,
    Matcher,
    build,
    check_constants,
    matcher,
    required,
    variants,
)
from graphc.rewrite.order import check
from graphc.rewrite.pattern import (
    SORTS,
    Application,
    Computed,
    Pattern,
    Variable,
    as_pattern,
    parts,
)

Body = Callable[[Node], Node | None]
Ops = tuple[Op, ...]
When = Callable[[Ops], bool]

_CREATIVE = "stability"  # the one module where accuracy is worth an expensive op


@dataclass(frozen=True, eq=False, slots=True)
class Rule:
    """One way to replace a node by a better one.

    Attributes
    ----------
    name, doc : str
        What ``explain()`` shows: the doc is the reason.
    ops : tuple of Op or Kind
        The ops, or kinds of op, it may apply to.
    left, right : Pattern or None
        The two sides; None for a procedure.
    assumes : str
        What must hold for both sides to be equal; empty if nothing. With ``config.strict_math``
        such rules are left out.
    module : str
        Where it is declared.
    """

    name: str
    doc: str
    ops: tuple[Op | Kind, ...]
    left: Application | None
    right: Pattern | None
    assumes: str
    module: str
    body: Body | None = None
    when: When | None = None
    _ways: list[_Way] = field(default_factory=list)

    def applies_to(self, op: Op) -> bool:
        """Tell whether the rule is about an op."""
        return op in self.ops or op.kind in self.ops

    def bodies(self, children: Ops) -> list[Body]:
        """Return functions to try on a node of its op whose inputs have these ops."""
        if self.body is not None:
            return [self.body] if self.when is None or self.when(children) else []
        if not self._ways:
            assert self.left is not None and self.right is not None
            self._ways.extend([_Way(left, self.right) for left in variants(self.left)])
        return [way.try_on for way in self._ways if way.fits(children)]

    def __repr__(self) -> str:
        return self.name


class _Way:
    """One order of a rule's commutative arguments."""

    def __init__(self, left: Application, right: Pattern) -> None:
        self._left = left
        self._right = right
        self._required = required(left)
        self._open = len(self._required) < len(left.args)
        self._match: Matcher | None = None

    def fits(self, children: Ops) -> bool:
        enough = (
            len(children) >= len(self._required)
            if self._open
            else (len(children) == len(self._required))
        )
        return enough and all(
            need is None or need is found
            for need, found in zip(self._required, children, strict=False)
        )

    def try_on(self, node: Node) -> Node | None:
        match = self._match
        if match is None:
            match = self._match = matcher(self._left)
        bound: Bindings | None = match(node)
        return None if bound is None else build(self._right, bound, node)


# -- declaring rules ------------------------------------------------------------------------------

Sides = Callable[..., tuple[Any, Any]]


@overload
def rule(function: Sides) -> Rule: ...
@overload
def rule(*, assumes: str = "", name: str = "") -> Callable[[Sides], Rule]: ...
def rule(function: Sides | None = None, *, assumes: str = "", name: str = "") -> Any:
    """Declare a rule: the parameters are its variables, the result its two sides.

    Raises
    ------
    RuleError
        If the right side is not below the left side (see `order`), or the rule is malformed.

    Examples
    --------
    >>> from graphc.ops.elementwise import abs_
    >>> @rule
    ... def abs_abs(x):
    ...     "What is not negative stays as it is."
    ...     return abs_(abs_(x)), abs_(x)
    >>> abs_abs.left, abs_abs.right
    (||x||, |x|)
    """
    if function is None:
        return lambda decorated: _declare(decorated, assumes, name)
    return _declare(function, assumes, name)


def _declare(function: Sides, assumes: str, name: str) -> Rule:
    name = name or function.__name__
    sorts = _sorts(function)
    try:
        left, right = map(as_pattern, function(*[Variable(v, s) for v, s in sorts.items()]))
        if not isinstance(left, Application):
            raise RuleError(f"the left side must be an application of an op, not {left!r}")
        check_constants(left)
        _check_names(left, right, sorts)
        check(left, right, may_create=function.__module__.endswith(_CREATIVE))
    except RuleError as error:
        raise RuleError(f"rule {name}: {error}") from None
    arrays = frozenset(v for v, sort in sorts.items() if sort == "Const")
    for computed in _computed(right):
        computed.arrays = arrays
    doc = _reason(function, name)
    return Rule(name, doc, (left.op,), left, right, assumes, function.__module__)


def _sorts(function: Callable[..., Any]) -> dict[str, str]:
    code = function.__code__
    given = function.__annotations__
    sorts = {name: given.get(name, "") for name in code.co_varnames[: code.co_argcount]}
    for name, sort in sorts.items():
        if sort and sort not in SORTS:
            raise RuleError(f"{name}: {sort!r} is no sort of variable; there are {sorted(SORTS)}")
    return sorts


def _computed(pattern: Pattern) -> Iterable[Computed]:
    for part in parts(pattern):
        if isinstance(part, Computed):
            yield part
        elif isinstance(part, Application):
            yield from (value for value in part.attrs.values() if isinstance(value, Computed))


def _names(pattern: Pattern) -> set[str]:
    names = set()
    for part in parts(pattern):
        if isinstance(part, Variable):
            names.add(part.name)
        elif isinstance(part, Application):
            names |= {v.name for v in part.attrs.values() if isinstance(v, Variable)}
    return names


def _check_names(left: Pattern, right: Pattern, sorts: dict[str, str]) -> None:
    known = _names(left)
    if unused := sorts.keys() - known:
        raise RuleError(f"{', '.join(sorted(unused))} is not on the left side")
    wanted = _names(right).union(*[set(part.names) for part in _computed(right)])
    if missing := wanted - known:
        raise RuleError(f"{', '.join(sorted(missing))} is on the right side only")


def _reason(function: Callable[..., Any], name: str) -> str:
    doc = inspect.cleandoc(function.__doc__ or "")
    if not doc:
        raise RuleError(f"rule {name}: its docstring must give the reason")
    return doc


def procedure(
    *tops: str | Kind, when: When | None = None, assumes: str = "", name: str = ""
) -> Callable[[Body], Rule]:
    """Declare a procedure: a function from a node to a better one, or None.

    Parameters
    ----------
    *tops : str or Kind
        The ops it applies to, by name, or all ops of a kind.
    when : callable, optional
        Told the ops of the node's inputs, says whether the procedure is worth calling; asked once
        for each combination.
    assumes, name : str
        As for `rule`.
    """

    def decorate(function: Body) -> Rule:
        own = name or function.__name__
        doc = _reason(function, own)
        ops = tuple(one if isinstance(one, Kind) else OPS[one] for one in tops)
        return Rule(own, doc, ops, None, None, assumes, function.__module__, function, when)

    return decorate


def uses(*names: str) -> When:
    """Return the condition that some input is an application of one of these ops."""
    wanted = {OPS[name] for name in names}
    return lambda children: not wanted.isdisjoint(children)


def table(namespace: dict[str, Any]) -> tuple[Rule, ...]:
    """Return the rules of a module, in the order in which they are written."""
    return tuple(value for value in namespace.values() if isinstance(value, Rule))
