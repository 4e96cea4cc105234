"""The generated pages say what the tables say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from graphc.ir.op import OPS
from graphc.rewrite.pipeline import PIPELINE

DOCS = Path(__file__).parent.parent / "docs"


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["ops.md", "rules.md"])
def test_pages_are_what_the_tables_say(name: str) -> None:
    expected = generator().PAGES[name]()
    assert (DOCS / name).read_text(encoding="utf-8") == expected, "run python docs/reference.py"


def test_every_op_and_every_rule_has_a_row() -> None:
    ops = (DOCS / "ops.md").read_text(encoding="utf-8")
    rules = (DOCS / "rules.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in ops for name in OPS)
    assert all(f"| `{rule.name}` |" in rules for phase in PIPELINE for rule in phase.rules)
