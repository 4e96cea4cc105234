# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Products of arrays: scalars and transpositions out of the way."""

from __future__ import annotations

from graphc.ops.linalg import dot
from graphc.rewrite.pattern import raw
from graphc.rewrite.rule import rule, table

transpose = raw("dimshuffle")


@rule
def dot_neg_left(x, y):
    """Signs move outwards, where they meet and cancel."""
    return dot(-x, y), -dot(x, y)


@rule
def dot_neg_right(x, y):
    """Signs move outwards, where they meet and cancel."""
    return dot(x, -y), -dot(x, y)


RULES = table(globals())
