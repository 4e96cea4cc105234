"""Loops: training steps of an LSTM and of a tanh network, and a power by a loop of scalars.

Each step computes the loss of the last state, its gradients, and new weights. The hand-written
steps multiply the inputs of all times at once, keep what the backward loop needs, and accumulate
the gradients of weights in one product after it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.harness import Call, Case

RATE = np.float32(0.1)
Weights = list[np.ndarray]


def data(kind: str, sizes: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray, Weights]:
    """Inputs by time, batch and feature; a target; weights of inputs and states, and biases."""
    times, batch, inputs, hidden = sizes
    random = np.random.default_rng(0)
    width = 4 * hidden if kind == "lstm" else hidden

    def normal(*shape: int) -> np.ndarray:
        return random.standard_normal(shape).astype("float32")

    weights = [normal(inputs, width), normal(hidden, width), normal(width)]
    weights = [0.3 / np.sqrt(hidden, dtype="float32") * weight for weight in weights]
    return normal(times, batch, inputs), normal(batch, hidden), weights


# -- by hand --------------------------------------------------------------------------------------


def lstm_by_hand(x: np.ndarray, y: np.ndarray, weights: Weights) -> Call:
    """Gates in one product; every temporary kept between calls."""
    w, u, b = (weight.copy() for weight in weights)
    (times, batch, inputs), hidden = x.shape, y.shape[1]
    z = np.empty((times, batch, 4 * hidden), "float32")
    dz = np.empty_like(z)
    h = np.zeros((times + 1, batch, hidden), "float32")
    c, squashed = np.zeros_like(h), np.empty_like(h[1:])
    product, dc = np.empty_like(z[0]), np.empty_like(y)
    s, t = np.empty_like(y), np.empty_like(y)
    half, one = np.float32(0.5), np.float32(1)
    parts = [slice(k * hidden, (k + 1) * hidden) for k in range(4)]

    def forward() -> None:
        np.dot(x.reshape(-1, inputs), w, out=z.reshape(-1, 4 * hidden))
        np.add(z, b, out=z)
        for k in range(times):
            own = z[k]
            np.add(own, np.dot(h[k], u, out=product), out=own)
            gates = own[:, : 3 * hidden]  # sigmoid(v) = (tanh(v / 2) + 1) / 2
            np.tanh(np.multiply(gates, half, out=gates), out=gates)
            np.multiply(np.add(gates, one, out=gates), half, out=gates)
            i, f, o, g = (own[:, part] for part in parts)
            np.tanh(g, out=g)
            np.multiply(f, c[k], out=c[k + 1])
            np.add(c[k + 1], np.multiply(i, g, out=s), out=c[k + 1])
            np.tanh(c[k + 1], out=squashed[k])
            np.multiply(o, squashed[k], out=h[k + 1])

    def slope(out: np.ndarray, gate: np.ndarray) -> None:
        np.multiply(out, gate, out=out)
        np.multiply(out, np.subtract(one, gate, out=t), out=out)

    def backward(dh: np.ndarray) -> None:
        dc[...] = 0
        transposed = np.ascontiguousarray(u.T)
        for k in reversed(range(times)):
            i, f, o, g = (z[k][:, part] for part in parts)
            di, df, do, dg = (dz[k][:, part] for part in parts)
            np.subtract(one, np.square(squashed[k], out=s), out=s)
            np.multiply(np.multiply(s, o, out=s), dh, out=s)
            np.add(dc, s, out=dc)
            slope(np.multiply(dh, squashed[k], out=do), o)
            slope(np.multiply(dc, g, out=di), i)
            slope(np.multiply(dc, c[k], out=df), f)
            np.multiply(dc, i, out=dg)
            np.multiply(dg, np.subtract(one, np.square(g, out=t), out=t), out=dg)
            np.multiply(dc, f, out=dc)
            np.dot(dz[k], transposed, out=dh)

    def step() -> Any:
        forward()
        error = h[-1] - y
        loss = np.square(error).mean()
        backward(np.multiply(error, np.float32(2 / error.size), out=error))
        flat = dz.reshape(-1, 4 * hidden)
        w.__isub__(RATE * np.dot(x.reshape(-1, inputs).T, flat))
        u.__isub__(RATE * np.dot(h[:-1].reshape(-1, hidden).T, flat))
        b.__isub__(RATE * flat.sum(0))
        return loss

    return step


def rnn_by_hand(x: np.ndarray, y: np.ndarray, weights: Weights) -> Call:
    """The same for one tanh."""
    w, u, b = (weight.copy() for weight in weights)
    (times, batch, inputs), hidden = x.shape, y.shape[1]
    h = np.zeros((times + 1, batch, hidden), "float32")
    dz, z = np.empty_like(h[1:]), np.empty_like(h[1:])
    product, one = np.empty_like(y), np.float32(1)

    def step() -> Any:
        np.dot(x.reshape(-1, inputs), w, out=z.reshape(-1, hidden))
        np.add(z, b, out=z)
        for k in range(times):
            np.add(z[k], np.dot(h[k], u, out=product), out=product)
            np.tanh(product, out=h[k + 1])
        error = h[-1] - y
        loss = np.square(error).mean()
        dh = np.multiply(error, np.float32(2 / error.size), out=error)
        transposed = np.ascontiguousarray(u.T)
        for k in reversed(range(times)):
            np.square(h[k + 1], out=dz[k])
            np.multiply(np.subtract(one, dz[k], out=dz[k]), dh, out=dz[k])
            np.dot(dz[k], transposed, out=dh)
        flat = dz.reshape(-1, hidden)
        w.__isub__(RATE * np.dot(x.reshape(-1, inputs).T, flat))
        u.__isub__(RATE * np.dot(h[:-1].reshape(-1, hidden).T, flat))
        b.__isub__(RATE * flat.sum(0))
        return loss

    return step


# -- libraries ------------------------------------------------------------------------------------


def cell(T: Any, sigmoid: Any, kind: str, hidden: int) -> Any:
    """Return the step of a recurrence, in the words of any of the libraries."""

    def lstm(x: Any, h: Any, c: Any, w: Any, u: Any, b: Any) -> Any:
        z = T.dot(x, w) + T.dot(h, u) + b
        i, f, o = (sigmoid(z[:, k * hidden : (k + 1) * hidden]) for k in range(3))
        c = f * c + i * T.tanh(z[:, 3 * hidden :])
        return o * T.tanh(c), c

    def rnn(x: Any, h: Any, w: Any, u: Any, b: Any) -> Any:
        return T.tanh(T.dot(x, w) + T.dot(h, u) + b)

    return lstm if kind == "lstm" else rnn


def with_theano_like(lib: Any, T: Any, sigmoid: Any, kind: str, args: Any, **options: Any) -> Call:
    """The program as Theano's users write it."""
    x, y, weights = args
    xs, ys = T.tensor3("x", dtype="float32"), T.matrix("y", dtype="float32")
    shared = [lib.shared(weight, name) for weight, name in zip(weights, "wub", strict=True)]
    zeros = T.zeros(y.shape, dtype="float32")
    states = [zeros, zeros] if kind == "lstm" else [zeros]
    step = cell(T, sigmoid, kind, y.shape[1])
    found, _ = lib.scan(step, sequences=[xs], outputs_info=states, non_sequences=shared)
    last = (found[0] if kind == "lstm" else found)[-1]
    loss = ((last - ys) ** 2).mean()
    gradients = T.grad(loss, shared) if hasattr(T, "grad") else lib.grad(loss, shared)
    updates = [(p, p - RATE * g) for p, g in zip(shared, gradients, strict=True)]
    train = lib.function([xs, ys], loss, updates=updates, **options)
    return lambda: train(x, y)


def with_graphc(kind: str, *args: Any) -> Call:
    """As for Theano."""
    import graphc
    import graphc.tensor as T

    return with_theano_like(graphc, T, T.nnet.sigmoid, kind, args)


def with_pytensor(kind: str, *args: Any) -> Call:
    """As for Theano."""
    import pytensor
    import pytensor.tensor as pt

    return with_theano_like(pytensor, pt, pt.sigmoid, kind, args)


def with_jax(kind: str, x: np.ndarray, y: np.ndarray, weights: Weights) -> Call:
    """`lax.scan`, jitted, state and data as JAX arrays."""
    import jax
    import jax.numpy as jnp

    step = cell(jnp, jax.nn.sigmoid, kind, y.shape[1])
    zeros = jnp.zeros(y.shape, jnp.float32)

    def cost(weights: Any, x: Any, y: Any) -> Any:
        def body(state: Any, row: Any) -> Any:
            found = step(row, *state, *weights)
            return (found if kind == "lstm" else (found,)), None

        state, _ = jax.lax.scan(body, (zeros, zeros) if kind == "lstm" else (zeros,), x)
        return ((state[0] - y) ** 2).mean()

    @jax.jit
    def train(weights: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(cost)(weights, x, y)
        return [p - RATE * g for p, g in zip(weights, gradients, strict=True)], loss

    state = [jnp.asarray(weight) for weight in weights]
    xs, ys = jnp.asarray(x), jnp.asarray(y)

    def call() -> Any:
        nonlocal state
        state, loss = train(state, xs, ys)
        return loss.block_until_ready()

    return call


# -- powers ---------------------------------------------------------------------------------------

BASE = 1.0001


def power_with_graphc(k: int) -> Call:
    """The first loop of Theano's tutorial, with a scalar."""
    import graphc
    import graphc.tensor as T

    a, count = T.dscalar("a"), T.lscalar("k")
    found, _ = graphc.scan(
        lambda so_far, a: so_far * a, outputs_info=T.ones_like(a), non_sequences=a, n_steps=count
    )
    power = graphc.function([a, count], found[-1])
    return lambda: power(BASE, k)


def power_by_hand(k: int) -> Call:
    """A loop of Python's."""

    def power(a: float, k: int) -> Any:
        found = 1.0
        for _ in range(k):
            found = found * a
        return np.array(found)

    return lambda: power(BASE, k)


def power_with_jax(k: int) -> Call:
    """`lax.fori_loop`, jitted."""
    import jax

    jax.config.update("jax_enable_x64", True)
    power = jax.jit(lambda a, k: jax.lax.fori_loop(0, k, lambda _, found: found * a, a / a))
    return lambda: power(BASE, k).block_until_ready()


# -- cases ----------------------------------------------------------------------------------------

BY_HAND = {"lstm": lstm_by_hand, "rnn": rnn_by_hand}
TITLES = {"lstm": "an LSTM", "rnn": "a tanh network"}


def training(kind: str, sizes: tuple[int, int, int, int]) -> list[Case]:
    """A step of training, and its compilation up to the end of its first call."""
    args = data(kind, sizes)

    def reference() -> list[Any]:
        step = BY_HAND[kind](*[np.copy(v) for v in args[:2]], args[2])
        return [[step() for _ in range(3)][-1]]

    libraries = {"graphc": with_graphc, "jax": with_jax, "pytensor": with_pytensor}
    calls = {name: (lambda make=make: make(kind, *args)) for name, make in libraries.items()}
    title = f"Step of {TITLES[kind]}, {sizes[0]} times, batch {sizes[1]}, {sizes[2]} -> {sizes[3]}"
    step = Case(
        f"{kind}_step",
        f"{title}, float32",
        {**calls, "numpy": lambda: BY_HAND[kind](*args)},
        reference,
        target="within 1.2 of the hand-written NumPy",
        calls=3,
        tolerance=1e-4,
        repeats=20,
    )
    compilation = Case(
        f"{kind}_compile",
        f"Compiling the step of {TITLES[kind]}",
        {name: lambda make=make: lambda: make(kind, *args)() for name, make in libraries.items()},
        target="under 0.5 s",
        mode="process",
        repeats=3,
    )
    return [step, compilation]


def power(k: int, target: str) -> Case:
    """A power by a loop."""
    makers = {"graphc": power_with_graphc, "numpy": power_by_hand, "jax": power_with_jax}
    return Case(
        f"power_{k}",
        f"A power of a scalar by a loop of {k} steps",
        {name: lambda make=make: make(k) for name, make in makers.items()},
        lambda: [BASE**k],
        target=target,
        tolerance=1e-9,
    )


def cases(tiny: bool = False) -> list[Case]:
    """Training steps, and powers."""
    lstm, rnn = ((3, 2, 4, 5), (3, 2, 4, 5)) if tiny else ((80, 32, 128, 128), (100, 32, 64, 128))
    return [
        *training("lstm", lstm),
        *training("rnn", rnn),
        power(5, "under 3 us"),
        power(1000, "under 40 us"),
    ]
