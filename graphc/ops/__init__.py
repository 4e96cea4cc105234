"""The table of ops. Importing this package fills ``OPS``."""

from graphc.ops import (
    control,
    custom,
    elementwise,
    index,
    linalg,
    math,
    movement,
    order,
    parts,
    prefix,
    random,
    reduce,
    results,
    special,
    trigonometry,
    window,
)

__all__ = [
    "control",
    "custom",
    "elementwise",
    "index",
    "linalg",
    "math",
    "movement",
    "order",
    "parts",
    "prefix",
    "random",
    "reduce",
    "results",
    "special",
    "trigonometry",
    "window",
]
