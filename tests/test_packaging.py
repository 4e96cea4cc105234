"""What is in the wheel, that it works from there, and what `import graphc` does and does not do."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import graphc
from imports import HEAVY, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    build = subprocess.run(command, capture_output=True, text=True, check=False)
    assert build.returncode == 0, build.stdout + build.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def python(code: str, path: Path, cwd: Path) -> str:
    """Run code in a fresh interpreter that finds graphc in `path` only; return what it prints."""
    code = f"import sys; sys.path.insert(0, {str(path)!r})\n{code}"
    command = [sys.executable, "-IB", "-W", "error", "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert run.returncode == 0 and not run.stderr, run.stdout + run.stderr
    return run.stdout.strip()


def relative_names(folder: Path, pattern: str) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob(pattern)}


def test_the_wheel_holds_everything(installed: Path) -> None:
    for source, target, pattern in (
        ("graphc", "graphc", "*.py"),
        ("kernels", "graphc/_kernels", "*.cl"),
        ("examples", "graphc/_examples", "*.py"),
    ):
        here = relative_names(ROOT / source, pattern)
        there = relative_names(installed / target, pattern)
        there = {name for name in there if not name.startswith(("_kernels/", "_examples/"))}
        assert here, f"{source}/ has no {pattern}"
        assert there == here
    assert (installed / "graphc/py.typed").is_file()
    (licence,) = installed.glob("*.dist-info/licenses/LICENSE")
    assert "BSD 3-Clause" in licence.read_text(encoding="utf-8")


def test_the_wheel_holds_nothing_else(installed: Path) -> None:
    assert {path.name.split("-")[0] for path in installed.iterdir()} == {"graphc"}
    assert not relative_names(installed, "*.pyc")


def test_the_wheel_works_from_elsewhere(installed: Path, tmp_path: Path) -> None:
    code = """
import graphc
from graphc.backends.opencl import kernel_files
print(graphc.__file__, kernel_files.folder(), len(kernel_files.read("prelude.cl")), sep="\\n")
"""
    file, folder, length = python(code, installed, tmp_path).splitlines()
    assert Path(file) == installed / "graphc/__init__.py"
    assert Path(folder) == installed / "graphc/_kernels"
    assert int(length) == len((ROOT / "kernels/prelude.cl").read_text(encoding="utf-8"))


def test_kernels_are_found_in_a_checkout(tmp_path: Path) -> None:
    code = "from graphc.backends.opencl import kernel_files; print(kernel_files.folder())"
    assert Path(python(code, ROOT, tmp_path)) == ROOT / "kernels"


def test_import_is_quiet_and_light(tmp_path: Path) -> None:
    code = f"import graphc, graphc.tensor; print(*sorted({HEAVY!r} & set(sys.modules)))"
    assert python(code, ROOT, tmp_path) == ""


def test_one_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.M) == [graphc.__version__]
    assert PROJECT["dynamic"] == ["version"]


def test_the_wheel_says_what_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    needs = [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist: ")]
    mine = {"numpy>=2.0", "scipy>=1.13", "graphviz>=0.20"}
    assert mine == {need for need in needs if "extra ==" not in need}
    assert f"Version: {graphc.__version__}" in lines


def test_the_commands_of_the_readme() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("python -m pip install -e")] == [
        'python -m pip install -e ".[all]" && python -m graphc tutorial logistic',
        'python -m pip install -e ".[test]" && python -m pytest',
    ]
    assert {"all", "test"} <= set(PROJECT["optional-dependencies"])
