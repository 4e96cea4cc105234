"""How long the steps of a program take on the host, by the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise

import numpy as np

from graphc.backends.base import Event

COPIED = 1 << 26
TRIES = 5


class Clock:
    """Takes the time between steps."""

    def __init__(self) -> None:
        self._marks: list[tuple[int, float]] = []

    def at(self, step: int) -> None:
        """Note that a step begins; 0 when the call ends."""
        self._marks.append((step, time.perf_counter()))

    def events(self) -> list[Event]:
        """Return the steps since the last time, in order."""
        marks, self._marks = self._marks, []
        pairs = pairwise(marks)
        return [Event(s, "host", "", 0, after - start) for (s, start), (_, after) in pairs if s]


@contextmanager
def recording() -> Iterator[Clock]:
    """Take the time of steps inside the block."""
    yield Clock()


@cache
def bandwidth() -> float:
    """Return how many bytes a second a copy reads and writes: the best of a few, in one thread."""
    source = np.ones(COPIED // 8)
    target = np.empty_like(source)
    best = float("inf")
    for _ in range(TRIES):
        start = time.perf_counter()
        np.copyto(target, source)
        best = min(best, time.perf_counter() - start)
    return 2 * COPIED / best
