"""Identities that change gradients, functions with gradients of their own, graphs as ops."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc import gradient
from graphc.errors import (
    DisconnectedInputError,
    GraphcTypeError,
    GraphcValueError,
    NotSupportedError,
    ShapeError,
)
from graphc.gradient import NullTypeGradError, grad, jvp, quick_grad_check, verify_grad
from graphc.ir.node import Node
from graphc.ir.walk import toposort

x, y = T.dvectors("x y")
s = T.dscalar("s")
POINT = np.array([0.5, -2.0, 3.0])


def value(node: Any, at: np.ndarray = POINT, **options: Any) -> Any:
    return graphc.function([x], node, on_unused_input="ignore", **options)(at)


# -- identities -----------------------------------------------------------------------------------

IDENTITIES = [
    gradient.zero_grad,
    gradient.consider_constant,
    gradient.disconnected_grad,
    gradient.undefined_grad,
    lambda node: gradient.grad_clip(node, -1, 1),
    lambda node: gradient.grad_scale(node, 7.0),
]


@pytest.mark.parametrize("identity", IDENTITIES)
def test_the_value_is_that_of_the_operand(identity: Any, backend: str) -> None:
    np.testing.assert_array_equal(value(identity(x) * 2, backend=backend), POINT * 2)
    np.testing.assert_array_equal(value(identity(x), backend=backend), POINT)


def test_a_gradient_of_zero() -> None:
    for identity in (gradient.zero_grad, gradient.consider_constant):
        np.testing.assert_array_equal(value(grad(T.sum(x * identity(T.exp(x))), x)), np.exp(POINT))
        np.testing.assert_array_equal(value(grad(T.sum(identity(x)), x)), np.zeros(3))


def test_no_gradient_at_all() -> None:
    cut = gradient.disconnected_grad(T.exp(x))
    np.testing.assert_array_equal(value(grad(T.sum(x * cut), x)), np.exp(POINT))
    with pytest.raises(DisconnectedInputError, match="disconnected_grad lets no gradient through"):
        grad(T.sum(cut), x)


def test_an_undefined_gradient() -> None:
    cost = T.sum(gradient.undefined_grad(x) * y)
    with pytest.raises(NullTypeGradError, match="undefined_grad stands in the way"):
        grad(cost, x)
    assert isinstance(grad(cost, x, null_gradients="return"), gradient.Undefined)
    assert grad(cost, y).type == y.type


@pytest.mark.parametrize("bounds", [(-1, 2), (T.constant(-1.0), T.constant(2.0))])
def test_clipped(bounds: tuple[Any, Any], backend: str) -> None:
    g = grad(T.sum(gradient.grad_clip(x, *bounds) ** 2), x)
    np.testing.assert_array_equal(value(g, backend=backend), np.clip(2 * POINT, -1, 2))


def test_scaled() -> None:
    g = grad(T.sum(gradient.grad_scale(x, -0.5) ** 3), x)
    np.testing.assert_allclose(value(g), -1.5 * POINT**2)
    v = T.dvector("v")
    moved = jvp(gradient.grad_scale(x, 3.0) * 2, x, v)
    np.testing.assert_array_equal(
        graphc.function([x, v], moved, on_unused_input="ignore")(POINT, POINT), 6 * POINT
    )


def test_bounds_are_numbers() -> None:
    with pytest.raises(GraphcTypeError, match="takes numbers besides its first operand"):
        gradient.grad_clip(x, y, 1)


def test_nothing_stands_between_two_ops_that_a_rule_wants_together() -> None:
    """log(softmax) is rewritten although an identity is in the middle of it."""
    node = T.log(gradient.zero_grad(T.nnet.softmax(x)))
    found = value(node, np.array([0.0, 1000.0, -1000.0]))
    np.testing.assert_allclose(found, [[-1000.0, 0.0, -2000.0]])


def test_what_a_gradient_rule_may_say() -> None:
    one = gradient.grad_undefined("op", 1, x, "steps")
    assert one.why == "op has no gradient by input 1, x: steps"
    two = gradient.grad_not_implemented("op", 0, x)
    assert two.why == "the gradient of op by input 0, x, is not implemented"


# -- functions ------------------------------------------------------------------------------------


@gradient.custom_grad(lambda g, out, a: g * T.nnet.sigmoid(a))
def log1pexp(a: Node) -> Node:
    """Return log(1 + exp(a))."""
    return T.log(1 + T.exp(a))  # type: ignore[no-any-return]


def test_the_function_and_its_gradient() -> None:
    np.testing.assert_allclose(value(log1pexp(x)), np.log1p(np.exp(POINT)))
    found = value(grad(T.sum(log1pexp(x)), x), np.array([-1000.0, 0.0, 1000.0]))
    np.testing.assert_array_equal(found, [0.0, 0.5, 1.0])
    verify_grad(log1pexp, [POINT])
    assert repr(log1pexp(x)) == "log1pexp(x)"
    assert log1pexp.__doc__ == "Return log(1 + exp(a))." and "log1pexp" in repr(log1pexp)


def test_the_gradient_is_the_one_given_and_not_the_true_one(backend: str) -> None:
    @gradient.custom_grad(lambda g, out, a: g * 10, name="tenfold")
    def straight_through(a: Node) -> Node:
        return T.cast(a > 0, "float64")

    np.testing.assert_array_equal(value(straight_through(x), backend=backend), POINT > 0)
    g = grad(T.sum(straight_through(x)), x)
    np.testing.assert_array_equal(value(g, backend=backend), np.full(3, 10.0))


@gradient.custom_grad(lambda g, out, a: g * 42.0)
def lie(a: Node) -> Node:
    return T.sin(a)  # type: ignore[no-any-return]


def test_of_numbers_and_arrays() -> None:
    np.testing.assert_allclose(log1pexp(0.0).eval(), np.log(2.0))
    np.testing.assert_allclose(log1pexp(np.zeros(2)).eval(), np.full(2, np.log(2.0)))
    assert log1pexp(T.fmatrix("m")).type.dtype == "float32"


def test_several_arguments_and_results() -> None:
    def rule(g: list[Node], out: list[Node], a: Node, b: Node) -> list[Node]:
        return [g[0] * b + g[1], g[0] * a - g[1] * 2 + 0 * out[0]]

    @gradient.custom_grad(rule)
    def both(a: Node, b: Node) -> tuple[Node, Node]:
        return a * b, a - 2 * b

    first, second = both(x, x**2)
    assert isinstance(both(x, y), tuple)
    cost = T.sum(first * 3 + T.exp(second))
    np.testing.assert_allclose(
        value(grad(cost, x)),
        value(grad(T.sum(x * x**2 * 3 + T.exp(x - 2 * x**2)), x)),
    )
    # a result that nothing uses has a gradient of zero
    np.testing.assert_allclose(value(grad(T.sum(both(x, x)[1]), x)), -np.ones(3))


@pytest.mark.parametrize("order", [1, 2])
def test_nested_and_differentiated_again(order: int) -> None:
    @gradient.custom_grad(lambda g, out, a: g * log1pexp(a) * T.nnet.sigmoid(a) * 2)
    def outer(a: Node) -> Node:
        return log1pexp(a) ** 2

    def fun(a: Node) -> Node:
        cost = T.sum(outer(T.sin(a)))
        return cost if order == 1 else grad(cost, a)

    verify_grad(fun, [POINT])
    assert quick_grad_check(fun, POINT)


def test_jacobians_and_forward_products_go_through() -> None:
    found = value(T.jacobian(log1pexp(x) * 2, x))
    np.testing.assert_allclose(found, np.diag(2 / (1 + np.exp(-POINT))))
    v = T.dvector("v")
    f = graphc.function([x, v], jvp(lie(x), x, v), on_unused_input="ignore")
    np.testing.assert_allclose(f(POINT, np.ones(3)), np.full(3, 42.0))


def test_shared_variables_inside() -> None:
    w = graphc.shared(np.array([1.0, 2.0, 3.0]), "w")

    @gradient.custom_grad(lambda g, out, a: g * w * 100)
    def scaled(a: Node) -> Node:
        return a * w

    np.testing.assert_array_equal(value(scaled(x)), POINT * [1, 2, 3])
    np.testing.assert_array_equal(value(grad(T.sum(scaled(x)), x)), [100.0, 200.0, 300.0])
    with pytest.raises(NullTypeGradError, match="scaled has no gradient by what is not among its"):
        grad(T.sum(scaled(x)), w)


def test_an_argument_without_a_gradient() -> None:
    rule = lambda g, out, a, n: [g * n, None]  # noqa: E731
    power = gradient.custom_grad(rule, name="power")(lambda a, n: a * n)
    n = T.lscalar("n")
    f = graphc.function([x, n], grad(T.sum(power(x, n)), x), on_unused_input="ignore")
    np.testing.assert_array_equal(f(POINT, 3), np.full(3, 3.0))
    undefined = gradient.custom_grad(lambda g, out, a: gradient.grad_undefined("it", 0, a, "no"))
    with pytest.raises(NullTypeGradError, match="it has no gradient by input 0"):
        grad(T.sum(undefined(T.exp)(x)), x)


def test_sizes_inside_are_checked() -> None:
    @gradient.custom_grad(lambda g, out, a, b: [g, g])
    def total(a: Node, b: Node) -> Node:
        return a + b

    f = graphc.function([x, y], total(x, y))
    with pytest.raises(ShapeError):
        f([1.0, 2.0], [1.0, 2.0, 3.0])


def test_gradients_that_do_not_fit() -> None:
    def made(rule: Any) -> Any:
        return gradient.custom_grad(rule, name="made")(T.exp)

    with pytest.raises(GraphcValueError, match="made has 1 arguments, and its gradient rule"):
        made(lambda g, out, a: [g, g])(x)
    with pytest.raises(GraphcTypeError, match="gradient by argument 0 does not have its shape"):
        made(lambda g, out, a: T.outer(g, g))(x)
    with pytest.raises(GraphcTypeError, match="or is no float"):
        made(lambda g, out, a: g > 0)(x)
    with pytest.raises(GraphcTypeError, match="the gradient rule is a function, not 3"):
        gradient.custom_grad(3)(T.exp)
    with pytest.raises(GraphcTypeError, match="what is decorated is a function, not 3"):
        gradient.custom_grad(lambda g, out, a: g)(3)
    with pytest.raises(GraphcValueError, match="nothing returns nothing"):
        gradient.custom_grad(lambda g, out, a: g, name="nothing")(lambda a: [])(x)
    f = graphc.function([x, y], grad(T.sum(made(lambda g, out, a: y)(x)), x))
    with pytest.raises(ShapeError):
        f([1.0, 2.0], [1.0, 2.0, 3.0])


def test_a_node_is_pickled_with_its_gradient() -> None:
    node = log1pexp(x) * 2
    again, leaf = pickle.loads(pickle.dumps([node, x]))
    assert again is node and leaf is x


def test_two_applications_are_one() -> None:
    assert log1pexp(x) is log1pexp(x)


def test_nothing_of_it_is_left_in_a_program() -> None:
    f = graphc.function([x], log1pexp(x))
    assert "log1pexp" not in f.source
    assert "custom" in {node.op.name for node in toposort([log1pexp(x)])}


# -- graphs as ops --------------------------------------------------------------------------------

a, b, c = T.dscalars("a b c")


def slopes(op: Any) -> list[float]:
    found = op(a * 1.0, b * 1.0)
    found = found if isinstance(found, list) else [found]
    g = grad(T.add(*found) if len(found) > 1 else found[0], [a, b])
    return [float(v) for v in graphc.function([a, b], g, on_unused_input="ignore")(2.0, 3.0)]


def test_a_graph_without_overrides_is_the_graph() -> None:
    op = graphc.OpFromGraph([a, b], [a * b])
    assert op(b, c) is b * c
    assert slopes(op) == [3.0, 2.0]


OVERRIDES: list[tuple[dict[str, Any], list[float]]] = [
    ({"grad_overrides": lambda inputs, g: [g[0] * 10, g[0] * inputs[0] * 100]}, [10.0, 200.0]),
    ({"grad_overrides": [lambda inputs, g: g[0] * 5, "default"]}, [5.0, 2.0]),
    ({"grad_overrides": ["default", None]}, [3.0, 0.0]),
    ({"grad_overrides": [T.constant(7.0), "default"]}, [7.0, 2.0]),
    ({"lop_overrides": lambda inputs, outputs, g: [g[0] * outputs[0], g[0]]}, [6.0, 1.0]),
    ({"lop_overrides": ["default", lambda inputs, outputs, g: outputs[0] * 2]}, [3.0, 12.0]),
]


@pytest.mark.parametrize(("options", "expected"), OVERRIDES)
def test_overrides(options: dict[str, Any], expected: list[float]) -> None:
    assert slopes(graphc.OpFromGraph([a, b], [a * b], **options)) == expected


def test_overrides_of_several_outputs() -> None:
    op = graphc.OpFromGraph(
        [a, b], [a * b, a + b], grad_overrides=["default", lambda inputs, g: g[0] * 100 + g[1]]
    )
    assert slopes(op) == [4.0, 101.0]


def test_shared_variables_of_a_graph() -> None:
    w = graphc.shared(4.0, "w")
    op = graphc.OpFromGraph([a, b], [a * w + b], grad_overrides=["default", "default"])
    assert slopes(op) == [4.0, 1.0]


def test_wrong_graphs_and_arguments() -> None:
    op = graphc.OpFromGraph([a, b], [a * b], name="product")
    with pytest.raises(GraphcValueError, match="product takes 2 inputs, got 1"):
        op(a)
    with pytest.raises(GraphcTypeError, match="an argument is not of the type of its input"):
        op(a, x)
    with pytest.raises(GraphcTypeError, match="is not an input"):
        graphc.OpFromGraph([a + b], [a * b])
    with pytest.raises(GraphcValueError, match="not both"):
        graphc.OpFromGraph([a], [a], grad_overrides=[None], lop_overrides=[None])
    with pytest.raises(NotSupportedError, match="rop_overrides"):
        graphc.OpFromGraph([a], [a], rop_overrides=[None])
