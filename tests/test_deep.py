"""Graphs 10,000 deep and 10,000 wide, through every entry point, with little of Python's stack.

No function recurses along the inputs of a node; here the recursion limit is lowered so far that
one which did would fail at once.
"""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import sys
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.gradient import grad
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.printer import assignments, label, pp, tree
from graphc.ir.replace import substitute
from graphc.ir.shapes import Sizes, sizes
from graphc.ir.verify import verify
from graphc.ir.walk import toposort
from graphc.rewrite.pipeline import simplify
from harness import evaluate

N = 10_000
FRAMES = 150  # Python frames left to whatever is tested

x = T.dvector("x")
VALUE = np.linspace(-1.0, 1.0, 5)


@pytest.fixture(autouse=True)
def little_stack() -> Iterator[None]:
    old = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + FRAMES)
    try:
        yield
    finally:
        sys.setrecursionlimit(old)


def chain(start: Node, length: int = N) -> Node:
    """Return a graph of ``length`` nodes, each the input of the next."""
    node = start
    for i in range(length):
        node = T.tanh(node) if i % 2 else T.sin(node)
    return node


def ladder(start: Node, length: int = N) -> Node:
    """Return a graph in which each node is used twice: 2 ** length paths from top to bottom."""
    node = start
    for _ in range(length // 3):
        node = T.tanh(node * node + start)
    return node


def fan(start: Node, width: int = N) -> Node:
    """Return a sum of ``width`` different terms, added in pairs, pairs of pairs and so on."""
    terms = [T.sin(start * float(i)) for i in range(width)]
    while len(terms) > 1:
        terms = [T.add(*terms[i : i + 2]) for i in range(0, len(terms), 2)]
    return terms[0]


GRAPHS = {"deep": chain, "ladder": ladder, "wide": fan}


@pytest.fixture(params=GRAPHS)
def graph(request: pytest.FixtureRequest) -> Node:
    return GRAPHS[request.param](x)  # type: ignore[no-any-return]


def test_walks(graph: Node) -> None:
    order = toposort([graph])
    assert len(order) >= N - 1
    verify([graph])
    assert sizes(graph) == sizes(x)
    assert Sizes([graph], lambda node: node).guards == []


def test_printing_is_bounded(graph: Node) -> None:
    assert len(repr(graph)) < 1000
    assert len(label(graph)) < 1000
    assert len(pp(graph, 3)) < 200
    assert len(assignments([graph]).split("\n")) >= N - 3
    assert len(tree([graph]).split("\n")) >= N - 3


def test_replacing_a_leaf(graph: Node) -> None:
    y = T.dvector("y")
    (found,) = substitute([graph], {x: y})
    assert substitute([found], {y: x}) == [graph]


def test_closing_over_leaves(graph: Node) -> None:
    closed, captured = Graph.close([x], [graph])
    assert captured == ()
    assert closed(x) == (graph,)
    assert pickle.loads(pickle.dumps(closed)) == closed


def test_pickling_and_copying(graph: Node) -> None:
    assert pickle.loads(pickle.dumps(graph)) is graph
    assert copy.deepcopy(graph) is graph


@pytest.mark.parametrize("name", GRAPHS)
def test_deleting(name: str) -> None:
    start = T.dvector()
    node = GRAPHS[name](start)
    bottom = weakref.ref(next(below for below in toposort([node]) if below.inputs))
    assert bottom() is not None
    del node
    gc.collect()
    assert bottom() is None


def test_the_evaluator(graph: Node) -> None:
    assert evaluate(graph, {x: VALUE})[0].shape == VALUE.shape


def test_simplifying(graph: Node) -> None:
    (found,) = simplify([graph])
    np.testing.assert_allclose(
        evaluate(found, {x: VALUE})[0], evaluate(graph, {x: VALUE})[0], atol=1e-9
    )


def test_differentiating(graph: Node) -> None:
    g = grad(T.sum(graph), x)
    assert g.type is x.type
    assert np.all(np.isfinite(evaluate(g, {x: VALUE})[0]))


def test_compiling_and_running(graph: Node) -> None:
    f = graphc.function([x], graph)
    np.testing.assert_allclose(f(VALUE), evaluate(graph, {x: VALUE})[0], atol=1e-9)


@pytest.mark.parametrize("name", GRAPHS)
def test_compiling_as_written(name: str) -> None:
    graph = GRAPHS[name](x, N // 10)  # each op is a step here, which is not meant to be fast
    f = graphc.function([x], graph, mode="FAST_COMPILE")
    np.testing.assert_allclose(f(VALUE), evaluate(graph, {x: VALUE})[0], atol=1e-9)


def test_compiling_the_gradient_of_a_deep_graph() -> None:
    g = grad(T.sum(chain(x)), x)
    f = graphc.function([x], g)
    np.testing.assert_allclose(f(VALUE), evaluate(g, {x: VALUE})[0], atol=1e-9)


@pytest.mark.parametrize("name", ["ladder", "wide"])
def test_compiling_a_gradient(name: str) -> None:
    g = grad(T.sum(GRAPHS[name](x, N // 5)), x)
    f = graphc.function([x], g)
    np.testing.assert_allclose(f(VALUE), evaluate(g, {x: VALUE})[0], atol=1e-9)


# -- other ways to be large -----------------------------------------------------------------------


def test_a_joint_of_many_parts() -> None:
    parts = [x[:1] * float(i) for i in range(N)]
    joined = T.concatenate(parts)
    assert joined.type.shape == (None,)
    assert evaluate(joined, {x: VALUE})[0].shape == (N,)
    assert pickle.loads(pickle.dumps(joined)) is joined


def test_a_vector_of_many_scalars() -> None:
    s = T.dscalar("s")
    vector = T.stack([s * float(i) for i in range(N)])
    assert vector.type.shape == (N,)
    assert vector[N - 1] is s * float(N - 1)
    np.testing.assert_array_equal(evaluate(vector, {s: 2.0})[0], 2.0 * np.arange(N))


def test_sizes_through_a_deep_graph() -> None:
    node = x
    for _ in range(N // 10):
        node = T.concatenate([node, x[:1]])
    (size,) = sizes(node)
    assert evaluate(size, {x: VALUE})[0] == VALUE.size + N // 10  # type: ignore[arg-type]


def test_many_inputs() -> None:
    inputs = [T.dscalar(f"s{i}") for i in range(1000)]
    f = graphc.function(inputs, T.add(*inputs))
    assert f(*range(1000)) == sum(range(1000))


def test_many_outputs() -> None:
    outputs = [x * float(i) for i in range(1000)]
    found = graphc.function([x], outputs)(VALUE)
    assert len(found) == 1000
    np.testing.assert_array_equal(found[-1], VALUE * 999)
