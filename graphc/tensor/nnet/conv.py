"""The convolution of old programs: ``theano.tensor.nnet.conv.conv2d``."""

from __future__ import annotations

from typing import Any

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
    """Return the convolution of images with filters: `T.nnet.conv2d` with other parameters.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nnet.conv.conv2d(T.ftensor4("x"), T.ftensor4("w"), border_mode="full").type
    float32[?, ?, ?, ?]
    """
    return abstract_conv.conv2d(
        input, filters, image_shape, filter_shape, border_mode, subsample, **kargs
    )


__all__ = ["conv2d"]
