"""Movements, grids and helpers against NumPy: as written, compiled, and their gradients.

A sample is a function of a module and arrays: `graphc.tensor` and expressions give the program,
`numpy` and arrays what it should compute.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.errors import (
    GraphcIndexError,
    GraphcTypeError,
    GraphcValueError,
    NotSupportedError,
    ShapeError,
)
from graphc.ir import dtypes
from graphc.ir.node import Node, const
from graphc.ir.shapes import sizes
from graphc.ir.verify import verify
from harness import evaluate, evaluate_sizes, numeric_gradients

X = np.arange(24.0).reshape(2, 3, 4)
M = np.array([[3.0, -1.0, 2.0, 0.5], [0.0, 7.0, -2.0, 1.0], [4.0, 4.5, -3.0, 9.0]])
V = np.array([2.0, -1.0, 0.5, 3.0, 1.0])
S = np.array(1.5)
L = np.array([[0, 2, 1], [1, 0, 2]])
J = np.array([2, 0, 2, 1])

Sample = tuple[str, Callable[..., Any], tuple[np.ndarray, ...]]


def samples(*rows: tuple[Callable[..., Any], Any]) -> list[Any]:
    made = []
    for place, (build, arrays) in enumerate(rows):
        arrays = arrays if isinstance(arrays, tuple) else (arrays,)
        made.append(pytest.param(build, arrays, id=f"{place}-{build.__code__.co_names[:1]}"))
    return made


def padded(mode: str, width: Any, **more: Any) -> Callable[..., Any]:
    return lambda n, x: n.pad(x, width, mode=mode, **more)


MODES = ["constant", "edge", "reflect", "symmetric", "wrap", "maximum", "minimum", "mean"]

ROWS: list[tuple[Callable[..., Any], Any]] = [
    *[(lambda n, x, a=a, b=b: n.moveaxis(x, a, b), X) for a, b in [(0, 2), (-1, 0), (1, 1)]],
    (lambda n, x: n.moveaxis(x, [0, 2], [1, 0]), X),
    *[
        (lambda n, x, a=a, b=b: n.rollaxis(x, a, b), X)
        for a, b in itertools.product((0, 1, 2, -1), (0, 1, 2, 3, -1))
    ],
    (lambda n, x: n.swapaxes(x, 0, 2), X),
    (lambda n, x: n.transpose(x, (2, 0, 1)), X),
    (lambda n, x: n.transpose(x, axes=[1, 2, 0]), X),
    *[
        (lambda n, x, k=k: getattr(n, f"atleast_{k}d")(x), x)
        for k in (1, 2, 3)
        for x in (S, V, M, X)
    ],
    *[(lambda n, x, a=a: n.flip(x, a), X) for a in (None, 0, -1, (0, 2))],
    (lambda n, x: n.flipud(x), M),
    (lambda n, x: n.fliplr(x), M),
    *[(lambda n, x, k=k: n.rot90(x, k), M) for k in range(-1, 5)],
    (lambda n, x: n.rot90(x, 1, (2, 0)), X),
    *[(lambda n, x, s=s, a=a: n.roll(x, s, a), X) for s in (0, 1, -1, 5) for a in (None, 0, -1)],
    (lambda n, x: n.roll(x, (1, -2), (0, 2)), X),
    (lambda n, x: n.roll(x, 1, (1, 2)), X),
    *[(lambda n, x, a=a: n.repeat(x, 2, a), X) for a in (None, 0, 1, -1)],
    (lambda n, x: n.repeat(x, 0, 1), X),
    (lambda n, x: n.repeat(x, [2, 0, 1], 1), X),
    (lambda n, x: n.repeat(x, [3], 1), X),
    *[
        (lambda n, x, r=r: n.tile(x, r), x)
        for r in (2, (2,), (1, 2), (2, 1, 3), (0, 1), (2, 2, 1, 2))
        for x in (V, M)
    ],
    (lambda n, x: n.tile(x, 3), S),
    *[(padded(mode, 1), M) for mode in MODES],
    *[(padded(mode, ((2, 1), (0, 3))), M) for mode in MODES],
    *[(padded(mode, (7, 9)), V) for mode in MODES],
    (padded("constant", ((1, 2), (3, 0)), constant_values=5), M),
    (padded("constant", 1, constant_values=((1.0, 2.0), (3.0, 4.0))), M),
    (padded("reflect", 0), M),
    (lambda n, x: n.expand_dims(x, (0, 2)), M),
    *[(lambda n, x, k=k: n.diagonal(x, k), M) for k in range(-4, 6)],
    (lambda n, x: n.diagonal(x, 1, 2, 0), X),
    (lambda n, x: n.diagonal(x), X),
    *[(lambda n, x, k=k: n.diag(x, k), x) for k in (0, 1, -2) for x in (V, M)],
    *[(lambda n, x, k=k: n.tril(x, k), x) for k in (0, 1, -1) for x in (M, X)],
    *[(lambda n, x, k=k: n.triu(x, k), x) for k in (0, 1, -1) for x in (M, X)],
    *[(lambda n, x, k=k: n.diff(x, k), X) for k in range(5)],
    (lambda n, x: n.diff(x, axis=1), X),
    (lambda n, x: n.broadcast_to(x, (2, 3, 4)), M),
    (lambda n, x, i: n.take(x, i), (X, L)),
    *[(lambda n, x, i, a=a: n.take(x, i, a), (X, L - 1)) for a in (1, 2, -2)],
    *[(lambda n, x, i, m=m: n.take(x, i, 0, mode=m), (X, 3 * L - 2)) for m in ("wrap", "clip")],
    (lambda n, x: n.take(x, 1, 1), X),
    (lambda n, x, i: n.take_along_axis(x, i, 1), (M, np.array([[0, 3], [1, 1], [-1, 0]]))),
    (lambda n, x, i: n.take_along_axis(x, i, 0), (M, np.array([[0, 1, 2, -1]] * 2))),
    (lambda n, i, x: n.choose(i, [x, -x, 2 * x]), (np.array([[0, 1, 2, 0]] * 3), M)),
    (lambda n, i, x: n.choose(i, [x, -x], mode="wrap"), (np.array([0, 1, 2, -1]), M)),
    (lambda n, i, x: n.choose(i, [x, -x], mode="clip"), (np.array([0, 1, 2, -1]), M)),
    (lambda n, x, v: n.searchsorted(x, v), (np.sort(V), M)),
    (lambda n, x, v: n.searchsorted(x, v, side="right"), (np.sort(V), np.sort(V))),
    (lambda n, x, s: n.searchsorted(x, 1.0, sorter=s), (V, np.argsort(V))),
    (lambda n, i, j: n.ravel_multi_index((i, j), (3, 4)), (L[0], L[1])),
    (lambda n, i, j: n.ravel_multi_index((i, j), (3, 4), order="F"), (L[0], L[1])),
    (lambda n, i: n.ravel_multi_index((i, -i), (2, 3), mode="wrap"), (3 * L,)),
    (lambda n, i: n.ravel_multi_index((i, -i), (2, 3), mode="clip"), (3 * L,)),
    (lambda n, i: n.unravel_index(i, (2, 3))[0], (L,)),
    (lambda n, i: n.unravel_index(i, (2, 3))[1], (L,)),
    (lambda n, i: n.unravel_index(i, (2, 3), order="F")[0], (L,)),
    (lambda n, x: n.linspace(x[0], x[1], 7), V),
    (lambda n, x: n.linspace(x[0], x[1], 7, endpoint=False), V),
    (lambda n, x: n.linspace(x[0], x[1], 1), V),
    (lambda n, x: n.linspace(x, 2.0, 3), M),
    (lambda n, x: n.logspace(x[0], x[1], 4, base=2.0), V),
    *[
        (lambda n, x, y, k=k, s=s, o=o: n.meshgrid(x, y, sparse=s, indexing=o)[k], (V, M[0]))
        for k in (0, 1)
        for s in (False, True)
        for o in ("xy", "ij")
    ],
]


def lifted(array: np.ndarray, known: bool) -> Node:
    shape = array.shape if known else [None] * array.ndim
    return T.TensorType(array.dtype.name, shape)()  # type: ignore[no-any-return]


def built(build: Any, arrays: Sequence[np.ndarray], known: bool) -> tuple[Node, list[Node]]:
    nodes = [lifted(array, known) for array in arrays]
    return build(T, *nodes), nodes


@pytest.mark.parametrize(("build", "arrays"), samples(*ROWS))
def test_as_written(build: Any, arrays: tuple[np.ndarray, ...]) -> None:
    expected = np.asarray(build(np, *arrays))
    for known in (False, True):
        node, inputs = built(build, arrays, known)
        given = dict(zip(inputs, arrays, strict=True))
        verify([node])
        (value,) = evaluate(node, given)
        np.testing.assert_allclose(value, expected, rtol=1e-14)
        assert value.dtype == expected.dtype
        assert evaluate_sizes(sizes(node), given) == expected.shape
        if known:
            assert node.type.shape == expected.shape


def test_compiled(backend: str) -> None:
    """All samples in one function."""
    nodes, inputs, given, expected = [], [], [], []
    for build, arrays in [(b, a if isinstance(a, tuple) else (a,)) for b, a in ROWS]:
        node, own = built(build, arrays, False)
        nodes.append(node)
        inputs += own
        given += arrays
        expected.append(np.asarray(build(np, *arrays)))
    f = graphc.function(inputs, nodes, backend=backend, on_unused_input="ignore")
    for place, (value, wanted) in enumerate(zip(f(*given), expected, strict=True)):
        np.testing.assert_allclose(value, wanted, rtol=1e-13, err_msg=f"sample {place}")
        assert value.dtype == wanted.dtype


@pytest.mark.parametrize(("build", "arrays"), samples(*ROWS))
def test_gradients(build: Any, arrays: tuple[np.ndarray, ...]) -> None:
    node, inputs = built(build, arrays, False)
    places = [i for i, one in enumerate(inputs) if dtypes.is_float(one.type.dtype)]
    if not places or not dtypes.is_float(node.type.dtype):
        return
    shape = np.shape(build(np, *arrays))
    w = np.linspace(0.5, 1.5, int(np.prod(shape))).reshape(shape)
    wrt = [inputs[i] for i in places]
    slopes = graphc.grad(T.sum(const(w) * node), wrt, disconnected_inputs="ignore")
    found = evaluate(slopes, dict(zip(inputs, arrays, strict=True)))
    expected = numeric_gradients(lambda at: np.sum(w * build(np, *at)), arrays, places)
    for value, numbers in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, numbers, rtol=1e-7, atol=1e-7)


# -- what has no name in NumPy, or other arguments -------------------------------------------------

N = T.lscalar("n")
K = T.lscalar("k")
NUMBERS = {N: np.int64(3), K: np.int64(-1)}


def one_hot(y: np.ndarray, count: int) -> np.ndarray:
    return np.eye(count)[y]


def with_diagonal(m: np.ndarray, value: float, offset: int = 0) -> np.ndarray:
    return np.where(np.eye(*m.shape, offset) > 0, value, m)


x, m, v, y, b = T.dtensor3("x"), T.dmatrix("m"), T.dvector("v"), T.ivector("y"), T.lvector("b")
GIVEN = {x: X, m: M, v: V, y: J.astype("int32"), b: np.array([1, 0, 4, 1]), **NUMBERS}

OTHERS: list[tuple[Any, Any]] = [
    (T.roll(x, N, 1), np.roll(X, 3, 1)),
    (T.roll(x, K), np.roll(X, -1)),
    (T.repeat(x, N, 1), np.repeat(X, 3, 1)),
    (T.tile(m, (N, 2)), np.tile(M, (3, 2))),
    (T.tile(v, T.stack([N, N])), np.tile(V, (3, 3))),
    (T.tile(v, 2, ndim=2), np.tile(V, (1, 2))),
    (T.pad(v, (N, 1), mode="reflect"), np.pad(V, (3, 1), mode="reflect")),
    (T.pad(m, ((N, 0), (1, N))), np.pad(M, ((3, 0), (1, 3)))),
    (T.pad(v, 1, constant_values=v[0]), np.pad(V, 1, constant_values=2.0)),
    (T.split(v, [2, 0, 3], 3)[2], V[2:]),
    (T.split(m, T.stack([N, N - 2]), 2, axis=1)[1], M[:, 3:]),
    (T.split(x, [N, 0], axis=1)[0], X),
    (T.diagonal(m, K), np.diagonal(M, -1)),
    (T.diag(v, N), np.diag(V, 3)),
    (m.diagonal(), np.diagonal(M)),
    (T.tri(N, k=K), np.tri(3, k=-1)),
    (T.tri(N, 4, dtype="int8"), np.tri(3, 4, dtype="int8")),
    (T.tril(m, K), np.tril(M, -1)),
    (T.identity(N), np.eye(3)),
    (T.eye(N, 4, 1), np.eye(3, 4, 1)),
    (T.identity_like(m), np.eye(3, 4)),
    (T.linspace(0, 1, N), np.linspace(0, 1, 3)),
    (T.linspace(v[0], 9, N, retstep=True)[1], np.array(3.5)),
    (T.linspace(0, 10, 5, dtype="int64"), np.linspace(0, 10, 5, dtype="int64")),
    (T.logspace(0, 1, 4, dtype="float32"), np.logspace(0, 1, 4, dtype="float32")),
    (T.mgrid[0:3, 1:9:2][1], np.mgrid[0:3, 1:9:2][1]),
    (T.mgrid[0:N, 0:4][0], np.mgrid[0:3, 0:4][0]),
    (T.mgrid[0:1:5j], np.mgrid[0:1:5j]),
    (T.ogrid[0:3, 1:9:2][1], np.ogrid[0:3, 1:9:2][1]),
    (T.repeat(m, b[:3], 0), np.repeat(M, [1, 0, 4], 0)),
    (T.repeat(v, y[0]), np.repeat(V, 2)),
    (T.repeat(x, T.stack([N, 0 * N]), 0), np.repeat(X, [3, 0], 0)),
    *zip(
        T.unique(b, return_index=True, return_inverse=True, return_counts=True),
        np.unique([1, 0, 4, 1], return_index=True, return_inverse=True, return_counts=True),
        strict=True,
    ),
    *zip(T.unique(x % 5, return_counts=True), np.unique(X % 5, return_counts=True), strict=True),
    (T.unique(v[:0]), np.unique(V[:0])),
    (T.unique(T.log(v)), np.unique(np.array([np.nan, 0, *np.log([2, 0.5, 3])]))),
    (T.inverse_permutation([2, 0, 1, 3]), np.array([1, 2, 0, 3])),
    (T.permute_row_elements(m, [2, 0, 1, 3]), M[:, [2, 0, 1, 3]]),
    (T.permute_row_elements(m, [2, 0, 1, 3], inverse=1), M[:, [1, 2, 0, 3]]),
    (T.permute_row_elements(v[:3], [[2, 0, 1], [0, 1, 2]]), V[[[2, 0, 1], [0, 1, 2]]]),
    (T.specify_shape(m, (N, None)), M),
    (T.extra_ops.cumsum(v), np.cumsum(V)),
    (T.bincount(b), np.bincount([1, 0, 4, 1])),
    (T.bincount(b, minlength=7), np.bincount([1, 0, 4, 1], minlength=7)),
    (T.bincount(b, v[:4]), np.bincount([1, 0, 4, 1], V[:4])),
    (T.bincount(b, b), np.bincount([1, 0, 4, 1], [1, 0, 4, 1])),
    (T.bincount(b[:0], minlength=N), np.zeros(3, "int64")),
    (T.bincount(b[:0]), np.zeros(0, "int64")),
    (T.to_one_hot(y, 3), one_hot(J, 3)),
    (T.extra_ops.to_one_hot(y, nb_class=N, dtype="int8"), one_hot(J, 3).astype("int8")),
    (T.fill_diagonal(m, 5), with_diagonal(M, 5)),
    (T.fill_diagonal(m.T, v[1]), with_diagonal(M.T, -1)),
    (T.fill_diagonal(x[:, :2, :2], 0), X[:, :2, :2] * (1 - np.eye(2) * np.eye(2)[:, :, None])),
    (T.fill_diagonal_offset(m, 5, K), with_diagonal(M, 5, -1)),
    (T.fill_diagonal_offset(m, v[0], 2), with_diagonal(M, 2, 2)),
    (T.compress([True, False, True], m, axis=0), M[[0, 2]]),
    (T.ravel_multi_index((N, N), (4, N + 1)), np.array(15)),
    (T.unravel_index(N, m.shape)[0], np.array(0)),
    (T.take(v, N), V[3]),
    (T.choose(y % 2, T.stack([v[:4], -v[:4]])), V[:4] * [1, 1, 1, -1]),
    (T.put_along_axis(m, b[None, :4] % 3, 7.0, axis=0), None),
    (m[T.ix_([0, 2], b % 2)], M[np.ix_([0, 2], [1, 0, 0, 1])]),
    (m[T.ix_([True, False, True], [1, 1])], M[np.ix_([0, 2], [1, 1])]),
    (T.vertical_stack(m, v[:4]), np.vstack([M, V[:4]])),
    (T.horizontal_stack(m, m), np.hstack([M, M])),
    (T.stacklists([[N, K], [K, N]]), np.array([[3, -1], [-1, 3]])),
    (T.nonzero_values(m[1:2, :0]), np.zeros(0)),
    (T.where(m > 1, m, 0), np.where(M > 1, M, 0)),
    (T.searchsorted(T.arange(5.0), v, side="right"), np.searchsorted(np.arange(5.0), V, "right")),
    (T.atleast_nd(v, 3, left=False), V[:, None, None]),
]
put = M.copy()
np.put_along_axis(put, np.array([[1, 0, 1, 1]]), 7.0, axis=0)
OTHERS = [(node, put if value is None else value) for node, value in OTHERS]


@pytest.mark.parametrize(
    ("node", "expected"), [pytest.param(*row, id=str(i)) for i, row in enumerate(OTHERS)]
)
def test_others_as_written(node: Node, expected: np.ndarray) -> None:
    verify([node])
    (value,) = evaluate(node, GIVEN)
    np.testing.assert_allclose(value, expected, rtol=1e-14, atol=1e-14)
    assert value.dtype == expected.dtype
    assert evaluate_sizes(sizes(node), GIVEN) == np.shape(expected)


def test_others_compiled(backend: str) -> None:
    nodes = [node for node, _ in OTHERS]
    f = graphc.function(list(GIVEN), nodes, backend=backend)
    for place, (value, (_, wanted)) in enumerate(zip(f(*GIVEN.values()), OTHERS, strict=True)):
        np.testing.assert_allclose(value, wanted, 1e-13, 1e-13, err_msg=f"sample {place}")
        assert value.dtype == wanted.dtype
        assert value.shape == wanted.shape


@pytest.mark.parametrize(
    ("build", "error", "text"),
    [
        (lambda: T.moveaxis(x, [0, 0], [1, 2]), GraphcValueError, "stands twice"),
        (lambda: T.moveaxis(x, 0, [1, 2]), GraphcValueError, "as many sources"),
        (lambda: T.moveaxis(x, 3, 0), GraphcValueError, "axis 3 is out of range for 3 axes"),
        (lambda: T.rollaxis(x, 0, 4), GraphcValueError, "start 4"),
        (lambda: T.rot90(m, 1, (0, 0)), GraphcValueError, "axes are the same"),
        (lambda: T.diagonal(m, 0, 1, 1), GraphcValueError, "axes are the same"),
        (lambda: T.diagonal(v), GraphcTypeError, "two axes"),
        (lambda: T.diag(x), GraphcTypeError, "vector or a matrix"),
        (lambda: T.tril(v), GraphcTypeError, "two axes"),
        (lambda: T.repeat(v, 1.5), GraphcTypeError, "integer"),
        (lambda: T.repeat(T.zeros(3), [1, 2], 0), ShapeError, "size 2 to size 3"),
        (lambda: T.tile(x, 2, ndim=2), GraphcValueError, "3 axes are needed"),
        (lambda: T.split(T.zeros(4), [1, 2], 2), GraphcValueError, "add up to 3"),
        (lambda: T.split(v, b), GraphcTypeError, "unknown length"),
        (lambda: T.specify_shape(T.drow(), (2, None)), ShapeError, "its sizes are not"),
        (lambda: T.specify_shape(m, (2,)), GraphcValueError, "1 sizes but ndim=2"),
        (lambda: T.inverse_permutation(m), GraphcTypeError, "no integer"),
        (lambda: T.pad(v, 1, mode="median"), NotSupportedError, "mode 'median'"),
        (lambda: T.pad(v, 1, stat_length=3), NotSupportedError, "stat_length="),
        (lambda: T.pad(m, ((1, 1), (1, 1), (1, 1))), GraphcValueError, "pair for each axis"),
        (lambda: T.meshgrid(m), GraphcTypeError, "vectors"),
        (lambda: T.meshgrid(v, indexing="yx"), GraphcValueError, "indexing='yx'"),
        (lambda: T.mgrid[3], GraphcTypeError, "made of slices"),
        (lambda: T.bincount(v), GraphcTypeError, "no integer"),
        (lambda: T.bincount(b[:, None]), GraphcTypeError, "needs a vector"),
        (lambda: T.diff(v, -1), GraphcValueError, "n is -1"),
        (lambda: T.searchsorted(m, 1), GraphcTypeError, "sorted vector"),
        (lambda: T.searchsorted(v, 1, side="middle"), GraphcValueError, "side='middle'"),
        (lambda: T.fill_diagonal(v, 1), GraphcTypeError, "two axes"),
        (lambda: T.fill_diagonal(m, v), ShapeError, "a value has no axes"),
        (lambda: T.to_one_hot(v, 3), GraphcTypeError, "no integer"),
        (lambda: T.ravel_multi_index((b,), (2, 3)), GraphcValueError, "1 indices, 2 sizes"),
        (lambda: T.ravel_multi_index((b,), (2,), mode="no"), GraphcValueError, "mode='no'"),
        (lambda: T.unravel_index(b, (2,), order="A"), GraphcValueError, "order='A'"),
        (lambda: T.take(v, b, mode="no"), GraphcValueError, "mode is 'raise'"),
        (lambda: T.take_along_axis(m, b), GraphcTypeError, "ranks differ"),
        (lambda: T.where(m > 0, m), GraphcTypeError, "x and y, or neither"),
        (lambda: T.nonzero(N), GraphcTypeError, "scalar"),
        (lambda: T.ix_(m), GraphcTypeError, "vectors"),
    ],
)
def test_mistakes(build: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        build()


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (T.bincount(b - 1, minlength=5), "index -1 is out of range"),
        (T.to_one_hot(y, 2), "index 2 is out of range for an axis of size 2"),
        (T.choose(y - 1, [v[:4], v[:4]]), "index -1 is out of range for an axis of size 2"),
        (T.unravel_index(b + 9, (3, 4))[0], "index 13 is out of range for an axis of size 12"),
        (T.ravel_multi_index((b, b), (3, 5)), "index 4 is out of range for an axis of size 3"),
        (T.take(v, b + 1), "index 5 is out of range for an axis of size 5"),
    ],
)
def test_places_out_of_range(node: Node, text: str, backend: str) -> None:
    f = graphc.function(list(GIVEN), node, backend=backend, on_unused_input="ignore")
    with pytest.raises(GraphcIndexError, match=text) as caught:
        f(*GIVEN.values())
    assert "test_movement.py" in str(caught.value)
