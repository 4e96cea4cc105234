"""Recurrent networks that read handwritten digits row by row, from top to bottom.

A hidden state that goes on, an output that is fed back, and one answer at the end; then a network
that reads in both directions, and an LSTM whose gates look at its cells.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import graphc
import graphc.tensor as T

HIDDEN = 32
RATE = 0.3
EPOCHS = 10
BATCH = 32
ROWS = 8  # of a digit, and pixels in each


def load() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows of pixels from 0 to 1, the first axis, of 1437 digits and of 360 to be judged by."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).reshape(-1, ROWS, ROWS).swapaxes(0, 1)
    order = np.random.default_rng(0).permutation(len(y))
    seen, held_out = np.split(order, [int(0.8 * len(y))])
    return x[:, seen], y[seen], x[:, held_out], y[held_out]


class Weights:
    """Makes matrices of weights and vectors of biases, and remembers them."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.all: list[Any] = []

    def matrix(self, name: str, rows: int, columns: int) -> Any:
        """Weights that keep the scale of what they multiply."""
        value = self.random.standard_normal((rows, columns)) / np.sqrt(rows)
        self.all.append(graphc.shared(value, name=name))
        return self.all[-1]

    def vector(self, name: str, size: int) -> Any:
        """Zeros to begin with."""
        self.all.append(graphc.shared(np.zeros(size), name=name))
        return self.all[-1]


def tanh_states(x: Any, make: Weights, name: str, reverse: bool = False) -> Any:
    """The hidden state after each row; in a network that reads upwards, the last row comes first.

    The new state is made from a row and from the state before.
    """
    w, u = make.matrix(f"w_{name}", ROWS, HIDDEN), make.matrix(f"u_{name}", HIDDEN, HIDDEN)
    b = make.vector(f"b_{name}", HIDDEN)

    def step(h: Any, row: Any) -> tuple[Any, Any]:
        h = T.tanh(T.dot(row, w) + T.dot(h, u) + b)
        return h, h

    start = T.zeros((x.shape[1], HIDDEN))
    _, states = graphc.loop(step, start, x, reverse=reverse, name=name)
    return states


def lstm_states(x: Any, make: Weights) -> Any:
    """The output of an LSTM after each row; peepholes let its gates look at its cells."""
    w, u = make.matrix("w", ROWS, 4 * HIDDEN), make.matrix("u", HIDDEN, 4 * HIDDEN)
    b = make.vector("b", 4 * HIDDEN)
    b.set_value(np.repeat([0.0, 1.0, 0.0, 0.0], HIDDEN))  # at first, cells are kept
    peep_in, peep_forget, peep_out = (make.vector(f"peep_{g}", HIDDEN) for g in ("i", "f", "o"))

    def step(state: dict[str, Any], row: Any) -> tuple[dict[str, Any], Any]:
        h, c = state["h"], state["c"]
        z = T.dot(row, w) + T.dot(h, u) + b
        z_in, z_forget, z_cell, z_out = (z[:, k * HIDDEN : (k + 1) * HIDDEN] for k in range(4))
        i = T.nnet.sigmoid(z_in + peep_in * c)
        f = T.nnet.sigmoid(z_forget + peep_forget * c)
        c = f * c + i * T.tanh(z_cell)
        o = T.nnet.sigmoid(z_out + peep_out * c)
        h = o * T.tanh(c)
        return {"h": h, "c": c}, h

    zeros = T.zeros((x.shape[1], HIDDEN))
    _, states = graphc.loop(step, {"h": zeros, "c": zeros}, x, name="lstm")
    return states


def next_rows(x: Any, make: Weights) -> Any:
    """Rows 1 to 7 as foretold from the rows before, by way of a hidden state."""
    states = tanh_states(x[:-1], make, "down")
    return T.nnet.sigmoid(T.dot(states, make.matrix("v", HIDDEN, ROWS)) + make.vector("c", ROWS))


def rows_from_rows(make: Weights) -> Callable[[Any, Any], Any]:
    """How a row follows from the row above it alone, and from its place: an output fed back."""
    u, v = make.matrix("u", ROWS, HIDDEN), make.matrix("v", HIDDEN, ROWS)
    c = make.vector("c", ROWS)
    return lambda row, place: T.nnet.sigmoid(T.dot(T.tanh(T.dot(row, u) + place), v) + c)


def forced_rows(x: Any, follow: Callable[[Any, Any], Any], places: Any) -> Any:
    """Rows 1 to 7, each from the true row above: the teacher puts in what should have come out."""
    found, _ = graphc.map(follow, [x[:-1], places], name="forced")
    return found


def free_rows(first: Any, follow: Callable[[Any, Any], Any], places: Any) -> Any:
    """Rows 1 to 7, each from what the network itself gave for the row above."""
    found, _ = graphc.scan(
        lambda place, row: follow(row, place), places, outputs_info=first, name="free"
    )
    return found


def rows_between(x: Any, make: Weights) -> Any:
    """Rows 1 to 6 from all rows above and all rows below: two loops, in opposite directions."""
    down = tanh_states(x[:-2], make, "down")
    up = tanh_states(x[2:], make, "up", reverse=True)[::-1]
    both = T.concatenate([down, up], axis=2)
    v, c = make.matrix("v", 2 * HIDDEN, ROWS), make.vector("c", ROWS)
    return T.nnet.sigmoid(T.dot(both, v) + c)


def label_chances(states: Any, make: Weights) -> Any:
    """One answer for the whole sequence: the chances of ten labels, from the last state."""
    v, c = make.matrix("v", HIDDEN, 10), make.vector("c", 10)
    return T.nnet.softmax(T.dot(states[-1], v) + c)


def trained(inputs: list[Any], loss: Any, make: Weights, backend: str) -> Callable[..., Any]:
    """A step of training."""
    gradients = T.grad(loss, make.all)
    updates = [(w, w - RATE * g) for w, g in zip(make.all, gradients, strict=True)]
    return graphc.function(inputs, loss, updates=updates, backend=backend, name="train")


def squared_error(found: Any, true: Any) -> Any:
    """Of a pixel, on average."""
    return ((found - true) ** 2).mean()


def row_models(backend: str) -> dict[str, tuple[Callable[..., Any], Callable[..., Any]]]:
    """For each model that foretells rows: a step of training, and the error on given digits."""
    x = T.dtensor3("x")
    built = {}
    make = Weights()
    error = squared_error(next_rows(x, make)[:-1], x[1:-1])
    built["from the hidden state"] = make, error, error

    make = Weights()
    follow, places = rows_from_rows(make), make.matrix("places", ROWS - 1, HIDDEN)
    forced = squared_error(forced_rows(x, follow, places)[:-1], x[1:-1])
    free = squared_error(free_rows(x[0], follow, places)[:-1], x[1:-1])
    built["from the output, forced"] = make, forced, forced
    built["from the output, free"] = make, None, free

    make = Weights()
    error = squared_error(rows_between(x, make), x[1:-1])
    built["from both sides"] = make, error, error
    return {
        name: (
            None if loss is None else trained([x], 30 * loss, make, backend),
            graphc.function([x], error, backend=backend, name="error"),
        )
        for name, (make, loss, error) in built.items()
    }


def label_models(backend: str) -> dict[str, tuple[Callable[..., Any], Callable[..., Any]]]:
    """For each model that names digits: a step of training, and its answers."""
    built = {}
    for name, states in (
        ("tanh", lambda x, make: tanh_states(x, make, "down")),
        ("lstm", lstm_states),
    ):
        x, y, make = T.dtensor3("x"), T.lvector("y"), Weights()
        chances = label_chances(states(x, make), make)
        loss = T.nnet.categorical_crossentropy(chances, y).mean()
        answer = T.argmax(chances, axis=1)
        built[name] = (
            trained([x, y], loss, make, backend),
            graphc.function([x], answer, backend=backend, name="answer"),
        )
    return built


def batches(count: int, epochs: int) -> Iterator[np.ndarray]:
    """The columns of each batch of some passes over the data."""
    random = np.random.default_rng(1)
    for _ in range(epochs):
        yield from np.array_split(random.permutation(count), count // BATCH)


def main(backend: str = "numpy", svg: str | Path | None = None, quiet: bool = False) -> dict:
    """Train all, judge on held-out digits, write the picture of the LSTM."""
    x, y, x_held_out, y_held_out = load()
    rows = x_held_out[1:-1]
    usual = x[1:-1].mean(axis=1, keepdims=True)
    result = {"the usual row": float(((rows - usual) ** 2).mean())}
    for name, (train, error) in row_models(backend).items():
        if train is not None:
            for columns in batches(len(y), EPOCHS):
                train(x[:, columns])
        result[name] = float(error(x_held_out))
    models = label_models(backend)
    for name, (train, answer) in models.items():
        for columns in batches(len(y), EPOCHS):
            train(x[:, columns], y[columns])
        result[name] = float(np.mean(answer(x_held_out) == y_held_out))
    picture = Path(svg or "recurrent.svg")
    models["tanh"][0].svg(picture)
    if not quiet:
        print("squared error of a pixel in rows 1 to 6 of held-out digits")
        for name, value in result.items():
            print(f"  {name:<24} {value:.4f}" if name not in models else f"{name}: {value:.3f}")
        print(f"picture of a training step: {picture}")
    return {**result, "svg": str(picture)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=["numpy", "opencl"], default="numpy")
    parser.add_argument("--svg", metavar="PATH", help="default: recurrent.svg")
    main(**vars(parser.parse_args()))
