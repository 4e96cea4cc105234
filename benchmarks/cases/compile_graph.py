"""How long large graphs take from the first expression to the end of the first call."""

from __future__ import annotations

import importlib
import sys
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Call, Case

LENGTH = 100


def graph(xp: Any, x: Any, y: Any, nodes: int) -> Any:
    """Half a deep chain of mixed operations, half a wide sum of terms; no two parts alike."""
    h = x
    for k in range(nodes // 20):  # ten operations each
        c = 1 / (k + 2)
        h = xp.tanh(h * c + y)
        h = h * (1 - c) + xp.sqrt(h * h + c)
        h = xp.exp(-h)
    total = h
    for k in range(nodes // 8):  # four operations each
        total = total + xp.sin(x * (k + 1.5)) * y
    return total


def with_graphc(x: np.ndarray, y: np.ndarray, nodes: int) -> Any:
    """Build, compile, call."""
    import graphc
    import graphc.tensor as T

    inputs = [T.dvector("x"), T.dvector("y")]
    return graphc.function(inputs, graph(T, *inputs, nodes))(x, y)


def with_jax(x: np.ndarray, y: np.ndarray, nodes: int) -> Any:
    """Trace, compile, call."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    return jax.jit(lambda x, y: graph(jnp, x, y, nodes))(x, y).block_until_ready()


def with_pytensor(x: np.ndarray, y: np.ndarray, nodes: int) -> Any:
    """Build, compile, call; its printer and its rewriter recurse along the graph."""
    import pytensor
    import pytensor.tensor as pt

    sys.setrecursionlimit(100_000)
    inputs = [pt.dvector("x"), pt.dvector("y")]
    return pytensor.function(inputs, graph(pt, *inputs, nodes))(x, y)


def with_torch(x: np.ndarray, y: np.ndarray, nodes: int) -> Any:
    """Trace, compile, call."""
    import torch

    torch.compiler.reset()
    compiled = torch.compile(lambda x, y: graph(torch, x, y, nodes), dynamic=False)
    return compiled(torch.from_numpy(x), torch.from_numpy(y))


CONTESTANTS = {
    "graphc": ("graphc.tensor", with_graphc),
    "jax": ("jax.numpy", with_jax),
    "pytensor": ("pytensor.tensor", with_pytensor),
    "torch": ("torch", with_torch),
}


def build(name: str, x: np.ndarray, y: np.ndarray, nodes: int) -> Call:
    """Import the library; the rest is timed."""
    module, run = CONTESTANTS[name]
    importlib.import_module(module)
    return lambda: run(x, y, nodes)


def cases(tiny: bool = False) -> list[Case]:
    """A thousand and ten thousand nodes."""
    random = np.random.default_rng(0)
    x, y = random.standard_normal((2, LENGTH))
    sizes = [("graph_1000", 100 if tiny else 1000), ("graph_10000", 200 if tiny else 10_000)]
    return [
        Case(
            name,
            f"Compiling a graph of {nodes:,} nodes",
            {who: partial(build, who, x, y, nodes) for who in CONTESTANTS},
            lambda nodes=nodes: [graph(np, x, y, nodes)],
            target="under 0.5 s" if name == "graph_1000" else "under 6 s",
            tolerance=1e-7,
            mode="process",
            repeats=3,
        )
        for name, nodes in sizes
    ]
