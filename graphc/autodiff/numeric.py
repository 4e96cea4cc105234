"""Numerical derivatives, and the comparison of symbolic ones with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphcError, message
from graphc.ir.node import Node, operand
from graphc.ir.source import here

# A central difference loses about round-off / step and step ** 2: the step is near the cube root
# of the round-off.
STEPS = {"float64": 1e-5, "float32": 5e-3, "float16": 6e-2}
TOLERANCES = {"float64": 1e-4, "float32": 1e-2, "float16": 5e-2}


class VerifyGradError(GraphcError, AssertionError):
    """A symbolic gradient and finite differences disagree."""


def numeric_grad(f: Callable[..., Any], pt: Any, eps: float | None = None) -> Any:
    """Return the derivative of a number by each element of arrays, by central differences.

    Parameters
    ----------
    f : callable
        From arrays to a number.
    pt : array, or sequence of arrays
        Where to take the derivative; a sequence is passed as so many arguments.
    eps : float, optional
        The step; by default one that fits the dtype of each array.

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
    slopes = [_slopes(f, arrays, array, eps) for array in arrays]
    return slopes if several else slopes[0]


def _slopes(
    f: Callable[..., Any], arrays: Sequence[np.ndarray], array: np.ndarray, eps: float | None
) -> np.ndarray:
    step = array.dtype.type(eps or STEPS[array.dtype.name])
    result = np.zeros(array.shape, array.dtype)
    for index in np.ndindex(array.shape):
        old = array[index].copy()
        array[index] = old + step
        above, high = float(f(*arrays)), float(array[index])
        array[index] = old - step
        below, low = float(f(*arrays)), float(array[index])
        array[index] = old
        result[index] = (above - below) / (high - low)  # the step as it was rounded
    return result


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
