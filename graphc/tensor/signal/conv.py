"""Convolution of images without channels, as ``T.signal.conv``."""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcTypeError, message
from graphc.ir.node import Node, as_node, operand
from graphc.ir.source import here
from graphc.ops.movement import dimshuffle
from graphc.tensor.nnet import abstract_conv


def conv2d(
    input: Any,
    filters: Any,
    image_shape: Any = None,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    **kargs: Any,
) -> Any:
    """Return the convolution of each image with each filter.

    Parameters
    ----------
    input : expression (rows, columns) or (images, rows, columns)
    filters : expression (rows, columns) or (filters, rows, columns)
    image_shape, filter_shape : sequence, optional
        Accepted as in Theano.
    border_mode, subsample
        As for `T.nnet.conv2d`.

    Returns
    -------
    expression
        (images, filters, rows, columns), without the axes that the operands do not have.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.signal.conv.conv2d(T.dmatrix("x"), T.dtensor3("w"), border_mode="full").type
    float64[?, ?, ?]
    """
    x, w = as_node(input), as_node(filters)
    if x.type.ndim not in (2, 3) or w.type.ndim not in (2, 3):
        raise GraphcTypeError(
            message(
                "signal.conv.conv2d takes images and filters with 2 or 3 axes",
                [operand(x), operand(w)],
                here(),
                "with channels, use T.nnet.conv2d",
            )
        )
    found = abstract_conv.conv2d(
        _spread(x), _spread(w), border_mode=border_mode, subsample=subsample, **kargs
    )
    dropped = [axis for axis, node in enumerate((x, w)) if node.type.ndim == 2]
    return dimshuffle(found, [axis for axis in range(4) if axis not in dropped])


def _spread(node: Node) -> Node:
    """Return images or filters with one channel; a single one is the only one."""
    if node.type.ndim == 2:
        return dimshuffle(node, ("x", "x", 0, 1))  # type: ignore[no-any-return]
    return dimshuffle(node, (0, "x", 1, 2))  # type: ignore[no-any-return]


__all__ = ["conv2d"]
