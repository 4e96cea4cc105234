"""Neural networks: activations, losses, convolution and normalization, as ``T.nnet``."""

# ruff: noqa: F403 - __all__ of each module says what is public

from graphc.tensor.nnet import abstract_conv, bn, conv, neighbours, nnet
from graphc.tensor.nnet.abstract_conv import (
    conv1d,
    conv2d,
    conv2d_grad_wrt_inputs,
    conv2d_grad_wrt_weights,
    conv2d_transpose,
    conv3d,
)
from graphc.tensor.nnet.bn import *
from graphc.tensor.nnet.neighbours import *
from graphc.tensor.nnet.nnet import *

__all__ = [
    "abstract_conv",
    "bn",
    "conv",
    "conv1d",
    "conv2d",
    "conv2d_grad_wrt_inputs",
    "conv2d_grad_wrt_weights",
    "conv2d_transpose",
    "conv3d",
    "neighbours",
    "nnet",
]
__all__ += bn.__all__
__all__ += neighbours.__all__
__all__ += nnet.__all__
