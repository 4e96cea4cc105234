"""Each row of the table of ops: gradients to second order, and forward, against differences.

The rows' own gradients are compared on graphs as written; then what rewriting and the backends
make of them with those. Samples keep away from kinks, as `Op.domain` says.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.autodiff.reverse import gradients
from graphc.gradient import grad, jvp
from graphc.ir import dtypes
from graphc.ir.node import INPUT, Node, const, input_node
from graphc.ir.op import OPS
from graphc.ir.shapes import sizes
from graphc.ir.verify import verify
from graphc.ir.walk import leaves
from graphc.ops.results import results
from harness import evaluate, evaluate_sizes, numeric_gradients
from op_samples import Case, cases, rows

# Rows whose gradient is not the limit of their differences, and why.
NOT_BY_DIFFERENCES = {
    "int_div": "a step function: samples lie near steps",
    "cast": "casts to integers and to narrow floats are step functions",
    **dict.fromkeys(
        ("zero_grad", "disconnected_grad", "undefined_grad", "grad_clip", "grad_scale"),
        "its gradient is another by intention: tests/test_custom_gradients.py",
    ),
}
FIRST, SECOND = 1e-8, 1e-6  # relative, of the largest slope


def float_cases(name: str, *, brief: bool = False) -> list[Case]:
    """Return the cases of a row in float64."""
    found = cases(OPS[name], ["float64"], ["usual"], smooth=True, brief=brief)
    return [one for one in found if any(map(place_is_float, one.inputs))]


def place_is_float(node: Node) -> bool:
    return dtypes.is_float(node.type.dtype)


def float_results(case: Case) -> list[Node]:
    """Return what a case computes, of several results those that are floats."""
    return [node for node in results(case.node) if place_is_float(node)]


def differentiable(name: str) -> bool:
    return any(map(float_results, float_cases(name)))


ALL = rows()
SMOOTH = [n for n in ALL if n not in NOT_BY_DIFFERENCES and differentiable(n)]
DISCRETE = [n for n in ALL if not differentiable(n)]


def weighted(node: Node, name: str, value: np.ndarray) -> Node:
    """Return a sum of the elements with weights of its own for each, as a cost."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return T.sum(node * const(rng.uniform(0.5, 1.5, value.shape)))  # type: ignore[no-any-return]


def seeded_cost(case: Case) -> Node:
    """Return a cost of all that a case computes."""
    given = dict(zip(case.inputs, case.arrays, strict=True))
    found = float_results(case)
    pairs = enumerate(zip(found, evaluate(found, given), strict=True))
    costs = [weighted(node, f"{case!r} {i}" if i else repr(case), v) for i, (node, v) in pairs]
    return T.add(*costs) if len(costs) > 1 else costs[0]  # type: ignore[no-any-return]


def slopes(cost: Node, case: Case, places: Sequence[int]) -> list[Node]:
    """Return the gradients of a cost by some of the inputs of a case, zeros where there is none."""
    wrt = [case.inputs[i] for i in places]
    found = gradients([cost], [const(1.0)], wrt)
    full = [T.zeros_like(x) if g is None else g for x, g in zip(wrt, found, strict=True)]
    verify(full)  # type: ignore[arg-type]
    return full  # type: ignore[return-value]


def check(
    cost: Node, case: Case, places: Sequence[int], found: Sequence[Node], allowed: float
) -> None:
    def at(arrays: Sequence[np.ndarray]) -> float:
        return float(evaluate(cost, dict(zip(case.inputs, arrays, strict=True)))[0])

    given = dict(zip(case.inputs, case.arrays, strict=True))
    expected = numeric_gradients(at, case.arrays, places)
    scale = max([1.0, *(float(np.max(np.abs(e), initial=0)) for e in expected)])
    for place, node, numbers in zip(places, found, expected, strict=True):
        x = case.inputs[place]
        assert node.type.dtype == x.type.dtype, f"{case}: gradient of {x}"
        (value,) = evaluate(node, given)
        assert evaluate_sizes(sizes(node), given) == case.arrays[place].shape
        where = f"{case}: gradient by {x}"
        np.testing.assert_allclose(
            value, numbers, rtol=allowed, atol=allowed * scale, err_msg=where
        )


@pytest.mark.parametrize("name", SMOOTH)
def test_first_and_second_gradients(name: str) -> None:
    for one in float_cases(name):
        if not float_results(one):
            continue
        given = dict(zip(one.inputs, one.arrays, strict=True))
        places = [i for i, node in enumerate(one.inputs) if place_is_float(node)]
        cost = seeded_cost(one)
        first = slopes(cost, one, places)
        check(cost, one, places, first, FIRST)
        values = zip(first, evaluate(first, given), strict=True)
        parts = [weighted(g, f"{one} {i}", value) for i, (g, value) in enumerate(values)]
        again = T.add(*parts) if len(parts) > 1 else parts[0]
        check(again, one, places, slopes(again, one, places), SECOND)


def directions(case: Case, places: Sequence[int]) -> tuple[list[Node], list[np.ndarray]]:
    """Return tangents of some inputs of a case, and a random value of each."""
    rng = np.random.default_rng(zlib.crc32(f"directions of {case}".encode()))
    nodes = [input_node(case.inputs[i].type, f"t{i}") for i in places]
    return nodes, [rng.uniform(-1.0, 1.0, case.arrays[i].shape) for i in places]


def moved_by_differences(
    node: Node, case: Case, places: Sequence[int], along: Sequence[np.ndarray]
) -> np.ndarray:
    """Return how a value changes along a direction: central differences, extrapolated."""

    def at(offset: float) -> np.ndarray:
        arrays = list(case.arrays)
        for place, direction in zip(places, along, strict=True):
            arrays[place] = arrays[place] + offset * direction
        return evaluate(node, dict(zip(case.inputs, arrays, strict=True)))[0]

    step = 2.0**-10
    wide, narrow = ((at(h) - at(-h)) / (2 * h) for h in (step, step / 2))
    return (4 * narrow - wide) / 3


def check_forward(node: Node, case: Case, places: Sequence[int], allowed: float) -> None:
    tangents, along = directions(case, places)
    wrt = [case.inputs[i] for i in places]
    moved = jvp(node, wrt, tangents)
    verify([moved])
    free = {x for x in leaves([moved]) if x.op is INPUT} - {*case.inputs, *tangents}
    assert not free, f"{case}: a trace of the seed is left"
    given = dict(zip((*case.inputs, *tangents), (*case.arrays, *along), strict=True))
    (value,) = evaluate(moved, given)
    expected = moved_by_differences(node, case, places, along)
    assert moved.type.dtype == node.type.dtype and value.shape == expected.shape, str(case)
    scale = max(1.0, float(np.max(np.abs(expected), initial=0)))
    np.testing.assert_allclose(value, expected, allowed, allowed * scale, err_msg=str(case))


@pytest.mark.parametrize("name", SMOOTH)
def test_forward_and_forward_over_reverse(name: str) -> None:
    """Tangents of the value, and of its gradient: products with a Jacobian and with a Hessian."""
    for one in float_cases(name):
        places = [i for i, node in enumerate(one.inputs) if place_is_float(node)]
        for node in float_results(one):
            check_forward(node, one, places, FIRST)
        for g in slopes(seeded_cost(one), one, places) if float_results(one) else ():
            check_forward(g, one, places, SECOND)


@pytest.mark.parametrize("name", DISCRETE)
def test_what_is_discrete_passes_no_gradient(name: str) -> None:
    for one in float_cases(name):
        floats = [x for x in one.inputs if place_is_float(x)]
        for node in results(one.node):
            cost = T.sum(T.cast(node, "float64"))
            assert gradients([cost], [const(1.0)], floats) == [None] * len(floats), one


@pytest.mark.parametrize("name", ["int_div", "cast"])
def test_steps_have_the_slope_of_their_treads(name: str) -> None:
    for one in float_cases(name):
        if not place_is_float(one.node):
            continue
        given = dict(zip(one.inputs, one.arrays, strict=True))
        places = [i for i, node in enumerate(one.inputs) if place_is_float(node)]
        for place, g in zip(places, slopes(T.sum(one.node), one, places), strict=True):
            slope = 1.0 if name == "cast" else 0.0
            np.testing.assert_array_equal(
                evaluate(g, given)[0], np.full(one.arrays[place].shape, slope), str(one)
            )


def test_every_row_is_in_one_of_the_tests() -> None:
    assert not set(NOT_BY_DIFFERENCES) - set(ALL)
    assert len(SMOOTH) > 20
    assert {*SMOOTH, *DISCRETE, *NOT_BY_DIFFERENCES} == set(ALL)


# -- rewritten and compiled -----------------------------------------------------------------------

TOGETHER = 20  # cases in one function


@pytest.mark.parametrize("part", range(3))
def test_gradients_compiled(part: int, backend: str) -> None:
    """``grad`` of a rewritten cost, through a backend, against the rows' gradients as written."""
    brief = backend == "opencl"  # kernels take long to build
    found = [one for name in SMOOTH[part::3] for one in float_cases(name, brief=brief)]
    found = [one for one in found if float_results(one)]
    assert found
    for start in range(0, len(found), TOGETHER):
        compare_compiled(found[start : start + TOGETHER], backend)


def compare_compiled(some: Sequence[Case], backend: str) -> None:
    given = {x: a for one in some for x, a in zip(one.inputs, one.arrays, strict=True)}
    places = [[i for i, x in enumerate(one.inputs) if place_is_float(x)] for one in some]
    wanted = [[one.inputs[i] for i in at] for one, at in zip(some, places, strict=True)]
    costs = [seeded_cost(one) for one in some]
    new = [
        grad(cost, wrt, disconnected_inputs="ignore")
        for cost, wrt in zip(costs, wanted, strict=True)
    ]
    f = graphc.function(
        list(given), [g for one in new for g in one], backend=backend, on_unused_input="ignore"
    )
    values = iter(f(*given.values()))
    for one, cost, at in zip(some, costs, places, strict=True):
        for place, expected in zip(at, evaluate(slopes(cost, one, at), given), strict=True):
            value = next(values)
            where = f"{one} on {backend}: gradient by input {place}"
            assert value.dtype == expected.dtype, where
            scale = max(1.0, float(np.max(np.abs(expected), initial=0)))
            np.testing.assert_allclose(value, expected, 1e-11, 1e-11 * scale, err_msg=where)


# -- what the table says at kinks -----------------------------------------------------------------

X, Y = T.dvectors("x y")

KINKS = [
    (T.maximum(X, Y), [1.0, 2.0, 3.0], [1.0, 3.0, 2.0], [0.5, 0.0, 1.0], [0.5, 1.0, 0.0]),
    (T.minimum(X, Y), [1.0, 2.0, 3.0], [1.0, 3.0, 2.0], [0.5, 1.0, 0.0], [0.5, 0.0, 1.0]),
    (abs(X), [0.0, 2.0, -3.0], [0.0] * 3, [0.0, 1.0, -1.0], [0.0] * 3),
    (T.max(X), [3.0, 2.0, 3.0], [0.0] * 3, [0.5, 0.0, 0.5], [0.0] * 3),
    (T.min(X), [2.0, 2.0, 2.0], [0.0] * 3, [1 / 3] * 3, [0.0] * 3),
    (T.prod(X), [0.0, 2.0, 3.0], [0.0] * 3, [6.0, 0.0, 0.0], [0.0] * 3),
    (T.prod(X), [0.0, 2.0, 0.0], [0.0] * 3, [0.0, 0.0, 0.0], [0.0] * 3),
    (X**Y, [0.0, 0.0, 2.0], [0.0, 2.0, 0.0], [0.0] * 3, [0.0, 0.0, np.log(2.0)]),
    (T.clip(X, -1, 1), [-1.0, 1.0, 2.0], [0.0] * 3, [1.0, 1.0, 0.0], [0.0] * 3),
    (T.nnet.relu(X), [-1.0, 0.0, 2.0], [0.0] * 3, [0.0, 0.5, 1.0], [0.0] * 3),
    (T.switch(X > 0, T.log(X), 0), [0.0, 1.0, 2.0], [0.0] * 3, [0.0, 1.0, 0.5], [0.0] * 3),
    (T.sqrt(T.switch(X > 0, X, 1)), [0.0, 1.0, 4.0], [0.0] * 3, [0.0, 0.5, 0.25], [0.0] * 3),
]


@pytest.mark.parametrize(("expression", "x", "y", "by_x", "by_y"), KINKS)
def test_at_kinks(
    expression: Node, x: list[float], y: list[float], by_x: list[float], by_y: list[float]
) -> None:
    found = gradients([T.sum(expression)], [const(1.0)], [X, Y])
    given = {X: np.array(x), Y: np.array(y)}
    for g, expected in zip(found, (by_x, by_y), strict=True):
        value = np.zeros(3) if g is None else evaluate(g, given)[0]  # type: ignore[arg-type]
        np.testing.assert_allclose(value, expected)
