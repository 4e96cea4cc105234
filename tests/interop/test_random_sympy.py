"""Random formulas: to SymPy and back, and their gradients against SymPy's derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import graphc
import graphc.tensor as T
from graphc.interop.sympy import symbols_of
from graphc.ir.node import Node
from harness import evaluate

x, y = T.dscalars("x y")
X, Y = (symbols_of(node)[node] for node in (x, y))
POINTS = [(0.37, -1.21), (-0.83, 0.59), (1.47, 0.93)]

UNARY: list[Callable[[Any], Any]] = [
    T.exp,
    T.sin,
    T.tanh,
    T.sqr,
    T.nnet.sigmoid,
    T.nnet.softplus,
    T.erf,
    T.arctan,
    T.expm1,
    lambda u: -u,
    lambda u: u * 0.3 + 2,
    lambda u: T.log(T.sqr(u) + 1.5),
    lambda u: T.sqrt(T.sqr(u) + 0.5),
    lambda u: 1 / (T.sqr(u) + 1),
    lambda u: u**3,
    lambda u: abs(u) * u,
    lambda u: T.switch(u > 0.1, T.cosh(u), u),
]
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda u, v: u + v,
    lambda u, v: u - v,
    lambda u, v: u * v,
    lambda u, v: u / (T.exp(v) + 1),
    lambda u, v: T.maximum(u, v),
    lambda u, v: T.logaddexp(u, v),
    lambda u, v: T.switch(u < v, u * 2, v),
    lambda u, v: (T.sqr(u) + 0.5) ** v,
]


@st.composite
def formulas(draw: st.DrawFn) -> Node:
    pool: list[Node] = [x, y]
    for _ in range(draw(st.integers(1, 5))):
        u, v = draw(st.sampled_from(pool)), draw(st.sampled_from(pool))
        if draw(st.booleans()):
            pool.append(draw(st.sampled_from(UNARY))(u))
        else:
            pool.append(draw(st.sampled_from(BINARY))(u, v))
    return pool[-1]


@settings(max_examples=100, deadline=None)
@given(formulas())
def test_random_formulas_come_back(formula: Node) -> None:
    there = graphc.to_sympy(formula)
    back = graphc.from_sympy(there, {X: x, Y: y})
    for px, py in POINTS:
        values = {x: np.array(px), y: np.array(py)}
        ours, theirs = evaluate([formula, back], values)
        assume(np.isfinite(ours) and abs(ours) < 1e6)
        np.testing.assert_allclose(theirs, ours, 1e-10, 1e-12)


@settings(max_examples=100, deadline=None)
@given(formulas(), st.sampled_from([(x, X), (y, Y)]))
def test_random_gradients_are_those_of_sympy(formula: Node, by: tuple[Node, sympy.Symbol]) -> None:
    node, symbol = by
    expected = sympy.diff(graphc.to_sympy(formula), symbol)
    found = T.grad(formula, node, disconnected_inputs="ignore")
    for px, py in POINTS:
        numbers = {X: sympy.Float(px, 30), Y: sympy.Float(py, 30)}
        exact = sympy.N(expected.subs(numbers).doit(), 20)
        assume(exact.is_number and exact.is_finite and abs(exact) < 1e6)
        (ours,) = evaluate(found, {x: np.array(px), y: np.array(py)})
        np.testing.assert_allclose(float(ours), float(exact), 1e-9, 1e-11)
