"""Numerical derivatives, and the comparison of symbolic ones with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphcError, GraphcValueError, message
from graphc.ir.node import Node, operand
from graphc.ir.source import here

# A difference over a step h loses about round-off / h, besides the error of the method: h for
# one-sided differences, h ** 2 for central ones. The steps are where both are alike. Richardson
# extrapolation begins with a wide step and halves it.
STEPS = {"float64": 1e-5, "float32": 5e-3, "float16": 6e-2}
STEPS_OF = {
    "forward": {"float64": 1.5e-8, "float32": 3.5e-4, "float16": 3e-2},
    "backward": {"float64": 1.5e-8, "float32": 3.5e-4, "float16": 3e-2},
    "central": STEPS,
    "richardson": {"float64": 2.0**-6, "float32": 2.0**-4, "float16": 2.0**-3},
}
LEVELS = 5  # how often Richardson extrapolation halves its step, at most
TOLERANCES = {"float64": 1e-4, "float32": 1e-2, "float16": 5e-2}


class VerifyGradError(GraphcError, AssertionError):
    """A symbolic gradient and finite differences disagree."""


def difference(f: Callable[[float], float], h: float, method: str = "central") -> float:
    """Return the derivative of a function of one number at 0.

    Parameters
    ----------
    f : callable
        From an offset to a number.
    h : float
        The step; the largest one, for Richardson extrapolation.
    method : {'central', 'forward', 'backward', 'richardson'}
        ``(f(h) - f(-h)) / 2h``, ``(f(h) - f(0)) / h`` or ``(f(0) - f(-h)) / h``; or central
        differences at ``h``, ``h / 2``, ``h / 4`` ... combined so that the leading errors cancel,
        up to where round-off takes over.

    Examples
    --------
    >>> round(difference(np.exp, 0.1, "forward"), 4)
    1.0517
    >>> round(difference(np.exp, 0.1, "central"), 4)
    1.0017
    >>> round(difference(np.exp, 0.1, "richardson"), 12)
    1.0
    """
    if method == "forward":
        return float(f(h) - f(0.0)) / h
    if method == "backward":
        return float(f(0.0) - f(-h)) / h
    if method == "central":
        return float(f(h) - f(-h)) / (2 * h)
    if method == "richardson":
        return _extrapolated(lambda step: float(f(step) - f(-step)) / (2 * step), h)
    known = ", ".join(map(repr, STEPS_OF))
    raise GraphcValueError(message(f"method={method!r}: must be one of {known}", (), here()))


def _extrapolated(slope: Callable[[float], float], h: float) -> float:
    """Return the limit of slopes whose error has only even powers of the step (Ridders).

    Each row of the tableau halves the step, each column cancels the next power. The entry that
    differs least from those it was made of is the answer.
    """
    rows = [[slope(h)]]
    best, error = rows[0][0], np.inf
    for level in range(1, LEVELS):
        row = [slope(h / 2**level)]
        for power in range(1, level + 1):
            ratio = 4.0**power
            row.append((ratio * row[-1] - rows[-1][power - 1]) / (ratio - 1))
            doubt = max(abs(row[-1] - row[-2]), abs(row[-1] - rows[-1][power - 1]))
            if doubt <= error:
                best, error = row[-1], doubt
        rows.append(row)
        if abs(row[-1] - rows[-2][-1]) >= 2 * error:
            break  # smaller steps only add round-off
    return best


def numeric_grad(
    f: Callable[..., Any], pt: Any, eps: float | None = None, method: str = "central"
) -> Any:
    """Return the derivative of a number by each element of arrays, by differences.

    Parameters
    ----------
    f : callable
        From arrays to a number.
    pt : array, or sequence of arrays
        Where to take the derivative; a sequence is passed as so many arguments.
    eps : float, optional
        The step; by default one that fits the dtype of each array and the method.
    method : {'central', 'forward', 'backward', 'richardson'}
        As for `difference`.

    Returns
    -------
    array, or list of arrays
        As ``pt``.

    Examples
    --------
    >>> numeric_grad(lambda x: (x**3).sum(), np.array([1.0, 2.0])).round(6)
    array([ 3., 12.])
    """
    several = isinstance(pt, (list, tuple))
    arrays = [np.array(array) for array in (pt if several else [pt])]
    slopes = [_slopes(f, arrays, array, eps, method) for array in arrays]
    return slopes if several else slopes[0]


def _slopes(
    f: Callable[..., Any],
    arrays: Sequence[np.ndarray],
    array: np.ndarray,
    eps: float | None,
    method: str,
) -> np.ndarray:
    step = step_for(array.dtype.name, method) if eps is None else eps
    result = np.zeros(array.shape, array.dtype)
    for index in np.ndindex(array.shape):
        old = array[index].copy()
        # the step as it is rounded when it is added: that of a float16 is far from what was asked
        array[index] = old + array.dtype.type(step)
        h = float(array[index]) - float(old)

        def at(offset: float, index: Any = index, old: Any = old) -> float:
            array[index] = array.dtype.type(float(old) + offset)
            return float(f(*arrays))

        result[index] = difference(at, h, method)
        array[index] = old
    return result


def step_for(dtype: str, method: str) -> float:
    """Return a step that fits a method and the round-off of a dtype."""
    return STEPS_OF.get(method, STEPS)[dtype]


def compare(
    inputs: Sequence[Node],
    symbolic: Sequence[np.ndarray],
    numeric: Sequence[np.ndarray],
    abs_tol: float,
    rel_tol: float,
) -> None:
    """Raise `VerifyGradError` if an element differs more than either tolerance allows."""
    for i, (a, b) in enumerate(zip(symbolic, numeric, strict=True)):
        absolute = np.abs(a.astype("float64") - b.astype("float64"))
        relative = absolute / np.maximum(np.abs(a) + np.abs(b), 1e-8, dtype="float64")
        excess = np.minimum(absolute / abs_tol, relative / rel_tol)
        excess = np.where(np.isnan(excess), np.inf, excess)
        if np.all(excess <= 1):
            continue
        place = np.unravel_index(int(np.argmax(excess)), excess.shape)
        where = f" at {list(map(int, place))}" if place else ""
        raise VerifyGradError(
            message(
                f"the gradient by input {i}{where} is {a[place]:.6g},"
                f" and finite differences give {b[place]:.6g}",
                [operand(inputs[i])],
                here(),
                f"absolute error {absolute[place]:.2g}, relative {relative[place]:.2g};"
                f" allowed is {abs_tol:g} or {rel_tol:g}",
            )
        )
