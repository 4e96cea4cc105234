"""The functions of the language against NumPy's, with sizes known and unknown before the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc.tensor as T
from graphc.config import config
from graphc.errors import (
    DTypeError,
    GraphcTypeError,
    GraphcValueError,
    NotSupportedError,
    ShapeError,
)
from graphc.ir.shapes import sizes
from graphc.ir.types import LANGUAGE
from graphc.ir.verify import verify
from harness import evaluate, evaluate_sizes
from language_samples import AXES, MOVED, NETS, B, C, M, S, V, W, softmax


def agree(build: Callable[..., Any], numpy: Callable[..., Any], *arrays: Any) -> None:
    """Compare value, dtype and shape of an expression with NumPy's, in both declarations."""
    expected = np.asarray(numpy(*arrays))
    for known in (False, True):
        inputs = [
            T.TensorType(np.asarray(a).dtype, np.shape(a) if known else (None,) * np.ndim(a))(n)
            for n, a in zip("xyz", arrays, strict=False)
        ]
        node = build(*inputs)
        given = dict(zip(inputs, arrays, strict=True))
        verify([node])
        (value,) = evaluate(node, given)
        assert (value.dtype, value.shape) == (expected.dtype, expected.shape)
        np.testing.assert_allclose(value, expected, rtol=1e-14, atol=1e-14)
        assert evaluate_sizes(sizes(node), given) == expected.shape
        assert not known or None not in node.type.shape, f"{node!r} lost a known size"


SAME_NAME = [
    ("add", M, V),
    ("subtract", M, V),
    ("multiply", M, V),
    ("divide", M, V),
    ("true_divide", M, W),
    ("floor_divide", M, V),
    ("remainder", W, np.array([3, 3, -3])),
    ("power", abs(M), V),
    ("negative", M),
    ("square", M),
    ("absolute", M),
    ("sign", M),
    ("reciprocal", M),
    ("sqrt", abs(M)),
    ("exp", M),
    ("expm1", M),
    ("log", abs(M)),
    ("log1p", abs(M)),
    ("sin", M),
    ("cos", M),
    ("tanh", M),
    ("maximum", M, V),
    ("minimum", M, V),
    ("equal", M, V),
    ("not_equal", M, V),
    ("less", M, V),
    ("less_equal", M, V),
    ("greater", M, V),
    ("greater_equal", M, V),
    ("bitwise_and", W, W),
    ("bitwise_or", W, B),
    ("bitwise_xor", W, W),
    ("bitwise_not", W),
    ("invert", B),
    ("logical_and", W, V),
    ("logical_or", B, V),
    ("logical_xor", B, V),
    ("logical_not", V),
    ("where", B, M, V),
    ("clip", M, np.float64(-1.0), S),
    ("sum", M),
    ("prod", M),
    ("mean", M),
    ("max", M),
    ("min", M),
    ("ptp", M),
    ("var", M),
    ("std", M),
    ("any", M),
    ("all", M),
    ("argmax", M),
    ("argmin", M),
    ("dot", M, V),
    ("dot", M.T, M),
    ("dot", V, V),
    ("dot", S, M),
    ("matmul", M, V),
    ("outer", V, W),
    ("ravel", C),
    ("transpose", C),
    ("zeros_like", W),
    ("ones_like", B),
    ("shape", C),
    ("size", C),
    ("copy", M),
    ("identity", None),
]


@pytest.mark.parametrize("case", SAME_NAME, ids=lambda case: case[0])
def test_functions_of_the_same_name(case: Any) -> None:
    name, *arrays = case
    if name == "identity":  # takes a count, not an array
        return agree(lambda: T.eye(3), lambda: np.identity(3))
    own = getattr(T, name)
    numpy = getattr(np, name)
    # what differs on purpose: shapes and counts are int64, as everywhere
    return agree(own, lambda *xs: _as_here(numpy(*xs)), *arrays)


def _as_here(value: Any) -> Any:
    return np.array(value, "int64") if isinstance(value, (tuple, int)) else value


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", ["sum", "prod", "mean", "max", "min", "any", "all", "var", "std"])
def test_reductions_over_axes(name: str, axis: Any, keepdims: bool) -> None:
    options = {"axis": axis, "keepdims": keepdims}
    agree(lambda x: getattr(T, name)(x, **options), lambda x: getattr(np, name)(x, **options), C)
    agree(lambda x: getattr(x, name)(**options), lambda x: getattr(np, name)(x, **options), C)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_places(name: str, axis: Any, keepdims: bool) -> None:
    options = {"axis": axis, "keepdims": keepdims}
    agree(lambda x: getattr(T, name)(x, **options), lambda x: getattr(np, name)(x, **options), C)


def test_places_over_two_axes_are_those_of_the_merged_axis() -> None:
    merged = C.transpose(1, 0, 2).reshape(3, 8)
    agree(lambda x: T.argmax(x, axis=(0, 2)), lambda x: merged.argmax(1), C)


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "int32", "uint8", "uint32", "float16", "float32"]
)
@pytest.mark.parametrize("name", ["sum", "prod", "mean"])
def test_dtypes_of_sums(name: str, dtype: str) -> None:
    value = np.array([100, 2, 101]).astype(dtype)
    agree(lambda x: getattr(T, name)(x), lambda x: getattr(np, name)(x), value)


def test_asked_for_dtypes_of_sums() -> None:
    small = np.array([1, 2], "int8")
    agree(lambda x: x.sum(dtype="int8"), lambda x: x.sum(dtype="int8"), small)
    agree(lambda x: x.sum(dtype="float32"), lambda x: x.sum(dtype="float32"), small)
    agree(lambda x: x.mean(dtype="float32"), lambda x: x.mean(dtype="float32"), small)
    assert T.sum(T.fvector(), acc_dtype="float64").dtype == "float32"
    with config.set(floatX="float32"):
        assert T.mean(T.ivector()).dtype == "float32"
    with pytest.raises(GraphcTypeError, match="the mean of numbers is not int64"):
        T.mean(T.dvector(), dtype="int64")


@pytest.mark.parametrize("order", [0, 1, 2, 3, np.inf, -np.inf])
def test_norms(order: float) -> None:
    agree(lambda x: T.cast(x.norm(order), "float64"), lambda x: np.linalg.norm(x, order), V)


def test_variance_with_fewer_degrees_of_freedom() -> None:
    agree(lambda x: T.var(x, 0, ddof=1), lambda x: np.var(x, 0, ddof=1), M)
    agree(lambda x: T.std(x, ddof=1, keepdims=True), lambda x: np.std(x, ddof=1, keepdims=True), M)
    agree(lambda x: T.var(x, corrected=True), np.var, M)


@pytest.mark.parametrize("own,numpy", MOVED, ids=range(len(MOVED)))
def test_movements(own: Any, numpy: Any) -> None:
    agree(own, numpy, C)


MADE = [
    (lambda: T.zeros((2, 3)), lambda: np.zeros((2, 3))),
    (lambda: T.zeros(3, "int8"), lambda: np.zeros(3, "int8")),
    (lambda: T.ones((), dtype="bool"), lambda: np.ones((), bool)),
    (lambda: T.full((2,), 7), lambda: np.full((2,), 7)),
    (lambda: T.alloc(2.5, 2, 3), lambda: np.full((2, 3), 2.5)),
    (lambda: T.alloc(np.arange(3.0), 2, 3), lambda: np.broadcast_to(np.arange(3.0), (2, 3))),
    (lambda: T.eye(3, 4, 1), lambda: np.eye(3, 4, 1)),
    (lambda: T.eye(4, 2, -1, "int32"), lambda: np.eye(4, 2, -1, "int32")),
    (lambda: T.arange(5), lambda: np.arange(5)),
    (lambda: T.arange(2, 5), lambda: np.arange(2, 5)),
    (lambda: T.arange(5, 2), lambda: np.arange(5, 2)),
    (lambda: T.arange(7, 1, -2), lambda: np.arange(7, 1, -2)),
    (lambda: T.arange(0, 1, 0.1), lambda: np.arange(0, 1, 0.1)),
    (lambda: T.arange(3, dtype="float32"), lambda: np.arange(3, dtype="float32")),
    (lambda: T.constant([[1, 2], [3, 4]]), lambda: np.array([[1, 2], [3, 4]])),
    (lambda: T.constant(1.5, dtype="float32", ndim=2), lambda: np.array([[1.5]], "float32")),
    (lambda: T.as_tensor_variable(True), lambda: np.array(True)),
]


@pytest.mark.parametrize("own,numpy", MADE, ids=range(len(MADE)))
def test_arrays_from_nothing(own: Any, numpy: Any) -> None:
    agree(own, numpy)


@pytest.mark.parametrize(
    "ends", [(5,), (2, 5), (5, 2), (1, 8, 3), (8, 1, -3), (0, 0, 1), (-4, 3, 2)]
)
@pytest.mark.parametrize("dtype", ["int64", "int32", "float64"])
def test_counting_between_expressions(ends: tuple[int, ...], dtype: str) -> None:
    inputs = [T.scalar(dtype=dtype) for _ in ends]
    node = T.arange(*inputs)
    given = dict(zip(inputs, [np.asarray(end, dtype) for end in ends], strict=True))
    expected = np.arange(*ends).astype("float64" if dtype == "float64" else "int64")
    (value,) = evaluate(node, given)
    np.testing.assert_array_equal(value, expected)
    assert value.dtype == expected.dtype
    assert evaluate_sizes(sizes(node), given) == expected.shape


def test_shapes_of_other_arrays() -> None:
    agree(lambda x: T.zeros(x.shape, "int8"), lambda x: np.zeros(x.shape, "int8"), C)
    agree(lambda x: T.zeros_like(x, dtype="int8"), lambda x: np.zeros(x.shape, "int8"), C)
    agree(lambda x: T.full_like(x, 3), lambda x: np.full_like(x, 3), C)
    agree(lambda x: T.fill(x, 3), lambda x: np.full_like(x, 3), C)
    agree(lambda x: T.identity_like(x), lambda x: np.eye(2, 3), M)
    agree(lambda x: T.alloc(0, x.shape[1], x.shape[0]), lambda x: np.zeros((3, 2), int), C)


def test_a_vector_of_sizes_of_unknown_length() -> None:
    x, shape = T.dvector("x"), T.lvector("shape")
    node = T.reshape(x, shape, ndim=2)
    given = {x: np.arange(6.0), shape: np.array([2, 3])}
    np.testing.assert_array_equal(evaluate(node, given)[0], np.arange(6.0).reshape(2, 3))
    with pytest.raises(GraphcTypeError, match="the shape is an array of unknown length"):
        T.reshape(x, shape)


# -- numbers and dtypes ---------------------------------------------------------------------------


def test_sums_of_several_operands_keep_numbers_weak() -> None:
    x = T.fvector("x")
    assert T.add(1, 2.5, x).dtype == "float32"
    assert T.mul(x, 2, T.bscalar()).dtype == "float32"
    assert repr(T.add(x, 1, 2)) == "x + 1 + 2"
    assert T.add(x) is x


def test_numpy_functions_build_graphs() -> None:
    x = T.dvector("x")
    assert np.exp(x) is T.exp(x)
    assert np.multiply(x, 2) is x * 2
    assert np.float64(2) * x is T.constant(np.float64(2)) * x
    assert (np.ones(3) + x).type.shape == (3,)
    assert np.matmul(np.eye(2), T.dmatrix()).ndim == 2


def test_a_method_that_is_not_there_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(LANGUAGE, "argsort")
    with pytest.raises(NotSupportedError, match="argsort is not there yet"):
        T.dvector("x").argsort()


# -- neural networks ------------------------------------------------------------------------------


@pytest.mark.parametrize("own,numpy", NETS, ids=range(len(NETS)))
def test_activations(own: Any, numpy: Any) -> None:
    agree(own, numpy, M)
    agree(own, numpy, C)


def test_softmax_of_a_vector_is_a_row() -> None:
    agree(T.nnet.softmax, lambda x: softmax(x)[None], V)


def test_fast_sigmoid_is_close() -> None:
    x = T.dvector("x")
    value = np.linspace(-20, 20, 1001)
    found = evaluate(T.nnet.ultra_fast_sigmoid(x), {x: value})[0]
    assert np.max(np.abs(found - 1 / (1 + np.exp(-value)))) < 0.03
    assert found[500] == 0.5
    assert np.all(np.diff(found) > -0.005)  # Theano's pieces do not quite meet


def test_cross_entropies() -> None:
    p, q, y = softmax(M), softmax(M[::-1]), np.array([2, 0])
    agree(T.nnet.binary_crossentropy, lambda p, q: -(q * np.log(p) + (1 - q) * np.log(1 - p)), p, q)
    agree(T.nnet.categorical_crossentropy, lambda p, q: -(q * np.log(p)).sum(1), p, q)
    agree(T.nnet.categorical_crossentropy, lambda p, y: -np.log(p[np.arange(2), y]), p, y)


def test_a_class_of_probability_zero_spoils_only_its_own_row() -> None:
    p, y = np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([1, 0])
    agree(T.nnet.categorical_crossentropy, lambda p, y: np.array([0.0, np.inf]), p, y)


# -- mistakes -------------------------------------------------------------------------------------

m, v, s = T.dmatrix("m"), T.dvector("v"), T.dscalar("s")

MISTAKES = [
    (lambda: T.sum(m, axis=2), GraphcValueError, "sum: axis 2 is out of range for 2 axes"),
    (lambda: T.sum(m, axis=(0, 0)), GraphcValueError, "an axis is named twice"),
    (lambda: T.argmax(s, axis=0), GraphcValueError, "argmax: axis 0 is out of range for 0 axes"),
    (lambda: T.transpose(m, (0, 0)), GraphcValueError, "no order of its axes"),
    (lambda: T.dimshuffle(m, 0), ShapeError, "would drop axis 1"),
    (lambda: T.squeeze(m, 0), ShapeError, "would drop axis 0"),
    (lambda: T.sum(m, axis=1.5), GraphcTypeError, "sum: an axis is an integer, not 1.5"),
    (lambda: T.swapaxes(m, 0, "x"), GraphcTypeError, "swapaxes: an axis is an integer, not 'x'"),
    (lambda: T.zeros(-2), GraphcTypeError, r"cannot be negative: -2\n  test_functions.py:\d+"),
    (lambda: T.tile(m, -1), GraphcTypeError, r"cannot be negative: -1\n  test_functions.py:\d+"),
    (lambda: m.__setitem__(0, 1.0), GraphcTypeError, "an expression does not change"),
    (lambda: T.reshape(m, (-1, -1)), GraphcValueError, "at most one size may be -1"),
    (lambda: T.reshape(m, (2, 1.5)), GraphcTypeError, "a size is an integer, not 1.5"),
    (lambda: T.reshape(m, (2, s)), GraphcTypeError, "a size is an integer scalar"),
    (lambda: T.reshape(T.constant(M), (4, 4)), ShapeError, "6 elements cannot become"),
    (lambda: T.flatten(m, 3), GraphcValueError, "flatten to 3 axes of 2"),
    (lambda: T.concatenate([m, v]), GraphcTypeError, "different ranks"),
    (lambda: T.concatenate([s, s]), GraphcTypeError, "at least one axis"),
    (lambda: T.concatenate([T.constant(M), T.constant(V[None, :2])]), ShapeError, "differ"),
    (lambda: T.stack([m, v]), ShapeError, "different ranks"),
    (lambda: T.stack([]), GraphcTypeError, "at least one operand"),
    (lambda: T.broadcast_to(m, (3,)), ShapeError, "are too few"),
    (lambda: T.arange(0, 5, 0), GraphcValueError, "the step is 0"),
    (lambda: T.arange(v), GraphcTypeError, "between numbers, not arrays"),
    (lambda: T.tensordot(m, v), GraphcValueError, "axes .0, 1. of 1"),
    (lambda: m @ s, GraphcTypeError, "matmul of a scalar"),
    (lambda: T.identity_like(v), GraphcTypeError, "needs a matrix"),
    (lambda: T.and_(v, v), DTypeError, "defined for bool and integers, not for float64"),
    (lambda: T.constant(m), GraphcTypeError, "a constant is made of numbers"),
    (lambda: T.constant([[1], [1, 2]]), GraphcTypeError, "cannot make an array of this"),
    (lambda: T.constant(1j), NotSupportedError, "complex numbers are not supported"),
    (lambda: T.add(), GraphcTypeError, "add needs at least one operand"),
    (lambda: T.nnet.categorical_crossentropy(m, v), GraphcTypeError, "neither distributions nor"),
    (lambda: T.addbroadcast(m, 2), GraphcValueError, "axis 2 is out of range for 2 axes"),
    (lambda: T.dmatrices(1.5), GraphcTypeError, "dmatrices takes names or one count"),
    (lambda: T.matrix(3), GraphcTypeError, "the name of a variable is a string, not 3"),
]


@pytest.mark.parametrize("mistake,error,text", MISTAKES, ids=[text for _, _, text in MISTAKES])
def test_mistakes_are_named_with_the_line(mistake: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        mistake()
    assert text in str(caught.value)
    if error is not NotSupportedError or "dot" in text:
        assert "test_functions.py" in str(caught.value), "the user's line"
