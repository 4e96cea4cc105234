"""What tests share: a plain evaluator, samples, tolerances and finite differences.

The evaluator is the oracle. It walks a graph as the user wrote it and calls the NumPy meaning of
each op (`Op.reference`), so it knows nothing about rewriting, fusion, memory or backends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir import dtypes
from graphc.ir.node import CONST, DIM, Node
from graphc.ir.op import OPS, Domain
from graphc.ir.shapes import Dim
from graphc.ir.types import TensorType, TupleType

# -- evaluation -----------------------------------------------------------------------------------


def evaluate(results: Node | Iterable[Node], given: Mapping[Node, Any]) -> list[np.ndarray]:
    """Return the values of expressions, computed node by node as written.

    Parameters
    ----------
    results : Node or iterable of Node
    given : mapping
        The value of every input and shared variable below ``results``, in its dtype; any other
        node may be given too, and is not computed then.

    Raises
    ------
    AssertionError
        If a value does not have the type of its node, or an input has no value.
    """
    results = [results] if isinstance(results, Node) else list(results)
    values: dict[Node, np.ndarray] = {}
    for node, value in given.items():
        values[node] = _fitting(node, np.asarray(value))
    with np.errstate(all="ignore"):
        _fill_in(results, values)
    return [values[node] for node in results]


def _fill_in(results: Sequence[Node], values: dict[Node, np.ndarray]) -> None:
    """Add the value of each node that ``results`` ask for: of two branches, only the one taken.

    Recurses over expansions, never over inputs.
    """
    stack = list(results)
    while stack:
        node = stack[-1]
        if node in values:
            stack.pop()
            continue
        needed = [c for place, c in enumerate(node.inputs) if place not in node.op.lazy]
        waiting = [child for child in needed if child not in values]
        if not waiting and node.op.lazy:
            waiting = [child for child in [_taken(node, values)] if child not in values]
        if waiting:
            stack += waiting
        elif node.op.lazy:
            values[node] = _fitting(node, values[_taken(node, values)])
        elif node.op.reference is None and node.op.expand is not None:
            expanded = node.op.expand(*node.inputs, **node.attrs)
            _fill_in([expanded], values)
            values[node] = _fitting(node, values[expanded])
        else:
            values[node] = _of_type(node, _own_value(node, values))


def _taken(node: Node, values: Mapping[Node, np.ndarray]) -> Node:
    """Return the branch that is taken."""
    condition, yes, no = node.inputs
    return yes if values[condition] else no


def _of_type(node: Node, value: Any) -> Any:
    """Return a value, or the values of an op with several results, in the dtypes of its node."""
    if isinstance(node.type, TupleType):
        assert len(value) == len(node.type.items)
        pairs = zip(value, node.type.items, strict=True)
        return tuple(np.asarray(part).astype(kind.dtype, copy=False) for part, kind in pairs)
    return _fitting(node, np.asarray(value).astype(node.type.dtype, copy=False))


def _scan(
    empty: Callable[[int], tuple[int, ...]],
    values: Sequence[Any],
    body: Any,
    n_seq: int,
    n_carry: int,
    traced: Any,
    stops: bool,
    truncate: int | None,
    backwards: bool,
) -> tuple[Any, ...]:
    """Return the results of a loop, computed step by step as `graphc.ops.control` says."""
    count, rest = int(values[0]), list(values[1:])
    sequences, carry, constants = (
        rest[:n_seq],
        rest[n_seq : n_seq + n_carry],
        rest[n_seq + n_carry :],
    )
    traces = [[value] for value in carry]
    rows: list[list[Any]] = []
    steps, stop = 0, False
    while steps < count and not stop:
        place = count - 1 - steps if backwards else steps
        given = [sequence[place] for sequence in sequences] + carry + constants
        pairs = zip(body.params, given, strict=True)
        found = evaluate(body.results, {p: np.asarray(value, p.type.dtype) for p, value in pairs})
        stop = bool(found.pop()) if stops else False
        carry = found[:n_carry]
        rows.append(found[n_carry:])
        for trace, value in zip(traces, carry, strict=True):
            trace.append(value)
        steps += 1
    rows = rows[::-1] if backwards else rows
    last = [np.stack(t) if all_ else t[-1] for t, all_ in zip(traces, traced, strict=True)]
    last = [_padded(v, count + 1) if t else v for v, t in zip(last, traced, strict=True)]
    kinds = [node.type for node in body.results[n_carry : len(body.results) - stops]]
    outs = [
        _padded(np.stack([row[k] for row in rows]), count)
        if rows
        else np.zeros(empty(1 + n_carry + k), kind.dtype)
        for k, kind in enumerate(kinds)
    ]
    return (steps, *last, *outs)


def _padded(rows: np.ndarray, count: int) -> np.ndarray:
    """Return so many rows: those not reached after a stop may be anything, here zero."""
    short = count - len(rows)
    return np.concatenate([rows, np.zeros((short, *rows.shape[1:]), rows.dtype)])


def _own_value(node: Node, values: Mapping[Node, np.ndarray]) -> Any:
    if node.op is CONST:
        return node.attrs["value"].array
    if node.op is DIM:
        return np.int64(values[node.inputs[0]].shape[node.attrs["axis"]])
    if node.op is OPS["scan"]:
        given = {below: v for below, v in values.items() if isinstance(below.type, TensorType)}
        empty = lambda i: evaluate_sizes(node.op.dims(node)[i], given)  # noqa: E731
        return _scan(empty, [values[child] for child in node.inputs], **node.attrs)
    assert node.op.reference is not None, (
        f"{node!r} has no value: give one, or give the op {node.op.name!r} a reference"
    )
    return node.op.reference(*[values[child] for child in node.inputs], **node.attrs)


def _fitting(node: Node, value: np.ndarray) -> np.ndarray:
    """Return a value, or raise an error if it is not of the type of its node."""
    assert isinstance(node.type, TensorType)
    assert value.dtype == node.type.dtype, f"{node!r} is {node.type!r}, its value {value.dtype}"
    known = node.type.shape
    assert value.ndim == len(known) and all(
        size in (None, actual) for size, actual in zip(known, value.shape, strict=True)
    ), f"{node!r} is {node.type!r}, its value has the shape {value.shape}"
    return value


def evaluate_sizes(found: Iterable[Dim], given: Mapping[Node, Any]) -> tuple[int, ...]:
    """Return symbolic sizes as numbers."""
    return tuple(size if isinstance(size, int) else int(evaluate(size, given)[0]) for size in found)


# -- samples --------------------------------------------------------------------------------------

GAP = 0.1  # how far floats stay from the kinks of a domain


def sample(domain: Domain, shape: Sequence[int], dtype: str, rng: np.random.Generator) -> Any:
    """Return an array from a domain: floats stay clear of its kinks, integers are not on them.

    Floats are also apart from each other, so that a small step does not change which is largest.
    """
    if dtype == dtypes.BOOL:
        return rng.random(tuple(shape)) < 0.5
    if not dtypes.is_float(dtype) or domain.integers:
        low, high = dtypes.limits(dtype)
        allowed = [
            n
            for n in range(int(np.ceil(domain.low)), int(np.floor(domain.high)) + 1)
            if low <= n <= high and n not in domain.kinks
        ]
        assert allowed, f"{domain} holds no {dtype}"
        return rng.choice(np.array(allowed, dtype), tuple(shape))
    count = int(np.prod(shape))
    places = (rng.permutation(count) + rng.uniform(0.2, 0.8, count)) / max(count, 1)
    found = domain.low + (domain.high - domain.low) * places
    for kink in domain.kinks:  # what lies near is moved away, as far as it lies from the kink
        side = np.where(found < kink, -1, 1)
        found = np.where(np.abs(found - kink) < GAP, found + side * GAP, found)
    return found.reshape(tuple(shape)).astype(dtype)


# -- tolerances -----------------------------------------------------------------------------------

# How many times the spacing of floats an op may be off, beside a reference that is off too. The
# figures are what OpenCL 1.2 allows its functions, doubled, as the reference has the same right.
UNITS = {
    "exp": 8,
    "log": 8,
    "log1p": 8,
    "expm1": 8,
    "log2": 8,
    "log10": 8,
    "exp2": 8,
    "sin": 8,
    "cos": 8,
    "tan": 10,
    "arcsin": 8,
    "arccos": 8,
    "arctan": 10,
    "arctan2": 12,
    "sinh": 8,
    "cosh": 8,
    "tanh": 12,
    "arcsinh": 8,
    "arccosh": 8,
    "arctanh": 10,
    "logaddexp": 16,
    "erf": 32,
    "erfc": 32,
    "erfcx": 32,
    "erfinv": 32,
    "erfcinv": 32,
    "gamma": 32,
    "gammaln": 32,
    "psi": 32,
    "polygamma": 64,
    "i0": 16,
    "i1": 16,
    "xlogy0": 10,
    "sigmoid": 16,
    "softplus": 16,
    "pow": 40,
    "softmax": 32,
    "log_softmax": 32,
    "logsumexp": 32,
    "sum": 16,
    "prod": 32,
    "dot": 16,
    "matmul": 16,
    "random_normal": 16,
    "conv2d": 32,
    "conv2d_inputs": 32,
    "conv2d_weights": 32,
    "true_div": 6,
    "sqrt": 8,
    "mod": 8,
    "int_div": 0,
}
EXACT = 4  # of what is not named above


def tolerance(op: str, dtype: str) -> float:
    """Return the relative error that an op may have in a dtype; 0 for what is not a float."""
    if not dtypes.is_float(dtype):
        return 0.0
    return UNITS.get(op, EXACT) * float(np.finfo(dtype).eps)


def assert_close(actual: Any, expected: Any, op: str, what: str = "") -> None:
    """Compare values of one op: dtype and shape exactly, floats to the op's tolerance.

    The error is measured against the largest finite element, as that is what sums lose.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    where = what or op
    assert actual.dtype == expected.dtype, f"{where}: {actual.dtype}, not {expected.dtype}"
    assert actual.shape == expected.shape, f"{where}: shape {actual.shape}, not {expected.shape}"
    finite = np.abs(expected[np.isfinite(expected)]) if expected.dtype.kind == "f" else [0]
    scale = float(np.max(finite, initial=0))
    allowed = tolerance(op, expected.dtype.name)
    np.testing.assert_allclose(
        actual, expected, rtol=allowed, atol=allowed * scale, err_msg=where, equal_nan=True
    )


# -- finite differences ---------------------------------------------------------------------------


def numeric_gradients(
    cost: Callable[[Sequence[np.ndarray]], float],
    arrays: Sequence[np.ndarray],
    places: Iterable[int],
) -> list[np.ndarray]:
    """Return the derivative of a number by each element of some of the arrays, all float64.

    Central differences at two steps, extrapolated: the error falls with the fourth power.
    """
    found = []
    for place in places:
        slope = np.zeros(arrays[place].shape)
        for index in np.ndindex(arrays[place].shape):
            slope[index] = _slope(cost, arrays, place, index)
        found.append(slope)
    return found


def _slope(cost: Any, arrays: Sequence[np.ndarray], place: int, index: tuple[int, ...]) -> float:
    def at(offset: float) -> float:
        moved = [np.array(array) for array in arrays]
        moved[place][index] += offset
        return float(cost(moved))

    step = 2.0**-10
    wide = (at(step) - at(-step)) / (2 * step)
    narrow = (at(step / 2) - at(-step / 2)) / step
    return (4 * narrow - wide) / 3
