"""Gradients of random programs against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import graphc.tensor as T
from autodiff.slopes import as_written, assert_equal, compiled, simplified, steady_slopes
from graphc.ir.node import Node
from harness import evaluate

a, b = T.dvector("a"), T.TensorType("float64", (3,))("b")
s = T.dscalar("s")
m, row = T.dmatrix("m"), T.drow("row")
RNG = np.random.default_rng(11)
AT = {
    a: RNG.uniform(-1.5, 1.5, 3),
    b: RNG.uniform(-1.5, 1.5, 3),
    s: np.asarray(RNG.uniform(-1.5, 1.5)),
    m: RNG.uniform(-1.5, 1.5, (2, 3)),
    row: RNG.uniform(-1.5, 1.5, (1, 3)),
}

UNARY: list[Callable[[Any], Any]] = [
    T.tanh,
    T.sin,
    T.sqr,
    T.nnet.sigmoid,
    T.nnet.softplus,
    lambda v: T.exp(T.tanh(v)),
    lambda v: T.log(1 + T.sqr(v)),
    lambda v: T.sqrt(T.sqr(v) + 0.5),
    lambda v: -v,
    lambda v: v * 0.5 + 1,
    lambda v: v**3,
    lambda v: T.switch(v > 0, T.log(v), T.log(-v)),
    lambda v: T.switch(v > 0.3, T.sqrt(v), 0) + v,
    lambda v: T.clip(v, -0.9, 0.9) * v,
    lambda v: T.sgn(v) * v + abs(v),
    lambda v: T.fill(v, T.sum(v)),
    lambda v: T.zeros_like(v) + v,
    lambda v: v[::-1] if v.ndim else v,
    lambda v: v.T * 1.5,
    lambda v: v.dimshuffle("x", 0) if v.ndim == 1 else v,
    lambda v: v.sum(axis=-1) if v.ndim else v,
    lambda v: v.sum(axis=0, keepdims=True) if v.ndim else v,
    lambda v: v.mean() * 2 if v.ndim else v,
    lambda v: v.prod(axis=0) if v.ndim else v,
    lambda v: v.max(axis=-1) if v.ndim else v,
    lambda v: v.flatten() if v.ndim else v,
    lambda v: v.reshape((-1, v.shape[0])) if v.ndim else v,
    lambda v: T.nnet.softmax(v) if v.ndim == 2 else v,
    lambda v: v[1:] if v.ndim else v,
    lambda v: T.concatenate([v, v * v]) if v.ndim else v,
    lambda v: T.stack([v, T.cos(v)]) if v.ndim < 2 else v,
]
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda u, v: u + v,
    lambda u, v: u - v,
    lambda u, v: u * v,
    lambda u, v: u / (T.sqr(v) + 1),
    lambda u, v: T.maximum(u, v),
    lambda u, v: T.switch(u > v, u * v, T.sin(v)),
    lambda u, v: (T.sqr(u) + 0.5) ** v,
]


def value(node: Node) -> np.ndarray:
    return evaluate(node, AT)[0]


def agrees(u: Node, v: Node) -> bool:
    """Tell whether graphc broadcasts these: by known sizes of 1 only."""
    if 0 in (u.ndim, v.ndim):
        return True
    if u.ndim != v.ndim:
        return False
    sizes = zip(value(u).shape, value(v).shape, u.broadcastable, v.broadcastable, strict=True)
    return all(m == n or one or other for m, n, one, other in sizes)


@st.composite
def programs(draw: st.DrawFn) -> Node:
    """Draw an expression over the inputs, by applying ops to earlier results."""
    pool: list[Node] = [a, b, s, m, row]
    for _ in range(draw(st.integers(1, 8))):
        u = draw(st.sampled_from(pool))
        if draw(st.booleans()):
            pool.append(draw(st.sampled_from(UNARY))(u))
        else:
            v = draw(st.sampled_from([v for v in pool if agrees(u, v)]))
            pool.append(draw(st.sampled_from(BINARY))(u, v))
        assume(0 < value(pool[-1]).size <= 60)
    last = pool[5:]
    return T.add(*[T.sum(node) for node in last]) if len(last) > 1 else T.sum(last[0])  # type: ignore[no-any-return]


@settings(max_examples=100, deadline=None)
@given(programs())
def test_gradients_of_random_programs(cost: Node) -> None:
    assume(abs(float(value(cost))) < 1e4)
    expected = steady_slopes(cost, AT)
    assume(expected is not None)
    assert_equal(cost, AT, expected or [], 1e-5)


@settings(max_examples=50, deadline=None)
@given(programs())
def test_random_gradients_compiled(cost: Node) -> None:
    assume(abs(float(value(cost))) < 1e4)
    results = simplified(cost, list(AT))
    for found, expected in zip(compiled(results, AT), evaluate(results, AT), strict=True):
        assume(np.all(np.isfinite(expected)))
        scale = float(np.max(np.abs(expected), initial=1.0))
        np.testing.assert_allclose(found, expected, 1e-9, 1e-11 * scale)


# -- conditions -----------------------------------------------------------------------------------

SINGULAR: list[Callable[[Any], Any]] = [
    T.log,
    T.sqrt,
    lambda v: 1 / v,
    lambda v: v**-0.5,
    lambda v: v**1.5,
    lambda v: T.log(T.exp(v) - 1),
    lambda v: v * T.log(v),
    lambda v: a / v,
    lambda v: v + T.sqrt(v),
    lambda v: -v,
    lambda v: T.fill(a, v),
    lambda v: v.dimshuffle("x", 0).dimshuffle(1),
    lambda v: T.cast(T.cast(v, "float32"), "float64"),
    lambda v: T.switch(a > 1, v, T.log(v)),
    lambda v: T.switch(v > 0, T.sqrt(v), 1 / v),
    lambda v: T.clip(v, -2, 2),
    lambda v: T.maximum(v, 1 / v),
]
PLACES = {a: np.array([-2.0, -0.0, 0.0, 0.5, 1.0, 1.5])}


@st.composite
def shielded(draw: st.DrawFn) -> Node:
    """Draw a sum of expressions, singular where a is not positive, that count only elsewhere."""
    pool = [a]
    for _ in range(draw(st.integers(1, 5))):
        pool.append(draw(st.sampled_from(SINGULAR))(draw(st.sampled_from(pool))))
    terms = []
    for _ in range(draw(st.integers(1, 3))):
        node = draw(st.sampled_from(pool[1:]))
        low = draw(st.sampled_from([0, 0.7, 1.2]))
        forms = [
            T.switch(a > low, node, 0),
            T.switch(a <= low, 0, node),
            T.switch(~(a > low), 3, node),
            T.switch(a > low, T.switch(a < 1.3, node, -node), 0) * a,
        ]
        terms.append(T.sum(draw(st.sampled_from(forms))))
    return T.add(*terms) if len(terms) > 1 else terms[0]  # type: ignore[no-any-return]


@settings(max_examples=100, deadline=None)
@given(shielded())
def test_nothing_is_felt_of_what_is_not_chosen(cost: Node) -> None:
    for way in (as_written, simplified):
        (slope,) = way(cost, [a])
        (curvature,) = way(T.sum(slope), [a])
        for found in evaluate([slope, curvature], PLACES):
            assert np.all(np.isfinite(found[:3])), f"{way.__name__}: {found}"


@settings(max_examples=40, deadline=None)
@given(shielded())
def test_compiling_keeps_the_shields(cost: Node) -> None:
    (slope,) = simplified(cost, [a])
    (curvature,) = simplified(T.sum(slope), [a])
    for found in compiled([slope, curvature], PLACES):
        assert np.all(np.isfinite(found[:3])), found
