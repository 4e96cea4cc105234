"""The generator: published vectors, NumPy's Philox, and the same bits on every backend."""

from __future__ import annotations

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.backends.numpy.random import CHUNK
from graphc.ir.node import Node, const
from graphc.ops.random import DRAWS, bits, normal, philox, uniform, with_step

# kat_vectors of Random123, the authors' library: counter, key, result.
KNOWN = [
    ("0 0 0 0", "0 0", "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b"),
    (
        " ".join(["ffffffffffffffff"] * 4),
        " ".join(["ffffffffffffffff"] * 2),
        "87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0",
    ),
    (
        "243f6a8885a308d3 13198a2e03707344 a4093822299f31d0 082efa98ec4e6c89",
        "452821e638d01377 be5466cf34e90c6c",
        "a528f45403e61d95 38c72dbd566e9788 a5a1610e72fd18b5 57bd43b5e52b7fe6",
    ),
]


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_published_vectors(counter: str, key: str, result: str) -> None:
    assert [int(word) for word in philox(words(counter), words(key))] == words(result)


STATES = [[0, 0, 0], [2**64 - 1, 5, 2**40], [12345678901234567, 2**64 - 1, 2**64 - 1]]


def drawn(node: Node, backend: str) -> np.ndarray:
    return graphc.function([], node, backend=backend)()  # type: ignore[no-any-return]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("step", "part"), [(0, 0), (2**64 - 1, 3)])
def test_numpys_philox_gives_the_same_words(
    state: list[int], step: int, part: int, backend: str
) -> None:
    counter = np.array([0, step, state[2], part], np.uint64)
    numpy_ = np.random.Philox(key=np.array(state[:2], np.uint64), counter=counter)
    found = drawn(draw(bits, "uint64", (11,), state, step, part), backend)
    np.testing.assert_array_equal(found, numpy_.random_raw(11))


def draw(
    row: object, dtype: str, shape: tuple[int, ...], state: list[int], step: int = 1, part: int = 0
) -> Node:
    seen = graphc.shared(np.array(state, np.uint64))  # a constant one would be folded
    return row(seen, const(step, "uint64"), *shape, dtype=dtype, part=part)  # type: ignore[operator]


ROWS = [
    (bits, "uint32"),
    (bits, "uint64"),
    (uniform, "float32"),
    (uniform, "float64"),
    (normal, "float32"),
    (normal, "float64"),
]
SHAPES = [(0,), (1,), (7, 5), (4, 0), (2 * CHUNK + 3,)]


@pytest.mark.parametrize(("row", "dtype"), ROWS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_backend_draws_what_the_reference_draws(
    row: object, dtype: str, shape: tuple[int, ...], backend: str
) -> None:
    node = draw(row, dtype, shape, STATES[1], step=9, part=2)
    found = drawn(node, backend)
    expected = node.op.reference(np.array(STATES[1], np.uint64), 9, *shape, **node.attrs)  # type: ignore[misc]
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    if row is normal:  # logarithm, sine and cosine are the device's
        np.testing.assert_allclose(found, expected, 0, 64 * np.finfo(dtype).eps)
    else:
        np.testing.assert_array_equal(found, expected)


def test_threads_do_not_change_what_is_drawn() -> None:
    node = draw(normal, "float64", (9 * CHUNK,), STATES[0])
    f = graphc.function([], node)
    found = []
    for threads in (1, 2, 5):
        with graphc.config.set(threads=threads):
            found.append(f())
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_a_longer_draw_begins_with_the_shorter_one(backend: str) -> None:
    for row, dtype in ROWS:
        short, long = (drawn(draw(row, dtype, (n,), STATES[0]), backend) for n in (13, 1000))
        np.testing.assert_array_equal(short, long[:13])


def test_each_part_of_the_counter_and_the_key_counts() -> None:
    base = ([1, 2, 3], 4, 5)
    others = [([0, 2, 3], 4, 5), ([1, 0, 3], 4, 5), ([1, 2, 0], 4, 5), ([1, 2, 3], 0, 5)]
    others.append(([1, 2, 3], 4, 0))
    found = [
        drawn(draw(bits, "uint64", (64,), state, step, part), "numpy")
        for state, step, part in (base, *others)
    ]
    assert len({int(word) for one in found for word in one}) == 64 * len(found)


def test_a_step_of_a_loop_has_numbers_of_its_own(backend: str) -> None:
    node = draw(uniform, "float64", (5,), STATES[0], step=0)
    assert node.op in DRAWS
    i, j = T.lscalars("i j")
    inner = with_step(node, i)
    assert inner.inputs[2:] == node.inputs[2:] and inner.type is node.type
    f = graphc.function([i, j], with_step(inner, j), backend=backend)
    found = {f(a, b).tobytes() for a in range(20) for b in range(20)}
    assert len(found) == 400
    once = graphc.function([i], inner, backend=backend)
    np.testing.assert_array_equal(once(0), drawn(node, backend))
    assert once(1).tobytes() != once(0).tobytes()


def test_a_state_has_three_words() -> None:
    with pytest.raises(graphc.errors.GraphcTypeError, match="a state"):
        bits(T.dvector("x"), 0, 3, dtype="uint64", part=0)
    with pytest.raises(graphc.errors.DTypeError, match="uint32 or uint64, not int8"):
        bits(const(np.zeros(3, np.uint64)), 0, 3, dtype="int8", part=0)
    state = T.TensorType("uint64", (None,))("state")
    f = graphc.function([state], uniform(state, 0, 2, dtype="float64", part=0))
    with pytest.raises(graphc.errors.ShapeError, match="2 and 3 differ"):
        f(np.zeros(2, np.uint64))
