"""Declaring rules: what is refused, and what a rule says of itself."""

from __future__ import annotations

import pytest

from graphc.errors import RuleError
from graphc.ops.elementwise import abs_, where
from graphc.ops.math import exp, log, sigmoid, softplus
from graphc.ops.reduce import sum as sum_
from graphc.rewrite.pattern import Attr, Const, Float, compute, raw
from graphc.rewrite.pipeline import PIPELINE
from graphc.rewrite.rule import Rule, procedure, rule
from rewrite.samples import RULES


def test_a_rule_says_what_it_is() -> None:
    @rule(assumes="x is positive")
    def exp_log(x):
        """The exponential undoes the logarithm."""
        return exp(log(x)), x

    assert isinstance(exp_log, Rule)
    assert exp_log.name == "exp_log"
    assert exp_log.doc == "The exponential undoes the logarithm."
    assert (repr(exp_log.left), repr(exp_log.right)) == ("exp(log(x))", "x")
    assert exp_log.assumes == "x is positive"
    assert exp_log.module == __name__


def refused(function, match: str, **more) -> None:
    with pytest.raises(RuleError, match=match):
        rule(**more)(function) if more else rule(function)


def test_a_right_side_that_weighs_more() -> None:
    def growing(x):
        """It grows."""
        return abs_(x), where(x > 0, x, -x)

    refused(growing, r"3 times on the right and 1 times on the left")

    def heavier(x, y):
        """It is heavier."""
        return x + y, x * y

    refused(heavier, r"x \* y \(weight 4\) is not below x \+ y \(weight 3\)")


def test_two_rules_that_undo_each_other() -> None:
    @rule
    def out(x, y):
        """Signs move outwards."""
        return x * (-y), -(x * y)

    def back(x, y):
        """Signs move inwards."""
        return -(x * y), x * (-y)

    refused(back, "is not below")

    def swap(x, y):
        """Nothing is gained."""
        return x - y, y - x

    refused(swap, "is not below")


def test_an_expensive_op_for_nothing() -> None:
    def create(x, y):
        """One exponential instead of two, if nobody else has use for the two."""
        return exp(x) * exp(y), exp(x + y)

    refused(create, "is new and expensive")

    @rule
    def exchange(x):
        """The top goes for it."""
        return log(sigmoid(x)), -softplus(-x)

    assert exchange.right is not None


def test_variables_on_one_side_only() -> None:
    def unknown(x, y):
        """There is no y on the left."""
        return abs_(x) * 2, x + y

    refused(unknown, "y is not on the left side")

    def unused(x, y):
        """There is no y at all."""
        return abs_(abs_(x)), abs_(x)

    refused(unused, "y is not on the left side")

    def computed(x, c: Const):
        """There is no d."""
        return x - c, x + compute(lambda d: d)

    refused(computed, "d is on the right side only")


def test_other_mistakes() -> None:
    def silent(x):
        return abs_(abs_(x)), abs_(x)

    refused(silent, "its docstring must give the reason")

    def sort(x: Even):  # type: ignore[name-defined]  # noqa: F821
        """There is no such sort."""
        return abs_(abs_(x)), abs_(x)

    refused(sort, "'Even' is no sort of variable")

    def leaf(x):
        """Everything is something else."""
        return x, 0

    refused(leaf, "the left side must be an application")

    def first(x):
        """Constants stand last."""
        return 0 + abs_(x), abs_(x)

    with pytest.raises(RuleError, match="constants stand last"):
        rule(first)

    def text(x):
        """Text is no number."""
        return abs_(x) + "1", x

    refused(text, "cannot stand in a rule")


def test_attributes_count_as_part_of_the_op() -> None:
    @rule
    def merge(x, p: Attr, q: Attr):
        """Two sums are one."""
        return sum_(sum_(x, axes=p), axes=q), sum_(x, axes=compute(lambda p, q: (*p, *q)))

    assert repr(merge.left) == "sum(sum(x, axes=p), axes=q)"
    assert repr(merge.right) == "sum(x, axes=f(p, q))"


def test_a_procedure_says_what_it_is() -> None:
    @procedure("add", "sub", assumes="nothing is lost")
    def nothing(node):
        """It does nothing."""
        return None

    assert nothing.left is None and nothing.right is None
    assert [op.name for op in nothing.ops] == ["add", "sub"]
    with pytest.raises(RuleError, match="docstring"):
        procedure("add")(lambda node: None)


def test_the_table() -> None:
    names = [r.name for r in RULES]
    assert len(set(names)) == len(names)
    assert [phase.name for phase in PIPELINE] == ["canonical", "stabilise", "loops", "specialise"]
    canonical = set(PIPELINE[0].rules)
    assert all(canonical <= set(phase.rules) for phase in PIPELINE)


def test_every_procedure_says_why_it_ends() -> None:
    silent = [
        r.name for r in RULES if r.left is None and "Ends, as " not in " ".join(r.doc.split())
    ]
    assert not silent


def test_patterns_print_with_the_brackets_they_need() -> None:
    shuffle = raw("dimshuffle")

    @rule
    def printed(x, y: Float, p: Attr):
        """To be printed."""
        return -(x - (y - 1)) * shuffle(x, pattern=p) * (x + y), x

    assert repr(printed.left) == "-(x - (y - 1)) * dimshuffle(x, pattern=p) * (x + y)"
