"""Convolution and pooling as users call them.

Each is compared with SciPy or with loops over the places of a window, on both backends; gradients
with finite differences are those of `test_every_gradient`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import signal

import graphc
import graphc.tensor as T
from graphc.errors import (
    GraphcTypeError,
    GraphcValueError,
    NotSupportedError,
    ShapeError,
)
from graphc.ir.node import Node
from graphc.tensor.nnet.abstract_conv import (
    AbstractConv2d,
    AbstractConv2d_gradInputs,
    AbstractConv2d_gradWeights,
    AbstractConv3d_gradInputs,
    conv2d_grad_wrt_inputs,
    conv2d_grad_wrt_weights,
    conv3d_grad_wrt_inputs,
)
from graphc.tensor.signal.pool import max_pool_2d, max_pool_2d_same_size, pool_2d, pool_3d
from harness import evaluate

RNG = np.random.default_rng(7)
X, W = T.dtensor4("x"), T.dtensor4("w")


def value_of(node: Node, given: dict[Node, Any]) -> np.ndarray:
    """Return the value of an expression as written: without rewriting or a backend."""
    return evaluate(node, {leaf: np.asarray(value) for leaf, value in given.items()})[0]


# -- convolution ----------------------------------------------------------------------------------


def margins(mode: Any, window: tuple[int, ...], dilation: tuple[int, int]) -> list[tuple[int, int]]:
    covered = [(n - 1) * d + 1 for n, d in zip(window, dilation, strict=True)]
    if isinstance(mode, str):
        each = {
            "valid": [0, 0],
            "full": [n - 1 for n in covered],
            "half": [n // 2 for n in covered],
        }
        return [(m, m) for m in each[mode]]
    both = mode if isinstance(mode, tuple) else (mode, mode)
    return [m if isinstance(m, tuple) else (m, m) for m in both]


def by_scipy(
    x: np.ndarray,
    w: np.ndarray,
    mode: Any = "valid",
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    flip: bool = True,
) -> np.ndarray:
    """Convolve each image with each filter by SciPy: holes are zeros, strides are slices."""
    x = np.pad(x, [(0, 0), (0, 0), *margins(mode, w.shape[2:], dilation)])
    holes = [(n - 1) * d + 1 for n, d in zip(w.shape[2:], dilation, strict=True)]
    wide = np.zeros((*w.shape[:2], *holes))
    wide[:, :, :: dilation[0], :: dilation[1]] = w
    combine = signal.convolve2d if flip else signal.correlate2d
    own = w.shape[1]
    found = []
    for image in x:
        for o, filters in enumerate(wide):
            first = o // (len(w) // groups) * own
            parts = [combine(image[first + c], filters[c], "valid") for c in range(own)]
            found.append(sum(parts)[:: stride[0], :: stride[1]])
    return np.array(found).reshape(len(x), len(w), *found[0].shape)


MODES = ["valid", "full", "half", 2, (1, 3), ((0, 2), (1, 0))]
WAYS: list[dict[str, Any]] = [
    {},
    {"stride": (2, 1)},
    {"stride": (3, 2), "flip": False},
    {"dilation": (2, 2)},
    {"dilation": (1, 3), "stride": (1, 2)},
    {"groups": 2},
    {"groups": 4, "stride": (2, 2), "dilation": (2, 1), "flip": False},
]
WINDOWS = [(3, 3), (2, 4), (1, 1), (1, 3)]


def convolve(x: Any, w: Any, mode: Any, way: dict[str, Any]) -> Any:
    return T.nnet.conv2d(
        x,
        w,
        border_mode=mode,
        subsample=way.get("stride", (1, 1)),
        filter_flip=way.get("flip", True),
        filter_dilation=way.get("dilation", (1, 1)),
        num_groups=way.get("groups", 1),
    )


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_convolution_agrees_with_scipy(mode: Any, backend: str) -> None:
    """All ways for a window in one function: for images of even and odd sizes."""
    for window in WINDOWS:
        expressions = [convolve(X, W, mode, way) for way in WAYS if "groups" not in way]
        weights = {n: T.TensorType("float64", (None, 4 // n, *window))("w") for n in (2, 4)}
        grouped = [way for way in WAYS if "groups" in way]
        expressions += [convolve(X, weights[way["groups"]], mode, way) for way in grouped]
        f = graphc.function([X, W, *weights.values()], expressions, backend=backend)
        for size in ((9, 12), (10, 11)):
            x = RNG.standard_normal((2, 4, *size))
            ws = [RNG.standard_normal((4, own, *window)) for own in (4, 2, 1)]
            ways = [way for way in WAYS if "groups" not in way] + grouped
            for way, found in zip(ways, f(x, *ws), strict=True):
                w = ws[{1: 0, 2: 1, 4: 2}[way.get("groups", 1)]]
                np.testing.assert_allclose(found, by_scipy(x, w, mode, **way), 1e-11, 1e-11)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("mode", ["valid", "half", (1, 2)], ids=str)
def test_gradient_functions_are_the_gradients(mode: Any, way: dict[str, Any]) -> None:
    """`conv2d_grad_wrt_...`, Theano's ops and `grad` are one."""
    groups = way.get("groups", 1)
    x, w = RNG.standard_normal((3, 4, 8, 9)), RNG.standard_normal((4, 4 // groups, 3, 2))
    found = convolve(X, W, mode, way)
    g = RNG.standard_normal(value_of(found, {X: x, W: w}).shape)
    by_x, by_w = T.grad(T.sum(found * g), [X, W])
    how: dict[str, Any] = {
        "border_mode": mode,
        "subsample": way.get("stride", (1, 1)),
        "filter_flip": way.get("flip", True),
        "filter_dilation": way.get("dilation", (1, 1)),
        "num_groups": groups,
    }
    nodes = [
        by_x,
        conv2d_grad_wrt_inputs(g, W, X.shape, **how),
        AbstractConv2d_gradInputs(**how)(W, g, X.shape[-2:]),
        by_w,
        conv2d_grad_wrt_weights(X, g, (None, None, 3, 2), **how),
        AbstractConv2d_gradWeights(**how)(X, g, W.shape[-2:]),
        found,
        AbstractConv2d(**how)(X, W),
    ]
    values = graphc.function([X, W], nodes)(x, w)
    for one, other in ((0, 1), (0, 2), (3, 4), (3, 5), (6, 7)):
        np.testing.assert_allclose(values[one], values[other], 1e-12, 1e-12)


def test_transposed_convolution_enlarges() -> None:
    """Each pixel adds the filter, times its value, to the larger image."""
    x, w = RNG.standard_normal((1, 2, 3, 3)), RNG.standard_normal((2, 3, 2, 2))
    node = T.nnet.conv2d_transpose(X, W, (None, 3, 6, 6), input_dilation=(2, 2), filter_flip=False)
    expected = np.zeros((1, 3, 6, 6))
    for i, j in np.ndindex(3, 3):
        added = np.einsum("no,ochw->nchw", x[:, :, i, j], w)
        expected[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] += added
    np.testing.assert_allclose(value_of(node, {X: x, W: w}), expected)


def test_convolution_of_signals_and_of_plain_images(backend: str) -> None:
    s, v = T.dtensor3("s"), T.dtensor3("v")
    m, k = T.dmatrix("m"), T.dmatrix("k")
    plain = T.signal.conv.conv2d
    f = graphc.function(
        [s, v, m, k],
        [
            T.nnet.conv1d(s, v, border_mode="half", subsample=2, filter_dilation=2),
            T.nnet.conv1d(s, v, border_mode=(1,), filter_flip=False),
            plain(m, k),
            plain(s, k, border_mode="full"),
            plain(m, v, subsample=(2, 1)),
            plain(s, v),
            T.nnet.conv.conv2d(m.dimshuffle("x", "x", 0, 1), k.dimshuffle("x", "x", 0, 1)),
        ],
        backend=backend,
    )
    x, w = RNG.standard_normal((2, 5, 9)), RNG.standard_normal((3, 5, 3))
    a, b = RNG.standard_normal((8, 7)), RNG.standard_normal((3, 2))
    found = f(x, w, a, b)
    as_images = (x[:, :, None], w[:, :, None])
    expected = by_scipy(*as_images, ((0, 0), (2, 2)), (1, 2), (1, 2))[:, :, 0]
    np.testing.assert_allclose(found[0], expected, 1e-12, 1e-12)
    expected = by_scipy(*as_images, ((0, 0), (1, 1)), flip=False)[:, :, 0]
    np.testing.assert_allclose(found[1], expected, 1e-12, 1e-12)
    for place in (2, 6):
        both = signal.convolve2d(a, b, "valid")
        np.testing.assert_allclose(found[place].reshape(both.shape), both, 1e-12, 1e-12)
    each = np.array([signal.convolve2d(one, b) for one in x])
    np.testing.assert_allclose(found[3], each, 1e-12, 1e-12)
    each = np.array([signal.convolve2d(a, one, "valid")[::2] for one in w])
    np.testing.assert_allclose(found[4], each, 1e-12, 1e-12)
    pairs = np.array([[signal.convolve2d(i, j, "valid") for j in w] for i in x])
    np.testing.assert_allclose(found[5], pairs, 1e-12, 1e-12)


@pytest.mark.parametrize(
    "way", [{}, {"subsample": (2, 1, 2), "filter_dilation": (1, 2, 1)}], ids=str
)
def test_convolution_of_volumes(way: dict[str, Any], backend: str) -> None:
    five = T.TensorType("float64", (None,) * 5)
    v, k = five("v"), five("k")
    x, w = RNG.standard_normal((2, 4, 6, 7, 8)), RNG.standard_normal((4, 2, 3, 2, 2))
    shape = (None, None, 3, None, None)
    nodes = [
        T.nnet.conv3d(v, k, filter_shape=shape, border_mode=mode, num_groups=2, **way)
        for mode in ("valid", "half", (1, 0, 2))
    ]
    found = graphc.function([v, k], nodes, backend=backend)(x, w)
    stride, gap = way.get("subsample", (1, 1, 1)), way.get("filter_dilation", (1, 1, 1))
    wide = np.zeros(
        (*w.shape[:2], *((n - 1) * d + 1 for n, d in zip(w.shape[2:], gap, strict=True)))
    )
    wide[:, :, :: gap[0], :: gap[1], :: gap[2]] = w
    half = [n // 2 for n in wide.shape[2:]]
    for one, pads in zip(found, ([0, 0, 0], half, [1, 0, 2]), strict=True):
        padded = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in pads)])
        for n, o in np.ndindex(2, 4):
            parts = [
                signal.convolve(padded[n, 2 * (o // 2) + c], wide[o, c], "valid", "direct")
                for c in range(2)
            ]
            expected = sum(parts)[:: stride[0], :: stride[1], :: stride[2]]
            np.testing.assert_allclose(one[n, o], expected, 1e-11, 1e-11)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("mode", ["valid", "half"])
def test_gradient_of_a_convolution_of_volumes(mode: str, flip: bool) -> None:
    """As a function, as Theano's op, and by `grad`."""
    v = T.TensorType("float64", (None,) * 5)("v")
    x, w = RNG.standard_normal((2, 4, 7, 7, 8)), RNG.standard_normal((4, 2, 3, 2, 2))
    how: dict[str, Any] = {
        "border_mode": mode,
        "subsample": (2, 1, 2),
        "filter_flip": flip,
        "filter_dilation": (1, 2, 1),
        "num_groups": 2,
    }
    node = T.nnet.conv3d(v, w, **how)
    g = RNG.standard_normal(value_of(node, {v: x}).shape)
    expected = value_of(T.grad(T.sum(node * g), v), {v: x})
    found = conv3d_grad_wrt_inputs(g, w, v.shape, **how)
    np.testing.assert_allclose(value_of(found, {v: x}), expected, 1e-11, 1e-11)
    found = AbstractConv3d_gradInputs(**how)(w, g, v.shape[-3:])
    np.testing.assert_allclose(value_of(found, {v: x}), expected, 1e-11, 1e-11)


def test_films_signals_and_separable_filters() -> None:
    x, w = RNG.standard_normal((2, 5, 3, 6, 7)), RNG.standard_normal((4, 2, 3, 2, 2))
    order = (0, 2, 1, 3, 4)
    found = value_of(T.nnet.conv3d2d.conv3d(T.constant(x), T.constant(w)), {})
    expected = value_of(T.nnet.conv3d(x.transpose(order), w.transpose(order)), {})
    np.testing.assert_array_equal(found, expected.transpose(order))
    s, v = RNG.standard_normal((2, 3, 9)), RNG.standard_normal((4, 3, 3))
    found = value_of(T.nnet.causal_conv1d(s, v, filter_dilation=2, subsample=2), {})
    padded = np.pad(s, ((0, 0), (0, 0), (4, 0)))
    expected = by_scipy(padded[:, :, None], v[:, :, None], "valid", (1, 2), (1, 2))[:, :, 0]
    np.testing.assert_allclose(found, expected, 1e-12, 1e-12)
    image, deep = RNG.standard_normal((2, 3, 6, 7)), RNG.standard_normal((6, 1, 3, 2))
    point = RNG.standard_normal((5, 6, 1, 1))
    found = value_of(T.nnet.separable_conv2d(image, deep, point, 3, border_mode="half"), {})
    expected = by_scipy(by_scipy(image, deep, "half", groups=3), point)
    np.testing.assert_allclose(found, expected, 1e-12, 1e-12)


# Images and filters for each way in which NumPy's routine cuts its work.
LARGE = [
    ((40, 8, 30, 30), (16, 8, 3, 3), (1, 1), 1),  # blocks of images, in threads
    ((3, 4, 300, 310), (8, 4, 5, 5), (1, 1), 1),  # blocks of rows
    ((3, 8, 200, 210), (8, 4, 3, 3), (2, 1), 2),  # the same, with windows that move by two
    ((2, 256, 12, 12), (256, 256, 3, 3), (1, 1), 1),  # filters too large for tiles
    ((2, 256, 13, 12), (256, 256, 3, 3), (2, 2), 1),
    ((5, 3, 20, 20), (37, 3, 3, 3), (1, 1), 1),  # a prime number of filters
    ((2, 3, 300, 310), (16, 3, 5, 5), (1, 1), 1),  # few channels: their gradient is added up
]


@pytest.mark.parametrize(("shape", "window", "stride", "groups"), LARGE)
def test_large_convolutions(
    shape: tuple[int, ...], window: tuple[int, ...], stride: tuple[int, int], groups: int,
    backend: str,
) -> None:  # fmt: skip
    """Against a correlation as sums over the pixels of the window, and its gradients."""
    x, w = (RNG.standard_normal(size) for size in (shape, window))
    node = T.nnet.conv2d(X, W, subsample=stride, num_groups=groups)
    g = T.dtensor4("g")
    nodes = [node, *T.grad(T.sum(node * g), [X, W])]
    expected_size = [
        (n - k) // s + 1 for n, k, s in zip(shape[2:], window[2:], stride, strict=True)
    ]
    weights = RNG.standard_normal((shape[0], window[0], *expected_size))
    given = {X: x, W: w, g: weights}
    found = graphc.function([X, W, g], nodes, backend=backend)(x, w, weights)
    for one, other in zip(found, evaluate(nodes, given), strict=True):
        np.testing.assert_allclose(one, other, 1e-9, 1e-9 * np.abs(other).max())


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    x, w = RNG.standard_normal((40, 8, 30, 30)), RNG.standard_normal((16, 8, 3, 3))
    node = T.nnet.conv2d(X, W)
    f = graphc.function([X, W], [node, *T.grad(T.sum(node**2), [X, W])])
    before = graphc.config.threads
    try:
        values = []
        for graphc.config.threads in (1, 2, 5):
            values.append(f(x, w))
    finally:
        graphc.config.threads = before
    for other in values[1:]:
        for one, two in zip(values[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


# -- pooling --------------------------------------------------------------------------------------


def by_loops(
    x: np.ndarray,
    size: tuple[int, int],
    cut: bool,
    stride: tuple[int, int],
    pad: tuple[int, int],
    mode: str,
) -> np.ndarray:
    """Pool as Theano's documentation says, window by window."""
    edge = -np.inf if mode == "max" else 0.0
    margins = [(0, 0), (0, 0), *((p, p) for p in pad)]
    real = x.shape
    x = np.pad(x, margins, constant_values=edge)
    inside = np.pad(np.ones(real), margins)
    counts = []
    for length, n, s in zip(x.shape[2:], size, stride, strict=True):
        if cut:
            counts.append((length - n) // s + 1)
        elif s >= n:
            counts.append((length - 1) // s + 1)
        else:
            counts.append(max(0, (length - 1 - n + s) // s) + 1)
    out = np.zeros((*x.shape[:2], *counts))
    for i, j in np.ndindex(*counts):
        where = (..., slice(i * stride[0], i * stride[0] + size[0]),
                 slice(j * stride[1], j * stride[1] + size[1]))  # fmt: skip
        part, counted = x[where], inside[where]
        total = part.sum((2, 3))
        out[:, :, i, j] = {
            "max": part.max((2, 3)),
            "sum": total,
            "average_inc_pad": total / (part.shape[2] * part.shape[3]),
            "average_exc_pad": total / counted.sum((2, 3)),
        }[mode]
    return out


POOLS: list[tuple[tuple[int, int], bool, tuple[int, int] | None, tuple[int, int]]] = [
    ((2, 2), True, None, (0, 0)),
    ((2, 2), False, None, (0, 0)),
    ((3, 2), True, (2, 1), (0, 0)),
    ((3, 2), False, (2, 1), (0, 0)),
    ((2, 3), True, (3, 4), (0, 0)),
    ((2, 3), False, (3, 4), (0, 0)),
    ((3, 3), True, None, (1, 2)),
    ((3, 4), True, (2, 3), (2, 1)),
    ((1, 1), False, (2, 2), (0, 0)),
]


@pytest.mark.parametrize("mode", ["max", "sum", "average_inc_pad", "average_exc_pad"])
def test_pooling_agrees_with_loops(mode: str, backend: str) -> None:
    nodes = [pool_2d(X, size, cut, stride, pad, mode) for size, cut, stride, pad in POOLS]
    f = graphc.function([X], nodes, backend=backend)
    for shape in ((2, 3, 7, 8), (1, 2, 8, 9), (2, 1, 12, 6)):
        x = RNG.standard_normal(shape)
        for (size, cut, stride, pad), found in zip(POOLS, f(x), strict=True):
            expected = by_loops(x, size, cut, stride or size, pad, mode)
            np.testing.assert_allclose(found, expected, 1e-12, 1e-12)


@pytest.mark.parametrize("mode", ["max", "sum", "average_inc_pad", "average_exc_pad"])
def test_pooling_of_volumes(mode: str) -> None:
    v = T.TensorType("float64", (None,) * 5)("v")
    x = RNG.standard_normal((2, 1, 6, 5, 7))
    found = value_of(pool_3d(v, (2, 2, 3), True, (2, 1, 3), (1, 1, 2), mode), {v: x})
    whole = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1), (2, 2)], constant_values=np.nan)
    for a, i, j in np.ndindex(*found.shape[2:]):
        part = whole[:, 0, 2 * a : 2 * a + 2, i : i + 2, 3 * j : 3 * j + 3].reshape(2, -1)
        expected = {
            "max": np.nanmax(part, 1),
            "sum": np.nansum(part, 1),
            "average_inc_pad": np.nansum(part, 1) / 12,
            "average_exc_pad": np.nanmean(part, 1),
        }[mode]
        np.testing.assert_allclose(found[:, 0, a, i, j], expected)


def test_windows_larger_than_the_image_reach_beyond_it() -> None:
    x = RNG.standard_normal((1, 2, 2, 3))
    for size, stride in (((4, 5), (1, 1)), ((4, 4), None)):
        expected = by_loops(x, size, False, stride or size, (0, 0), "max")
        np.testing.assert_allclose(value_of(pool_2d(X, size, False, stride), {X: x}), expected)


@pytest.mark.parametrize("mode", ["max", "average_exc_pad"])
def test_gradient_of_pooling(mode: str, backend: str) -> None:
    """Through the margins and the windows beyond the end, against finite differences."""
    nodes = [pool_2d(X, size, cut, stride, pad, mode) for size, cut, stride, pad in POOLS]
    cost = T.add(*[T.sum(T.sqr(node)) for node in nodes])
    x = RNG.permutation(60).reshape(1, 2, 6, 5) / 10.0
    f = graphc.function([X], [cost, T.grad(cost, X)], backend=backend)
    slope = f(x)[1]
    for index in [(0, 0, 0, 0), (0, 1, 5, 4), (0, 1, 2, 3), (0, 0, 3, 1)]:
        up, down = x.copy(), x.copy()
        up[index] += 1e-5
        down[index] -= 1e-5
        np.testing.assert_allclose(slope[index], (f(up)[0] - f(down)[0]) / 2e-5, 1e-6, 1e-6)


def test_ties_share_the_gradient_evenly(backend: str) -> None:
    x = np.array([[[[1.0, 1.0, 0.0, 2.0], [0.0, 1.0, 2.0, 2.0]]]])
    g = T.grad(T.sum(pool_2d(X, (2, 2), True)), X)
    expected = np.array([[[[1 / 3, 1 / 3, 0, 1 / 3], [0, 1 / 3, 1 / 3, 1 / 3]]]])
    np.testing.assert_allclose(graphc.function([X], g, backend=backend)(x), expected)


def test_nan_is_the_largest(backend: str) -> None:
    x = np.array([[[[1.0, np.nan, 3.0, 2.0]]]])
    found = graphc.function([X], pool_2d(X, (1, 2), True), backend=backend)(x)
    np.testing.assert_array_equal(found, [[[[np.nan, 3.0]]]])


def test_pooling_takes_old_names_and_other_ranks() -> None:
    x = RNG.standard_normal((4, 6))
    m, v = T.dmatrix("m"), T.TensorType("float64", (2, 2, 1, 4, 6))("v")
    expected = by_loops(x[None, None], (2, 3), False, (2, 3), (0, 0), "max")[0, 0]
    for node in (
        pool_2d(m, ds=(2, 3)),
        pool_2d(m, ws=(2, 3), st=(2, 3)),
        max_pool_2d(m, (2, 3)),
        T.signal.downsample.max_pool_2d(m, (2, 3), ignore_border=False),
    ):
        np.testing.assert_array_equal(value_of(node, {m: x}), expected)
    many = np.broadcast_to(x, (2, 2, 1, 4, 6))
    found = value_of(pool_2d(v, (2, 3)), {v: many})
    np.testing.assert_array_equal(found, np.broadcast_to(expected, (2, 2, 1, 2, 2)))
    i = T.imatrix("i")
    found = value_of(pool_2d(i, (2, 2), True, pad=(1, 1)), {i: np.full((2, 2), -5, np.int32)})
    np.testing.assert_array_equal(found, np.full((2, 2), -5, np.int32))


def test_pooling_to_the_same_size() -> None:
    x = np.array([[1.0, 5.0, 2.0], [3.0, 4.0, 7.0], [0.5, -1.0, -2.0]])
    m = T.dmatrix("m")
    expected = [[0, 5, 0], [0, 0, 7], [0.5, 0, -2]]
    np.testing.assert_array_equal(value_of(max_pool_2d_same_size(m, (2, 2)), {m: x}), expected)


# -- mistakes -------------------------------------------------------------------------------------

RGB = T.TensorType("float32", (None, 3, 8, 8))("rgb")
GREY = T.TensorType("float32", (16, 1, 3, 3))("grey")
WIDE = T.TensorType("float32", (16, 3, 3, 9))("wide")

MISTAKES: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: T.nnet.conv2d(RGB, GREY),
        ShapeError,
        "the image has 3 channels, the filters are for 1",
    ),
    (lambda: T.nnet.conv2d(RGB, WIDE), ShapeError, "a window of 9 does not fit axis 3, of size 8"),
    (lambda: T.nnet.conv2d(RGB, WIDE[:, 0]), GraphcTypeError, "takes images with 4 axes"),
    (lambda: T.nnet.conv2d(RGB, WIDE, num_groups=3), ShapeError, "for 3 in each of 3 groups"),
    (lambda: T.nnet.conv2d(RGB, WIDE, border_mode="same size"), GraphcValueError, "no border_mode"),
    (lambda: T.nnet.conv2d(RGB, WIDE, border_mode=-1), GraphcValueError, "at least 0"),
    (lambda: T.nnet.conv2d(RGB, WIDE, subsample=0), GraphcValueError, "at least 1"),
    (lambda: T.nnet.conv2d(RGB, WIDE, subsample=(1, 1, 1)), GraphcValueError, "2 numbers"),
    (lambda: T.nnet.conv2d(RGB, WIDE, unshared=True), NotSupportedError, "from place to place"),
    (
        lambda: T.nnet.conv2d(RGB, WIDE, input_shape=(None, 4, 8, 8)),
        ShapeError,
        "input_shape says 4 for axis 1, which is of size 3",
    ),
    (lambda: T.nnet.conv2d(RGB, WIDE, filter_shape=(16, 3)), GraphcTypeError, "is 4 sizes"),
    (lambda: T.nnet.conv1d(RGB, GREY), GraphcTypeError, "3 axes"),
    (lambda: T.nnet.conv3d(RGB, GREY), GraphcTypeError, "5 axes"),
    (
        lambda: T.nnet.conv3d(*[T.TensorType("float32", (None,) * 5)()] * 2),
        GraphcTypeError,
        "depth",
    ),
    (lambda: T.signal.pool.pool_3d(T.dmatrix("m"), 2), GraphcTypeError, "three axes"),
    (lambda: T.signal.conv.conv2d(RGB, GREY), GraphcTypeError, "use T.nnet.conv2d"),
    (
        lambda: pool_2d(RGB, (9, 2), True),
        ShapeError,
        "a window of 9 does not fit axis 2, of size 8",
    ),
    (lambda: pool_2d(RGB), GraphcTypeError, "needs ws"),
    (lambda: pool_2d(RGB, 2, ds=2), GraphcTypeError, "by two names"),
    (lambda: pool_2d(RGB, 2, mode="min"), GraphcValueError, "no mode 'min'"),
    (lambda: pool_2d(RGB, 2, pad=(1, 1)), NotSupportedError, "needs ignore_border=True"),
    (lambda: pool_2d(RGB, 2, True, pad=(2, 0)), GraphcValueError, "not smaller than the window"),
    (lambda: pool_2d(RGB, T.iscalar("n")), GraphcTypeError, "must be a known whole number"),
    (lambda: pool_2d(T.dvector("v"), 2), GraphcTypeError, "two axes"),
    (lambda: T.nnet.images2neibs(RGB, 2, mode="same"), GraphcValueError, "no mode 'same'"),
    (lambda: T.nnet.images2neibs(RGB, 2, mode="wrap_centered"), GraphcValueError, "odd size"),
    (lambda: T.nnet.neibs2images(GREY[:, 0, 0], 2, X.shape, "half"), GraphcValueError, "no mode"),
    (
        lambda: T.nnet.bn.batch_normalization_test(RGB, *T.fmatrices("a b c d"), axes="spatial"),
        GraphcValueError,
        "a parameter with 2 axes for inputs with 4",
    ),
    (
        lambda: T.nnet.bn.batch_normalization_train(RGB, 1.0, 0.0, axes="channels"),
        GraphcValueError,
        "no axes 'channels'",
    ),
]


@pytest.mark.parametrize(("make", "error", "text"), MISTAKES, ids=[text for *_, text in MISTAKES])
def test_mistakes(make: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as found:
        make()
    assert text in str(found.value)


def test_mistakes_of_sizes_in_calls(backend: str) -> None:
    f = graphc.function([X, W], T.nnet.conv2d(X, W), backend=backend)
    with pytest.raises(ShapeError, match="conv2d: sizes 3 and 2 differ"):
        f(np.zeros((1, 3, 5, 5)), np.zeros((4, 2, 3, 3)))
    with pytest.raises(ShapeError, match="conv2d: a window of 6 does not fit an axis of size 5"):
        f(np.zeros((1, 3, 5, 5)), np.zeros((4, 3, 3, 6)))
