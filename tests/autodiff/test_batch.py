"""Every row of the table of ops inside a batch, against one element after the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.errors import GraphcTypeError, GraphcValueError, NotSupportedError
from graphc.ir.node import Node, const, input_node
from graphc.ir.op import OPS
from graphc.ir.types import TensorType
from graphc.ir.verify import verify
from graphc.ir.walk import toposort
from graphc.ops.control import Carry, Loop, carry_of, ifelse, steps_of
from graphc.ops.results import get, pack, results
from harness import evaluate
from op_samples import Case, cases, rows

COUNT = 3


def variants(array: np.ndarray) -> np.ndarray:
    """Return a batch of arrays with the elements of one, so that all lie in its domain."""
    if array.ndim:
        return np.stack([np.roll(array, i, array.ndim - 1) for i in range(COUNT)])
    steps = np.linspace(1.0, 0.9, COUNT) if array.dtype.kind == "f" else np.ones(COUNT)
    return (array * steps).astype(array.dtype)


def choices(case: Case) -> Iterator[tuple[int, ...]]:
    """Yield which inputs of a case have a batch: each alone, and all of them."""
    everything = tuple(range(len(case.inputs)))
    yield from dict.fromkeys([*((i,) for i in everything), everything])


def batch_of(x: Node, count: int | None) -> Node:
    return input_node(TensorType(x.dtype, (count, *x.type.shape)))


@pytest.mark.parametrize("count", [COUNT, None], ids=["known", "unknown"])
@pytest.mark.parametrize("name", rows())
def test_each_op_in_a_batch(name: str, count: int | None) -> None:
    for case in cases(OPS[name], ["float64"], ["usual"], smooth=True):
        for chosen in choices(case):
            compare(case, chosen, count)


def compare(case: Case, chosen: tuple[int, ...], count: int | None) -> None:
    replace = {case.inputs[i]: batch_of(case.inputs[i], count) for i in chosen}
    wanted = results(case.node)
    try:
        found = graphc.vectorize(wanted, replace)
    except NotSupportedError as error:
        assert "would differ" in str(error), f"{case}, batches of {chosen}"
        return
    verify(found)
    batches = {i: variants(case.arrays[i]) for i in chosen}
    given = dict(zip(case.inputs, case.arrays, strict=True))
    for i, batch in batches.items():
        del given[case.inputs[i]]
        given[replace[case.inputs[i]]] = batch
    values = evaluate(found, given)
    for element in range(COUNT):
        one = dict(zip(case.inputs, case.arrays, strict=True))
        one.update({case.inputs[i]: batch[element] for i, batch in batches.items()})
        for value, expected in zip(values, evaluate(wanted, one), strict=True):
            assert value.dtype == expected.dtype, f"{case}, batches of {chosen}"
            np.testing.assert_allclose(
                value[element], expected, 1e-13, 1e-13, err_msg=f"{case}, batches of {chosen}"
            )


x, y = T.dvectors("x y")
xs, ys = T.dmatrices("xs ys")
m = T.dmatrix("m")


def test_what_is_the_same_for_all_is_computed_once() -> None:
    found = graphc.vectorize(T.exp(y) * x, {x: xs})
    assert found is xs * T.exp(y).dimshuffle("x", 0) or repr(found).count("exp(y)") == 1


def test_a_result_without_the_batch_is_repeated() -> None:
    found = graphc.vectorize([x, T.exp(y)], {x: xs})
    f = graphc.function([xs, y], found)
    same, repeats = f(np.ones((3, 2)), [0.0, 0.0])
    np.testing.assert_array_equal(same, np.ones((3, 2)))
    np.testing.assert_array_equal(repeats, np.ones((3, 2)))


def test_forms_of_the_outputs() -> None:
    one = graphc.vectorize(T.sum(x), {x: xs})
    assert graphc.vectorize({"a": T.sum(x)}, {x: xs}) == {"a": one}
    assert graphc.vectorize((T.sum(x),), {x: xs}) == (one,)


def test_sizes_inside_are_those_of_an_element() -> None:
    found = graphc.vectorize(T.mean(x) + x.shape[0], {x: xs})
    np.testing.assert_allclose(
        graphc.function([xs], found)([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), [5.0, 8.0]
    )


def test_batches_in_batches() -> None:
    cube = T.dtensor3("cube")
    inner = graphc.vectorize(T.sum(x**2), {x: xs})
    found = graphc.vectorize(inner, {xs: cube})
    value = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_allclose(graphc.function([cube], found)(value), (value**2).sum(-1))


@pytest.mark.parametrize(
    "ranks", list(itertools.product((1, 2), (1, 2))), ids=lambda r: f"{r[0]}{r[1]}"
)
def test_products_compiled(ranks: tuple[int, int], backend: str) -> None:
    rng = np.random.default_rng(1)
    shapes = {"a": (2, 3)[-ranks[0] :], "b": (3, 4)[: ranks[1]]}
    a, b = (T.TensorType("float64", [None] * r)(n) for r, n in zip(ranks, "ab", strict=True))
    product = T.dot(a, b)
    for which in ("a", "b", "ab"):
        batches = {n: T.TensorType("float64", [None] * (len(s) + 1))(n) for n, s in shapes.items()}
        arrays = {n: rng.normal(size=(5, *s) if n in which else s) for n, s in shapes.items()}
        inputs = {n: batches[n] if n in which else node for n, node in (("a", a), ("b", b))}
        replace = {node: batches[n] for n, node in (("a", a), ("b", b)) if n in which}
        f = graphc.function(
            list(inputs.values()), graphc.vectorize(product, replace), backend=backend
        )
        each = [[arrays[n][i] if n in which else arrays[n] for n in "ab"] for i in range(5)]
        expected = np.stack([np.dot(p, q) for p, q in each])
        np.testing.assert_allclose(f(*arrays.values()), expected, 1e-12)


def test_arrays_of_different_sizes_are_no_batch() -> None:
    n, ns = T.lscalar("n"), T.lvector("ns")
    with pytest.raises(NotSupportedError, match="would differ within the batch"):
        graphc.vectorize(T.zeros(n), {n: ns})


def test_a_batch_has_one_more_axis() -> None:
    with pytest.raises(GraphcTypeError, match="one more axis in front"):
        graphc.vectorize(T.exp(x), {x: y})
    with pytest.raises(GraphcTypeError, match="its dtype"):
        graphc.vectorize(T.exp(x), {x: T.fmatrix("xs")})
    with pytest.raises(GraphcTypeError, match="not symbolic"):
        graphc.vectorize(T.exp(x), {3: xs})
    with pytest.raises(GraphcValueError, match="something to replace"):
        graphc.vectorize(T.exp(x), {})


def test_branches() -> None:
    c, cs = T.dscalar("c"), T.dvector("cs")
    chosen = ifelse(c > 0, T.sum(x), T.prod(y))
    given = {xs: np.arange(6.0).reshape(2, 3), y: np.array([1.0, 2.0, 4.0])}
    found = graphc.vectorize(chosen, {x: xs})
    assert "ifelse" in repr(found)
    for value, expected in ((1.0, [3.0, 12.0]), (-1.0, [8.0, 8.0])):
        (got,) = evaluate(found, {**given, c: np.array(value)})
        np.testing.assert_allclose(got, expected)
    mixed = graphc.vectorize(chosen, {x: xs, c: cs})
    (got,) = evaluate(mixed, {**given, cs: np.array([-1.0, 1.0])})
    np.testing.assert_allclose(got, [8.0, 12.0])


def test_bundles() -> None:
    bundle = pack([T.exp(x), y])
    found = graphc.vectorize(get(bundle, 0) + get(bundle, 1), {x: xs})
    (got,) = evaluate(found, {xs: np.zeros((2, 3)), y: np.arange(3.0)})
    np.testing.assert_allclose(got, [[1.0, 2.0, 3.0]] * 2)


# -- loops ----------------------------------------------------------------------------------------

h, w = T.dvector("h"), T.dmatrix("w")
STEPS, WIDTH, BATCH = 4, 3, 2


def network(**options: object) -> list[Node]:
    """Return all states of a network, its last one, and a sum of each step's input."""

    def step(row: Node, state: Node, weights: Node) -> tuple[Node, Node]:
        new = T.tanh(T.dot(weights, state) + row)
        return new, T.sum(row) * state.shape[0]

    (states, sums), _ = graphc.scan(step, sequences=[m], outputs_info=[h, None], non_sequences=[w])
    return [states, states[-1], sums]


GIVEN = {
    m: np.random.default_rng(0).normal(size=(BATCH, STEPS, WIDTH)),
    h: np.random.default_rng(1).normal(size=(BATCH, WIDTH)),
    w: np.random.default_rng(2).normal(size=(BATCH, WIDTH, WIDTH)),
}


@pytest.mark.parametrize("count", [BATCH, None], ids=["known", "unknown"])
@pytest.mark.parametrize("chosen", [(m,), (h,), (w,), (m, h), (m, h, w)], ids=str)
def test_loops(chosen: tuple[Node, ...], count: int | None) -> None:
    wanted = network()
    replace = {x: batch_of(x, count) for x in chosen}
    found = graphc.vectorize(wanted, replace)
    verify(found)
    loops = [node for node in toposort(found) if node.op.name == "scan"]
    assert len(loops) == 1, "the batch is inside of the loop, not around it"
    batches = {replace[x]: GIVEN[x] for x in chosen}
    values = evaluate(found, {**{x: GIVEN[x][0] for x in (m, h, w)}, **batches})
    for i in range(BATCH):
        one = {x: GIVEN[x][i if x in chosen else 0] for x in (m, h, w)}
        for value, expected in zip(values, evaluate(wanted, one), strict=True):
            np.testing.assert_allclose(value[i], expected, 1e-13, 1e-13)


@pytest.mark.parametrize("chosen", [(m,), (h,), (w,), (m, h, w)], ids=str)
def test_loops_compiled(chosen: tuple[Node, ...], backend: str) -> None:
    wanted = network()
    replace = {x: batch_of(x, None) for x in chosen}
    inputs = [replace.get(x, x) for x in (m, h, w)]
    f = graphc.function(inputs, graphc.vectorize(wanted, replace), backend=backend)
    values = f(*[GIVEN[x] if x in chosen else GIVEN[x][0] for x in (m, h, w)])
    for i in range(BATCH):
        one = {x: GIVEN[x][i if x in chosen else 0] for x in (m, h, w)}
        for value, expected in zip(values, evaluate(wanted, one), strict=True):
            np.testing.assert_allclose(value[i], expected, 1e-12, 1e-13)


def test_hessian_of_a_loop_compiled(backend: str) -> None:
    cost = T.sum(network()[1] ** 2)
    f = graphc.function([m, h, w], T.hessian(cost, h), backend=backend)
    slope = graphc.function([m, h, w], T.grad(cost, h))
    rows, state, weights = (GIVEN[x][0] for x in (m, h, w))
    found = f(rows, state, weights)
    steps = np.eye(WIDTH) * 1e-5
    ends = [[slope(rows, state + sign * s, weights) for s in steps] for sign in (1, -1)]
    np.testing.assert_allclose(found, np.subtract(*ends).T / 2e-5, 1e-6, 1e-8)


@pytest.mark.parametrize("method", ["reverse", "forward"])
def test_jacobians_of_loops(method: str) -> None:
    last = network()[1]
    one = {x: GIVEN[x][0] for x in (m, h, w)}
    for wrt in (h, m, w):
        found = evaluate(T.jacobian(last, wrt, method=method), one)[0]
        rows = [evaluate(T.grad(last[i], wrt), one)[0] for i in range(WIDTH)]
        np.testing.assert_allclose(found, np.stack(rows), 1e-12, 1e-14)


def test_loops_that_stop() -> None:
    """One loop for each element of the batch, as each takes steps of its own."""
    s, ss, state = T.dscalar("s"), T.dvector("ss"), T.dscalar("state")
    loop = Loop(const(10), carries=[Carry(state, s, state * 2)], stop=state > 20)
    node = loop.close()
    found = graphc.vectorize([carry_of(node, 0), steps_of(node)], {s: ss})
    value, steps = evaluate(found, {ss: np.array([1.0, 3.0, 30.0])})
    np.testing.assert_array_equal(value, [64.0, 48.0, 60.0])
    np.testing.assert_array_equal(steps, [6, 4, 1])


def test_loops_of_different_lengths_are_no_batch() -> None:
    n, ns = T.lscalar("n"), T.lvector("ns")
    states, _ = graphc.scan(lambda state: state * 2, outputs_info=[T.constant(1.0)], n_steps=n)
    with pytest.raises(NotSupportedError, match="would differ within the batch"):
        graphc.vectorize(states, {n: ns})
