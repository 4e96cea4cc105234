"""What leaves a loop and what stays, and what whole programs become."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import graphc.tensor as T
from graphc.config import config
from graphc.gradient import grad
from graphc.ir.node import Node, const
from graphc.ir.op import OPS, Kind
from graphc.ir.verify import verify
from graphc.ir.walk import toposort
from graphc.ops import batch_rules
from graphc.ops.control import Carry, Loop, carry_of, ifelse, out_of, steps_of
from graphc.rewrite.engine import Firing
from graphc.rewrite.pipeline import simplify
from graphc.viz.labels import Labels
from graphc.viz.rewrites import rewrites
from harness import evaluate

xs, x = T.dmatrix("xs"), T.dvector("x")
h, h0, w, u = T.dvector("h"), T.dvector("h0"), T.dmatrix("w"), T.dmatrix("u")
pages, page, total = T.dtensor3("pages"), T.dmatrix("page"), T.dmatrix("total")
c, c0, cs = T.dscalar("c"), T.dscalar("c0"), T.dvector("cs")
RNG = np.random.default_rng(5)
AT: dict[Node, Any] = {
    xs: RNG.normal(size=(7, 3)),
    h0: RNG.normal(size=3),
    w: RNG.normal(size=(3, 3)),
    u: RNG.normal(size=(3, 3)),
    cs: RNG.normal(size=7),
    pages: RNG.normal(size=(7, 2, 3)),
    c0: np.float64(0.3),
}


def loops(results: Sequence[Node]) -> list[Node]:
    return [node for node in toposort(results) if node.op is OPS["scan"]]


def inside(loop: Node) -> Counter[str]:
    return Counter(node.op.name for node in toposort(loop.attrs["body"].results))


def outside(results: Sequence[Node]) -> Counter[str]:
    return Counter(node.op.name for node in toposort(results))


def check(results: Sequence[Node]) -> tuple[list[Node], list[str]]:
    """Return simplified results and the names of what fired, having compared the values."""
    log: list[Firing] = []
    found = simplify(results, log=log)
    verify(found)
    below = set(toposort(results))
    given = {leaf: value for leaf, value in AT.items() if leaf in below}
    for one, other in zip(evaluate(found, given), evaluate(results, given), strict=True):
        np.testing.assert_allclose(one, other, 1e-10, 1e-10)
    assert simplify(found) == found
    return found, [firing.rule.name for firing in log]


def recurrence(**more: Any) -> Loop:
    following = T.tanh(T.dot(x, w) + T.dot(h, u))
    return Loop(xs.shape[0], [(x, xs)], [Carry(h, h0, following)], outs=[following], **more)


# -- one rule after the other ---------------------------------------------------------------------


def test_products_with_elements_are_one_product() -> None:
    found, fired = check([out_of(recurrence().close(), 0)])
    (loop,) = loops(found)
    assert inside(loop)["dot"] == 1 and outside(found)["dot"] == 1
    assert "hoist_maps" in fired


def test_memory_bounds_what_is_kept() -> None:
    wide = T.TensorType("float64", (7, 3))("wide")
    weights = T.TensorType("float64", (3, 50))("weights")
    step = T.dot(x, weights).sum() * h
    node = Loop(const(7), [(x, wide)], [Carry(h, h0, step)]).close()
    (moved,) = simplify([carry_of(node, 0)])
    with config.set(loop_memory=7 * 8):
        (less,) = simplify([carry_of(node, 0)])
    with config.set(loop_memory=7 * 8 - 1):
        (kept,) = simplify([carry_of(node, 0)])
    assert "dot" not in inside(loops([moved])[0])
    assert "dot" not in inside(loops([less])[0])  # of each product only the sum is kept
    assert inside(loops([kept])[0])["dot"] == 1


def test_memory_bounds_sums_too() -> None:
    acc, first = T.dmatrix("acc"), T.TensorType("float64", (3, 3))("first")
    y, ys = T.TensorType("float64", (3,))("y"), T.TensorType("float64", (9, 3))("ys")
    state, begin = T.TensorType("float64", (3,))("state"), T.TensorType("float64", (3,))("begin")
    term = T.outer(T.exp(state), y)
    carries = [Carry(acc, first, acc + term), Carry(state, begin, T.exp(state) * 0.1 + y)]
    node = Loop(const(9), [(y, ys)], carries).close()
    (moved,) = simplify([carry_of(node, 0)])
    with config.set(loop_memory=8):
        (kept,) = simplify([carry_of(node, 0)])
    assert loops([moved])[0].attrs["n_carry"] == 1
    assert loops([kept])[0].attrs["n_carry"] == 2


def test_what_only_a_branch_needs_is_not_computed_before() -> None:
    taken = ifelse(c > 0, T.exp(T.dot(T.exp(w), h)), h + T.exp(T.dot(x, w)))
    loop = Loop(cs.shape[0], [(c, cs), (x, xs)], [Carry(h, h0, taken * 0.1)], outs=[taken])
    found, _ = check([carry_of(loop.close(), 0), out_of(loop.close(), 0)])
    assert "dot" not in outside(found) and "exp" not in outside(found)


def test_elements_that_may_not_be_reached_are_left_alone() -> None:
    loop = recurrence(stop=x.sum() > 100)
    found, fired = check([carry_of(loop.close(), 0), steps_of(loop.close())])
    assert inside(loops(found)[0])["dot"] == 2
    assert not {"hoist_maps", "hoist_outputs"} & set(fired)


def test_invariants_leave_a_loop_that_stops() -> None:
    leaf = T.dmatrix("leaf")
    loop = Loop(xs.shape[0], [(x, xs)], [Carry(h, h0, T.dot(h, T.exp(leaf) * 0.1))])
    loop.constants.append((leaf, w))
    loop.stop = x.sum() > 100
    found, fired = check([carry_of(loop.close(), 0)])
    assert "exp" not in inside(loops(found)[0]) and "hoist_invariants" in fired


def test_what_has_no_form_for_all_steps_at_once_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(batch_rules.RULES, "cumsum", lambda one: None)  # one after the other, then
    step = T.cumsum(x)
    first = Loop(xs.shape[0], [(x, xs)], [Carry(h, h0, T.sin(h) + step)], outs=[step * 2])
    acc = Loop(xs.shape[0], [(x, xs)], [Carry(h, h0, h + step)])
    found, _ = check(
        [out_of(first.close(), 0), carry_of(first.close(), 0), carry_of(acc.close(), 0)]
    )
    assert sum(inside(loop)["cumsum"] for loop in loops(found)) >= 2


def test_what_follows_the_state_is_computed_after() -> None:
    following = T.tanh(x + T.dot(h, u))
    loop = Loop(xs.shape[0], [(x, xs)], [Carry(h, h0, following)], outs=[T.dot(following, w)])
    found, fired = check([out_of(loop.close(), 0)])
    assert inside(loops(found)[0])["dot"] == 1 and outside(found)["dot"] == 1
    assert "hoist_outputs" in fired


def test_a_loop_without_state_is_no_loop() -> None:
    loop = Loop(xs.shape[0], [(x, xs)], outs=[T.nnet.softmax(T.dot(x, w)), x.sum()])
    found, _ = check([out_of(loop.close(), 0), out_of(loop.close(), 1), steps_of(loop.close())])
    assert not loops(found)


def test_a_sum_over_steps_is_no_loop() -> None:
    loop = Loop(xs.shape[0], [(x, xs)], [Carry(c, c0, c + T.dot(x, T.dot(w, x)))])
    found, _ = check([carry_of(loop.close(), 0)])
    assert not loops(found)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_of_products_of_elements_is_one_product(sign: int) -> None:
    """Not the products of all steps, which are then summed."""
    added = total + sign * T.dot(page.T, T.tanh(page))
    loop = Loop(pages.shape[0], [(page, pages)], [Carry(total, w, added)])
    found, _ = check([carry_of(loop.close(), 0)])
    assert not loops(found)
    assert outside(found)["dot"] == 1 and not outside(found)["matmul"]


def test_only_the_last_row_is_not_kept() -> None:
    node = recurrence().close()
    found, _ = check([out_of(node, 0)[-1]])
    (loop,) = loops(found)
    assert len(loop.attrs["body"].results) == 1 and not any(loop.attrs["traced"])


def test_the_last_row_of_a_trace() -> None:
    loop = recurrence()
    loop.carries[0].traced = True
    found, _ = check([carry_of(loop.close(), 0)[-1]])
    assert not any(loops(found)[0].attrs["traced"])


def test_what_nothing_uses_goes() -> None:
    unused = Carry(c, c0, T.cos(c) * x.sum())
    loop = recurrence()
    loop.carries.append(unused)
    loop.outs += [T.exp(h)]
    loop.sequences.append((T.dscalar(), cs))
    found, fired = check([out_of(loop.close(), 0)])
    (loop_,) = loops(found)
    assert not {"cos", "exp"} & set(inside(loop_))
    assert (loop_.attrs["n_seq"], loop_.attrs["n_carry"]) == (1, 1)
    assert "drop_dead" in fired


def test_values_that_only_another_state_needs_are_not_kept() -> None:
    k = T.dvector("k")
    carries = [
        Carry(h, h0, T.tanh(h + k) * x, traced=True),
        Carry(k, h0, T.sin(h + k), traced=True),
    ]
    node = Loop(xs.shape[0], [(x, xs)], carries).close()
    found, _ = check([carry_of(node, 1)])
    assert loops(found)[0].attrs["traced"] == (False, True)


def test_what_is_there_is_not_kept_again() -> None:
    loop = recurrence()
    loop.carries[0].traced = True
    loop.outs += [h, x, loop.outs[0], w]
    node = loop.close()
    found, _ = check([carry_of(node, 0), *(out_of(node, i) for i in range(5))])
    assert len(loops(found)[0].attrs["body"].results) == 1


def test_carries_that_are_alike_are_one() -> None:
    twin = T.dvector("twin")
    carries = [Carry(h, h0, T.sin(h) * x), Carry(twin, h0, T.sin(twin) * x)]
    node = Loop(xs.shape[0], [(x, xs)], carries, outs=[h + twin]).close()
    found, _ = check([carry_of(node, 0), carry_of(node, 1), out_of(node, 0)])
    assert loops(found)[0].attrs["n_carry"] == 1


def test_a_carry_that_stays_is_a_constant() -> None:
    still = T.dvector("still")
    carries = [Carry(h, h0, T.sin(h) * still + x), Carry(still, w[0], still)]
    node = Loop(xs.shape[0], [(x, xs)], carries).close()
    found, _ = check([carry_of(node, 0), carry_of(node, 1)])
    assert loops(found)[0].attrs["n_carry"] == 1


def test_a_number_repeated_is_not_a_sequence() -> None:
    ones = T.ones((xs.shape[0], h0.shape[0]))
    node = Loop(xs.shape[0], [(x, ones)], [Carry(h, h0, T.sin(h) * x)]).close()
    found, _ = check([carry_of(node, 0)])
    (loop,) = loops(found)
    assert loop.attrs["n_seq"] == 0 and inside(loop)["mul"] == 0


def test_equal_loops_are_one() -> None:
    first, second = recurrence(), recurrence()
    second.outs = [second.carries[0].following * 3, x]
    second.carries[0].traced = True
    found, fired = check(
        [
            out_of(first.close(), 0),
            carry_of(first.close(), 0),
            out_of(second.close(), 0),
            carry_of(second.close(), 0),
        ]
    )
    assert len(loops(found)) == 1 and "merge_scans" in fired


def test_loops_of_which_one_needs_the_other_stay_two() -> None:
    first = recurrence().close()
    leaf = T.dvector("leaf")
    following = T.tanh(T.dot(leaf, w) + T.dot(h, u))
    second = Loop(xs.shape[0], [(leaf, out_of(first, 0))], [Carry(h, h0, following)]).close()
    found, _ = check([out_of(first, 0), carry_of(second, 0)])
    assert len(loops(found)) == 2


def test_few_steps_are_written_out() -> None:
    for count in range(7):
        loop = recurrence()
        loop.count, loop.carries[0].traced = const(count), True
        node = loop.close()
        found, _ = check([out_of(node, 0), carry_of(node, 0), steps_of(node)])
        assert len(loops(found)) == (count > 4)


def test_loops_in_loops_are_simplified_too() -> None:
    inner = Loop(cs.shape[0], [(c, cs)], [Carry(x, h, T.tanh(x * c + T.dot(T.exp(h0), w)))])
    inner.outs = [T.cos(x)]
    y = T.dvector("y")
    outer = Loop(xs.shape[0], [(y, xs)], [Carry(h, h0, carry_of(inner.close(), 0) + y)])
    found, _ = check([carry_of(outer.close(), 0)])
    (loop,) = loops(found)
    (within,) = loops(loop.attrs["body"].results)
    assert len(within.attrs["body"].results) == 1
    assert not {"exp", "dot"} & (set(inside(loop)) | set(inside(within)))


# -- recurrent networks ---------------------------------------------------------------------------

BATCH, WIDTH, HIDDEN = 2, 3, 4


def network(kind: str) -> tuple[Node, list[Node], dict[Node, Any]]:
    """Return the cost of a recurrent network, its weights, and values for all."""
    gates = 4 if kind.startswith("lstm") else 1
    rng = np.random.default_rng(0)
    data = T.TensorType("float64", (None, None, None))("data")
    shapes = [(WIDTH, gates * HIDDEN), (HIDDEN, gates * HIDDEN), (gates * HIDDEN,)]
    inputs, recurrent, bias = (
        T.TensorType("float64", (None,) * len(shape))(name)
        for name, shape in zip(("W", "U", "b"), shapes, strict=True)
    )
    given: dict[Node, Any] = {data: rng.normal(size=(6, BATCH, WIDTH))}
    weights = [inputs, recurrent, bias]
    given.update({leaf: rng.normal(size=s) for leaf, s in zip(weights, shapes, strict=True)})
    step, state, memory = T.dmatrix("step"), T.dmatrix("state"), T.dmatrix("memory")
    zeros = T.zeros((data.shape[1], recurrent.shape[0]))
    z = T.dot(step, inputs) + T.dot(state, recurrent) + bias
    if gates == 1:
        carries = [Carry(state, zeros, T.tanh(z))]
    else:
        if kind == "lstm, split":
            parts = [z.reshape((z.shape[0], 4, HIDDEN))[:, k] for k in range(4)]
        else:
            parts = [z[:, k * HIDDEN : (k + 1) * HIDDEN] for k in range(4)]
        i, f, o = map(T.nnet.sigmoid, parts[:3])
        kept = f * memory + i * T.tanh(parts[3])
        carries = [Carry(state, zeros, o * T.tanh(kept)), Carry(memory, zeros, kept)]
    node = Loop(data.shape[0], [(step, data)], carries, outs=[carries[0].following]).close()
    return T.sqr(out_of(node, 0)).mean(), weights, given


def calls(loop: Node) -> Counter[str]:
    """Return the routines that each step of a loop calls."""
    nodes = toposort(loop.attrs["body"].results)
    return Counter(node.op.name for node in nodes if node.op.kind is Kind.CALL)


@pytest.mark.parametrize("kind", ["tanh", "lstm", "lstm, split"])
def test_a_training_step_has_one_product_in_each_loop(kind: str) -> None:
    cost, weights, given = network(kind)
    updates = [p - 0.1 * g for p, g in zip(weights, grad(cost, weights), strict=True)]
    log: list[Firing] = []
    found = simplify([cost, *updates], log=log)
    verify(found)
    for one, other in zip(evaluate(found, given), evaluate([cost, *updates], given), strict=True):
        np.testing.assert_allclose(one, other, 1e-9, 1e-9)
    forward, backward = loops(found)
    assert calls(forward)["dot"] == calls(backward)["dot"] == 1
    assert outside(found)["dot"] == 3  # of the data, and for the gradients of W and of U
    assert outside(found)["sum"] == 2  # of the cost, and for the gradient of b
    names = inside(backward)
    assert not {"tanh", "sigmoid", "exp", "sum"} & set(names)
    carried = 1 if kind == "tanh" else 2
    assert forward.attrs["n_carry"] == backward.attrs["n_carry"] == carried
    assert forward.attrs["n_seq"] == 1
    extra = set(calls(backward)) - {"dot"}
    assert extra <= {"put", "join"}
    reasons = {f.rule.name: f.rule.doc for f in log if f.phase == "loops"}
    assert {"merge_scans", "hoist_maps", "hoist_sums"} <= reasons.keys()
    assert all(reasons.values())


def test_explain_says_what_happened_to_loops() -> None:
    cost, weights, _ = network("tanh")
    text = simplify_report([cost, *grad(cost, weights)])
    for name in ("merge_scans", "hoist_maps", "hoist_sums", "drop_dead"):
        assert name in text


def simplify_report(results: Sequence[Node]) -> str:
    log: list[Firing] = []
    simplify(results, log=log)
    return "\n".join(rewrites(log, Labels()))
