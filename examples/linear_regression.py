"""Ridge regression by gradient descent on scikit-learn's diabetes data.

A straight line has a solution in closed form, so this tutorial can say exactly how good its
gradient is: the held-out R² must agree with that of the closed form.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_diabetes
from tqdm import tqdm

import graphc
import graphc.tensor as T

RIDGE = 0.01
RATE = 0.1
STEPS = 500


def load() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Inputs and targets of 353 patients to learn from and of 89 to be judged by, standardised."""
    x, y = load_diabetes(return_X_y=True, scaled=False)
    order = np.random.default_rng(0).permutation(len(x))
    seen, held_out = np.split(order, [int(0.8 * len(x))])
    x = (x - x[seen].mean(axis=0)) / x[seen].std(axis=0)
    y = (y - y[seen].mean()) / y[seen].std()
    return x[seen], y[seen], x[held_out], y[held_out]


def build(columns: int, backend: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The training step and the prediction, compiled."""
    x, y = T.dmatrix("x"), T.dvector("y")
    w = graphc.shared(np.zeros(columns), name="w")
    b = graphc.shared(0.0, name="b")
    prediction = T.dot(x, w) + b
    loss = ((prediction - y) ** 2).mean() + RIDGE * (w**2).sum()
    gw, gb = T.grad(loss, [w, b])
    updates = [(w, w - RATE * gw), (b, b - RATE * gb)]
    train = graphc.function([x, y], loss, updates=updates, backend=backend, name="train")
    return train, graphc.function([x], prediction, backend=backend, name="predict")


def closed_form(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The weights at which the gradient of the loss is zero; x and y have mean zero."""
    return np.linalg.solve(x.T @ x / len(x) + RIDGE * np.eye(x.shape[1]), x.T @ y / len(x))


def r_squared(prediction: np.ndarray, y: np.ndarray) -> float:
    """The part of the variance of y that the prediction explains."""
    return float(1 - ((y - prediction) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def summary(report: str) -> str:
    """The headlines of what `explain` says."""
    heads = ("train", "Rewrites", "Steps")
    return "\n".join(line for line in report.splitlines() if line.startswith(heads))


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
        bar.set_postfix(loss=f"{float(train(x, y)):.4f}", refresh=False)

    score = r_squared(predict(x_held_out), y_held_out)
    best = r_squared(x_held_out @ closed_form(x, y), y_held_out)
    picture = Path(svg or "linear.svg")
    train.svg(picture)
    if not quiet:
        print(f"held-out R²: {score:.4f}; closed form: {best:.4f}")
        print(f"picture of the training step: {picture}")
    return {"r2": score, "closed_form_r2": best, "compile_seconds": compiled, "svg": str(picture)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=["numpy", "opencl"], default="numpy")
    parser.add_argument("--svg", metavar="PATH", help="default: linear.svg")
    main(**vars(parser.parse_args()))
