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


def check(case: Case, found: list[np.ndarray], gradients: Sequence[np.ndarray]) -> None:
    """Compare the results of a case with a loop in Python.

    Gradients are compared along one direction in the space of all inputs: an error in any of them
    shows.
    """
    draws = found.pop() if "random" in case.flags else None
    expected = run(case, GIVEN, draws)
    for one, other in zip(found, expected.outs, strict=False):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
    if "updates" in case.flags:
        np.testing.assert_allclose(found[-1], expected.update, rtol=1e-10)
    if draws is not None:
        assert len(np.unique(draws)) == draws.size
    if "until" in case.flags:
        assert expected.margin > 0.005, expected.margin  # no step of differences reaches so far
    if gradients:
        leaves = leaves_of(case)
        rng = np.random.default_rng(1)
        direction = {leaf: rng.normal(size=GIVEN[leaf].shape) for leaf in leaves}
        along = sum((g * direction[leaf]).sum() for g, leaf in zip(gradients, leaves, strict=True))
        np.testing.assert_allclose(along, slope(case, direction, draws), rtol=1e-7, atol=1e-9)


def slope(case: Case, direction: dict[Any, np.ndarray], draws: np.ndarray | None) -> float:
    """Return the derivative of a case's cost along a direction, by differences."""

    def cost(step: float) -> float:
        moved = {leaf: GIVEN[leaf] + step * d for leaf, d in direction.items()}
        return run(case, {**GIVEN, **moved}, draws).cost(case)

    h = 2.0**-12
    wide, narrow = [(cost(s) - cost(-s)) / (2 * s) for s in (h, h / 2)]
    return (4 * narrow - wide) / 3


def leaves_of(case: Case) -> list[Any]:
    """Return what the gradient is taken by."""
    return [*FLOATS, *([scan_cases.S] if "updates" in case.flags else [])]


def expressions(case: Case, with_gradients: bool = True) -> tuple[list[Any], list[Any]]:
    """Return the outputs of a case, with update and draws at the end; and its gradients."""
    built = build(case)
    extra = [one for one in (built.update, built.draws) if one is not None]
    gradients = []
    if with_gradients:
        gradients = graphc.grad(built.cost, leaves_of(case), disconnected_inputs="ignore")
    return [*built.outs, *extra], gradients


Compute = Callable[[list[Any]], Sequence[Any]]


def failures(some: Sequence[Case], compute: Compute, with_gradients: bool = True) -> list[str]:
    """Return a line for each case that is wrong."""
    lines: list[str] = []
    every = [expressions(case, with_gradients) for case in some]
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


def compiled(backend: str) -> Compute:
    def compute(results: list[Any]) -> Sequence[Any]:
        inputs = [leaf for leaf in GIVEN if leaf is not scan_cases.S]
        f = graphc.function(
            inputs, results, backend=backend, on_unused_input="ignore", no_default_updates=True
        )
        found: Sequence[Any] = f(*[GIVEN[leaf] for leaf in inputs])
        return found

    return compute


def failures_of_each(some: Sequence[Case], compute: Compute, with_gradients: bool) -> list[str]:
    """Return a line for each case that is wrong; if they fail together, of each alone."""
    try:
        return failures(some, compute, with_gradients)
    except Exception:
        lines: list[str] = []
        for case in some:
            try:
                lines += failures([case], compute, with_gradients)
            except Exception as error:
                lines.append(f"{case}: {type(error).__name__}: {str(error)[:200]}")
        return lines or ["cases that fail together and not alone"]


def report(wrong: list[str]) -> None:
    assert not wrong, f"{len(wrong)} cases\n" + "\n".join(wrong)


def test_as_written() -> None:
    report(failures(CASES[::11], as_written))


def test_simplified() -> None:
    """After all rules the loops compute what they did: together, so that equal ones meet."""
    report(failures(CASES[5::11], lambda results: as_written(simplify(results))))


TOGETHER = 24  # neighbours, which have most of their kernels in common
PARTS = range(0, len(CASES), TOGETHER)


@pytest.mark.parametrize("start", PARTS)
def test_compiled(backend: str, start: int) -> None:
    """On NumPy with gradients; the kernels of all gradients would take minutes to build."""
    end = min(start + TOGETHER, len(CASES))
    size = 8 if backend == "numpy" else TOGETHER  # Python's own work grows faster than the graph
    for k in range(start, end, size):
        some = CASES[k : min(k + size, end)]
        report(failures_of_each(some, compiled(backend), with_gradients=backend == "numpy"))


@pytest.mark.parametrize("start", range(4))
def test_some_gradients_compiled(backend: str, start: int) -> None:
    report(failures_of_each(CASES[start * 25 :: 100], compiled(backend), with_gradients=True))
