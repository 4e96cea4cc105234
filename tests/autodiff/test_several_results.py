"""Gradients through ops with several results, and through branches that are not taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc.tensor as T
from autodiff.slopes import as_written, simplified
from graphc.autodiff import gradients
from graphc.autodiff.masks import Branch, common, union
from graphc.gradient import grad
from graphc.ir.node import Node, apply, const
from graphc.ir.op import OPS, Kind, Op, Undefined, register
from graphc.ir.shapes import sizes
from graphc.ir.types import Attrs, TensorType, TupleType
from graphc.ir.verify import verify
from graphc.ir.walk import demanded, toposort
from graphc.ops.control import ifelse
from graphc.ops.results import get, pack
from harness import evaluate, numeric_gradients

x, y = T.dvectors("x", "y")
s = T.dscalar("s")


# -- several results ------------------------------------------------------------------------------


def _turn_types(inputs: tuple[Node, ...], attrs: Attrs) -> TupleType:
    return TupleType((inputs[0].type, inputs[0].type, TensorType("int64", ())))


def _turn_dims(node: Node) -> tuple[Any, ...]:
    return sizes(node.inputs[0]), sizes(node.inputs[0]), ()


def _turn_vjp(g: list[Any], out: Node, a: Node, b: Node) -> list[Node | None]:
    """a * b, a - b and a count: any of the gradients may be missing."""
    by_product, by_difference, by_count = g
    assert by_count is None
    first = second = None
    if by_product is not None:
        first, second = by_product * b, by_product * a
    if by_difference is not None:
        first = by_difference if first is None else first + by_difference
        second = -by_difference if second is None else second - by_difference
    return [first, second]


@pytest.fixture(scope="module")
def turn() -> Iterator[Op]:
    op = register(
        Op(
            name="turn",
            kind=Kind.CALL,
            infer=_turn_types,
            dims=_turn_dims,
            vjp=_turn_vjp,
            reference=lambda a, b: (a * b, a - b, np.int64(a.size)),
        )
    )
    yield op
    del OPS["turn"]


AT = {x: np.array([1.0, 2.0, 4.0]), y: np.array([3.0, -1.0, 0.5])}


@pytest.mark.parametrize("used", [(0,), (1,), (0, 1), (0, 0, 1, 2)])
def test_each_result_gives_its_share(turn: Op, used: tuple[int, ...]) -> None:
    node = apply(turn, x, y)
    cost = sum((T.sin(get(node, i) * (k + 1.0)).sum() for k, i in enumerate(used)), const(0.0))
    slopes = numeric_gradients(
        lambda values: float(evaluate(cost, dict(zip(AT, values, strict=True)))[0]),
        list(AT.values()),
        range(2),
    )
    for way in (as_written, simplified):
        for found, slope in zip(evaluate(way(cost, [x, y]), AT), slopes, strict=True):
            np.testing.assert_allclose(found, slope, 1e-7, 1e-9)


def test_second_derivatives_go_through_several_results(turn: Op) -> None:
    cost = (get(apply(turn, x, y), 0) ** 2).sum()  # x² y²
    second = grad(grad(cost, x).sum(), x)
    np.testing.assert_allclose(evaluate(second, AT)[0], 2 * AT[y] ** 2)


def test_values_that_are_bundled_have_their_own_gradients() -> None:
    bundle = pack([x * 2, T.exp(y)])
    first, second = (apply(OPS["get"], bundle, index=i) for i in range(2))
    found = as_written((first * second).sum(), [x, y])
    np.testing.assert_allclose(evaluate(found[0], AT)[0], 2 * np.exp(AT[y]))
    np.testing.assert_allclose(evaluate(found[1], AT)[0], 2 * AT[x] * np.exp(AT[y]))


def test_what_has_no_gradient_says_so_for_all_inputs() -> None:
    blocked = Op(
        name="blocked",
        kind=Kind.CALL,
        infer=_turn_types,
        dims=_turn_dims,
        reference=lambda a, b: (a, b, 0),
    )
    cost = get(apply(blocked, x, y), 1).sum()
    for found in gradients([cost], [const(1.0)], [x, y]):
        assert isinstance(found, Undefined) and "blocked" in found.why


# -- branches -------------------------------------------------------------------------------------

m = T.dmatrix("m")
heavy = T.dot(m, x)  # costly, and asked for by branches alone


def computed(g: Node) -> set[str]:
    """Return the names of the ops of a gradient that are computed whatever the branches."""
    return {node.op.name for node in demanded([g])}


BRANCHES = {
    "one branch": ifelse(s > 0, T.log(heavy).sum(), s),
    "the other branch": ifelse(s > 0, s, T.exp(T.log(heavy)).sum()),
    "in the middle": T.sin(ifelse(s > 0, T.log(heavy), y) * 2).sum(),
    "both branches": ifelse(s > 0, T.log(heavy).sum(), T.dot(heavy, y)),
    "a choice of arrays": (ifelse(s > 0, T.log(heavy), heavy * s) * y).sum(),
    "nested": ifelse(s > 0, ifelse(s > 1, T.log(heavy).sum(), y.sum()), s),
    "nested on the other side": ifelse(s > 0, s, ifelse(s > -1, T.log(heavy).sum(), s * s)),
    "two of them": ifelse(s > 0, T.log(heavy).sum(), s) + ifelse(s > 1, T.dot(heavy, y), s),
    "one inside of another": ifelse(s > 0, T.log(heavy).sum(), s)
    * ifelse(s > 0, ifelse(s > 1, T.dot(heavy, y), s), s),
    "with a switch": ifelse(s > 0, T.switch(heavy > 0.5, T.log(heavy), 0).sum(), s),
    "in a switch": T.switch(y > 0, ifelse(s > 0, T.log(heavy), y), 0).sum(),
    "not": ifelse(~(s > 0), s, T.log(heavy).sum()),
    "broadcast": ifelse(s > 0, (T.log(heavy) * m.T).sum(), s),
    "under a condition of its own": ifelse(s > 0, ifelse(heavy.sum() > 1, heavy.sum(), s), s),
}
EITHER = ("both branches", "a choice of arrays")  # where heavy is needed in any case
SHAPES = {
    "different sizes": ifelse(s > 0, T.log(heavy), x[:1]).sum(),
    "a size that is known": (ifelse(s > 0, T.log(heavy), T.ones(1) * s) ** 2).sum(),
}


def given(at: float) -> dict[Node, Any]:
    matrix = np.array([[1.0, 0.5, 0.25], [0.2, 0.3, 0.4], [2.0, 0.1, 0.1]])
    return {s: np.float64(at), m: matrix, **AT}


@pytest.mark.parametrize("at", [2.0, 0.5, -0.5, -2.0])
@pytest.mark.parametrize("name", [*BRANCHES, *SHAPES])
def test_slopes_of_branches(name: str, at: float) -> None:
    cost = {**BRANCHES, **SHAPES}[name]
    values = given(at)
    slopes = numeric_gradients(
        lambda arrays: float(evaluate(cost, dict(zip(values, arrays, strict=True)))[0]),
        list(values.values()),
        range(4),
    )
    for way in (as_written, simplified):
        found = way(cost, list(values))
        for g, slope, value in zip(found, slopes, evaluate(found, values), strict=True):
            np.testing.assert_allclose(value, slope, 1e-6, 1e-8, err_msg=f"{way.__name__}: {g!r}")


@pytest.mark.parametrize("name", BRANCHES)
def test_the_gradient_of_a_branch_lies_in_that_branch(name: str) -> None:
    cost = BRANCHES[name]
    for way in (as_written, simplified):
        found = way(cost, [m, x, s])
        second = as_written(found[1].sum(), [m, x, s])
        for g in (*found, *second):
            verify([g])
            assert "log" not in computed(g)
            assert name in EITHER or "dot" not in computed(g), f"{way.__name__}: {g!r}"


def test_halves_of_a_choice_are_chosen_between() -> None:
    cost = (ifelse(s > 0, T.sin(x), T.cos(x)) * y).sum()
    (g,) = as_written(cost, [x])
    assert [node.op.name for node in toposort([g])].count("ifelse") == 1


def test_branches_have_a_union() -> None:
    always = Branch()
    a, b = always.within(s > 0, True), always.within(s > 0, False)
    inner, beside = a.within(s > 1, True), a.within(s > 2, True)
    assert a.opposite() is b and a.chain() == [always, a]
    assert union([a]) is a
    assert union([a, b]) is always
    assert union([inner, a]) is a and union([inner, b, a]) is always
    assert common([inner, beside]) is a and common([a, b]) is always
    both = union([inner, beside])
    assert both.outer is a and both.condition is (s > 1) | (s > 2)
    assert inner.node is ifelse(s > 0, s > 1, False)
    assert union([inner, b]).condition is ifelse(s > 0, s > 1, False) | ~(s > 0)
