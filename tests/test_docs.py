"""What the pages say runs: code blocks, examples in docstrings, and the build of the site."""

from __future__ import annotations

import builtins
import contextlib
import doctest
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from imports import ROOT, modules

PAGES = [
    ROOT / "README.md",
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if "_build" not in page.parts),
]
FENCE = re.compile(
    r"^ *(?P<ticks>`{3,}|~{3,})(?P<info>[^`\n]*)\n(?P<text>.*?)^ *(?P=ticks) *$", re.M | re.S
)
PYTHON = re.compile(r"python( no-run| raises=\w+)?")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: what follows the backticks, the line it starts on, its text."""

    info: str
    line: int
    text: str


def blocks(text: str) -> Iterator[Block]:
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start("text"))
        yield Block(match["info"].strip(), line, match["text"])


def run_page(page: Path) -> int:
    """Run the blocks of a page in one namespace, from top to bottom; return how many there were."""
    namespace = {"__name__": page.stem}
    count = 0
    for block in blocks(page.read_text(encoding="utf-8")):
        if not PYTHON.fullmatch(block.info) or block.info.endswith("no-run"):
            continue
        count += 1
        source = "\n" * block.line + block.text  # lines in tracebacks are those of the page
        with expectation(block.info):
            exec(compile(source, str(page), "exec"), namespace)
    return count


def expectation(info: str) -> contextlib.AbstractContextManager[object]:
    name = info.partition("raises=")[2]
    if not name:
        return contextlib.nullcontext()
    places = [importlib.import_module("graphc.errors"), builtins]
    return pytest.raises(next(getattr(place, name) for place in places if hasattr(place, name)))


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if "```python" in page.read_text(encoding="utf-8")],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = len(re.findall(r"^ *```python(?! no-run)", page.read_text("utf-8"), re.M))
    assert run_page(page) == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_python_escapes(page: Path) -> None:
    """A block in another spelling of Python would look tested and would not be."""
    infos = [block.info for block in blocks(page.read_text(encoding="utf-8"))]
    wrong = [info for info in infos if "py" in info and not PYTHON.fullmatch(info)]
    assert not wrong and "" not in infos, f"write ```python, or name the language: {wrong}"


def test_the_pages_that_must_run_do() -> None:
    names = {page.relative_to(ROOT).as_posix() for page in PAGES}
    assert {"README.md", "docs/index.md", "docs/gotchas.md", "docs/install.md"} <= names


PAGE = """
```python
value = [1]
```
~~~text
not Python
~~~
```python no-run
value.append(2)
```
```python raises=ZeroDivisionError
value.append(3)
1 / 0
```
```python
{last}
```
"""


def test_a_page_is_one_namespace(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.format(last="assert value == [1, 3]"), encoding="utf-8")
    assert run_page(page) == 3


def test_a_wrong_block_is_found_at_its_line(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.format(last="assert value == []"), encoding="utf-8")
    with pytest.raises(AssertionError) as failure:
        run_page(page)
    assert (failure.traceback[-1].path, failure.traceback[-1].lineno) == (page, 15)


def test_a_block_that_does_not_raise_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python raises=ZeroDivisionError\n1 / 1\n```\n", encoding="utf-8")
    with pytest.raises(pytest.fail.Exception):
        run_page(page)


MODULES = [name for name in modules(ROOT / "graphc") if not name.endswith("__main__")]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    for test in doctest.DocTestFinder().find(module, name):
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


def test_the_site_builds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    folders = ["-d", tmp_path / "doctrees", ROOT / "docs", tmp_path / "site"]
    build = subprocess.run([*command, *folders], capture_output=True, text=True, check=False)
    assert build.returncode == 0, build.stdout + build.stderr
    assert "<h1>graphc" in (tmp_path / "site/index.html").read_text(encoding="utf-8")
