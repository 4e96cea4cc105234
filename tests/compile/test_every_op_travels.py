"""Every row of the table of ops: written to a file and read, and run as Python without graphc."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.compile.rows import Reading, Writing
from graphc.errors import GraphcError, NotSupportedError
from graphc.ir.op import OPS
from graphc.ir.types import TupleType
from graphc.ops.results import get
from harness import evaluate
from op_samples import Case, Inapplicable, case, examples, rows

OWN = {"foreign", "foreign_shape"}
"""Functions of the user's are no data."""

CASES = [name for name in rows() if name not in OWN]


def first(name: str) -> Case:
    for dtype in ("float64", "int64", "bool", "float32"):
        for one in examples(OPS[name]):
            try:
                return case(OPS[name], one, dtype)
            except (GraphcError, Inapplicable):
                continue
    raise AssertionError(f"{name} has no case")


def parts(node: Any) -> list[Any]:
    if isinstance(node.type, TupleType):
        return [get(node, i) for i in range(len(node.type.items))]
    return [node]


@pytest.mark.parametrize("name", CASES)
def test_an_op_is_written_and_read(name: str) -> None:
    one = first(name)
    results = parts(one.node)
    writing = Writing()
    written, place = writing.rows([*one.inputs, *results])
    nodes = Reading([np.array(a) for a in writing.arrays]).nodes(json.loads(json.dumps(written)))
    again = [nodes[place[node]] for node in results]
    given = {nodes[place[node]]: a for node, a in zip(one.inputs, one.arrays, strict=True)}
    old = evaluate(results, dict(zip(one.inputs, one.arrays, strict=True)))
    for mine, theirs in zip(old, evaluate(again, given), strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)
    assert Writing().rows(list(given) + again)[0] == written


@pytest.mark.parametrize("name", CASES)
def test_an_op_runs_as_python(name: str, tmp_path: Path) -> None:
    one = first(name)
    try:
        f = graphc.function(list(one.inputs), parts(one.node), on_unused_input="ignore", name="f")
    except (KeyError, NotSupportedError):
        assert name == "flatnonzero"
        pytest.skip("its size is known to the call alone")
    path = tmp_path / "program.py"
    f.save_source(path)
    text = path.read_text(encoding="utf-8")
    assert "import graphc" not in text and "from graphc" not in text
    namespace: dict[str, Any] = {"__file__": str(path), "__name__": "program"}
    exec(compile(text, str(path), "exec"), namespace)
    for mine, theirs in zip(f(*one.arrays), namespace["f"](*one.arrays), strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)
