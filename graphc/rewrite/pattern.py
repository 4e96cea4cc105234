"""Patterns: expressions with variables, the two sides of a rule.

The functions that build nodes build patterns too, as ``apply`` lets a pattern among its arguments
construct the result. This module says what patterns are and how they print; `matching` compares
them with nodes and builds nodes from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from graphc.errors import RuleError
from graphc.ir.dtypes import kind
from graphc.ir.node import CONST, Expression, Node, apply
from graphc.ir.op import OPS, Op

# What a parameter of a rule stands for. To the type checker each is anything, as both sides are
# written with the ordinary operators.
Const = Any  # a constant; `compute` sees its array
Attr = Any  # the value of an attribute
Rest = Any  # all remaining inputs, as a tuple; stands last
Float = Any  # an expression of a float dtype
Integer = Any  # ... of a signed or unsigned integer dtype
Signed = Any  # ... of a signed integer or float dtype
Boolean = Any  # ... of dtype bool
Discrete = Any  # ... of dtype bool or an integer one
Scalar = Any  # ... of rank 0

TESTS: dict[str, Callable[[Node], bool]] = {
    "Const": lambda node: node.op is CONST,
    "Float": lambda node: kind(node.type.dtype) == "float",
    "Integer": lambda node: kind(node.type.dtype) in ("int", "uint"),
    "Signed": lambda node: kind(node.type.dtype) in ("int", "float"),
    "Discrete": lambda node: kind(node.type.dtype) != "float",
    "Boolean": lambda node: node.type.dtype == "bool",
    "Scalar": lambda node: node.type.ndim == 0,
}
"""What a node must satisfy to be bound to a variable of each sort."""

SORTS = frozenset((*TESTS, "Attr", "Rest"))


class Pattern(Expression):
    """What stands for nodes in a rule."""

    __slots__ = ()

    @staticmethod
    def construct(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Pattern:
        """Return the pattern of an application; Python numbers become `Number`."""
        return Application(
            op, tuple(map(as_pattern, args)), {name: attrs[name] for name in op.attrs}
        )

    def __repr__(self) -> str:
        return text(self)[0]


class Variable(Pattern):
    """A variable of a rule: any node, or one of a sort."""

    __slots__ = ("name", "sort")

    def __init__(self, name: str, sort: str = "") -> None:
        self.name = name
        self.sort = sort


class Number(Pattern):
    """A number: matches a scalar constant of any dtype with this value."""

    __slots__ = ("value",)

    def __init__(self, value: bool | int | float) -> None:
        self.value = value


class Application(Pattern):
    """An op applied to patterns; an attribute is a value, a variable or computed."""

    __slots__ = ("args", "attrs", "op")

    def __init__(self, op: Op, args: tuple[Pattern, ...], attrs: dict[str, Any]) -> None:
        self.op = op
        self.args = args
        self.attrs = attrs


class Computed(Pattern):
    """A number, array or attribute that a function computes from what the variables are bound to.

    The parameters of the function name the variables. A `Const` is seen as its array, an `Attr` as
    its value, anything else as the node. None means that the rule does not apply. ``shown`` stands
    for it where the rule is printed.
    """

    __slots__ = ("arrays", "function", "names", "shown")

    def __init__(self, function: Callable[..., Any], shown: str = "") -> None:
        code = function.__code__
        self.arrays: frozenset[str] = frozenset()  # names of constants; the rule knows them
        self.function = function
        self.shown = shown
        self.names = code.co_varnames[: code.co_argcount]


compute = Computed


def raw(name: str) -> Callable[..., Any]:
    """Return the application of an op by name, without the checks of its builder.

    For ops whose builders look into their arguments before they apply, as ``dimshuffle`` does.
    """
    op = OPS[name]

    def build(*args: Any, **attrs: Any) -> Any:
        return apply(op, *args, **attrs)

    return build


def as_pattern(value: Any) -> Pattern:
    """Return a pattern for a pattern or a number."""
    if isinstance(value, Pattern):
        return value
    if type(value) in (int, float, bool):
        return Number(value)
    what = "a node" if isinstance(value, Node) else repr(value)
    raise RuleError(f"{what} cannot stand in a rule: use a variable or a Python number")


def parts(pattern: Pattern) -> Iterator[Pattern]:
    """Yield a pattern and all patterns in it, outermost first."""
    yield pattern
    if isinstance(pattern, Application):
        for arg in pattern.args:
            yield from parts(arg)


def top(pattern: Pattern) -> Op | None:
    """Return the op that a node must have to match, None if any will do."""
    if isinstance(pattern, Application):
        return pattern.op
    if isinstance(pattern, Number) or (isinstance(pattern, Variable) and pattern.sort == "Const"):
        return CONST
    return None


def same(a: Any, b: Any) -> bool:
    """Tell whether two patterns are equal."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Application):
        return (
            a.op is b.op
            and len(a.args) == len(b.args)
            and all(map(same, a.args, b.args))
            and all(same(value, b.attrs[name]) for name, value in a.attrs.items())
        )
    if isinstance(a, Variable):
        return bool(a.name == b.name)
    if isinstance(a, Number):
        return bool(a.value == b.value)
    return bool(a is b or (not isinstance(a, Pattern) and a == b))


# -- text -----------------------------------------------------------------------------------------


def text(pattern: Any) -> tuple[str, int]:
    """Return a pattern as a formula, with the precedence of its outermost operator."""
    if isinstance(pattern, Variable):
        return (f"*{pattern.name}" if pattern.sort == "Rest" else pattern.name), 100
    if isinstance(pattern, Number):
        return repr(pattern.value), 100 if pattern.value >= 0 else 80
    if isinstance(pattern, Computed):
        return pattern.shown or f"f({', '.join(pattern.names)})", 100
    if isinstance(pattern, Application):
        return _application(pattern)
    return str(pattern), 100


def _application(pattern: Application) -> tuple[str, int]:
    op = pattern.op
    attrs = {name: text(value)[0] for name, value in pattern.attrs.items()}
    if not op.formula:
        inside = [text(arg)[0] for arg in pattern.args]
        inside += [f"{name}={value}" for name, value in attrs.items()]
        return f"{op.name}({', '.join(inside)})", 100
    shown = []
    for place, arg in enumerate(pattern.args):
        formula, precedence = text(arg)
        tight = precedence < op.precedence or (place > 0 and precedence == op.precedence < 100)
        shown.append(f"({formula})" if tight and op.precedence < 100 else formula)
    return op.formula.format(*shown, **attrs), op.precedence
