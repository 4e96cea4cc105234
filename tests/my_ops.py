"""Ops of functions of Python, at the top of a module, so that they can be pickled."""

from __future__ import annotations

import numpy as np

import graphc
import graphc.tensor as T
from graphc.ir.node import Node


@graphc.custom_op(vjp=lambda g, out, x: g * T.cos(x))
def sine(x: np.ndarray) -> np.ndarray:
    """Return the sine."""
    return np.sin(x)


def _scale_vjp(g: Node, out: Node, x: Node, factor: Node) -> list[Node]:
    return [g * factor, T.sum(g * x)]


@graphc.custom_op(vjp=_scale_vjp)
def scale(x: np.ndarray, factor: np.ndarray) -> np.ndarray:
    return x * factor


@graphc.custom_op(out=lambda x: T.TensorType("int64", (None,)))
def rounds(x: np.ndarray) -> np.ndarray:
    """Return the whole numbers above zero."""
    return np.rint(x[x > 0]).astype("int64").reshape(-1)


@graphc.as_op(
    itypes=[T.dmatrix, T.dvector], otypes=[T.dvector], infer_shape=lambda node, s: [(s[0][0],)]
)
def solve_rows(m: np.ndarray, v: np.ndarray) -> np.ndarray:
    return m @ v


@graphc.custom_op(
    out=[lambda x: x, lambda x: T.TensorType(x.dtype, ())],
    shape=lambda x: [x, ()],
    vjp=lambda g, out, x: g[0] * 2 + g[1],
)
def double_and_sum(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return 2 * x, np.sum(x)
