"""States must keep their dtype and rank from step to step: the check, and its table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.control.returned import line_of
from graphc.errors import DTypeError, GraphcTypeError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import CONST, Node, as_node, const
from graphc.ir.types import TensorType
from graphc.ops.elementwise import cast
from graphc.ops.family import is_number


def following(given: Any, kind: TensorType) -> Node:
    """Return what a function gave for a state as a node; a number takes the state's dtype."""
    if is_number(given) and _holds(kind.dtype, given):
        return const(given, kind.dtype)
    node = as_node(given)
    if node.op is CONST and not node.type.ndim and node.type.dtype != kind.dtype:
        value = node.attrs["value"].array.item()
        if _holds(kind.dtype, value):
            return const(value, kind.dtype)
    return node


def _holds(dtype: str, value: bool | int | float) -> bool:
    """Tell whether a dtype can hold a number, floats up to rounding."""
    if isinstance(value, bool) or dtype == dtypes.BOOL:
        return isinstance(value, bool) and dtype == dtypes.BOOL
    if isinstance(value, int):
        return dtypes.is_float(dtype) or dtypes.fits(value, dtype)
    return dtypes.is_float(dtype)


def as_update(value: Any, variable: Node) -> Node:
    """Return a new value of a shared variable in its dtype, where that loses nothing."""
    node = following(value, variable.type)
    if dtypes.can_cast_safely(node.type.dtype, variable.type.dtype):
        return cast(node, variable.type.dtype)  # type: ignore[no-any-return]
    return node


def keeps(kind: TensorType, found: TensorType) -> bool:
    """Tell whether a state of one type may become another one: only unknown sizes may differ.

    A size of 1 that is unknown in the next step would broadcast in the first step alone.
    """
    if kind.dtype != found.dtype or kind.ndim != found.ndim:
        return False
    return all(
        m == n or m is None or (n is None and m != 1)
        for m, n in zip(kind.shape, found.shape, strict=True)
    )


def check(fn: Callable[..., Any], states: Sequence[tuple[str, TensorType, Node]]) -> None:
    """Raise unless every state keeps its type.

    Parameters
    ----------
    states : sequence of (str, TensorType, Node)
        Name, type in a step, and what the function made of it.
    """
    wrong = [(name, kind, node) for name, kind, node in states if not keeps(kind, node.type)]
    if not wrong:
        return
    names = ", ".join(name for name, _, _ in wrong)
    what = f"{names}: the function of the loop must give a state as it got it\n{_table(states)}"
    where = wrong[0][2].where or line_of(fn)
    kinds = [(kind, node.type) for _, kind, node in wrong]
    raise _error(kinds)(message(what, (), where, _hint(kinds)))


def _table(states: Sequence[tuple[str, TensorType, Node]]) -> str:
    rows = [("state", "dtype", "shape in", "dtype", "shape out", "")]
    for name, kind, node in states:
        mark = "" if keeps(kind, node.type) else "<- differs"
        found = node.type
        rows.append((name, kind.dtype, _shape(kind), found.dtype, _shape(found), mark))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(one, widths, strict=True)) for one in rows]
    return "\n".join(f"    {line.rstrip()}" for line in lines)


def _shape(kind: TensorType) -> str:
    inside = ", ".join("?" if n is None else str(n) for n in kind.shape)
    return f"({inside}{',' * (kind.ndim == 1)})"


def _error(kinds: Sequence[tuple[TensorType, TensorType]]) -> type[Exception]:
    if any(a.dtype != b.dtype for a, b in kinds):
        return DTypeError
    return GraphcTypeError if any(a.ndim != b.ndim for a, b in kinds) else ShapeError


def _hint(kinds: Sequence[tuple[TensorType, TensorType]]) -> str:
    kind, found = kinds[0]
    if kind.dtype != found.dtype:
        return (
            f"give the first value in the dtype of the result: T.cast(initial, '{found.dtype}');"
            f"\nor cast the result: T.cast(result, '{kind.dtype}')"
        )
    if kind.ndim != found.ndim:
        return (
            "give a first value with the axes of the result, such as T.zeros((n, m)) or\n"
            "T.zeros_like(...); with taps other than [-1] its first axis is over steps"
        )
    return (
        "give a first value of the sizes of the result; an axis of size 1 would broadcast in the\n"
        "first step only"
    )
