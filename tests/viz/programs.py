"""A few functions that the tests of pictures and reports look at."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc
import graphc.tensor as T


def training_step(backend: str = "numpy") -> Any:
    """A step of logistic regression, as in the README."""
    x, y = T.dmatrix("x"), T.dvector("y")
    w = graphc.shared(np.zeros(30), name="w")
    b = graphc.shared(0.0, name="b")
    p = 1 / (1 + T.exp(-T.dot(x, w) - b))
    loss = T.nnet.binary_crossentropy(p, y).mean() + 0.01 * T.sum(w**2)
    gw, gb = T.grad(loss, [w, b])
    updates = [(w, w - 0.1 * gw), (b, b - 0.1 * gb)]
    return graphc.function([x, y], [p, loss], updates=updates, name="train", backend=backend)


def chain(length: int) -> Any:
    """A long expression: a chain in which every second op reads the input."""
    x = T.dvector("x")
    found = x
    for _ in range(length // 2):
        found = T.sin(found) + x
    return x, found
