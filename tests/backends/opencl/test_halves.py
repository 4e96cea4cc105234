"""float16 on devices, where it is stored and every op is taken in float32 and rounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T

x, m = T.vector("x", dtype="float16"), T.matrix("m", dtype="float16")
f, d, i = T.fvector("f"), T.dvector("d"), T.ivector("i")

EXACT: dict[str, Any] = {
    "rounded after each op": (x * 2.5 + 1) / 3 - x,
    "views": m.T[::-1, ::2] + 1,
    "rows and columns": m[1:, :-1] * x[:-1] + m[1:, 0].dimshuffle(0, "x"),
    "where": T.switch(x > 1, x, -x),
    "extremes": T.max(m, axis=0) - T.min(m, axis=1),
    "places": T.argmax(m, axis=1),
    "moved": T.concatenate([x, x[::-1]]),
    "written": T.set_subtensor(x[1:3], 7),
    "gathered": x[i],
    "from float32": f.astype("float16") + x,
    "from float64": d.astype("float16"),
    "from integers": i.astype("float16") * x,
    "to others": [x.astype(dtype) for dtype in ("float32", "float64", "int32", "uint8", "bool")],
    "sorted": T.sort(m, axis=0),
    "a scalar": T.max(x) * x,
    "a late place": x[T.argmax(x)] + x[x > 1],
    "a loop": graphc.scan(lambda a, b: a / 3 + b, sequences=[x], outputs_info=[x[0]])[0],
    "a branch": graphc.ifelse(T.max(x) > 1, x * 3, x / 3),
    "a gradient": T.grad(T.sum(x * x * 3), x),
}
NEAR: dict[str, Any] = {
    "functions": T.exp(x) + T.tanh(x),
    "sums": [T.sum(m, axis=1), T.mean(m), T.var(m, axis=0)],
    "products": [T.dot(m, x), T.dot(m, m)],
    "softmax": T.nnet.softmax(m),
}


def given() -> list[np.ndarray]:
    rng = np.random.default_rng(8)
    return [
        rng.uniform(-3, 3, 37).astype("float16"),
        rng.uniform(-3, 3, (37, 37)).astype("float16"),
        np.linspace(-7e4, 7e4, 37).astype("float32"),
        np.linspace(-1, 1, 37) / 3,
        rng.integers(0, 37, 37).astype("int32"),
    ]


def both(expression: Any) -> list[tuple[Any, Any]]:
    outputs = expression if isinstance(expression, list) else [expression]
    made: Callable[[str], Any] = lambda name: graphc.function(  # noqa: E731
        [x, m, f, d, i], outputs, backend=name, on_unused_input="ignore"
    )
    with np.errstate(all="ignore"):
        return list(zip(made("opencl")(*given()), made("numpy")(*given()), strict=True))


@pytest.mark.parametrize("name", EXACT)
def test_the_same_as_numpy(name: str) -> None:
    for found, expected in both(EXACT[name]):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", NEAR)
def test_as_near_as_float16_is(name: str) -> None:
    for found, expected in both(NEAR[name]):
        assert found.dtype == expected.dtype == "float16"
        np.testing.assert_allclose(found.astype("f8"), expected.astype("f8"), 4e-3, 4e-3)


def test_memory_holds_halves() -> None:
    double = graphc.function([x], x * 2, backend="opencl")
    assert "global const half *x" in double.source
    w = graphc.shared(np.ones(3, "float16"), "w")
    step = graphc.function([], updates=[(w, w * 1.5)], backend="opencl")
    step()
    step()
    assert w.get_value().dtype == "float16"
    np.testing.assert_array_equal(w.get_value(), [2.25] * 3)


def test_everything_that_overflows_is_infinite() -> None:
    double = graphc.function([x], [x * 2, T.sum(x)], backend="opencl")
    with np.errstate(all="ignore"):
        twice, total = double(np.array([60000, 1, -60000], "float16"))
    np.testing.assert_array_equal(twice, [np.inf, 2, -np.inf])
    assert total == 1  # a sum is taken in float32
