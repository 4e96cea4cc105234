"""Names that programs take from ``theano.scan_module.scan_utils``."""

from graphc.compile.clone import clone
from graphc.control import until
from graphc.ir.same import equal_computations

__all__ = ["clone", "equal_computations", "until"]
