"""Loops in pictures: a cluster for the body, and arrows for what is carried along."""

from __future__ import annotations

import graphc
import graphc.tensor as T
from graphc.ir.node import Node


def power() -> tuple[Node, Node, Node]:
    x, k = T.dvector("x"), T.lscalar("k")
    found, _ = graphc.scan(lambda p, x: p * x, None, T.ones_like(x), x, n_steps=k)
    return x, k, found[-1]


def test_the_body_is_a_cluster_with_its_carry() -> None:
    x, k, last = power()
    f = graphc.function([x, k], last)
    for text in (f.dot_source(), f.dot_source(before=True)):
        body = text[text.index("subgraph") :].split("}")[0]
        assert "in each step" in body and "carry 1" in body
        assert "next step" in text and "steps" in text
        assert "* x" in body or "x *" in body  # the op of the body stands in it


def test_a_loop_that_stops_says_how_many_steps_it_made() -> None:
    x = T.dvector("x")
    _, halves = graphc.loop(lambda s: (s / 2, s), x, n_steps=9, until=lambda s: s.max() < 1)
    f = graphc.function([x], halves)
    assert "in each step, or until it stops" in f.dot_source()
    assert "steps made" in f.dot_source()


def test_a_closed_loop_is_one_box() -> None:
    x, k, last = power()
    text = graphc.function([x, k], last).dot_source(depth=0)
    assert "subgraph" not in text and "in each step" in text


def test_loops_in_loops_are_clusters_in_clusters() -> None:
    m = T.dmatrix("m")

    def row(r: Node, total: Node) -> Node:
        inner, _ = graphc.scan(lambda e, s: T.tanh(s + e), r, total)
        return inner[-1]

    found, _ = graphc.scan(row, m, T.constant(0.0))
    text = graphc.function([m], found[-1]).dot_source()
    outer = text.index("subgraph")
    inner = text.index("subgraph", outer + 1)
    assert "}" not in text[outer:inner]


def test_branches_say_which_is_which() -> None:
    x, c = T.dvector("x"), T.dscalar("c")
    text = graphc.function([c, x], graphc.ifelse(c > 0, T.exp(x), T.sin(x))).dot_source()
    assert all(word in text for word in ("if", "then", "else"))


def test_explain_shows_what_is_in_a_loop() -> None:
    x, k, last = power()
    text = graphc.function([x, k], last).explain()
    assert "loop    k steps" in text
    lines = text.splitlines()
    place = next(i for i, line in enumerate(lines) if "loop    k steps" in line)
    assert lines[place + 1].startswith("        2  group")


def test_a_number_of_steps_that_is_computed_is_whole() -> None:
    x = T.dvector("x")
    last, _ = graphc.loop(lambda s, e: (T.tanh(s + e), None), 0.0, x[:-1])
    assert "loop    maximum(n0 - 1, 0) steps" in graphc.function([x], last).explain()
