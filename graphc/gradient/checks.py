"""Checks of gradients by finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.autodiff.numeric import STEPS, TOLERANCES, compare, numeric_grad
from graphc.errors import GraphcTypeError, NotSupportedError, message
from graphc.gradient.derivatives import grad
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
        numeric = numeric_grad(lambda *values: _evaluated(cost, inputs, values), arrays, eps)  # noqa: B023
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


LANGUAGE.update(verify_grad=verify_grad)
