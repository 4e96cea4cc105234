"""Batch normalization, in the words of Theano's ``nnet.bn``."""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcValueError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, operand
from graphc.ir.shapes import as_size_node, product, sizes
from graphc.ir.source import here
from graphc.ops.elementwise import cast, sqr
from graphc.ops.math import sqrt
from graphc.ops.movement import dimshuffle
from graphc.ops.reduce import normal_axes
from graphc.tensor.reductions import mean as mean_over


def batch_normalization(
    inputs: Any, gamma: Any, beta: Any, mean: Any, std: Any, mode: str = "low_mem"
) -> Any:
    """Return ``(inputs - mean) * gamma / std + beta``; ``mode`` is accepted and does nothing.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x, (a, b, m, s) = T.dmatrix("x"), T.dvectors("a b m s")
    >>> T.nnet.bn.batch_normalization(x, a, b, m, s).type
    float64[?, ?]
    """
    return (as_node(inputs) - mean) * (as_node(gamma) / std) + beta


def batch_normalization_train(
    inputs: Any,
    gamma: Any,
    beta: Any,
    axes: Any = "per-activation",
    epsilon: Any = 1e-4,
    running_average_factor: Any = 0.1,
    running_mean: Any = None,
    running_var: Any = None,
) -> Any:
    """Return inputs with mean 0 and variance 1 over a batch, then scaled and shifted.

    Parameters
    ----------
    inputs : expression
        The batch is axis 0.
    gamma, beta : expression
        Scale and shift: of the rank of the inputs with size 1 along ``axes``, or without these
        axes.
    axes : {'per-activation', 'spatial'}, int or tuple of int
        What is averaged over: the batch; all axes but that of channels, 1; or those named.
    epsilon : number
        Is added to the variance.
    running_average_factor : number
        The weight of this batch in the new averages.
    running_mean, running_var : expression, optional
        Averages up to now, for use at test time.

    Returns
    -------
    tuple
        The result, the mean, the inverse of the standard deviation; and, of the averages that are
        given, the new ones.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x, a, b = T.dtensor4("x"), T.dvector("a"), T.dvector("b")
    >>> out, mean, invstd = T.nnet.bn.batch_normalization_train(x, a, b, "spatial")
    >>> out.type, mean.type
    (float64[?, ?, ?, ?], float64[1, ?, 1, 1])
    """
    x = as_node(inputs)
    over = _axes(axes, x)
    scale, shift = _aligned(gamma, x, over), _aligned(beta, x, over)
    mean = mean_over(x, axis=over, keepdims=True)
    var = mean_over(sqr(x - mean), axis=over, keepdims=True)
    invstd = 1 / sqrt(var + epsilon)
    found = [(x - mean) * (scale * invstd) + shift, mean, invstd]
    factor = running_average_factor
    if running_mean is not None:
        old = as_node(running_mean)
        new = _like(mean, old, over)
        found.append(old * (1 - factor) + new * factor)
    if running_var is not None:
        old = as_node(running_var)
        float_ = dtypes.floating(x.type.dtype)
        count = cast(as_size_node(product(sizes(x)[axis] for axis in over)), float_)
        new = _like(var * (count / (count - 1)), old, over)
        found.append(old * (1 - factor) + new * factor)
    return tuple(found)


def batch_normalization_test(
    inputs: Any,
    gamma: Any,
    beta: Any,
    mean: Any,
    var: Any,
    axes: Any = "per-activation",
    epsilon: Any = 1e-4,
) -> Any:
    """Return inputs normalized by averages that were found in training.

    Parameters are those of `batch_normalization_train`; ``mean`` and ``var`` have the form of
    ``gamma``.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x, (a, b, m, v) = T.dtensor4("x"), T.dvectors("a b m v")
    >>> T.nnet.bn.batch_normalization_test(x, a, b, m, v, "spatial").type
    float64[?, ?, ?, ?]
    """
    x = as_node(inputs)
    over = _axes(axes, x)
    scale, shift, middle, spread = (_aligned(p, x, over) for p in (gamma, beta, mean, var))
    return (x - middle) * (scale / sqrt(spread + epsilon)) + shift


def _axes(given: Any, x: Node) -> tuple[int, ...]:
    if given == "per-activation":
        return (0,)
    if given == "spatial":
        return (0, *range(2, x.type.ndim))
    if isinstance(given, str):
        problem = f"no axes {given!r}: 'per-activation', 'spatial' or numbers"
        raise GraphcValueError(message(f"batch normalization: {problem}", [operand(x)], here()))
    return normal_axes(x, given, "batch normalization")


def _aligned(given: Any, x: Node, over: tuple[int, ...]) -> Node:
    """Return a parameter in the rank of the inputs, with axes of size 1 that are averaged over."""
    node = as_node(given)
    rank = x.type.ndim
    if node.type.ndim == rank - len(over):
        kept = iter(range(rank))
        return dimshuffle(node, ["x" if a in over else next(kept) for a in range(rank)])  # type: ignore[no-any-return]
    if node.type.ndim == rank and all(node.type.shape[axis] == 1 for axis in over):
        return node
    if node.type.ndim == rank:  # their sizes are not known: they must be 1
        from_first = [0 if axis in over else slice(None) for axis in range(rank)]
        return _aligned(node[tuple(from_first)], x, over)
    raise GraphcValueError(
        message(
            f"batch normalization: a parameter with {node.type.ndim} axes for inputs with {rank},"
            f" averaged over {over}",
            [operand(node), operand(x)],
            here(),
            f"it has {rank - len(over)} axes, or {rank} of which those are of size 1",
        )
    )


def _like(new: Node, old: Node, over: tuple[int, ...]) -> Node:
    """Return a batch's average in the rank of the running one."""
    if old.type.ndim == new.type.ndim:
        return new
    return dimshuffle(new, [axis for axis in range(new.type.ndim) if axis not in over])  # type: ignore[no-any-return]


__all__ = ["batch_normalization", "batch_normalization_test", "batch_normalization_train"]
