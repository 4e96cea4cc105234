"""Loops and branches as they run: every form of carry, and what is computed under a condition."""

from __future__ import annotations

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.ir.node import Node
from graphc.ops.control import Carry, Loop, carry_of, ifelse, out_of, steps_of
from graphc.ops.parts import slice_axes
from harness import evaluate

xs, x = T.dmatrix("xs"), T.dvector("x")
a, b, c = T.dvectors("a", "b", "c")
a0, b0, c0 = T.dvectors("a0", "b0", "c0")
s, s0, w = T.dscalar("s"), T.dscalar("s0"), T.dmatrix("w")
n = T.lscalar("n")


def given(rows: int = 4, width: int = 3) -> dict[Node, np.ndarray]:
    rng = np.random.default_rng(2)
    vectors = {v: rng.normal(size=width) for v in (a0, b0, c0)}
    return {
        **vectors,
        xs: rng.normal(size=(rows, width)),
        w: rng.normal(size=(width, width)),
        s0: np.array(0.5),
        n: np.array(rows - 1),
    }


def agree(wanted: list[Node], values: dict[Node, np.ndarray], backend: str) -> None:
    used = [v for v in values if v in set(graphc.ir.walk.toposort(wanted))]
    expected = evaluate(wanted, {v: values[v] for v in used})
    for mode in (None, "FAST_COMPILE"):
        f = graphc.function(used, wanted, backend=backend, mode=mode)
        for _ in range(2):  # what a call leaves behind must not matter to the next
            found = f(*[values[v] for v in used])
            for have, want in zip(found, expected, strict=True):
                np.testing.assert_allclose(have, want, rtol=1e-12, atol=1e-12)


LOOPS = {
    "a vector carried": lambda: [Carry(a, a0, T.tanh(a + x))],
    "a product": lambda: [Carry(a, a0, T.tanh(T.dot(a, w) + x), traced=True)],
    "a scalar": lambda: [Carry(s, s0, s * 2 + x.sum())],
    "a traced scalar": lambda: [Carry(s, s0, s * 2 + x.sum(), traced=True)],
    "taps": lambda: [Carry(a, a0, b), Carry(b, b0, c), Carry(c, c0, a + c * x)],
    "two that change places": lambda: [Carry(a, a0, b), Carry(b, b0, a)],
    "two with one next value": lambda: [Carry(a, a0, a + b), Carry(b, b0, a + b)],
    "one traced, one not": lambda: [Carry(a, a0, a + x, traced=True), Carry(b, b0, a + x)],
    "a carry that does not change": lambda: [Carry(a, a0, a), Carry(b, b0, b + a)],
    "a view as the next value": lambda: [Carry(a, a0, x[::-1]), Carry(b, b0, a[::-1])],
    "an outer value as the next one": lambda: [Carry(a, a0, c0 * 2), Carry(b, b0, a + b)],
    "a constant as the next value": lambda: [Carry(s, s0, T.constant(2.0)), Carry(a, a0, a * s)],
}


@pytest.mark.parametrize("name", LOOPS)
def test_carries(name: str, backend: str) -> None:
    carries = LOOPS[name]()
    loop = Loop(xs.shape[0], [(x, xs)], carries, outs=[x + carries[0].inside, x.max()]).close()
    wanted = [carry_of(loop, i) for i in range(len(carries))] + [out_of(loop, 0), out_of(loop, 1)]
    agree(wanted, given(), backend)
    agree([w_ * 2 for w_ in wanted], given(0), backend)


def test_results_that_nobody_reads_are_not_kept(backend: str) -> None:
    loop = Loop(xs.shape[0], [(x, xs)], [Carry(a, a0, a + x)], outs=[a * 2, T.exp(a)]).close()
    agree([out_of(loop, 1).sum()], given(), backend)
    agree([carry_of(loop, 0)], given(), backend)


def test_a_loop_within_a_loop(backend: str) -> None:
    inner = Loop(n, [], [Carry(b, a, b * 0.5 + x)], outs=[b.sum()]).close()
    carry = Carry(a, a0, carry_of(inner, 0), traced=True)
    loop = Loop(xs.shape[0], [(x, xs)], [carry], outs=[out_of(inner, 0)]).close()
    agree([carry_of(loop, 0), out_of(loop, 0)], given(), backend)


@pytest.mark.parametrize("limit", [-100.0, 0.0, 100.0])
def test_stopping(limit: float, backend: str) -> None:
    values = {**given(6), s0: np.array(0.0)}
    total = s + x.sum()
    carries = [Carry(s, s0, total), Carry(a, a0, a + x, traced=True)]
    loop = Loop(xs.shape[0], [(x, xs)], carries, outs=[x * 2], stop=total > limit).close()
    made = steps_of(loop)
    rows = slice_axes(out_of(loop, 0), [0], [0], [made], [1])
    agree([made, carry_of(loop, 0), rows, carry_of(loop, 1)[made]], values, backend)


def test_updates_of_shared_variables(backend: str) -> None:
    state = graphc.shared(np.ones(3), "state")
    loop = Loop(xs.shape[0], [(x, xs)], [Carry(a, state, a + x)]).close()
    f = graphc.function([xs], state.sum(), updates=[(state, carry_of(loop, 0))], backend=backend)
    rows = np.arange(12.0).reshape(4, 3)
    assert f(rows) == 3
    np.testing.assert_array_equal(state.get_value(), 1 + rows.sum(axis=0))
    assert f(rows) == 3 + rows.sum()


# -- branches -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_branches(sign: float, backend: str) -> None:
    shared_work = T.exp(a0)
    y = ifelse(s0 > 0, shared_work * 2, T.dot(w, b0) + shared_work)
    z = ifelse(s0 > 0, a0.sum(), y.max())
    agree([y, y + 1, z, z * 2], {**given(), s0: np.array(sign)}, backend)


def raises_if_touched(at: Node) -> Node:
    """Return a value that cannot be computed: an element that is not there."""
    return a0[at + 100]


@pytest.mark.parametrize("where", ["value", "vector", "argument", "nested"])
def test_what_is_not_chosen_is_not_touched(where: str, backend: str) -> None:
    bad = raises_if_touched(n)
    wanted = {
        "value": lambda: ifelse(s0 > 0, a0.sum(), bad),
        "vector": lambda: ifelse(s0 > 0, a0 * 2, a0 * bad),
        "argument": lambda: ifelse(s0 > 0, a0[0], T.exp(bad) + ifelse(n > 0, bad, s0)),
        "nested": lambda: ifelse(s0 > 0, ifelse(n > 0, a0, a0 + bad), b0 + bad),
    }[where]()
    f = graphc.function([s0, n, a0, b0], wanted, backend=backend, on_unused_input="ignore")
    vector = np.arange(3.0)
    f(1.0, 2, vector, vector)
    with pytest.raises(IndexError):
        f(-1.0, 2, vector, vector)


def test_branches_of_different_sizes(backend: str) -> None:
    y = ifelse(s0 > 0, a0[1:], xs[:, 0])
    for sign in (1.0, -1.0):
        agree([y, y.sum(), y.shape[0]], {**given(5), s0: np.array(sign)}, backend)


def test_a_branch_in_a_loop_is_lazy(backend: str) -> None:
    safe = ifelse(s < 2, s, a0[n + 50])
    loop = Loop(b0.shape[0], [(s, b0)], outs=[safe]).close()
    f = graphc.function([b0, a0, n], out_of(loop, 0), backend=backend)
    np.testing.assert_array_equal(f([0.0, 1.0], [1.0], 3), [0.0, 1.0])
    with pytest.raises(IndexError):
        f([0.0, 3.0], [1.0], 3)


def test_a_loop_in_a_branch_is_lazy(backend: str) -> None:
    loop = Loop(n, [], [Carry(s, s0, s * a0[n + 50])]).close()
    f = graphc.function([s0, n, a0], ifelse(s0 > 0, s0, carry_of(loop, 0)), backend=backend)
    assert f(2.0, 3, [1.0]) == 2.0
    with pytest.raises(IndexError):
        f(-2.0, 3, [1.0])


def test_an_update_in_a_branch(backend: str) -> None:
    state = graphc.shared(np.zeros(3), "state")
    new = ifelse(s0 > 0, state + a0, state)
    f = graphc.function([s0, a0], state.sum(), updates=[(state, new)], backend=backend)
    for sign in (1.0, -1.0, 1.0):
        f(sign, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(state.get_value(), [2.0, 4.0, 6.0])


def test_a_hundred_thousand_steps() -> None:
    loop = Loop(n, [], [Carry(s, s0, s * 0.5 + 1)]).close()
    f = graphc.function([n, s0], carry_of(loop, 0))
    np.testing.assert_allclose(f(100_000, 5.0), 2.0)
