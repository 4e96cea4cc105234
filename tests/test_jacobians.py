"""Jacobians, Hessians and products with them, against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.errors import DisconnectedInputError, GraphcTypeError, GraphcValueError
from graphc.gradient import grad, hessian, hessian_vector_product, jacobian
from graphc.ir.node import Node
from graphc.ir.walk import toposort
from harness import evaluate, numeric_gradients

x, y = T.dvectors("x y")
a, m = T.dmatrices("a m")
s = T.dscalar("s")

RNG = np.random.default_rng(3)
AT = {
    x: RNG.normal(size=3),
    y: RNG.normal(size=3),
    a: RNG.normal(size=(4, 3)),
    m: RNG.normal(size=(3, 2)),
    s: np.array(0.7),
}


def numeric_jacobian(node: Node, by: Node) -> np.ndarray:
    """Return the Jacobian by differences of each element of the compiled expression."""
    inputs = list(AT)
    f = graphc.function(inputs, node, on_unused_input="ignore")
    shape = f(*AT.values()).shape
    place = inputs.index(by)
    rows = []
    for i in range(int(np.prod(shape))):

        def cost(values: Sequence[np.ndarray], i: int = i) -> float:
            return float(f(*values).reshape(-1)[i])

        rows += numeric_gradients(cost, list(AT.values()), [place])
    return np.array(rows).reshape((*shape, *AT[by].shape))


def value(node: Node, backend: str = "numpy") -> np.ndarray:
    f = graphc.function(list(AT), node, backend=backend, on_unused_input="ignore")
    return f(*AT.values())  # type: ignore[no-any-return]


EXPRESSIONS: list[tuple[str, Node, Node]] = [
    ("elementwise", T.exp(x) * y, x),
    ("product", T.dot(a, T.tanh(x)), x),
    ("by the matrix", T.tanh(T.dot(a, x)), a),
    ("matrices", T.dot(T.sin(a), m), a),
    ("matrices, right", T.dot(a, T.sin(m)), m),
    ("square of a matrix", T.dot(a, T.dot(a.T, a)), a),
    ("outer", T.outer(x, x), x),
    ("softmax", T.nnet.softmax(a * x), a),
    ("log of softmax", T.log(T.nnet.softmax(T.dot(a, m))), m),
    ("largest", T.max(a, axis=1) * s, a),
    ("product of all", T.prod(a, axis=0), a),
    ("views", T.concatenate([a[::-1, 1:], m * 2]), a),
    ("put", T.set_subtensor(a[1:3, 0], T.sqr(x[:2])), x),
    ("scalars", T.stack([s, s**2, T.sum(x) * s]), s),
    ("of a scalar", T.sum(T.exp(x) * s), x),
    ("a scalar by a scalar", T.exp(s), s),
    ("chosen", T.switch(x > 0, x**2, T.sin(x)), x),
    ("mean", T.mean(a, axis=0) - T.var(a, axis=1)[:3], a),
    ("reshaped", a.reshape((2, 6)) ** 2, a),
]  # fmt: skip


@pytest.mark.parametrize("method", ["reverse", "forward"])
@pytest.mark.parametrize(("label", "node", "by"), EXPRESSIONS, ids=[e[0] for e in EXPRESSIONS])
def test_jacobian(label: str, node: Node, by: Node, method: str) -> None:
    found = jacobian(node, by, method=method)
    assert found.ndim == node.ndim + by.ndim and found.dtype == "float64"
    np.testing.assert_allclose(value(found), numeric_jacobian(node, by), 1e-7, 1e-7)


@pytest.mark.parametrize(("label", "node", "by"), EXPRESSIONS, ids=[e[0] for e in EXPRESSIONS])
def test_one_row_after_the_other(label: str, node: Node, by: Node) -> None:
    looped, whole = (evaluate(jacobian(node, by, method=m), AT)[0] for m in ("scan", "reverse"))
    np.testing.assert_allclose(looped, whole, 1e-13, 1e-13)
    np.testing.assert_allclose(value(jacobian(node, by, method="scan")), whole, 1e-12, 1e-13)


def test_jacobian_on_every_backend(backend: str) -> None:
    node = T.tanh(T.dot(a, T.tanh(T.dot(m, T.dot(m.T, x)))))
    for by in (x, m):
        np.testing.assert_allclose(
            value(jacobian(node, by), backend), numeric_jacobian(node, by), 1e-7, 1e-7
        )


def test_a_jacobian_is_no_loop_over_rows() -> None:
    """The graph of a Jacobian is as large for a thousand rows as for three."""

    def size(rows: int) -> int:
        z = T.TensorType("float64", (rows,))("z")
        return len(toposort([jacobian(T.tanh(T.dot(T.sin(z), T.ones((rows, rows)))), z)]))

    assert size(1000) == size(3) < 60


def test_forms_of_wrt() -> None:
    node = x * y
    one = jacobian(node, x)
    assert value(one).shape == (3, 3)
    by_x, by_y = jacobian(node, [x, y])
    assert by_x is one
    assert set(jacobian(node, {"p": x, "q": y})) == {"p", "q"}
    np.testing.assert_allclose(value(by_y), np.diag(AT[x]))
    assert T.jacobian is jacobian and T.hessian is hessian


def test_by_shared_and_intermediate() -> None:
    w = graphc.shared(np.array([1.0, 2.0, 3.0]), "w")
    h = T.sin(w * x)
    by_w, by_h = jacobian(h**2, [w, h])
    hidden = np.sin(w.get_value() * AT[x])
    np.testing.assert_allclose(value(by_h), np.diag(2 * hidden))
    slope = 2 * hidden * np.cos(w.get_value() * AT[x]) * AT[x]
    np.testing.assert_allclose(value(by_w), np.diag(slope))


def test_disconnected() -> None:
    with pytest.raises(
        DisconnectedInputError, match="jacobian: the expression does not depend on y"
    ):
        jacobian(T.exp(x), y)
    zero = jacobian(T.exp(x), [x, y], disconnected_inputs="ignore")[1]
    np.testing.assert_array_equal(value(zero), np.zeros((3, 3)))
    assert jacobian(T.exp(x), y, disconnected_inputs="none") is None
    forward = jacobian(T.exp(x), y, disconnected_inputs="ignore", method="forward")
    np.testing.assert_array_equal(value(forward), np.zeros((3, 3)))
    with pytest.raises(DisconnectedInputError):
        jacobian(T.exp(x), y, method="forward")


@pytest.mark.parametrize("method", ["reverse", "forward"])
def test_consider_constant(method: str) -> None:
    inner = T.exp(x)
    found = jacobian(x * inner, x, consider_constant=[inner], method=method)
    np.testing.assert_allclose(value(found), np.diag(np.exp(AT[x])))


def test_errors() -> None:
    i = T.lvector("i")
    with pytest.raises(GraphcTypeError, match="i is int64, and only floats"):
        jacobian(x * 2, i)
    with pytest.raises(GraphcTypeError, match="the expression is int64"):
        jacobian(i * 2, x)
    with pytest.raises(GraphcTypeError, match="not symbolic"):
        jacobian(x, 3.0)
    with pytest.raises(GraphcValueError, match="method='loop': must be one of"):
        jacobian(x, x, method="loop")
    with pytest.raises(GraphcTypeError, match="the cost is an array"):
        hessian(x, x)


COSTS: list[tuple[str, Node, Node]] = [
    ("prod", T.prod(x), x),
    ("quadratic", T.dot(x, T.dot(T.dot(a.T, a), x)), x),
    ("softmax", T.sum(T.log(T.nnet.softmax(T.dot(a, m)))), m),
    ("scalar", T.sin(s) * s, s),
    ("network", T.sum(T.tanh(T.dot(T.tanh(a), m)) ** 2), a),
    ("linear", T.sum(x * y), x),
]


@pytest.mark.parametrize("method", ["reverse", "forward"])
@pytest.mark.parametrize(("label", "cost", "by"), COSTS, ids=[c[0] for c in COSTS])
def test_hessian(label: str, cost: Node, by: Node, method: str) -> None:
    expected = numeric_jacobian(grad(cost, by), by)
    np.testing.assert_allclose(value(hessian(cost, by, method=method)), expected, 1e-7, 1e-7)
    direction = by.type("p")
    hp = hessian_vector_product(cost, by, direction)
    at = RNG.normal(size=AT[by].shape)
    found = graphc.function([*AT, direction], hp, on_unused_input="ignore")(*AT.values(), at)
    axes = AT[by].ndim
    np.testing.assert_allclose(found, np.tensordot(expected, at, axes), 1e-7, 1e-7)


def test_hessians_of_several() -> None:
    cost = T.sum(x**3 * y)
    by_x, by_y = hessian(cost, [x, y])
    np.testing.assert_allclose(value(by_x), np.diag(6 * AT[x] * AT[y]))
    np.testing.assert_array_equal(value(by_y), np.zeros((3, 3)))
    with pytest.raises(DisconnectedInputError):
        hessian(cost, s)


def test_products_with_a_hessian_mix_variables() -> None:
    p, q = T.dvectors("p q")
    cost = T.sum(x**2 * y)
    found = hessian_vector_product(cost, [x, y], [p, q])
    f: Callable[..., list[np.ndarray]] = graphc.function([x, y, p, q], found)
    by_x, by_y = f(AT[x], AT[y], [1.0, 0.0, 2.0], [0.0, 1.0, 3.0])
    p_, q_ = np.array([1.0, 0.0, 2.0]), np.array([0.0, 1.0, 3.0])
    np.testing.assert_allclose(by_x, 2 * AT[y] * p_ + 2 * AT[x] * q_)
    np.testing.assert_allclose(by_y, 2 * AT[x] * p_)


@pytest.mark.parametrize("method", ["reverse", "forward"])
def test_hessian_of_a_convolutional_network(method: str, backend: str) -> None:
    """Correlation, pooling and index arrays have batched forms to second order."""
    image, filters = T.dtensor4("image"), T.dtensor4("filters")
    weights, labels = T.dmatrix("weights"), T.lvector("labels")
    pooled = T.signal.pool.pool_2d(
        T.tanh(T.nnet.conv2d(image, filters)), (2, 2), ignore_border=True
    )
    scores = T.nnet.softmax(T.dot(pooled.flatten(2), weights))
    cost = -T.sum(T.log(scores)[T.arange(labels.shape[0]), labels])
    inputs = [image, filters, weights, labels]
    arrays = [RNG.normal(size=s) for s in ((2, 1, 6, 6), (2, 1, 3, 3), (8, 3))]
    slope = graphc.function(inputs, grad(cost, filters), backend=backend)
    f = graphc.function(inputs, hessian(cost, filters, method=method), backend=backend)
    found = f(*arrays, [0, 2])
    for index in np.ndindex(arrays[1].shape):
        ends = []
        for step in (1e-5, -1e-5):
            moved = arrays[1].copy()
            moved[index] += step
            ends.append(slope(arrays[0], moved, arrays[2], [0, 2]))
        np.testing.assert_allclose(
            found[(..., *index)], (ends[0] - ends[1]) / 2e-5, 1e-6, 1e-8, err_msg=str(index)
        )
