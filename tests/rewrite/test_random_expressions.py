"""Random expressions: the normal form is final, has the same type and the same value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphc.tensor as T
from graphc.ir.node import Node, input_node
from graphc.ir.shapes import sizes
from graphc.ir.types import TensorType
from graphc.ir.verify import refines, verify
from graphc.ops.movement import dimshuffle, expand, fill, keep_axes
from graphc.ops.parts import put, slice_axes
from graphc.rewrite.pipeline import simplify
from harness import evaluate

A, B = 3, 4  # sizes at the call

FLOATS = {
    "x": (TensorType("float64", (None, None)), (A, B)),
    "y": (TensorType("float64", (None, B)), (A, B)),
    "row": (TensorType("float64", (1, None)), (1, B)),
    "col": (TensorType("float64", (None, 1)), (A, 1)),
    "s": (TensorType("float64", ()), ()),
    "t": (TensorType("float64", ()), ()),
}
INTS = {
    "i": (TensorType("int64", (None, None)), (A, B)),
    "j": (TensorType("int64", (A, B)), (A, B)),
    "k": (TensorType("int64", ()), ()),
}
CONSTANTS = [0, 1, -1, 2, 0.5, -3, 4, 0.1, 3]

UNARY: list[Callable[[Any], Any]] = [
    lambda x: -x,
    T.abs_,
    T.sgn,
    T.sqr,
    T.tanh,
    T.sin,
    T.cos,
    T.nnet.sigmoid,
    T.nnet.softplus,
    lambda x: T.exp(T.tanh(x)),
    lambda x: T.log(T.exp(T.tanh(x)) + 1),
    lambda x: T.log(T.sqr(x) + 1),
    lambda x: T.sqrt(T.sqr(x) + 1),
    lambda x: T.exp(T.tanh(x)) - 1,
    lambda x: 1 / (1 + T.exp(-T.tanh(x))),
    lambda x: 1 / (1.5 + T.tanh(x)),
    lambda x: T.tanh(x) ** 3,
    lambda x: x * 2,
    lambda x: x / 4,
    lambda x: x + 1,
    lambda x: 1 - x,
    lambda x: fill(x, 0.5),
    lambda x: T.cast(T.cast(x, "float64"), "float64"),
]
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: x / (1.5 + T.tanh(y)),
    T.maximum,
    T.minimum,
    lambda x, y: T.switch(T.gt(x, y), x, y),
    lambda x, y: T.switch(T.lt(x, 0), x, x),
    lambda x, y: T.cast(T.le(x, y), "float64"),
]


def _shaped(x: Node) -> list[Callable[[], Node]]:
    """Return what can be done to a matrix so that a matrix comes out."""
    top = T.max(x, axis=1, keepdims=True)
    e = T.exp(x - top)
    return [
        lambda: dimshuffle(dimshuffle(x, (1, 0)), (1, 0)),
        lambda: keep_axes(T.sum(x, axis=0), (0,), 2),
        lambda: keep_axes(T.max(-x, axis=1), (1,), 2),
        lambda: expand(T.sum(x), sizes(x)),
        lambda: T.sum(dimshuffle(x, (1, -1, 0)), axis=1).T,
        lambda: T.reshape(T.reshape(x, (-1,)), sizes(x)),
        lambda: e / keep_axes(T.sum(e, axis=1), (1,), 2),
        lambda: x - keep_axes(T.log(T.sum(T.exp(T.tanh(x)), axis=0)), (0,), 2),
        lambda: T.log(T.nnet.softmax(x)),
        lambda: slice_axes(T.concatenate([x, x], axis=0), [0], [0], [sizes(x)[0]], [1]),
        lambda: slice_axes(x, [0], [sizes(x)[0] - 1], [sizes(x)[0]], [-1]),
    ]


@st.composite
def floats(draw: Any, max_size: int = 12) -> tuple[Node, dict[Node, Any]]:
    """Draw an expression over floats, and a value for each input."""
    leaves = {name: input_node(type_, name) for name, (type_, _) in FLOATS.items()}
    pool: list[Any] = [*leaves.values(), *leaves.values(), *CONSTANTS]
    for _ in range(draw(st.integers(1, max_size))):
        x, y = draw(st.sampled_from(pool)), draw(st.sampled_from(pool))
        if not isinstance(x, Node):
            x, y = y, x
        if not isinstance(x, Node):
            continue
        if draw(st.integers(0, 5)) == 0 and x.ndim == 2 and x.broadcastable == (False, False):
            choices = _shaped(x)
            pool += [draw(st.sampled_from(choices))()] * 3
        elif draw(st.booleans()):
            pool += [draw(st.sampled_from(UNARY))(x)] * 3
        else:
            pool += [draw(st.sampled_from(BINARY))(x, y)] * 3
    values = {leaf: _value(FLOATS[name][1], "f", name) for name, leaf in leaves.items()}
    return next(n for n in reversed(pool) if isinstance(n, Node)), values


VECTORS = {
    "u": (TensorType("float64", (None,)), 5),
    "v": (TensorType("float64", (None,)), 5),
    "w": (TensorType("float64", (3,)), 3),
    "z": (TensorType("float64", (None,)), 2),
}


@st.composite
def vectors(draw: Any, max_size: int = 12) -> tuple[Node, dict[Node, Any]]:
    """Draw an expression over vectors of several sizes: joined, cut, put together again."""
    leaves = {name: input_node(type_, name) for name, (type_, _) in VECTORS.items()}
    pool = [(leaf, VECTORS[name][1]) for name, leaf in leaves.items()]
    for _ in range(draw(st.integers(1, max_size))):
        x, n = draw(st.sampled_from(pool))
        y, k = draw(st.sampled_from(pool))
        match draw(st.integers(0, 7)):
            case 0 if n + k < 20:
                pool += [(T.concatenate([x, y]), n + k)] * 2
            case 1 | 2:
                start, stop, step = (draw(st.integers(-n - 1, n + 1)) for _ in range(3))
                cut = slice(start, stop, step or None)
                pool += [(x[cut], len(range(n)[cut]))] * 3
            case 3 if k <= n:
                at = draw(st.integers(0, n - k))
                start = T.constant(at) if draw(st.booleans()) else sizes(x)[0] - (n - at)
                pool.append((put(x, y, [0], [start], [1]), n))
            case 4:
                pool.append((draw(st.sampled_from(UNARY))(x), n))
            case 5:
                pool.append((fill(x, 0.5) if draw(st.booleans()) else x * 0, n))
            case _ if n == k:
                pool.append((draw(st.sampled_from(BINARY))(x, y), n))
            case _ if n:
                pool.append((x * T.max(x) - T.sum(y), n))
    values = {leaf: _value((VECTORS[name][1],), "f", name) for name, leaf in leaves.items()}
    return pool[-1][0], values


INTEGER: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: x // 2,
    lambda x, y: x % 3,
    lambda x, y: -x,
    lambda x, y: x * 6 // 3,
    lambda x, y: T.maximum(x, y),
    lambda x, y: T.minimum(x, y),
    lambda x, y: T.switch(T.eq(x, y), x, y),
    lambda x, y: T.cast(T.invert(T.lt(x, y)), "int64"),
    lambda x, y: T.cast(T.and_(T.lt(x, y), T.or_(T.gt(x, 0), T.lt(x, y))), "int64"),
    lambda x, y: T.neq(T.cast(T.cast(T.ge(x, y), "int8"), "int64"), 0) * x,
    lambda x, y: x & y,
    lambda x, y: x | y,
    lambda x, y: T.abs_(x),
    lambda x, y: T.sqr(x),
]


@st.composite
def integers(draw: Any, max_size: int = 12) -> tuple[Node, dict[Node, Any]]:
    """Draw an expression over integers, and a value for each input."""
    leaves = {name: input_node(type_, name) for name, (type_, _) in INTS.items()}
    pool: list[Any] = [*leaves.values(), *leaves.values(), 0, 1, -1, 2, 3, 7]
    for _ in range(draw(st.integers(1, max_size))):
        x, y = draw(st.sampled_from(pool)), draw(st.sampled_from(pool))
        if isinstance(y, Node):
            x, y = y, x
        if isinstance(x, Node):
            pool += [draw(st.sampled_from(INTEGER))(x, y)] * 2
    values = {leaf: _value(INTS[name][1], "i", name) for name, leaf in leaves.items()}
    return next(n for n in reversed(pool) if isinstance(n, Node)), values


def _value(shape: tuple[int, ...], kind: str, name: str) -> Any:
    rng = np.random.default_rng(ord(name[0]))
    return rng.integers(-9, 9, shape) if kind == "i" else rng.normal(size=shape)


def check(node: Node, values: dict[Node, Any]) -> tuple[np.ndarray, np.ndarray]:
    for phases in (["canonical"], ["canonical", "stabilise"], None):
        (found,) = simplify([node], phases=phases)
        verify([found])
        assert refines(found.type, node.type) or refines(node.type, found.type)
        (again,) = simplify([found], phases=phases)
        assert again is found, f"{node!r}\n{found!r}\n{again!r}"
    old, new = evaluate([node, found], values)
    return old, new


SLOW = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


@SLOW
@given(floats())
def test_floats(case: tuple[Node, dict[Node, Any]]) -> None:
    old, new = check(*case)
    fair = np.isfinite(old) & (np.abs(old) < 1e8)
    np.testing.assert_allclose(new[fair], old[fair], rtol=1e-8, atol=1e-8)


@SLOW
@given(vectors())
def test_vectors(case: tuple[Node, dict[Node, Any]]) -> None:
    old, new = check(*case)
    fair = np.isfinite(old) & (np.abs(old) < 1e8)
    np.testing.assert_allclose(new[fair], old[fair], rtol=1e-8, atol=1e-8)


@SLOW
@given(integers())
def test_integers(case: tuple[Node, dict[Node, Any]]) -> None:
    old, new = check(*case)
    np.testing.assert_array_equal(new, old)
