"""The table of ops. Importing this package fills ``OPS``."""

from graphc.ops import (
<<<<<<< HEAD
    control,
    custom,
    elementwise,
    index,
=======
    elementwise,
>>>>>>> 2fd41a2 (Trigonometric, hyperbolic, rounding and special functions; shifts; products of elements with zeros)
    linalg,
    math,
    movement,
    parts,
<<<<<<< HEAD
    random,
    reduce,
    results,
    window,
)

__all__ = [
    "control",
    "custom",
    "elementwise",
    "index",
=======
    reduce,
    special,
    trigonometry,
)

__all__ = [
    "elementwise",
>>>>>>> 2fd41a2 (Trigonometric, hyperbolic, rounding and special functions; shifts; products of elements with zeros)
    "linalg",
    "math",
    "movement",
    "parts",
<<<<<<< HEAD
    "random",
    "reduce",
    "results",
    "window",
=======
    "reduce",
    "special",
    "trigonometry",
>>>>>>> 2fd41a2 (Trigonometric, hyperbolic, rounding and special functions; shifts; products of elements with zeros)
]
