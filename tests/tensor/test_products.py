"""Products of arrays against NumPy's: ranks, axes, batches, subscripts; with gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.errors import GraphcTypeError, GraphcValueError, ShapeError
from graphc.gradient import verify_grad

RNG = np.random.default_rng(5)


def array(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


def symbols(arrays: list[np.ndarray], known: bool = False) -> list[Any]:
    return [
        T.TensorType(
            str(a.dtype), a.shape if known else tuple(1 if n == 1 else None for n in a.shape)
        )()
        for a in arrays
    ]


def check(
    ours: Callable[..., Any],
    numpys: Callable[..., Any],
    arrays: list[np.ndarray],
    backend: str,
    tolerance: float = 1e-12,
) -> None:
    expected = np.asarray(numpys(*arrays))
    for known in (False, True):
        given = symbols(arrays, known)
        node = ours(*given)
        assert node.type.dtype == expected.dtype and node.ndim == expected.ndim
        if known:
            assert node.type.shape == expected.shape
        found = graphc.function(given, node, backend=backend)(*arrays)
        np.testing.assert_allclose(found, expected, tolerance, tolerance)
    if backend == "numpy" and expected.dtype.kind == "f":
        verify_grad(ours, arrays, rng=np.random.default_rng(1))


RANKS = [(n, m) for n in range(5) for m in range(5)]


@pytest.mark.parametrize(("n", "m"), RANKS)
def test_dot_of_any_rank(n: int, m: int, backend: str) -> None:
    a = array(*(2, 3, 2, 4)[4 - n :])
    b = array(*((4,) if m == 1 else (3, 2, 4, 2)[4 - m :]))
    check(T.dot, np.dot, [a, b], backend)


MATMULS = [
    ((4,), (4,)),
    ((3, 4), (4,)),
    ((2, 3, 4), (4,)),
    ((4,), (2, 4, 3)),
    ((2, 3, 4), (4, 5)),
    ((3, 4), (2, 4, 5)),
    ((2, 3, 4), (2, 4, 5)),
    ((5, 1, 3, 4), (2, 4, 5)),
    ((5, 2, 3, 4), (5, 2, 4, 1)),
    ((0, 3, 4), (0, 4, 2)),
    ((2, 3, 0), (2, 0, 2)),
]


@pytest.mark.parametrize(("a", "b"), MATMULS)
def test_matmul(a: tuple[int, ...], b: tuple[int, ...], backend: str) -> None:
    check(lambda x, y: x @ y, np.matmul, [array(*a), array(*b)], backend)


TENSORDOTS = [
    ((2, 3, 4), (3, 4, 5), 2),
    ((2, 3), (3, 2), 0),
    ((2, 3, 4), (4, 2), 1),
    ((2, 3, 4), (4, 3, 5), [[1, 2], [1, 0]]),
    ((2, 3, 4), (4, 3, 2), [[0, 1, 2], [2, 1, 0]]),
    ((2, 3, 4), (5, 3), (1, 1)),
    ((2, 3, 4), (5, 4), [[-1], [-1]]),
    ((3,), (3,), 1),
]


@pytest.mark.parametrize(("a", "b", "axes"), TENSORDOTS)
def test_tensordot(a: Any, b: Any, axes: Any, backend: str) -> None:
    check(
        lambda x, y: T.tensordot(x, y, axes),
        lambda x, y: np.tensordot(x, y, axes),
        [array(*a), array(*b)],
        backend,
    )


@pytest.mark.parametrize(
    ("a", "b", "text"),
    [
        ((2, 3, 4), (2, 4, 5), "bij,bjk->bik"),
        ((2, 3, 4), (2, 4), "bij,bj->bi"),
        ((2, 4), (2, 4, 3), "bj,bjk->bk"),
        ((2, 4), (2, 4), "bj,bj->b"),
        ((2,), (2, 4), "b,bj->bj"),
        ((2, 3, 4), (2,), "bij,b->bij"),
    ],
)
def test_batched_dot(a: Any, b: Any, text: str, backend: str) -> None:
    check(T.batched_dot, lambda x, y: np.einsum(text, x, y), [array(*a), array(*b)], backend)


def test_batched_tensordot(backend: str) -> None:
    x, y = array(2, 3, 4, 5), array(2, 5, 3, 2)
    check(
        lambda x, y: T.batched_tensordot(x, y, [[1, 3], [2, 1]]),
        lambda x, y: np.einsum("bijk,bkil->bjl", x, y),
        [x, y],
        backend,
    )
    check(
        lambda x, y: T.batched_tensordot(x, y, 1),
        lambda x, y: np.einsum("bijk,bkmn->bijmn", x, y),
        [x, y],
        backend,
    )


OTHERS = [
    (T.inner, np.inner, (2, 3, 4), (5, 4)),
    (T.inner, np.inner, (3,), (3,)),
    (T.inner, np.inner, (), (3,)),
    (T.vdot, np.vdot, (2, 3), (2, 3)),
    (T.outer, np.outer, (2, 3), (4,)),
    (T.kron, np.kron, (2, 3), (4, 1)),
    (T.kron, np.kron, (3,), (2, 2)),
    (T.kron, np.kron, (2,), (3,)),
    (T.kron, np.kron, (2, 1, 3), (2, 2)),
]


@pytest.mark.parametrize(("ours", "numpys", "a", "b"), OTHERS)
def test_other_products(ours: Any, numpys: Any, a: Any, b: Any, backend: str) -> None:
    check(ours, numpys, [array(*a), array(*b)], backend)


EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk->ki", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ij,ij->", (2, 3), (2, 3)),
    ("i,j->ij", (2,), (3,)),
    ("i,i->i", (3,), (3,)),
    ("ii->i", (3, 3)),
    ("ii", (3, 3)),
    ("iij->j", (3, 3, 2)),
    ("ijij->ij", (2, 3, 2, 3)),
    ("ijk->kij", (2, 3, 4)),
    ("ijk->j", (2, 3, 4)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 2)),
    ("bij,bj->bi", (2, 3, 4), (2, 4)),
    ("bhqd,bhkd->bhqk", (2, 2, 3, 4), (2, 2, 5, 4)),
    ("...ij,...jk->...ik", (2, 5, 3, 4), (5, 4, 2)),
    ("...ij,jk", (2, 5, 3, 4), (4, 2)),
    ("...i->...", (2, 3, 4)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
    ("i,ij,j->", (2,), (2, 3), (3,)),
    ("a,b,c,abc->", (2,), (3,), (4,), (2, 3, 4)),
    ("ij,k->k", (2, 3), (4,)),
    ("ibj,kbl->kbjil", (2, 3, 4), (2, 3, 2)),
    ("ij,ij->ij", (1, 3), (2, 3)),
    ("ij,jk->ik", (2, 1), (3, 4)),
    (" i j , j k -> i k ", (2, 3), (3, 4)),
    (",ij->ji", (), (2, 3)),
    ("ij,ik->jk", (0, 3), (0, 4)),
]


@pytest.mark.parametrize("case", EINSUMS, ids=lambda case: case[0])
def test_einsum(case: Any, backend: str) -> None:
    text, *shapes = case
    check(
        lambda *xs: T.einsum(text, *xs),
        lambda *xs: np.einsum(text, *xs),
        [array(*shape) for shape in shapes],
        backend,
    )


def test_a_chain_is_multiplied_from_its_cheap_end() -> None:
    m, v = T.dmatrix("m"), T.dvector("v")
    f = graphc.function([m, v], T.einsum("ij,jk,kl,l->i", m, m, m, v))
    assert f.source.count("np.dot(") == 3
    products = [step.node.ndim for step in f.program.steps if step.nodes[0].op.name == "dot"]
    assert products == [1, 1, 1]


@pytest.mark.parametrize("dtype", ["int32", "float32", "bool"])
def test_products_keep_their_dtype(dtype: str, backend: str) -> None:
    a, b = (RNG.integers(0, 4, (2, 3, 3)).astype(dtype) for _ in range(2))
    check(T.matmul, np.matmul, [a, b], backend, 1e-5)
    check(T.dot, np.dot, [a, b], backend, 1e-5)
    check(T.batched_dot, np.matmul, [a, b], backend, 1e-5)
    if dtype != "bool":
        check(
            lambda x, y: T.einsum("bij,bjk->ik", x, y),
            lambda x, y: np.einsum("bij,bjk->ik", x, y),
            [a, b],
            backend,
            1e-5,
        )


def test_products_are_one_product_of_matrices() -> None:
    x, w = T.dtensor3("x"), T.dmatrix("w")
    for node in (T.dot(x, w), x @ w, T.einsum("bij,jk->bik", x, w), T.tensordot(x, w, 1)):
        f = graphc.function([x, w], node)
        assert f.source.count("np.dot(") == 1 and "np.matmul" not in f.source


def test_sizes_that_do_not_agree() -> None:
    a, b = T.dtensor3("a"), T.dtensor3("b")
    swapped = graphc.function([a, b], T.tensordot(a, b, 2))
    with pytest.raises(ShapeError, match="differ"):  # though 2 * 3 == 3 * 2
        swapped(np.ones((4, 2, 3)), np.ones((3, 2, 4)))
    f = graphc.function([a, b], a @ b)
    with pytest.raises(ShapeError, match="differ"):
        f(np.ones((2, 3, 4)), np.ones((3, 4, 3)))
    with pytest.raises(ShapeError, match="differ"):
        f(np.ones((2, 3, 4)), np.ones((2, 5, 3)))
    f = graphc.function([a, b], T.einsum("bij,bjk->bik", a, b))
    with pytest.raises(ShapeError, match="differ"):
        f(np.ones((1, 3, 4)), np.ones((2, 4, 3)))
    known, other = T.TensorType("float64", (2, 3, 4))(), T.TensorType("float64", (3, 4, 5))()
    for make in (T.matmul, lambda x, y: T.tensordot(x, y, [[0, 1], [0, 1]])):
        with pytest.raises(ShapeError, match="differ"):
            make(known, other)
    with pytest.raises(ShapeError, match="'b' differ"):
        T.einsum("bij,bjk->bik", known, other)


def test_what_is_no_product() -> None:
    m, v, s = T.dmatrix("m"), T.dvector("v"), T.dscalar("s")
    with pytest.raises(GraphcTypeError, match="matmul of a scalar"):
        s @ m
    with pytest.raises(GraphcTypeError, match="batched_dot needs batches"):
        T.batched_dot(s, m)
    wrong = [
        (lambda: T.tensordot(m, v, [[0, 1], [0]]), "not pairs"),
        (lambda: T.tensordot(m, v, 2), "axes"),
        (lambda: T.tensordot(m, m, [[0, 0], [0, 1]]), "axes"),
        (lambda: T.batched_tensordot(m, m, [[0], [1]]), "axis 0 is the batch"),
        (lambda: T.einsum("ij,j->i", m), "2 terms for 1"),
        (lambda: T.einsum("ijk->i", m), "does not name 2 axes"),
        (lambda: T.einsum("i1->i", m), "something else than letters"),
        (lambda: T.einsum("ij->ik", m), "each letter of the result"),
        (lambda: T.einsum("ij->ii", m), "each letter of the result"),
        (lambda: T.einsum("ij->i", m, axis=1), "takes no"),
    ]
    for make, text in wrong:
        with pytest.raises(GraphcValueError, match=text):
            make()
