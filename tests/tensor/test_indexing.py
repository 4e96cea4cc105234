"""Basic indexing against NumPy: static and symbolic sizes, numbers and expressions as bounds."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import graphc
import graphc.tensor as T
from graphc.errors import (
    DTypeError,
    GraphcIndexError,
    GraphcTypeError,
    GraphcValueError,
    NotSupportedError,
)
from graphc.ir.node import Node
from graphc.ir.shapes import Sizes, sizes
from graphc.ir.verify import verify
from graphc.ir.walk import toposort
from graphc.ops.index import are_distinct
from harness import evaluate, evaluate_sizes

BOUND = st.none() | st.integers(-7, 7)
STEP = st.none() | st.integers(-3, 3).filter(bool)
PART = st.integers(-6, 5) | st.builds(slice, BOUND, BOUND, STEP) | st.just(None)


@st.composite
def cases(draw: Any) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """Return a shape and an index that NumPy accepts for it."""
    shape = tuple(draw(st.lists(st.integers(0, 5), min_size=1, max_size=3)))
    parts, used = [], 0
    while used < len(shape) and draw(st.integers(0, 4)):
        part = draw(PART)
        if isinstance(part, int):
            if not shape[used]:
                continue
            part = draw(st.integers(-shape[used], shape[used] - 1))
        used += part is not None
        parts.append(part)
    if draw(st.booleans()):
        place = draw(st.integers(0, len(parts)))
        tail = sum(part is not None for part in parts[place:])
        if _inside(shape[len(shape) - tail :], parts[place:]):
            parts.insert(place, ...)
    return shape, tuple(parts)


def _inside(shape: tuple[int, ...], parts: list[Any]) -> bool:
    used = [part for part in parts if part is not None]
    return all(
        not isinstance(part, int) or -size <= part < size
        for size, part in zip(shape, used, strict=True)
    )


def declared(shape: tuple[int, ...], known: bool) -> tuple[Node, np.ndarray]:
    """Return an input and a value of this shape, whose sizes the type knows or does not."""
    x = T.TensorType("float64", shape if known else (None,) * len(shape))("x")
    return x, np.arange(float(np.prod(shape))).reshape(shape)


def symbolic(index: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[Node, Any]]:
    """Return an index with an input in place of every number but steps, and their values."""
    values: dict[Node, Any] = {}

    def lifted(number: Any) -> Any:
        if number is None:
            return None
        node = T.lscalar()
        values[node] = np.int64(number)
        return node

    parts = [
        slice(lifted(part.start), lifted(part.stop), part.step)
        if isinstance(part, slice)
        else lifted(part)
        if isinstance(part, int)
        else part
        for part in index
    ]
    return tuple(parts), values


def agree(part: Node, expected: np.ndarray, values: dict[Node, Any]) -> None:
    verify([part])
    np.testing.assert_array_equal(evaluate(part, values)[0], expected)
    assert evaluate_sizes(sizes(part), values) == expected.shape
    for guard in Sizes([part], lambda node: node).guards:
        left, right = evaluate_sizes([guard.left, guard.right], values)
        assert guard.relation == "in"
        assert 0 <= left < right, f"the guard {guard} refuses a legal index"


@settings(max_examples=400, deadline=None)
@given(cases(), st.booleans())
def test_agrees_with_numpy(case: Any, known: bool) -> None:
    shape, index = case
    x, value = declared(shape, known)
    agree(x[index], value[index], {x: value})


@settings(max_examples=300, deadline=None)
@given(cases(), st.booleans())
def test_symbolic_bounds_agree_with_numpy(case: Any, known: bool) -> None:
    shape, index = case
    x, value = declared(shape, known)
    parts, values = symbolic(index)
    agree(x[parts], value[index], {x: value, **values})


@settings(max_examples=200, deadline=None)
@given(cases(), st.booleans(), st.booleans())
def test_replacing_a_part(case: Any, known: bool, add: bool) -> None:
    shape, index = case
    x, value = declared(shape, known)
    part = x[index]
    if not [one for one in index if one is not None and one is not ...]:
        return  # x itself, or x with new axes: not a part
    expected = value.copy()
    new = -1.0 - np.arange(float(value[index].size)).reshape(value[index].shape)
    y = T.TensorType("float64", [None] * new.ndim)("y")
    if add:
        expected[index] += new
    else:
        expected[index] = new
    found = T.inc_subtensor(part, y) if add else T.set_subtensor(part, y)
    verify([found])
    np.testing.assert_array_equal(evaluate(found, {x: value, y: new})[0], expected)
    assert found.type is x.type


def test_equal_lengths_are_one_formula() -> None:
    x = T.dvector("x")
    assert sizes(x[1:]) == sizes(x[:-1])
    assert sizes(x[::-1]) == sizes(x)
    assert sizes(x[2:-1]) == sizes(x[3:])
    assert sizes(x[:]) == sizes(x)


def test_a_known_size_stays_known() -> None:
    x = T.TensorType("float64", (10, None))("x")
    assert x[2:8:3].type.shape == (2, None)
    assert x[-3:].type.shape == (3, None)
    assert x[::-1].type.shape == (10, None)
    assert x[:, 0].type.shape == (10,)


@pytest.mark.parametrize("index", [3, -4])
def test_out_of_a_known_axis(index: int) -> None:
    x = T.TensorType("float64", (3,))("x")
    with pytest.raises(
        GraphcIndexError, match=f"index {index} is out of range for axis 0 of size 3"
    ):
        x[index]
    with pytest.raises(IndexError):
        x[index]


@pytest.mark.parametrize(("index", "inside"), [(2, True), (3, False), (-3, True), (-4, False)])
@pytest.mark.parametrize("lifted", [False, True])
def test_out_of_an_unknown_axis_is_a_guard(index: int, inside: bool, lifted: bool) -> None:
    x, i = T.dvector("x"), T.lscalar("i")
    values = {x: np.zeros(3), i: np.int64(index)}
    for part in (x[i if lifted else index], T.set_subtensor(x[i if lifted else index], 1.0)):
        (guard,) = Sizes([part], lambda node: node).guards
        left, right = evaluate_sizes([guard.left, guard.right], values)
        assert (guard.relation, 0 <= left < right) == ("in", inside)
        assert inside or (left if left >= 0 else left - right) == index, "the index as written"


def test_shapes_are_read_without_an_index() -> None:
    x = T.dtensor3("x")
    assert x.shape[0] is x.shape[-3]
    assert x.shape[0].op.name == "dim"
    assert list(x.shape[1:]) == [x.shape[1], x.shape[2]]
    assert x.shape[::-1][0] is x.shape[2]
    assert x[0].shape[0] is x.shape[1]
    with pytest.raises(GraphcIndexError, match="index 3 is out of range for axis 0 of size 3"):
        x.shape[3]


def test_the_elements_of_a_vector_of_known_length() -> None:
    v = T.TensorType("float64", (3,))("v")
    assert [one.type.shape for one in v] == [()] * 3
    assert [float(evaluate(one, {v: np.arange(3.0)})[0]) for one in v] == [0, 1, 2]


def test_minibatches() -> None:
    data, i = T.dmatrix("data"), T.lscalar("i")
    batch = data[i * 4 : (i + 1) * 4]
    value = np.arange(20.0).reshape(10, 2)
    for place in (0, 1, 2, 3, -1):
        expected = value[place * 4 : (place + 1) * 4]
        found = evaluate(batch, {data: value, i: np.int64(place)})[0]
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("index", "error", "text"),
    [
        (1.5, GraphcTypeError, "an index is an integer, a slice, ... or None, not 1.5"),
        ("a", GraphcTypeError, "not 'a'"),
        ((0, 0, 0), GraphcIndexError, "3 indices for 2 axes"),
        ((..., ...), GraphcIndexError, "one ... at most"),
        (slice(None, None, 0), GraphcValueError, "the step of a slice is 0"),
        ([0.5, 1], GraphcTypeError, "array of integers or a condition, not of float64"),
        (T.dvector("i"), GraphcTypeError, "array of integers or a condition, not of float64"),
        (True, NotSupportedError, "a condition without axes"),
        (T.dscalar("d"), GraphcTypeError, "T.cast"),
        (T.tensor3(dtype="bool"), GraphcIndexError, "3 indices for 2 axes"),
        (([0], [0], [0]), GraphcIndexError, "3 indices for 2 axes"),
    ],
)
def test_what_is_no_index(index: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text.replace("...", r"\.\.\.")) as caught:
        T.dmatrix("m")[index]
    assert ": float64[?, ?]" in str(caught.value)
    assert "test_indexing.py" in str(caught.value)


def test_what_cannot_be_replaced() -> None:
    x, i = T.dvector("x"), T.ivector("i")
    with pytest.raises(GraphcTypeError, match="not part of an array"):
        T.set_subtensor(x, 0)
    with pytest.raises(DTypeError, match="float64 does not fit an array of int32"):
        T.set_subtensor(i[0], 1.5)
    with pytest.raises(DTypeError, match="float64 does not fit an array of int32"):
        T.inc_subtensor(i[0], T.dscalar())
    with pytest.raises(GraphcTypeError, match="1 axes do not fit a part of 0"):
        T.set_subtensor(x[0], x)


def test_the_whole_of_an_array_can_be_replaced() -> None:
    x = T.dvector("x")
    value = np.arange(3.0)
    np.testing.assert_array_equal(
        evaluate(T.set_subtensor(x[:], 2), {x: value})[0], np.full(3, 2.0)
    )


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_narrow_indices_reach_wide_arrays(dtype: str, backend: str) -> None:
    """Places are counted in int64, however narrow an index is."""
    x, i, j = T.dtensor3("x"), T.vector("i", dtype=dtype), T.vector("j", dtype=dtype)
    value = np.arange(100.0 * 90 * 3).reshape(100, 90, 3)
    rows, columns = np.array([99, 0, 50], dtype), np.array([89, 1, 89], dtype)
    part = x[i, j]
    made = [
        part,
        T.inc_subtensor(part, 1.0),
        T.set_subtensor(x[i], 0.0),
        T.inc_subtensor(x[i], 2.0),
    ]
    f = graphc.function([x, i, j], made, backend=backend)
    expected = [value[rows, columns], value.copy(), value.copy(), value.copy()]
    expected[1][rows, columns] += 1
    expected[2][rows] = 0
    expected[3][rows] += 2
    for found, wanted in zip(f(value, rows, columns), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("place", [[0, 5], [-4, 0], [1, 2, 7]])
def test_an_index_array_out_of_range(place: list[int], backend: str) -> None:
    """Indices from the host, and indices that the call computes."""
    x, i = T.dmatrix("x"), T.lvector("i")
    bad = next(one for one in place if not -3 <= one < 3)
    for index, numbers in ((i, place), (i - 1, [one + 1 for one in place])):
        for made in (x[index], T.set_subtensor(x[index], 0.0), T.inc_subtensor(x[index], 1.0)):
            f = graphc.function([x, i], made, backend=backend)
            with pytest.raises(GraphcIndexError) as caught:
                f(np.zeros((3, 2)), numbers)
            text = str(caught.value)
            assert f"index {bad} is out of range for an axis of size 3" in text
            assert "test_indexing.py" in text
            assert isinstance(caught.value, IndexError)


def test_a_failed_index_changes_nothing(backend: str) -> None:
    w = graphc.shared(np.zeros(3))
    i = T.lvector("i")
    f = graphc.function(
        [i], T.sum(w), updates=[(w, T.inc_subtensor(w[i + 0 * i], 1.0))], backend=backend
    )
    f([0, 0, 2])
    with pytest.raises(GraphcIndexError):
        f([1, 3])
    np.testing.assert_array_equal(w.get_value(), [2.0, 0.0, 1.0])


def test_a_known_index_out_of_a_known_axis() -> None:
    x = T.TensorType("float64", (3, 2))("x")
    with pytest.raises(GraphcIndexError, match="index 3 is out of range for axis 0 of size 3"):
        x[[0, 3]]
    with pytest.raises(
        GraphcIndexError, match="a condition of size 2 does not fit axis 0 of size 3"
    ):
        x[[True, False]]


def test_a_condition_of_another_size() -> None:
    x, c = T.dvector("x"), T.vector("c", dtype="bool")
    for part in (x[c], x[np.array([True, False])]):
        guards = Sizes([part], lambda node: node).guards
        assert any(guard.relation == "==" for guard in guards)


def test_the_array_of_a_part_is_that_of_its_last_index() -> None:
    """The same views and reads may be a part of several arrays."""
    x, i = T.dmatrix("x"), T.lvector("i")
    value, place = np.arange(12.0).reshape(4, 3), np.array([0, 2])
    whole, part = value.copy(), value[1:].copy()
    whole[1:, [0, 2]] = 7
    part[:, [0, 2]] = 7
    given = {x: value, i: place}
    for made, expected in (
        (T.set_subtensor(x[1:, i], 7), whole),
        (T.set_subtensor(x[1:][:, i], 7), part),
        (T.set_subtensor(x.T[i], 7), _with_columns(value).T),
        (T.set_subtensor(x[:, i].T, 7), _with_columns(value)),
    ):
        np.testing.assert_array_equal(evaluate(made, given)[0], expected)


def _with_columns(value: np.ndarray) -> np.ndarray:
    found = value.copy()
    found[:, [0, 2]] = 7
    return found


def test_a_number_where_a_condition_holds_needs_no_places() -> None:
    x = T.dmatrix("x")
    for made in (T.set_subtensor(x[x < 0], 0), T.inc_subtensor(x[x < 0], 1)):
        assert "flatnonzero" not in {node.op.name for node in toposort([made])}
    value = np.array([[1.0, -2.0], [-3.0, 4.0]])
    np.testing.assert_array_equal(
        evaluate(T.set_subtensor(x[x < 0], 0), {x: value})[0], np.maximum(value, 0)
    )


@pytest.mark.parametrize("step", [1, 2, -1, -3, 7])
@pytest.mark.parametrize(("start", "stop"), [(None, None), (1, None), (None, -1), (4, 1), (-9, 9)])
def test_symbolic_steps(start: int | None, stop: int | None, step: int) -> None:
    x, s = T.dvector("x"), T.lscalar("s")
    value = np.arange(6.0)
    part = x[start:stop:s]
    given = {x: value, s: np.int64(step)}
    np.testing.assert_array_equal(evaluate(part, given)[0], value[start:stop:step])
    expected = value.copy()
    expected[start:stop:step] += 10
    np.testing.assert_array_equal(evaluate(T.inc_subtensor(part, 10), given)[0], expected)


def test_places_at_equal_distances_are_views() -> None:
    x = T.TensorType("float64", (6, 2))("x")
    for part in (x[[1, 3, 5]], x[T.arange(6)], x[::-1][[0, 1]], x[np.array([-1, -3])]):
        f = graphc.function([x], part * 2)
        assert not [step for step in f.program.steps if type(step).__name__ == "Call"]


def test_embeddings_are_updated_at_their_places() -> None:
    """The gradient of rows that were read is added to them; there is no array of zeros."""
    w = graphc.shared(np.ones((1000, 4)))
    i = T.lvector("i")
    cost = T.sum(w[i] ** 2)
    f = graphc.function([i], cost, updates=[(w, w - 0.1 * T.grad(cost, w))])
    assert f([3, 3, 5]) == 12
    expected = np.ones((1000, 4))
    expected[3], expected[5] = 1 - 0.4, 1 - 0.2
    np.testing.assert_allclose(w.get_value(), expected)
    sizes_of_steps = [host_space(step) for step in f.program.steps]
    assert "w.shape[0]" not in " ".join(sizes_of_steps), "nothing elementwise over all of w"


def host_space(step: Any) -> str:
    group = getattr(step, "group", None)
    return repr(group.space) if group is not None else ""


def test_reads_and_writes_are_written_as_numpy_writes_them() -> None:
    x, i = T.dmatrix("x"), T.lvector("i")
    assert repr(x[i]) == "x[i]"
    assert repr((x + 1)[:, i] * 2) == "(x + 1)[:, i] * 2"
    assert repr(x[1:, i]) == "x[1:][:, i]"
    f = graphc.function([x, i], [(x + 1)[:, i] * 2, T.inc_subtensor(x[i], 1.0)])
    picture = f.dot_source()
    assert "x with [i] += " in picture
    assert "(x + 1)[:, i]" in picture


def test_what_is_known_to_be_distinct(backend: str) -> None:
    """Where the graph shows that no place occurs twice, adding is simpler; nowhere else."""
    x, j, n = T.dmatrix("x"), T.lvector("j"), T.lscalar("n")
    value, columns = np.zeros((4, 5)), np.array([1, 1, 3])
    rows = [
        ((T.arange(n), j), (np.arange(3), columns), True),
        ((T.arange(n) + 1, j), (np.arange(3) + 1, columns), True),
        ((T.arange(n) - 1, j), (np.arange(3) - 1, columns), False),
        ((T.arange(1), j), ([0], columns), False),
        ((j, j), (columns, columns), False),
        ((j,), (columns,), False),
        ((np.array([2, 0]),), ([2, 0],), True),
        ((np.array([2, -2]),), ([2, -2],), False),
        ((T.arange(n)[:, None], j), (np.arange(3)[:, None], columns), False),
        ((T.shape_padright(T.arange(n)), T.arange(n)), (np.arange(3)[:, None], np.arange(3)), True),
    ]
    made = [T.inc_subtensor(x[index], 1.0) for index, _, _ in rows]
    for node, (_, _, distinct) in zip(made, rows, strict=True):
        assert are_distinct(node.inputs[2:]) is distinct
    f = graphc.function([x, j, n], made, backend=backend, mode="FAST_COMPILE")
    for found, (_, index, _) in zip(f(value, columns, 3), rows, strict=True):
        expected = value.copy()
        np.add.at(expected, index, 1.0)
        np.testing.assert_array_equal(found, expected)


def test_updates_at_places_are_made_in_place(backend: str) -> None:
    """A table that is updated at a few places is not copied."""
    w = graphc.shared(np.ones((5, 2)), "w")
    i, t = T.lvector("i"), T.lscalar("t")
    cost = T.sum(w[i] ** 2)
    f = graphc.function(
        [i], cost, updates=[(w, w - 0.5 * T.grad(cost, w))], backend=backend, name="f"
    )
    assert "in place" in f.explain()
    assert f([1, 1, 3]) == 6
    expected = np.ones((5, 2))
    expected[1], expected[3] = -1, 0
    np.testing.assert_array_equal(w.get_value(), expected)
    with pytest.raises(GraphcIndexError):
        f([0, 5])
    np.testing.assert_array_equal(w.get_value(), expected)
    g = graphc.function([t], w[t], updates=[(w, T.set_subtensor(w[t], 7.0))], backend=backend)
    np.testing.assert_array_equal(g(3), [0, 0])
    expected[3] = 7
    np.testing.assert_array_equal(w.get_value(), expected)
    both = graphc.function(
        [i], w, updates=[(w, T.inc_subtensor(w[i], w[i[::-1]]))], backend=backend
    )
    np.testing.assert_array_equal(both([0, 3]), expected)
    expected[[0, 3]] += expected[[3, 0]]
    np.testing.assert_array_equal(w.get_value(), expected)
    other = graphc.function([], [], updates=[(w, T.set_subtensor(w[:4], w[1:]))], backend=backend)
    other()
    expected[:4] = expected[1:].copy()
    np.testing.assert_array_equal(w.get_value(), expected)
