"""A step of logistic regression: its speed, and the time to compile it.

graphc is given the loss as a user writes it; it must be finite and accurate wherever the
hand-written one is.
"""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Call, Case

RATE, DECAY = 0.1, 0.01


def data(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and noisy labels of a linear rule."""
    random = np.random.default_rng(0)
    x = random.standard_normal((rows, columns))
    noise = 2 * random.standard_normal(rows)
    return x, (x @ random.standard_normal(columns) + noise > 0).astype(float)


def reference(x: np.ndarray, y: np.ndarray, calls: int) -> list[Any]:
    """Probabilities and loss of the last of some steps, by the formulas of a textbook."""
    w, b = np.zeros(x.shape[1]), 0.0
    for _ in range(calls):
        p = 1 / (1 + np.exp(-(x @ w + b)))
        loss = -(y * np.log(p) + (1 - y) * np.log1p(-p)).mean() + DECAY * (w**2).sum()
        w, b = w - RATE * (x.T @ (p - y) / len(y) + 2 * DECAY * w), b - RATE * (p - y).mean()
    return [p, loss]


def with_graphc(x: np.ndarray, y: np.ndarray) -> Call:
    """The program of the README."""
    import graphc
    import graphc.tensor as T

    xs, ys = T.dmatrix("x"), T.dvector("y")
    w = graphc.shared(np.zeros(x.shape[1]), name="w")
    b = graphc.shared(0.0, name="b")
    p = 1 / (1 + T.exp(-T.dot(xs, w) - b))
    loss = T.nnet.binary_crossentropy(p, ys).mean() + DECAY * T.sum(w**2)
    gw, gb = T.grad(loss, [w, b])
    updates = [(w, w - RATE * gw), (b, b - RATE * gb)]
    train = graphc.function([xs, ys], [p, loss], updates=updates)
    return lambda: train(x, y)


def by_hand(x: np.ndarray, y: np.ndarray) -> Call:
    """Buffers kept between steps, no temporary, `exp` of non-positive numbers only.

    With `low = min(z, 0)` and `high = max(z, 0)`, `e = exp(low - high)` is `exp(-|z|)`; then
    `p = exp(low) / (1 + e)` and the loss is `high - y z + log1p(e)`, accurate for every `z`.
    """
    rows, columns = x.shape
    w, b, g = np.zeros(columns), np.zeros(()), np.empty(columns)
    z, e, t, ones = np.empty(rows), np.empty(rows), np.empty(rows), np.ones(rows)
    zero, one = np.array(0.0), np.array(1.0)
    rate, keep = np.array(RATE / rows), np.array(1 - 2 * RATE * DECAY)

    def step() -> Any:
        p = np.empty(rows)
        np.add(np.dot(x, w, out=z), b, out=z)
        np.minimum(z, zero, out=p)
        np.subtract(z, p, out=t)
        np.subtract(p, t, out=e)
        np.exp(e, out=e)
        np.exp(p, out=p)
        np.multiply(z, y, out=z)
        np.subtract(t, z, out=t)
        np.log1p(e, out=z)
        np.add(t, z, out=t)
        np.add(e, one, out=e)
        np.divide(p, e, out=p)
        loss = np.dot(ones, t) / rows + DECAY * np.dot(w, w)
        np.subtract(p, y, out=t)
        np.multiply(np.dot(t, x, out=g), rate, out=g)
        np.multiply(w, keep, out=w)
        np.subtract(w, g, out=w)
        np.subtract(b, rate * np.dot(ones, t), out=b)
        return p, loss

    return step


def with_jax(x: np.ndarray, y: np.ndarray) -> Call:
    """Jitted, state and data as JAX arrays, the stable loss written out."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def cost(state: Any, x: Any, y: Any) -> Any:
        z = x @ state[0] + state[1]
        loss = (jax.nn.softplus(z) - y * z).mean() + DECAY * (state[0] ** 2).sum()
        return loss, jax.nn.sigmoid(z)

    def step(state: Any, x: Any, y: Any) -> Any:
        (loss, p), gradient = jax.value_and_grad(cost, has_aux=True)(state, x, y)
        return jax.tree.map(lambda v, g: v - RATE * g, state, gradient), p, loss

    compiled = jax.jit(step)
    state = (jnp.zeros(x.shape[1]), jnp.zeros(()))
    xs, ys = jnp.asarray(x), jnp.asarray(y)

    def call() -> Any:
        nonlocal state
        state, p, loss = compiled(state, xs, ys)
        return p.block_until_ready(), loss.block_until_ready()

    return call


def with_pytensor(x: np.ndarray, y: np.ndarray, mode: str | None = None) -> Call:
    """The same program as graphc's."""
    import pytensor
    import pytensor.tensor as pt

    xs, ys = pt.dmatrix("x"), pt.dvector("y")
    w = pytensor.shared(np.zeros(x.shape[1]), name="w")
    b = pytensor.shared(np.array(0.0), name="b")
    p = pt.sigmoid(pt.dot(xs, w) + b)
    loss = -(ys * pt.log(p) + (1 - ys) * pt.log(1 - p)).mean() + DECAY * (w**2).sum()
    gw, gb = pytensor.grad(loss, [w, b])
    updates = [(w, w - RATE * gw), (b, b - RATE * gb)]
    train = pytensor.function([xs, ys], [p, loss], updates=updates, mode=mode)
    return lambda: train(x, y)


def with_torch(x: np.ndarray, y: np.ndarray) -> Call:
    """`torch.compile` of the whole step."""
    import torch

    def cost(w: Any, b: Any, x: Any, y: Any) -> Any:
        z = x @ w + b
        loss = (torch.nn.functional.softplus(z) - y * z).mean() + DECAY * (w**2).sum()
        return loss, torch.sigmoid(z)

    def step(w: Any, b: Any, x: Any, y: Any) -> Any:
        both = torch.func.grad_and_value(cost, argnums=(0, 1), has_aux=True)
        (gw, gb), (loss, p) = both(w, b, x, y)
        return w - RATE * gw, b - RATE * gb, p, loss

    torch.compiler.reset()
    compiled = torch.compile(step, dynamic=False)
    w, b = torch.zeros(x.shape[1], dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    xs, ys = torch.from_numpy(x), torch.from_numpy(y)

    def call() -> Any:
        nonlocal w, b
        w, b, p, loss = compiled(w, b, xs, ys)
        return p, loss

    return call


CONTESTANTS = {
    "graphc": with_graphc,
    "numpy": by_hand,
    "jax": with_jax,
    "pytensor": with_pytensor,
    "pytensor, C": partial(with_pytensor, mode="CVM"),
    "torch": with_torch,
}
MODULES = {
    "graphc": "graphc.tensor",
    "jax": "jax.nn",
    "pytensor": "pytensor.tensor",
    "pytensor, C": "pytensor.tensor",
    "torch": "torch",
}


def cases(tiny: bool = False) -> list[Case]:
    """The step, and its compilation up to the end of its first call."""
    x, y = data(20, 3) if tiny else data(1000, 100)
    step = Case(
        "training_step",
        f"Step of logistic regression, {x.shape[0]} x {x.shape[1]}, float64",
        {name: lambda make=make: make(x, y) for name, make in CONTESTANTS.items()},
        lambda: reference(x, y, 5),
        target="within 1.2 of the hand-written NumPy",
        calls=5,
    )
    compilation = Case(
        "compile_step",
        "Compiling the step of logistic regression",
        {name: compiler(name, x, y) for name in MODULES},
        lambda: reference(x, y, 1),
        target="under 50 ms",
        mode="process",
        repeats=5,
    )
    return [step, compilation]


def compiler(name: str, x: np.ndarray, y: np.ndarray) -> Any:
    """Build a function that imports nothing: it makes the graph, compiles it and calls it."""

    def build() -> Call:
        importlib.import_module(MODULES[name])
        return lambda: CONTESTANTS[name](x, y)()

    return build
