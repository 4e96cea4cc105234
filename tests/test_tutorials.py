"""The tutorials reach on held-out data what their pages promise, on both backends."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def example(name: str) -> ModuleType:
    """Import a file of the examples folder, which is not a package."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec and spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name: str, backend: str, folder: Path) -> dict[str, float]:
    """Run a tutorial quietly; its picture must be there afterwards."""
    picture = folder / "graph.svg"
    result = example(name).main(backend=backend, svg=picture, quiet=True)
    assert "<svg" in picture.read_text(encoding="utf-8")
    return result


def test_linear(backend: str, tmp_path: Path) -> None:
    """Gradient descent explains as much as the closed form does."""
    result = run("linear_regression", backend, tmp_path)
    assert result["r2"] == pytest.approx(result["closed_form_r2"], abs=0.01)
    assert result["r2"] > 0.3


def test_logistic(backend: str, tmp_path: Path) -> None:
    """At most one tumour in twenty is misjudged."""
    assert run("logistic_regression", backend, tmp_path)["accuracy"] >= 0.95


def test_network(backend: str, tmp_path: Path) -> None:
    """At most one digit in twenty is misread."""
    assert run("neural_network", backend, tmp_path)["accuracy"] >= 0.95


def test_convolution(backend: str, tmp_path: Path) -> None:
    """At most three digits in a hundred are misread."""
    assert run("convolutional_network", backend, tmp_path)["accuracy"] >= 0.97


def test_default_picture_and_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without arguments the picture lies in the current folder and the figures are printed."""
    monkeypatch.chdir(tmp_path)
    example("logistic_regression").main()
    assert (tmp_path / "logistic.svg").exists()
    report = capsys.readouterr().out
    assert "compiled in" in report
    assert "held-out accuracy" in report
