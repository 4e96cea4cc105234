"""Gradients in every way there is, to be compared with each other and with differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import graphc
import graphc.tensor as T
from graphc.autodiff import gradients
from graphc.gradient import grad
from graphc.ir.node import Node, const
from graphc.ir.verify import verify
from harness import evaluate, numeric_gradients

Values = Mapping[Node, Any]


def arrays(given: Values) -> dict[Node, np.ndarray]:
    return {x: np.asarray(value, x.dtype) for x, value in given.items()}


def as_written(cost: Node, wrt: Sequence[Node]) -> list[Node]:
    """Differentiate without simplifying; zeros where there is no gradient."""
    found = gradients([cost], [const(1, cost.dtype)], wrt)
    full: Any = [T.zeros_like(x) if g is None else g for g, x in zip(found, wrt, strict=True)]
    verify(full)
    return full  # type: ignore[no-any-return]


def simplified(cost: Node, wrt: Sequence[Node]) -> list[Node]:
    """Differentiate as users do."""
    found = grad(cost, list(wrt), disconnected_inputs="ignore")
    verify(found)
    return found  # type: ignore[no-any-return]


def compiled(results: Sequence[Node], given: Values, mode: str | None = None) -> list[np.ndarray]:
    f = graphc.function(list(given), list(results), mode=mode, on_unused_input="ignore")
    return f(*given.values())  # type: ignore[no-any-return]


def every_way(cost: Node, wrt: Sequence[Node], given: Values) -> dict[str, list[np.ndarray]]:
    """Return the gradients as each part of graphc computes them."""
    given = arrays(given)
    raw, simple = as_written(cost, wrt), simplified(cost, wrt)
    return {
        "as written": evaluate(raw, given),
        "simplified": evaluate(simple, given),
        "compiled": compiled(simple, given),
        "compiled as written": compiled(raw, given),
        "compiled without rewriting": compiled(raw, given, "FAST_COMPILE"),
    }


def assert_gradients(
    cost: Node, given: Values, expected: Mapping[Node, Any], rtol: float = 1e-12
) -> None:
    """Compare the gradients by some inputs with numbers, in every way."""
    wrt = list(expected)
    for way, found in every_way(cost, wrt, given).items():
        for x, value in zip(wrt, found, strict=True):
            wanted = np.asarray(expected[x])
            assert value.dtype == x.dtype, f"{way}: gradient by {x} is {value.dtype}"
            assert value.shape == np.shape(given[x]), f"{way}: gradient by {x}: {value.shape}"
            np.testing.assert_allclose(value, wanted, rtol, 1e-14, err_msg=f"{way}, by {x}")


def assert_slopes(cost: Node, given: Values, rtol: float = 1e-7) -> None:
    """Compare the gradients by every input, all float64, with finite differences."""
    given = arrays(given)

    def at(values: Sequence[np.ndarray]) -> float:
        return float(evaluate(cost, dict(zip(given, values, strict=True)))[0])

    assert_equal(cost, given, numeric_gradients(at, list(given.values()), range(len(given))), rtol)


def assert_equal(cost: Node, given: Values, expected: Sequence[np.ndarray], rtol: float) -> None:
    """Compare the gradients by every input with numbers, as far as the largest is exact."""
    scale = max([1.0, *(float(np.max(np.abs(slope), initial=0)) for slope in expected)])
    for way in (as_written, simplified):
        found = evaluate(way(cost, list(given)), given)
        for x, value, slope in zip(given, found, expected, strict=True):
            assert value.shape == slope.shape, f"{way.__name__}: gradient by {x}: {value.shape}"
            np.testing.assert_allclose(
                value, slope, rtol, rtol * scale, err_msg=f"{way.__name__}, by {x}"
            )


def steady_slopes(cost: Node, given: Values) -> list[np.ndarray] | None:
    """Return finite differences, or None where two steps give different ones: at a kink."""
    found = []
    for x, value in given.items():
        slope = np.zeros((2, *np.shape(value)))
        for index in np.ndindex(np.shape(value)):
            for i, step in enumerate((2.0**-10, 2.0**-13)):
                ends = []
                for offset in (step, -step):
                    moved = np.array(value)
                    moved[index] += offset
                    ends.append(float(evaluate(cost, {**given, x: moved})[0]))
                slope[(i, *index)] = (ends[0] - ends[1]) / (2 * step)
        found.append(slope)
    scale = max(float(np.max(np.abs(slope), initial=1)) for slope in found)
    if not all(np.all(np.abs(slope[0] - slope[1]) <= 1e-5 * scale) for slope in found):
        return None
    return [slope[1] for slope in found]
