"""Loops that the procedures on loops apply to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import graphc.tensor as T
from graphc.ir.node import Node, const, input_node
from graphc.ir.replace import substitute
from graphc.ir.types import TensorType
from graphc.ops.control import Carry, Loop, carry_of, out_of, steps_of
from graphc.ops.index import scatter_add
from graphc.ops.parts import join, slice_axes


def _input(*shape: int | None) -> Node:
    return input_node(TensorType("float64", shape))


xs, batches, weights, square = _input(6, 3), _input(6, 2, 3), _input(3, 4), _input(3, 3)
start, rows, scale, column = _input(3), _input(2, 3), _input(), _input(3, 1)
unsized = _input(None, 3)
x, h, b, r, q, a = _input(3), _input(3), _input(2, 3), _input(2, 3), _input(4), _input()
tall = _input(3, 4)


def recurrence(count: Node | int = 6, traced: bool = False, sequence: Node = xs) -> Node:
    following = T.tanh(x * scale + T.dot(h, square))
    carry = Carry(h, start, following, traced)
    return Loop(_count(count), [(x, sequence)], [carry], outs=[following]).close()


def _count(count: Node | int) -> Node:
    return count if isinstance(count, Node) else const(count)


def stepwise(out: Node, element: Node = x, sequence: Node = xs) -> Node:
    """A loop that carries something besides, so that it stays one."""
    carry = Carry(h, start, T.sin(h) + start)
    return out_of(Loop(const(6), [(element, sequence)], [carry], outs=[out]).close(), 0)


def total(term: Node, first: Node, element: Node = x, sequence: Node = xs) -> Node:
    """The sum of a term over the steps of a loop that carries a vector and a matrix besides."""
    acc = input_node(first.type)
    carries = [
        Carry(acc, first, acc + term),
        Carry(h, start, T.sin(h) * 0.9 + start),
        Carry(r, rows, T.cos(r) + h),
    ]
    return carry_of(Loop(const(6), [(element, sequence)], carries).close(), 0)


LOOPS: dict[str, list[Callable[[], Node]]] = {
    "count_of_steps": [lambda: steps_of(recurrence()) + 0],
    "last_only": [
        lambda: out_of(recurrence(), 0)[-1],
        lambda: out_of(recurrence(traced=True), 0)[5] * 2,
        lambda: out_of(recurrence(unsized.shape[0], sequence=unsized), 0)[-1],
    ],
    "last_of_trace": [
        lambda: carry_of(recurrence(traced=True), 0)[-1],
        lambda: slice_axes(
            carry_of(recurrence(unsized.shape[0], True, unsized), 0),
            [0],
            [unsized.shape[0]],
            [1],
            [1],
        ),
    ],
    "unroll": [
        lambda: carry_of(recurrence(3), 0),
        lambda: out_of(recurrence(4), 0) * 2,
        lambda: carry_of(recurrence(2, traced=True), 0),
        lambda: carry_of(recurrence(0), 0),
        lambda: carry_of(recurrence(0, traced=True), 0),
        lambda: out_of(recurrence(0), 0),
        lambda: out_of(Loop(const(2), [(x, xs)], outs=[x * 2]).close(), 0),
    ],
    "read_backwards": [
        lambda: stepwise(T.sin(x) * h, x, xs[::-1]),
        lambda: carry_of(recurrence(5, sequence=xs[:-1][::-1]), 0),
        lambda: stepwise(T.sin(x) * h, x, join(0, [xs, xs])[7::-1]),
    ],
    "hoist_invariants": [
        lambda: carry_of(_with_invariant(), 0),
        lambda: out_of(_with_invariant(), 0),
    ],
    "hoist_maps": [
        lambda: stepwise(T.dot(x, weights) * h.sum()),
        lambda: stepwise(T.dot(square, x) + h),
        lambda: stepwise(T.dot(b, weights) + h.sum(), b, batches),
        lambda: stepwise(T.dot(weights.T, b.T) * h[0], b, batches),
        lambda: stepwise(T.exp(x) * h + x.sum()),
        lambda: stepwise(T.dot(x, weights) * h.sum(), x, xs[::-1]),
        lambda: stepwise(T.nnet.softmax(b) + h, b, batches),
    ],
    "hoist_outputs": [
        lambda: stepwise(h * 2 + x),
        lambda: stepwise(T.dot(T.sin(h) + start, weights)),
        lambda: stepwise(T.exp(T.dot(x, weights)) * scale),
        lambda: stepwise(T.dot(x, x)),
        lambda: out_of(Loop(const(6), [(x, xs)], outs=[T.dot(x, weights) * scale]).close(), 0),
    ],
    "hoist_sums": [
        lambda: total(T.dot(b.T, r), square, b, batches),
        lambda: total(T.dot(b.T * 2, T.cos(r)), square, b, batches),
        lambda: total(T.dot(column * h, weights), tall),
        lambda: total(x.dimshuffle(0, "x") * h.dimshuffle("x", 0), square),
        lambda: total(-(h.dimshuffle("x", 0) * x.dimshuffle(0, "x")) * scale, square),
        lambda: total(r.sum(axis=0), start),
        lambda: total(r.sum(axis=0).dimshuffle("x", 0), rows),
        lambda: total(T.dot(x, h), scale),
        lambda: total(T.dot(x, r.T), _input(2)),
        lambda: total(T.dot(r.T, x[:2]), start),
        lambda: total(T.dot(square, h), start),
        lambda: total(T.dot(h, square) + x * scale, start),
        lambda: _kept_anyway(),
        lambda: _embedded(r),
        lambda: _embedded(-T.exp(r) * scale + column[:2]),
        lambda: total(T.exp(x) - r.sum(axis=0) / scale + h * x, start),
    ],
}


def _with_invariant() -> Node:
    step = T.exp(square * scale) + 1
    carry = Carry(h, start, T.dot(h, step))
    loop = Loop(const(6), [(x, xs)], [carry], outs=[h + T.dot(start, square)])
    inside = input_node(square.type), input_node(scale.type), input_node(start.type)
    replace = dict(zip((square, scale, start), inside, strict=True))
    loop.constants = [(leaf, outer) for outer, leaf in replace.items()]
    loop.results = substitute(loop.results, replace)
    return loop.close()


def _kept_anyway() -> Node:
    """A sum of what is put out as well."""
    acc, following = input_node(start.type), T.sin(h) + x
    carries = [Carry(acc, start, acc - following), Carry(h, start, following)]
    node = Loop(const(6), [(x, xs)], carries, outs=[following]).close()
    return carry_of(node, 0) * out_of(node, 0)


def _embedded(value: Node) -> Node:
    """A sum into which each step adds at places of its own."""
    places, given = (
        T.lvector("places"),
        const(np.array([[0, 2], [1, 1], [2, 0], [0, 0], [1, 2], [2, 2]])),
    )
    acc = input_node(square.type)
    carries = [
        Carry(acc, square, scatter_add(acc, value, [places]) + x),
        Carry(r, rows, T.cos(r)),
    ]
    return carry_of(Loop(const(6), [(places, given), (x, xs)], carries).close(), 0)
