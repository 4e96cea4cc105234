"""A long elementwise expression on arrays that do not fit the cache."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.harness import Call, Case

TILE_BYTES = 1 << 20  # the best of 64 KiB .. 4 MiB, for both dtypes and with one thread or two


def formula(xp: Any, x: Any, y: Any) -> Any:
    """The expression, for every library that has NumPy's names."""
    return xp.tanh(2 * x + 1) * xp.exp(-(x**2)) + xp.sqrt(abs(y)) / 2 - xp.log1p(xp.exp(x - y))


def tile(x: np.ndarray, y: np.ndarray, out: np.ndarray, t: np.ndarray) -> None:
    """One tile by hand: fifteen passes, one scratch buffer besides the result."""
    np.add(x, x, out=out)
    np.add(out, 1, out=out)
    np.tanh(out, out=out)
    np.multiply(x, x, out=t)
    np.negative(t, out=t)
    np.exp(t, out=t)
    np.multiply(out, t, out=out)
    np.abs(y, out=t)
    np.sqrt(t, out=t)
    np.multiply(t, 0.5, out=t)
    np.add(out, t, out=out)
    np.subtract(x, y, out=t)
    np.exp(t, out=t)
    np.log1p(t, out=t)
    np.subtract(out, t, out=out)


def by_hand(x: np.ndarray, y: np.ndarray, threads: int) -> Call:
    """Large tiles, dealt to the threads in equal parts; the caller is one of them."""
    width = TILE_BYTES // x.itemsize
    scratch = [np.empty(width, x.dtype) for _ in range(threads)]
    pool = ThreadPoolExecutor(max(1, threads - 1))
    edges = [len(x) * k // threads for k in range(threads + 1)]

    def part(out: np.ndarray, k: int) -> None:
        for start in range(edges[k], edges[k + 1], width):
            stop = min(start + width, edges[k + 1])
            tile(x[start:stop], y[start:stop], out[start:stop], scratch[k][: stop - start])

    def call() -> np.ndarray:
        out = np.empty_like(x)
        others = [pool.submit(part, out, k) for k in range(1, threads)]
        part(out, 0)
        for other in others:
            other.result()
        return out

    return call


def with_graphc(x: np.ndarray, y: np.ndarray, backend: str = "numpy") -> Call:
    """The formula, compiled for a backend."""
    import graphc
    import graphc.tensor as T

    vector = T.dvector if x.dtype == np.float64 else T.fvector
    inputs = [vector("x"), vector("y")]
    function = graphc.function(inputs, formula(T, *inputs), backend=backend)
    return lambda: function(x, y)


def with_jax(x: np.ndarray, y: np.ndarray) -> Call:
    """Jitted, with the data as JAX arrays."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    compiled = jax.jit(partial(formula, jnp))
    arrays = jnp.asarray(x), jnp.asarray(y)
    return lambda: compiled(*arrays).block_until_ready()


def with_pytensor(x: np.ndarray, y: np.ndarray, mode: str | None = None) -> Call:
    """The default mode, or another."""
    import pytensor
    import pytensor.tensor as pt

    inputs = [pt.vector(name, dtype=x.dtype.name) for name in "xy"]
    function = pytensor.function(inputs, formula(pt, *inputs), mode=mode)
    return lambda: function(x, y)


def with_torch(x: np.ndarray, y: np.ndarray) -> Call:
    """`torch.compile`, on tensors that share the arrays' memory."""
    import torch

    compiled = torch.compile(partial(formula, torch), dynamic=False)
    tensors = torch.from_numpy(x), torch.from_numpy(y)
    return lambda: compiled(*tensors)


@cache
def data(dtype: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal numbers, made when the first contestant wants them."""
    random = np.random.default_rng(0)
    return tuple(random.standard_normal((2, size)).astype(dtype))


def case(dtype: str, size: int) -> Case:
    """The chain in one dtype."""
    contestants = {
        "graphc": with_graphc,
        "numpy": partial(by_hand, threads=2),
        "numpy, one thread": partial(by_hand, threads=1),
        "numpy, as written": lambda x, y: lambda: formula(np, x, y),
        "jax": with_jax,
        "pytensor": with_pytensor,
        "pytensor, C": partial(with_pytensor, mode="CVM"),
        "torch": with_torch,
    }
    return Case(
        f"chain_{dtype}",
        f"tanh(2x+1) exp(-x²) + sqrt|y|/2 - log1p(exp(x-y)) on {size:,} elements, {dtype}",
        {name: lambda make=make: make(*data(dtype, size)) for name, make in contestants.items()},
        lambda: [formula(np, *(v.astype("float64") for v in data(dtype, size)))],
        target="within 1.1 of the hand-written NumPy on two threads",
        tolerance=1e-9 if dtype == "float64" else 2e-5,
        repeats=25,
    )


def cases(tiny: bool = False) -> list[Case]:
    """Both dtypes."""
    return [case(dtype, 1000 if tiny else 5_000_000) for dtype in ("float64", "float32")]
