"""Text forms: formulas with the brackets they need, trees, assignments; and user lines."""

from __future__ import annotations

import numpy as np
import pytest

import graphc.tensor as T
from graphc.errors import message
from graphc.ir.graph import Graph
from graphc.ir.printer import assignments, label, literal, pp, tree
from graphc.ir.source import Location, here

a, b, c = T.dscalars("a b c")
x = T.dvector("x")
i = T.lscalar("i")

FORMULAS = [
    (a + b * c, "a + b * c"),
    ((a + b) * c, "(a + b) * c"),
    (a - (b - c), "a - (b - c)"),
    (a - b - c, "a - b - c"),
    (a / (b * c), "a / (b * c)"),
    (a / b * c, "a / b * c"),
    (-(a + b), "-(a + b)"),
    (-a * b, "-a * b"),
    ((-a) ** 2, "(-a) ** 2"),
    (-(a**2), "-a ** 2"),
    ((a**b) ** c, "(a ** b) ** c"),
    (a ** (b**c), "a ** b ** c"),
    ((a**b) ** 2, "(a ** b) ** 2"),
    (T.sqr(T.sqr(a)), "(a ** 2) ** 2"),
    (2 * a + 0.5, "2 * a + 0.5"),
    (a < b, "a < b"),
    ((a < b) & (b < c), "(a < b) & (b < c)"),
    (T.exp(a + b), "exp(a + b)"),
    (abs(a - b), "|a - b|"),
    (T.switch(a > 0, a, 0), "where(a > 0, a, 0)"),
    (T.cast(a, "float32"), "float32(a)"),
    (i // 2 % 3, "i // 2 % 3"),
    (x.shape[0] * 2, "x.shape[0] * 2"),
    (T.sum(x), "sum(x)"),
]


@pytest.mark.parametrize(("node", "text"), FORMULAS, ids=[text for _, text in FORMULAS])
def test_formulas(node: T.Variable, text: str) -> None:
    assert repr(node) == pp(node) == text


@pytest.mark.parametrize(
    ("node", "text"), [f for f in FORMULAS if not {"|", "i", "x"} & set(f[1])], ids=str
)
def test_a_formula_of_operators_means_what_python_reads(node: T.Variable, text: str) -> None:
    names = {"a": a, "b": b, "c": c, "exp": T.exp, "where": T.switch}
    if "exp" in text or "where" in text or "(" not in text:
        assert eval(text, dict(names)) is node


def test_deep_formulas_are_cut() -> None:
    node = a
    for _ in range(50):
        node = T.sin(node) + 1
    assert pp(node) == "sin(sin(sin(...) + 1) + 1) + 1"
    assert len(pp(node, 4)) < len(pp(node))


def test_names_are_used_in_labels() -> None:
    y = T.cos(a * 7)
    assert label(y) == "cos(a * 7)"
    y.name = "wave"
    assert label(y) == "wave"


def test_leaves() -> None:
    graph, _ = Graph.close([a], [T.exp(a)])
    assert repr(graph.results[0]) == "exp(p0)"
    assert repr(T.dmatrix()) == "<float64[?, ?]>"
    assert repr(x.shape[0]) == "x.shape[0]"
    assert repr(T.constant(np.zeros((3, 4)))) == "<float64[3, 4] constant>"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1"), (1.0, "1"), (0.1, "0.1"), (1 / 3, "0.3333333333333333"), (True, "True")],
)
def test_numbers(value: float, text: str) -> None:
    assert literal(np.array(value)) == text


def test_assignments_show_every_node_once() -> None:
    y = T.sin(a * b)
    lines = assignments([y + y]).split("\n")
    assert [line.split("  #")[0] for line in lines] == [
        "%0 = a * b : float64",
        "%1 = sin(%0) : float64",
        "%2 = %1 + %1 : float64",
        "return %2",
    ]


def test_trees_name_what_was_shown() -> None:
    y = T.sin(a * b)
    assert tree([y + y]).split("\n") == [
        "add [0] : float64",
        " | sin [1] : float64",
        " |  | mul [2] : float64",
        " |  |  | a : float64",
        " |  |  | b : float64",
        " | sin [1] ...",
    ]
    assert tree([T.sum(T.exp(x))], depth=1).split("\n") == [
        "sum{axes=(0,)} [0] : float64",
        " | exp [1] : float64[?]",
    ]


# -- lines and messages ---------------------------------------------------------------------------


def test_the_line_is_the_users() -> None:
    place = here()
    assert place is not None
    assert (place.filename, place.text) == (__file__, "place = here()")
    assert str(place) == f"test_printer.py:{place.line}"


def test_a_line_that_cannot_be_read_has_no_text() -> None:
    assert Location("/nowhere.py", 3).text == ""
    assert message("wrong", where=Location("/nowhere.py", 3)) == "wrong\n  nowhere.py:3"


def test_messages_are_laid_out_in_columns() -> None:
    text = message(
        "dot: sizes 3 and 4 differ",
        [("x", "float64[?, 3]", Location("/a/train.py", 5)), ("weights", "float64[4]", None)],
        Location("/a/train.py", 9),
        "first remedy\nsecond remedy",
    )
    assert text.split("\n") == [
        "dot: sizes 3 and 4 differ",
        "    x       : float64[?, 3]   from train.py:5",
        "    weights : float64[4]",
        "  train.py:9",
        "  first remedy",
        "  second remedy",
    ]


def test_a_negative_number_is_taken_off() -> None:
    x, y = T.dscalars("x y")
    assert pp(x + -1) == "x - 1"
    assert pp(-1 + x) == "-1 + x"
    assert pp(y + (x + -0.5)) == "y + (x - 0.5)"
    assert pp((x + -2) * y) == "(x - 2) * y"
    assert pp(x + -y) == "x + -y"
    assert pp(T.exp(x) + -float("inf")) == "exp(x) - inf"
