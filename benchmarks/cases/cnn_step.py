"""A training step of a small convolutional network, in float32.

Two convolutions of 3 x 3, the largest of 2 x 2, a dense layer and a softmax: 28 x 28 pixels, 32
filters, 128 units, 10 classes.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Call, Case

RATE = 0.05
Data = tuple[np.ndarray, np.ndarray, list[np.ndarray]]


def data(images: int, side: int, filters: int, units: int) -> Data:
    """Images, their classes, and the parameters to start from."""
    random = np.random.default_rng(0)
    x = random.uniform(0, 1, (images, 1, side, side))
    y = random.integers(0, 10, images)
    flat = filters * ((side - 4) // 2) ** 2
    shapes = [(filters, 1, 3, 3), (filters, filters, 3, 3), (flat, units), (units, 10)]
    fans = [9, 9 * filters, flat, units]
    weights = [random.normal(0, fan**-0.5, s) for s, fan in zip(shapes, fans, strict=True)]
    biases = [np.zeros(n) for n in (filters, filters, units, 10)]
    parameters = [p for both in zip(weights, biases, strict=True) for p in both]
    return x.astype(np.float32), y.astype(np.int32), [p.astype(np.float32) for p in parameters]


def reference(x: np.ndarray, y: np.ndarray, start: list[np.ndarray], calls: int) -> list[Any]:
    """The loss of the last of some steps, by sums over windows in float64."""
    w1, b1, w2, b2, w3, b3, w4, b4 = (p.astype(float) for p in start)
    windows = np.lib.stride_tricks.sliding_window_view
    for _ in range(calls):
        u1 = windows(x.astype(float), (3, 3), (2, 3))
        h1 = np.maximum(np.einsum("nchwij,ocij->nohw", u1, w1) + b1[:, None, None], 0)
        u2 = windows(h1, (3, 3), (2, 3))
        h2 = np.einsum("nchwij,ocij->nohw", u2, w2, optimize=True) + b2[:, None, None]
        h2 = np.maximum(h2, 0)
        n, c, r, s = h2.shape
        apart = h2.reshape(n, c, r // 2, 2, s // 2, 2)
        top = apart.max((3, 5), keepdims=True)
        flat = top.reshape(n, -1)
        h3 = np.maximum(flat @ w3 + b3, 0)
        z = h3 @ w4 + b4
        p = np.exp(z - z.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        loss = -np.log(p[np.arange(n), y]).mean()
        d4 = (p - np.eye(10)[y]) / n
        d3 = d4 @ w4.T * (h3 > 0)
        hits = (apart == top) & (top > 0)
        d2 = hits * (d3 @ w3.T).reshape(top.shape) / np.maximum(hits.sum((3, 5), keepdims=True), 1)
        d2 = d2.reshape(h2.shape)
        around = np.pad(d2, ((0, 0), (0, 0), (2, 2), (2, 2)))
        d1 = np.einsum("nohwij,ocij->nchw", windows(around, (3, 3), (2, 3)), w2[:, :, ::-1, ::-1],
                       optimize=True) * (h1 > 0)  # fmt: skip
        w1 = w1 - RATE * np.einsum("nchwij,nohw->ocij", u1, d1, optimize=True)
        w2 = w2 - RATE * np.einsum("nchwij,nohw->ocij", u2, d2, optimize=True)
        w3, w4 = w3 - RATE * flat.T @ d3, w4 - RATE * h3.T @ d4
        b1, b2 = b1 - RATE * d1.sum((0, 2, 3)), b2 - RATE * d2.sum((0, 2, 3))
        b3, b4 = b3 - RATE * d3.sum(0), b4 - RATE * d4.sum(0)
    return [loss]


def with_graphc(x: np.ndarray, y: np.ndarray, start: list[np.ndarray]) -> Call:
    """As a user of Theano writes it."""
    import graphc
    import graphc.tensor as T
    from graphc.tensor.signal.pool import pool_2d

    xs, ys = T.ftensor4("x"), T.ivector("y")
    parameters = [graphc.shared(p.copy()) for p in start]
    w1, b1, w2, b2, w3, b3, w4, b4 = parameters
    h1 = T.nnet.relu(T.nnet.conv2d(xs, w1, filter_flip=False) + b1.dimshuffle("x", 0, "x", "x"))
    h2 = T.nnet.relu(T.nnet.conv2d(h1, w2, filter_flip=False) + b2.dimshuffle("x", 0, "x", "x"))
    flat = pool_2d(h2, (2, 2), ignore_border=True).flatten(2)
    h3 = T.nnet.relu(T.dot(flat, w3) + b3)
    p = T.nnet.softmax(T.dot(h3, w4) + b4)
    loss = T.nnet.categorical_crossentropy(p, ys).mean()
    gradients = T.grad(loss, parameters)
    updates = [(v, v - np.float32(RATE) * g) for v, g in zip(parameters, gradients, strict=True)]
    train = graphc.function([xs, ys], loss, updates=updates)
    return lambda: train(x, y)


def by_hand(x: np.ndarray, y: np.ndarray, start: list[np.ndarray]) -> Call:
    """Channels last, so that the pixels under a window are few long runs of memory.

    Buffers are kept between steps, a convolution is one product with all its windows, and the
    windows of the forward pass serve the gradient by the filters.
    """
    step = _Hand(x, y, start)
    return step.run


class _Hand:
    """The step written by hand: its buffers and its parts."""

    def __init__(self, x: np.ndarray, y: np.ndarray, start: list[np.ndarray]) -> None:
        n, _, side, _ = x.shape
        f = len(start[0])
        empty = partial(np.empty, dtype=np.float32)
        self.x, self.y, self.n, self.f = x.reshape(n, side, side, 1), y, n, f
        self.p = [p.copy() for p in start]
        self.p[0] = np.ascontiguousarray(start[0].transpose(2, 3, 1, 0).reshape(9, f))
        self.p[2] = np.ascontiguousarray(start[2].transpose(2, 3, 1, 0).reshape(9 * f, f))
        half = (side - 4) // 2
        order = start[4].reshape(f, half, half, -1).transpose(1, 2, 0, 3)
        self.p[4] = np.ascontiguousarray(order.reshape(f * half * half, -1))
        self.u1 = empty((n, side - 2, side - 2, 3, 3, 1))
        self.u2 = empty((n, side - 4, side - 4, 3, 3, f))
        self.h1, self.d1 = (empty((n, side - 2, side - 2, f)) for _ in range(2))
        self.h2, self.d2 = (empty((n, side - 4, side - 4, f)) for _ in range(2))
        self.top, self.g, self.t = (empty((n, half, half, f)) for _ in range(3))
        self.around = np.zeros((n, side, side, f), np.float32)
        self.back = empty((n, side - 2, side - 2, 3, 3, f))
        self.mask1, self.mask2 = np.empty(self.h1.shape, bool), np.empty(self.h2.shape, bool)
        self.hits = np.empty((4, *self.top.shape), bool)
        self.one = np.ones(n * (side - 2) ** 2, np.float32)

    @staticmethod
    def windows(source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Copy the pixels under all windows: a row of three pixels is one run of memory."""
        a, b, c, d = source.strides
        n, r, s, _, _, channels = target.shape
        seen = np.lib.stride_tricks.as_strided(source, (n, r, s, 3, 3 * channels), (a, b, c, b, d))
        np.copyto(target.reshape(seen.shape), seen)
        return target.reshape(n * r * s, 9 * channels)

    def run(self) -> Any:
        """One step."""
        w1, b1, w2, b2, w3, b3, w4, b4 = self.p
        n, f = self.n, self.f
        u1 = self.windows(self.x, self.u1)
        np.dot(u1, w1, self.h1.reshape(-1, f))
        np.add(self.h1, b1, self.h1)
        np.maximum(self.h1, 0, out=self.h1)
        u2 = self.windows(self.h1, self.u2)
        np.dot(u2, w2, self.h2.reshape(-1, f))
        np.add(self.h2, b2, self.h2)
        np.maximum(self.h2, 0, out=self.h2)
        taps = [self.h2[:, i::2, j::2] for i in range(2) for j in range(2)]
        np.maximum(taps[0], taps[1], out=self.top)
        np.maximum(self.top, taps[2], out=self.top)
        np.maximum(self.top, taps[3], out=self.top)
        flat = self.top.reshape(n, -1)
        h3 = np.maximum(flat @ w3 + b3, 0)
        z = h3 @ w4 + b4
        z -= z.max(1, keepdims=True)
        e = np.exp(z)
        total = e.sum(1, keepdims=True)
        rows = np.arange(n)
        loss = (np.log(total[:, 0]) - z[rows, self.y]).mean()
        e /= total
        e[rows, self.y] -= 1
        e /= n
        d3 = (e @ w4.T) * (h3 > 0)
        g = self.pool_gradient(taps, (d3 @ w3.T).reshape(self.top.shape))
        self.filters_gradient(w3, flat.T @ d3, b3, d3.sum(0))
        self.filters_gradient(w4, h3.T @ e, b4, e.sum(0))
        d1 = self.inputs_gradient(g, w2)
        flat2, flat1 = g.reshape(-1, f), d1.reshape(-1, f)
        self.filters_gradient(w2, u2.T @ flat2, b2, self.one[: len(flat2)] @ flat2)
        self.filters_gradient(w1, u1.T @ flat1, b1, self.one[: len(flat1)] @ flat1)
        return loss

    def pool_gradient(self, taps: list[np.ndarray], g: np.ndarray) -> np.ndarray:
        """The gradient before the second bias, shared evenly by equal pixels."""
        for hit, tap in zip(self.hits, taps, strict=True):
            np.equal(tap, self.top, hit)
        np.add.reduce(self.hits, 0, np.float32, out=self.t)
        np.divide(g, self.t, self.g)
        np.multiply(self.g, self.top > 0, self.g)
        for k, hit in enumerate(self.hits):
            np.multiply(hit, self.g, self.d2[:, k // 2 :: 2, k % 2 :: 2])
        return self.d2

    def inputs_gradient(self, g: np.ndarray, w2: np.ndarray) -> np.ndarray:
        """The gradient before the first bias: a convolution of the gradient with zeros around."""
        f = self.f
        self.around[:, 2:-2, 2:-2] = g
        turned = w2.reshape(3, 3, f, f)[::-1, ::-1].transpose(0, 1, 3, 2).reshape(9 * f, f)
        np.dot(self.windows(self.around, self.back), turned, self.d1.reshape(-1, f))
        np.greater(self.h1, 0, self.mask1)
        np.multiply(self.d1, self.mask1, self.d1)
        return self.d1

    @staticmethod
    def filters_gradient(w: np.ndarray, dw: np.ndarray, b: np.ndarray, db: np.ndarray) -> None:
        """One step of gradient descent."""
        dw *= RATE
        w -= dw
        b -= RATE * db


def with_jax(x: np.ndarray, y: np.ndarray, start: list[np.ndarray]) -> Call:
    """Jitted, parameters and data as JAX arrays."""
    import jax
    import jax.numpy as jnp

    def convolve(x: Any, w: Any) -> Any:
        layout = ("NCHW", "OIHW", "NCHW")
        return jax.lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=layout)

    def cost(p: Any, x: Any, y: Any) -> Any:
        h1 = jax.nn.relu(convolve(x, p[0]) + p[1][:, None, None])
        h2 = jax.nn.relu(convolve(h1, p[2]) + p[3][:, None, None])
        top = jax.lax.reduce_window(h2, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        h3 = jax.nn.relu(top.reshape(len(x), -1) @ p[4] + p[5])
        z = jax.nn.log_softmax(h3 @ p[6] + p[7])
        return -z[jnp.arange(len(x)), y].mean()

    @jax.jit
    def step(p: Any, x: Any, y: Any) -> Any:
        loss, gradient = jax.value_and_grad(cost)(p, x, y)
        return [v - RATE * g for v, g in zip(p, gradient, strict=True)], loss

    parameters = [jnp.asarray(p) for p in start]
    xs, ys = jnp.asarray(x), jnp.asarray(y)

    def call() -> Any:
        nonlocal parameters
        parameters, loss = step(parameters, xs, ys)
        jax.block_until_ready(parameters)
        return loss.block_until_ready()

    return call


def with_pytensor(
    x: np.ndarray, y: np.ndarray, start: list[np.ndarray], mode: str | None = None
) -> Call:
    """PyTensor has no convolution with channels and no pooling any more: sums over the window."""
    import pytensor
    import pytensor.tensor as pt

    def convolve(x: Any, w: Any) -> Any:
        rows, columns = x.shape[2] - 2, x.shape[3] - 2
        taps = [(i, j) for i in range(3) for j in range(3)]
        parts = [
            pt.tensordot(w[:, :, i, j], x[:, :, i : i + rows, j : j + columns], [[1], [1]])
            for i, j in taps
        ]
        return sum(parts[1:], parts[0]).dimshuffle(1, 0, 2, 3)

    xs, ys = pt.ftensor4("x"), pt.ivector("y")
    parameters = [pytensor.shared(p.copy()) for p in start]
    w1, b1, w2, b2, w3, b3, w4, b4 = parameters
    h1 = pt.maximum(convolve(xs, w1) + b1.dimshuffle("x", 0, "x", "x"), 0)
    h2 = pt.maximum(convolve(h1, w2) + b2.dimshuffle("x", 0, "x", "x"), 0)
    top = pt.maximum(
        pt.maximum(h2[:, :, ::2, ::2], h2[:, :, 1::2, ::2]),
        pt.maximum(h2[:, :, ::2, 1::2], h2[:, :, 1::2, 1::2]),
    )
    h3 = pt.maximum(pt.dot(top.flatten(2), w3) + b3, 0)
    z = pt.special.log_softmax(pt.dot(h3, w4) + b4, axis=1)
    loss = -z[pt.arange(xs.shape[0]), ys].mean()
    gradients = pytensor.grad(loss, parameters)
    updates = [(v, v - np.float32(RATE) * g) for v, g in zip(parameters, gradients, strict=True)]
    train = pytensor.function([xs, ys], loss, updates=updates, mode=mode)
    return lambda: train(x, y)


def with_torch(x: np.ndarray, y: np.ndarray, start: list[np.ndarray]) -> Call:
    """Eager, as users run it."""
    import torch
    from torch.nn import functional as F

    parameters = [torch.from_numpy(p.copy()).requires_grad_() for p in start]
    w1, b1, w2, b2, w3, b3, w4, b4 = parameters
    xs, ys = torch.from_numpy(x), torch.from_numpy(y.astype(np.int64))

    def call() -> Any:
        h1 = torch.relu(F.conv2d(xs, w1, b1))
        top = F.max_pool2d(torch.relu(F.conv2d(h1, w2, b2)), 2)
        z = torch.relu(top.flatten(1) @ w3 + b3) @ w4 + b4
        loss = F.cross_entropy(z, ys)
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for v, g in zip(parameters, gradients, strict=True):
                v -= RATE * g
        return loss.detach()

    return call


CONTESTANTS = {
    "graphc": with_graphc,
    "numpy": by_hand,
    "jax": with_jax,
    "pytensor": with_pytensor,
    "pytensor, C": partial(with_pytensor, mode="CVM"),
    "torch": with_torch,
}


def cases(tiny: bool = False) -> list[Case]:
    """The step."""
    made = data(6, 8, 3, 5) if tiny else data(128, 28, 32, 128)
    return [
        Case(
            "cnn_step",
            f"Step of a convolutional network, {len(made[0])} images, float32",
            {name: lambda make=make: make(*made) for name, make in CONTESTANTS.items()},
            lambda: reference(*made, 3),
            target="within 1.2 of the hand-written NumPy",
            calls=3,
            tolerance=1e-3,
            repeats=15,
        )
    ]
