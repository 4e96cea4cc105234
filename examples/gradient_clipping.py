"""A gradient that explodes, and how a limit on its norm stops it.

A linear network learns how a damped oscillator answers to pushes, over 60 steps. At first its state
grows by a tenth in every step, and so does the gradient on its way back. One step of plain gradient
descent ends in numbers that are none; with a limit the network learns.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import graphc
import graphc.tensor as T

HIDDEN = 16
LENGTH = 60
BATCH = 16
GROWTH = 1.1  # of a state, in each step
RATE = 0.02
LIMIT = 1.0
STEPS = 200


def batch(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pushes and answers: an oscillator that turns by 0.4 and loses three parts in a hundred."""
    turn = 0.97 * np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    pushes = random.standard_normal((LENGTH, BATCH, 1))
    answers = np.zeros((LENGTH, BATCH))
    state = np.zeros((2, BATCH))
    for time in range(LENGTH):
        state = turn @ state
        state[0] += 0.3 * pushes[time, :, 0]
        answers[time] = state[1]
    return pushes, answers


def parameters() -> list[Any]:
    """Weights of the inputs, of the state, and of the output."""
    random = np.random.default_rng(0)
    rotation = np.linalg.qr(random.standard_normal((HIDDEN, HIDDEN)))[0]
    return [
        graphc.shared(0.3 * random.standard_normal((1, HIDDEN)), name="w_in"),
        graphc.shared(GROWTH * rotation, name="w_state"),
        graphc.shared(0.3 * random.standard_normal((HIDDEN, 1)), name="w_out"),
    ]


def answers_of(x: Any, weights: list[Any]) -> Any:
    """What the network says after each push, and its states."""
    w_in, w_state, w_out = weights

    def step(h: Any, push: Any) -> tuple[Any, Any]:
        h = T.dot(push, w_in) + T.dot(h, w_state)
        return h, h

    _, states = graphc.loop(step, T.zeros((x.shape[1], HIDDEN)), x, name="network")
    return T.dot(states, w_out)[:, :, 0]


def norm(gradients: list[Any]) -> Any:
    """The length of all gradients as one vector."""
    return T.sqrt(sum((g**2).sum() for g in gradients))


def build(limit: float, backend: str) -> tuple[Callable[..., Any], Any]:
    """A step of training that gives the loss, and the norm of the gradient before and after."""
    x, y = T.dtensor3("x"), T.dmatrix("y")
    weights = parameters()
    loss = ((answers_of(x, weights) - y) ** 2).mean()
    gradients = T.grad(loss, weights)
    before = norm(gradients)
    gradients = [g * T.minimum(1, limit / before) for g in gradients]
    updates = [(w, w - RATE * g) for w, g in zip(weights, gradients, strict=True)]
    step = graphc.function(
        [x, y], [loss, before, norm(gradients)], updates=updates, backend=backend, name="train"
    )
    return step, weights[1]


def norms_back(backend: str) -> Callable[..., Any]:
    """How long the gradient by each state is, from the first step to the last."""
    x, y, shifts = T.dtensor3("x"), T.dmatrix("y"), T.dtensor3("shifts")
    w_in, w_state, w_out = parameters()

    def step(h: Any, now: tuple[Any, Any]) -> tuple[Any, Any]:
        push, shift = now
        h = T.dot(push, w_in) + T.dot(h, w_state) + shift
        return h, h

    last, _ = graphc.loop(step, T.zeros((x.shape[1], HIDDEN)), (x, shifts))
    loss = ((T.dot(last, w_out)[:, 0] - y[-1]) ** 2).mean()
    by_state = T.grad(loss, shifts)
    lengths = T.sqrt((by_state**2).sum(axis=(1, 2)))
    return graphc.function([x, y, shifts], lengths, backend=backend, name="norms")


def train(step: Callable[..., Any], steps: int) -> np.ndarray:
    """The loss and both norms of each step."""
    random = np.random.default_rng(1)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array([[*map(float, step(*batch(random)))] for _ in range(steps)])


def main(backend: str = "numpy", svg: str | Path | None = None, quiet: bool = False) -> dict:
    """Train with and without a limit from the same weights, and show the norms."""
    x, y = batch(np.random.default_rng(1))
    lengths = norms_back(backend)(x, y, np.zeros((LENGTH, BATCH, HIDDEN)))
    growth = float((lengths[0] / lengths[-1]) ** (1 / (LENGTH - 1)))
    free, _ = build(np.inf, backend)
    limited, w_state = build(LIMIT, backend)
    without, rows = train(free, 3), train(limited, STEPS)
    radius = float(np.abs(np.linalg.eigvals(w_state.get_value())).max())
    picture = Path(svg or "clipping.svg")
    limited.svg(picture)
    if not quiet:
        print(f"the gradient by the last state has norm {lengths[-1]:.3g}, by the first")
        print(f"{lengths[0]:.3g}: it grows by a factor of {growth:.3f} in each step back")
        print("  step       loss   norm before   norm after")
        for name, found, places in (
            ("without a limit", without, range(3)),
            (f"limit {LIMIT}", rows, (0, 1, 2, 5, 10, 30, 100, STEPS - 1)),
        ):
            print(name)
            for place in places:
                loss, before, after = found[place]
                print(f"{place:>6} {loss:>10.4g} {before:>13.4g} {after:>12.4g}")
        print(f"the state now grows by a factor of at most {radius:.3f}")
        print(f"picture of a step: {picture}")
    return {
        "growth": growth,
        "without": without,
        "limited": rows,
        "radius": radius,
        "svg": str(picture),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=["numpy", "opencl"], default="numpy")
    parser.add_argument("--svg", metavar="PATH", help="default: clipping.svg")
    main(**vars(parser.parse_args()))
