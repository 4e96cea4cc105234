"""What programs become: how many steps, how many buffers, what is written in place."""

from __future__ import annotations

import numpy as np

import graphc
import graphc.tensor as T
from graphc.lower.program import Call, Launch, Role


def launches(f: graphc.CompiledFunction) -> list[Launch]:
    return [step for step in f.program.steps if isinstance(step, Launch)]


def training_step() -> graphc.CompiledFunction:
    x, y = T.dmatrix("x"), T.dvector("y")
    w = graphc.shared(np.zeros(30), name="w")
    b = graphc.shared(0.0, name="b")
    p = 1 / (1 + T.exp(-T.dot(x, w) - b))
    loss = T.nnet.binary_crossentropy(p, y).mean() + 0.01 * T.sum(w**2)
    gw, gb = T.grad(loss, [w, b])
    return graphc.function(
        [x, y], [p, loss], updates=[(w, w - 0.1 * gw), (b, b - 0.1 * gb)], name="train"
    )


def test_the_training_step_is_two_products_and_two_groups() -> None:
    train = training_step()
    calls = [step.node.op.name for step in train.program.steps if isinstance(step, Call)]
    assert calls == ["dot", "dot"]
    assert len(launches(train)) == 2
    roles = [buffer.role for buffer in train.program.buffers.values()]
    assert roles.count(Role.IN_PLACE) == 1
    assert roles.count(Role.OUTPUT) == 1
    assert len(train.program.temporaries) == 2


def test_a_chain_is_one_group_that_reuses_the_output() -> None:
    a, b, c, d = T.dmatrices("a", "b", "c", "d")
    f = graphc.function([a, b, c, d], (a + b - c) * d)
    (launch,) = launches(f)
    assert len(launch.group.members) == 3
    assert f.program.temporaries == []
    assert "pool" not in f.source


def test_broadcasting_does_not_separate_groups() -> None:
    x, v = T.dmatrix("x"), T.dvector("v")
    f = graphc.function([x, v], T.tanh(x * v + v.dimshuffle("x", 0)))
    assert len(launches(f)) == 1


def test_a_value_between_two_products_is_a_group_of_its_own() -> None:
    x, w = T.dmatrices("x", "w")
    f = graphc.function([x, w], T.dot(T.tanh(T.dot(x, w)), w))
    assert [type(step) for step in f.program.steps] == [Call, Launch, Call]
    assert len(f.program.temporaries) == 1  # tanh is written over the first product


def test_groups_are_not_merged_around_a_third() -> None:
    x = T.dvector("x")
    y = T.tanh(x)
    total = y.sum()
    f = graphc.function([x], [y / total, y * 2])
    spaces = [launch.group for launch in launches(f)]
    assert len(spaces) == 2
    value = np.array([0.0, 1.0, 2.0])
    first, second = f(value)
    np.testing.assert_allclose(first, np.tanh(value) / np.tanh(value).sum())
    np.testing.assert_allclose(second, np.tanh(value) * 2)


def test_no_update_is_in_place_when_the_old_value_is_read_later() -> None:
    w = graphc.shared(np.ones((3, 3)), "w")
    x = T.dmatrix("x")
    f = graphc.function([x], T.dot(x, w.T), updates=[(w, w * 2)])
    np.testing.assert_allclose(f(np.eye(3)), np.ones((3, 3)))
    np.testing.assert_allclose(w.get_value(), 2.0)
    g = graphc.function([], w.T, updates=[(w, w + 1)])
    np.testing.assert_allclose(g(), 2.0)
    np.testing.assert_allclose(w.get_value(), 3.0)


def test_no_update_is_in_place_when_it_reads_other_elements() -> None:
    w = graphc.shared(np.arange(5.0), "w")
    f = graphc.function([], updates=[(w, w[::-1] + w)])
    f()
    np.testing.assert_allclose(w.get_value(), 4.0)


def test_dead_buffers_are_used_again() -> None:
    x = T.dmatrix("x")
    y = x
    for _ in range(10):
        y = T.dot(T.tanh(y), x)
    f = graphc.function([x], y.sum())
    assert len(f.program.temporaries) <= 3
    value = np.random.default_rng(0).normal(size=(4, 4)) / 4
    expected = value
    for _ in range(10):
        expected = np.tanh(expected) @ value
    np.testing.assert_allclose(f(value), expected.sum())


def test_reductions_over_different_axes_do_not_share_a_group() -> None:
    x = T.dmatrix("x")
    f = graphc.function([x], [x.sum(axis=0), x.sum(axis=1), (x * 2).sum(axis=0)])
    assert all(len({n.attrs["axes"] for n in one.group.reductions}) <= 1 for one in launches(f))
    value = np.arange(6.0).reshape(2, 3)
    for got, expected in zip(f(value), [value.sum(0), value.sum(1), value.sum(0) * 2], strict=True):
        np.testing.assert_allclose(got, expected)
