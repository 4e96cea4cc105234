"""check(): what it lets pass, and what it names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

import graphc
import graphc.tensor as T
import test_random_programs as programs
from graphc.backends.opencl.choice import list_devices
from graphc.compile import build as build_module
from graphc.errors import DeviceError, DifferenceError, GraphcTypeError
from graphc.ir.node import Node, apply
from graphc.ir.op import OPS
from graphc.ir.replace import substitute
from graphc.ir.walk import toposort

RNG = np.random.default_rng(2)
WAYS = {"numpy": ("numpy as written", "numpy"), "opencl": ("opencl",)}


def logistic() -> tuple[Any, Any]:
    x, y = T.fmatrix("x"), T.fvector("y")
    w = graphc.shared(RNG.normal(size=7).astype("float32") * 3, "w")
    p = 1 / (1 + T.exp(-T.dot(x, w)))
    cost = (-y * T.log(p) - (1 - y) * T.log(1 - p)).mean() + 0.01 * (w**2).sum()
    f = graphc.function([x, y], [p, cost], updates=[(w, w - 0.1 * T.grad(cost, w))], name="step")
    return f, w


def test_a_training_step_agrees(backend: str) -> None:
    f, w = logistic()
    before = w.get_value()
    args = RNG.normal(size=(300, 7)).astype("float32") * 10, (RNG.random(300) < 0.5) * 1.0
    found = graphc.check(f, [args[0], args[1].astype("float32")], backends=[backend])
    assert found.ways == WAYS[backend] and found.nodes > 20
    assert found.steadier > 0, "log(1 - p) is -inf, and in the cost it is not"
    assert "finite where what is written overflows" in str(found)
    np.testing.assert_array_equal(w.get_value(), before)


@examples(max_examples=8)
@given(written=programs.instructions, seed=st.integers(0, 1000))
def test_random_programs_agree(written: Any, seed: int) -> None:
    inputs = programs.declared()
    outputs = programs.program(inputs, written)
    f = programs.compiled(inputs, outputs)
    graphc.check(f, programs.arguments(seed), backends=["numpy"])


def test_loops_branches_draws_and_places_agree(backend: str) -> None:
    x, n = T.dmatrix("x"), T.lscalar("n")
    rows, _ = graphc.scan(lambda row, last: T.tanh(T.dot(x, last)) + row, x, x[0] * 0)
    noise = graphc.random.RandomStreams(3).normal(size=(4,))
    branch = graphc.ifelse(n > 2, x[n].sum(), x.max())
    outputs = [rows, rows[-1] + noise, branch, x.argmax(axis=1), T.sort(x, axis=0), x[x > 0]]
    f = graphc.function([x, n], outputs)
    value = RNG.normal(size=(4, 4))
    for place in (3, 0):
        assert graphc.check(f, {"x": value, "n": place}, [backend]).ways == WAYS[backend]


def test_a_wrong_rule_is_named_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    real = build_module.simplify

    def wrong(roots: Any, **options: Any) -> Any:
        sines = {n: T.sin(n.inputs[0]) for n in toposort(roots) if n.op.name == "tanh"}
        return substitute(real(roots, **options), sines)

    monkeypatch.setattr(build_module, "simplify", wrong)
    x = T.dvector("x")
    y = T.exp(T.tanh(x * 2))
    f = graphc.function([x], y.sum(), name="f")
    with pytest.raises(DifferenceError) as info:
        graphc.check(f, [[0.5, 0.0, 1.0]], backends=["numpy"])
    text = str(info.value)
    assert text.startswith("f on numpy: tanh") and "differs from NumPy at [0]: " in text
    assert "(2 of 3 elements)" in text and "y = T.exp(T.tanh(x * 2))" in text


def test_a_wrong_kernel_is_named(monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    x = T.dvector("x")
    f = graphc.function([x], T.cosh(x) + 1)
    code = OPS["cosh"].code
    wrong = code[backend].replace("cosh", "sinh")
    assert wrong != code[backend]
    monkeypatch.setitem(code, backend, wrong)  # type: ignore[arg-type]
    with pytest.raises(DifferenceError, match=f"on {backend}.*: cosh"):
        graphc.check(f, [[0.5]], backends=[backend])


def test_what_cannot_be_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GraphcTypeError, match="compiled function"):
        graphc.check(lambda x: x, [1.0])  # type: ignore[arg-type]
    x = T.dvector("x")
    f = graphc.function([x], x * 2)
    with pytest.raises(GraphcTypeError, match="missing 1"):
        graphc.check(f)
    if list_devices():
        nowhere = graphc.function([x], x * 2, device="pocl:77", backend="numpy")
        assert "opencl was left out" in str(graphc.check(nowhere, [[1.0]]))
        with pytest.raises(DeviceError):
            graphc.check(nowhere, [[1.0]], backends=["opencl"])


def test_signs_of_zero_nan_and_infinities(backend: str) -> None:
    values = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, -1.0, 5e-324])
    x = T.dvector("x")
    nodes: list[Node] = [apply(OPS[name], x) for name in ("neg", "abs", "sqrt", "exp", "log")]
    nodes += [x * x, x + x, x / x, 1 / x, T.maximum(x, 0.0), T.minimum(x, 0.0), x > 0, T.sgn(x)]
    f = graphc.function([x], nodes)
    graphc.check(f, [values], backends=[backend])
