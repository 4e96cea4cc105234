"""The convolution of films of old programs: ``theano.tensor.nnet.conv3d2d.conv3d``."""

from __future__ import annotations

from typing import Any

from graphc.ir.node import as_node
from graphc.ops.movement import dimshuffle
from graphc.tensor.nnet import abstract_conv


def conv3d(
    signals: Any,
    filters: Any,
    signals_shape: Any = None,
    filters_shape: Any = None,
    border_mode: Any = "valid",
) -> Any:
    """Return the convolution of films (batch, time, channels, rows, columns) with filters.

    It is `T.nnet.conv3d` with time before channels.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.TensorType("float32", (None, 16, 3, 32, 32))("x")
    >>> w = T.TensorType("float32", (8, 5, 3, 5, 5))("w")
    >>> T.nnet.conv3d2d.conv3d(x, w).type
    float32[?, 12, 8, 28, 28]
    """
    order = (0, 2, 1, 3, 4)
    x, w = (dimshuffle(as_node(one), order) for one in (signals, filters))
    found = abstract_conv.conv3d(
        x, w, _reordered(signals_shape), _reordered(filters_shape), border_mode
    )
    return dimshuffle(found, order)


def _reordered(shape: Any) -> Any:
    """Return the sizes of films as those of volumes."""
    return shape and [shape[axis] for axis in (0, 2, 1, 3, 4)]


__all__ = ["conv3d"]
