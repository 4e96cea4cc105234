"""The language through compiled functions: movements, networks, indices; many in one function."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.errors import GraphcIndexError
from graphc.ir.node import Node
from harness import evaluate
from language_samples import AXES, MOVED, NETS, C, M

INDICES: list[Any] = [
    np.s_[0],
    np.s_[-1, 1:],
    np.s_[:, None, 1],
    np.s_[1:, ::2],
    np.s_[::-1],
    np.s_[::-2, ::-1, 1:-1],
    np.s_[..., -1],
    np.s_[..., ::3],
    np.s_[5:],
    np.s_[1, 2, 3],
    np.s_[-2:, :-1, -3:-1],
    np.s_[:0],
    np.s_[-1:-9:-1],
    np.s_[-3::-1],
    np.s_[:, -9:2:-1],
]


def run(made: list[Node], given: dict[Node, Any], backend: str, **options: Any) -> None:
    """Compile expressions into one function and compare with the evaluator."""
    f = graphc.function(list(given), made, backend=backend, **options)
    expected = evaluate(made, given)
    for node, value, right in zip(made, f(*given.values()), expected, strict=True):
        assert (value.dtype, value.shape) == (right.dtype, right.shape), repr(node)
        np.testing.assert_allclose(value, right, 1e-13, 1e-13, err_msg=repr(node))


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE"])
def test_movements(mode: str, backend: str) -> None:
    x = T.dtensor3("x")
    run([own(x) for own, _ in MOVED], {x: C}, backend, mode=mode)


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE"])
def test_indices(mode: str, backend: str) -> None:
    x = T.dtensor3("x")
    run([x[index] for index in INDICES], {x: C}, backend, mode=mode)


def test_indices_with_symbolic_bounds(backend: str) -> None:
    x, i, j = T.dtensor3("x"), T.lscalar("i"), T.lscalar("j")
    made = [
        x[:, i],
        x[i:j],
        x[:, i:],
        x[j:i:-1],
        x[..., -i:],
        x[:, :, j],
        T.set_subtensor(x[i:], 0),
    ]
    for bounds in ((0, 2), (-1, 1), (1, -1), (1, 0)):
        run(made, {x: C, i: np.int64(bounds[0]), j: np.int64(bounds[1])}, backend)


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE"])
def test_replaced_parts(mode: str, backend: str) -> None:
    x = T.dtensor3("x")
    parts = [x[index] for index in INDICES]
    made = [T.set_subtensor(part, 7) for part in parts]
    made += [T.inc_subtensor(part, part * 2) for part in parts]
    run(made, {x: C}, backend, mode=mode)


def test_networks(backend: str) -> None:
    x, y, q, k = T.dmatrix("x"), T.dmatrix("y"), T.dmatrix("q"), T.ivector("k")
    p = T.nnet.softmax(x)
    made = [own(x) for own, _ in NETS]
    made += [
        T.nnet.binary_crossentropy(T.nnet.sigmoid(x), T.nnet.sigmoid(y)),
        T.nnet.categorical_crossentropy(p, q),
        T.nnet.categorical_crossentropy(p, k),
        T.mean(T.eq(T.argmax(p, axis=1), k)),
    ]
    given = {x: M, y: M[::-1].copy(), q: abs(M), k: np.array([2, 0], "int32")}
    run(made, given, backend)


def test_reductions(backend: str) -> None:
    x = T.dtensor3("x")
    names = ["sum", "mean", "max", "min", "any", "all", "var"]
    made = [
        getattr(T, name)(x, axis=axis, keepdims=keepdims)
        for name in names
        for axis in AXES
        for keepdims in (False, True)
    ]
    made += [T.argmax(x, axis=axis) for axis in (None, 0, -1, (0, 2))]
    run(made, {x: C}, backend)


def test_arrays_from_counts(backend: str) -> None:
    n, x = T.lscalar("n"), T.dvector("x")
    made = [
        T.arange(n),
        T.arange(n, 0, -2),
        T.eye(n, n + 1, 1),
        T.zeros((n, 2)),
        T.arange(n) * T.ones_like(n),
        T.alloc(1.5, n, x.shape[0]),
        T.stack([x.sum(), n, 1]),
        T.as_tensor_variable([x[0], 2.0]),
    ]
    for count in (3, 0, 1):
        run(made, {n: np.int64(count), x: np.array([1.0, 2.0])}, backend)


@pytest.mark.parametrize("place", [3, -4, 7])
def test_an_index_outside_is_found_before_anything_is_computed(place: int, backend: str) -> None:
    x, i = T.dvector("x"), T.lscalar("i")
    w = graphc.shared(np.zeros(3), "w")
    f = graphc.function([x, i], x[i], updates=[(w, w + x)], backend=backend)
    assert f(np.arange(3.0), place % 3) == place % 3
    with pytest.raises(GraphcIndexError, match=f"index {place} is out of range"):
        f(np.arange(3.0), place)
    np.testing.assert_array_equal(w.get_value(), np.arange(3.0))
