"""Functions of Python and NumPy as ops."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.errors import GraphcTypeError, GraphcValueError, ShapeError
from graphc.gradient import NullTypeGradError, grad, jvp, quick_grad_check, verify_grad
from graphc.ir.verify import verify
from harness import evaluate
from my_ops import double_and_sum, rounds, scale, sine, solve_rows

x, y = T.dvectors("x y")
m = T.dmatrix("m")
s = T.dscalar("s")
POINT = np.array([0.5, -2.0, 3.0])


def made(function: Any, **options: Any) -> Any:
    return graphc.custom_op(function, name="made", **options)


def value(node: Any, at: np.ndarray = POINT, backend: str = "numpy") -> Any:
    return graphc.function([x], node, on_unused_input="ignore", backend=backend)(at)


def test_the_value_is_that_of_the_function(backend: str) -> None:
    np.testing.assert_array_equal(value(sine(x), backend=backend), np.sin(POINT))
    np.testing.assert_array_equal(value(sine(x * 2) * 2, backend=backend), 2 * np.sin(2 * POINT))
    found = value(sine(sine(x)), backend=backend)
    np.testing.assert_array_equal(found, np.sin(np.sin(POINT)))
    f = graphc.function([m, x], solve_rows(m, x), backend=backend)
    np.testing.assert_array_equal(f(np.ones((2, 3)), POINT), [1.5, 1.5])


def test_scalars(backend: str) -> None:
    assert float(sine(0.5).eval()) == np.sin(0.5)
    found = value([sine(T.sum(x)), sine(T.sum(x)) * x], backend=backend)
    assert float(found[0]) == np.sin(1.5)
    np.testing.assert_allclose(found[1], np.sin(1.5) * POINT, 1e-15)


def test_in_loops_and_branches(backend: str) -> None:
    states, _ = graphc.scan(lambda row: sine(row) * 2, sequences=[x])
    np.testing.assert_allclose(value(states, backend=backend), 2 * np.sin(POINT), 1e-15)
    chosen = graphc.ifelse(T.sum(x) > 100, made(_fails)(x), x)
    np.testing.assert_array_equal(value(chosen, backend=backend), POINT)


def _fails(a: np.ndarray) -> np.ndarray:
    raise LookupError("of mine")


def test_what_it_reads_and_where_it_runs(backend: str) -> None:
    text = graphc.function([x], sine(x), backend=backend).explain()
    assert "sine(x)" in text


def test_types_and_sizes() -> None:
    assert sine(m).type is m.type and sine(T.lscalar("i")).type.dtype == graphc.config.floatX
    assert scale(m, s).type is m.type
    column = T.TensorType("float32", (4, 1))("c")
    assert scale(T.frow("r"), column).type == T.TensorType("float32", (4, None))
    assert solve_rows(m, x).type is x.type
    node = scale(x, 2.0)
    assert evaluate(node.shape, {x: POINT})[0].tolist() == [3]
    verify([node, sine(m)])


def test_gradients() -> None:
    verify_grad(sine, [POINT])
    verify_grad(scale, [POINT, np.array(3.0)])
    assert quick_grad_check(lambda a: T.exp(sine(a) * a), POINT)
    second = grad(T.sum(grad(T.sum(sine(x) ** 2), x) * y), x)
    f = graphc.function([x, y], second)
    np.testing.assert_allclose(f(POINT, np.ones(3)), 2 * np.cos(2 * POINT))
    v = T.dvector("v")
    moved = graphc.function([x, v], jvp(sine(x), x, v))(POINT, np.ones(3))
    np.testing.assert_allclose(moved, np.cos(POINT))
    np.testing.assert_allclose(value(T.jacobian(sine(x), x)), np.diag(np.cos(POINT)))


def test_without_a_gradient() -> None:
    with pytest.raises(NullTypeGradError, match="solve_rows has no gradient: give it one"):
        grad(T.sum(solve_rows(m, x)), x)


def test_it_is_printed_by_its_name() -> None:
    assert repr(sine(x)) == "sine(x)"
    f = graphc.function([x], sine(x))
    assert "call_sine_0(" in f.source
    assert repr(sine) == "<op sine>" and sine.__doc__ == "Return the sine."
    assert value(graphc.custom_op(lambda a: a + 1, name="a-b c")(x))[0] == 1.5


def test_it_is_pickled_by_its_name() -> None:
    node = sine(x) * 2
    again, leaf = pickle.loads(pickle.dumps([node, x]))
    assert again is node and leaf is x
    assert pickle.loads(pickle.dumps(sine)) is sine

    @graphc.custom_op
    def local(a: np.ndarray) -> np.ndarray:
        return a

    with pytest.raises((pickle.PicklingError, AttributeError), match="local"):
        pickle.dumps(local(x))


def test_applications_are_interned() -> None:
    assert sine(x) is sine(x)
    assert sine(x) is not graphc.custom_op(np.sin)(x)


def test_arguments_are_read_only() -> None:
    @graphc.custom_op
    def spoil(a: np.ndarray) -> np.ndarray:
        a[0] = 7.0
        return a

    with pytest.raises(ValueError, match="read-only"):
        value(spoil(x))


def test_sizes_that_the_function_says(backend: str) -> None:
    node = rounds(x)
    verify([node])
    assert evaluate(node, {x: POINT})[0].tolist() == [0, 3]
    assert evaluate(node.shape, {x: POINT})[0].tolist() == [2]
    found = value([node * 2, node.shape, T.sum(node)], backend=backend)
    assert [part.tolist() for part in found] == [[0, 6], [2], 3]


def test_several_results_compiled(backend: str) -> None:
    twice, total = double_and_sum(x)
    g = grad(T.sum(twice * 3) + total, x)
    found = value([twice, total, g, total * 2], backend=backend)
    np.testing.assert_array_equal(found[0], 2 * POINT)
    assert (float(found[1]), float(found[3])) == (1.5, 3.0)
    np.testing.assert_array_equal(found[2], np.full(3, 7.0))
    assert float(value(double_and_sum(x)[1], backend=backend)) == 1.5


def test_several_results() -> None:
    twice, total = double_and_sum(x)
    assert twice.type is x.type and total.type.ndim == 0
    found = evaluate([twice, total], {x: POINT})
    np.testing.assert_array_equal(found[0], 2 * POINT)
    assert float(found[1]) == 1.5
    g = grad(T.sum(twice * 3) + total, x)
    np.testing.assert_array_equal(evaluate(g, {x: POINT})[0], np.full(3, 7.0))
    only = grad(total, x)
    np.testing.assert_array_equal(evaluate(only, {x: POINT})[0], np.ones(3))


def test_results_that_are_not_as_declared() -> None:
    with pytest.raises(GraphcTypeError, match="the result of made is float64, and int64 was"):
        value(made(np.sin, out=T.lvector, shape=lambda a: a)(x))
    with pytest.raises(
        ShapeError, match=r"the result of made has the shape \(\), and float64\[\?\]"
    ):
        value(made(np.sum)(x))
    with pytest.raises(
        ShapeError, match=r"result 0 of made has the shape \(2,\), and by its sizes"
    ):
        value(made(lambda a: a[1:])(x))
    with pytest.raises(GraphcValueError, match="made returned 2 results, 1 were declared"):
        value(made(lambda a: (a, a))(x))


def test_wrong_declarations_and_arguments() -> None:
    with pytest.raises(GraphcTypeError, match="3 is not a type such as"):
        made(np.sin, out=3)
    with pytest.raises(GraphcTypeError, match="custom_op: 3 is not a function"):
        graphc.custom_op(3)
    with pytest.raises(GraphcTypeError, match="'vector' is not a type such as"):
        graphc.as_op(itypes="vector", otypes=[T.dvector])
    with pytest.raises(GraphcTypeError, match="argument 1 is float64, and float64"):
        solve_rows(m, s)
    with pytest.raises(GraphcValueError, match="solve_rows takes 2 arguments, got 1"):
        solve_rows(m)
    three, four = (T.TensorType("float64", (n,))("v") for n in (3, 4))
    with pytest.raises(GraphcValueError, match="cannot be broadcast together"):
        scale(three, four)
    with pytest.raises(GraphcValueError, match="has 1 arguments, and its gradient rule returns 2"):
        grad(T.sum(made(np.sin, vjp=lambda g, out, a: [g, g])(x)), x)


def test_an_error_in_the_function_names_the_line_it_is_applied_on() -> None:
    node = made(_fails)(x)
    with pytest.raises(graphc.GraphcError, match="made: of mine") as caught:
        value(node)
    assert isinstance(caught.value.__cause__, LookupError)
    assert "node = made(_fails)(x)" in str(caught.value)
