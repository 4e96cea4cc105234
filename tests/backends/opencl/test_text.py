"""The whole text of three programs, to be read: host function and kernels.

The texts lie in `golden/`. `GRAPHC_UPDATE_GOLDEN=1 python -m pytest <this file>` writes them anew;
the difference is then reviewed like any other change.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.backends.opencl.device import Device

GOLDEN = Path(__file__).parent / "golden"


def bias() -> Any:
    """Broadcasting: a row over a matrix, and a scalar by value."""
    x, b, s = T.dmatrix("x"), T.dvector("b"), T.dscalar("s")
    return graphc.function([x, b, s], T.tanh(x + b) * s, backend="opencl", name="bias")


def columns() -> Any:
    """Reductions over the first axis, with a store in the same sweep."""
    x = T.fmatrix("x")
    y = T.exp(-T.sqr(x))
    outputs = [y, y.sum(axis=0), y.max(axis=0)]
    return graphc.function([x], outputs, backend="opencl", name="columns")


def step() -> Any:
    """A training step: products, groups that fold and store, scalars on the device."""
    x, y = T.dmatrix("x"), T.dvector("y")
    w, b = graphc.shared(np.zeros(30), "w"), graphc.shared(0.0, "b")
    p = T.nnet.sigmoid(T.dot(x, w) + b)
    cost = T.nnet.binary_crossentropy(p, y).mean() + 0.01 * T.sqr(w).sum()
    updates = [(v, v - 0.1 * T.grad(cost, v)) for v in (w, b)]
    return graphc.function([x, y], [p, cost], updates=updates, backend="opencl", name="step")


@pytest.mark.parametrize("program", [bias, columns, step])
def test_text(program: Any, device: Device) -> None:
    if device.vector_width("float64") != 4 or device.info.kind != "cpu":
        pytest.skip("the texts are those of a CPU device with vectors of 32 bytes")
    text = program().source.split("\n", 1)[1]  # the first line names the device
    path = GOLDEN / f"{program.__name__}.txt"
    if os.environ.get("GRAPHC_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
