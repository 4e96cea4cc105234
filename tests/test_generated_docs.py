"""The generated code, reports and pictures on the pages are what the compiler makes now."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from graphc.backends.opencl.choice import list_devices

ROOT = Path(__file__).parent.parent
REMEDY = "run python docs/generate_examples.py"
LOOPS = ("first", "choices", "recurrent", "exploding", "characters", "simulation", "kalman")
TUTORIALS = (
    *("linear", "logistic", "network", "convolution", "opencl"),
    *(f"loops-{i}-{name}" for i, name in enumerate(LOOPS, 1)),
)
PAGES = ["README.md", *(f"docs/tutorials/{name}.md" for name in TUTORIALS)]
SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import generate_examples as pages
text, pictures = pages.written(sys.argv[2])
old = [name for name, dot in pictures.items() if not pages.is_current(name, dot)]
print(json.dumps([text, list(pictures), old]))
"""


def generated(page: str) -> tuple[str, list[str], list[str]]:
    """Fill a page in a process of its own: expressions that other tests made must not matter."""
    command = [sys.executable, "-c", SCRIPT, str(ROOT / "docs"), page]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text, pictures, old = json.loads(done.stdout)
    return text, pictures, old


@pytest.mark.parametrize("page", PAGES)
def test_regions_are_what_the_compiler_writes(page: str) -> None:
    if not all(device.kind == "cpu" for device in list_devices()):
        pytest.skip("the kernels on the pages are those for a CPU")
    text, pictures, old = generated(page)
    assert (ROOT / page).read_text(encoding="utf-8") == text, REMEDY
    assert pictures, "a page shows a picture"
    assert not old, f"{REMEDY}: {', '.join(old)}"


def test_no_region_is_overlooked() -> None:
    """Each marker has an end, and each page with markers is in the list."""
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        text = path.read_text(encoding="utf-8")
        begins = re.findall(r"<!-- (?:generated|picture|code): ", text)
        assert len(begins) == text.count("<!-- end -->"), path
        assert not begins or path.relative_to(ROOT).as_posix() in PAGES


def test_every_picture_is_shown() -> None:
    pages = "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    for picture in (ROOT / "docs/images").iterdir():
        assert f"images/{picture.name})" in pages
