"""Neural networks: activations, losses, convolution and normalization, as ``T.nnet``."""

# ruff: noqa: F403 - __all__ of each module says what is public

from graphc.tensor.nnet import abstract_conv, bn, conv, conv3d2d, neighbours, nnet
from graphc.tensor.nnet.abstract_conv import (
    causal_conv1d,
    conv1d,
    conv2d,
    conv2d_grad_wrt_inputs,
    conv2d_grad_wrt_weights,
    conv2d_transpose,
    conv3d,
    separable_conv2d,
)
from graphc.tensor.nnet.bn import *
from graphc.tensor.nnet.neighbours import *
from graphc.tensor.nnet.nnet import *

__all__ = [
    "abstract_conv",
    "bn",
    "causal_conv1d",
    "conv",
    "conv1d",
    "conv2d",
    "conv2d_grad_wrt_inputs",
    "conv2d_grad_wrt_weights",
    "conv2d_transpose",
    "conv3d",
    "conv3d2d",
    "neighbours",
    "nnet",
    "separable_conv2d",
]
__all__ += bn.__all__
__all__ += neighbours.__all__
__all__ += nnet.__all__
