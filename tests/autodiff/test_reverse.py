"""The reverse pass: the chain rule, broadcasting, dtypes, sums, and what has no gradient."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc.tensor as T
from autodiff.slopes import arrays, as_written, assert_gradients, assert_slopes
from graphc.autodiff import gradients
from graphc.ir.node import Node, const
from graphc.ir.op import OPS, Undefined
from graphc.ir.types import TensorType
from graphc.ir.walk import toposort
from graphc.ops.movement import expand, fill
from graphc.ops.parts import element, put
from harness import evaluate

x, y = T.dvectors("x", "y")
s, t = T.dscalars("s", "t")
m, k = T.dmatrices("m", "k")
c = T.tensor3("c", dtype="float64")
RNG = np.random.default_rng(5)
ONE = const(1.0)


def values(*shape: int) -> np.ndarray:
    return RNG.uniform(0.5, 1.5, shape)


def lattice(offset: float, shape: tuple[int, ...]) -> np.ndarray:
    """Return numbers that are never near those of another offset: comparisons stay clear."""
    return np.round(values(*shape), 1) + offset


# -- programs -------------------------------------------------------------------------------------

HIDDEN = T.tanh(T.dot(m, k) + x)
PROGRAMS: dict[str, Node] = {
    "composition": T.sum(T.exp(T.sin(x * y) / (1 + x**2))),
    "two layers": T.sum(T.sqr(T.dot(HIDDEN, k.T) - m)),
    "softmax": -T.mean(T.log(T.nnet.softmax(T.dot(m, k) + x))[:, 0]),
    "a shared root": T.sum(T.exp(x) * T.exp(x) + T.exp(x) / (1 + T.exp(x))),
    "a product of sums": T.sum(x) * T.sum(y) * T.sum(x * y) * s,
    "normalised": T.sum(T.sqr((m - m.mean(axis=0)) / (m.std(axis=0) + 0.1)) * y),
    "a scalar everywhere": T.sum((m * s + x) ** 2) + s,
    "views": T.sum(m.T[1:, ::-1].flatten()[:4] ** 3) + T.sum(c.dimshuffle(2, 0, "x", 1) ** 2 * s),
    "joined": T.sum(T.sqr(T.concatenate([x, x * y, y[:2]])) * T.arange(8)),
    "stacked": T.sum(T.stack([x, y, x * y]) ** 2 * m[:, 0].dimshuffle(0, "x")),
    "extremes": T.max(m) * T.min(x) + T.sum(T.maximum(m, m.T) * T.minimum(x, 1.01)),
    "reduced and put back": T.sum(c / c.sum(axis=(0, 2), keepdims=True) * c.prod(axis=1).sum()),
    "reshaped": T.sum(T.sqr(c.reshape((m.shape[0], -1))).sum(axis=1) * x),
    "filled": T.sum(T.fill(m, s * 2) * m) + T.sum(T.fill(x, t) ** 2),
    "elements": x[0] * x[1] ** 2 + m[1, 2] * x[-1],
    "quadratic form": T.dot(x, T.dot(m, y)) + T.dot(T.dot(x, m), T.dot(m, y)),
    "sum over nothing": T.sum(x[:0]) + T.sum(x),
}
GIVEN = {x: values(3), y: values(3), s: values(), t: values(), m: values(3, 3), k: values(3, 3)}
GIVEN[c] = values(2, 3, 2)


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name: str) -> None:
    assert_slopes(PROGRAMS[name], GIVEN)


@pytest.mark.parametrize("name", PROGRAMS)
def test_second_derivatives_of_programs(name: str) -> None:
    wrt = [x, m, s]
    slopes = as_written(PROGRAMS[name], wrt)
    cost = T.sum(slopes[0] * y) + T.sum(T.sin(slopes[1])) + slopes[2] ** 2
    assert_slopes(cost, GIVEN, 1e-6)


# -- broadcasting ---------------------------------------------------------------------------------

SHAPES: list[tuple[tuple[int | None, ...], tuple[int, ...]]] = [
    ((), ()),
    ((1,), (1,)),
    ((None,), (3,)),
    ((3,), (3,)),
    ((1, 1), (1, 1)),
    ((1, None), (1, 3)),
    ((None, 1), (2, 1)),
    ((None, None), (2, 3)),
    ((2, None), (2, 3)),
    ((1, 2, 1), (1, 2, 1)),
]
BINARY: dict[str, Any] = {
    "add": lambda a, b: a + b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "switch": lambda a, b: T.switch(a > b, a * b, b),
    "maximum": T.maximum,
}


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("uniform", [True, False])
def test_broadcasting(name: str, uniform: bool) -> None:
    """Every pair of shapes, with a gradient that is one number or an array."""
    for (left, own), (right, other) in itertools.product(SHAPES, SHAPES):
        a, b = TensorType("float64", left)("a"), TensorType("float64", right)("b")
        result = BINARY[name](a, b)
        cost = T.sum(result if uniform else T.sqr(result))
        assert_slopes(cost, {a: lattice(0, own), b: lattice(0.05, other)})


@pytest.mark.parametrize("uniform", [True, False])
def test_broadcasting_of_three(uniform: bool) -> None:
    for shapes in itertools.product(SHAPES[1:8:2], SHAPES[::2], SHAPES[::3]):
        a, b, d = (TensorType("float64", known)("v") for known, _ in shapes)
        given = {
            v: lattice(offset, own)
            for v, offset, (_, own) in zip((a, b, d), (0, 0.05, 0.02), shapes, strict=True)
        }
        result = T.switch(a > b, b * d, a - d) + T.clip(d, a - 1.07, b + 0.53)
        assert_slopes(T.sum(result if uniform else T.sqr(result)), given)


def test_broadcasting_by_expand_and_fill() -> None:
    for known, own in SHAPES:
        a = TensorType("float64", known)("a")
        given = {a: values(*own), m: values(2, 3)}
        if own in ((), (1, 1), (1, 3), (2, 1), (2, 3)):
            wide = expand(a, (m.shape[0], m.shape[1]))
            assert_slopes(T.sum(wide), given)
            assert_slopes(T.sum(T.sqr(wide)), given)
        if own in ((), (1,), (3,), (1, 3), (2, 1)):
            assert_slopes(T.sum(fill(m, a)), given)
            assert_slopes(T.sum(T.sqr(fill(m, a))), given)


MOVEMENTS: dict[str, Any] = {
    "sum": lambda v: v.sum(axis=1),
    "sum of all": lambda v: v.sum(),
    "prod": lambda v: v.prod(axis=1),
    "max": lambda v: v.max(axis=0),
    "softmax": lambda v: T.nnet.softmax(v) * v,
    "logsumexp": lambda v: OPS["logsumexp"].expand(v, axes=(1,)),
    "transposed": lambda v: v.T,
    "new axis": lambda v: v.dimshuffle(1, "x", 0),
    "reshaped": lambda v: v.reshape((-1,)),
    "sliced": lambda v: v[1:, ::-2],
    "put": lambda v: put(v, v[:1, :1] * 2, (0, 1), (1, 1), (1, 1)),
    "joined": lambda v: T.concatenate([v, v * 2, v], axis=1),
    "dot": lambda v: T.dot(v, v.T),
    "element": lambda v: element(v[0], 1),
    "vector": lambda v: T.stack([v[0, 0], v[1, 2]]),
}


@pytest.mark.parametrize("first", MOVEMENTS)
def test_small_gradients_through_movements(first: str) -> None:
    """A gradient that is the same everywhere, or along an axis, is not written out early."""
    moved = MOVEMENTS[first](m)
    assert_slopes(T.sum(moved), {m: values(2, 3)})
    along = tuple(range(1, moved.ndim)) or None
    assert_slopes(T.sum(T.sqr(moved.sum(axis=along))), {m: values(2, 3)})
    if moved.ndim == 2 and first != "dot":
        for second in ("sum", "prod", "max", "softmax", "transposed", "reshaped", "joined"):
            assert_slopes(T.sum(MOVEMENTS[second](moved)), {m: values(3, 3)})


def test_the_gradient_of_a_sum_is_one_number_until_it_is_asked_for() -> None:
    (g,) = as_written(T.sum(m.T.reshape((-1,)) + s), [m])
    assert g is expand(ONE, (m.shape[0], m.shape[1]))
    (g,) = as_written(T.sum(m + s), [s])
    assert [node.op.name for node in toposort([g])].count("sum") == 0


# -- dtypes ---------------------------------------------------------------------------------------


def test_each_gradient_has_the_dtype_of_its_variable() -> None:
    a, i = T.fvector("a"), T.lvector("i")
    given = {a: [1.0, 2.0], x: [3.0, 4.0], i: [2, 3]}
    assert_gradients(T.sum(a * x * i * a), given, {a: [12.0, 48.0], x: [2.0, 12.0]})
    assert_gradients(T.sum(a * i * x * 2), given, {a: [12.0, 24.0], x: [4.0, 12.0]})
    assert_gradients(T.sum(T.cast(a * i, "float32") * 2 * x), given, {a: [12.0, 24.0], x: [4, 12]})


def test_half_precision_counts_beyond_its_range() -> None:
    h = T.TensorType("float16", ())("h")
    cost = T.sum((T.cast(x, "float16") * 0 + h) / np.float16(1000))
    (g,) = as_written(cost, [h])
    (value,) = evaluate(g, {x: np.zeros(70000), h: np.float16(1)})
    assert value.dtype == "float16"
    assert value == pytest.approx(70, rel=1e-2)


def test_integers_pass_nothing() -> None:
    i = T.lvector("i")
    cost = T.sum(x * T.cast(T.cast(x, "int64"), "float64")) + T.sum(i * x)
    assert_gradients(cost, {x: [2.5, 3.5], i: [1, 2]}, {x: [3.0, 5.0]})
    assert gradients([T.sum(i) * 1.0], [ONE], [i, x]) == [None, None]
    assert gradients([T.sum(i)], [const(1)], [i]) == [None]


def test_steps_give_zeros_that_meet_no_infinity() -> None:
    cost = T.sum(T.sgn(1 / x)) + T.sum((1 / x) // 2)
    assert_gradients(cost, {x: [0.0, 2.0]}, {x: [0.0, 0.0]})


# -- several outputs, constants, and what is not defined ------------------------------------------


def test_outputs_add_up() -> None:
    found = gradients([x**2, T.sum(x), x**2], [y, const(3.0), const(1.0)], [x])
    np.testing.assert_allclose(
        evaluate(found, arrays({x: [1, 2], y: [5, 7]})),
        [[2 * 5 + 3 + 2, 4 * 7 + 3 + 4]],  # type: ignore[arg-type]
    )


def test_an_output_may_use_another() -> None:
    inner = T.exp(x)
    found = gradients([T.sum(inner * y), inner], [ONE, x], [inner, x, y])
    at = arrays({x: [0, 1], y: [5, 7]})
    e = np.exp([0, 1])
    expected = [[5 + 0, 7 + 1], [5, 8 * e[1]], e]
    np.testing.assert_allclose(evaluate(found, at), expected)  # type: ignore[arg-type]


def test_a_fixed_output_takes_no_other_gradient() -> None:
    inner = T.exp(x)
    found = gradients([T.sum(inner * y), inner], [ONE, y], [inner, x, y], fixed=[inner])
    at = arrays({x: [0, 1], y: [5, 7]})
    e = np.exp([0, 1])
    np.testing.assert_allclose(evaluate(found, at), [[5, 7], [5, 7 * e[1]], e])  # type: ignore[arg-type]


def test_nothing_passes_a_constant() -> None:
    inner = T.exp(x)
    assert gradients([T.sum(inner)], [ONE], [x], constant=[inner]) == [None]
    (g,) = gradients([T.sum(inner * x)], [ONE], [x], constant=[inner])
    np.testing.assert_allclose(evaluate(g, arrays({x: [0, 1]}))[0], [1, np.e])  # type: ignore[arg-type]
    assert gradients([T.sum(inner)], [ONE], [inner], constant=[inner]) == [None]


@pytest.fixture
def broken() -> Iterator[None]:
    """Let sin have no gradient, and cos one that is not defined."""
    rows: dict[str, Any] = {
        "sin": None,
        "cos": lambda g, out, a: [Undefined("cos is not smooth today")],
    }
    old = {name: OPS[name].vjp for name in rows}
    for name, vjp in rows.items():
        object.__setattr__(OPS[name], "vjp", vjp)
    yield
    for name, vjp in old.items():
        object.__setattr__(OPS[name], "vjp", vjp)


def test_what_does_not_depend_is_not_visited(broken: None) -> None:
    (g,) = gradients([T.sum(T.sin(x) * T.cos(x) * s)], [ONE], [s])
    assert isinstance(g, Node)
    assert T.sin(x) in toposort([g])


def test_undefined_gradients_say_why(broken: None) -> None:
    cost = T.sum(T.cos(T.exp(x)) + y)
    assert gradients([cost], [ONE], [x, y])[0] == Undefined("cos is not smooth today")
    assert gradients([cost + T.sum(x)], [ONE], [x])[0] == Undefined("cos is not smooth today")
    assert gradients([T.sum(T.sin(x))], [ONE], [x]) == [Undefined("sin has no gradient")]
    assert isinstance(gradients([cost], [ONE], [y])[0], Node)


# -- order ----------------------------------------------------------------------------------------


def test_the_same_program_gives_the_same_gradient() -> None:
    cost = PROGRAMS["two layers"] + PROGRAMS["normalised"]
    first = as_written(cost, [x, m, k])
    again = as_written(cost, [x, m, k])
    assert all(a is b for a, b in zip(first, again, strict=True))


def test_sums_are_as_flat_as_can_be() -> None:
    cost = T.sum(T.add(*[T.sin(x * float(i)) for i in range(64)]))
    (g,) = as_written(cost, [x])
    depth: dict[Node, int] = {}
    for node in toposort([g]):
        depth[node] = 1 + max([depth[child] for child in node.inputs], default=0)
    assert depth[g] < 20
