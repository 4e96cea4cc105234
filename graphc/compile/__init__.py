"""function(), shared variables, and compiled functions."""

from graphc.compile import mode
from graphc.compile.arguments import In, Out
from graphc.compile.compiled import CompiledFunction
from graphc.compile.mode import Mode, get_default_mode, get_mode
from graphc.compile.ops import as_op, custom_op
from graphc.compile.shared import SharedVariable

__all__ = [
    "CompiledFunction",
    "In",
    "Mode",
    "Out",
    "SharedVariable",
    "as_op",
    "custom_op",
    "get_default_mode",
    "get_mode",
    "mode",
]
