"""A plain evaluator: what expressions mean, node by node, as they were written.

It calls the NumPy meaning of each op (`Op.reference`), so it knows nothing about rewriting, fusion,
memory or backends: what these make of a program is compared with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import InternalError
from graphc.ir.node import CONST, DIM, Node
from graphc.ir.op import OPS
from graphc.ir.shapes import Dim
from graphc.ir.types import TensorType, TupleType


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
    InternalError
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

        def empty(place: int) -> tuple[int, ...]:
            sizes: Any = node.op.dims
            return evaluate_sizes(sizes(node)[place], given)

        return _scan(empty, [values[child] for child in node.inputs], **node.attrs)
    if node.op.reference is None:
        raise InternalError(
            f"{node!r} has no value: give one, or give the op {node.op.name!r} a reference"
        )
    return node.op.reference(*[values[child] for child in node.inputs], **node.attrs)


def _fitting(node: Node, value: np.ndarray) -> np.ndarray:
    """Return a value, or raise an error if it is not of the type of its node."""
    known = node.type.shape
    if value.dtype != node.type.dtype:
        raise InternalError(f"{node!r} is {node.type!r}, its value {value.dtype}")
    if value.ndim != len(known) or not all(
        size in (None, actual) for size, actual in zip(known, value.shape, strict=True)
    ):
        raise InternalError(f"{node!r} is {node.type!r}, its value has the shape {value.shape}")
    return value


def evaluate_sizes(found: Iterable[Dim], given: Mapping[Node, Any]) -> tuple[int, ...]:
    """Return symbolic sizes as numbers."""
    return tuple(size if isinstance(size, int) else int(evaluate(size, given)[0]) for size in found)
