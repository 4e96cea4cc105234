"""Windows of images as rows of a matrix, against loops over them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.errors import ShapeError
from harness import evaluate

RNG = np.random.default_rng(7)
X = T.dtensor4("x")


def neighbours(x: np.ndarray, size: tuple[int, int], step: tuple[int, int], wrap: bool) -> Any:
    rows = []
    for image in x.reshape(-1, *x.shape[2:]):
        counts = [
            -(-n // s) if wrap else (n - k) // s + 1
            for n, k, s in zip(image.shape, size, step, strict=True)
        ]
        for i, j in np.ndindex(*counts):
            at = [
                [(p * s + q - (k // 2 if wrap else 0)) % n for q in range(k)]
                for p, s, k, n in zip((i, j), step, size, image.shape, strict=True)
            ]
            rows.append(image[np.ix_(*at)].ravel())
    return np.array(rows)


def test_neighbours(backend: str) -> None:
    to_rows = T.nnet.neighbours.images2neibs
    x = RNG.standard_normal((2, 3, 6, 9))
    nodes = {
        "valid": to_rows(X, (2, 3)),
        "steps": to_rows(X, (2, 3), (1, 2)),
        "ignore": to_rows(X, (4, 2), mode="ignore_borders"),
        "wrap": to_rows(X, (3, 5), (2, 2), mode="wrap_centered"),
        "half": to_rows(X, (3, 3), (1, 1), mode="half"),
        "full": to_rows(X, (2, 2), (1, 3), mode="full"),
    }
    expected = {
        "valid": neighbours(x, (2, 3), (2, 3), False),
        "steps": neighbours(x, (2, 3), (1, 2), False),
        "ignore": neighbours(x, (4, 2), (4, 2), False),
        "wrap": neighbours(x, (3, 5), (2, 2), True),
        "half": neighbours(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), (1, 1), False),
        "full": neighbours(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (2, 2), (1, 3), False),
    }
    found = graphc.function([X], nodes, backend=backend)(x)
    for name, rows in expected.items():
        np.testing.assert_array_equal(found[name], rows, name)


def test_neighbours_and_back() -> None:
    x = RNG.standard_normal((2, 3, 6, 9))
    rows = T.nnet.images2neibs(X, (2, 3))
    back = T.nnet.neibs2images(rows, (2, 3), X.shape)
    np.testing.assert_array_equal(evaluate(back, {X: x})[0], x)
    rows = T.nnet.images2neibs(X, (4, 4), mode="ignore_borders")
    back = T.nnet.neibs2images(rows, (4, 4), (2, 3, 6, 9), mode="ignore_borders")
    expected = np.zeros_like(x)
    expected[:, :, :4, :8] = x[:, :, :4, :8]
    np.testing.assert_array_equal(evaluate(back, {X: x})[0], expected)


def test_neighbours_that_do_not_fill_the_image() -> None:
    f = graphc.function([X], T.nnet.images2neibs(X, (2, 4)))
    with pytest.raises(ShapeError):
        f(np.zeros((1, 1, 6, 9)))
