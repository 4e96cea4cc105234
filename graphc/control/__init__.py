"""Loops and branches as users write them.

`loop` is the plain form and the one to learn first; `scan` is Theano's, with `map`, `reduce`,
`foldl` and `foldr` made of it; `ifelse` chooses between values and computes only one.
"""

from graphc.control.branches import ifelse
from graphc.control.folds import foldl, foldr, map, reduce
from graphc.control.plain import loop
from graphc.control.returned import until
from graphc.control.scan import scan
from graphc.control.updates import OrderedUpdates

__all__ = [
    "OrderedUpdates",
    "foldl",
    "foldr",
    "ifelse",
    "loop",
    "map",
    "reduce",
    "scan",
    "until",
]
