# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Scalars that multiply or divide arrays: outwards, together, and out of sums.

An array is then scaled once, after what is computed on it, and scalars are combined before they
meet an array.
"""

from __future__ import annotations

from graphc.ir import dtypes
from graphc.ir.node import CONST, Node
from graphc.ir.op import OPS, Op
from graphc.ops.elementwise import mul, true_div
from graphc.ops.linalg import dot
from graphc.rewrite.pattern import Float
from graphc.rewrite.rule import procedure, rule, table, uses

_MUL, _DIV = OPS["mul"], OPS["true_div"]
_ROUNDS = "rounding may differ in the last digits, and products do not overflow"


def scaled(node: Node) -> tuple[Node, Op, Node] | None:
    """Return an array, an op and a scalar if a node is the array multiplied or divided by it.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x, c = T.dvector("x"), T.dscalar("c")
    >>> scaled(x / c), scaled(x * x)
    ((x, true_div, c), None)
    """
    if node.op not in (_MUL, _DIV) or not node.type.ndim or dtypes.is_discrete(node.type.dtype):
        return None
    x, c = node.inputs
    if node.op is _MUL and not x.type.ndim:
        x, c = c, x
    return (x, node.op, c) if x.type.ndim and not c.type.ndim else None


def _apply(op: Op, x: Node, c: Node) -> Node:
    result: Node = (mul if op is _MUL else true_div)(x, c)
    return result


@procedure("mul", when=uses("mul", "true_div"), assumes=_ROUNDS)
def scalars_outwards(node: Node) -> Node | None:
    """An array is scaled after it was multiplied, and by all its scalars at once.

    Ends, as a scalar moves up past a product each time.
    """
    if dtypes.is_discrete(node.type.dtype):
        return None
    for inner, other in (node.inputs, node.inputs[::-1]):
        found = scaled(inner)
        if found is None:
            continue
        x, op, c = found
        if other.type.ndim:
            return _apply(op, x * other, c) if other.type.ndim == x.type.ndim else None
        if other.op is not CONST or c.op is not CONST:  # two constants are folded elsewhere
            return _apply(_MUL, x, _apply(op, other, c))
    return None


@procedure("add", "sub", when=uses("mul", "true_div"), assumes=_ROUNDS)
def common_scalar(node: Node) -> Node | None:
    """Two terms with a common scalar factor or divisor are scaled once, after they are added.

    Ends, as there is one product or quotient less.
    """
    first, second = map(scaled, node.inputs)
    if first is None or second is None or first[1:] != second[1:]:
        return None
    x, op, c = first
    combined = x + second[0] if node.op.name == "add" else x - second[0]
    return _apply(op, combined, c)


@procedure("mul", when=uses("add", "sub"), assumes=_ROUNDS)
def scale_terms(node: Node) -> Node | None:
    """A scaled sum of scaled terms scales its terms once: the scalars are multiplied instead.

    Ends, as there is one product less of an array and a scalar.
    """
    found = scaled(node)
    if found is None or found[0].op.name not in ("add", "sub"):
        return None
    total, _, c = found
    terms = [scaled(term) for term in total.inputs]
    if None in terms:
        return None
    left, right = (_rescaled(term, c) for term in terms if term is not None)
    result: Node = left + right if total.op.name == "add" else left - right
    return result


def _rescaled(term: tuple[Node, Op, Node], c: Node) -> Node:
    x, op, d = term
    return x * (c / d if op is _DIV else c * d)  # type: ignore[no-any-return]


@procedure("dot", when=uses("mul", "true_div"), assumes=_ROUNDS)
def dot_scaled(node: Node) -> Node | None:
    """A product is scaled after it is made, where the scalar meets others.

    Ends, as a scalar moves up past a product each time.
    """
    a, b = node.inputs
    for left, found in ((True, scaled(a)), (False, scaled(b))):
        if found is not None:
            x, op, c = found
            return _apply(op, dot(x, b) if left else dot(a, x), c)
    return None


@rule(assumes="rounding may differ in the last digits")
def blend(a, b, c: Float, y):
    """What both sides of a blend share is blended to itself."""
    return (a + c) * y + (b + c) * (1 - y), a * y + b * (1 - y) + c


@rule(assumes="rounding may differ in the last digits")
def blend_first_less(a, b, c: Float, y):
    """What both sides of a blend share is blended to itself."""
    return (c - a) * y + (b + c) * (1 - y), b * (1 - y) - a * y + c


@rule(assumes="rounding may differ in the last digits")
def blend_second_less(a, b, c: Float, y):
    """What both sides of a blend share is blended to itself."""
    return (a + c) * y + (c - b) * (1 - y), a * y - b * (1 - y) + c


RULES = table(globals())
