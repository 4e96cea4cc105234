"""A language model of characters: a recurrent network reads a poem and writes in its manner.

Lewis Carroll's "The Walrus and the Carpenter", of 1871, but for its last stanzas, on which the
model is judged: how many bits does it need for a character? The frequencies of characters alone
need more than four.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import graphc
import graphc.tensor as T

DATA = Path(__file__).parent / "data"
HIDDEN = 64
LENGTH = 32
BATCH = 16
STEPS = 80
RATE = 0.01
JUDGED = 500  # characters at the end


def load(file: str = "walrus.txt") -> tuple[np.ndarray, np.ndarray, str]:
    """The text as numbers of characters, to learn from and to be judged by; and the characters."""
    text = (DATA / file).read_text(encoding="utf-8").lower()
    letters = "".join(sorted(set(text)))
    numbers = np.array([letters.index(letter) for letter in text])
    return numbers[:-JUDGED], numbers[-JUDGED:], letters


def unigram_bits(seen: np.ndarray, judged: np.ndarray, letters: str) -> float:
    """What the frequencies of characters need for each, in bits."""
    counts = np.bincount(seen, minlength=len(letters)) + 1.0
    return float(-np.log2(counts / counts.sum())[judged].mean())


class Model:
    """A recurrent network and its parameters."""

    def __init__(self, size: int) -> None:
        random = np.random.default_rng(0)

        def matrix(name: str, rows: int, columns: int) -> Any:
            value = random.standard_normal((rows, columns)) / np.sqrt(rows)
            return graphc.shared(value, name=name)

        self.letter = matrix("letter", size, HIDDEN)
        self.state = matrix("state", HIDDEN, HIDDEN)
        self.answer = matrix("answer", HIDDEN, size)
        self.b = graphc.shared(np.zeros(HIDDEN), name="b")
        self.c = graphc.shared(np.zeros(size), name="c")
        self.parameters = [self.letter, self.state, self.answer, self.b, self.c]

    def follow(self, h: Any, read: Any) -> Any:
        """The state after a character, one for each column of a batch."""
        return T.tanh(self.letter[read] + T.dot(h, self.state) + self.b)

    def chances(self, h: Any) -> Any:
        """How likely each character is to come next."""
        return T.nnet.softmax(T.dot(h, self.answer) + self.c)


def loss_of(model: Model, text: Any) -> Any:
    """The mean cross-entropy of each character but the first, in bits; a text in each column."""

    def step(h: Any, now: tuple[Any, Any]) -> tuple[Any, Any]:
        read, following = now
        h = model.follow(h, read)
        return h, T.nnet.categorical_crossentropy(model.chances(h), following)

    start = T.zeros((text.shape[1], HIDDEN))
    _, losses = graphc.loop(step, start, (text[:-1], text[1:]), name="read")
    return losses.mean() / np.log(2)


def adam(loss: Any, parameters: list[Any]) -> list[tuple[Any, Any]]:
    """Updates by Kingma and Ba's method."""
    count = graphc.shared(0.0, name="count")
    updates = [(count, count + 1)]
    scale = T.sqrt(1 - 0.999 ** (count + 1)) / (1 - 0.9 ** (count + 1))
    for p, g in zip(parameters, T.grad(loss, parameters), strict=True):
        m, v = (graphc.shared(np.zeros_like(p.get_value())) for _ in range(2))
        m_next, v_next = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        change = RATE * scale * m_next / (T.sqrt(v_next) + 1e-8)
        updates += [(m, m_next), (v, v_next), (p, p - change)]
    return updates


def writer(model: Model, backend: str) -> Callable[..., Any]:
    """A function that continues a character by so many others, each drawn by its chances."""
    first, count = T.lscalar("first"), T.lscalar("count")
    random = graphc.random.RandomStreams(5)

    def step(h: Any, read: Any) -> tuple[Any, Any]:
        h = model.follow(h, read)
        drawn = random.multinomial(n=1, pvals=model.chances(h))
        return h, T.argmax(drawn, axis=1)

    (_, written), updates = graphc.scan(
        step,
        outputs_info=[T.zeros((1, HIDDEN)), first.dimshuffle("x")],
        n_steps=count,
        name="write",
    )
    return graphc.function(
        [first, count], written[:, 0], updates=updates, backend=backend, name="write"
    )


def build(size: int, backend: str) -> dict[str, Callable[..., Any]]:
    """A step of training, a judge, and a writer."""
    model = Model(size)
    text = T.lmatrix("text")
    loss = loss_of(model, text)
    updates = adam(loss, model.parameters)
    return {
        "train": graphc.function([text], loss, updates=updates, backend=backend, name="train"),
        "judge": graphc.function([text], loss, backend=backend, name="judge"),
        "write": writer(model, backend),
    }


def batch(random: np.random.Generator, seen: np.ndarray) -> np.ndarray:
    """Pieces of the text that begin anywhere, a piece in each column."""
    starts = random.integers(0, len(seen) - LENGTH, BATCH)
    return seen[starts + np.arange(LENGTH + 1)[:, None]]


def main(backend: str = "numpy", svg: str | Path | None = None, quiet: bool = False) -> dict:
    """Train, judge on the end of the poem, write a few lines, draw the loop that writes."""
    seen, judged, letters = load()
    unigram = unigram_bits(seen, judged, letters)
    functions = build(len(letters), backend)
    before = float(functions["judge"](judged[:, None]))
    random = np.random.default_rng(1)
    for step in range(STEPS):
        bits = float(functions["train"](batch(random, seen)))
        if not quiet and step % 20 == 19:
            held_out = float(functions["judge"](judged[:, None]))
            print(f"step {step + 1}: {bits:.2f} bits a character, held out {held_out:.2f}")
    after = float(functions["judge"](judged[:, None]))
    numbers = functions["write"](letters.index("\n"), 200)
    written = "".join(letters[number] for number in numbers)
    picture = Path(svg or "characters.svg")
    functions["write"].svg(picture)
    if not quiet:
        print(f"{len(letters)} characters; their frequencies need {unigram:.2f} bits for each")
        print(f"held out: {before:.2f} bits at first, {after:.2f} after {STEPS} steps")
        print(written)
        print(f"picture of the loop that writes: {picture}")
    return {
        "unigram": unigram,
        "before": before,
        "bits": bits,
        "held_out": after,
        "written": written,
        "svg": str(picture),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=["numpy", "opencl"], default="numpy")
    parser.add_argument("--svg", metavar="PATH", help="default: characters.svg")
    main(**vars(parser.parse_args()))
