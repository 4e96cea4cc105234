"""Types, attributes, dtypes and promotion."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest

from graphc.config import config
from graphc.errors import DTypeError, GraphcTypeError, NotSupportedError
from graphc.ir import dtypes
from graphc.ir.op import OPS
from graphc.ir.types import Attrs, TensorType, TupleType
from op_samples import case, examples


def test_equal_types_are_one_object() -> None:
    assert TensorType("f4", [None, 3]) is TensorType(np.float32, (None, 3))
    assert TensorType("int64", 5) is TensorType(int, (5,))
    assert TensorType("float64", (True, 3)) is TensorType("float64", (1, 3))
    assert TensorType("float64", (np.int64(2),)).shape == (2,)


def test_flags_and_sizes() -> None:
    kind = TensorType("float64", (1, None, 3))
    assert kind.broadcastable == (True, False, False)
    assert kind.ndim == 3
    assert repr(kind) == "float64[1, ?, 3]"
    assert repr(TensorType("bool")) == "bool"
    assert kind.with_shape((2,)) is TensorType("float64", (2,))
    assert kind.with_dtype("int8") is TensorType("int8", (1, None, 3))
    assert pickle.loads(pickle.dumps(TupleType((kind,)))) is TupleType((kind,))


@pytest.mark.parametrize("shape", [(-1,), (1.5,), ("a",)])
def test_what_is_no_size(shape: object) -> None:
    with pytest.raises(GraphcTypeError):
        TensorType("float64", shape)


def test_attrs_are_frozen_and_hashable() -> None:
    attrs = Attrs({"axes": (0,), "k": 1})
    assert attrs == Attrs({"axes": (0,), "k": 1})
    assert hash(attrs) == hash(Attrs({"axes": (0,), "k": 1}))
    assert attrs != Attrs({"axes": (1,), "k": 1})
    assert dict(attrs) == {"axes": (0,), "k": 1}
    assert pickle.loads(pickle.dumps(attrs)) == attrs
    with pytest.raises(TypeError):
        attrs["k"] = 2  # type: ignore[index]
    with pytest.raises(TypeError):
        Attrs({"axes": [0]})


@pytest.mark.parametrize(
    ("given", "name"),
    [("f4", "float32"), (float, "float64"), (np.int8, "int8"), (bool, "bool"), (">i4", "int32")],
)
def test_names_of_dtypes(given: object, name: str) -> None:
    assert dtypes.canonical(given) == name


@pytest.mark.parametrize("given", ["complex64", "O", "U3", "M8[s]", "complex128"])
def test_dtypes_that_graphc_does_not_have(given: str) -> None:
    with pytest.raises(NotSupportedError, match="not supported"):
        dtypes.canonical(given)


def test_what_is_no_dtype() -> None:
    with pytest.raises(DTypeError, match="'float65' is not a dtype"):
        dtypes.canonical("float65")


@pytest.mark.parametrize(("a", "b"), [*itertools.product(dtypes.DTYPES, repeat=2)])
def test_promotion_is_numpys(a: str, b: str) -> None:
    expected = (np.ones(1, a) * np.ones(1, b)).dtype
    assert dtypes.promote(a, b) == expected
    assert OPS["mul"] and (_input(a) * _input(b)).dtype == expected


def _input(dtype: str):
    return TensorType(dtype, (None,))()


@pytest.mark.parametrize("dtype", dtypes.DTYPES)
def test_integers_become_floatx_where_a_float_is_needed(dtype: str) -> None:
    for floatx in ("float32", "float64"):
        with config.set(floatX=floatx):
            expected = dtype if dtypes.is_float(dtype) else floatx
            assert dtypes.floating(dtype) == expected
            assert (_input(dtype) / _input(dtype)).dtype == expected


@pytest.mark.parametrize("dtype", dtypes.DTYPES)
@pytest.mark.parametrize("number", [True, 2, 2.5])
def test_python_numbers_are_as_weak_as_in_numpy(dtype: str, number: float) -> None:
    expected = (np.ones(1, dtype) + number).dtype.name
    if isinstance(number, float) and not dtypes.is_float(dtype):
        expected = "float64"  # floatX, where NumPy has float64 too, but float16 for no one
    assert dtypes.result_with_number(number, [dtype]) == expected
    assert (_input(dtype) + number).dtype == expected


def test_kinds_and_limits() -> None:
    assert [dtypes.kind(d) for d in ("bool", "int8", "uint8", "float16")] == [
        "bool",
        "int",
        "uint",
        "float",
    ]
    assert dtypes.limits("int8") == (-128, 127)
    assert dtypes.limits("bool") == (0, 1)
    assert dtypes.fits(255, "uint8") and not dtypes.fits(256, "uint8")
    assert dtypes.can_cast_safely("int32", "float64")
    assert not dtypes.can_cast_safely("int64", "float32")


@pytest.mark.parametrize("mode", ["warn", "raise"])
def test_a_watch_on_float64(mode: str) -> None:
    f, i = _input("float32"), _input("int32")
    with config.set(warn_float64=mode):
        if mode == "raise":
            with pytest.raises(DTypeError, match="mul of float32 and int32 is float64"):
                f * i
        else:
            with pytest.warns(UserWarning, match="mul of float32 and int32 is float64"):
                f * i
        assert (f * 2.5).dtype == "float32"
        assert (_input("float64") * f).dtype == "float64"


def test_examples_name_the_op_they_are_for() -> None:
    with pytest.raises(AssertionError, match="the example applies"):
        case(OPS["exp"], examples(OPS["log"])[0], "float64")
