"""Gradients of loops: by sequences, first values and constants, compared with differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from autodiff.slopes import as_written, simplified
from graphc.autodiff import gradients
from graphc.errors import DisconnectedInputError
from graphc.gradient import grad
from graphc.ir.node import Node, apply, const
from graphc.ir.op import OPS, Kind, Op, Undefined
from graphc.ir.shapes import sizes
from graphc.ir.verify import verify
from graphc.ir.walk import demanded, toposort
from graphc.ops.control import Carry, Loop, carry_of, ifelse, out_of, steps_of
from graphc.rewrite.pipeline import simplify
from harness import evaluate, numeric_gradients

xs, x = T.dmatrix("xs"), T.dvector("x")
h, h0, w, b = T.dvector("h"), T.dvector("h0"), T.dmatrix("w"), T.dvector("b")
c, c0, cs = T.dscalar("c"), T.dscalar("c0"), T.dvector("cs")
k, ks = T.lscalar("k"), T.lvector("ks")
n = T.lscalar("n")

RNG = np.random.default_rng(3)
AT: dict[Node, Any] = {
    xs: RNG.normal(size=(4, 3)),
    h0: RNG.normal(size=3),
    w: RNG.normal(size=(3, 3)) * 0.5,
    b: RNG.normal(size=3),
    c0: np.float64(0.7),
    cs: RNG.normal(size=4),
    ks: np.array([2, 0, 1, 1]),
    n: np.int64(3),
}


def rnn(traced: bool = False, **more: Any) -> Node:
    following = T.tanh(x * b + T.dot(h, w))
    carry = Carry(h, h0, following, traced)
    return Loop(xs.shape[0], [(x, xs)], [carry], outs=[following * x], **more).close()


def power(count: Any = n, truncate: int | None = None) -> Node:
    return Loop(count, [], [Carry(c, c0, T.sin(c) * b.sum())], truncate=truncate).close()


def first_rows(stacked: Node, count: Node) -> Node:
    return stacked[:count]


def until(limit: float) -> Node:
    following = T.tanh(x * b + T.dot(h, w))
    loop = Loop(
        xs.shape[0], [(x, xs)], [Carry(h, h0, following)], outs=[following * x], stop=c > limit
    )
    loop.sequences.append((c, cs))
    return loop.close()


def stopped() -> Node:
    node = until(0.0)  # places are where AT[cs] is first above 0
    return (first_rows(out_of(node, 0), steps_of(node)) ** 2).sum() + carry_of(node, 0).sum()


def stopped_trace() -> Node:
    loop = Loop.open(until(0.0))
    loop.carries[0].traced = True
    node = loop.close()
    return (first_rows(carry_of(node, 0), steps_of(node) + 1) ** 2).sum()


def cell() -> Node:
    """Two carries of different kinds, one of which feeds the other."""
    gates = T.dot(h, w) + x
    mixed = T.nnet.sigmoid(gates) * c + T.tanh(gates)
    carries = [Carry(h, h0, T.tanh(mixed)), Carry(c, c0, T.nnet.softplus(mixed.sum()))]
    return Loop(xs.shape[0], [(x, xs)], carries, outs=[mixed]).close()


def register() -> Node:
    """A value three steps back."""
    first, second, third = T.dscalars("first", "second", "third")
    carries = [
        Carry(first, c0, T.sin(third) + c * first),
        Carry(second, c0 * 2, first),
        Carry(third, c0 * 3, second),
    ]
    node = Loop(cs.shape[0], [(c, cs)], carries, outs=[second]).close()
    return out_of(node, 0).sum() * carry_of(node, 2)


def nested(traced: bool = False) -> Node:
    """A loop in a loop: over the same constants, from the carry of the outer one."""
    inner = Loop(3, [(c, cs[:3])], [Carry(x, h, T.tanh(T.dot(x, w) + c), traced)])
    found = carry_of(inner.close(), 0)
    found = found.sum(axis=0) if traced else found
    y = T.dvector("y")
    node = Loop(xs.shape[0], [(y, xs)], [Carry(h, h0, found * y)], outs=[found]).close()
    return out_of(node, 0).sum() + (carry_of(node, 0) ** 2).sum()


def integers() -> Node:
    """Integers among all that goes in and out."""
    counter, start = T.lscalar("counter"), const(1)
    carries = [Carry(counter, start, counter + k), Carry(c, c0, c * counter + T.sin(c * k))]
    loop = Loop(ks.shape[0], [(k, ks)], carries, outs=[counter * k, c * k])
    node = loop.close()
    return out_of(node, 1).sum() + carry_of(node, 1) * carry_of(node, 0)


def branching() -> Node:
    """In each step one of two branches, and a condition for each element."""
    chosen = ifelse(c > 0, T.exp(T.dot(h, w)), T.log(T.switch(h > 0, h + 2, 1)))
    return Loop(cs.shape[0], [(c, cs)], [Carry(h, h0, chosen * 0.3)], outs=[chosen]).close()


def weighted(stacked: Node) -> Node:
    """A cost to which each row counts differently."""
    counts = T.arange(1, stacked.shape[0] + 1)
    return (T.sqr(stacked) * counts.dimshuffle(0, *["x"] * (stacked.ndim - 1))).sum()


COSTS: dict[str, Callable[[], Node]] = {
    "last value": lambda: T.sqr(carry_of(rnn(), 0)).sum(),
    "outs": lambda: weighted(out_of(rnn(), 0)),
    "last value and outs": lambda: weighted(out_of(rnn(), 0)) * carry_of(rnn(), 0).sum(),
    "trace": lambda: weighted(carry_of(rnn(True), 0)),
    "trace and outs": lambda: weighted(carry_of(rnn(True), 0)) + out_of(rnn(True), 0).sum(),
    "last row": lambda: T.sqr(out_of(rnn(), 0)[-1]).sum(),
    "part of the trace": lambda: weighted(carry_of(rnn(True), 0)[1:-1]),
    "no carry": lambda: weighted(
        out_of(Loop(3, [(x, xs)], outs=[T.exp(x * b) + T.dot(x, w)]).close(), 0)
    ),
    "no sequence": lambda: carry_of(power(), 0) ** 2,
    "no step": lambda: carry_of(power(n - 3), 0) ** 2 + b.sum() * 0,
    "a longer sequence": lambda: weighted(
        out_of(Loop(n, [(x, xs)], [Carry(h, h0, h * x)], outs=[h]).close(), 0)
    ),
    "two carries": lambda: weighted(out_of(cell(), 0)) + carry_of(cell(), 1),
    "a register": register,
    "until": stopped,
    "until, with a trace": stopped_trace,
    "nested": nested,
    "nested with a trace": lambda: nested(True),
    "integers": integers,
    "branches": lambda: weighted(out_of(branching(), 0)) + carry_of(branching(), 0).sum(),
    "a carry that does not change": lambda: weighted(
        out_of(Loop(3, [(x, xs)], [Carry(h, h0, h)], outs=[h * x]).close(), 0)
    ),
    "a carry that is an element": lambda: weighted(
        out_of(Loop(3, [(x, xs)], [Carry(h, h0, x)], outs=[h * b]).close(), 0)
    ),
    "a carry that is not fed back": lambda: carry_of(
        Loop(3, [(c, cs)], [Carry(h, h0, b * c)]).close(), 0
    ).sum(),
    "one loop after the other": lambda: weighted(
        out_of(
            Loop(
                3, [(x, out_of(rnn(), 0))], [Carry(h, carry_of(rnn(), 0), T.sin(h * x))], outs=[h]
            ).close(),
            0,
        )
    ),
    "one array in three places": lambda: weighted(
        out_of(Loop(3, [(x, w)], [Carry(h, w[0], T.sin(T.dot(w, h)) + x)], outs=[h]).close(), 0)
    ),
}


def given(cost: Node) -> dict[Node, Any]:
    below = set(toposort([cost]))
    return {leaf: value for leaf, value in AT.items() if leaf in below}


def floats(values: Mapping[Node, Any]) -> list[Node]:
    return [leaf for leaf in values if leaf.dtype == "float64"]


def slopes(cost: Node, values: Mapping[Node, Any]) -> list[np.ndarray]:
    wanted = floats(values)
    places = [place for place, leaf in enumerate(values) if leaf in wanted]

    def at(arrays: Sequence[np.ndarray]) -> float:
        return float(evaluate(cost, dict(zip(values, arrays, strict=True)))[0])

    return numeric_gradients(at, [np.array(v) for v in values.values()], places)


@pytest.mark.parametrize("name", COSTS)
def test_slopes(name: str) -> None:
    cost = COSTS[name]()
    values = given(cost)
    expected = slopes(cost, values)
    for way in (as_written, simplified):
        found = way(cost, floats(values))
        for leaf, g, slope in zip(floats(values), evaluate(found, values), expected, strict=True):
            np.testing.assert_allclose(g, slope, 1e-6, 1e-8, err_msg=f"{way.__name__}, by {leaf}")


@pytest.mark.parametrize("name", COSTS)
def test_compiled(name: str, backend: str) -> None:
    cost = COSTS[name]()
    values = given(cost)
    results = [cost, *grad(cost, floats(values), disconnected_inputs="ignore")]
    f = graphc.function(list(values), results, backend=backend, on_unused_input="ignore")
    for one, other in zip(f(*values.values()), evaluate(results, values), strict=True):
        np.testing.assert_allclose(one, other, 1e-9, 1e-9)


SECOND = ["outs", "trace", "two carries", "a register", "until", "nested", "branches", "integers"]


@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives(name: str) -> None:
    cost = COSTS[name]()
    values = given(cost)
    wanted = floats(values)
    directions = {leaf: RNG.normal(size=np.shape(values[leaf])) for leaf in wanted}
    first = grad(cost, wanted, disconnected_inputs="ignore")
    pairs = zip(wanted, first, strict=True)
    slope = sum(((g * directions[leaf]).sum() for leaf, g in pairs), const(0.0))
    expected = slopes(slope, values)
    for g, wished in zip(evaluate(simplified(slope, wanted), values), expected, strict=True):
        np.testing.assert_allclose(g, wished, 1e-6, 1e-7)


def test_third_derivative() -> None:
    count = const(3)
    value = carry_of(Loop(count, [], [Carry(c, c0, T.sin(c) * c)]).close(), 0)
    second = grad(grad(value, c0), c0)
    (third,) = simplified(second, [c0])
    np.testing.assert_allclose(evaluate(third, AT)[0], slopes(second, {c0: AT[c0]})[0], 1e-6)


def test_forward_products() -> None:
    """Rop is the reverse pass differentiated: here beside differences along one direction."""
    f = out_of(cell(), 0)
    values = given(f)
    wanted = floats(values)
    along = [RNG.normal(size=np.shape(values[leaf])) for leaf in wanted]
    (product,) = evaluate([T.Rop(f, wanted, along)], values)
    ends = []
    for step in (1e-5, -1e-5):
        moved = {leaf: values[leaf] + step * d for leaf, d in zip(wanted, along, strict=True)}
        ends.append(evaluate(f, {**values, **moved})[0])
    np.testing.assert_allclose(product, (ends[0] - ends[1]) / 2e-5, 1e-6, 1e-8)


# -- truncation -----------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 4, 7])
def test_truncated_gradients_are_those_of_the_last_steps(limit: int) -> None:
    cost = weighted(out_of(rnn(truncate=limit), 0)) + carry_of(rnn(truncate=limit), 0).sum()
    values = given(cost)
    found = evaluate(simplified(cost, floats(values)), values)
    # the same steps with the earlier ones as a first part through which nothing passes
    first, last = max(4 - limit, 0), min(limit, 4)
    early = Loop(first, [(x, xs)], [Carry(h, h0, T.tanh(x * b + T.dot(h, w)))]).close()
    middle = evaluate([carry_of(early, 0)], values)[0]
    late = {**values, xs: values[xs][first:], h0: middle}
    whole = T.sqr(out_of(rnn(), 0)) * (T.arange(last) + first + 1).dimshuffle(0, "x")
    exact = grad(whole.sum() + carry_of(rnn(), 0).sum(), floats(values))
    expected = dict(zip(floats(values), evaluate(exact, late), strict=True))
    for leaf, g in zip(floats(values), found, strict=True):
        if leaf is xs:
            np.testing.assert_allclose(g[first:], expected[xs])
            assert not g[:first].any()
        elif leaf is h0 and first:
            assert not g.any()
        else:
            np.testing.assert_allclose(g, expected[leaf])


def test_truncation_counts_from_the_step_that_stopped() -> None:
    steps = 1 + int(np.argmax(AT[cs] > 0))
    whole, wanted = stopped(), [xs, h0, w, b]
    values = given(whole)
    expected = evaluate(grad(whole, wanted), values)
    assert 1 < steps < 4
    for limit in (1, steps, 9):
        loop = Loop.open(until(0.0))
        loop.truncate = limit
        node = loop.close()
        cost = T.sqr(first_rows(out_of(node, 0), steps_of(node))).sum() + carry_of(node, 0).sum()
        found = evaluate(simplified(cost, wanted), values)
        if limit >= steps:
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other)
        else:
            assert not found[1].any() and not found[0][: steps - limit].any()
            assert found[0][steps - limit : steps].any() and not found[0][steps:].any()


# -- what is not defined --------------------------------------------------------------------------


def test_a_step_without_gradient_says_so() -> None:
    blocked = Op(
        name="blocked",
        kind=Kind.CALL,
        infer=lambda inputs, attrs: inputs[0].type,
        dims=lambda node: sizes(node.inputs[0]),
    )
    node = Loop(3, [(x, xs)], [Carry(h, h0, apply(blocked, h) * x)]).close()
    cost = carry_of(node, 0).sum()
    for found in gradients([cost], [const(1.0)], [xs, h0]):
        assert isinstance(found, Undefined)


def test_only_sizes_or_integers_of_the_loop_are_used() -> None:
    node = rnn()
    (found,) = gradients([T.cast(steps_of(node), "float64")], [const(1.0)], [w])
    assert found is None
    counted = Loop(ks.shape[0], [(k, ks)], outs=[T.cast(k * 2, "float64")]).close()
    assert gradients([out_of(counted, 0).sum()], [const(1.0)], [b]) == [None]


def test_the_error_says_that_a_loop_lets_no_gradient_through() -> None:
    loop = Loop(xs.shape[0], [(x, xs)], [Carry(h, h0, T.tanh(h + x))], stop=T.dot(x, b) > 0)
    with pytest.raises(DisconnectedInputError, match="no result of the loop that is used changes"):
        grad(carry_of(loop.close(), 0).sum(), b)
    with pytest.raises(DisconnectedInputError, match="does not depend on w"):
        grad(carry_of(loop.close(), 0).sum(), w)


def test_a_carry_that_reaches_nothing_is_not_carried_back() -> None:
    carries = [Carry(h, h0, T.tanh(h + x)), Carry(c, c0, c * 2)]
    node = Loop(3, [(x, xs)], carries).close()
    (g,) = as_written(carry_of(node, 0).sum(), [h0])
    backward = [
        n for n in toposort([g]) if n.op is OPS["scan"] and n.attrs["body"] != node.attrs["body"]
    ]
    assert [n.attrs["n_carry"] for n in backward] == [1]


# -- laziness -------------------------------------------------------------------------------------


def test_what_a_branch_computes_is_not_kept_and_not_computed_elsewhere() -> None:
    chosen = ifelse(c > 0, T.exp(T.dot(h, w)), h)
    node = Loop(cs.shape[0], [(c, cs)], [Carry(h, h0, chosen * 0.5)]).close()
    for way in (as_written, simplified):
        found = way(carry_of(node, 0).sum(), [h0, w])
        second = way(found[0].sum(), [h0])
        bodies = [n.attrs["body"] for n in toposort([*found, *second]) if n.op is OPS["scan"]]
        assert bodies
        for body in bodies:
            always = {n.op.name for n in demanded(body.results)}
            assert not always & {"exp", "dot"}


# -- what is kept ---------------------------------------------------------------------------------


def scans(results: Sequence[Node]) -> list[Node]:
    return [node for node in toposort(results) if node.op is OPS["scan"]]


def ops_of(body: Any) -> list[str]:
    return [node.op.name for node in toposort(body.results)]


def test_costly_results_are_kept_and_cheap_ones_computed_again() -> None:
    gates = T.dot(h, w) + x
    following = T.nnet.sigmoid(gates) * T.tanh(gates * 2) + h
    node = Loop(xs.shape[0], [(x, xs)], [Carry(h, h0, following)]).close()
    found = as_written(carry_of(node, 0).sum(), [w, h0, xs])
    forward, backward = scans(found)
    verify(found)
    costly = {"dot", "sigmoid", "tanh"}
    assert costly <= set(ops_of(forward.attrs["body"]))
    names = ops_of(backward.attrs["body"])
    assert not {"sigmoid", "tanh"} & set(names)
    assert names.count("dot") == 1  # by the transposed weights
    assert forward.attrs["traced"] == (True,)


def test_a_carry_is_kept_in_its_trace() -> None:
    node = rnn()
    found = as_written(carry_of(node, 0).sum(), [w, h0])
    forward, backward = scans(found)
    assert len(forward.attrs["body"].results) == len(node.attrs["body"].results)
    assert "tanh" not in ops_of(backward.attrs["body"])


def test_a_carry_whose_size_alone_is_used_is_not_kept() -> None:
    node = Loop(3, [(x, xs)], [Carry(h, h0, h + x)]).close()
    found = as_written(carry_of(node, 0).sum(), [h0, xs])
    assert not any(any(loop.attrs["traced"]) for loop in scans(found))


def test_gradients_in_single_precision_stay_single() -> None:
    y, z, z0 = T.fvector("y"), T.fvector("z"), T.fvector("z0")
    ys = T.fmatrix("ys")
    node = Loop(ys.shape[0], [(y, ys)], [Carry(z, z0, T.tanh(z * y))], outs=[z]).close()
    found = simplified(out_of(node, 0).sum(), [ys, z0])
    assert [g.dtype for g in found] == ["float32", "float32"]
    for loop in scans(found):
        assert {node.dtype for node in loop.attrs["body"].results} == {"float32"}


def test_simplified_loops_are_the_loops_that_were_written() -> None:
    for name in ("two carries", "nested", "integers", "branches"):
        cost = COSTS[name]()
        (after,) = simplify([cost])
        verify([after])
        values = given(cost)
        np.testing.assert_allclose(evaluate(after, values), evaluate(cost, values))
