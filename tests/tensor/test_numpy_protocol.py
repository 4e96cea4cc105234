"""NumPy's functions on expressions: the same values as on arrays, or a clear refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc import errors
from graphc.ir.types import LANGUAGE
from graphc.tensor import numpy_protocol as protocol
from harness import evaluate

Program = Callable[[Any, Any], Any]

PROGRAMS: dict[str, Program] = {
    "left array": lambda x, y: np.ones((3, 4)) * x + np.arange(4.0) - y,
    "left number": lambda x, y: np.float64(2) ** x / np.float64(3),
    "comparison": lambda x, y: np.less(x, 0.5) | np.greater_equal(x, y),
    "left comparison": lambda x, y: np.full((3, 4), 0.5) > x,
    "matmul": lambda x, y: np.arange(6.0).reshape(2, 3) @ x,
    "chain": lambda x, y: np.exp(np.tanh(x)) - np.log1p(np.square(y)) * np.sqrt(np.absolute(x)),
    "dtype": lambda x, y: np.add(x, y, dtype="float32"),
    "floor_divide": lambda x, y: np.floor_divide(x, y) + np.remainder(x, y),
    "float_power": lambda x, y: np.float_power(np.absolute(x), 2),
    "add.reduce": lambda x, y: np.add.reduce(x),
    "add.reduce axis": lambda x, y: np.add.reduce(x, axis=1, keepdims=True),
    "maximum.reduce": lambda x, y: np.maximum.reduce(x, axis=None),
    "multiply.outer": lambda x, y: np.multiply.outer(x[0], y),
    "sum": lambda x, y: np.sum(x, axis=0),
    "sum all": lambda x, y: np.sum(x, keepdims=True),
    "mean": lambda x, y: np.mean(x, axis=(0, 1)),
    "var": lambda x, y: np.var(x, axis=1, ddof=1),
    "std": lambda x, y: np.std(x),
    "amax": lambda x, y: np.amax(x, 0) - np.min(x, 0),
    "argmax": lambda x, y: np.argmax(x, axis=1),
    "argmax all": lambda x, y: np.argmax(x),
    "any": lambda x, y: np.any(np.greater(x, 1), axis=0),
    "prod": lambda x, y: np.prod(x, axis=0),
    "ptp": lambda x, y: np.ptp(x, axis=1),
    "average": lambda x, y: np.average(x, axis=1, weights=np.arange(1.0, 5.0)),
    "average plain": lambda x, y: np.average(x, axis=0),
    "concatenate": lambda x, y: np.concatenate([x, np.zeros((1, 4)), x], axis=0),
    "concatenate flat": lambda x, y: np.concatenate([x, y], axis=None),
    "stack": lambda x, y: np.stack([y, y * 2], axis=1),
    "hstack": lambda x, y: np.hstack([x, x]),
    "hstack vectors": lambda x, y: np.hstack([y, 1.0, y]),
    "vstack": lambda x, y: np.vstack([x, y]),
    "column_stack": lambda x, y: np.column_stack([y, y, np.ones((4, 2))]),
    "atleast_2d": lambda x, y: np.atleast_2d(y),
    "atleast_1d": lambda x, y: np.atleast_1d(y.sum()),
    "where": lambda x, y: np.where(np.greater(x, 0), x, y),
    "clip": lambda x, y: np.clip(x, -0.5, 0.5) + np.clip(x, None, 0.2),
    "dot": lambda x, y: np.dot(x, y),
    "dot array": lambda x, y: np.dot(np.eye(3), x),
    "outer": lambda x, y: np.outer(y, y),
    "reshape": lambda x, y: np.reshape(x, (4, 3)),
    "ravel": lambda x, y: np.ravel(x),
    "transpose": lambda x, y: np.transpose(x),
    "transpose axes": lambda x, y: np.transpose(x, (1, 0)),
    "swapaxes": lambda x, y: np.swapaxes(x, 0, 1),
    "moveaxis": lambda x, y: np.moveaxis(x, -1, 0),
    "expand_dims": lambda x, y: np.expand_dims(x, 1),
    "squeeze": lambda x, y: np.squeeze(np.expand_dims(x, 1), 1),
    "broadcast_to": lambda x, y: np.broadcast_to(y, (2, 4)),
    "zeros_like": lambda x, y: np.zeros_like(x) + np.ones_like(x),
    "full_like": lambda x, y: np.full_like(x, 7),
    "shape": lambda x, y: np.shape(x)[0] * np.size(y),
    "copy": lambda x, y: np.copy(x),
    "real": lambda x, y: np.real(x) + np.imag(x),
    "split": lambda x, y: np.split(x, [1, 3], axis=1)[1],
    "multi_dot": lambda x, y: np.linalg.multi_dot([x, np.eye(4), y]),
}


def values() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.normal(size=(3, 4)), rng.normal(size=4)


@pytest.mark.parametrize("name", PROGRAMS)
def test_values_are_numpys(name: str, backend: str) -> None:
    x, y = T.dmatrix("x"), T.dvector("y")
    program, (a, b) = PROGRAMS[name], values()
    expected = np.asarray(program(a, b))
    f = graphc.function([x, y], program(x, y), on_unused_input="ignore", backend=backend)
    got = f(a, b)
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=1e-6 if got.dtype == "float32" else 1e-12)


MORE = {
    "repeat": lambda x, y, i, a: np.repeat(x, 2, axis=1),
    "repeat of all": lambda x, y, i, a: np.repeat(x, 2),
    "tile": lambda x, y, i, a: np.tile(x, (2, 1)),
    "roll": lambda x, y, i, a: np.roll(x, 1, axis=0),
    "roll of all": lambda x, y, i, a: np.roll(x, 2),
    "flip": lambda x, y, i, a: np.flip(x, 0) + np.flip(x),
    "pad": lambda x, y, i, a: np.pad(x, ((0, 1), (2, 0))),
    "cumsum": lambda x, y, i, a: np.cumsum(x, axis=1),
    "cumsum of all": lambda x, y, i, a: np.cumsum(x),
    "cumprod": lambda x, y, i, a: np.cumprod(x, 0) + np.multiply.accumulate(x),
    "add.accumulate": lambda x, y, i, a: np.add.accumulate(x),
    "sort": lambda x, y, i, a: np.sort(x) + np.sort(x, axis=0),
    "sort of all": lambda x, y, i, a: np.sort(x, axis=None),
    "argsort": lambda x, y, i, a: np.argsort(x, axis=1),
    "diff": lambda x, y, i, a: np.diff(x, n=2, axis=1),
    "bincount": lambda x, y, i, a: np.bincount(i, weights=y, minlength=6),
    "searchsorted": lambda x, y, i, a: np.searchsorted(np.arange(4.0), y, side="right"),
    "take": lambda x, y, i, a: np.take(x, i, axis=1),
    "take of all": lambda x, y, i, a: np.take(x, i),
    "choose": lambda x, y, i, a: np.choose(i, [y, y * 2, y * 3]),
    "diag": lambda x, y, i, a: np.diag(y)[:3, :3] + np.diag(a),
    "diagonal": lambda x, y, i, a: np.diagonal(x),
    "trace": lambda x, y, i, a: np.trace(a),
    "tril": lambda x, y, i, a: np.tril(x) * 2 + np.triu(x, 1),
    "nonzero": lambda x, y, i, a: np.nonzero(np.greater(x, 0))[1],
    "unique": lambda x, y, i, a: np.unique(i),
    "einsum": lambda x, y, i, a: np.einsum("ij,j->i", x, y),
    "tensordot": lambda x, y, i, a: np.tensordot(x, x, axes=([0], [0])),
    "inner": lambda x, y, i, a: np.inner(x, y) + np.vdot(y, y),
    "kron": lambda x, y, i, a: np.kron(x, a),
    "compress": lambda x, y, i, a: np.compress([True, False, True], x, axis=0),
    "unravel_index": lambda x, y, i, a: np.unravel_index(i, (2, 2))[0],
    "meshgrid": lambda x, y, i, a: np.meshgrid(y, i)[0],
    "isclose": lambda x, y, i, a: np.isclose(x, x + 1e-9),
    "arctan2": lambda x, y, i, a: np.arctan2(x, y) + np.logaddexp(x, y),
    "rint": lambda x, y, i, a: np.rint(x) + np.floor(x) + np.trunc(x) + np.round(x),
    "radians": lambda x, y, i, a: np.deg2rad(x) + np.radians(x) + np.degrees(x),
    "left_shift": lambda x, y, i, a: np.left_shift(i, 2) + np.right_shift(i, 1),
    "linalg.inv": lambda x, y, i, a: np.linalg.inv(a),
    "linalg.det": lambda x, y, i, a: np.linalg.det(a),
    "linalg.slogdet": lambda x, y, i, a: np.linalg.slogdet(a)[1],
    "linalg.solve": lambda x, y, i, a: np.linalg.solve(a, x),
    "linalg.cholesky": lambda x, y, i, a: np.linalg.cholesky(np.matmul(a, np.transpose(a))),
    "linalg.qr": lambda x, y, i, a: np.absolute(np.linalg.qr(a)[1]),
    "linalg.svd": lambda x, y, i, a: np.linalg.svd(a)[1],
    "linalg.eigh": lambda x, y, i, a: np.linalg.eigh(a + np.transpose(a))[0],
    "linalg.pinv": lambda x, y, i, a: np.linalg.pinv(x),
    "linalg.matrix_power": lambda x, y, i, a: np.linalg.matrix_power(a, 3),
    "linalg.norm": lambda x, y, i, a: np.linalg.norm(x) + np.linalg.norm(y, 1),
    "linalg.norm of rows": lambda x, y, i, a: np.linalg.norm(x, axis=1, keepdims=True),
}
"""More of the language: matrices, places and order."""


def word_of(name: str) -> Any:
    own = name.split(" ")[0]
    meaning = protocol.FUNCTIONS.get(own, protocol.UFUNCS.get(own, own))
    return own if callable(meaning) else meaning


COUNTED = ("bincount", "nonzero", "unique")  # how many there are, only a call knows
THERE = [name for name in MORE if "." in word_of(name) or word_of(name) in LANGUAGE]


@pytest.mark.parametrize("name", THERE)
def test_more_values_are_numpys(name: str) -> None:
    rng = np.random.default_rng(3)
    x, y, i, a = T.dmatrix("x"), T.dvector("y"), T.lvector("i"), T.dmatrix("a")
    square = 2 * np.eye(3) + 0.1 * rng.normal(size=(3, 3))
    given = (rng.normal(size=(3, 4)), rng.normal(size=4), np.array([0, 2, 1, 1]), square)
    expected = np.asarray(MORE[name](*given))
    made = MORE[name](x, y, i, a)
    (got,) = evaluate(made, dict(zip([x, y, i, a], given, strict=True)))
    assert got.shape == expected.shape and got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
    if name not in COUNTED:
        f = graphc.function([x, y, i, a], made, on_unused_input="ignore")
        np.testing.assert_allclose(f(*given), expected, rtol=1e-9, atol=1e-12)


def test_equal_parts_of_a_known_size() -> None:
    x = T.TensorType("float64", (4, None))("x")
    value = np.arange(8.0).reshape(4, 2)
    for part, expected in zip(np.split(x, 2), np.split(value, 2), strict=True):
        assert part.eval({x: value}).tolist() == expected.tolist()
    with pytest.raises(errors.GraphcValueError, match="4 elements do not divide into 3 equal"):
        np.split(x, 3)
    with pytest.raises(errors.NotSupportedError, match="needs a size that is known"):
        np.split(x, 2, axis=1)


def test_every_word_of_the_tables_is_numpys() -> None:
    for name in protocol.UFUNCS:
        assert isinstance(getattr(np, name, np.exp), np.ufunc), name
    for (ufunc, method), word in protocol.FOLDS.items():
        assert hasattr(getattr(np, ufunc), method) and isinstance(word, str)
    for name in protocol.FUNCTIONS:
        home, _, own = name.rpartition(".")
        assert callable(getattr(getattr(np, home) if home else np, own)), name


def test_every_ufunc_of_numpy_has_an_answer() -> None:
    """Each builds a graph, or says that it does not: none runs into the machinery of NumPy."""
    floats, ints = T.dvector("x"), T.lvector("i")
    for name in dir(np):
        ufunc = getattr(np, name)
        if not isinstance(ufunc, np.ufunc) or name in ("matmul", "matvec", "vecmat", "vecdot"):
            continue
        for x in (floats, ints):
            try:
                made = ufunc(*([x] * ufunc.nin))
            except errors.GraphcError as error:
                assert "test_numpy_protocol.py" in str(error), name
            else:
                parts = made if isinstance(made, tuple) else (made,)
                assert all(isinstance(part, graphc.Variable) for part in parts), name


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.median(x),
        lambda x: np.fft.fft(x),
        lambda x: np.spacing(x),
        lambda x: np.subtract.reduce(x),
        lambda x: np.add.at(x, 0, 1),
        lambda x: np.savetxt("out", x),
        lambda x: np.array_equal(x, x),
    ],
)
def test_what_builds_nothing_says_so(call: Callable[[Any], Any]) -> None:
    with pytest.raises(errors.NotSupportedError, match="of an expression builds no graph") as found:
        call(T.dvector("x"))
    assert "test_numpy_protocol.py" in str(found.value)
    assert "x : float64[?]" in str(found.value)


def test_expressions_have_no_memory() -> None:
    x = T.dvector("x")
    array = np.zeros(3)
    with pytest.raises(
        errors.NotSupportedError, match=r"numpy\.exp of an expression takes no out="
    ):
        np.exp(x, out=array)
    with pytest.raises(errors.NotSupportedError, match=r"write x = x \+ y"):
        array += x
    with pytest.raises(errors.NotSupportedError, match=r"takes no where="):
        np.exp(x, where=array > 0)
    with pytest.raises(
        errors.NotSupportedError, match=r"numpy\.sum of an expression takes no out="
    ):
        np.sum(x, out=array)
    with pytest.raises(errors.NotSupportedError, match=r"takes no initial="):
        np.sum(x, initial=3.0)
    with pytest.raises(errors.NotSupportedError, match=r"takes no casting="):
        np.add(x, 1, casting="unsafe")


@pytest.mark.parametrize("make", [np.asarray, np.array, lambda x: np.array([x, x]), np.linalg.cond])
def test_an_expression_is_no_array(make: Callable[[Any], Any]) -> None:
    with pytest.raises(errors.GraphcError) as found:
        make(T.dmatrix("x"))
    assert "test_numpy_protocol.py" in str(found.value)


def test_arguments_that_are_not_taken() -> None:
    x = T.dmatrix("x")
    with pytest.raises(errors.GraphcTypeError, match=r"numpy\.expand_dims of an expression"):
        LANGUAGE["array_function"](x, np.expand_dims, (x, 0), {"nothing": 1})
    with pytest.raises(errors.GraphcTypeError, match="weights of one axis need that axis"):
        np.average(x, weights=np.ones(3))
    with pytest.raises(errors.GraphcValueError, match="moveaxis from 5 to 0"):
        np.moveaxis(x, 5, 0)
    with pytest.raises(errors.NotSupportedError, match="rounds to whole numbers"):
        np.round(x, 2)


def test_gradients_go_through() -> None:
    x = T.dvector("x")
    cost = np.sum(np.exp(x) * np.arange(3.0))
    assert T.grad(cost, x).eval({x: np.zeros(3)}).tolist() == [0.0, 1.0, 2.0]
