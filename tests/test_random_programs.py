"""Random programs: as written, optimised, and on OpenCL, the numbers are the same.

hypothesis draws a list of instructions; each makes an expression of two that exist, choosing an
operation that fits their ranks. So any drawn list is a program, and a failing one shrinks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphc
import graphc.tensor as T
from graphc.ir.node import Node
from graphc.ir.verify import verify
from graphc.rewrite.pipeline import PIPELINE, simplify

ROWS, COLUMNS = 3, 4


class Instruction(NamedTuple):
    """Which operation, and which expressions made before it takes."""

    op: int
    first: int
    second: int


UNARY: list[Callable[[Any], Any]] = [
    lambda x: -x,
    lambda x: x * 2 - 1,
    lambda x: x / 4,
    T.tanh,
    T.sin,
    T.nnet.sigmoid,
    T.nnet.softplus,
    lambda x: T.exp(-T.sqr(x)),
    lambda x: T.log(1 + T.exp(x)),
    lambda x: T.log1p(abs(x)),
    lambda x: T.sqrt(T.sqr(x) + 1),
    lambda x: T.clip(x, -1, 1),
    lambda x: 1 / (1 + T.exp(-x)),
    lambda x: T.switch(x > 0, x, 0.5 * x),
    lambda x: x**2,
    abs,
]
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: T.tanh(x) * y,
    lambda x, y: x / (T.sqr(y) + 1),
    T.maximum,
    T.minimum,
    lambda x, y: T.switch(x < y, x, y * 2),
    lambda x, y: T.cast(x > y, "float64") * x,
]
SHAPES: list[Callable[[Node], Node]] = [
    lambda x: x.sum(),
    lambda x: x.mean(axis=0) if x.ndim else x,
    lambda x: x.max(axis=-1) if x.ndim else x,
    lambda x: T.tanh(x.sum(axis=0, keepdims=True)) + x if x.ndim else x,
    lambda x: x.T,
    lambda x: x[::-1] if x.ndim else x,
    lambda x: T.concatenate([x[1:], x[:1]]) if x.ndim else x,
    lambda x: x.dimshuffle(1, 0).dimshuffle(1, 0) if x.ndim == 2 else x,
    lambda x: x.reshape((x.size,)).reshape(x.shape) if x.ndim else x,
    lambda x: T.nnet.softmax(x) if x.ndim == 2 else x,
    lambda x: T.dot(T.tanh(x), T.tanh(x.T)).dot(x) if x.ndim == 2 else x,
    lambda x: T.set_subtensor(x[0], x[0] * 2) if x.ndim else x,
    lambda x: T.zeros_like(x) + x,
    lambda x: T.cast(T.argmax(x), "float64") if x.ndim else x,
]
COUNT = len(UNARY) + len(BINARY) + len(SHAPES)


def fitting(x: Node, y: Node) -> Node:
    """Return y, or something made of it, that goes with x elementwise."""
    if y.ndim == 0 or (x.ndim == y.ndim == 1 and same(x, y)):
        return y
    if x.ndim == 2 and y.ndim == 2 and same(x, y):
        return y
    return y.sum()


def same(x: Node, y: Node) -> bool:
    """Tell whether the shapes of two expressions are equal for sure."""
    from graphc.ir.shapes import sizes

    return sizes(x) == sizes(y)


def program(inputs: list[Node], instructions: list[Instruction]) -> list[Node]:
    """Return the last expressions of a program."""
    made = list(inputs)
    for op, first, second in instructions:
        x, y = made[first % len(made)], made[second % len(made)]
        if op < len(UNARY):
            made.append(UNARY[op](x))
        elif op < len(UNARY) + len(BINARY):
            made.append(BINARY[op - len(UNARY)](x, fitting(x, y)))
        else:
            made.append(SHAPES[op - len(UNARY) - len(BINARY)](x))
    return made[len(inputs) :][-3:]


instructions = st.lists(
    st.builds(Instruction, st.integers(0, COUNT - 1), st.integers(0, 30), st.integers(0, 30)),
    min_size=1,
    max_size=14,
)
quiet = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


def arguments(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [
        rng.normal(size=(ROWS, COLUMNS)),
        rng.normal(size=(ROWS, COLUMNS)),
        rng.normal(size=COLUMNS),
        np.asarray(rng.normal()),
    ]


def declared() -> list[Node]:
    return [T.dmatrix("a"), T.dmatrix("b"), T.dvector("v"), T.dscalar("s")]


def compiled(inputs: list[Node], outputs: list[Node], **options: Any) -> Any:
    return graphc.function(inputs, outputs, on_unused_input="ignore", **options)


def close(got: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for one, other in zip(got, expected, strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype
        scale = np.abs(other).max(initial=1.0)
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11 * scale)


@settings(max_examples=250, **quiet)
@given(instructions, st.integers(0, 1000))
def test_optimised_programs_compute_what_was_written(written: list[Instruction], seed: int) -> None:
    inputs = declared()
    outputs = program(inputs, written)
    values = arguments(seed)
    plain = compiled(inputs, outputs, mode="FAST_COMPILE")(*values)
    close(compiled(inputs, outputs)(*values), plain)


@settings(max_examples=25, **quiet)
@given(instructions, st.integers(0, 1000))
def test_backends_agree(written: list[Instruction], seed: int) -> None:
    inputs = declared()
    outputs = program(inputs, written)
    values = arguments(seed)
    expected = compiled(inputs, outputs)(*values)
    close(compiled(inputs, outputs, backend="opencl")(*values), expected)


@settings(max_examples=60, **quiet)
@given(instructions, st.integers(0, 1000))
def test_gradients_of_optimised_programs(written: list[Instruction], seed: int) -> None:
    inputs = declared()
    cost = sum(T.tanh(out).sum() for out in program(inputs, written))
    gradients = T.grad(cost, inputs, disconnected_inputs="ignore")
    values = arguments(seed)
    plain = compiled(inputs, gradients, mode="FAST_COMPILE")(*values)
    close(compiled(inputs, gradients)(*values), plain)


@settings(max_examples=60, **quiet)
@given(instructions)
def test_every_phase_keeps_the_invariants(written: list[Instruction]) -> None:
    results = program(declared(), written)
    verify(results)
    kinds = [node.type for node in results]
    for phase in PIPELINE:
        results = simplify(results, phases=(phase.name,))
        verify(results)
        for node, kind in zip(results, kinds, strict=True):
            assert node.dtype == kind.dtype and node.ndim == kind.ndim


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_program_of_one_operation_repeated(count: int) -> None:
    for op in range(COUNT):
        inputs = declared()
        outputs = program(inputs, [Instruction(op, i, i + 1) for i in range(count)])
        values = arguments(op)
        close(
            compiled(inputs, outputs)(*values),
            compiled(inputs, outputs, mode="FAST_COMPILE")(*values),
        )
