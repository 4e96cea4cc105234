"""Logistic regression on scikit-learn's breast cancer data: is a tumour benign?

The loss is written as in a textbook. Its `log` of a sigmoid would be -inf for a confident wrong
answer; graphc rewrites it, and `explain` says so.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer
from tqdm import tqdm

import graphc
import graphc.tensor as T

DECAY = 0.01
RATE = 0.1
STEPS = 200


def load() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Inputs and labels of 455 tumours to learn from and of 114 to be judged by, standardised."""
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    seen, held_out = np.split(order, [int(0.8 * len(x))])
    x = (x - x[seen].mean(axis=0)) / x[seen].std(axis=0)
    y = y.astype(np.float64)
    return x[seen], y[seen], x[held_out], y[held_out]


def build(columns: int, backend: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The training step and the prediction, compiled."""
    x, y = T.dmatrix("x"), T.dvector("y")
    w = graphc.shared(np.zeros(columns), name="w")
    b = graphc.shared(0.0, name="b")
    p = 1 / (1 + T.exp(-T.dot(x, w) - b))
    loss = T.nnet.binary_crossentropy(p, y).mean() + DECAY * T.sum(w**2)
    gw, gb = T.grad(loss, [w, b])
    updates = [(w, w - RATE * gw), (b, b - RATE * gb)]
    train = graphc.function([x, y], [p, loss], updates=updates, backend=backend, name="train")
    return train, graphc.function([x], p > 0.5, backend=backend, name="predict")


def summary(report: str) -> str:
    """What `explain` says of the rewrites for accuracy, and the number of steps."""
    rewrites, _, rest = report.partition("\n\n  for simplicity")
    steps = [line for line in rest.splitlines() if line.startswith("Steps")]
    return "\n".join([rewrites, "", *steps])


def main(backend: str = "numpy", svg: str | Path | None = None, quiet: bool = False) -> dict:
    """Train, judge on held-out data, write the picture of the training graph."""
    x, y, x_held_out, y_held_out = load()
    start = time.perf_counter()
    train, predict = build(x.shape[1], backend)
    compiled = time.perf_counter() - start
    if not quiet:
        print(f"compiled in {1000 * compiled:.0f} ms, for {backend}")
        print(summary(train.explain()))

    for _ in (bar := tqdm(range(STEPS), disable=quiet)):
        p, loss = train(x, y)
        accuracy = np.mean((p > 0.5) == y)
        bar.set_postfix(loss=f"{float(loss):.4f}", accuracy=f"{accuracy:.3f}", refresh=False)

    accuracy = float(np.mean(predict(x_held_out) == y_held_out))
    picture = Path(svg or "logistic.svg")
    train.svg(picture)
    if not quiet:
        print(f"held-out accuracy: {accuracy:.3f}")
        print(f"picture of the training step: {picture}")
    return {"accuracy": accuracy, "compile_seconds": compiled, "svg": str(picture)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=["numpy", "opencl"], default="numpy")
    parser.add_argument("--svg", metavar="PATH", help="default: logistic.svg")
    main(**vars(parser.parse_args()))
