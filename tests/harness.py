"""What tests share: samples, comparisons and finite differences, and graphc's plain evaluator.

The evaluator is the oracle: it knows nothing about rewriting, fusion, memory or backends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from graphc.compile.plain import evaluate, evaluate_sizes
from graphc.compile.tolerances import tolerance
from graphc.ir import dtypes
from graphc.ir.op import Domain

__all__ = [
    "assert_close",
    "evaluate",
    "evaluate_sizes",
    "numeric_gradients",
    "sample",
    "tolerance",
]

# -- samples --------------------------------------------------------------------------------------

GAP = 0.1  # how far floats stay from the kinks of a domain


def sample(domain: Domain, shape: Sequence[int], dtype: str, rng: np.random.Generator) -> Any:
    """Return an array from a domain: floats stay clear of its kinks, integers are not on them.

    Floats are also apart from each other, so that a small step does not change which is largest.
    """
    if dtype == dtypes.BOOL:
        return rng.random(tuple(shape)) < 0.5
    if not dtypes.is_float(dtype) or domain.integers:
        low, high = dtypes.limits(dtype)
        allowed = [
            n
            for n in range(int(np.ceil(domain.low)), int(np.floor(domain.high)) + 1)
            if low <= n <= high and n not in domain.kinks
        ]
        assert allowed, f"{domain} holds no {dtype}"
        return rng.choice(np.array(allowed, dtype), tuple(shape))
    count = int(np.prod(shape))
    places = (rng.permutation(count) + rng.uniform(0.2, 0.8, count)) / max(count, 1)
    found = domain.low + (domain.high - domain.low) * places
    for kink in domain.kinks:  # what lies near is moved away, as far as it lies from the kink
        side = np.where(found < kink, -1, 1)
        found = np.where(np.abs(found - kink) < GAP, found + side * GAP, found)
    return found.reshape(tuple(shape)).astype(dtype)


# -- comparisons ----------------------------------------------------------------------------------


def assert_close(actual: Any, expected: Any, op: str, what: str = "") -> None:
    """Compare values of one op: dtype and shape exactly, floats to the op's tolerance.

    The error is measured against the largest finite element, as that is what sums lose.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    where = what or op
    assert actual.dtype == expected.dtype, f"{where}: {actual.dtype}, not {expected.dtype}"
    assert actual.shape == expected.shape, f"{where}: shape {actual.shape}, not {expected.shape}"
    finite = np.abs(expected[np.isfinite(expected)]) if expected.dtype.kind == "f" else [0]
    scale = float(np.max(finite, initial=0))
    allowed = tolerance(op, expected.dtype.name)
    np.testing.assert_allclose(
        actual, expected, rtol=allowed, atol=allowed * scale, err_msg=where, equal_nan=True
    )


# -- finite differences ---------------------------------------------------------------------------


def numeric_gradients(
    cost: Callable[[Sequence[np.ndarray]], float],
    arrays: Sequence[np.ndarray],
    places: Iterable[int],
) -> list[np.ndarray]:
    """Return the derivative of a number by each element of some of the arrays, all float64.

    Central differences at two steps, extrapolated: the error falls with the fourth power.
    """
    found = []
    for place in places:
        slope = np.zeros(arrays[place].shape)
        for index in np.ndindex(arrays[place].shape):
            slope[index] = _slope(cost, arrays, place, index)
        found.append(slope)
    return found


def _slope(cost: Any, arrays: Sequence[np.ndarray], place: int, index: tuple[int, ...]) -> float:
    def at(offset: float) -> float:
        moved = [np.array(array) for array in arrays]
        moved[place][index] += offset
        return float(cost(moved))

    step = 2.0**-10
    wide = (at(step) - at(-step)) / (2 * step)
    narrow = (at(step / 2) - at(-step / 2)) / step
    return (4 * narrow - wide) / 3
