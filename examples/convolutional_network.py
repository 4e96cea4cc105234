"""A convolutional network on scikit-learn's handwritten digits, 8 x 8 pixels each.

Two convolutions, the largest of each 2 x 2 pixels, and a softmax, in 32-bit floats.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from tqdm import tqdm

import graphc
import graphc.tensor as T
from graphc.tensor.nnet import conv2d
from graphc.tensor.signal.pool import pool_2d

FILTERS = 16, 32
RATE = 0.2
EPOCHS = 12
BATCH = 64


def load() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images from 0 to 1 and labels of 1437 digits to learn from and of 360 to be judged by."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32").reshape(-1, 1, 8, 8)
    order = np.random.default_rng(0).permutation(len(x))
    seen, held_out = np.split(order, [int(0.8 * len(x))])
    return x[seen], y[seen], x[held_out], y[held_out]


def parameter(random: np.random.Generator, name: str, *shape: int) -> Any:
    """Weights that keep the scale of what they multiply, of which half becomes 0."""
    fan = shape[0] if len(shape) == 2 else int(np.prod(shape[1:]))
    return graphc.shared((random.standard_normal(shape) * np.sqrt(2 / fan)).astype("float32"), name)


def layer(x: Any, w: Any, b: Any) -> Any:
    """A convolution that keeps the size of the image, a bias for each filter, and no negatives."""
    return T.nnet.relu(conv2d(x, w, border_mode="half") + b.dimshuffle("x", 0, "x", "x"))


def build(classes: int, backend: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The training step and the prediction, compiled."""
    random = np.random.default_rng(0)
    w1 = parameter(random, "w1", FILTERS[0], 1, 3, 3)
    w2 = parameter(random, "w2", FILTERS[1], FILTERS[0], 3, 3)
    w3 = parameter(random, "w3", FILTERS[1] * 16, classes)
    sizes = {"b1": FILTERS[0], "b2": FILTERS[1], "b3": classes}
    b1, b2, b3 = (graphc.shared(np.zeros(n, "float32"), name) for name, n in sizes.items())

    x, y = T.ftensor4("x"), T.lvector("y")
    h1 = layer(x, w1, b1)
    h2 = pool_2d(layer(h1, w2, b2), (2, 2), ignore_border=True)
    p = T.nnet.softmax(T.dot(h2.flatten(2), w3) + b3)
    loss = T.nnet.categorical_crossentropy(p, y).mean()

    parameters = [w1, b1, w2, b2, w3, b3]
    gradients = T.grad(loss, parameters)
    updates = [(v, v - RATE * g) for v, g in zip(parameters, gradients, strict=True)]
    train = graphc.function([x, y], loss, updates=updates, backend=backend, name="train")
    return train, graphc.function([x], T.argmax(p, axis=1), backend=backend, name="predict")


def batches(random: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    """The rows of each batch of one pass over the data."""
    yield from np.array_split(random.permutation(count), count // BATCH)


def summary(report: str) -> str:
    """The headlines of what `explain` says."""
    heads = ("train", "Rewrites", "Steps")
    return "\n".join(line for line in report.splitlines() if line.startswith(heads))


def main(backend: str = "numpy", svg: str | Path | None = None, quiet: bool = False) -> dict:
    """Train, judge on held-out data, write the picture of the training graph."""
    x, y, x_held_out, y_held_out = load()
    start = time.perf_counter()
    train, predict = build(10, backend)
    compiled = time.perf_counter() - start
    if not quiet:
        print(f"compiled in {1000 * compiled:.0f} ms, for {backend}")
        print(summary(train.explain()))

    random = np.random.default_rng(1)
    for _ in (bar := tqdm(range(EPOCHS), disable=quiet, unit="epoch")):
        losses = [float(train(x[rows], y[rows])) for rows in batches(random, len(x))]
        accuracy = np.mean(predict(x_held_out) == y_held_out)
        bar.set_postfix(loss=f"{np.mean(losses):.4f}", held_out=f"{accuracy:.3f}")

    accuracy = float(np.mean(predict(x_held_out) == y_held_out))
    picture = Path(svg or "convolution.svg")
    train.svg(picture)
    if not quiet:
        print(f"held-out accuracy: {accuracy:.3f}")
        print(f"picture of the training step: {picture}")
    return {"accuracy": accuracy, "compile_seconds": compiled, "svg": str(picture)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=["numpy", "opencl"], default="numpy")
    parser.add_argument("--svg", metavar="PATH", help="default: convolution.svg")
    main(**vars(parser.parse_args()))
