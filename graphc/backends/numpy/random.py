"""Random draws on the host: NumPy's Philox, set to the counter of each part of an array.

An array is cut into chunks, which threads fill side by side: a chunk's first counter follows from
its place. `graphc.ops.random` says how words become elements.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.backends.numpy.runtime import share

__all__ = ["random_bits", "random_normal", "random_uniform"]

CHUNK = 1 << 15
"""Elements that are drawn at once; whole blocks of words, and small enough for the cache."""

Fill = Callable[["Generator", np.ndarray], None]


class Generator(threading.local):
    """NumPy's generator with a state that is set anew for each chunk; one a thread."""

    def __init__(self) -> None:
        self.philox = np.random.Philox(0)
        self.numpy = np.random.Generator(self.philox)
        self.counter = np.zeros(4, np.uint64)
        self.key = np.zeros(2, np.uint64)
        self.state: Any = {
            "bit_generator": "Philox",
            "state": {"counter": self.counter, "key": self.key},
            "buffer": np.zeros(4, np.uint64),
            "buffer_pos": 4,  # of which nothing is left
            "has_uint32": 0,
            "uinteger": 0,
        }
        self.spare: dict[str, np.ndarray] = {}

    def start(self, state: list[int], step: int, part: int, block: int) -> None:
        """Go to where a block of four words begins."""
        self.key[:] = state[:2]
        self.counter[:] = block, step, state[2], part
        self.philox.state = self.state

    def scratch(self, dtype: np.dtype[Any], count: int) -> np.ndarray:
        """Return rows to compute in: three of half a chunk each."""
        if dtype.name not in self.spare:
            self.spare[dtype.name] = np.empty((3, CHUNK // 2), dtype)
        return self.spare[dtype.name][:, :count]


_generator = Generator()


def random_bits(state: np.ndarray, step: Any, part: int, out: np.ndarray) -> None:
    """Fill an array of uint32 or uint64 with random bits."""
    _fill(_bits, state, step, part, out)


def random_uniform(state: np.ndarray, step: Any, part: int, out: np.ndarray) -> None:
    """Fill an array of floats with uniform numbers of [0, 1)."""
    _fill(_uniform, state, step, part, out)


def random_normal(state: np.ndarray, step: Any, part: int, out: np.ndarray) -> None:
    """Fill an array of floats with normal numbers."""
    _fill(_normal, state, step, part, out)


def _fill(fill: Fill, state: np.ndarray, step: Any, part: int, out: np.ndarray) -> None:
    flat = out.reshape(-1)
    words = state.tolist()
    if flat.size <= CHUNK:
        _generator.start(words, int(step), part, 0)
        fill(_generator, flat)
        return
    per_block = 32 // out.itemsize
    starts = range(0, flat.size, CHUNK)
    numbers = itertools.count()

    def work() -> None:
        generator = _generator
        for number in iter(numbers.__next__, None):
            if number >= len(starts):
                return
            low = starts[number]
            generator.start(words, int(step), part, low // per_block)
            fill(generator, flat[low : low + CHUNK])

    share(work, len(starts))


def _bits(generator: Generator, out: np.ndarray) -> None:
    count = -(-out.size * out.itemsize // 8)
    words = generator.philox.random_raw(count)
    np.copyto(out, words.astype("<u8", copy=False).view(f"<u{out.itemsize}")[: out.size])


def _uniform(generator: Generator, out: np.ndarray) -> None:
    generator.numpy.random(out=out, dtype=out.dtype)


def _normal(generator: Generator, out: np.ndarray) -> None:
    """Draw pairs of uniform numbers, and make pairs of normal ones of them: Box and Muller."""
    count = -(-out.size // 2)
    uniform = out
    if out.size % 2:
        uniform = np.empty(out.size + 1, out.dtype)
    _uniform(generator, uniform)
    radius, angle, cosine = generator.scratch(out.dtype, count)
    np.subtract(1, uniform[0::2], radius)
    np.log(radius, radius)
    np.multiply(radius, -2, radius)
    np.sqrt(radius, radius)
    np.multiply(uniform[1::2], 2 * np.pi, angle)
    np.cos(angle, cosine)
    np.sin(angle, angle)
    np.multiply(radius, cosine, out[0::2])
    np.multiply(radius[: out.size // 2], angle[: out.size // 2], out[1::2])
