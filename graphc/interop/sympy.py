"""Expressions to and from SymPy, and LaTeX.

Elementwise expressions are formulas of numbers, and SymPy knows what to do with those: simplify,
integrate, solve, print. Arrays stand for one of their elements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from graphc.errors import GraphcValueError, NotSupportedError, message
from graphc.interop.translation import (
    COMPOSED,
    FOLDED,
    FROM_SYMPY,
    TO_SYMPY,
    UNTRANSLATED,
    number,
    sympy,
)
from graphc.ir import dtypes
from graphc.ir import node as ir
from graphc.ir.node import Node, apply, as_node, operand
from graphc.ir.op import OPS, Kind
from graphc.ir.source import here
from graphc.ir.walk import toposort
from graphc.ops.custom import inlined

Symbols = Mapping[Any, Any]


def to_sympy(expr: Any, symbols: Symbols | None = None, unknown: str = "raise") -> Any:
    """Return an elementwise expression as a SymPy expression.

    Parameters
    ----------
    expr : Node
        Made of elementwise ops, and of new axes and broadcasts between them. An array stands for
        one of its elements.
    symbols : dict of Node to sympy expression, optional
        What stands for some of the nodes; inputs and shared variables that are not listed become
        real symbols of their names: see `symbols_of`.
    unknown : {'raise', 'function'}
        Whether an op that SymPy has no word for is an error, or a function without meaning.

    Returns
    -------
    sympy.Expr

    Raises
    ------
    NotSupportedError
        If an op is not elementwise or has no translation, or if SymPy is not installed.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dscalar("x")
    >>> graphc.to_sympy(T.exp(-x) / 2)
    exp(-x)/2
    >>> graphc.to_sympy(T.grad(T.sin(x) * x, x)).simplify()
    x*cos(x) + sin(x)
    """
    expr = as_node(expr)
    if unknown not in ("raise", "function"):
        raise GraphcValueError(
            message(f"unknown={unknown!r}: must be 'raise' or 'function'", (), here())
        )
    found: dict[Node, Any] = {as_node(x): value for x, value in (symbols or {}).items()}
    found = {**symbols_of(expr, found), **found}
    (whole,) = inlined([expr])
    for node in _needed(whole, found):
        found[node] = _translated(node, [found.get(x) for x in node.inputs], unknown)
    return found[whole]


def _needed(expr: Node, known: Symbols) -> list[Node]:
    """Return the nodes whose value an expression is made of, inputs first; sizes are not."""
    order: dict[Node, None] = {}
    stack = [(expr, False)]
    while stack:
        node, ready = stack.pop()
        if node in order or node in known:
            continue
        if ready:
            order[node] = None
            continue
        stack.append((node, True))
        stack.extend(
            (child, False) for child in node.inputs[_VALUES.get(node.op.name, slice(None))]
        )
    return list(order)


# Of what is moved, which inputs are values; the others are sizes, or only have sizes.
_VALUES = {"expand": slice(1), "fill": slice(1, 2), "dimshuffle": slice(1)}


def symbols_of(expr: Any, taken: Symbols | None = None) -> dict[Node, Any]:
    """Return the symbol of each input and shared variable of an expression.

    Each has the name of its variable, with a number behind it where two have the same.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x, y = T.dscalars("x", "x")
    >>> list(graphc.interop.sympy.symbols_of(x + y).values())
    [x, x_1]
    """
    known = {str(symbol) for symbol in (taken or {}).values()}
    found: dict[Node, Any] = {}
    for node in toposort([as_node(expr)], stop=taken or {}):
        if node.op in (ir.INPUT, ir.SHARED, ir.PARAM) and node not in (taken or {}):
            base = name = node.name or "v"
            for count in range(1, 1_000_000):
                if name not in known:
                    break
                name = f"{base}_{count}"
            known.add(name)
            kind = {"integer": True} if dtypes.is_discrete(node.type.dtype) else {"real": True}
            found[node] = sympy.Symbol(name, **kind)
    return found


def latex(expr: Any, symbols: Symbols | None = None, **options: Any) -> str:
    """Return an expression in LaTeX.

    Parameters
    ----------
    expr : Node
        Ops that SymPy has no word for are written as functions.
    symbols : dict of Node to sympy expression, optional
        As for `to_sympy`.
    options
        Of ``sympy.latex``.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> print(graphc.latex(T.sqrt(x) / y))
    \\frac{\\sqrt{x}}{y}
    """
    return str(sympy.latex(to_sympy(expr, symbols, unknown="function"), **options))


# -- to SymPy -------------------------------------------------------------------------------------


def _translated(node: Node, inputs: Sequence[Any], unknown: str) -> Any:
    name = node.op.name
    if node.op is ir.CONST:
        return _constant(node)
    if name in _VALUES and _is_broadcast(node):
        return inputs[_VALUES[name]][0]
    if name == "cast":
        return _cast(node, inputs[0])
    if name in TO_SYMPY and _has_meaning(node):
        return TO_SYMPY[name](*map(_as_operand(node), node.inputs, inputs))
    if unknown == "function":
        shown = [value for value in inputs if value is not None]
        return sympy.Function(name)(*shown) if shown else sympy.Symbol(name)
    why = UNTRANSLATED.get(name, "SymPy has no word for it")
    if node.op.kind is not Kind.ELEMENTWISE:
        why = "only elementwise expressions are formulas of numbers"
    raise NotSupportedError(
        message(f"to_sympy: {name}: {why}", [operand(node)], node.where or here())
    )


def _constant(node: Node) -> Any:
    array = node.attrs["value"].array
    if array.size == 1:
        return number(array.item())
    raise NotSupportedError(
        message(
            "to_sympy: an array of several numbers is no formula",
            [operand(node)],
            node.where or here(),
            "put a symbol in its place: to_sympy(expr, {array: sympy.Symbol('a')})",
        )
    )


def _is_broadcast(node: Node) -> bool:
    """Tell whether a movement only repeats elements, and leaves their axes in order."""
    kept = [axis for axis in node.attrs.get("pattern", ()) if axis >= 0]
    return kept == sorted(kept)


def _has_meaning(node: Node) -> bool:
    """Tell whether an op means on these dtypes what it means in SymPy."""
    if node.op.name in ("and_", "or_", "xor", "invert"):
        return node.type.dtype == dtypes.BOOL
    return True


def _as_operand(node: Node) -> Any:
    """Return how an operand is read: a condition stays one, bool numbers become 0 and 1."""
    logical = node.op.name in ("and_", "or_", "xor", "invert")

    def read(x: Node, value: Any) -> Any:
        chooses = node.op.name in ("where", "ifelse") and x is node.inputs[0]
        condition = logical or chooses
        if x.type.dtype == dtypes.BOOL and not condition:
            return sympy.Piecewise((1, value), (0, True))
        return value

    return read


def _cast(node: Node, value: Any) -> Any:
    old, new = node.inputs[0].type.dtype, node.type.dtype
    if new == dtypes.BOOL:
        return value if old == dtypes.BOOL else sympy.Ne(value, 0)
    if old == dtypes.BOOL:
        return sympy.Piecewise((1, value), (0, True))
    if dtypes.is_float(old) and not dtypes.is_float(new):
        return TO_SYMPY["trunc"](value)
    return value


# -- from SymPy -----------------------------------------------------------------------------------


def from_sympy(expr: Any, symbols: Symbols) -> Node:
    """Return a SymPy expression over symbolic variables.

    Parameters
    ----------
    expr : sympy.Expr
    symbols : dict of sympy.Symbol or str to Node
        The variable of each symbol. They may be arrays: the expression is computed for each of
        their elements.

    Returns
    -------
    Node

    Raises
    ------
    GraphcValueError
        If a symbol has no variable.
    NotSupportedError
        If a function has no op.

    Examples
    --------
    >>> import sympy, graphc, graphc.tensor as T
    >>> t, x = sympy.Symbol("t"), T.dvector("x")
    >>> graphc.from_sympy(sympy.integrate(sympy.cos(2 * t), t), {t: x})
    sin(2 * x) / 2
    """
    names = {str(symbol): as_node(node) for symbol, node in symbols.items()}
    found = _read(sympy.sympify(expr), names)
    return as_node(found)


def _read(expr: Any, names: Mapping[str, Node]) -> Any:
    """Return a node, or a Python number, which takes the dtype of what it meets."""
    if expr.is_Symbol:
        if expr.name not in names:
            listed = ", ".join(names) or "none"
            raise GraphcValueError(
                message(
                    f"from_sympy: the symbol {expr} has no variable; given: {listed}", (), here()
                )
            )
        return names[expr.name]
    if expr in (sympy.true, sympy.false):
        return bool(expr)
    if expr.is_number and expr.is_real:
        return int(expr) if expr.is_Integer else float(expr)
    if expr.func in COMPOSED:
        return _read(COMPOSED[expr.func](*expr.args), names)
    if isinstance(expr, sympy.Mul):
        return _product(expr, names)
    if isinstance(expr, sympy.Pow):
        base, exponent = expr.args
        return _power(base, exponent, names)
    if isinstance(expr, sympy.Piecewise):
        return _pieces(expr, names)
    args = [_read(arg, names) for arg in expr.args]
    if expr.func in FOLDED:
        return reduce(lambda a, b: apply(OPS[FOLDED[expr.func]], a, b), args)
    name = FROM_SYMPY.get(expr.func) or _of_order(expr, args)
    if name is None or name not in OPS:
        raise NotSupportedError(
            message(f"from_sympy: there is no op for {type(expr).__name__}, in {expr}", (), here())
        )
    return apply(OPS[name], *args)


_ORDERS = {
    ("polygamma", 0): "psi",
    ("besseli", 0): "i0",
    ("besseli", 1): "i1",
    ("besselj", 0): "j0",
    ("besselj", 1): "j1",
}


def _of_order(expr: Any, args: list[Any]) -> str | None:
    """Return the op of a function that has an order before its operand, and drop the order."""
    name = _ORDERS.get((type(expr).__name__, args[0])) if isinstance(args[0], int) else None
    if name is not None:
        del args[0]
    return name


def _product(expr: Any, names: Mapping[str, Node]) -> Any:
    """Return a product, with negative powers below the line and a minus in front."""
    above, below = expr.as_numer_denom()
    if below == 1:
        factors = sympy.Mul.make_args(above)
        if factors[0] == -1:
            return -_read(sympy.Mul(*factors[1:]), names)
        return reduce(lambda a, b: a * b, [_read(factor, names) for factor in factors])
    return _divided(_read(above, names), _read(below, names))


def _divided(a: Any, b: Any) -> Any:
    return a / b


def _power(base: Any, exponent: Any, names: Mapping[str, Node]) -> Any:
    if base == sympy.E:
        return apply(OPS["exp"], _read(exponent, names))
    if exponent.could_extract_minus_sign() and exponent.is_number:
        return _divided(1, _read(base**-exponent, names))
    if exponent == 2:
        return apply(OPS["sqr"], _read(base, names))
    if exponent == sympy.Rational(1, 2):
        return apply(OPS["sqrt"], _read(base, names))
    return apply(OPS["pow"], _read(base, names), _read(exponent, names))


def _pieces(expr: Any, names: Mapping[str, Node]) -> Any:
    *pieces, last = expr.args
    if last.cond != sympy.true:
        raise NotSupportedError(
            message(f"from_sympy: {expr} has no value outside of its conditions", (), here())
        )
    found = _read(last.expr, names)
    for piece in reversed(pieces):
        condition = _read(piece.cond, names)
        found = apply(OPS["where"], condition, _read(piece.expr, names), found)
    return found
