"""Linear algebra as users write it, against NumPy and SciPy: values, gradients, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg

import graphc
import graphc.tensor as T
from graphc.errors import (
    DTypeError,
    GraphcError,
    GraphcTypeError,
    GraphcValueError,
    NotSupportedError,
    ShapeError,
)
from graphc.gradient import NullTypeGradError, verify_grad

N, S = T.nlinalg, T.slinalg
RNG = np.random.default_rng(11)
A = RNG.normal(size=(4, 4)) + 5 * np.eye(4)
STACK = RNG.normal(size=(2, 3, 3)) + 4 * np.eye(3)
POSITIVE = A @ A.T + np.diag([1.0, 3.0, 6.0, 10.0])
WIDE = RNG.normal(size=(3, 5))
TALL = RNG.normal(size=(5, 3))
B, V = RNG.normal(size=(4, 2)), RNG.normal(size=4)
LOWER = np.tril(A)
TENSOR = RNG.normal(size=(2, 3, 6))


def symbol(value: np.ndarray) -> Any:
    return T.TensorType(str(value.dtype), (None,) * value.ndim)()


def check(
    ours: Callable[..., Any],
    numpys: Callable[..., Any],
    arrays: list[np.ndarray],
    backend: str,
    gradient: bool = True,
) -> None:
    given = [symbol(a) for a in arrays]
    nodes = ours(*given)
    expected = numpys(*arrays)
    if not isinstance(nodes, tuple):
        nodes, expected = (nodes,), (expected,)
    found = graphc.function(given, list(nodes), backend=backend)(*arrays)
    for value, node, wanted in zip(found, nodes, expected, strict=True):
        assert value.dtype == node.type.dtype and value.shape == np.shape(wanted)
        np.testing.assert_allclose(value, wanted, 1e-9, 1e-9)
    if gradient and backend == "numpy":
        verify_grad(
            lambda *xs: ours(*xs)[0] if len(nodes) > 1 else ours(*xs),
            arrays,
            rng=np.random.default_rng(2),
        )


def lower_of(x: np.ndarray) -> np.ndarray:
    return np.tril(x) + np.tril(x, -1).T


CASES: dict[str, tuple[Callable[..., Any], Callable[..., Any], list[np.ndarray]]] = {
    "inverse": (N.matrix_inverse, np.linalg.inv, [A]),
    "inverse of a stack": (N.matrix_inverse, np.linalg.inv, [STACK]),
    "pinv": (N.pinv, np.linalg.pinv, [WIDE]),
    "det": (N.det, np.linalg.det, [A]),
    "det of a stack": (N.det, np.linalg.det, [STACK]),
    "slogdet": (lambda x: N.slogdet(x)[::-1], lambda x: tuple(np.linalg.slogdet(x))[::-1], [-A]),
    "logabsdet": (N.logabsdet, lambda x: np.linalg.slogdet(x)[1], [STACK]),
    "trace": (N.trace, np.trace, [A]),
    "trace by a method": (lambda x: x.trace(), np.trace, [WIDE]),
    "diagonal": (N.extract_diag, np.diag, [A]),
    "from a diagonal": (N.alloc_diag, np.diag, [V]),
    "qr": (N.qr, lambda x: tuple(np.linalg.qr(x)), [TALL]),
    "r": (lambda x: N.qr(x, "r"), lambda x: np.linalg.qr(x, "r"), [TALL]),
    "svd": (lambda x: N.svd(x, False), lambda x: tuple(np.linalg.svd(x, False)), [TALL]),
    "singular values": (
        lambda x: N.svd(x, compute_uv=False),
        lambda x: np.linalg.svd(x, compute_uv=False),
        [WIDE],
    ),
    "eigh": (N.eigh, lambda x: tuple(np.linalg.eigh(x)), [POSITIVE]),
    "eigh, upper": (
        lambda x: N.eigh(x, "U"),
        lambda x: tuple(np.linalg.eigh(x.T)),
        [POSITIVE],
    ),
    "eigenvalues": (S.eigvalsh, np.linalg.eigvalsh, [POSITIVE]),
    "generalised eigenvalues": (
        S.eigvalsh,
        lambda a, b: scipy.linalg.eigvalsh(lower_of(a), b),
        [A, POSITIVE],
    ),
    "several products": (N.matrix_dot, lambda a, b, c: a @ b @ c, [A, A, V]),
    "cube": (lambda x: N.matrix_power(x, 3), lambda x: np.linalg.matrix_power(x, 3), [A]),
    "seventh power": (
        lambda x: N.matrix_power(x, 7),
        lambda x: np.linalg.matrix_power(x, 7),
        [A / 5],
    ),
    "power -2": (lambda x: N.matrix_power(x, -2), lambda x: np.linalg.matrix_power(x, -2), [STACK]),
    "power 0": (lambda x: N.matrix_power(x, 0), lambda x: np.linalg.matrix_power(x, 0), [A]),
    "tensorinv": (lambda x: N.tensorinv(x, 2), lambda x: np.linalg.tensorinv(x, 2), [TENSOR]),
    "tensorsolve": (
        N.tensorsolve,
        np.linalg.tensorsolve,
        [RNG.normal(size=(2, 3, 6)), RNG.normal(size=(2, 3))],
    ),
    "solve a vector": (S.solve, np.linalg.solve, [A, V]),
    "solve a matrix": (S.solve, np.linalg.solve, [A, B]),
    "solve a stack": (S.solve, np.linalg.solve, [STACK, RNG.normal(size=(2, 3, 2))]),
    "solve a vector for a stack": (
        S.solve,
        lambda a, b: np.linalg.solve(a, b[:, None])[..., 0],
        [STACK, V[:3]],
    ),
    "lower triangle": (
        S.solve_lower_triangular,
        lambda a, b: scipy.linalg.solve_triangular(a, b, lower=True),
        [A, B],
    ),
    "upper triangle": (S.solve_upper_triangular, scipy.linalg.solve_triangular, [A, V]),
    "triangle, transposed": (
        lambda a, b: S.solve_triangular(a, b, trans="T", lower=True),
        lambda a, b: scipy.linalg.solve_triangular(a, b, trans="T", lower=True),
        [A, V],
    ),
    "triangle with ones": (
        lambda a, b: S.solve_triangular(a, b, unit_diagonal=True),
        lambda a, b: scipy.linalg.solve_triangular(a, b, unit_diagonal=True),
        [A, V],
    ),
    "cholesky": (S.cholesky, np.linalg.cholesky, [POSITIVE]),
    "cholesky, upper": (
        lambda x: S.cholesky(x, lower=False),
        lambda x: np.linalg.cholesky(x).T,
        [POSITIVE],
    ),
    "expm": (S.expm, scipy.linalg.expm, [A / 4]),
    "expm of a stack": (S.expm, scipy.linalg.expm, [STACK / 4]),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name: str, backend: str) -> None:
    check(*CASES[name], backend)


ORDERS: list[tuple[Any, Any]] = [
    (None, None),
    ("fro", None),
    ("nuc", None),
    (1, None),
    (-1, None),
    (2, None),
    (-2, None),
    (np.inf, None),
    (-np.inf, None),
    (None, 1),
    (3, 0),
    (0, 1),
    (np.inf, -1),
    (2, (1, 0)),
]


@pytest.mark.parametrize(("order", "axis"), ORDERS)
@pytest.mark.parametrize("keepdims", [False, True])
def test_norms(order: Any, axis: Any, keepdims: bool, backend: str) -> None:
    check(
        lambda x: N.norm(x, order, axis, keepdims),
        lambda x: np.linalg.norm(x, order, axis, keepdims),
        [WIDE],
        backend,
        gradient=order != 0,
    )


def test_least_squares(backend: str) -> None:
    a, b = T.dmatrices("a b")
    f = graphc.function([a, b], list(N.lstsq(a, b)), backend=backend)
    for matrix in (TALL, WIDE, TALL @ np.diag([1.0, 1.0, 0.0])):
        right = RNG.normal(size=(len(matrix), 2))
        x, residuals, rank, values = f(matrix, right)
        expected = np.linalg.lstsq(matrix, right)
        np.testing.assert_allclose(x, expected[0], 1e-9, 1e-9)
        if expected[1].size:
            np.testing.assert_allclose(residuals, expected[1], 1e-9)
        assert rank == expected[2]
        np.testing.assert_allclose(values, expected[3], 1e-9, 1e-9)


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_dtypes(dtype: str, backend: str) -> None:
    x = T.TensorType(dtype, (None, None))("x")
    nodes = [N.matrix_inverse(x), N.det(x), *N.svd(x, False), S.solve(x, x), S.expm(x)]
    value = np.array([[3, 1], [1, 2]], dtype)
    kind = "float32" if dtype == "float32" else "float64"
    for node, found in zip(nodes, graphc.function([x], nodes, backend=backend)(value), strict=True):
        assert node.type.dtype == found.dtype == kind
    with pytest.raises(DTypeError, match="LAPACK has no float16"):
        N.det(T.TensorType("float16", (2, 2))())


def test_theanos_classes(backend: str) -> None:
    x = T.dmatrix("x")
    nodes = [
        N.MatrixInverse()(x),
        N.Det()(x),
        N.MatrixPinv()(x),
        S.Cholesky(lower=True)(x),
        S.Solve(A_structure="lower_triangular", lower=True)(x, x),
        S.Expm()(x / 10),
        S.Kron()(x, x),
        S.Eigvalsh(lower=True)(x, None),
    ]
    found = graphc.function([x], nodes, backend=backend)(POSITIVE)
    expected = [
        np.linalg.inv(POSITIVE),
        np.linalg.det(POSITIVE),
        np.linalg.pinv(POSITIVE),
        np.linalg.cholesky(POSITIVE),
        scipy.linalg.solve_triangular(POSITIVE, POSITIVE, lower=True),
        scipy.linalg.expm(POSITIVE / 10),
        np.kron(POSITIVE, POSITIVE),
        np.linalg.eigvalsh(POSITIVE),
    ]
    for value, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, wanted, 1e-8, 1e-12)


def test_a_gaussian_likelihood_by_three_ways(backend: str) -> None:
    """Cholesky, slogdet and inverse give one value and one gradient."""
    k, y = T.dmatrix("k"), T.dvector("y")
    root = S.cholesky(k)
    white = S.solve_lower_triangular(root, y)
    ways = [
        T.sum(white**2) + 2 * T.sum(T.log(N.extract_diag(root))),
        T.dot(y, S.solve(k, y)) + N.logabsdet(k),
        T.dot(y, T.dot(N.matrix_inverse(k), y)) + T.log(N.det(k)),
    ]
    f = graphc.function([k, y], [*ways, *[T.grad(w, k) for w in ways]], backend=backend)
    *values, first, second, third = f(POSITIVE, V)
    np.testing.assert_allclose(values, values[0])
    np.testing.assert_allclose(second, third, 1e-9, 1e-9)
    folded = np.tril(second) + np.tril(second.T, -1)  # the root reads the lower triangle only
    np.testing.assert_allclose(first, folded, 1e-9, 1e-9)


def test_hessian_of_a_log_determinant() -> None:
    x = T.dvector("x")
    f = N.logabsdet(S.expm(T.reshape(x, (2, 2))))  # the trace, whatever x is
    np.testing.assert_allclose(
        graphc.function([x], graphc.gradient.hessian(f, x))([0.1, 0.5, -0.3, 0.7]),
        np.zeros((4, 4)),
        atol=1e-12,
    )


JACOBIANS: dict[str, Callable[..., Any]] = {
    "inverse": N.matrix_inverse,
    "system": lambda x: S.solve(x, x.T),
    "root": lambda x: S.cholesky(T.dot(x, x.T)),
    "exponential": lambda x: S.expm(x / 4),
    "triangle": lambda x: N.qr(x)[1],
    "vectors": lambda x: N.svd(x, False)[0],
    "values": lambda x: N.eigh(x + x.T)[0],
    "product": lambda x: T.einsum("ij,jk,kl->il", x, x, x),
}


@pytest.mark.parametrize("name", JACOBIANS)
def test_jacobians_are_whole_batches(name: str) -> None:
    x = T.dmatrix("x")
    y = JACOBIANS[name](x).flatten()
    f = graphc.function([x], [y, graphc.gradient.jacobian(y, x)])
    value = STACK[0]
    _, slope = f(value)
    step = 1e-6
    for place in np.ndindex(value.shape):
        moved = np.zeros_like(value)
        moved[place] = step
        difference = (f(value + moved)[0] - f(value - moved)[0]) / (2 * step)
        np.testing.assert_allclose(slope[(slice(None), *place)], difference, 1e-6, 1e-6)


# -- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (N.matrix_inverse, np.ones((3, 3))),
        (lambda x: S.solve(x, x), np.ones((3, 3))),
        (S.cholesky, -np.eye(3)),
        (lambda x: S.solve_upper_triangular(x, x), np.zeros((2, 2))),
    ],
)
def test_what_has_no_solution_names_the_line(make: Any, value: np.ndarray, backend: str) -> None:
    x = T.dmatrix("x")
    f = graphc.function([x], make(x), backend=backend)
    with pytest.raises(np.linalg.LinAlgError, match="x : ") as caught:
        f(value)
    assert isinstance(caught.value, GraphcError)
    assert "test_linalg.py" in str(caught.value)


def test_nan_in_place_of_an_error(backend: str) -> None:
    x = T.dtensor3("x")
    f = graphc.function([x], S.cholesky(x, on_error="nan"), backend=backend)
    found = f(np.stack([np.eye(2), -np.eye(2)]))
    np.testing.assert_array_equal(found[0], np.eye(2))
    assert np.isnan(found[1]).all()


def test_sizes_that_do_not_fit(backend: str) -> None:
    x, y = T.dmatrices("x y")
    for node in (N.det(x), N.matrix_inverse(x), S.expm(x), N.eigh(x)[0]):
        f = graphc.function([x], node, backend=backend)
        with pytest.raises(ShapeError, match="2 and 3 differ"):
            f(np.ones((2, 3)))
    f = graphc.function([x, y], S.solve(x, y), backend=backend)
    with pytest.raises(ShapeError, match="2 and 3 differ"):
        f(np.eye(2), np.ones((3, 1)))


def test_what_is_no_matrix() -> None:
    v, m = T.dvector("v"), T.dmatrix("m")
    known = T.TensorType("float64", (2, 3))()
    wrong: list[tuple[Callable[[], Any], type[Exception], str]] = [
        (lambda: N.det(v), GraphcTypeError, "needs matrices"),
        (lambda: N.trace(v), GraphcTypeError, "needs a matrix"),
        (lambda: N.matrix_power(v, 2), GraphcTypeError, "needs a matrix"),
        (lambda: N.matrix_power(m, 0.5), GraphcTypeError, "not an int"),
        (lambda: S.solve(m, T.dscalar()), GraphcTypeError, "needs a vector or a matrix"),
        (lambda: S.solve(m, v, A_structure="round"), GraphcValueError, "'round' is none of"),
        (lambda: S.cholesky(m, on_error="skip"), GraphcValueError, "on_error"),
        (lambda: S.solve_triangular(m, v, trans=2), GraphcValueError, "trans"),
        (lambda: N.qr(m, "raw"), GraphcValueError, "no mode 'raw'"),
        (lambda: N.eigh(m, "X"), GraphcValueError, "UPLO"),
        (lambda: N.norm(T.dtensor3(), 1), GraphcValueError, "over 3 axes"),
        (lambda: N.norm(m, 3), GraphcValueError, "no order 3"),
        (lambda: N.norm(v, "fro"), GraphcValueError, "is of matrices"),
        (lambda: N.tensorinv(m, 2), GraphcValueError, "ind=2"),
        (lambda: N.eig(m), NotSupportedError, "complex"),
        (lambda: N.det(known), ShapeError, "2 by 3"),
        (lambda: S.solve(T.TensorType("float64", (3, 3))(), known), ShapeError, "3 and 2 differ"),
    ]
    for make, kind, text in wrong:
        with pytest.raises(kind, match=text):
            make()


def test_gradients_that_do_not_exist() -> None:
    m = T.dmatrix("m")
    full = N.svd(m)[0]
    with pytest.raises(NullTypeGradError, match="full_matrices=False"):
        T.grad(T.sum(full), m)
    with pytest.raises(NullTypeGradError, match="complete"):
        T.grad(T.sum(N.qr(m, "complete")[0]), m)


def test_explain_says_what_runs_on_the_host() -> None:
    m = T.dmatrix("m")
    f = graphc.function([m], T.dot(N.matrix_inverse(m), m), backend="opencl")
    assert "LAPACK has no routine on devices" in f.explain()


NUMPYS: list[tuple[Callable[..., Any], list[np.ndarray]]] = [
    (np.linalg.inv, [A]),
    (np.linalg.det, [A]),
    (np.linalg.solve, [A, V]),
    (lambda x: np.linalg.norm(x, axis=1), [WIDE]),
    (np.linalg.norm, [WIDE]),
    (lambda x: np.linalg.qr(x)[1], [TALL]),
    (lambda x: np.linalg.svd(x)[1], [TALL]),
    (np.linalg.eigvalsh, [POSITIVE]),
    (lambda x: np.linalg.slogdet(x)[1], [A]),
    (np.linalg.cholesky, [POSITIVE]),
    (np.linalg.pinv, [TALL]),
    (lambda x: np.linalg.matrix_power(x, 3), [A]),
    (lambda a, b: np.linalg.lstsq(a, b)[0], [TALL, RNG.normal(size=5)]),
    (lambda x: np.linalg.tensorinv(x, 2), [TENSOR]),
    (lambda x, y: np.einsum("ij,j->i", x, y), [A, V]),
    (np.trace, [A]),
    (np.kron, [A, WIDE]),
    (lambda x: np.linalg.multi_dot([x, x.T, x]), [WIDE]),
]


@pytest.mark.parametrize("place", range(len(NUMPYS)))
def test_numpys_functions_on_expressions(place: int) -> None:
    function, arrays = NUMPYS[place]
    given = [symbol(a) for a in arrays]
    found = graphc.function(given, function(*given))(*arrays)
    np.testing.assert_allclose(found, function(*arrays), 1e-10, 1e-10)
