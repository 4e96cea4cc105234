# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Reductions of reductions, of multiples, of views."""

from __future__ import annotations

from collections.abc import Iterable

from graphc.ir.node import Node, make, rebuild
from graphc.ir.op import OPS
from graphc.ir.shapes import Dim, as_size_node, product, sizes
from graphc.ir.types import Attrs
from graphc.ops import reduce as ops
from graphc.ops.elementwise import cast, pow
from graphc.ops.movement import dimshuffle, expand
from graphc.rewrite.pattern import Attr, Float, Scalar, compute
from graphc.rewrite.rule import Rule, procedure, rule, table, uses
from graphc.rewrite.rules.movement import same_size

_FOLDS = ("sum", "prod", "max", "min", "any", "all")
_EXPAND, _DIMSHUFFLE = OPS["expand"], OPS["dimshuffle"]


def merged(p: tuple[int, ...], q: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes that are reduced by p and then q.

    Examples
    --------
    >>> merged((1,), (0, 1))
    (0, 1, 2)
    """
    rank = len(p) + len(q) + 1 + max((*p, *q), default=0)
    left = [axis for axis in range(rank) if axis not in p]
    return tuple(sorted((*p, *[left[axis] for axis in q])))


def _nested(name: str) -> Rule:
    op = getattr(ops, name)

    @rule(name=f"{name}_{name}")
    def nested(x, p: Attr, q: Attr):
        """A reduction over some axes and then over others is one over all of them."""
        return op(op(x, axes=p), axes=q), op(x, axes=compute(merged, "p and q"))

    return nested


sum_sum, prod_prod, max_max, min_min, any_any, all_all = map(_nested, _FOLDS)


@rule
def sum_neg(x, p: Attr):
    """A sum of negatives is the negative of the sum: one change of sign instead of many."""
    return ops.sum(-x, axes=p), -ops.sum(x, axes=p)


@rule(assumes="c is finite")
def sum_scaled(x, c: Scalar, p: Attr):
    """A common factor is multiplied once, after the sum."""
    return ops.sum(x * c, axes=p), ops.sum(x, axes=p) * c


@rule(assumes="c is finite and not 0")
def sum_divided(x, c: Scalar, p: Attr):
    """A common divisor divides once, after the sum."""
    return ops.sum(x / c, axes=p), ops.sum(x, axes=p) / c


@rule
def max_neg(x: Float, p: Attr):
    """The largest negative is the negative of the smallest."""
    return ops.max(-x, axes=p), -ops.min(x, axes=p)


@rule
def min_neg(x: Float, p: Attr):
    """The smallest negative is the negative of the largest."""
    return ops.min(-x, axes=p), -ops.max(x, axes=p)


@rule
def max_raised(x: Float, c: Scalar, p: Attr):
    """What is added to every element is added once, to the largest."""
    return ops.max(x + c, axes=p), ops.max(x, axes=p) + c


@rule
def min_raised(x: Float, c: Scalar, p: Attr):
    """What is added to every element is added once, to the smallest."""
    return ops.min(x + c, axes=p), ops.min(x, axes=p) + c


def reduced(name: str, x: Node, axes: Iterable[int], node: Node) -> Node:
    """Return a reduction of x, or x where there is no axis to reduce."""
    axes = tuple(axes)
    op, attrs = OPS[name], Attrs({"axes": axes})
    return make(op, (x,), attrs, op.infer((x,), attrs), node.where) if axes else x


@procedure(*_FOLDS)
def reduce_nothing(node: Node) -> Node | None:
    """A reduction over no axis, or over axes of size 1 only, keeps every element.

    Ends, as a reduction goes.
    """
    (x,) = node.inputs
    axes = node.attrs["axes"]
    if any(x.type.shape[axis] != 1 for axis in axes):
        return None
    return dimshuffle(x, [axis for axis in range(x.type.ndim) if axis not in axes])  # type: ignore[no-any-return]


@procedure(*_FOLDS, when=uses("dimshuffle"))
def reduce_dimshuffle(node: Node) -> Node | None:
    """A reduction reads its operand in any order: the axes are named instead of moved.

    Ends, as a dimshuffle moves outwards or goes.
    """
    inner = node.inputs[0]
    x, pattern, axes = inner.inputs[0], inner.attrs["pattern"], node.attrs["axes"]
    dropped = [axis for axis in range(x.type.ndim) if axis not in pattern]
    gone = sorted([*dropped, *[pattern[place] for place in axes if pattern[place] >= 0]])
    result = reduced(node.op.name, x, gone, node)
    left = [axis for axis in range(x.type.ndim) if axis not in gone]
    kept = [axis for place, axis in enumerate(pattern) if place not in axes]
    return dimshuffle(result, [-1 if axis < 0 else left.index(axis) for axis in kept])  # type: ignore[no-any-return]


@procedure("sum", "prod", "max", "min", when=uses("expand"))
def reduce_expand(node: Node) -> Node | None:
    """What is repeated is summed by a product, and is its own maximum.

    Ends, as there are fewer reduced axes.
    """
    inner, axes = node.inputs[0], node.attrs["axes"]
    x = inner.inputs[0]
    wide = x.type.shape or (1,) * inner.type.ndim
    repeated = [a for a in axes if wide[a] == 1 and not same_size(sizes(inner)[a], 1)]
    if not repeated:
        return None
    if x.type.ndim:
        rest = [a for a in axes if a not in repeated]
        kept = reduced(node.op.name, x, rest, node)
        left = [a for a in range(x.type.ndim) if a not in rest]
        x = dimshuffle(kept, [left.index(a) for a in left if a not in repeated])
    elif set(axes) - set(repeated) and node.op.name in ("sum", "prod"):
        pass  # the other axes have size 1
    return expand(_repeated(node.op.name, x, [sizes(inner)[a] for a in repeated]), sizes(node))  # type: ignore[no-any-return]


def _repeated(name: str, x: Node, counts: list[Dim]) -> Node:
    """Return the reduction of x repeated so many times."""
    if name in ("max", "min"):
        return x
    count = cast(as_size_node(product(counts)), x.type.dtype)
    repeated: Node = x * count if name == "sum" else pow(x, count)
    return repeated


@procedure("sum", when=uses("mul"))
def sum_of_rows(node: Node) -> Node | None:
    """A factor that is the same along the summed axes is multiplied once, after the sum.

    Ends, as a product moves outwards.
    """
    product_, axes = node.inputs[0], node.attrs["axes"]
    for factor, other in (product_.inputs, product_.inputs[::-1]):
        if not factor.type.ndim or not other.type.ndim:
            continue
        if all(factor.type.shape[a] == 1 and other.type.shape[a] != 1 for a in axes):
            kept = [a for a in range(factor.type.ndim) if a not in axes]
            return reduced("sum", other, axes, node) * dimshuffle(factor, kept)  # type: ignore[no-any-return]
    return None


_SOFTMAX = (OPS["softmax"], OPS["log_softmax"])
# growing wherever they are defined; a sign or a rounded number has ties that x has not
_GROWING = [
    OPS[name] for name in ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sigmoid", "softplus")
]


@procedure(
    "argmax",
    "argmin",
    when=lambda children: children[0] in (*_GROWING, *_SOFTMAX, _DIMSHUFFLE),
    assumes="no two elements become equal only by rounding",
)
def place_of_monotone(node: Node) -> Node | None:
    """What grows with x is largest where x is, and x has not been rounded yet.

    Ends, as an op goes.
    """
    view, axes = node.inputs[0], node.attrs["axes"]
    inner = view
    if view.op is _DIMSHUFFLE:
        inner = view.inputs[0]
        axes = tuple(view.attrs["pattern"][axis] for axis in axes)
    same_order = inner.op in _SOFTMAX and set(axes) <= set(inner.attrs["axes"])
    if not same_order and inner.op not in _GROWING:
        return None
    x = inner.inputs[0]
    return reduced(
        node.op.name, x if view is inner else rebuild(view, (x,)), node.attrs["axes"], node
    )


RULES = table(globals())
