"""Checks of gradients by finite differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.autodiff.numeric import (
    STEPS,
    STEPS_OF,
    TOLERANCES,
    compare,
    difference,
    numeric_grad,
    step_for,
)
from graphc.errors import GraphcTypeError, NotSupportedError, message
from graphc.gradient.derivatives import Rop, grad
from graphc.ir.node import Node, as_node, const, input_node
from graphc.ir.source import here
from graphc.ir.types import LANGUAGE, TensorType
from graphc.ir.walk import leaves
from graphc.ops.elementwise import cast
from graphc.ops.reduce import sum as sum_over


def verify_grad(
    fun: Callable[..., Any],
    pt: Any,
    n_tests: int = 2,
    rng: Any = None,
    eps: float | None = None,
    out_type: Any = None,
    abs_tol: float | None = None,
    rel_tol: float | None = None,
    mode: Any = None,
    cast_to_output_type: bool = False,
    no_debug_ref: bool = True,
    method: str = "central",
) -> None:
    """Compare the gradient of a function with finite differences.

    The output, of any shape, is reduced to a scalar by random weights.

    Parameters
    ----------
    fun : callable
        From symbolic variables to an expression.
    pt : list of arrays
        The values of the variables, floats, where to compare. Keep away from kinks.
    n_tests : int
        How many random weightings to try.
    rng : numpy.random.Generator or RandomState, optional
        Of the weights; by default the same ones each time.
    eps : float, optional
        The step of the differences.
    abs_tol, rel_tol : float, optional
        An element is wrong if both errors are larger. By default they fit the narrowest dtype.
    out_type : dtype, optional
        Convert the output first.
    mode, cast_to_output_type, no_debug_ref
        Accepted for Theano's sake.
    method : {'central', 'forward', 'backward', 'richardson'}
        How differences are taken, as for `numeric_grad`.

    Raises
    ------
    VerifyGradError
        With the element that is worst.

    Examples
    --------
    >>> import numpy as np, graphc, graphc.tensor as T
    >>> graphc.gradient.verify_grad(lambda x, y: T.dot(x, y), [np.ones((2, 3)), np.ones(3)])
    """
    arrays = [np.asarray(value) for value in (pt if isinstance(pt, (list, tuple)) else [pt])]
    inputs = [_verified_input(array, i) for i, array in enumerate(arrays)]
    output = as_node(fun(*inputs))
    output = output if out_type is None else cast(output, out_type)
    narrow = min([output.type.dtype, *(a.dtype.name for a in arrays)], key=lambda d: -STEPS[d])
    allowed = abs_tol or TOLERANCES[narrow], rel_tol or TOLERANCES[narrow]
    rng = np.random.default_rng(0) if rng is None else rng
    shape = _evaluated(output, inputs, arrays).shape
    for _ in range(n_tests):
        weights = rng.uniform(0.5, 1.5, shape)
        # summed in float64, so that the sum adds no error of its own
        weighted = cast(output, "float64") * const(weights)
        cost = sum_over(weighted, axes=tuple(range(weighted.type.ndim)))
        found = grad(cost, inputs, disconnected_inputs="ignore", add_names=False)
        symbolic = [_evaluated(g, inputs, arrays) for g in found]
        numeric = numeric_grad(
            lambda *values: _evaluated(cost, inputs, values),  # noqa: B023
            arrays,
            eps,
            method,
        )
        compare(inputs, symbolic, numeric, *allowed)


def _verified_input(array: np.ndarray, i: int) -> Node:
    if array.dtype.kind != "f":
        raise GraphcTypeError(
            message(f"verify_grad needs floats, and point {i} is {array.dtype}", (), here())
        )
    shape = tuple(1 if size == 1 else None for size in array.shape)
    return input_node(TensorType(array.dtype.name, shape), f"input {i}")


def _evaluated(node: Node, inputs: Sequence[Node], arrays: Sequence[np.ndarray]) -> np.ndarray:
    evaluator = LANGUAGE.get("eval")
    if evaluator is None:
        raise NotSupportedError("verify_grad needs node.eval, which comes with graphc.function")
    needed = set(leaves([node]))
    given = {x: array for x, array in zip(inputs, arrays, strict=True) if x in needed}
    return np.asarray(evaluator(node, given))


# -- one direction --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GradCheck:
    """The slope of a function in one direction, found in three ways; true if they agree.

    Attributes
    ----------
    numeric, reverse, forward : float
        By Richardson-extrapolated differences, by the gradient, and by the Jacobian-vector product.
    error : float
        The largest difference between them, relative to the slope or to 1.
    tolerance : float
    """

    numeric: float
    reverse: float
    forward: float
    error: float
    tolerance: float

    def __bool__(self) -> bool:
        return self.error <= self.tolerance

    def __str__(self) -> str:
        lines = [
            "slope in a random direction",
            f"  finite differences : {self.numeric:.12g}",
            f"  reverse (gradient) : {self.reverse:.12g}",
            f"  forward (jvp)      : {self.forward:.12g}",
            f"largest relative difference {self.error:.2g}, allowed {self.tolerance:.2g}:"
            f" {'they agree' if self else 'THEY DIFFER'}",
        ]
        return "\n".join(lines)


_CLOSE = {"float64": 1e-6, "float32": 1e-2, "float16": 1e-1}


def quick_grad_check(f: Callable[..., Any], x: Any, rng: Any = None) -> GradCheck:
    """Compare reverse mode, forward mode and finite differences in one random direction.

    It costs a few evaluations of the function, however many elements ``x`` has. Wrong gradients
    are found with probability 1, but not which element is wrong: `verify_grad` says that.

    Parameters
    ----------
    f : callable
        From symbolic variables to an expression of any shape; it is reduced by random weights.
    x : array, or list of arrays
        The values of the variables, floats. Keep away from kinks.
    rng : numpy.random.Generator, optional
        Of direction and weights; by default the same ones each time.

    Returns
    -------
    GradCheck
        True if the three slopes agree; printed, it shows them.

    Examples
    --------
    >>> import numpy as np, graphc, graphc.tensor as T
    >>> check = graphc.gradient.quick_grad_check(lambda x: T.log(T.sum(x**2)), np.ones(3))
    >>> bool(check)
    True
    """
    arrays = [np.asarray(value) for value in (x if isinstance(x, (list, tuple)) else [x])]
    inputs = [_verified_input(array, i) for i, array in enumerate(arrays)]
    output = as_node(f(*inputs))
    rng = np.random.default_rng(0) if rng is None else rng
    directions = [rng.uniform(-1, 1, array.shape) for array in arrays]
    scale = np.sqrt(sum(float(np.sum(d**2)) for d in directions))
    directions = [(d / scale).astype(a.dtype) for d, a in zip(directions, arrays, strict=True)]
    weights = const(rng.uniform(0.5, 1.5, _evaluated(output, inputs, arrays).shape))

    def total(node: Node) -> Node:
        weighted = cast(node, "float64") * weights
        return sum_over(weighted, axes=tuple(range(weighted.type.ndim)))  # type: ignore[no-any-return]

    def along(offset: float) -> float:
        moved = [a + (offset * d).astype(a.dtype) for a, d in zip(arrays, directions, strict=True)]
        return float(_evaluated(cost, inputs, moved))

    cost = total(output)
    slopes = grad(cost, inputs, disconnected_inputs="ignore", add_names=False)
    parts = zip(slopes, directions, strict=True)
    reverse = sum(float(np.sum(_evaluated(g, inputs, arrays) * d)) for g, d in parts)
    moved = Rop(output, inputs, [const(d) for d in directions], disconnected_outputs="ignore")
    forward = float(_evaluated(total(moved), inputs, arrays))
    narrow = min([output.type.dtype, *(a.dtype.name for a in arrays)], key=lambda d: -STEPS[d])
    numeric = difference(along, step_for(narrow, "richardson"), "richardson")
    found = np.array([numeric, reverse, forward])
    error = float(np.ptp(found) / max(1.0, float(np.max(np.abs(found)))))
    return GradCheck(numeric, reverse, forward, error, _CLOSE[narrow])


# -- how good differences are ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DifferenceErrors:
    """Errors of finite differences by method and step; printed, a table.

    Attributes
    ----------
    exact : float
        The derivative that they are measured against.
    steps : tuple of float
    errors : dict of str to tuple of float
        For each method the absolute error at each step.
    """

    exact: float
    steps: tuple[float, ...]
    errors: Mapping[str, tuple[float, ...]]

    def best(self, method: str) -> tuple[float, float]:
        """Return the step at which a method has its smallest error, and this error."""
        error, step = min(zip(self.errors[method], self.steps, strict=True))
        return step, error

    def __str__(self) -> str:
        lines = ["step    " + "".join(f"{method:>12}" for method in self.errors)]
        for i, step in enumerate(self.steps):
            cells = "".join(f"{errors[i]:12.1e}" for errors in self.errors.values())
            lines.append(f"{step:<8.0e}{cells}")
        return "\n".join(lines)


def difference_errors(
    f: Callable[[Any], Any], x: float, steps: Sequence[float] | None = None
) -> DifferenceErrors:
    """Return how far finite differences of several steps are from the derivative.

    A long step has the error of the method, which falls with its order: the step for one-sided
    differences, its square for central ones. A short step has the error of round-off, which grows
    as the step falls.

    Parameters
    ----------
    f : callable
        From a symbolic scalar to a symbolic scalar.
    x : float
        Where to take the derivative.
    steps : sequence of float, optional
        By default powers of ten from 0.1 down.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> table = graphc.gradient.difference_errors(T.exp, 1.0)
    >>> table.best("central")[0], table.best("forward")[0]
    (1e-05, 1e-08)
    """
    node = input_node(TensorType("float64", ()), "x")
    output = as_node(f(node))
    at = np.asarray(float(x))
    exact = float(_evaluated(grad(output, node, add_names=False), [node], [at]))
    chosen = tuple(10.0**-i for i in range(1, 13)) if steps is None else tuple(steps)

    def moved(offset: float) -> float:
        return float(_evaluated(output, [node], [at + offset]))

    errors = {
        method: tuple(abs(difference(moved, h, method) - exact) for h in chosen)
        for method in STEPS_OF
    }
    return DifferenceErrors(exact, chosen, errors)


LANGUAGE.update(numeric_grad=numeric_grad, verify_grad=verify_grad)
