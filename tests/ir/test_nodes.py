"""Nodes: interning, identity, operators, what has no value before the call, constants."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

import graphc.tensor as T
from graphc.errors import DTypeError, GraphcTypeError, InternalError
from graphc.ir import node as nodes
from graphc.ir.node import CONST, OPS, Literal, Token, apply, as_node, const, make, number
from graphc.ir.op import Kind, Op, register
from graphc.ir.types import NO_ATTRS, Attrs, TensorType
from graphc.ir.verify import verify


def test_equal_expressions_are_one_node() -> None:
    x, y = T.dvectors("x y")
    assert x + y is x + y
    assert x + y is not y + x
    assert T.exp(x * 2).inputs[0] is x * 2
    assert T.sum(T.dmatrix("m"), axis=0) is not T.sum(T.dmatrix("m"), axis=0)


def test_equality_is_identity_and_nodes_are_keys() -> None:
    x, y = T.dvectors("x y")
    assert (x == x) is True
    assert (x == y) is False
    assert (x != y) is True
    assert {x: 1, y: 2}[x] == 1
    assert x in [y, x]
    assert T.eq(x, y).dtype == "bool"


def test_unused_nodes_are_freed() -> None:
    x = T.dvector("x")
    gc.collect()
    before = len(nodes._table)
    ref = weakref.ref(T.exp(T.sin(x) * x))
    gc.collect()
    assert ref() is None
    assert len(nodes._table) == before


def test_the_entry_of_a_successor_survives_its_predecessor() -> None:
    x = T.dvector("x")
    first = T.exp(x)
    entry = nodes._table[first.op, first.inputs, first.attrs, first.type]
    key = entry.key
    del first
    second = T.exp(x)
    nodes._forget(entry)  # a late callback of the first
    assert nodes._table[key]() is second
    assert T.exp(x) is second


def test_threads_make_one_node() -> None:
    x = T.dvector("x")
    found: list[list[object]] = []
    start = threading.Barrier(4)

    def build() -> None:
        start.wait()
        found.append([T.sin(x) * i for i in range(200)])

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for same in zip(*found, strict=True):
        assert all(one is same[0] for one in same)


def test_serials_grow_and_names_are_no_identity() -> None:
    x = T.dvector("x")
    first = x + 1
    first.name = "first"
    assert (x + 2).serial > first.serial
    assert (x + 1).name == "first"


def test_the_line_is_that_of_the_first_user() -> None:
    x = T.dvector("x")
    y = T.cos(x)
    assert y.where is not None
    assert y.where.text == "y = T.cos(x)"
    assert y.where.filename == __file__
    again = T.cos(x)
    assert again.where is y.where


def test_copies_are_the_node_itself() -> None:
    x = T.dvector("x")
    assert copy.copy(x) is copy.deepcopy(x) is x
    assert copy.deepcopy({"a": [T.exp(x)]})["a"][0] is T.exp(x)


def test_pickling_keeps_identity() -> None:
    x = T.dvector("x")
    x.name = "x"
    y = T.exp(x) * T.constant(np.arange(3.0)) + x
    z, w = pickle.loads(pickle.dumps((y, x)))
    assert z is y
    assert w is x


def test_pickling_into_another_process() -> None:
    x = T.dvector("x")
    text = pickle.dumps([T.exp(x) + 1, x])
    code = (
        "import pickle, sys, graphc.tensor as T\n"
        "y, x = pickle.loads(sys.stdin.buffer.read())\n"
        "assert y is T.exp(x) + 1, y\n"
        "print(y, x.type, x.name)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, check=True)
    assert done.stdout.decode().split("\n")[0].rstrip() == "exp(x) + 1 float64[?] x"


def test_tokens_are_found_again_by_key() -> None:
    token = Token()
    assert Token.of(token.key) is token
    assert pickle.loads(pickle.dumps(token)) is token


# -- constants ------------------------------------------------------------------------------------


def test_constants_are_told_apart_by_their_bits() -> None:
    assert const(0.0) is not const(-0.0)
    assert const(float("nan")) is const(float("nan"))
    assert const(1) is not const(1.0)
    assert const(True) is not const(1)
    assert const(1, "int8") is not const(1, "int64")
    assert const(np.float32(1)) is const(1.0, "float32")


def test_dtypes_of_constants() -> None:
    assert [const(v).dtype for v in (1, 1.0, True)] == ["int64", "float64", "bool"]
    assert const([1.0, 2.0]).dtype == "float64"
    with nodes.dtypes.config.set(floatX="float32"):
        assert const(1.5).dtype == const([1.5]).dtype == "float32"
        assert const(np.float64(1.5)).dtype == const(np.array([1.5])).dtype == "float64"


def test_arrays_of_other_byte_order_are_native() -> None:
    big = np.arange(3.0).astype(">f8")
    assert const(big) is const(np.arange(3.0))


def test_literals_are_frozen_copies() -> None:
    value = np.arange(100.0)
    literal = Literal(value)
    value[0] = 1
    assert literal == Literal(np.arange(100.0))
    assert hash(literal) == hash(Literal(np.arange(100.0)))
    assert literal != Literal(value)
    with pytest.raises(ValueError, match="read-only"):
        literal.array[0] = 1


def test_numbers_are_read_from_scalar_constants_only() -> None:
    assert [number(const(v)) for v in (2, 2.5, True)] == [2, 2.5, True]
    assert number(const([1.0])) is None
    assert number(T.dscalar()) is None


@pytest.mark.parametrize("value", [None, "text", {1: 2}, {1}, len, object(), b"bytes"])
def test_what_is_no_expression(value: object) -> None:
    with pytest.raises(GraphcTypeError):
        as_node(value)


# -- Python's protocols ---------------------------------------------------------------------------


def test_operators_build_what_they_say() -> None:
    x, i, b = T.dvector("x"), T.lvector("i"), T.TensorType("bool", (None,))("b")
    found = [
        (1 + x, "add"),
        (1 - x, "sub"),
        (2 * x, "mul"),
        (1 / x, "true_div"),
        (x // 2, "int_div"),
        (7 % i, "mod"),
        (2**x, "pow"),
        (-x, "neg"),
        (abs(x), "abs"),
        (~b, "invert"),
        (i & 1, "and_"),
        (1 | i, "or_"),
        (i ^ i, "xor"),
        (x < 1, "lt"),
        (x <= 1, "le"),
        (1 < x, "gt"),  # noqa: SIM300
        (1 <= x, "ge"),  # noqa: SIM300
    ]
    assert [node.op.name for node, _ in found] == [name for _, name in found]
    assert +x is x
    assert divmod(i, 2) == (i // 2, i % 2)


def test_numbers_are_weak_and_numpy_scalars_are_not() -> None:
    f = T.fvector("f")
    assert (f * 2.5).dtype == (f + 1).dtype == (True * f).dtype == "float32"
    assert (f * np.float64(2.5)).dtype == "float64"
    assert (T.ivector() * 2.5).dtype == "float64"
    assert (T.bvector() + 100).dtype == "int8"
    with pytest.raises(DTypeError, match="the Python number 200 does not fit int8"):
        T.bvector() + 200


@pytest.mark.parametrize("ask", [bool, int, float, len, iter, range])
def test_what_an_expression_has_no_answer_for(ask: object) -> None:
    x = T.dvector("x") if ask in (len, iter) else T.dscalar("x")
    with pytest.raises(TypeError) as caught:
        ask(x)  # type: ignore[operator]
    assert isinstance(caught.value, GraphcTypeError)
    assert "x : float64" in str(caught.value)
    assert "test_nodes.py" in str(caught.value)
    assert "  use " in str(caught.value)


def test_constants_have_answers() -> None:
    assert bool(const(1)) and not bool(const(0.0))
    assert int(const(3)) == 3
    assert float(const(3)) == 3.0
    assert range(10)[const(2)] == 2
    assert len(T.constant([1, 2, 3])) == 3
    with pytest.raises(GraphcTypeError, match="is not a whole number"):
        range(const(2.5))


# -- the table of ops, and the verifier -----------------------------------------------------------


def test_a_second_row_of_a_name_is_a_mistake() -> None:
    with pytest.raises(InternalError, match="two ops named 'add'"):
        register(OPS["add"])


def test_ops_pickle_by_name() -> None:
    assert pickle.loads(pickle.dumps(OPS["add"])) is OPS["add"]


def _stray() -> Op:
    return Op(name="stray", kind=Kind.CALL, infer=lambda i, a: i[0].type, dims=lambda n: ())


def test_verify_finds_what_breaks_an_invariant() -> None:
    x = T.dvector("x")
    verify([T.exp(x) + 1])
    with pytest.raises(InternalError, match="is not in the table of ops"):
        verify([make(_stray(), (x,), NO_ATTRS, x.type)])
    with pytest.raises(InternalError, match="its op says"):
        verify([make(OPS["exp"], (x,), NO_ATTRS, TensorType("float32", (None,)))])
    with pytest.raises(InternalError, match="its op says"):
        verify([make(OPS["sum"], (x,), Attrs({"axes": (0,)}), TensorType("float64", (None,)))])
    with pytest.raises(InternalError, match="has attrs"):
        verify([make(OPS["exp"], (x,), Attrs({"speed": 1}), x.type)])


def test_verify_accepts_a_refined_type() -> None:
    x = T.dvector("x")
    verify([make(OPS["exp"], (x,), NO_ATTRS, TensorType("float64", (3,)))])


def test_the_graph_alone_prints_and_pickles() -> None:
    """Importing any module of the graph brings what methods of nodes need."""
    code = (
        "from graphc.ir.node import const\nimport graphc.ops, pickle\n"
        "x = const(2) + 1\nassert pickle.loads(pickle.dumps(x)) is x\nprint(x)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "2 + 1"


def test_arguments_of_apply_may_be_numbers() -> None:
    assert apply(OPS["add"], 1, 2).op is OPS["add"]
    assert apply(OPS["add"], 1, 2.5).dtype == "float64"
    assert const(1).op is CONST
