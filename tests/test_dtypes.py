"""The page on dtypes, line by line: what it says of graphc, and of NumPy; reasons; refusals."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.errors import DTypeError, GraphcTypeError, NotSupportedError
from graphc.ir import dtypes
from imports import ROOT

PAGE = (ROOT / "docs" / "dtypes.md").read_text(encoding="utf-8")
SHORT = {
    re.sub(r"[a-z]+(?=\d)|(?<=b)ool", lambda m: m[0][:1] if m[0] != "ool" else "", d): d
    for d in dtypes.DTYPES
}
LINE = re.compile(r"^\| `(.+?)` \| (\w+) \| (NumPy 2|Theano) \|$", re.M)
ERROR = re.compile(r"^\| `(.+?)` \| (NumPy 2) \| [^|]+ \|$", re.M)
LINES = [(text.replace("\\|", "|"), dtype, rule) for text, dtype, rule in LINE.findall(PAGE)]
ERRORS = [text for text, _ in ERROR.findall(PAGE)]
FLOATX = ("float64", "float32")


def value(expression: str, floatx: str) -> Any:
    """Return what an expression of the page is in graphc."""
    with graphc.config.set(floatX=floatx):
        names = {name: T.vector(name, dtype=dtype) for name, dtype in SHORT.items()}
        return eval(expression, {"T": T, "np": np, **names})


def numpys(expression: str) -> Any:
    """Return what the same expression is in NumPy."""
    arrays = {name: np.ones(3, dtype) for name, dtype in SHORT.items()}
    return eval(expression, {"T": np, "np": np, **arrays})


def test_the_page_has_its_lines() -> None:
    assert SHORT["b"] == "bool" and SHORT["u16"] == "uint16" and len(SHORT) == 12
    assert len(LINES) > 70 and len(ERRORS) == 5
    assert PAGE.count("| NumPy 2 |") + PAGE.count("| Theano |") == len(LINES) + len(ERRORS)


def test_the_table_of_two_dtypes() -> None:
    heading, _, *rows = re.findall(r"^\|.*\|$", PAGE.split("## Line by line")[0], re.M)
    columns = [cell.strip() for cell in heading.strip("|").split("|")][1:]
    assert columns == list(SHORT)
    assert len(rows) == 12
    for row in rows:
        name, *cells = (cell.strip(" *") for cell in row.strip("|").split("|"))
        for other, cell in zip(columns, cells, strict=True):
            assert dtypes.promote(SHORT[name], SHORT[other]) == SHORT[cell], (name, other)
            assert np.promote_types(SHORT[name], SHORT[other]) == SHORT[cell], (name, other)
            x, y = T.vector(dtype=SHORT[name]), T.vector(dtype=SHORT[other])
            assert (x + y).dtype == T.maximum(x, y).dtype == SHORT[cell], (name, other)


@pytest.mark.parametrize(("expression", "dtype", "rule"), LINES)
def test_a_line(expression: str, dtype: str, rule: str) -> None:
    found = {floatx: value(expression, floatx).dtype for floatx in FLOATX}
    assert found == {floatx: floatx if dtype == "floatX" else dtype for floatx in FLOATX}
    if "grad" in expression:
        return
    numpy_has = numpys(expression).dtype.name
    if rule == "NumPy 2":
        assert numpy_has == dtype
    else:
        assert any(numpy_has != one for one in found.values()), "NumPy says the same"


@pytest.mark.parametrize("expression", ERRORS)
def test_an_error(expression: str) -> None:
    with pytest.raises(DTypeError):
        value(expression, "float64")
    with pytest.raises((TypeError, OverflowError)):
        numpys(expression)


# -- why ------------------------------------------------------------------------------------------


def test_a_chain_to_where_dtypes_meet() -> None:
    f, i = T.fvector("f"), T.ivector("i")
    product = f * i
    lines = graphc.explain_dtype(T.exp(product).sum() * 2 + f).splitlines()
    assert lines[0].endswith("is float64")
    chain = [line for line in lines if "from test_dtypes.py" in line]
    assert len(chain) == 5
    assert "float32 and int32 meet in float64" in chain[-1]
    assert lines[-1].strip() == (
        "cast i to something narrower than int32 first, or the result to float32"
    )


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        (T.dvector("x") + 1, "declared float64"),
        (T.exp(T.ivector("i")), "exp of int32 is float64"),
        (T.fvector("f") * graphc.shared(np.zeros(3), "w"), "a shared variable of float64"),
        (T.fvector("f") * np.ones(3), "a constant of float64"),
        (T.sqr(T.cast(T.fvector("f"), "float64")), "cast from float32 to float64"),
        (T.fvector("f") < 1, "lt gives bool"),
        (T.switch(T.dvector("c") > 0, T.fvector("f"), 0), "declared float32"),
        (T.argmax(T.fvector("f")) + 1, "argmax gives int64"),
        (T.bvector("b") + T.wvector("w"), "declared int16"),
        (T.TensorType("uint8", (None,))("u") + T.bvector("b"), "uint8 and int8 meet in int16"),
        (T.sum(T.bvector("b")), "sum of int8 is int64"),
    ],
)
def test_where_a_dtype_begins(expression: Any, why: str) -> None:
    assert why in graphc.explain_dtype(expression)


def test_only_expressions_have_reasons() -> None:
    with pytest.raises(GraphcTypeError, match="it is no expression"):
        graphc.explain_dtype(2.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "build",
    [
        lambda f, i: f * i,
        lambda f, i: T.dot(f, i),
        lambda f, i: T.concatenate([f, i]),
        lambda f, i: T.where(f > 0, f, i),
        lambda f, i: T.exp(i),
    ],
)
def test_a_watch_on_float64(build: Any) -> None:
    f, i = T.fvector("f"), T.ivector("i")
    with graphc.config.set(warn_float64="raise"):
        with pytest.raises(DTypeError, match="is float64"):
            build(f, i)
        build(f, f)
        build(T.dvector("d"), T.dvector("e"))
    with graphc.config.set(warn_float64="warn"):
        with pytest.warns(graphc.GraphcWarning, match="is float64") as caught:
            build(f, i)
        assert caught[0].filename == __file__


def test_a_constant_of_an_integer_widens_nothing() -> None:
    dtypes = [T.constant(n).dtype for n in (1, -128, 128, -40_000, 2**40, True, np.int64(1), [1])]
    assert dtypes == ["int8", "int8", "int16", "int32", "int64", "bool", "int64", "int64"]
    one = T.constant(1)
    with graphc.config.set(floatX="float32"):
        assert (one - T.fscalar("x")).dtype == (one - 0.2).dtype == (1 / one).dtype == "float32"
    assert (one * T.lscalar("n")).dtype == "int64" and (one * T.bscalar("b")).dtype == "int8"


# -- what there is not ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["zmatrix", "cvector", "ctensor3", "zscalars", "complex"])
def test_complex_numbers_are_refused(name: str) -> None:
    assert not hasattr(T, name)
    with pytest.raises(NotSupportedError, match="the real and the imaginary part") as caught:
        getattr(T, name)
    assert "test_dtypes.py" in str(caught.value)


def test_complex_values_are_refused() -> None:
    with pytest.raises(NotSupportedError, match="complex numbers are not supported"):
        T.vector("x", dtype="complex64")
    with pytest.raises(NotSupportedError, match="complex numbers are not supported"):
        T.dvector("x") * 1j
    with pytest.raises(NotSupportedError, match="complex numbers are not supported"):
        graphc.shared(np.zeros(2, complex))


def test_sparse_matrices_are_refused() -> None:
    from scipy.sparse import csr_matrix

    assert not hasattr(graphc, "sparse")
    with pytest.raises(NotSupportedError, match="sparse matrices are not supported"):
        _ = graphc.sparse
    with pytest.raises(NotSupportedError, match="sparse matrices are not supported"):
        T.dot(csr_matrix(np.eye(2)), T.dvector("x"))
    with pytest.raises(NotSupportedError, match="sparse matrices are not supported"):
        graphc.shared(csr_matrix(np.eye(2)))
