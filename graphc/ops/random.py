"""Random numbers: pure functions of a state and of sizes, by the counter-based generator Philox.

A draw is a node like any other: equal states give equal numbers, so a draw that a gradient uses
again is the same node. What changes from call to call is the state, a shared variable (see
`graphc.random`).

Philox 4x64-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", 2011)
encrypts counters: block number ``b`` of four 64-bit words is a function of ``b`` alone, so that
blocks are computed in any order and on any device. NumPy has the same generator in C. Here

- the key is ``(state[0], state[1])``: the seed of the stream, the number of the draw in it;
- the counter is ``(b, step, state[2], part)``, blocks counted from 1: the step of a loop around the
  draw, the number of the call, and which of several arrays of one draw it is.

Elements take words in order; 32-bit ones take the low half of a word and then its high half.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import DTypeError, GraphcTypeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, const, make, operand
from graphc.ir.op import Domain, Kind, Op, register
from graphc.ir.shapes import Dim, as_dim, sizes
from graphc.ir.source import here
from graphc.ir.types import Attrs, TensorType
from graphc.ops.family import Builder, builder, to_dtype
from graphc.ops.movement import size_operand, static

STATE = 3
"""Length of a state: seed of the stream, number of the draw, number of the call; as uint64."""

WORD = "uint64"

# -- the generator --------------------------------------------------------------------------------

_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
_ROUNDS = 10
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def philox(counter: Sequence[Any], key: Sequence[int]) -> list[np.ndarray]:
    """Return the four words that Philox 4x64-10 makes of counters of four words.

    Parameters
    ----------
    counter : sequence of four uint64 arrays or numbers
    key : sequence of two ints

    Examples
    --------
    >>> [hex(int(word)) for word in philox((0, 0, 0, 0), (0, 0))][:2]
    ['0x16554d9eca36314c', '0xdb20fe9d672d0fdc']
    """
    with np.errstate(over="ignore"):
        words = [np.asarray(word, np.uint64) for word in counter]
        for turn in range(_ROUNDS):
            keys = [np.uint64((k + turn * w) % 2**64) for k, w in zip(key, _WEYL, strict=True)]
            high0, low0 = _wide_product(words[0], _MULTIPLIERS[0])
            high1, low1 = _wide_product(words[2], _MULTIPLIERS[1])
            words = [high1 ^ words[1] ^ keys[0], low1, high0 ^ words[3] ^ keys[1], low0]
    return words


def _wide_product(x: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the upper and the lower 64 bits of the product of x and a number."""
    a, b = np.uint64(factor >> 32), np.uint64(factor & 0xFFFFFFFF)
    high, low = x >> _HALF, x & _LOW
    middle = high * b + ((low * b) >> _HALF)
    other = low * a + (middle & _LOW)
    return high * a + (middle >> _HALF) + (other >> _HALF), x * np.uint64(factor)


def _words(state: Any, step: Any, count: int, part: int) -> np.ndarray:
    """Return the first words of a draw."""
    seed, number, call = (int(word) for word in np.asarray(state))
    blocks = np.arange(1, 1 + -(-count // 4), dtype=np.uint64)
    same = [np.full_like(blocks, int(word)) for word in (step, call, part)]
    return np.stack(philox([blocks, *same], (seed, number)), axis=-1).reshape(-1)[:count]


def _bits(state: Any, step: Any, shape: Sequence[Any], dtype: str, part: int) -> np.ndarray:
    count = int(np.prod(shape, dtype=np.int64))
    if np.dtype(dtype).itemsize == 8:
        return _words(state, step, count, part).reshape(shape)
    words = _words(state, step, -(-count // 2), part)
    halves = np.stack([words & _LOW, words >> _HALF], axis=-1).reshape(-1)[:count]
    return halves.astype(np.uint32).reshape(shape)


def _uniform(state: Any, step: Any, shape: Sequence[Any], dtype: str, part: int) -> np.ndarray:
    if dtype == "float64":
        return (_bits(state, step, shape, "uint64", part) >> np.uint64(11)) * 2.0**-53
    bits = _bits(state, step, shape, "uint32", part) >> np.uint32(8)
    return bits.astype(np.float32) * np.float32(2.0**-24)


def _normal(state: Any, step: Any, shape: Sequence[Any], dtype: str, part: int) -> np.ndarray:
    count = int(np.prod(shape, dtype=np.int64))
    u = _uniform(state, step, (-(-count // 2), 2), dtype, part)
    radius = np.sqrt(-2 * np.log(1 - u[:, 0]))
    angle = u[:, 1] * np.dtype(dtype).type(2 * np.pi)
    both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return both.reshape(-1)[:count].reshape(shape)


# -- rows -----------------------------------------------------------------------------------------


def _prepare(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    state, step, *shape = args
    attrs["dtype"] = dtypes.canonical(attrs["dtype"])
    if attrs["dtype"] not in op.details["dtypes"]:
        known = " or ".join(op.details["dtypes"])
        raise DTypeError(message(f"{op.name} draws {known}, not {attrs['dtype']}", (), here()))
    return (as_node(state), to_dtype(step, WORD), *map(size_operand, shape))


def _infer(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    state, step, *shape = inputs
    if state.type.dtype != WORD or state.type.ndim != 1 or step.type.ndim or not shape:
        raise GraphcTypeError(
            message(
                "a draw takes a state (three uint64 words), a step (a scalar), and sizes",
                map(operand, inputs),
                here(),
                "draw from a graphc.random.RandomStreams",
            )
        )
    return TensorType(attrs["dtype"], tuple(map(static, shape)))


def _checks(node: Node) -> list[tuple[Dim, Dim]]:
    return [(sizes(node.inputs[0])[0], STATE)]


def _draw(
    name: str, allowed: tuple[str, ...], reference: Callable[..., np.ndarray], doc: str
) -> Builder:
    op = register(
        Op(
            name=name,
            kind=Kind.CALL,
            attrs=("dtype", "part"),
            infer=_infer,
            dims=lambda node: tuple(map(as_dim, node.inputs[2:])),
            prepare=_prepare,
            checks=_checks,
            vjp=lambda g, out, *inputs: [None] * len(inputs),
            weight=30,
            reference=lambda state, step, *shape, dtype, part: reference(
                state, step, shape, dtype, part
            ),
            domain=(Domain(0, 100, integers=True),),
            doc=doc,
            details={"dtypes": allowed},
        )
    )
    return builder(op)


bits = _draw(
    "random_bits",
    ("uint32", "uint64"),
    _bits,
    "Random bits for a state, a step and sizes: integers of which every one is equally likely.",
)
uniform = _draw(
    "random_uniform",
    ("float32", "float64"),
    _uniform,
    "Random numbers in [0, 1) for a state, a step and sizes: multiples of 2 ** -24 or 2 ** -53.",
)
normal = _draw(
    "random_normal",
    ("float32", "float64"),
    _normal,
    "Random numbers with mean 0 and variance 1 for a state, a step and sizes, by Box and Muller.",
)

DRAWS = frozenset(draw.op for draw in (bits, uniform, normal))  # type: ignore[attr-defined]
_APART = 0x9E3779B97F4A7C15  # steps of two nested loops stay apart for all numbers that loops reach


def with_step(node: Node, step: Any) -> Node:
    """Return a draw as it is in one step of a loop, so that each step has other numbers.

    For the front end of loops: it replaces every node of a body whose op is in `DRAWS` by this. In
    nested loops the inner one comes first.

    Parameters
    ----------
    node : Node
        A node whose op is in `DRAWS`.
    step : integer scalar expression
        The number of the step.
    """
    state, old, *shape = node.inputs
    new = to_dtype(step, WORD)
    if old is not const(0, WORD):
        new = old * const(_APART, WORD) + new + 1
    return make(node.op, (state, new, *shape), node.attrs, node.type, node.where)
