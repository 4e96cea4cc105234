"""Constant folding: what depends on constants only is computed once, here.

Neither shared variables, whose values may change between calls, nor random draws are constants.
Nothing large is made: a constant that repeats one number stays that number and its sizes.
"""

from __future__ import annotations

import numpy as np

from graphc.ir.node import CONST, Node, const
from graphc.ir.op import Kind
from graphc.ir.types import TensorType
from graphc.ops.movement import expand
from graphc.rewrite.rule import Ops, procedure, table

LIMIT = 1 << 16
"""Folding never makes a constant of more elements than this."""


def _all_constants(children: Ops) -> bool:
    return bool(children) and all(op is CONST for op in children)


def arrays(node: Node) -> list[np.ndarray]:
    """Return the values of a node whose inputs are constants."""
    return [child.attrs["value"].array for child in node.inputs]


def _count(node: Node) -> int | None:
    if not isinstance(node.type, TensorType) or None in node.type.shape:
        return None
    return int(np.prod([size or 0 for size in node.type.shape], dtype=np.int64))


@procedure(Kind.ELEMENTWISE, Kind.REDUCE, Kind.CALL, Kind.COMPOSITE, when=_all_constants)
def fold(node: Node) -> Node | None:
    """The value is the same in every call, so it is computed once.

    Ends, as a constant takes the place of an application.
    """
    op, size = node.op, _count(node)
    if size is None or size > LIMIT:
        return None
    if op.reference is None:
        return op.expand(*node.inputs, **node.attrs) if op.expand else None
    if op.kind is Kind.COMPOSITE and op.expand:
        return op.expand(*node.inputs, **node.attrs)  # type: ignore[no-any-return]
    with np.errstate(all="ignore"):
        try:
            value = op.reference(*arrays(node), **node.attrs)
        except (ValueError, ZeroDivisionError):
            return None  # an error of the user's program: it belongs to the call, not to us
    return const(np.asarray(value).astype(node.type.dtype))


@procedure(Kind.VIEW, when=_all_constants)
def fold_view(node: Node) -> Node | None:
    """A part of a constant, or the same elements in another order, is a constant.

    A broadcast is left alone: it stores one number where the constant would store many. Ends, as a
    constant takes the place of an application.
    """
    size = _count(node)
    value, *rest = arrays(node)
    if node.op.name == "expand" or not value.ndim or size is None or size > LIMIT:
        return None
    if node.op.name == "dimshuffle":
        pattern = node.attrs["pattern"]
        kept = [axis for axis in pattern if axis >= 0]
        dropped = [axis for axis in range(value.ndim) if axis not in kept]
        moved = value.transpose([*dropped, *kept])
        found = moved.reshape([1 if axis < 0 else value.shape[axis] for axis in pattern])
    elif node.op.reference is not None:
        found = node.op.reference(value, *rest, **node.attrs)
    else:
        return None
    return const(found)


@procedure("const")
def uniform(node: Node) -> Node | None:
    """An array that repeats one number is that number, broadcast; so rules on numbers see it.

    Ends, as it leaves a scalar constant.
    """
    value = node.attrs["value"].array
    if not value.ndim or not value.size:
        return None
    first = value.flat[0]
    # equal bytes, not equal values: 0.0 and -0.0 differ, and NaN is itself
    if value.flat[-1].tobytes() != first.tobytes():
        return None
    bits = value.view(f"u{value.itemsize}")
    if not (bits == bits.flat[0]).all():
        return None
    return expand(const(first), value.shape)  # type: ignore[no-any-return]


RULES = table(globals())
