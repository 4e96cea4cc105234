"""Forward products as users call them, and gradients of parts of a graph."""

from __future__ import annotations

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.errors import DisconnectedInputError, GraphcTypeError, GraphcValueError, ShapeError
from graphc.gradient import Rop, grad, jvp, subgraph_grad
from graphc.ir.node import Node
from harness import evaluate

x, y, v, w = T.dvectors("x y v w")
s = T.dscalar("s")
AT = {
    x: np.array([0.5, -1.0]),
    y: np.array([2.0, 3.0]),
    v: np.array([1.0, 10.0]),
    w: np.array([-1.0, 0.5]),
    s: np.array(4.0),
}


def at(node: Node) -> np.ndarray:
    return evaluate(node, AT)[0]


def test_forms_of_jvp() -> None:
    one = jvp(T.exp(x) * y, x, v)
    np.testing.assert_allclose(at(one), np.exp(AT[x]) * AT[y] * AT[v])
    assert jvp([T.exp(x) * y], x, v) == [one]
    assert jvp({"a": T.exp(x) * y}, [x], [v]) == {"a": one}
    both = jvp(x * y, [x, y], [v, w])
    np.testing.assert_allclose(at(both), AT[v] * AT[y] + AT[x] * AT[w])
    np.testing.assert_allclose(at(jvp(x * y, [x, y], [v, None])), AT[v] * AT[y])


def test_what_does_not_move_has_a_tangent_of_zero() -> None:
    np.testing.assert_array_equal(at(jvp(T.exp(y), x, v)), np.zeros(2))
    np.testing.assert_array_equal(at(jvp(x - x, x, v)), np.zeros(2))
    with pytest.raises(DisconnectedInputError, match="does not move with x"):
        Rop(T.exp(y), x, v)


def test_forward_over_reverse_is_a_product_with_the_hessian() -> None:
    g = grad(T.sum(x**3 * y), x)
    np.testing.assert_allclose(at(jvp(g, x, v)), 6 * AT[x] * AT[y] * AT[v])


def test_products_with_a_jacobian_and_its_transpose_agree() -> None:
    """u . (J v) is (u J) . v."""
    m = T.dmatrix("m")
    f = T.tanh(T.dot(m, x)) / (1 + T.sum(x**2))
    u = T.dvector("u")
    left, right = T.dot(u, jvp(f, x, v)), T.dot(graphc.gradient.Lop(f, x, u), v)
    rng = np.random.default_rng(0)
    one, other = graphc.function([m, x, u, v], [left, right])(
        rng.normal(size=(3, 2)), AT[x], rng.normal(size=3), AT[v]
    )
    np.testing.assert_allclose(one, other, 1e-13)


def test_tangents_have_the_shape_of_their_variables() -> None:
    with pytest.raises(ShapeError, match="another shape than x"):
        jvp(T.exp(x), x, T.dmatrix("p"))
    with pytest.raises(GraphcValueError, match="wrt has 2 entries"):
        jvp(x * y, [x, y], [v])
    with pytest.raises(GraphcTypeError, match="only floats"):
        jvp(x, T.lvector("i"), v)


# -- parts of a graph -----------------------------------------------------------------------------


def test_layer_by_layer_is_the_whole_gradient() -> None:
    hidden = T.tanh(w * x)
    cost = T.sum(T.sqr(hidden * y)) * s
    (by_y, by_s), (by_hidden,) = subgraph_grad([y, s], [hidden], cost=cost)
    (by_w,), (by_x,) = subgraph_grad([w], [x], start={hidden: by_hidden})
    for found, wrt in ((by_y, y), (by_s, s), (by_w, w), (by_x, x)):
        np.testing.assert_allclose(at(found), at(grad(cost, wrt)), 1e-14)


def test_gradients_stop_at_the_end() -> None:
    hidden = T.exp(x)
    (by_x,), (by_hidden,) = subgraph_grad([x], [hidden], cost=T.sum(hidden * 3 + x))
    np.testing.assert_allclose(at(by_x), [1.0, 1.0])
    np.testing.assert_allclose(at(by_hidden), [3.0, 3.0])
    (by_x,), _ = subgraph_grad([x], [hidden], cost=T.sum(hidden))
    np.testing.assert_array_equal(at(by_x), [0.0, 0.0])


def test_a_start_and_a_cost_add_up() -> None:
    hidden = T.exp(x)
    penalty = T.sum(x**2)
    found = subgraph_grad([x], [y], start={hidden * y: v}, cost=penalty, details=True)
    (by_x,), (by_y,), from_start, from_cost = found
    np.testing.assert_allclose(at(from_start[0]), AT[v] * np.exp(AT[x]) * AT[y])
    np.testing.assert_allclose(at(from_cost[0]), 2 * AT[x])
    np.testing.assert_allclose(at(by_x), at(from_start[0]) + at(from_cost[0]))
    np.testing.assert_allclose(at(by_y), AT[v] * np.exp(AT[x]))
    only = subgraph_grad([x], [], cost=penalty, details=True)
    assert only[1] == [] and only[2] is None and only[3] == only[0]


def test_subgraph_grad_needs_something_to_start_from() -> None:
    with pytest.raises(GraphcValueError, match="needs a cost or a start"):
        subgraph_grad([x], [y])
    with pytest.raises(GraphcTypeError, match="the cost is an array"):
        subgraph_grad([x], [y], cost=x * y)
