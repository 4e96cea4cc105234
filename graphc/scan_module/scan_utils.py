"""Names that programs take from ``theano.scan_module.scan_utils``."""

from graphc.control import until

__all__ = ["until"]
