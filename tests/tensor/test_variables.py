"""Declarations: prefixes, ranks, plural forms, types, constants."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import graphc.tensor as T
from graphc.config import config
from graphc.errors import GraphcTypeError, NotSupportedError
from graphc.ir.node import INPUT, Node

DTYPES = dict(zip("bwilfd", ("int8", "int16", "int32", "int64", "float32", "float64"), strict=True))
SHAPES = {
    "scalar": (),
    "vector": (None,),
    "matrix": (None, None),
    "row": (1, None),
    "col": (None, 1),
    "tensor3": (None,) * 3,
    "tensor4": (None,) * 4,
    "tensor5": (None,) * 5,
}
PLURALS = {"matrix": "matrices"}


@pytest.mark.parametrize("word", SHAPES)
@pytest.mark.parametrize("prefix", [*DTYPES, ""])
def test_every_prefix_and_rank(prefix: str, word: str) -> None:
    wanted = T.TensorType(DTYPES.get(prefix, "float64"), SHAPES[word])
    one = getattr(T, prefix + word)("x")
    assert (one.type, one.name, one.op) == (wanted, "x", INPUT)
    assert getattr(T, prefix + word)().name is None
    several = getattr(T, prefix + PLURALS.get(word, f"{word}s"))
    for group in (several("a b"), several("a", "b"), several(["a", "b"])):
        assert [(x.name, x.type) for x in group] == [("a", wanted), ("b", wanted)]
    assert [x.name for x in several(3)] == [None] * 3
    assert prefix + word in T.__all__


def test_no_prefix_is_floatx_unless_a_dtype_is_given() -> None:
    with config.set(floatX="float32"):
        assert T.matrix().dtype == T.TensorType("floatX", ()).dtype == "float32"
        assert T.matrix(dtype="int64").dtype == "int64"
        assert [x.dtype for x in T.matrices("a b", dtype="int8")] == ["int8", "int8"]


def test_each_declaration_is_another_input() -> None:
    assert T.dscalar("x") is not T.dscalar("x")
    assert T.dmatrix("x").where is not None


def test_types_declare() -> None:
    kind = T.TensorType("float32", (None, 3))
    assert kind("x").type is kind
    assert T.TensorType("int8", (False, True)) is T.TensorType("int8", broadcastable=(False, True))
    assert T.tensor("int8", (2, None), name="t").type.shape == (2, None)
    with pytest.raises(NotSupportedError, match="complex numbers are not supported"):
        T.TensorType("complex128", ())


def test_classes_to_ask_for() -> None:
    x = T.dvector("x")
    assert isinstance(x, T.Variable) and isinstance(x, T.TensorVariable)
    assert T.Variable is Node
    assert isinstance(T.constant(1.5), T.Constant)
    assert not isinstance(x, T.Constant) and not isinstance(1.5, T.Constant)
    assert isinstance(x.type, T.TensorType)


def test_constants_do_not_change() -> None:
    value = np.arange(3.0)
    one = T.constant(value, name="c")
    value[0] = 7
    assert one is T.constant(np.arange(3.0))
    assert T.constant(0.0) is not T.constant(-0.0)
    assert one.name == "c"
    with pytest.raises(GraphcTypeError):
        T.constant(object())


def test_programs_may_keep_notes_on_expressions() -> None:
    x = T.dvector("x")
    x.name = "renamed"
    x.tag.test_value = np.zeros(3)
    x._keras_shape = (3,)
    assert (x.name, x.tag.test_value.shape, x._keras_shape) == ("renamed", (3,), (3,))
    assert repr(x) == "renamed"


def test_types_survive_pickling() -> None:
    kind = T.TensorType("float32", (None, 3))
    assert pickle.loads(pickle.dumps(kind)) is kind


def test_what_later_layers_add_is_missing_without_them() -> None:
    with pytest.raises(AttributeError, match=r"graphc\.tensor has no 'nonsense'"):
        T.nonsense  # noqa: B018


def test_one_word_is_a_variable_for_each_letter() -> None:
    assert [node.name for node in T.dmatrices("xyz")] == ["x", "y", "z"]
    assert [node.name for node in T.dmatrices("xyz w")] == ["xyz", "w"]
    assert [node.name for node in T.dvectors("x")] == ["x"]
