"""Gradients through what `scan` builds, against finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.gradient import grad_clip
from graphc.ir.walk import toposort
from graphc.ops.custom import inlined
from graphc.rewrite.pipeline import simplify
from harness import evaluate, numeric_gradients

xs, h0, w = T.dvector("xs"), T.dscalar("h0"), T.dscalar("w")
VALUES = {xs: np.array([0.5, -1.0, 0.7, 0.25]), h0: np.array(0.3), w: np.array(0.8)}


def check(cost: Any, values: dict[Any, Any] = VALUES) -> None:
    """Compare gradients by all inputs with finite differences."""
    leaves = list(values)
    found = evaluate(graphc.grad(cost, leaves, disconnected_inputs="ignore"), values)
    expected = numeric_gradients(
        lambda arrays: float(evaluate(cost, dict(zip(leaves, arrays, strict=True)))[0]),
        [np.array(values[leaf]) for leaf in leaves],
        range(len(leaves)),
    )
    for leaf, one, other in zip(leaves, found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8, err_msg=str(leaf))


def rnn(x: Any, h: Any) -> Any:
    return T.tanh(x + w * h)


def test_by_sequences_states_and_constants() -> None:
    out, _ = graphc.scan(rnn, xs, h0)
    check((out**2).sum())
    check(out[-1])


@pytest.mark.parametrize("options", [dict(go_backwards=True), dict(n_steps=2), dict(n_steps=0)])
def test_of_loops_of_every_kind(options: dict[str, Any]) -> None:
    out, _ = graphc.scan(rnn, xs, h0, **options)
    check((out**2).sum() + 0 * w * h0 * xs.sum())


def test_through_taps() -> None:
    first = T.dvector("first")
    out, _ = graphc.scan(
        lambda before, x, old, last: T.sin(w * old + last * x * before),
        dict(input=xs, taps=[-1, 0]),
        dict(initial=first, taps=[-2, -1]),
    )
    check((out * T.arange(1.0, 4.0)).sum(), {**VALUES, first: np.array([0.2, 0.9])})


def test_through_a_loop_that_stops() -> None:
    out, _ = graphc.scan(lambda x, h: (rnn(x, h), graphc.until(x > 0.6)), xs, h0)
    check((out**3).sum())


def test_through_updates() -> None:
    s = graphc.shared(0.4, "s")
    out, updates = graphc.scan(lambda x: (x * s, {s: T.sin(s) + x}), xs)
    check((out**2).sum() + updates[s], {xs: VALUES[xs], s: np.array(0.4)})


def test_through_the_plain_form() -> None:
    final, ys = graphc.loop(lambda h, x: (rnn(x, h), x * h), h0, xs)
    check(final**2 + T.sin(ys).sum())


@pytest.mark.parametrize("every", [1, 2, 3, 4, 7])
def test_with_checkpoints(every: int) -> None:
    final, ys = graphc.loop(lambda h, x: (rnn(x, h), x * h), h0, xs, checkpoint_every=every)
    check(final**2 + T.sin(ys).sum())
    out, _ = graphc.scan(rnn, xs, h0, checkpoint_every=every)
    check((out**2).sum())
    last, _ = graphc.foldr(rnn, xs, h0, checkpoint_every=every)
    check(last**2)


def test_truncated_gradients_stop() -> None:
    def gradients(length: int) -> list[np.ndarray]:
        out, _ = graphc.scan(rnn, xs, h0, truncate_gradient=length)
        return evaluate(graphc.grad((out**2).sum(), [xs, h0, w]), VALUES)

    full = gradients(-1)
    for long in (4, 9):
        for one, other in zip(gradients(long), full, strict=True):
            np.testing.assert_allclose(one, other)
    short = gradients(2)
    assert short[1] == 0 and not short[0][:2].any()
    h = [0.3]
    for x in VALUES[xs]:
        h.append(float(np.tanh(x + 0.8 * h[-1])))
    last = 2 * h[4] * (1 - h[4] ** 2)
    before = (2 * h[3] + last * 0.8) * (1 - h[3] ** 2)
    np.testing.assert_allclose(short[0][2:], [before, last])
    np.testing.assert_allclose(short[2], last * h[3] + before * h[2])


def test_of_the_third_order() -> None:
    out, _ = graphc.scan(rnn, xs, h0)
    g = graphc.grad(out[-1], w)
    g = graphc.grad(g, w)
    check(g)


def test_a_gradient_inside_of_the_function() -> None:
    def step(p: Any) -> Any:
        cost = T.sin(p * w) ** 2
        return p - 0.1 * graphc.grad(cost, p)

    out, _ = graphc.scan(step, outputs_info=h0, n_steps=3)
    p = 0.3
    for _ in range(3):
        p = p - 0.1 * 2 * np.sin(p * 0.8) * np.cos(p * 0.8) * 0.8
    np.testing.assert_allclose(evaluate(out[-1], VALUES)[0], p)
    check(out[-1], {h0: VALUES[h0], w: VALUES[w]})


def test_gradients_that_users_choose_inside_of_a_loop() -> None:
    out, _ = graphc.scan(lambda x, h: grad_clip(h * 3 + x, -1, 1), xs, h0)
    (g,) = evaluate(graphc.grad(5 * out[-1], [xs]), VALUES)
    np.testing.assert_allclose(g, [1, 1, 1, 1])
    (inside,) = inlined([out])
    bodies = [n.attrs["body"].results for n in toposort([inside]) if n.op.name == "scan"]
    assert bodies and not any(n.op.name == "grad_clip" for one in bodies for n in toposort(one))
    np.testing.assert_allclose(*(evaluate([out, inside], VALUES)))


def rows_kept(results: list[Any]) -> int:
    """Return how many rows the loops of a program keep at most, in a loop and the one around it."""

    def rows(nodes: Any) -> int:
        own = [0]
        for node in nodes:
            if node.op.name == "scan":
                kinds = [k for k in node.type.items if k.ndim > 1]
                inner = rows(toposort(node.attrs["body"].results))
                own.append(max([inner, *(int(np.prod(k.shape[:-1])) for k in kinds if k.shape[0])]))
        return max(own)

    return rows(toposort(results))


def test_checkpoints_keep_the_square_root_of_states() -> None:
    start = T.tensor("float64", (50,), "start")
    for every, most in ((None, 901), (30, 31)):
        final, _ = graphc.loop(
            lambda h: (T.tanh(h * w), None), start, n_steps=900, checkpoint_every=every
        )
        gradient = T.grad(final.sum(), start)
        assert rows_kept([gradient]) == rows_kept(simplify([gradient])) == most
