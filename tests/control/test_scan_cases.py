"""Over 500 loops against loops in Python: values, and gradients against finite differences."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import graphc
import scan_cases
from graphc.ir.node import SHARED
from graphc.ir.walk import toposort
from graphc.rewrite.pipeline import simplify
from harness import evaluate
from scan_cases import FLOATS, Case, build, data, run

CASES = scan_cases.cases()
GIVEN = data()


def test_there_are_enough_and_every_pair_of_features_meets() -> None:
    assert len(CASES) >= 500 and len({str(case) for case in CASES}) == len(CASES)
    every = sorted({feature for case in CASES for feature in case.features}, key=repr)
    met = {pair for case in CASES for pair in itertools.permutations(case.features, 2)}
    missing = [
        (a, b)
        for a, b in itertools.combinations(every, 2)
        if a[0] != b[0] and (a, b) not in met and _may_meet(dict([a, b]))
    ]
    assert not missing


def _may_meet(features: dict[str, Any]) -> bool:
    alone = features.get("sequences") == ()
    return not (alone and (features.get("steps") == "derived" or features.get("backwards")))


def check(case: Case, found: list[np.ndarray], gradients: list[np.ndarray]) -> None:
    """Compare the results of a case with a loop in Python.

    Gradients are compared along one direction in the space of all inputs: an error in any of them
    shows.
    """
    name = str(case)
    draws = found.pop() if "random" in case.flags else None
    expected = run(case, GIVEN, draws)
    for one, other in zip(found, expected.outs, strict=False):
        assert one.shape == other.shape, name
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12, err_msg=name)
    if "updates" in case.flags:
        np.testing.assert_allclose(found[-1], expected.update, rtol=1e-10, err_msg=name)
    if draws is not None:
        assert len(np.unique(draws)) == draws.size, name
    if "until" in case.flags:
        assert expected.margin > 0.005, expected.margin  # no step of differences reaches so far
    leaves = leaves_of(case)
    rng = np.random.default_rng(1)
    direction = {leaf: rng.normal(size=GIVEN[leaf].shape) for leaf in leaves}

    def cost(step: float) -> float:
        moved = {leaf: GIVEN[leaf] + step * d for leaf, d in direction.items()}
        return run(case, {**GIVEN, **moved}, draws).cost(case)

    h = 2.0**-12
    slopes = [(cost(s) - cost(-s)) / (2 * s) for s in (h, h / 2)]
    along = sum((g * direction[leaf]).sum() for g, leaf in zip(gradients, leaves, strict=True))
    slope = (4 * slopes[1] - slopes[0]) / 3
    np.testing.assert_allclose(along, slope, rtol=1e-7, atol=1e-9, err_msg=name)


def leaves_of(case: Case) -> list[Any]:
    """Return what the gradient is taken by."""
    return [*FLOATS, *([scan_cases.S] if "updates" in case.flags else [])]


def expressions(case: Case) -> tuple[list[Any], list[Any]]:
    """Return the outputs of a case, with update and draws at the end; and its gradients."""
    built = build(case)
    gradients = graphc.grad(built.cost, leaves_of(case), disconnected_inputs="ignore")
    extra = [one for one in (built.update, built.draws) if one is not None]
    return [*built.outs, *extra], gradients


def failures(some: Sequence[Case], compute: Callable[[list[Any]], Sequence[Any]]) -> list[str]:
    """Return a line for each case that is wrong."""
    lines: list[str] = []
    every = [expressions(case) for case in some]
    values = iter(compute([one for outs, gradients in every for one in (*outs, *gradients)]))
    for case, (outs, gradients) in zip(some, every, strict=True):
        found = [next(values) for _ in outs]
        slopes = [next(values) for _ in gradients]
        try:
            check(case, found, slopes)
        except AssertionError as error:
            lines.append(f"{case}: {' '.join(str(error).split())[:200]}")
    return lines


def as_written(results: list[Any]) -> Sequence[Any]:
    leaves = {leaf for leaf in toposort(results) if leaf.op is SHARED}
    return evaluate(results, {**GIVEN, **{leaf: leaf.get_value() for leaf in leaves}})


def simplified(results: list[Any]) -> Sequence[Any]:
    return as_written(simplify(results))


@pytest.mark.parametrize("part", range(8))
def test_simplified(part: int) -> None:
    """After all rules the loops compute what they did: together, so that equal ones meet."""
    wrong = failures(CASES[part::8], simplified)
    assert not wrong, f"{len(wrong)} cases\n" + "\n".join(wrong)


@pytest.mark.parametrize("part", range(8))
def test_as_written(part: int) -> None:
    wrong = failures(CASES[part::8], as_written)
    assert not wrong, f"{len(wrong)} cases\n" + "\n".join(wrong)


PARTS = 24


def compiled(backend: str) -> Callable[[list[Any]], Sequence[Any]]:
    def compute(results: list[Any]) -> Sequence[Any]:
        inputs = [leaf for leaf in GIVEN if leaf is not scan_cases.S]
        f = graphc.function(
            inputs, results, backend=backend, on_unused_input="ignore", no_default_updates=True
        )
        return f(*[GIVEN[leaf] for leaf in inputs])

    return compute


def one_by_one(some: Sequence[Case], compute: Callable[[list[Any]], Sequence[Any]]) -> list[str]:
    """Return a line for each case that is wrong or raises."""
    lines: list[str] = []
    for case in some:
        try:
            lines += failures([case], compute)
        except Exception as error:
            lines.append(f"{case}: {type(error).__name__}: {str(error)[:200]}")
    return lines


@pytest.mark.parametrize("part", range(PARTS))
def test_compiled(backend: str, part: int) -> None:
    some = CASES[part::PARTS]
    try:
        wrong = failures(some, compiled(backend))
    except Exception:
        wrong = one_by_one(some, compiled(backend))
        assert wrong, "cases that fail together and not alone"
    assert not wrong, f"{len(wrong)} cases\n" + "\n".join(wrong)
