"""Random programs over batches, and their Hessians in every way there is."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import graphc
import graphc.tensor as T
from autodiff.test_random_gradients import AT, a, b, m, programs, row, s
from graphc.gradient import grad, hessian, hessian_vector_product, jacobian
from graphc.ir.node import Node, input_node
from graphc.ir.types import TensorType
from graphc.ir.verify import verify
from harness import evaluate

SIZE = 3
INPUTS = [a, b, s, m, row]


def batch_of(x: Node) -> Node:
    return input_node(TensorType(x.dtype, (None, *x.type.shape)), f"{x.name} of all")


BATCHES = {x: batch_of(x) for x in INPUTS}
VALUES = {
    x: AT[x] * np.linspace(1.0, 0.5, SIZE).reshape(SIZE, *[1] * np.ndim(AT[x])) for x in INPUTS
}


@settings(max_examples=150, deadline=None)
@given(programs(), st.sets(st.sampled_from(INPUTS), min_size=1))
def test_random_programs_over_batches(cost: Node, chosen: set[Node]) -> None:
    replace = {x: BATCHES[x] for x in INPUTS if x in chosen}
    outputs = [cost, grad(cost, a, disconnected_inputs="ignore")]
    found = graphc.vectorize(outputs, replace)
    verify(found)
    given_ = {BATCHES[x] if x in chosen else x: (VALUES if x in chosen else AT)[x] for x in INPUTS}
    values = evaluate(found, given_)
    for i in range(SIZE):
        one = {x: VALUES[x][i] if x in chosen else AT[x] for x in INPUTS}
        for value, expected in zip(values, evaluate(outputs, one), strict=True):
            np.testing.assert_allclose(value[i], expected, 1e-12, 1e-12)


@settings(max_examples=80, deadline=None)
@given(programs(), st.sampled_from(INPUTS))
def test_random_hessians(cost: Node, x: Node) -> None:
    assume(abs(float(evaluate(cost, AT)[0])) < 1e4)
    g = grad(cost, x, disconnected_inputs="ignore")
    direction = input_node(x.type, "direction")
    along = np.random.default_rng(5).uniform(-1, 1, np.shape(AT[x]))
    options = {"disconnected_inputs": "ignore"}
    wanted = [
        hessian(cost, x, **options),
        hessian(cost, x, method="forward", **options),
        jacobian(g, x, method="scan", **options),
        hessian_vector_product(cost, x, direction, **options),
    ]
    verify(wanted)
    back, forward, looped, product = evaluate(wanted, {**AT, direction: along})
    rank = np.ndim(AT[x])
    scale = max(1.0, float(np.max(np.abs(back), initial=0)))
    assume(np.isfinite(scale))
    for other in (forward, looped):
        np.testing.assert_allclose(other, back, 1e-10, 1e-12 * scale)
    np.testing.assert_allclose(product, np.tensordot(back, along, rank), 1e-9, 1e-11 * scale)
    turned = np.moveaxis(back, range(rank), range(rank, 2 * rank))
    np.testing.assert_allclose(turned, back, 1e-9, 1e-11 * scale, err_msg="it is not symmetric")


@settings(max_examples=40, deadline=None)
@given(programs())
def test_random_jacobians_compiled(cost: Node) -> None:
    matrix = hessian(cost, a, disconnected_inputs="ignore")
    (expected,) = evaluate(matrix, AT)
    assume(np.all(np.isfinite(expected)))
    f = graphc.function(INPUTS, [matrix, T.exp(matrix.sum() * 0)], on_unused_input="ignore")
    scale = max(1.0, float(np.max(np.abs(expected), initial=0)))
    np.testing.assert_allclose(f(*AT.values())[0], expected, 1e-9, 1e-11 * scale)
