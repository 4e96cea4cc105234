"""Symbolic sizes, and the guards of a program."""

from __future__ import annotations

import numpy as np
import pytest

import graphc.tensor as T
from graphc.errors import ShapeError
from graphc.ir.node import DIM, Node, const, dim
from graphc.ir.shapes import (
    Dim,
    Sizes,
    add,
    at_least,
    at_most,
    floor_div,
    mul,
    product,
    sizes,
    sub,
)
from harness import evaluate_sizes

x, y = T.dmatrices("x y")
v, w = T.dvectors("v w")
N, D = sizes(x)


def found(*results: Node) -> Sizes:
    return Sizes(results, lambda node: node)


def relations(*results: Node) -> list[tuple[Dim, str, Dim]]:
    return [(guard.left, guard.relation, guard.right) for guard in found(*results).guards]


def test_sizes_of_an_input_are_leaves_over_it() -> None:
    assert N is dim(x, 0)
    assert isinstance(N, Node) and N.op is DIM
    assert sizes(T.exp(x) * 2) == (N, D)
    assert sizes(T.TensorType("float64", (3, None))("k"))[0] == 3


def test_sizes_are_formulas() -> None:
    assert repr(sizes(x.flatten())[0]) == "x.shape[0] * x.shape[1]"
    assert sizes(T.dot(x, y)) == (N, dim(y, 1))
    assert repr(sizes(T.concatenate([x, y]))[0]) == "x.shape[0] + y.shape[0]"
    assert repr(sizes(v[1:])[0]) == "maximum(v.shape[0] - 1, 0)"


def test_what_is_known_of_some_operand_is_known() -> None:
    k = T.TensorType("float64", (3, None))("k")
    assert sizes(x + k)[0] == 3
    assert (x + k).type.shape == (3, None)


def test_arithmetic_is_folded_as_it_is_written() -> None:
    assert add(2, 3) == 5 and sub(2, 3) == -1 and mul(2, 3) == 6 and floor_div(7, 2) == 3
    assert add(N, 0) is N and add(0, N) is N
    assert sub(N, 0) is N and sub(N, N) == 0
    assert mul(N, 1) is N and mul(1, N) is N and mul(N, 0) == 0
    assert add(2, N) is add(N, 2)
    assert floor_div(N, 1) is N
    assert at_least(-3, 0) == 0 and at_most(7, 5) == 5 and at_least(N, N) is N
    assert product([]) == 1 and product([2, N, 3]) is product([N, 6])


# -- guards ---------------------------------------------------------------------------------------


def test_equal_sizes_need_no_guard() -> None:
    assert relations(T.exp(x) * x + 1) == []
    assert relations(x[1:] * x[:-1]) == []
    assert relations(T.dot(x, x.T)) == []


def test_sizes_that_must_agree_are_guarded_once() -> None:
    assert relations(v + w) == [(dim(v, 0), "==", dim(w, 0))]
    assert relations((v + w) * (v - w)) == [(dim(v, 0), "==", dim(w, 0))]
    assert len(relations(v * w, T.dot(w, v))) == 1


def test_equal_from_then_on() -> None:
    all_sizes = found(v + w)
    assert all_sizes.of(v) == all_sizes.of(w) == all_sizes.of(v + w)


def test_a_plain_size_stands_for_a_formula() -> None:
    joined = T.concatenate([v, v])
    assert found(w + joined).of(joined) == (dim(w, 0),)
    assert found(joined + w).of(joined) == (dim(w, 0),)


def test_equality_is_passed_on() -> None:
    u = T.dvector("u")
    three = found(v + w, w + u)
    assert len(three.guards) == 2
    assert three.of(u) == three.of(v)
    known = T.TensorType("float64", (3,))("k")
    four = found(v + w, w + known)
    assert four.of(v) == (3,)


def test_an_unknown_size_does_not_broadcast() -> None:
    r = T.drow("r")
    assert relations(x + r) == [(D, "==", dim(r, 1))]


def test_known_sizes_that_differ_are_an_error_with_operands() -> None:
    a, b = T.TensorType("float64", (2,))("a"), T.TensorType("float64", (3,))("b")
    with pytest.raises(ShapeError, match="sizes 2 and 3 of axis 0 differ") as caught:
        a + b
    assert "a : float64[2]" in str(caught.value)
    with pytest.raises(ShapeError, match="sizes 2 and 3 differ"):
        found(v + a, v + b)


def test_guards_know_the_line() -> None:
    (guard,) = found(v + w).guards
    assert guard.node is v + w
    assert guard.node.where is not None


def test_reductions_of_nothing_are_guarded_where_they_have_no_value() -> None:
    assert relations(T.max(v)) == [(dim(v, 0), ">", 0)]
    assert relations(T.sum(v)) == []
    assert relations(T.max(T.TensorType("float64", (3,))("k"))) == []


def test_reshape_guards_the_number_of_elements() -> None:
    node = x.reshape((v.shape[0], 2))
    ((left, relation, right),) = relations(node)
    given = {x: np.zeros((3, 4)), v: np.zeros(6)}
    assert relation == "=="
    assert evaluate_sizes([left, right], given) == (12, 12)
    assert relations(x.reshape((-1,))) == []
    assert relations(x.reshape((N, D))) == []


def test_guards_are_simplified() -> None:
    """Formulas that mean the same are one after simplification, and need no guard."""
    doubled = Sizes([T.concatenate([v, v]) + T.concatenate([v, w])[: v.shape[0] * 2]], _two)
    assert all(guard.relation != "in" for guard in doubled.guards)


def _two(node: Node) -> Node:
    return const(2, "int64") if node.op.name == "mul" else node
