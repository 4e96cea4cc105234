"""explain(): rules with their reasons, steps, memory, checks; and the printed trees."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from viz.programs import chain, training_step


@pytest.fixture(scope="module")
def report() -> str:
    return str(training_step().explain())


def section(report: str, title: str) -> str:
    start = report.index(title)
    return report[start : report.find("\n\n", report.index("\n", start))]


def test_heading(report: str) -> None:
    assert report.startswith("train, on numpy\n")
    assert "x: float64[?, ?], y: float64[?]" in report
    assert "w: float64[30], b: float64" in report
    assert "2 outputs, 2 updates" in report


def test_rules_with_reason_firing_and_line(report: str) -> None:
    assert re.search(r"^    log_sigmoid \(2 times\)$", report, re.M)
    assert "sigmoid(x) rounds to 0 for very negative x, and its log to -inf" in report
    assert re.search(r"log\(sigmoid\(u\)\)  ->  -softplus\(-u\).*programs\.py:\d+$", report, re.M)
    assert report.index("for accuracy") < report.index("log_sigmoid") < report.index("for simpl")
    assert "Ends, as" not in report, "the reason is for users, the obligation is not"


def test_assumptions_are_told() -> None:
    x = T.dvector("x")
    assert "Assumes that" in graphc.function([x], x * 0).explain()


def test_steps_are_those_of_the_source() -> None:
    step = training_step()
    steps = section(step.explain(), "Steps:")
    for number, what in re.findall(r"^    # (\d+)  (\d+ ops? over \S+)", step.source, re.M):
        assert re.search(rf"^ +{number}  group +{re.escape(what)}", steps, re.M)
    calls = re.findall(r"^    # (\d+)  dot", step.source, re.M)
    assert calls
    for number in calls:
        assert re.search(rf"^ +{number}  call +\w+: float64\[n\d+\] = dot\(", steps, re.M)
    assert "(output 1)" in steps and "(new w, in place)" in steps
    assert re.search(r"moves \d+ n0 bytes", steps)
    assert re.search(r"moves 8 n0 n\d 8|moves 8 n0 n\d \+ 8 n0 \+ 8 n\d bytes", steps)
    assert re.search(r"line \d+ .*\| p = 1 / \(1 \+ T\.exp", steps)


def test_views_are_named_by_what_they_show() -> None:
    x, v = T.dmatrix("x"), T.dvector("v")
    text = graphc.function(
        [x, v], T.exp(x + v.dimshuffle("x", 0)) + T.arange(x.shape[0])[:, None]
    ).explain()
    assert re.search(r"reads .*v\[None, :\]", text)
    assert re.search(r"reads arange\(n0\)", text)


def test_ops_that_are_written_alike_are_told_apart() -> None:
    x = T.dvector("x")
    assert "pow(x, 2)  ->  square(x)" in graphc.function([x], x**2).explain()


def test_memory(report: str) -> None:
    memory = section(report, "Memory")
    assert re.search(r"\bt0 +float64\[n0\] +temporary; written by step \d+", memory)
    assert re.search(r"\bw +float64\[n\d+\] +in place; written by step \d+", memory)
    assert re.search(r"\d+ n0 bytes new in every call, for outputs", memory)


def test_checks_and_sizes(report: str) -> None:
    checks = section(report, "Checked at the start of a call")
    assert re.search(r"x\.shape\[1\] == w\.shape\[0\]   for dot\(x, w\) +programs\.py:\d+", checks)
    assert "n0 = x.shape[0]" in report


def test_lines_are_short(report: str) -> None:
    assert max(map(len, report.splitlines())) <= 110


def test_nothing_to_report() -> None:
    x = T.dvector("x")
    text = graphc.function([x], x).explain()
    assert "Rewrites: none" in text
    assert "Steps: 0" in text
    assert "Memory: no arrays" in text


def test_a_bound_and_an_index_are_checked() -> None:
    x, i = T.dvector("x"), T.lscalar("i")
    text = graphc.function([x, i], [x[i], x.max()]).explain()
    assert re.search(r"0 <= .* < x\.shape\[0\]", text)
    assert "x.shape[0] > 0" in text


def test_ten_thousand_nodes() -> None:
    x, expression = chain(10_000)
    text = graphc.function([x], expression).explain()
    assert len(text.splitlines()) < 100


def test_of_the_same_program_the_same_text() -> None:
    assert training_step().explain() == training_step().explain()


# -- trees and formulas ---------------------------------------------------------------------------


def test_debugprint(capsys: pytest.CaptureFixture[str]) -> None:
    x = T.dvector("x")
    tree = "add [0] : float64[?]\n | exp [1] : float64[?]\n |  | x : float64[?]\n | 1 : float64\n"
    assert graphc.debugprint(T.exp(x) + 1) is None
    assert capsys.readouterr().out == tree
    assert graphc.debugprint(T.exp(x) + 1, file="str") == tree.rstrip()
    file = io.StringIO()
    graphc.debugprint([T.exp(x), x], depth=0, file=file)
    assert file.getvalue() == "exp [0] : float64[?]\nx : float64[?]\n"


def test_debugprint_of_a_function() -> None:
    x = T.dvector("x")
    w = graphc.shared(np.zeros(2), name="w")
    f = graphc.function([x], T.log(1 + T.exp(x)), updates=[(w, w + x)])
    text = graphc.debugprint(f, file="str")
    assert "log1p" in text, "it is the program that runs"
    assert "w : float64[?]" in text


def test_pp() -> None:
    x = T.dvector("x")
    assert graphc.pp(T.exp(x) + 1) == "exp(x) + 1"
    assert graphc.pp([x, x * 2]) == "x, x * 2"
