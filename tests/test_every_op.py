"""Each row of the table of ops: values, dtypes, shapes and sizes, without and with backends.

Gradients are in `test_every_gradient`. What a row needs for this is said in `op_samples`.
"""

from __future__ import annotations

import numpy as np
import pytest

from graphc.ir import dtypes
from graphc.ir.op import OPS, Kind, Op
from graphc.ir.shapes import Sizes, sizes
from graphc.ir.verify import verify
from harness import assert_close, evaluate, evaluate_sizes
from op_samples import Case, cases, examples, rows

ROWS = rows()


def holds(case: Case) -> bool:
    """Tell whether the sizes of a case are legal, by the checks of its row."""
    given = dict(zip(case.inputs, case.arrays, strict=True))
    for guard in Sizes([case.node], lambda node: node).guards:
        left, right = evaluate_sizes([guard.left, guard.right], given)
        legal = {
            "==": left == right,
            ">": left > right,
            ">=": left >= right,
            "in": 0 <= left < right,
        }
        if not legal[guard.relation]:
            return False
    return True


def legal_cases(op: Op, **options: object) -> list[Case]:
    found = [one for one in cases(op, **options) if holds(one)]  # type: ignore[arg-type]
    assert found, f"{op.name!r} has no legal case"
    return found


@pytest.mark.parametrize("name", ROWS)
def test_a_row_can_be_sampled(name: str) -> None:
    assert examples(OPS[name])


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_complete(name: str) -> None:
    op = OPS[name]
    assert op.doc.endswith("."), "a row says in a sentence what it computes"
    assert op.reference is not None or op.expand is not None, "a row has a meaning in NumPy"
    assert op.vjp is not None, "a row has a gradient, if only None for each input"
    if op.kind is Kind.ELEMENTWISE:
        assert op.code.get("numpy") or op.expand, "a row has a template for NumPy"
        assert any(key.startswith("opencl") for key in op.code) or op.expand


@pytest.mark.parametrize("name", ROWS)
def test_type_and_sizes_are_those_of_the_value(name: str) -> None:
    """The evaluator compares dtype and known sizes with the type; here come the formulas."""
    for known in (False, True):
        for one in legal_cases(OPS[name], known=known):
            given = dict(zip(one.inputs, one.arrays, strict=True))
            verify([one.node])
            (value,) = evaluate(one.node, given)
            assert evaluate_sizes(sizes(one.node), given) == value.shape, one
            if known and name not in ("iota", "flatnonzero"):
                assert None not in one.node.type.shape, f"{one}: a size is lost"


@pytest.mark.parametrize("name", [n for n in ROWS if OPS[n].kind is Kind.ELEMENTWISE])
def test_numpy_gives_the_same_dtype(name: str) -> None:
    """The dtype a row infers is what NumPy computes, once the operands have their dtypes."""
    op = OPS[name]
    for one in cases(op, sizes=["usual"]):
        given = dict(zip(one.inputs, one.arrays, strict=True))
        with np.errstate(all="ignore"):
            value = op.reference(*evaluate(one.node.inputs, given), **one.node.attrs)
        assert np.asarray(value).dtype == one.node.type.dtype, one


@pytest.mark.parametrize("name", [n for n in ROWS if OPS[n].expand and OPS[n].reference], ids=str)
def test_an_expansion_means_the_same(name: str) -> None:
    op = OPS[name]
    for one in legal_cases(op):
        given = dict(zip(one.inputs, one.arrays, strict=True))
        expanded = op.expand(*one.node.inputs, **one.node.attrs)  # type: ignore[misc]
        assert expanded.type.dtype == one.node.type.dtype, one
        verify([expanded])
        assert_close(*evaluate([expanded, one.node], given), op.name, repr(one))


@pytest.mark.parametrize("name", [n for n in ROWS if OPS[n].commutative])
def test_a_commutative_row_commutes(name: str) -> None:
    for one in cases(OPS[name], sizes=["usual"]):
        given = dict(zip(one.inputs, one.arrays, strict=True))
        values = evaluate(one.node.inputs, given)
        there = OPS[name].reference(*values)
        np.testing.assert_array_equal(there, OPS[name].reference(*values[::-1]), str(one))


def test_every_dtype_is_accepted_by_some_row() -> None:
    add = OPS["add"]
    assert {one.inputs[0].type.dtype for one in cases(add)} == set(dtypes.DTYPES)
