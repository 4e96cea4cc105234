"""Pictures as DOT: what is in them, whatever the names, however large."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from viz.programs import chain, training_step

INTERNAL = re.compile(
    r"\b(Node|Op|Kind|TensorType|SharedVariable|Group|Launch|dimshuffle|true_div)\b"
)


def labels(dot: str) -> list[str]:
    """Return the labels of boxes and clusters, in order."""
    return re.findall(r'label="?((?:[^"\\\]]|\\.|\](?!\n))*?)"?(?: [a-z]+=|\]?\n|\])', dot)


def boxes(dot: str) -> int:
    return len(re.findall(r"^\s*\w+ \[label=", dot, re.M))


def edges(dot: str) -> list[str]:
    return [line.strip() for line in dot.splitlines() if " -> " in line]


def test_an_expression() -> None:
    x, w = T.TensorType("float64", (None, 3))("x"), graphc.shared(np.zeros(3), name="w")
    dot = graphc.dot_source(T.exp(T.dot(x, w)) * 2)
    for text in ('"x: float64[?, 3]"', '"w: float64[3]"', '"dot(x, w)"', "label=exp", '"… * 2"'):
        assert text in dot
    assert boxes(dot) == 5  # the constant has no box of its own
    assert len(edges(dot)) == 4
    assert "output" not in dot


def test_the_training_step_as_it_runs() -> None:
    step = training_step()
    dot = step.dot_source()
    titles = re.findall(r'label="(group \d+: \d+ ops? over \(n\d+,\))"', dot)
    assert len(titles) == 2
    for text in titles:
        number, what = re.match(r"group (\d+): (.*)", text).groups()  # type: ignore[union-attr]
        assert f"# {number}  {what}" in step.source, "numbers are those of the generated code"
    assert dot.count("subgraph cluster_") == 2
    assert len(re.findall(r'label="dot\([^)]*\)\\ncall \d+"', dot)) == 2
    assert '"w: float64[30]"' in dot
    assert "output 1" in dot and "output 2" in dot
    assert "n0 = x.shape[0]" in dot
    assert not INTERNAL.search(dot)


def test_updates_go_back_to_the_shared_variable() -> None:
    dot = training_step().dot_source()
    back = [edge for edge in edges(dot) if "dashed" in edge]
    assert len(back) == 2
    assert all("dir=back" in edge and "update" in edge for edge in back)


def test_many_updates_end_below() -> None:
    x = T.dvector("x")
    variables = [graphc.shared(np.zeros(3), name=f"v{i}") for i in range(8)]
    step = graphc.function([x], updates=[(v, v + x) for v in variables])
    assert "dir=back" not in step.dot_source()
    assert '"new v7"' in step.dot_source()


def test_the_training_step_as_written() -> None:
    dot = training_step().dot_source(before=True)
    assert "cluster" not in dot
    assert '"1 / …"' in dot and '"… - b"' in dot and "label=log" in dot
    assert "train, as written" in dot
    assert not INTERNAL.search(dot)


def test_the_same_text_each_time() -> None:
    assert training_step().dot_source() == training_step().dot_source()
    assert training_step().dot_source(before=True) == training_step().dot_source(before=True)


def test_tooltips_say_dtype_shape_and_line() -> None:
    y = T.dvector("y")
    dot = graphc.dot_source(y + 1)  # the line that is looked for
    assert re.search(r'tooltip="y \+ 1\\nfloat64\[\?\]\\ntest_dot\.py:\d+: dot = ', dot) or (
        re.search(r'tooltip="y \+ 1\\nfloat64\[\?\]\\ntest_dot\.py:\d+: ', dot)
    )


def test_which_operand_is_which() -> None:
    y = T.dvector("y")
    dot = graphc.dot_source(T.exp(y) / T.sin(y))
    assert any("left" in edge for edge in edges(dot))
    assert any("right" in edge for edge in edges(dot))
    assert not any("left" in edge for edge in edges(graphc.dot_source(T.exp(y) / y)))


def test_indices_are_dotted_and_sizes_not_drawn() -> None:
    y, i = T.dvector("y"), T.lscalar("i")
    dot = graphc.dot_source(y[i])
    assert '"y[i]"' in dot
    assert [edge for edge in edges(dot) if "dotted" in edge]
    assert boxes(dot) == 4  # y, i, the element, and the axis that is dropped


def test_a_view_is_drawn_in_the_group_that_reads_it() -> None:
    x, y = T.dmatrix("x"), T.dvector("y")
    dot = graphc.function([x, y], T.exp(x + y.dimshuffle("x", 0))).dot_source()
    inside = dot[dot.index("subgraph") : dot.index("}")]
    assert "y[None, :]" in inside


@pytest.mark.parametrize(
    "name",
    [
        'q"uote',
        "back\\slash",
        "new\nline",
        "<b>x</b>",
        "a&amp;b",
        "\x00\x1b[31m",
        "→ 日本",
        "{|}",
        "\\N",
    ],
)
def test_odd_names(name: str) -> None:
    from graphc.viz import render

    x = T.dvector("x")
    x.name = name
    picture = render.svg(graphc.dot_source(T.exp(x) + 1))
    shown = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    from xml.etree import ElementTree

    texts = [t.text for t in ElementTree.fromstring(picture).iter() if t.tag.endswith("text")]
    assert f"{shown}: float64[?]" in texts


def test_names_that_are_keywords_of_dot() -> None:
    x = T.dvector("graph")
    node = T.exp(x)
    node.name = "edge"
    assert '"edge = exp"' in graphc.dot_source(node)


def deep() -> Any:
    return chain(10_000)[1]


def wide() -> Any:
    return T.concatenate([T.dvector(f"v{i}") for i in range(10_000)])


def tree() -> Any:
    level = [T.exp(T.dvector(f"v{i}")) for i in range(5_000)]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [a + b for a, b in pairs] + level[len(level) // 2 * 2 :]
    return level[0]


@pytest.mark.parametrize("build", [deep, wide, tree])
def test_ten_thousand_nodes_collapse(build: Callable[[], Any]) -> None:
    expression = build()
    start = time.perf_counter()
    picture = graphc.draw(expression)
    assert time.perf_counter() - start < 60
    dot = graphc.dot_source(expression)
    assert boxes(dot) < 450
    assert re.search(r"… [\d,]+ more (op|input)s", dot)
    assert "<svg" in picture


def test_groups_close_above_the_limit_and_open_on_demand() -> None:
    x, expression = chain(400)
    f = graphc.function([x], expression)
    closed = f.dot_source()
    assert "cluster" not in closed
    assert re.search(r'label="group 1: 400 ops over \(n0,\)\\n200 sin, 200 \+"', closed)
    assert f.dot_source(depth=1).count("label=sin") == 200
    small = training_step()
    assert "cluster" not in small.dot_source(depth=0)
    assert len(re.findall(r"group \d+: ", small.dot_source(depth=0))) >= 2


def test_an_unoptimised_program_has_no_groups() -> None:
    x = T.dvector("x")
    f = graphc.function([x], T.exp(T.dot(x, x) * x) + 1, mode="FAST_COMPILE")
    assert "cluster" not in f.dot_source()
    assert re.search(r"dot\(x, x\)\\ncall \d", f.dot_source())


def test_a_single_op_is_a_number_of_steps() -> None:
    x = T.dvector("x")
    assert "label=exp" in graphc.function([x], T.exp(x)).dot_source()


def test_depth_of_an_expression() -> None:
    x, expression = chain(10)
    dot = graphc.dot_source(expression, depth=2)
    assert "… 7 more ops" in dot
    assert boxes(dot) == 5  # three ops, the input, and the rest
    del x


def test_an_output_that_is_deep_stays() -> None:
    x, expression = chain(1_000)
    early = T.exp(x)
    f = graphc.function([x], [early, expression * early], mode="FAST_COMPILE")
    dot = f.dot_source()
    drawn = set(re.findall(r"^\s*(\w+) \[label=", dot, re.M))
    ends = {end for edge in edges(dot) for end in re.findall(r"\w+", edge.split("[")[0])}
    assert ends <= drawn


def test_an_input_that_all_read_is_repeated() -> None:
    dot = graphc.dot_source(chain(60)[1])
    assert len(re.findall(r"label=x ", dot)) == 31


def test_outputs_that_are_leaves() -> None:
    x = T.dvector("x")
    f = graphc.function([x], [x, T.constant(3.0), x.shape[0]])
    for dot in (f.dot_source(), f.dot_source(before=True)):
        assert dot.count("output ") == 3


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(graphc.errors.GraphcTypeError, match="int is not something to draw"):
        graphc.dot_source(3)
