"""Signal processing: convolution of plain images, and pooling."""

from graphc.tensor.signal import conv, downsample, pool

__all__ = ["conv", "downsample", "pool"]
