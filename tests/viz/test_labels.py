"""What stands in the boxes: words and formulas, one op each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.ir.node import Node
from graphc.viz.labels import Labels, clean, operands

x, y = T.dmatrix("x"), T.dvector("y")
i = T.lscalar("i")
u = T.exp(y)  # an expression without a name
n = y.shape[0]

LABELS: list[tuple[Any, str]] = [
    (x, "x: float64[?, ?]"),
    (T.TensorType("float32", (None, 3))("z"), "z: float32[?, 3]"),
    (T.dscalar("a"), "a: float64"),
    (T.dvector(), "float64[?]"),
    (graphc.shared(np.zeros((30, 2)), name="w"), "w: float64[30, 2]"),
    (graphc.shared(0.0, name="b"), "b: float64"),
    (T.constant(2.5), "2.5"),
    (T.constant([1.0, 2.0]), "[1., 2.]"),
    (y + y, "y + y"),
    (u + y, "… + y"),
    (y * 2, "y * 2"),
    (2 - u, "2 - …"),
    (u * T.sin(y), "*"),
    (u - T.sin(y), "-"),
    (-u, "negate"),
    (-y, "-y"),
    (abs(u), "abs"),
    (u**2, "… ** 2"),
    (T.sqr(y), "y ** 2"),
    (T.exp(u), "exp"),
    (T.exp(y), "exp"),
    (T.maximum(u, 0), "maximum(…, 0)"),
    (T.dot(x, y), "dot(x, y)"),
    (T.dot(x, u), "dot(x, …)"),
    (T.dot(T.exp(x), u), "dot"),
    (T.dot(x.T, u), "dot(x.T, …)"),
    (x.sum(), "sum"),
    (x.sum(axis=1), "sum over axis 1"),
    (T.tensor3("t").sum(axis=(0, 2)), "sum over axes 0, 2"),
    (y.argmax(), "argmax"),
    (T.nnet.softmax(x), "softmax over axis 1"),
    (T.cast(y, "float32"), "float32(y)"),
    (T.cast(u, "float32"), "to float32"),
    (T.switch(y > 0, u, 1), "where(…, …, 1)"),
    (T.switch(y > 0, u, T.sin(y)), "where"),
    (u / n, "… / y.shape[0]"),
    (u / (n - 1), "… / (y.shape[0] - 1)"),
    (x.T, "x.T"),
    (T.exp(x).T, "transpose"),
    (y.dimshuffle(0, "x"), "y[:, None]"),
    (u.dimshuffle("x", 0), "[None, :]"),
    (T.tensor3("t").dimshuffle(1, 0, 2), "t with axes 1, 0, 2"),
    (x.dimshuffle(1, "x", 0), "x with axes 1, new, 0"),
    (y[1:], "y[1:]"),
    (y[:-1], "y[:-1]"),
    (y[::2], "y[::2]"),
    (y[::-1], "y[::-1]"),
    (y[2:5], "y[2:5]"),
    (u[1:-1], "[1:-1]"),
    (x[:, ::-1], "x[:, ::-1]"),
    (x[1:, :2], "x[1:, :2]"),
    (y[i].inputs[0], "y[i]"),
    (y[-1].inputs[0], "y[-1]"),
    (y[y.argmax()].inputs[0], "y[…]"),
    (y[i:], "y[i:]"),
    (y.reshape((-1, 3)), "y as (y.shape[0] // 3, 3)"),
    (u.reshape((2, 3)), "reshape to (2, 3)"),
    (T.zeros_like(x), "zeros like x"),
    (T.concatenate([y, y]), "join(y, y) along axis 0"),
    (T.concatenate([u, T.sin(y)]), "join along axis 0"),
    (T.arange(5), "arange(5)"),
    (T.set_subtensor(u[1:3], 0), "replace [1:3]"),
]


@pytest.mark.parametrize(("node", "text"), LABELS, ids=[text for _, text in LABELS])
def test_label(node: Node, text: str) -> None:
    assert Labels().formula(node) == text


def test_a_name_stands_before_the_formula() -> None:
    node = T.cos(y) + 1
    node.name = "wave"
    assert Labels().title(node) == "wave = … + 1"
    assert Labels().title(node * y) == "wave * y"
    product = T.cos(y) * T.sin(y)
    product.name = "both"
    assert Labels().title(product) == "both = … * …"


def test_roles_say_which_operand_is_which_only_where_that_is_open() -> None:
    labels = Labels()
    assert labels.roles(u - T.sin(y)) == ["left", "right"]
    assert labels.roles(u + T.sin(y)) == ["", ""]
    assert labels.roles(u - y) == ["", ""]
    assert labels.roles(T.switch(y > 0, u, 1)) == ["if", "then", ""]
    assert labels.roles(T.concatenate([u, T.sin(y), y])) == ["1", "2", ""]
    assert labels.roles(u - u) == ["", ""]


def test_sizes_are_no_data() -> None:
    data, places = operands(y[1:])
    assert data == (y,)
    assert len(places) == 2


def test_expression_is_a_formula_with_letters() -> None:
    labels = Labels()
    product = T.dot(x, y)
    assert labels.expression(T.log(1 + T.exp(product)), {product: "u"}) == "log(1 + exp(u))"
    assert (
        labels.expression((x.sum(axis=1) + y).sum() / n, {})
        == "sum(sum(x, axis=1) + y) / y.shape[0]"
    )
    assert labels.expression((x + 1).T, {}) == "(x + 1).T"
    assert labels.expression(T.exp(T.exp(T.exp(y))), {}, 2) == "exp(exp(…))"


def test_clean_leaves_one_printable_line() -> None:
    assert clean("a\nb\tc\x00\x1b[0m") == "a b c [0m"
    assert clean("n" * 100) == "n" * 59 + "…"
