"""Walks over nodes, closed graphs, and their flat form."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import graphc.tensor as T
from graphc.errors import InternalError
from graphc.ir.graph import Graph, check_closed, flatten, unflatten
from graphc.ir.node import INPUT, param
from graphc.ir.replace import substitute
from graphc.ir.types import TensorType
from graphc.ir.verify import verify
from graphc.ir.walk import depends_on, leaves, toposort, transform, users
from harness import evaluate

x, y, z = T.dvectors("x y z")


def test_inputs_come_before_users_and_each_once() -> None:
    a = x * y
    result = T.exp(a) + a
    order = toposort([result, a])
    assert order == [x, y, a, T.exp(a), result]


def test_the_order_depends_on_the_shape_of_the_graph_only() -> None:
    first = y + z  # made before, and yet listed after
    assert toposort([x * (y + z)])[:2] == [x, y]
    assert toposort([first * x])[:2] == [y, z]


def test_stops_are_listed_and_not_entered() -> None:
    a = T.exp(x)
    assert toposort([a + y], stop={a}) == [a, y, a + y]
    assert toposort([a], stop={a}) == [a]


def test_users_count_each_use() -> None:
    a = x * x
    found = users(toposort([a + y]))
    assert found[x] == [a, a]
    assert found[a + y] == []


def test_dependence() -> None:
    a, b = T.exp(x), T.exp(y)
    order = toposort([a + b])
    assert depends_on(order, {x}) == {x, a, a + b}


def test_leaves_in_order() -> None:
    assert list(leaves([T.exp(y) * x + 1])) == [y, x, T.constant(1.0)]


def test_replacements_are_made_at_once_and_not_entered() -> None:
    assert substitute([x - y], {x: y, y: x}) == [y - x]
    assert substitute([x + 1], {x: x + 1}) == [x + 1 + 1]
    a = T.exp(x)
    assert substitute([a * 2, a], {a: z}) == [z * 2, z]


def test_what_does_not_change_stays_the_node_it_was() -> None:
    result = T.exp(x) + y
    assert substitute([result], {z: x}) == [result]


def test_types_follow_a_replacement() -> None:
    known = TensorType("float64", (3,))("k")
    (found,) = substitute([T.exp(x) * 2], {x: known})
    assert found.type.shape == (3,)
    verify([found])


def test_transform_sees_new_inputs() -> None:
    def swap(node: T.Variable, inputs: tuple[T.Variable, ...]) -> T.Variable:
        return T.sin(*inputs) if node.op.name == "exp" else node.op and _rebuilt(node, inputs)

    assert transform([T.exp(T.exp(x)) + 1], swap) == [T.sin(T.sin(x)) + 1]


def _rebuilt(node: T.Variable, inputs: tuple[T.Variable, ...]) -> T.Variable:
    return substitute([node], dict(zip(node.inputs, inputs, strict=True)))[0]


# -- closed graphs --------------------------------------------------------------------------------


def test_a_graph_is_closed_over_what_it_captures() -> None:
    graph, captured = Graph.close([x], [x * y + z.shape[0]])
    assert captured == (y, z)
    check_closed(graph)
    verify(graph.results)
    assert [p.attrs["index"] for p in graph.params] == [0, 1, 2]


def test_graphs_that_differ_in_names_only_are_equal() -> None:
    a, b = T.dvectors("a b")
    one, _ = Graph.close([x, y], [x - y])
    two, _ = Graph.close([a, b], [a - b])
    three, _ = Graph.close([a, b], [b - a])
    assert one == two
    assert hash(one) == hash(two)
    assert one != three


def test_opening_and_calling() -> None:
    graph, _ = Graph.close([x, y], [x - y, x])
    inputs, results = graph.open()
    assert all(node.op is INPUT for node in inputs)
    assert results == [inputs[0] - inputs[1], inputs[0]]
    assert graph(y, x) == (y - x, y)
    value = evaluate(graph(x, x)[0], {x: np.ones(2)})[0]
    np.testing.assert_array_equal(value, np.zeros(2))


def test_a_free_leaf_or_a_wrong_number_is_found() -> None:
    p = param(0, x.type)
    with pytest.raises(InternalError, match="is free in a closed graph"):
        check_closed(Graph((p,), (p + x,)))
    with pytest.raises(InternalError, match="parameter 0 is"):
        check_closed(Graph((param(1, x.type),), ()))


def test_graphs_pickle() -> None:
    graph, _ = Graph.close([x, y], [T.exp(x) - y, x])
    assert pickle.loads(pickle.dumps(graph)) == graph


def test_the_flat_form_shares_what_is_shared() -> None:
    a = T.exp(x)
    rows, places = flatten([a * a + a, a])
    assert len(rows) == 4
    assert unflatten((rows, places)) == [a * a + a, a]
