"""Gradients of parts of one array: put into one array where the parts do not overlap."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from autodiff.slopes import as_written, assert_slopes
from graphc.autodiff.places import bounds
from graphc.gradient import grad
from graphc.ir.node import Node
from graphc.ir.walk import toposort
from graphc.rewrite.pipeline import simplify

m, s = T.dmatrix("m"), T.dscalar("s")
k, n = T.lscalars("k", "n")
fixed = T.TensorType("float64", (2, 6))("fixed")
AT = {m: np.arange(12.0).reshape(2, 6) / 7, s: np.float64(0.3)}


def names(g: Node) -> Counter[str]:
    return Counter(node.op.name for node in toposort([g]))


APART = {
    "two halves": T.sin(m[:, :3]).sum() + T.exp(m[:, 3:6]).sum(),
    "four gates": sum((T.sin(m[:, i : i + 2]) * (i + 1)).sum() for i in (4, 0, 2)),
    "rows": T.sin(m[0]).sum() + T.exp(m[1]).sum(),
    "one of two axes": T.sin(m[0, 1:3]).sum() + T.exp(m[1, 2:5]).sum(),
    "broadcast": (m[:, 0].dimshuffle(0, "x") * m[:, 1:4]).sum() * s,
    "the same twice": T.sin(m[:, :2]).sum() + (m[:, :2] ** 2).sum() + T.exp(m[:, 2:]).sum(),
}
OVERLAP = {
    "one column": T.sin(m[:, :3]).sum() + T.exp(m[:, 2:5]).sum(),
    "steps": T.sin(m[:, ::2]).sum() + T.exp(m[:, 1::2]).sum(),
    "backwards": T.sin(m[:, 2::-1]).sum() + T.exp(m[:, 3:]).sum(),
}


@pytest.mark.parametrize("name", [*APART, *OVERLAP])
def test_slopes(name: str) -> None:
    cost = {**APART, **OVERLAP}[name]
    given = {leaf: value for leaf, value in AT.items() if leaf in toposort([cost])}
    assert_slopes(cost, given)


@pytest.mark.parametrize("name", APART)
def test_parts_that_are_apart_are_not_added(name: str) -> None:
    (g,) = as_written(APART[name], [m])
    found = names(g)
    assert found["put"] >= 2
    top = next(node for node in reversed(toposort([g])) if node.op.name in ("put", "add"))
    assert top.op.name == "put"


@pytest.mark.parametrize("name", OVERLAP)
def test_parts_that_may_overlap_are_added(name: str) -> None:
    (g,) = as_written(OVERLAP[name], [m])
    assert names(g)["add"] >= 1


def test_parts_that_are_all_of_an_array_are_joined() -> None:
    cost = sum((T.sin(fixed[:, i : i + 2]) * (i + 1)).sum() for i in (4, 0, 2))
    (g,) = simplify([grad(cost, fixed)])
    assert names(g)["join"] == 1 and not names(g)["put"]


def test_parts_are_replaced_where_the_array_lies() -> None:
    cost = (T.sin(m[:, :3]) * s).sum() + T.exp(m[:, 3:5]).sum()
    for backend in ("numpy", "opencl"):
        f = graphc.function([m, s], T.tanh(grad(cost, m)), backend=backend)
        x = AT[m]
        expected = np.tanh(np.hstack([np.cos(x[:, :3]) * 0.3, np.exp(x[:, 3:5]), x[:, 5:] * 0]))
        np.testing.assert_allclose(f(x, 0.3), expected)
        copies = [line for line in f.source.splitlines() if "copyto" in line]
        assert len(copies) <= 1  # of the zeros


def test_bounds_of_sizes() -> None:
    assert bounds(3) == (3, 3)
    assert bounds(m.shape[0]) == (0, np.inf)
    assert bounds(T.maximum(T.minimum(m.shape[1], 256) - 128, 0)) == (0, 128)
    assert bounds(T.minimum(m.shape[1], 4) + 2) == (2, 6)
    assert bounds(k * n) == (-np.inf, np.inf)
