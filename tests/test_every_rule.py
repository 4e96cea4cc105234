"""Every rule of the table: both sides are equal, have one type, and the rule fires where it says.

The left side of each rule is its own example (see `rewrite/samples.py`). Values come from the
evaluator, which computes node by node as written.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from graphc.config import config
from graphc.ir.node import Node, input_node
from graphc.ir.op import Kind
from graphc.ir.types import TensorType
from graphc.ir.verify import refines, verify
from graphc.ir.walk import leaves
from graphc.rewrite.canonical import Order
from graphc.rewrite.engine import Firing, Phase, Sweep
from graphc.rewrite.pattern import parts
from graphc.rewrite.pipeline import simplify
from graphc.rewrite.rule import Rule
from graphc.rewrite.rules import fold
from harness import evaluate, sample
from rewrite.samples import (
    DTYPES,
    ONE_SIDED,
    POSITIVE,
    PROCEDURES,
    TWO_SIDED,
    Unfit,
    domain,
    examples,
    left_side,
)

RTOL = {"float64": 2e-13, "float32": 2e-5}
CASES = [(rule, dtype) for rule in TWO_SIDED for dtype in DTYPES]
IDS = [f"{rule}-{dtype}" for rule, dtype in CASES]


def alone(rule: Rule, node: Node) -> tuple[Node, list[Firing]]:
    """Return a node rewritten by one rule, and the log."""
    log: list[Firing] = []
    index = Phase("alone", (rule, fold.fold)).index(False, frozenset())
    sweep = Sweep("alone", index, index, set(), Order(), log)
    return sweep.run([node])[0], log


def values(node: Node, where: Any, rng: np.random.Generator) -> dict[Node, Any]:
    """Return a value for each input below a node."""
    given = {}
    for leaf in leaves([node]):
        if leaf.op.name == "input":
            shape = [5 if size is None else size for size in leaf.type.shape]
            given[leaf] = sample(where, shape, leaf.type.dtype, rng)
            if leaf.type.dtype == "bool" and where is POSITIVE:
                given[leaf] = np.ones(shape, bool)
    return given


def assert_same(before: Node, after: Node, given: dict[Node, Any], what: str) -> None:
    old, new = evaluate([before, after], given)
    assert old.dtype == new.dtype and old.shape == new.shape, what
    rtol = RTOL.get(before.type.dtype, 0)
    scale = np.max(np.abs(old), initial=0, where=np.isfinite(old)) if rtol else 0
    np.testing.assert_allclose(new, old, rtol=rtol, atol=rtol * scale, err_msg=what)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(list(request.node.name.encode()))


# -- rules with both sides ------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "dtype"), CASES, ids=IDS)
def test_both_sides_are_equal(rule: Rule, dtype: str, rng: np.random.Generator) -> None:
    try:
        before = left_side(rule, dtype)
    except Unfit:
        return
    after, _ = alone(rule, before)
    assert refines(after.type, before.type) and refines(before.type, after.type)
    verify([after])
    assert_same(before, after, values(before, domain(rule), rng), f"{rule} on {before!r}")


@pytest.mark.parametrize("rule", TWO_SIDED, ids=str)
def test_fires_in_some_dtype(rule: Rule) -> None:
    fired = False
    for dtype in DTYPES:
        try:
            before = left_side(rule, dtype)
        except Unfit:
            continue
        fired = fired or any(firing.rule is rule for firing in alone(rule, before)[1])
    assert fired, f"{rule} never fires: it needs an entry in rewrite/samples.py"


@pytest.mark.parametrize(("rule", "dtype"), CASES, ids=IDS)
def test_the_pipeline_agrees(rule: Rule, dtype: str, rng: np.random.Generator) -> None:
    try:
        before = left_side(rule, dtype, (None, None))
    except Unfit:
        return
    (after,) = simplify([before])
    verify([after])
    assert simplify([after])[0] is after, f"{before!r} becomes {after!r}, and that changes again"
    given = values(before, POSITIVE, rng)
    assert_same(before, after, given, f"{before!r} becomes {after!r}")


# -- inf, nan, zeros and extremes -----------------------------------------------------------------

INF, NAN = float("inf"), float("nan")
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.5, -0.5, INF, -INF, NAN, 1e200, -1e-200]
BETTER = {"sqrt_sqr", "log_exp"}  # finite where the left side overflows or vanishes on the way
SCALAR = [
    rule
    for rule in TWO_SIDED
    if not rule.assumes
    and not rule.module.endswith("stability")
    and all(part.op.kind is Kind.ELEMENTWISE for part in parts(rule.left) if hasattr(part, "op"))
]


@pytest.mark.parametrize("rule", SCALAR, ids=str)
def test_a_rule_that_assumes_nothing_holds_everywhere(rule: Rule) -> None:
    try:
        before = left_side(rule, "float64", ())
    except Unfit:
        return
    after, _ = alone(rule, before)
    inputs = [leaf for leaf in leaves([before]) if leaf.op.name == "input"]
    for chosen in itertools.product(SPECIAL, repeat=len(inputs)):
        old, new = evaluate(
            [before, after], dict(zip(inputs, map(np.float64, chosen), strict=True))
        )
        if rule.name in BETTER and (old == 0 or np.isinf(old)):
            continue
        np.testing.assert_allclose(new, old, rtol=1e-12, err_msg=f"{rule} at {chosen}")


def test_strict_math_leaves_assumptions_out() -> None:
    x = input_node(TensorType("float64", (None,)), "x")
    assert simplify([x * 0 + x])[0] is x
    with config.set(strict_math=True):
        log: list[Firing] = []
        assert simplify([x * 0 + x], log=log)[0] is not x
        assert not any(firing.rule.assumes for firing in log)


# -- procedures -----------------------------------------------------------------------------------

EXAMPLES = list(examples())


def test_every_procedure_has_an_example() -> None:
    assert not {rule.name for rule in ONE_SIDED} - PROCEDURES.keys()
    assert not PROCEDURES.keys() - {rule.name for rule in ONE_SIDED}


@pytest.mark.parametrize(("rule", "place"), [e[1:] for e in EXAMPLES], ids=[e[0] for e in EXAMPLES])
def test_procedures(rule: Rule, place: int, rng: np.random.Generator) -> None:
    before = PROCEDURES[rule.name][place]()
    after, log = alone(rule, before)
    assert any(firing.rule is rule for firing in log), f"{rule} does not fire on {before!r}"
    verify([after])
    given = values(before, POSITIVE, rng)
    assert_same(before, after, given, f"{before!r} becomes {after!r}")
    (final,) = simplify([before])
    verify([final])
    assert simplify([final])[0] is final
    assert_same(before, final, given, f"{before!r} becomes {final!r}")
