"""A support vector machine on breast cancer data, its hinge loss written in three ways.

`maximum` and `switch` choose for all samples at once; `ifelse` in a loop chooses for one sample
after the other and computes nothing for those that are right by a margin.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer

import graphc
import graphc.tensor as T

DECAY = 0.01
RATE = 0.05
STEPS = 100
SIDE_BY_SIDE = 5


def load() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Inputs and labels, -1 or 1, of 455 tumours to learn from and of 114 to be judged by."""
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    seen, held_out = np.split(order, [int(0.8 * len(x))])
    x = (x - x[seen].mean(axis=0)) / x[seen].std(axis=0)
    y = 2.0 * y - 1
    return x[seen], y[seen], x[held_out], y[held_out]


def by_maximum(margin: Any) -> Any:
    """Of two values the larger one, for all samples at once."""
    return T.maximum(0, 1 - margin)


def by_switch(margin: Any) -> Any:
    """A choice for each sample; both values are there for all of them."""
    return T.switch(margin < 1, 1 - margin, 0)


def by_ifelse(margin: Any) -> Any:
    """A choice in each step of a loop; only the value that is chosen is computed."""
    losses, _ = graphc.map(lambda one: graphc.ifelse(one < 1, 1 - one, 0.0), margin)
    return losses


WAYS = {"maximum": by_maximum, "switch": by_switch, "ifelse": by_ifelse}


def build(way: Callable[[Any], Any], columns: int, backend: str) -> dict[str, Callable[..., Any]]:
    """The loss with its gradient, a training step and the prediction, compiled."""
    x, y = T.dmatrix("x"), T.dvector("y")
    w = graphc.shared(np.zeros(columns), name="w")
    b = graphc.shared(0.0, name="b")
    score = T.dot(x, w) + b
    loss = way(y * score).mean() + DECAY * (w**2).sum()
    gw, gb = T.grad(loss, [w, b])
    updates = [(w, w - RATE * gw), (b, b - RATE * gb)]
    return {
        "judge": graphc.function([x, y], [loss, gw, gb], backend=backend, name="judge"),
        "train": graphc.function([x, y], loss, updates=updates, backend=backend, name="train"),
        "predict": graphc.function([x], T.sgn(score), backend=backend, name="predict"),
    }


def main(backend: str = "numpy", svg: str | Path | None = None, quiet: bool = False) -> dict:
    """Train by the three, of each so many steps that it takes a second; draw a picture."""
    x, y, x_held_out, y_held_out = load()
    built = {name: build(way, x.shape[1], backend) for name, way in WAYS.items()}
    difference = 0.0
    for _ in range(SIDE_BY_SIDE):
        found = [[*map(np.asarray, f["judge"](x, y))] for f in built.values()]
        difference = max(difference, *(spread(same) for same in zip(*found, strict=True)))
        losses = [float(f["train"](x, y)) for f in built.values()]
    if not quiet:
        print(f"three times {SIDE_BY_SIDE} steps, side by side: loss {losses[0]:.4f}")
        print(f"losses and gradients of the three differ by at most {difference:.1e}")
    for _ in range(STEPS - SIDE_BY_SIDE):
        loss = float(built["switch"]["train"](x, y))
    accuracy = float(np.mean(built["switch"]["predict"](x_held_out) == y_held_out))
    picture = Path(svg or "hinge.svg")
    built["ifelse"]["judge"].svg(picture)
    if not quiet:
        print(f"after {STEPS} steps by switch: loss {loss:.4f}, held-out accuracy {accuracy:.3f}")
        print(f"picture of the loss by ifelse, with its gradient: {picture}")
    return {"difference": difference, "accuracy": accuracy, "svg": str(picture)}


def spread(values: tuple[np.ndarray, ...]) -> float:
    """The greatest difference between arrays that should be the same."""
    return float(max(np.abs(value - values[0]).max() for value in values))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=["numpy", "opencl"], default="numpy")
    parser.add_argument("--svg", metavar="PATH", help="default: hinge.svg")
    main(**vars(parser.parse_args()))
