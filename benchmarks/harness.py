"""What a case is, and how contestants are checked and timed in turn.

Times are never compared with a constant: the machine's speed cancels in the ratio of contestants
whose samples were interleaved.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

import benchmarks.cases

Call = Callable[[], Any]
Build = Callable[[], Call]
SERIES = {"calls": [""], "own": [""], "process": ["first in a process", "second in the process"]}
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Case:
    """A task, and for each contestant a function that prepares it and returns what is timed.

    A contestant imports its library when it is built, so an absent library is an `ImportError`.
    Modes: `calls` times the returned function; `process` times its first and its second run in a
    fresh process (for compilation); `own` takes the seconds that the function returns.
    """

    name: str
    title: str
    contestants: Mapping[str, Build]
    reference: Callable[[], Sequence[Any]] | None = None
    target: str = ""
    calls: int = 1  # the reference holds the results of this call, for contestants with state
    tolerance: float = 1e-9
    mode: Literal["calls", "process", "own"] = "calls"
    repeats: int = 60


class Missing(Exception):
    """Says why a contestant has no time."""


@dataclass
class Result:
    """Seconds per call of each contestant, and why the others have none."""

    case: Case
    series: str
    samples: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def find_cases(tiny: bool = False) -> dict[str, Case]:
    """Every case of every file in `benchmarks/cases/`."""
    names = sorted(module.name for module in pkgutil.iter_modules(benchmarks.cases.__path__))
    modules = [importlib.import_module(f"benchmarks.cases.{name}") for name in names]
    return {case.name: case for module in modules for case in module.cases(tiny)}


def flatten(result: Any) -> list[np.ndarray]:
    """The arrays of a result, whatever a library returns them in."""
    parts = result if isinstance(result, list | tuple) else [result]
    return [np.asarray(part) for part in parts]


def check(case: Case, call: Call) -> None:
    """Raise unless the contestant computes what the plain reference computes."""
    for _ in range(case.calls):
        result = call()
    if case.reference is None:
        return
    got, expected = flatten(result), [np.asarray(value) for value in case.reference()]
    if len(got) != len(expected):
        raise AssertionError(f"{len(got)} results instead of {len(expected)}")
    for value, right in zip(got, expected, strict=True):
        np.testing.assert_allclose(value, right, rtol=case.tolerance, atol=case.tolerance)


def describe(error: Exception) -> str:
    """Why a contestant has no time, in one short line."""
    if isinstance(error, Missing):
        return str(error)
    text = " ".join(str(error).split())[:200]
    kind = "absent" if isinstance(error, ImportError) else f"failed: {type(error).__name__}"
    return f"{kind}: {text}"


def per_sample(call: Call, at_least: float = 2e-3) -> int:
    """How many calls make a sample long enough for the clock."""
    count = 1
    while (seconds := time_calls(call, count)) < at_least:
        count = max(count + 1, min(100 * count, int(count * 1.2 * at_least / seconds)))
    return count


def time_calls(call: Call, count: int) -> float:
    """Seconds that `count` calls take, without garbage collection."""
    gc.disable()
    start = time.perf_counter()
    for _ in range(count):
        call()
    seconds = time.perf_counter() - start
    gc.enable()
    return seconds


def sampler(case: Case, name: str, limit: float) -> Callable[[], list[float]]:
    """Prepare a contestant; the function returned takes one sample of each series."""
    if case.mode == "process":
        return lambda: run_worker(case.name, name, limit)
    call = case.contestants[name]()
    if case.mode == "own":
        return lambda: [call()]
    check(case, call)
    count = per_sample(call)

    def sample() -> list[float]:
        time.sleep(3e-3)  # threads of the one before stop spinning
        call()  # caches are this contestant's own again
        return [time_calls(call, count) / count]

    return sample


def measure(case: Case, names: Sequence[str], limit: float, quick: bool = False) -> list[Result]:
    """Sample the contestants in turn, A B C, B C A, ..., and return what was measured."""
    results = [Result(case, series) for series in SERIES[case.mode]]
    samplers: dict[str, Callable[[], list[float]]] = {}

    def attempt(name: str, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except Exception as error:
            samplers.pop(name, None)
            for result in results:
                result.missing[name] = describe(error)

    for name in names:
        if ready := attempt(name, partial(sampler, case, name, limit)):
            samplers[name] = ready
    for number in range(min(case.repeats, 3) if quick else case.repeats):
        turn = number % max(1, len(samplers))
        for name in [*samplers][turn:] + [*samplers][:turn]:
            times = attempt(name, samplers[name]) or ()
            for result, seconds in zip(results, times, strict=False):
                result.samples.setdefault(name, []).append(seconds)
    return results


def run_worker(case: str, name: str, limit: float) -> list[float]:
    """Run one contestant in a fresh process with empty caches on disk."""
    with tempfile.TemporaryDirectory() as empty:
        caches = ("NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")
        environment = os.environ | {"PYTENSOR_FLAGS": f"base_compiledir={empty}"}
        environment |= dict.fromkeys(caches, empty)
        command = [sys.executable, "-m", "benchmarks.worker", case, name]
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, timeout=limit, capture_output=True, text=True
            )
        except subprocess.TimeoutExpired:
            raise Missing(f"over {limit:.0f} s") from None
    if done.returncode:
        raise Missing((done.stderr.strip().splitlines() or ["failed"])[-1])
    return json.loads(done.stdout.splitlines()[-1])
