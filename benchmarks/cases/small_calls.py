"""What a call costs when there is next to nothing to compute."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Call, Case

NUMBERS = (5.5, 2.25, 1.5, 3.0, 4.0)
MATRICES = tuple(np.arange(4.0).reshape(2, 2) + k for k in range(4))


def scalar(a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    """The scalar task."""
    return ((a - b + c) * d) / e


def matrix(a: Any, b: Any, c: Any, d: Any) -> Any:
    """The task on 2x2 matrices."""
    return (a + b - c) * d


def with_graphc(formula: Callable[..., Any], values: tuple[Any, ...]) -> Call:
    """Numbers and arrays as the user has them."""
    import graphc
    import graphc.tensor as T

    inputs = [
        (T.dmatrix if np.ndim(v) else T.dscalar)(n) for n, v in zip("abcde", values, strict=False)
    ]
    function = graphc.function(inputs, formula(*inputs))
    return lambda: function(*values)


def with_numpy(formula: Callable[..., Any], values: tuple[Any, ...]) -> Call:
    """NumPy's own operators; for numbers, those of `np.float64`."""
    arrays = [np.float64(v) if np.ndim(v) == 0 else v for v in values]
    return lambda: formula(*arrays)


def with_jax(formula: Callable[..., Any], values: tuple[Any, ...]) -> Call:
    """Matrices as JAX arrays, numbers as numbers."""
    import jax

    jax.config.update("jax_enable_x64", True)
    compiled = jax.jit(formula)
    arguments = [jax.numpy.asarray(v) if np.ndim(v) else v for v in values]
    return lambda: compiled(*arguments).block_until_ready()


def with_pytensor(
    formula: Callable[..., Any], values: tuple[Any, ...], mode: str | None = None
) -> Call:
    """Like graphc's."""
    import pytensor
    import pytensor.tensor as pt

    inputs = [
        (pt.dmatrix if np.ndim(v) else pt.dscalar)(n) for n, v in zip("abcde", values, strict=False)
    ]
    function = pytensor.function(inputs, formula(*inputs), mode=mode)
    return lambda: function(*values)


CONTESTANTS = {
    "graphc": with_graphc,
    "numpy": with_numpy,
    "jax": with_jax,
    "pytensor": with_pytensor,
    "pytensor, C": partial(with_pytensor, mode="CVM"),
}


def cases(tiny: bool = False) -> list[Case]:
    """Five numbers, and four matrices."""
    tasks = [
        ("scalar_call", "Call of ((a - b + c) * d) / e on numbers", scalar, NUMBERS, "2 µs"),
        ("matrix_call", "Call of (a + b - c) * d on 2x2 matrices", matrix, MATRICES, "2.5 µs"),
    ]
    return [
        Case(
            name,
            title,
            {who: partial(make, formula, values) for who, make in CONTESTANTS.items()},
            lambda formula=formula, values=values: [formula(*values)],
            target=f"under {limit}",
        )
        for name, title, formula, values, limit in tasks
    ]
