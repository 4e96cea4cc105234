"""DOT to SVG: both layout engines, well-formed files, silence, and the error without an engine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import graphc
import graphc.tensor as T
from graphc.errors import NotSupportedError
from graphc.viz import render
from viz.programs import training_step

SVG = "{http://www.w3.org/2000/svg}"
ENGINES = ["dot", "pygraphviz"]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "pygraphviz":
        pytest.importorskip("pygraphviz")
        monkeypatch.setattr(render.shutil, "which", lambda name: None)
    elif shutil.which("dot") is None:
        pytest.skip("the dot program is not on the PATH")
    return str(request.param)


def test_svg(engine: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "train.svg"
    text = training_step().svg(path)
    assert path.read_text(encoding="utf-8") == text
    assert list(tmp_path.iterdir()) == [path]
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    texts = [(element.text or "").strip() for element in root.iter(f"{SVG}text")]
    assert {"x: float64[?, ?]", "w: float64[30]", "train, as it runs", "update"} <= set(texts)
    assert any(text.startswith("group") for text in texts)
    assert "<!--" not in text
    captured = capfd.readouterr()
    assert not captured.out and not captured.err
    assert engine in render.engine() or "dot" in render.engine()


def test_tooltips(engine: str) -> None:
    y = T.dvector("y")
    picture = graphc.draw(y + 1)
    titles = [title.text for title in ElementTree.fromstring(picture).iter(f"{SVG}title")]
    assert len(titles) == 2, "boxes have tooltips, arrows and the background have none"
    assert any(
        "float64[?]" in (title or "") and "test_render.py" in (title or "") for title in titles
    )
    assert "xlink:title" not in picture


def test_no_noise_from_a_fresh_process(tmp_path: Path) -> None:
    code = """
import os, graphc, graphc.tensor as T
x = T.dmatrix("x")
for path in (os.environ["PATH"], ""):
    os.environ["PATH"] = path
    graphc.function([x], T.exp(x).sum()).svg("f.svg")
    graphc.draw(T.exp(x), "e.svg")
"""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.svg", "f.svg"]


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render.shutil, "which", lambda name: None)
    monkeypatch.setattr(render, "find_spec", lambda name: None)


@pytest.mark.usefixtures("nothing_installed")
def test_without_an_engine(tmp_path: Path) -> None:
    expression = T.exp(T.dvector("x"))
    assert render.engine() is None
    with pytest.raises(NotSupportedError, match="pip install") as failure:
        graphc.draw(expression, tmp_path / "e.svg")
    assert "dot_source()" in str(failure.value)
    assert not list(tmp_path.iterdir())
    assert "exp" in graphc.dot_source(expression)
    graphc.draw(expression, tmp_path / "e.dot")
    assert (tmp_path / "e.dot").read_text(encoding="utf-8") == graphc.dot_source(expression)
    assert expression._repr_svg_() is None, "a notebook falls back to text"


def test_a_layout_that_fails() -> None:
    with pytest.raises(graphc.GraphcError, match="layout of the picture failed"):
        render.svg("digraph {")


def test_notebooks() -> None:
    expression = T.exp(T.dvector("x"))
    assert expression._repr_svg_().startswith("<svg")
    assert "cluster" in training_step()._repr_svg_()
