"""The table of ops. Importing this package fills ``OPS``."""

from graphc.ops import elementwise, linalg, math, movement, reduce

__all__ = ["elementwise", "linalg", "math", "movement", "reduce"]
