"""The command line, in this process and as a user runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import graphc
from graphc import cli
from graphc.errors import DeviceError

ROOT = Path(__file__).resolve().parents[1]


def run(*argv: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, with nothing to read from."""
    return subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "-m", "graphc", *argv],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_info(tmp_path: Path) -> None:
    done = run("info", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for words in (f"graphc    {graphc.__version__}", "numpy 2", "opencl", "floatX='float64'"):
        assert words in done.stdout
    assert re.search(r"^numpy     ready, \d+ threads", done.stdout, re.M)
    assert re.search(r"^pictures  (drawn by|no layout engine)", done.stdout, re.M)


def test_info_says_why_opencl_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise DeviceError("no OpenCL device was found\n  - remedies")

    monkeypatch.setattr(cli, "_choose", fail)
    assert cli.main(["info"]) == 0
    assert "opencl    not available: no OpenCL device was found\n" in capsys.readouterr().out


def test_devices(tmp_path: Path) -> None:
    pytest.importorskip("pyopencl")
    done = run("devices", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    head = done.stdout.splitlines()[0].split()
    assert head == "number platform device type clock units local constant global fp64".split()  # noqa: SIM905
    assert re.search(r"^\* \d:\d .* MHz .* [KMG]iB .* (yes|no)$", done.stdout, re.M)
    assert "* graphc takes" in done.stdout


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("pyopencl")
    done = run("devices", cwd=tmp_path, GRAPHC_DEVICE="no such device")
    assert done.returncode == 1
    assert "number" in done.stdout, "the list is what one needs to correct the name"
    assert "no device fits 'no such device'" in done.stderr
    assert "Traceback" not in done.stderr


def test_sizes_of_memory() -> None:
    sizes = [0, 512, 1024, 1023 * 1024, 1536 * 1024, 12_576_841_728]
    assert [cli._bytes(size) for size in sizes] == [
        "0 B",
        "512 B",
        "1 KiB",
        "1023 KiB",
        "1.5 MiB",
        "11.7 GiB",
    ]


def test_tutorials_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tutorial"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["linear", "logistic", "network", "convolution"]


def test_a_tutorial(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    done = run("tutorial", "logistic", "--svg", "p.svg", "--backend", "numpy", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert float(re.findall(r"held-out accuracy: (\S+)", done.stdout)[0]) >= 0.95
    assert "<svg" in (tmp_path / "p.svg").read_text(encoding="utf-8")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "required: command"),
        (["nonsense"], "nonsense"),
        (["tutorial", "quadratic"], "there are linear, logistic, network, convolution"),
        (["tutorial", "linear", "--backend", "cuda"], "cuda"),
        (["tutorial", "linear", "--svg", "no/such/folder/p.svg"], "no folder"),
    ],
)
def test_mistakes(argv: list[str], words: str, tmp_path: Path) -> None:
    done = run(*argv, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


@pytest.fixture
def tutorial(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A tutorial that does what a test tells it."""
    module = SimpleNamespace(main=lambda **options: None)
    monkeypatch.setattr(cli, "_load", lambda file: module)
    return module


def test_options_reach_the_tutorial(tutorial: SimpleNamespace) -> None:
    seen: list[dict[str, object]] = []
    tutorial.main = lambda **options: seen.append(options)
    assert cli.main(["tutorial", "network", "--backend", "opencl", "--svg", "n.svg"]) == 0
    assert cli.main(["tutorial", "network"]) == 0
    assert seen == [{"backend": "opencl", "svg": "n.svg"}, {"backend": "numpy", "svg": None}]


@pytest.mark.parametrize(
    ("module", "package"), [("sklearn.datasets", "scikit-learn"), ("tqdm", "tqdm")]
)
def test_a_package_that_is_missing(
    module: str, package: str, tutorial: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(**options: object) -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    tutorial.main = main
    assert cli.main(["tutorial", "linear"]) == 1
    assert f"python -m pip install {package}" in capsys.readouterr().err


def test_errors_of_graphc_are_lines(
    tutorial: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(**options: object) -> None:
        raise DeviceError("no device\n  - remedy")

    tutorial.main = main
    assert cli.main(["tutorial", "linear"]) == 1
    assert capsys.readouterr().err == "graphc: no device\n  - remedy\n"


def test_interrupted(tutorial: SimpleNamespace) -> None:
    def main(**options: object) -> None:
        raise KeyboardInterrupt

    tutorial.main = main
    assert cli.main(["tutorial", "linear"]) == 130


def test_a_bug_keeps_its_traceback(tutorial: SimpleNamespace) -> None:
    def main(**options: object) -> None:
        raise graphc.errors.InternalError("a bug")

    tutorial.main = main
    with pytest.raises(graphc.errors.InternalError):
        cli.main(["tutorial", "linear"])


def test_a_reader_that_leaves_early(tmp_path: Path) -> None:
    command = f"{sys.executable} -m graphc info | head -n 1"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("graphc ")
    assert "Traceback" not in done.stderr
