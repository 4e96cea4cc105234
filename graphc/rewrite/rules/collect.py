"""Collecting like terms of sums and like factors of products.

A sum is taken apart into multiples of what is not itself a sum, a product into powers. Only if
something meets is it put together again: otherwise the grouping stays as the user wrote it, as it
decides how the result is rounded and which parts are shared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import reduce

import numpy as np

from graphc.ir import dtypes
from graphc.ir.node import CONST, Node, const, number
from graphc.ir.op import OPS
from graphc.ops.elementwise import mul, pow, sqr, true_div
from graphc.ops.math import sqrt
from graphc.rewrite.rule import Ops, procedure, table, uses

WINDOW = 4
"""Terms looked at from the top of one sum or product. What is put together anew is not shared with
other users of its parts, so a large window would make graphs with much sharing larger."""

POWERS = 8
"""Whole powers up to this one are products."""

_ADD, _SUB, _NEG, _MUL = OPS["add"], OPS["sub"], OPS["neg"], OPS["mul"]
_DIV, _SQR, _POW, _SQRT = OPS["true_div"], OPS["sqr"], OPS["pow"], OPS["sqrt"]

Number = int | float


def _collects(node: Node, floats: bool) -> bool:
    """Tell whether a node is of the dtypes that this is about."""
    return dtypes.kind(node.type.dtype) == ("float" if floats else "int")


# -- sums -----------------------------------------------------------------------------------------


class _Sum:
    """Terms by what they are multiples of, and constant terms."""

    def __init__(self, node: Node) -> None:
        self.terms: dict[Node, Number] = {}
        self.constants: list[tuple[int, np.ndarray]] = []
        self.meets = False
        stack: list[tuple[Node, int]] = [(node, 1)]
        seen = 0
        while stack:
            current, sign = stack.pop()
            op = current.op
            if op in (_ADD, _SUB) and seen + len(stack) < WINDOW:
                left, right = current.inputs
                stack += [(right, -sign if op is _SUB else sign), (left, sign)]
            elif op is _NEG:
                stack.append((current.inputs[0], -sign))
            else:
                self._add(current, sign)
                seen += 1

    def _add(self, node: Node, sign: int) -> None:
        if node.op is CONST:
            self.constants.append((sign, node.attrs["value"].array))
            self.meets = self.meets or len(self.constants) > 1
            return
        factor: Number = sign
        if node.op is _MUL and (value := number(node.inputs[1])) is not None:
            node, factor = node.inputs[0], sign * value
        self.meets = self.meets or node in self.terms
        self.terms[node] = self.terms.get(node, 0) + factor

    def build(self, dtype: str) -> Node | None:
        """Return the sum of the terms; None if a constant has no place in the dtype."""
        given = [sign * one for sign, one in self.constants]
        constant = reduce(np.add, given) if given else np.zeros((), dtype)
        if not all(_has_place(f, dtype) for f in self.terms.values()):
            return None
        if not _sound(constant, given):
            return None
        total: Node | None = None
        terms = sorted(self.terms.items(), key=lambda term: term[1] < 0)  # begin with a plus
        for scalars in (True, False):
            part = _sum(((n, f) for n, f in terms if (n.type.ndim == 0) is scalars), dtype)
            total = part if total is None else total if part is None else part + total
        last = const(constant.astype(dtype))
        if total is None:
            return last
        return total + last if np.any(constant) else total


def _sum(terms: Iterable[tuple[Node, Number]], dtype: str) -> Node | None:
    total: Node | None = None
    for node, factor in terms:
        if factor == 0:
            continue
        size = abs(factor)
        term = node if size == 1 else mul(node, const(size, dtype))
        if total is None:
            total = term if factor > 0 else -term
        else:
            total = total + term if factor > 0 else total - term
    return total


def _has_place(value: Number, dtype: str) -> bool:
    if isinstance(value, int) and not dtypes.is_float(dtype):
        return dtypes.fits(abs(value), dtype)
    return math.isfinite(value)


def _sound(result: np.ndarray, given: list[np.ndarray]) -> bool:
    """Tell whether a constant is finite if those that it is made of are."""
    return bool(np.isfinite(result).all()) or not all(np.isfinite(one).all() for one in given)


def _collect_terms(node: Node, floats: bool) -> Node | None:
    if not _collects(node, floats):
        return None
    found = _Sum(node)
    if not found.meets:
        return None
    with np.errstate(all="ignore"):
        return found.build(node.type.dtype)


_may_meet = uses("add", "sub", "neg", "mul")


def _equal_or_sums(children: Ops) -> bool:
    """Tell whether two terms can meet: neither is then a plain term beside a different one."""
    return children[0] is children[1] or _may_meet(children)


@procedure("add", "sub", when=_equal_or_sums)
def collect_integer_terms(node: Node) -> Node | None:
    """Multiples of the same integer are added up, and so are constants.

    Ends, as there are fewer terms than before.
    """
    return _collect_terms(node, floats=False)


@procedure(
    "add",
    "sub",
    when=_equal_or_sums,
    assumes="terms are finite, and rounding may differ in the last digits",
)
def collect_terms(node: Node) -> Node | None:
    """Multiples of the same expression are added up, and so are constants: a + 2 * a is 3 * a.

    Ends, as there are fewer terms than before.
    """
    return _collect_terms(node, floats=True)


# -- products -------------------------------------------------------------------------------------


class _Product:
    """Factors by what they are powers of, and constant factors above and below the line."""

    def __init__(self, node: Node) -> None:
        self.powers: dict[Node, Number] = {}
        self.above: list[np.ndarray] = []
        self.below: list[np.ndarray] = []
        self.negative = False
        self.count = 0
        stack: list[tuple[Node, int]] = [(node, 1)]
        while stack:
            current, power = stack.pop()
            if current.op in (_MUL, _DIV) and self.count + len(stack) < WINDOW:
                left, right = current.inputs
                stack += [(right, -power if current.op is _DIV else power), (left, power)]
            elif current.op is _NEG:
                self.negative = not self.negative
                stack.append((current.inputs[0], power))
            else:
                self._add(current, power)

    def _add(self, node: Node, power: Number) -> None:
        if node.op is CONST:
            (self.above if power > 0 else self.below).append(node.attrs["value"].array)
            return
        if node.op is _SQR:
            node, power = node.inputs[0], 2 * power
        elif node.op is _SQRT:
            node, power = node.inputs[0], 0.5 * power
        elif node.op is _POW and (exponent := _finite(node.inputs[1])) is not None:
            node, power = node.inputs[0], exponent * power
        self.powers[node] = self.powers.get(node, 0) + power
        self.count += 1

    @property
    def meets(self) -> bool:
        """Whether putting it together makes fewer factors or fewer constants."""
        ones = sum(1 for one in (*self.above, *self.below) if one.ndim == 0 and one == 1)
        constants = len(self.above) + len(self.below) - ones
        return constants > 1 or sum(map(_factors, self.powers.values())) < self.count

    def build(self, dtype: str) -> Node | None:
        """Return the product; None if its constant has no place in the dtype."""
        constants = self._constants(dtype)
        if constants is None:
            return None
        above = _product([(n, p) for n, p in self.powers.items() if p > 0], constants[0], dtype)
        below = _product([(n, -p) for n, p in self.powers.items() if p < 0], constants[1], dtype)
        if above is None:
            above = const(1, dtype)
        found = above if below is None else true_div(above, below)
        return -found if self.negative else found

    def _constants(self, dtype: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the constant above and the one below the line; one of them is 1."""
        one = np.ones((), dtype)
        above, below = (reduce(np.multiply, some, one) for some in (self.above, self.below))
        given = (*self.above, *self.below)
        if not dtypes.is_float(dtype):
            exact = math.prod(int(c) for c in self.above) if not above.ndim else None
            return (above, one) if exact is not None and dtypes.fits(exact, dtype) else None
        if not (_in_range(above, given) and _in_range(below, given)):
            return None
        if (below == 1).all() or (above == 1).all():
            return above, below
        quotient, inverse = above / below, below / above
        if not (_in_range(quotient, given) and _in_range(inverse, given)):
            return None
        if (inverse == np.rint(inverse)).all() and not (quotient == np.rint(quotient)).all():
            return one, inverse
        return quotient, one


def _finite(node: Node) -> Number | None:
    value = number(node)
    return value if value is not None and math.isfinite(value) else None


def _factors(power: Number) -> int:
    """Return how many factors a power is written as."""
    size = abs(power)
    if size > POWERS or 2 * size != int(2 * size):
        return 1
    return int(size).bit_count() + (size != int(size))


def _in_range(result: np.ndarray, given: Iterable[np.ndarray]) -> bool:
    """Tell whether a constant is a normal number, or one of those it is made of is not."""
    tiny = np.finfo(result.dtype).tiny

    def normal(value: np.ndarray) -> bool:
        return bool((np.isfinite(value) & ((np.abs(value) >= tiny) | (value == 0))).all())

    zero = any((one == 0).any() for one in given)
    return zero or (normal(result) and (result != 0).all()) or not all(map(normal, given))


def _product(powers: list[tuple[Node, Number]], constant: np.ndarray, dtype: str) -> Node | None:
    total: Node | None = None
    for scalars in (True, False):
        part: Node | None = None
        for node, power in powers:
            if (node.type.ndim == 0) is scalars:
                factor = power_of(node, power)
                part = factor if part is None else part * factor
        total = part if total is None else total if part is None else part * total
    if (constant == 1).all() and constant.ndim == 0:
        return total
    last = const(constant.astype(dtype))
    return last if total is None else total * last


def power_of(node: Node, power: Number) -> Node:
    """Return a positive power, as products of squares and a root where that is short."""
    if power > POWERS or 2 * power != int(2 * power):
        return pow(node, const(power, node.type.dtype))  # type: ignore[no-any-return]
    found: Node | None = sqrt(node) if power != int(power) else None
    square, left = node, int(power)
    while left:
        if left & 1:
            found = square if found is None else square * found
        left >>= 1
        if left:
            square = sqr(square)
    assert found is not None
    return found


def _collect_factors(node: Node, floats: bool) -> Node | None:
    if not _collects(node, floats):
        return None
    found = _Product(node)
    if not found.meets:
        return None
    with np.errstate(all="ignore"):
        return found.build(node.type.dtype)


_may_cancel = uses("mul", "true_div", "neg", "sqr", "sqrt", "pow")


def _equal_or_products(children: Ops) -> bool:
    return children[0] is children[1] or _may_cancel(children)


@procedure("mul", when=_equal_or_products)
def collect_integer_factors(node: Node) -> Node | None:
    """Powers of the same integer are one power, and constants are multiplied.

    Ends, as there are fewer factors than before.
    """
    return _collect_factors(node, floats=False)


@procedure(
    "mul",
    "true_div",
    when=_equal_or_products,
    assumes="factors are finite and not 0, and rounding may differ in the last digits",
)
def collect_factors(node: Node) -> Node | None:
    """Powers of the same expression are one power, and constants are multiplied: x * x is x ** 2.

    Ends, as there are fewer factors than before.
    """
    return _collect_factors(node, floats=True)


@procedure("pow")
def small_powers(node: Node) -> Node | None:
    """Small whole and half powers are a few products and a root, which are faster than a power.

    Ends, as a power goes.
    """
    x, exponent = node.inputs[0], number(node.inputs[1])
    if exponent is None or not 0.5 <= abs(exponent) <= POWERS or 2 * exponent != int(2 * exponent):
        return None
    if exponent > 0:
        return power_of(x, exponent)
    if not dtypes.is_float(node.type.dtype):
        return None  # an error in NumPy, and so at the call
    return true_div(const(1, x.type.dtype), power_of(x, -exponent))  # type: ignore[no-any-return]


RULES = table(globals())
