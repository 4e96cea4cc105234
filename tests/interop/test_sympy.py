"""Expressions to SymPy and back; and SymPy's opinion of every scalar derivative in the table."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import sympy

import graphc
import graphc.tensor as T
from graphc.autodiff.reverse import gradients
from graphc.errors import DTypeError, GraphcValueError, NotSupportedError
from graphc.interop.sympy import symbols_of
from graphc.interop.translation import FROM_SYMPY, TO_SYMPY, UNTRANSLATED, number
from graphc.ir import dtypes
from graphc.ir.node import Node, apply, const, input_node
from graphc.ir.op import OPS, Domain, Kind, Undefined
from graphc.ir.types import TensorType
from harness import evaluate
from op_samples import domain

x, y = T.dscalars("x y")
X, Y = (symbols_of(node)[node] for node in (x, y))

SCALAR = [name for name, op in OPS.items() if op.kind is Kind.ELEMENTWISE]


# -- the table ------------------------------------------------------------------------------------


def test_every_elementwise_row_is_translated_or_says_why_not() -> None:
    missing = [name for name in SCALAR if name not in {*TO_SYMPY, *UNTRANSLATED}]
    assert not missing, "add these to TO_SYMPY or to UNTRANSLATED in interop/translation.py"
    assert not set(TO_SYMPY) & set(UNTRANSLATED)


def applied(name: str) -> Node | None:
    """Return a row over float scalars, None if it has no float result."""
    op = OPS[name]
    kinds = ["float64"] * op.details["arity"]
    if name == "where":
        kinds[0] = "bool"
    inputs = [input_node(TensorType(k, ()), n) for k, n in zip(kinds, "xyz", strict=False)]
    try:
        node: Node = apply(op, *inputs)
    except DTypeError:
        return None
    return node if dtypes.is_float(node.type.dtype) else None


FLOAT = [n for n in SCALAR if n in TO_SYMPY and applied(n) is not None]


def points(name: str, node: Node) -> Iterator[tuple[float, ...]]:
    """Yield points inside of the domain of a row, away from its kinks."""
    choices = []
    for place, operand in enumerate(node.inputs):
        own = domain(OPS[name], place, "float64", smooth=True)
        if operand.type.dtype == "bool":
            choices.append([1.0, 0.0])
        else:
            shift = 0.03 * place  # no two operands are equal: kinks may lie there
            choices.append([_inside(own, part + shift) for part in (0.13, 0.57, 0.91)])
    yield from itertools.product(*choices)


def _inside(own: Domain, part: float) -> float:
    value = own.low + (own.high - own.low) * part
    return value if all(abs(value - kink) > 0.05 for kink in own.kinks) else value + 0.1


def at(expr: object, node: Node, point: tuple[float, ...]) -> sympy.Expr:
    """Return the value of a SymPy expression at a point, to 50 digits."""
    names = symbols_of(node)
    values = {}
    for operand, value in zip(node.inputs, point, strict=True):
        is_bool = operand.type.dtype == "bool"
        values[names[operand]] = sympy.Integer(int(value)) if is_bool else sympy.Float(value, 60)
    return sympy.N(expr.subs(values), 50)  # type: ignore[attr-defined]


def in_sympy(expr: Node, like: Node) -> sympy.Expr:
    """Return an expression over the symbols of a node; bools are symbols that are 1 or 0."""
    names = {
        node: sympy.Ne(symbol, 0) if node.type.dtype == "bool" else symbol
        for node, symbol in symbols_of(like).items()
    }
    return graphc.to_sympy(expr, names)


def given(node: Node, point: tuple[float, ...]) -> dict[Node, np.ndarray]:
    pairs = zip(node.inputs, point, strict=True)
    return {x: np.asarray(v, x.type.dtype) for x, v in pairs}


@pytest.mark.parametrize("name", FLOAT)
def test_values_agree(name: str) -> None:
    node = applied(name)
    assert node is not None
    for point in points(name, node):
        ours = float(evaluate(node, given(node, point))[0])
        assert ours == pytest.approx(float(at(in_sympy(node, node), node, point)), rel=1e-12)


@pytest.mark.parametrize("name", FLOAT)
def test_derivatives_are_those_of_sympy(name: str) -> None:
    """To second order: the row's own gradient, as written, against SymPy's derivative."""
    node = applied(name)
    assert node is not None
    names = symbols_of(node)
    for operand in node.inputs:
        if not dtypes.is_float(operand.type.dtype):
            continue
        formula = in_sympy(node, node)
        slope: Node = node
        for order in (1, 2):
            formula = derivative(formula, names[operand])
            (found,) = gradients([slope], [const(1.0)], [operand])
            assert not isinstance(found, Undefined)
            if found is None:
                compare_zero(formula, node, name)
                break
            slope = found
            compare(formula, slope, node, name, order)


def derivative(formula: sympy.Expr, symbol: sympy.Symbol) -> sympy.Expr:
    """Return a derivative; SymPy has none of floor and Mod, whose steps lie between the points."""
    found = sympy.diff(formula, symbol)
    if not found.has(sympy.Derivative, sympy.Subs):
        return found
    step = sympy.Float("1e-12", 60)
    return (formula.subs(symbol, symbol + step) - formula.subs(symbol, symbol - step)) / (2 * step)


def compare_zero(formula: sympy.Expr, node: Node, name: str) -> None:
    for point in points(name, node):
        value = at(formula.doit(), node, point)
        assert not value.free_symbols and abs(value) < 1e-30, f"{name} at {point}: {value}"


def compare(formula: sympy.Expr, slope: Node, node: Node, name: str, order: int) -> None:
    translated = in_sympy(slope, node)
    for point in points(name, node):
        expected = at(formula.doit(), node, point)
        assert expected.is_number, f"{name}: {formula}"
        symbolic = at(translated, node, point)
        # constants that are no fractions are known to 17 digits
        assert abs(symbolic - expected) <= 1e-15 * max(1, abs(expected)), f"{name} {order} {point}"
        ours = float(evaluate(slope, given(node, point))[0])
        assert ours == pytest.approx(float(expected), rel=1e-10, abs=1e-12), f"{name} at {point}"


STRUCTURAL = [n for n in FLOAT if n in ("exp", "log", "sin", "cos", "tanh", "sqrt", "sqr", "pow")]


@pytest.mark.parametrize("name", STRUCTURAL)
def test_derivatives_are_the_same_formula(name: str) -> None:
    node = applied(name)
    assert node is not None
    positive = {v: sympy.Symbol(v.name, positive=True) for v in symbols_of(node)}
    (g,) = gradients([node], [const(1.0)], [node.inputs[0]])
    assert isinstance(g, Node)
    formula = sympy.diff(graphc.to_sympy(node, positive), positive[node.inputs[0]])
    assert sympy.simplify(graphc.to_sympy(g, positive) - formula) == 0


# -- there and back -------------------------------------------------------------------------------

EXPRESSIONS = [
    x + y,
    x - 2 * y,
    x / y - 1 / x,
    T.exp(-x) * T.log(y),
    T.sqrt(y) / (1 + T.sqr(x)),
    x**3 - y**x,
    T.sin(x) * T.cos(y) + T.tanh(x * y),
    T.maximum(x, y) * T.minimum(x, 2 * y),
    T.clip(x, -0.5, 0.5) + abs(x) * T.sgn(x),
    T.switch(x > y, x, y**2),
    T.switch((x > 0) & (y <= 1), x, T.switch(T.neq(x, 3), y, 0)),
    T.nnet.sigmoid(x) - T.nnet.softplus(y),
    T.log1p(y) + T.expm1(x),
    0.1 * x + np.pi * y - 0.123456789,
    T.grad(T.tanh(x * y) * T.exp(x), x),
    T.grad(T.nnet.softplus(T.sin(x) / y), x),
]
POINTS = [(0.3, 1.7), (-1.2, 0.4), (2.5, 2.1)]


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=map(str, range(len(EXPRESSIONS))))
def test_there_and_back(expression: Node) -> None:
    there = graphc.to_sympy(expression)
    back = graphc.from_sympy(there, {X: x, Y: y})
    again = graphc.from_sympy(sympy.sympify(there), {"x": x, "y": y})
    assert again is back and back.type is expression.type
    for px, py in POINTS:
        values = {x: np.array(px), y: np.array(py)}
        ours, theirs = evaluate([expression, back], values)
        np.testing.assert_allclose(theirs, ours, 1e-13)
        numbers = {X: sympy.Float(px, 30), Y: sympy.Float(py, 30)}
        assert float(there.subs(numbers)) == pytest.approx(float(ours), rel=1e-13)


def test_formulas_of_sympy_are_computed_for_arrays(backend: str) -> None:
    t = sympy.Symbol("t")
    v = T.dvector("v")
    node = graphc.from_sympy(sympy.integrate(t * sympy.exp(-t), t), {t: v})
    found = graphc.function([v], node, backend=backend)([0.0, 1.0])
    np.testing.assert_allclose(found, [-1.0, -2 / np.e])


def test_numbers_take_the_dtype_of_what_they_meet() -> None:
    f = T.fscalar("f")
    t = sympy.Symbol("t")
    formula = sympy.Rational(1, 3) * t + sympy.sqrt(2) * t**3 + sympy.pi
    assert graphc.from_sympy(formula, {t: f}).type.dtype == "float32"
    assert graphc.from_sympy(sympy.Integer(3), {}).type.ndim == 0


SPECIAL = [name for name in FROM_SYMPY.values() if name in FLOAT and name != "where"]


@pytest.mark.parametrize("name", SPECIAL)
def test_every_function_that_sympy_shares_comes_back(name: str) -> None:
    node = applied(name)
    assert node is not None
    back = graphc.from_sympy(graphc.to_sympy(node), {s: n for n, s in symbols_of(node).items()})
    for point in points(name, node):
        ours, theirs = evaluate([node, back], given(node, point))
        np.testing.assert_allclose(theirs, ours, 1e-13)


def test_functions_that_are_written_with_others() -> None:
    t = sympy.Symbol("t")
    for function in (sympy.sec, sympy.csc, sympy.Heaviside):
        node = graphc.from_sympy(function(t), {t: x})
        (value,) = evaluate(node, {x: np.array(0.7)})
        assert float(value) == pytest.approx(float(function(0.7)))


def test_arrays_stand_for_an_element() -> None:
    m, v = T.dmatrix("m"), T.dvector("v")
    assert str(graphc.to_sympy(m * v + T.ones_like(m))) == "m*v + 1"
    g = T.grad(T.sum(T.exp(m) * v), m)
    assert str(graphc.to_sympy(g)) == "v*exp(m)"


def test_exact_numbers() -> None:
    assert number(0.1) == sympy.Rational(1, 10)
    assert number(-2 / np.sqrt(np.pi)) == -2 / sympy.sqrt(sympy.pi)
    assert number(float("inf")) == sympy.oo and number(float("nan")) is sympy.nan
    assert number(0.123456789) == sympy.Float(0.123456789, 17)
    assert number(True) is sympy.true


def test_names() -> None:
    a, b, unnamed = T.dscalar("x"), T.dscalar("x"), T.dscalar()
    assert [str(s) for s in symbols_of(a * b + unnamed).values()] == ["x", "x_1", "v"]
    chosen = sympy.Symbol("chi")
    assert graphc.to_sympy(a * 2, {a: chosen}) == 2 * chosen
    w = graphc.shared(1.0, "w")
    assert str(graphc.to_sympy(w * a)) == "w*x"
    inner = T.exp(a)
    assert str(graphc.to_sympy(inner**2 + 1, {inner: chosen})) == "chi**2 + 1"


def test_identities_and_conditions() -> None:
    assert graphc.to_sympy(graphc.gradient.zero_grad(x) * 2) == 2 * X
    assert graphc.to_sympy(T.cast(x > 0, "float64")) == sympy.Piecewise((1, X > 0), (0, True))
    assert graphc.to_sympy(T.cast(x, "int64")).subs({X: -2.5}) == -2
    assert graphc.to_sympy(T.cast(T.fscalar("x"), "float64")) == X


def test_latex() -> None:
    assert graphc.latex(T.sqrt(x) / y) == r"\frac{\sqrt{x}}{y}"
    assert graphc.latex(x * y, {x: sympy.Symbol("alpha")}, mul_symbol="dot") == (r"\alpha \cdot y")
    m = T.dmatrix("m")
    assert "dot" in graphc.latex(T.dot(m, m) + 1)


def test_what_has_no_translation() -> None:
    m = T.dmatrix("m")
    for node in (T.dot(m, m), T.sum(m), m + m.T, m[1:]):
        with pytest.raises(NotSupportedError, match="only elementwise expressions are formulas"):
            graphc.to_sympy(node)
    with pytest.raises(NotSupportedError, match="an array of several numbers is no formula"):
        graphc.to_sympy(m * np.array([1.0, 2.0]))
    i = T.lscalar("i")
    with pytest.raises(NotSupportedError, match="to_sympy: and_: SymPy has no word for it"):
        graphc.to_sympy(i & 2)
    with pytest.raises(GraphcValueError, match="unknown='skip'"):
        graphc.to_sympy(x, unknown="skip")


def test_what_does_not_come_back() -> None:
    t = sympy.Symbol("t")
    with pytest.raises(GraphcValueError, match="the symbol t has no variable; given: x"):
        graphc.from_sympy(t + 1, {"x": x})
    with pytest.raises(NotSupportedError, match="there is no op for LambertW"):
        graphc.from_sympy(sympy.LambertW(t), {t: x})
    with pytest.raises(NotSupportedError, match="no value outside of its conditions"):
        graphc.from_sympy(sympy.Piecewise((t, t > 0)), {t: x})


def test_sympy_is_loaded_when_it_is_asked_for() -> None:
    program = """
import sys
import graphc
assert "sympy" not in sys.modules
sys.modules["sympy"] = None
try:
    graphc.latex
except graphc.errors.NotSupportedError as error:
    assert "pip install sympy" in str(error)
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", program], check=True)
