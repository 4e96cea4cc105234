"""Arrays, and functions of the language beside NumPy's, that several tests go through."""

from __future__ import annotations

import numpy as np

import graphc.tensor as T

M = np.array([[0.5, -1.5, 2.0], [3.0, 0.25, -0.75]])
V = np.array([1.5, -2.0, 0.5])
W = np.array([2, -3, 5])
B = np.array([True, False, True])
C = np.arange(24.0).reshape(2, 3, 4) / 7 - 1
S = np.float64(1.25)

AXES = [None, 0, 1, -1, (0, 1), (0, -1), (2,), (1, 2), (0, 1, 2)]

# Movements of C.
MOVED = [
    (lambda x: x.reshape((4, 6)), lambda x: x.reshape(4, 6)),
    (lambda x: x.reshape((x.shape[0], -1)), lambda x: x.reshape(2, -1)),
    (lambda x: x.reshape(-1), lambda x: x.reshape(-1)),
    (lambda x: x.reshape(2, 12), lambda x: x.reshape(2, 12)),
    (lambda x: x.reshape(x.shape), lambda x: x),
    (lambda x: x.reshape(x.shape[::-1]), lambda x: x.reshape(4, 3, 2)),
    (lambda x: x.reshape((x.shape[0] * x.shape[1], x.shape[2])), lambda x: x.reshape(6, 4)),
    (lambda x: x.reshape(T.concatenate([x.shape[:1], [12]])), lambda x: x.reshape(2, 12)),
    (lambda x: x.reshape(x.shape * np.array([2, 1, 1]) // [1, 1, 2]), lambda x: x.reshape(4, 3, 2)),
    (lambda x: x.reshape((T.prod(x.shape),)), lambda x: x.reshape(24)),
    (lambda x: x.flatten(), lambda x: x.reshape(24)),
    (lambda x: x.flatten(2), lambda x: x.reshape(2, 12)),
    (lambda x: T.flatten(x, outdim=3), lambda x: x),
    (lambda x: x.dimshuffle(2, "x", 0, 1), lambda x: x.transpose(2, 0, 1)[:, None]),
    (lambda x: x.dimshuffle([1, 0, 2]), lambda x: x.transpose(1, 0, 2)),
    (lambda x: x.T, lambda x: x.T),
    (lambda x: x.transpose(1, 0, -1), lambda x: x.transpose(1, 0, 2)),
    (lambda x: T.transpose(x, (2, 0, 1)), lambda x: x.transpose(2, 0, 1)),
    (lambda x: x.swapaxes(0, -1), lambda x: x.swapaxes(0, -1)),
    (lambda x: T.expand_dims(x, (0, -1)), lambda x: np.expand_dims(x, (0, -1))),
    (lambda x: T.shape_padleft(x, 2), lambda x: x[None, None]),
    (lambda x: T.shape_padright(x), lambda x: x[..., None]),
    (lambda x: T.shape_padaxis(x, 1), lambda x: x[:, None]),
    (lambda x: T.shape_padaxis(x, 1).squeeze(1), lambda x: x),
    (lambda x: T.broadcast_to(x[0, 0], (2, 4)), lambda x: np.broadcast_to(x[0, 0], (2, 4))),
    (lambda x: T.join(1, x, x), lambda x: np.concatenate([x, x], 1)),
    (lambda x: T.concatenate([x, x[:1]]), lambda x: np.concatenate([x, x[:1]])),
    (lambda x: T.concatenate((x, x), axis=-1), lambda x: np.concatenate([x, x], -1)),
    (lambda x: T.stack([x, x], axis=1), lambda x: np.stack([x, x], 1)),
    (lambda x: T.stack([x, x], -1), lambda x: np.stack([x, x], -1)),
    (lambda x: T.stack(x, x), lambda x: np.stack([x, x])),
    (
        lambda x: T.stack([x[0, 0, 0], 2, x[0, 0, 1]]),
        lambda x: np.array([x[0, 0, 0], 2, x[0, 0, 1]]),
    ),
    (
        lambda x: T.as_tensor_variable([[x[0, 0, 0], 1], [2, 3]]),
        lambda x: np.array([[-1.0, 1], [2, 3]]),
    ),
    (lambda x: T.addbroadcast(x[:1], 0) + x, lambda x: x[:1] + x),
    (lambda x: T.patternbroadcast(x[:1], (True, False, False)) + x, lambda x: x[:1] + x),
]


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x)
    return e / e.sum(-1, keepdims=True)


# Activations.
NETS = [
    (T.nnet.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    (T.nnet.softplus, lambda x: np.log(1 + np.exp(x))),
    (T.nnet.hard_sigmoid, lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
    (T.nnet.relu, lambda x: np.maximum(x, 0)),
    (lambda x: T.nnet.relu(x, 0.1), lambda x: np.where(x > 0, x, 0.1 * x)),
    (lambda x: T.nnet.relu(x, alpha=x), lambda x: np.where(x > 0, x, x * x)),
    (T.nnet.elu, lambda x: np.where(x > 0, x, np.exp(x) - 1)),
    (lambda x: T.nnet.elu(x, 2.0), lambda x: np.where(x > 0, x, 2 * (np.exp(x) - 1))),
    (T.nnet.softsign, lambda x: x / (1 + abs(x))),
    (T.nnet.softmax, softmax),
    (T.nnet.logsoftmax, lambda x: np.log(softmax(x))),
]
