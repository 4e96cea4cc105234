"""The table of ops. Importing this package fills ``OPS``."""

from graphc.ops import elementwise, linalg, math, movement, parts, reduce

__all__ = ["elementwise", "linalg", "math", "movement", "parts", "reduce"]
