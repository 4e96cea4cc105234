"""Applications of every row of the table of ops, for the tests that walk the table.

Elementwise rows, reductions and whatever else takes only ``axes`` are covered by their kind. Any
other row needs an entry in `EXAMPLES`; without one its tests fail and say so.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphc.tensor as T
import linalg_samples
from graphc import gradient
from graphc.errors import DTypeError, ShapeError
from graphc.ir import dtypes
from graphc.ir.node import Node, apply, const, input_node
from graphc.ir.op import OPS, Domain, Kind, Op
from graphc.ir.shapes import add, mul, sizes, sub
from graphc.ir.types import TensorType
from graphc.ops import elementwise, index, linalg, movement, random, window
from graphc.ops.movement import dimshuffle, expand, fill
from graphc.ops.parts import iota, join, make_vector, put, slice_axes
from graphc.ops.prefix import recurrence
from harness import sample

# Leaves carry their values; tests/ir/ is about them.
LEAVES = {"input", "const", "shared", "param", "dim", "counter", "cell"}

# Results of other ops, and loops and branches, which have tests of their own.
ELSEWHERE = {"get", "pack", "scan", "ifelse", "in_loop", "foreign", "foreign_shape"}

# Actual sizes by letter: the usual ones, nothing in an axis, and one of everything.
USUAL = {"a": 2, "b": 3, "c": 4}
SIZES = {
    "usual": USUAL,
    "no a": {**USUAL, "a": 0},
    "no b": {**USUAL, "b": 0},
    "one": {"a": 1, "b": 1, "c": 1},
}


@dataclass(frozen=True)
class Example:
    """An application: operands by their shapes, and how to build the node from them.

    A shape is a letter an axis, ``"ab"``; ``1`` is an axis that is declared to be of size 1. A
    dtype that is given stays the same in every case.
    """

    label: str
    shapes: tuple[str, ...]
    build: Callable[..., Node]
    dtypes: tuple[str | None, ...] = ()


class Inapplicable(Exception):
    """An example that comes to nothing in some dtype or size."""


@dataclass(frozen=True)
class Case:
    """An example in one dtype and with actual sizes."""

    label: str
    op: Op
    node: Node
    inputs: tuple[Node, ...]
    arrays: tuple[np.ndarray, ...]

    def __repr__(self) -> str:
        return self.label


# Domains of bool and integers, where those of the row do not do for them.
DISCRETE = {
    "pow": (Domain(1, 3), Domain(0, 3)),  # negative powers of integers are errors
    "clip": (Domain(0, 5), Domain(1, 1), Domain(3, 3)),
    **dict.fromkeys(("floor", "ceil", "trunc"), (Domain(-3, 3),)),  # steps are at all integers
}


# Where gradients are compared with differences, if steps lie in the domain of the row.
SMOOTH = {
    "mod": (Domain(2.7, 4.0), Domain(2.1, 2.5)),  # one period
}


_INDEXED = (None, None, "int64")


def _scattered(write: Callable[..., Node], axis: int) -> Callable[..., Node]:
    return lambda x, y, i: write(x, y, [i], axis)


def _spread(write: Callable[..., Node]) -> Callable[..., Node]:
    return lambda x, y, i: write(x, expand(y, list(x.shape)), [i])


def _counted(write: Callable[..., Node]) -> Callable[..., Node]:
    return lambda x, y, i: write(x, y[:, 0], [iota(x.shape[0]), 0 * i])


def _found(x: Node, v: Node, side: str) -> Node:
    """Return a search in 0, 1, ... in the dtype of the values."""
    return index.searchsorted(elementwise.cast(iota(x.shape[0]), v.type.dtype), v, side)  # type: ignore[no-any-return]


# Elementwise rows whose first operand has a dtype of its own.
FIRST_OPERAND = {"where": "bool", "polygamma": "int64"}


def _recurring(axis: int, adjoint: bool) -> Callable[..., Node]:
    return lambda b, c: recurrence(b, c, axis=axis, adjoint=adjoint)


def rows() -> list[str]:
    """Return the names of all ops that tests apply."""
    return [name for name in OPS if name not in LEAVES | ELSEWHERE]


STATE = np.array([2**64 - 5, 3, 2], np.uint64)


def _draws(row: Callable[..., Node], *drawn: str) -> list[Example]:
    return [
        Example(
            f"{dtype}, {label}",
            ("", letters),
            lambda step, x, dtype=dtype, part=part: row(
                const(STATE), step, *x.shape, dtype=dtype, part=part
            ),
            ("uint64", None),
        )
        for dtype in drawn
        for label, letters, part in (("a vector", "c", 0), ("a part", "aca", 2))
    ]


EXAMPLES: dict[str, list[Example]] = {
    "cast": [
        Example(f"to {dtype}", ("ab",), lambda x, dtype=dtype: _cast(x, dtype))
        for dtype in dtypes.DTYPES
    ],
    "dimshuffle": [
        Example("transposed", ("ab",), lambda x: dimshuffle(x, (1, 0))),
        Example("new axes", ("ab",), lambda x: dimshuffle(x, (1, "x", 0, "x"))),
        Example("dropped", ("1b",), lambda x: dimshuffle(x, (1,))),
        Example("from a scalar", ("",), lambda x: dimshuffle(x, ("x", "x"))),
    ],
    "expand": [
        Example("rows", ("1b", "a"), lambda x, y: expand(x, [y.shape[0], x.shape[1]])),
        Example("a scalar", ("", "ab"), lambda x, y: expand(x, list(y.shape))),
        Example("fixed", ("a1",), lambda x: expand(x, [x.shape[0], 5])),
    ],
    "fill": [
        Example("a scalar", ("ab", ""), fill),
        Example("a row", ("ab", "1b"), fill),
        Example("all", ("ab", "ab"), fill),
    ],
    "reshape": [
        Example("merged", ("abc",), lambda x: movement.reshape(x, [x.shape[0], -1])),
        Example("flat", ("ab",), lambda x: movement.reshape(x, [-1])),
        Example("split", ("ab",), lambda x: movement.reshape(x, [1, x.shape[1], x.shape[0]])),
        Example("of a view", ("ab",), lambda x: movement.reshape(dimshuffle(x, (1, 0)), [-1])),
    ],
    "slice": [
        Example("rows", ("bc",), lambda x: x[1:]),
        Example("columns", ("bc",), lambda x: x[:, ::2]),
        Example("backwards", ("bc",), lambda x: x[::-1, ::-2]),
        Example("from the end", ("bc",), lambda x: x[-2:, :-1]),
        Example("one", ("bc",), lambda x: slice_axes(x, [1], [2], [1], [1])),
        Example("second last", ("bc",), lambda x: slice_axes(x, [0], [x.shape[0] - 2], [1], [1])),
    ],
    "put": [
        Example("a row", ("bc", "1c"), lambda x, y: put(x, y, [0], [2], [1])),
        Example("a block", ("bc", "1a"), lambda x, y: put(x, y, [0, 1], [1, 1], [1, 1])),
        Example("spread", ("bc", "ba"), lambda x, y: put(x, y, [1], [x.shape[1] - 1], [-2])),
    ],
    "join": [
        Example("rows", ("ab", "cb"), lambda x, y: join(0, [x, y])),
        Example("columns", ("ab", "ab", "a1"), lambda x, y, z: join(1, [x, y, z])),
    ],
    "gather": [
        Example("rows", ("bc", "b"), lambda x, i: index.gather(x, [i]), (None, "int64")),
        Example("columns", ("ab", "bc"), lambda x, i: index.gather(x, [i], 1), (None, "int32")),
        Example(
            "points",
            ("abc", "bc", "c"),
            lambda x, i, j: index.gather(x, [i, j], 1),
            (None, "int64", "int8"),
        ),
        Example("of a view", ("bcb", "c"), lambda x, i: index.gather(x.T, [i], 1), (None, "int64")),
        Example(
            "counted",
            ("bb", "b"),
            lambda x, i: index.gather(x, [iota(x.shape[0]), i]),
            (None, "int64"),
        ),
    ],
    "scatter": [
        Example("rows", ("bc", "bc", "b"), _scattered(index.scatter, 0), (None, None, "int64")),
        Example("a part", ("abc", "aabc", "ab"), _scattered(index.scatter, 1), _INDEXED),
        Example("one value", ("bc", "", "b"), _spread(index.scatter), _INDEXED),
        Example("counted", ("bc", "bc", "b"), _counted(index.scatter), _INDEXED),
    ],
    "scatter_add": [
        Example("rows", ("bc", "bc", "b"), _scattered(index.scatter_add, 0), _INDEXED),
        Example("a part", ("abc", "aabc", "ab"), _scattered(index.scatter_add, 1), _INDEXED),
        Example("one value", ("bc", "", "b"), _spread(index.scatter_add), _INDEXED),
        Example("counted", ("bc", "bc", "b"), _counted(index.scatter_add), _INDEXED),
    ],
    "flatnonzero": [Example("a vector", ("b",), index.flatnonzero)],
    "searchsorted": [
        Example("from the left", ("b", "ac"), lambda x, v: _found(x, v, "left")),
        Example("from the right", ("b", "c"), lambda x, v: _found(x, v, "right")),
    ],
    "place": [
        Example("a vector", ("ab", "c"), lambda i, x: index.place(i, x.size + 1), ("int64", None))
    ],
    "part_of": [Example("all", ("ab", "ab"), lambda x, y: index.note_part(x, y))],
    "iota": [Example("a size", ("a",), lambda x: iota(x.shape[0]))],
    "make_vector": [Example("scalars", ("", "", ""), make_vector)],
    "random_bits": _draws(random.bits, "uint32", "uint64"),
    "random_uniform": _draws(random.uniform, "float32", "float64"),
    "random_normal": _draws(random.normal, "float32", "float64"),
    "zero_grad": [Example("all", ("ab",), gradient.zero_grad)],
    "disconnected_grad": [Example("all", ("ab",), gradient.disconnected_grad)],
    "undefined_grad": [Example("all", ("ab",), gradient.undefined_grad)],
    "grad_clip": [
        Example("by numbers", ("ab",), lambda x: gradient.grad_clip(x, 0, 1)),
        Example("by scalars", ("ab", "", ""), gradient.grad_clip),
    ],
    "grad_scale": [
        Example("by a number", ("ab",), lambda x: gradient.grad_scale(x, 2)),
        Example("by a scalar", ("ab", ""), gradient.grad_scale),
    ],
    "custom": [
        Example("of one", ("ab",), lambda x: _SINE(x)),
        Example("of two", ("ab", "b"), lambda x, y: _SCALED(x, y)),
        Example("of a scalar", ("",), lambda x: _SINE(x)),
    ],
    **linalg_samples.samples(Example),
    "matmul": [
        Example("a stack", ("cab", "cba"), linalg.matmul),
        Example("one left", ("1ab", "cba"), linalg.matmul),
        Example("one right", ("cab", "ba"), linalg.matmul),
        Example("two axes", ("a1bc", "1acb"), linalg.matmul),
        Example("transposed", ("cba", "bca"), lambda x, y: linalg.matmul(x.T, y.T)),
    ],
    **{
        name: [
            Example("a vector", ("b",), lambda x, op=OPS[name]: apply(op, x, axis=0)),
            Example("columns", ("bc",), lambda x, op=OPS[name]: apply(op, x, axis=0)),
            Example("rows", ("bc",), lambda x, op=OPS[name]: apply(op, x, axis=1)),
            Example("the middle", ("abc",), lambda x, op=OPS[name]: apply(op, x, axis=1)),
            Example("of a view", ("cb",), lambda x, op=OPS[name]: apply(op, x.T[::-1], axis=1)),
        ]
        for name in ("sort", "argsort", "cumsum", "cumprod")
    },
    "recurrence": [
        Example(label, (shape, shape), _recurring(axis, adjoint))
        for label, shape, axis, adjoint in [
            ("a vector", "b", 0, False),
            ("a vector backwards", "b", 0, True),
            ("the middle", "abc", 1, False),
            ("rows backwards", "bc", 1, True),
        ]
    ],
    "dot": [
        Example("vectors", ("b", "b"), linalg.dot),
        Example("matrix and vector", ("ab", "b"), linalg.dot),
        Example("vector and matrix", ("a", "ab"), linalg.dot),
        Example("matrices", ("ab", "bc"), linalg.dot),
        Example("transposed", ("ba", "cb"), lambda x, y: linalg.dot(x.T, y.T)),
    ],
}


def _fitting(build: Callable[..., Node]) -> Callable[..., Node]:
    """Return how to build a node that known sizes may forbid."""

    def attempt(*xs: Node) -> Node:
        try:
            return build(*xs)
        except ShapeError as error:
            raise Inapplicable(str(error)) from None

    return attempt


def _moved(label: str, build: Callable[..., Node], shapes: tuple[str, ...], **how: Any) -> Example:
    return Example(label, shapes, _fitting(lambda *xs: build(*xs, **how)))


def _of_image(g: Node, w: Node, **how: Any) -> Node:
    """The gradient of a correlation by an image as small as it can be, and one pixel more."""
    move, gap = how.get("stride", (1, 1)), how.get("dilation", (1, 1))
    windows = map(window.span, sizes(w)[2:], gap)
    moved = [mul(sub(n, 1), step) for n, step in zip(sizes(g)[2:], move, strict=True)]
    shape = [add(add(n, m), int(s > 1)) for n, m, s in zip(windows, moved, move, strict=True)]
    return window.conv2d_inputs(g, w, shape, **how)


def _of_filters(x: Node, g: Node, **how: Any) -> Node:
    """The gradient of a correlation by filters of two by one pixels."""
    return window.conv2d_weights(x, g, (2, 1), **how)


def _pooled(op: str, cover: bool = False) -> Callable[..., Node]:
    """Return how to apply a gradient of `pool_max` of 2 x 1 pixels, 1 x 2 apart."""

    def build(x: Node, other: Node) -> Node:
        how = {"size": (2, 1), "stride": (1, 2), "cover": cover}
        return apply(OPS[op], x, window.pool_max(x, **how), other, **how)  # type: ignore[no-any-return]

    return _fitting(build)


EXAMPLES |= {
    "conv2d": [
        _moved("plain", window.conv2d, ("abcb", "cbaa")),
        _moved("spread", window.conv2d, ("1bcc", "abaa"), stride=(1, 2), dilation=(2, 1)),
        _moved("grouped", window.conv2d, ("accb", "aaba"), groups=2),
        _moved("one pixel", window.conv2d, ("abca", "cb11")),
        Example("of a view", ("ccba", "cbaa"), lambda x, w: window.conv2d(x.T, w[:, :, ::-1])),
    ],
    "conv2d_inputs": [
        _moved("plain", _of_image, ("acba", "cbaa")),
        _moved("spread", _of_image, ("1aba", "abaa"), stride=(1, 2), dilation=(2, 1)),
        _moved("grouped", _of_image, ("aaab", "aaba"), groups=2),
    ],
    "conv2d_weights": [
        _moved("plain", _of_filters, ("abcb", "acbb")),
        _moved("spread", _of_filters, ("abcb", "acaa"), stride=(1, 2), dilation=(2, 1)),
        _moved("grouped", _of_filters, ("accb", "aabb"), groups=2),
    ],
    "pool_max": [
        _moved("apart", window.pool_max, ("abcc",), size=(2, 2), stride=(2, 2)),
        _moved("overlapping", window.pool_max, ("abcc",), size=(3, 2), stride=(1, 1)),
        _moved("covering", window.pool_max, ("abcb",), size=(3, 2), stride=(2, 2), cover=True),
        _moved(
            "covering close", window.pool_max, ("abcb",), size=(3, 2), stride=(2, 1), cover=True
        ),
        _moved("skipping", window.pool_max, ("abcc",), size=(1, 2), stride=(2, 3)),
    ],
    "pool_spread": [
        Example("inside", ("abca", "abb1"), _pooled("pool_spread")),
        Example("covering", ("abcb", "abba"), _pooled("pool_spread", True)),
    ],
    "pool_pick": [
        Example("inside", ("abcb", "abcb"), _pooled("pool_pick")),
        Example("covering", ("abcb", "abcb"), _pooled("pool_pick", True)),
    ],
}
_SINE = gradient.custom_grad(lambda g, out, x: g * T.cos(x))(T.sin)
_SCALED = gradient.custom_grad(lambda g, out, x, y: [g * y, T.sum(g * x, axis=0)])(
    lambda x, y: T.true_div(x * y, 1)
)


def _cast(x: Node, dtype: str) -> Node:
    if x.type.dtype == dtype:
        raise Inapplicable(f"a cast from {dtype} to itself is no node")
    return elementwise.cast(x, dtype)


def examples(op: Op) -> list[Example]:
    """Return the applications of an op that are tested."""
    if op.name in EXAMPLES:
        return EXAMPLES[op.name]
    if op.kind is Kind.ELEMENTWISE and not op.attrs:
        return _elementwise(op)
    if op.attrs == ("axes",):
        return _over_axes(op)
    raise AssertionError(
        f"the op {op.name!r} is in no test: add how it is applied to EXAMPLES in op_samples.py"
    )


def _elementwise(op: Op) -> list[Example]:
    arity = op.details["arity"]
    first = FIRST_OPERAND.get(op.name)
    kinds = (first, *[None] * (arity - 1)) if first else ()

    def build(*xs: Node) -> Node:
        return apply(op, *xs)  # type: ignore[no-any-return]

    found = [
        Example("arrays", ("ab",) * arity, build, kinds),
        Example("scalars", ("",) * arity, build, kinds),
    ]
    if arity > 1:
        rest = ("ab",) * (arity - 2)
        found += [
            Example("a row", ("ab", "1b", *rest), build, kinds),
            Example("row and column", ("a1", "1b", *("a1",) * (arity - 2)), build, kinds),
            Example("a scalar", ("ab", "", *rest), build, kinds),
            Example("a scalar first", ("", "ab", *rest), build, kinds),
            Example("different ranks", ("abc", "c", *("bc",) * (arity - 2)), build, kinds),
        ]
    return found


def _over_axes(op: Op) -> list[Example]:
    def over(*axes: int) -> Callable[..., Node]:
        return lambda x: apply(op, x, axes=axes)

    found = [
        Example("rows", ("ab",), over(0)),
        Example("columns", ("ab",), over(1)),
        Example("a vector", ("b",), over(0)),
        Example("the middle", ("abc",), over(1)),
    ]
    if "opencl:index" not in op.code:  # those have one axis
        found += [
            Example("all", ("ab",), over(0, 1)),
            Example("two of three", ("abc",), over(0, 2)),
            Example("of a view", ("ab",), lambda x: over(1)(dimshuffle(x, (1, 0)))),
        ]
    return found


# -- cases ----------------------------------------------------------------------------------------


def case(
    op: Op,
    example: Example,
    dtype: str,
    sizes: str = "usual",
    *,
    known: bool = False,
    smooth: bool = False,
) -> Case:
    """Return an example in a dtype; raises `DTypeError` if the op refuses it.

    Parameters
    ----------
    sizes : str
        A key of `SIZES`.
    known : bool
        Whether the types know all sizes, or only those that are always 1.
    smooth : bool
        Whether to sample where differences approach the gradient.
    """
    operands = []
    for place, letters in enumerate(example.shapes):
        own = (example.dtypes[place] if example.dtypes else None) or dtype
        values = domain(op, place, own, smooth)
        operands.append(_operand(place, letters, sizes, known, own, values))
    inputs, arrays = zip(*operands, strict=True)
    node = example.build(*inputs)
    label = f"{op.name} {dtype}, {example.label}, {sizes}"
    applied = node.inputs[0] if node.op.name == "get" else node
    if known and applied.op is not op:
        raise Inapplicable(f"{label}: with these sizes it is {node!r} itself")
    assert applied.op is op, f"{label}: the example applies {applied.op.name!r}"
    return Case(label, op, node, inputs, arrays)


@functools.cache
def _operand(
    place: int, letters: str, sizes: str, known: bool, dtype: str, domain: Domain
) -> tuple[Node, np.ndarray]:
    """Return an input and its value; rows with the same needs share them, and so may be fused."""
    actual = tuple(1 if letter == "1" else SIZES[sizes][letter] for letter in letters)
    shape = [n if known or c == "1" else None for n, c in zip(actual, letters, strict=True)]
    rng = np.random.default_rng(zlib.crc32(f"{place} {letters} {domain}".encode()))
    value = np.asarray(sample(domain, actual, dtype, rng))
    return input_node(TensorType(dtype, shape), "xyz"[place]), value


def domain(op: Op, place: int, dtype: str, smooth: bool = False) -> Domain:
    """Return where an operand of an op is sampled."""
    special = DISCRETE if dtypes.is_discrete(dtype) else SMOOTH if smooth else {}
    found = special.get(op.name, op.domain)
    return found[min(place, len(found) - 1)]


def cases(
    op: Op,
    wanted: Sequence[str] = dtypes.DTYPES,
    sizes: Sequence[str] = tuple(SIZES),
    *,
    known: bool = False,
    brief: bool = False,
    smooth: bool = False,
) -> Iterator[Case]:
    """Yield all examples of an op in the dtypes it accepts, at least one; ``brief``: the first."""
    found = False
    for dtype in wanted:
        for example in examples(op)[: 1 if brief and op.name != "cast" else None]:
            for size in sizes:
                try:
                    one = case(op, example, dtype, size, known=known, smooth=smooth)
                except (DTypeError, Inapplicable):
                    continue
                found = True
                yield one
    assert found or len(wanted) < len(dtypes.DTYPES), f"{op.name!r} accepts no dtype"
