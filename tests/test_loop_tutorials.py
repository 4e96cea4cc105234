"""The tutorials on loops compute what their pages promise, on both backends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc.tensor as T
from test_tutorials import example


def run(name: str, backend: str, folder: Path, **smaller: Any) -> dict[str, Any]:
    """Run an example quietly, with smaller settings if given; its picture must be there."""
    module = example(name)
    for setting, value in smaller.items():
        assert hasattr(module, setting)
        setattr(module, setting, value)
    picture = folder / "graph.svg"
    result = module.main(backend=backend, svg=picture, quiet=True)
    assert "<svg" in picture.read_text(encoding="utf-8")
    return result


def test_first_loops(backend: str, tmp_path: Path) -> None:
    """Newton's method needs few steps; the derivative is that of the closed form."""
    result = run("first_loops", backend, tmp_path)
    assert result["steps"] == 4
    assert result["residual"] < 1e-14
    assert result["derivative"] == pytest.approx(result["closed_form"])


def test_hinge_loss(backend: str, tmp_path: Path) -> None:
    """Three ways to write a loss have one gradient."""
    result = run("hinge_loss", backend, tmp_path, SIDE_BY_SIDE=2 if backend == "opencl" else 5)
    assert result["difference"] < 1e-12
    assert result["accuracy"] >= 0.95


def test_recurrent_networks(tmp_path: Path) -> None:
    """What sees more foretells better; an own output is worse than the true one."""
    found = run("recurrent_networks", "numpy", tmp_path, EPOCHS=8)
    forced, free = found["from the output, forced"], found["from the output, free"]
    assert found["from both sides"] < 0.032 < found["from the hidden state"] < forced
    assert forced < 0.06 < free
    assert forced < found["the usual row"]
    assert found["tanh"] > 0.7
    assert found["lstm"] > 0.8


def test_directions_and_peepholes_on_both_backends(backend: str) -> None:
    """A step of training leads to the same models."""
    module = example("recurrent_networks")
    x, y, _, _ = module.load()
    columns = next(module.batches(len(y), 1))
    digits, labels = T.dtensor3("digits"), T.lvector("labels")
    for outputs in (module.rows_between, module.lstm_states):
        found = []
        for name in ("numpy", backend):
            make = module.Weights()
            picked = T.nnet.softmax(outputs(digits, make)[-1])
            loss = T.nnet.categorical_crossentropy(picked, labels % module.ROWS).mean()
            train = module.trained([digits, labels], loss, make, name)
            found.append([float(train(x[:, columns], y[columns])) for _ in range(3)])
        np.testing.assert_allclose(found[0], found[1], rtol=1e-9)
        assert found[0][-1] < found[0][0]


def test_gradient_clipping(backend: str, tmp_path: Path) -> None:
    """Without a limit there are no numbers after one step; with a limit the network learns."""
    found = run("gradient_clipping", backend, tmp_path, STEPS=100)
    assert found["growth"] == pytest.approx(1.1, abs=1e-3)
    assert np.isnan(found["without"][-1, 1])
    loss, before, after = found["limited"].T
    assert before[0] > 1e5
    assert np.all(after <= 1 + 1e-9)
    assert loss[-1] < 0.05 < 1000 < loss[0]
    assert found["radius"] < 1.05


def test_character_model(backend: str, tmp_path: Path) -> None:
    """The model needs fewer bits than the frequencies of characters do."""
    steps = {"STEPS": 30} if backend == "opencl" else {}
    found = run("character_model", backend, tmp_path, **steps)
    assert 4 < found["unigram"] < found["before"]
    assert found["held_out"] < found["unigram"] - (0.5 if backend == "opencl" else 1)
    assert len(found["written"]) == 200
    assert len(set(found["written"])) > 15


def test_simulation(backend: str, tmp_path: Path) -> None:
    """The rates are near those that others found for these furs."""
    found = run("simulation", backend, tmp_path, STEPS_A_YEAR=3 if backend == "opencl" else 8)
    assert found["misfit"] < 2.1 < 60 < found["misfit_before"]
    np.testing.assert_allclose(found["rates"], [0.55, 0.028, 0.80, 0.024], rtol=0.06)


def test_kalman_filter(backend: str, tmp_path: Path) -> None:
    """The variances are those of Durbin and Koopman's book."""
    found = run("kalman_filter", backend, tmp_path)
    assert found["likelihood"] == pytest.approx(-632.546, abs=1e-3)
    assert found["noise"] == pytest.approx(15099, rel=1e-3)
    assert found["drift"] == pytest.approx(1469.1, rel=1e-3)


def test_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed has the figures."""
    example("kalman_filter").main(svg=tmp_path / "kalman.svg")
    assert "-632.54" in capsys.readouterr().out
