"""The examples for OpenCL: what is written by hand and what graphc makes agree, and take time."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("pyopencl")

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "opencl"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Import a file of the folder, as it is when it is run."""
    monkeypatch.syspath_prepend(FOLDER)

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


def test_devices(example, capsys: pytest.CaptureFixture[str]) -> None:
    example("list_devices").main()
    by_hand, by_graphc = capsys.readouterr().out.split("\n\n")
    assert "units at" in by_hand
    assert by_graphc.count("taken: ") == 1
    for line in by_hand.splitlines():
        if line.startswith("    "):
            assert line.split(":")[0].strip() in by_graphc


@pytest.mark.parametrize("n", [1, 1000, 4099])
def test_addition(example, n: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The examples compare results with NumPy's themselves."""
    found = example("vector_addition").main(n=n, repeats=2)
    assert list(found["times"]) == ["by hand, scalars", "by hand, vectors", "graphc", "NumPy"]
    for name, (device, whole) in found["times"].items():
        assert whole > 0
        assert (device > 0) is (name != "NumPy")
    assert found["kernel"].count("kernel void") == 1
    said = capsys.readouterr().out
    assert f"{n} float32 on" in said
    assert found["kernel"] in said


def test_a_wrong_kernel_does_not_pass(example, monkeypatch: pytest.MonkeyPatch) -> None:
    module = example("vector_addition")
    monkeypatch.setattr(module, "SCALARS", module.SCALARS.replace("a[i] + b[i]", "a[i]"))
    with pytest.raises(AssertionError, match="Mismatched"):
        module.main(n=100, repeats=1, quiet=True)


def test_product(example, capsys: pytest.CaptureFixture[str]) -> None:
    found = example("matrix_product").main(n=(33, 64), repeats=2)
    assert list(found) == [33, 64]
    for rows in found.values():
        assert list(rows) == ["by hand, at first", "by hand, in tiles", "graphc", "NumPy"]
        assert all(whole > 0 for _, whole in rows.values())
        assert all(rows[name][0] > 0 for name in ("by hand, at first", "by hand, in tiles"))
    assert "33 x 33 float32 on" in capsys.readouterr().out
