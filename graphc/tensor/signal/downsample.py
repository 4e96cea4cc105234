"""Pooling under the name it had in old programs: ``theano.tensor.signal.downsample``."""

from __future__ import annotations

from graphc.tensor.signal.pool import max_pool_2d, max_pool_2d_same_size

__all__ = ["max_pool_2d", "max_pool_2d_same_size"]
