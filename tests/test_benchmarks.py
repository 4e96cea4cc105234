"""Every benchmark runs once, small, and graphc and the NumPy it is compared with compute the same.

Nothing here looks at a clock: figures come from `python -m benchmarks`.
"""

from __future__ import annotations

import pytest

from benchmarks.harness import Result, check, find_cases, measure
from benchmarks.table import page

CASES = find_cases(tiny=True)
CONTESTANTS = [
    (case, contestant)
    for case in CASES
    for contestant in CASES[case].contestants
    if contestant.split(",")[0] in {"graphc", "numpy"}
]


@pytest.mark.parametrize(("case", "contestant"), CONTESTANTS)
def test_contestant_agrees_with_the_reference(case: str, contestant: str) -> None:
    """The check that precedes a measurement passes."""
    check(CASES[case], CASES[case].contestants[contestant]())


def test_page_has_every_contestant() -> None:
    """A measured case becomes a table; an absent library is named as absent."""
    case = CASES["matrix_call"]

    def absent() -> None:
        raise ImportError("no such library")

    contestants = {"graphc": case.contestants["numpy"], "other": absent}
    tried = type(case)("tried", "Trial", contestants, case.reference)
    (result,) = measure(tried, list(contestants), limit=1, quick=True)
    assert isinstance(result, Result)
    text = page([result], "python -m benchmarks")
    assert "| graphc |" in text
    assert "| other | absent: no such library |" in text
