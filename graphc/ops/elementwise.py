"""Elementwise ops: arithmetic, comparison, logic, choice and casts. One row each."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir import dtypes
from graphc.ir.node import Node, apply, as_node, const
from graphc.ir.op import NONZERO, OPS, POSITIVE, REALS, Domain, Kind, Op, Trait, register
from graphc.ir.types import Attrs, TensorType
from graphc.ops.family import (
    Builder,
    bits,
    broadcast_checks,
    broadcast_dims,
    builder,
    chosen,
    counted,
    elementwise,
    floats,
    numbers,
    shifted,
)

_RING = (Trait.COMMUTATIVE, Trait.ASSOCIATIVE)
_LATTICE = (*_RING, Trait.IDEMPOTENT)


def zero_for(node: Node) -> Node:
    """Return the scalar 0 of a node's dtype: a gradient that is zero everywhere."""
    return const(0, node.type.dtype)


# -- arithmetic -----------------------------------------------------------------------------------

add = elementwise(
    "add",
    2,
    numpy="np.add({0}, {1}, {out})",
    opencl={"": "({0} + {1})", "bool": "({0} | {1})"},
    python="{0} + {1}",
    vjp=lambda g, out, x, y: [g, g],
    traits=_RING,
    reference=np.add,
    formula="{0} + {1}",
    precedence=60,
    doc="x + y; for bool, logical or.",
)

sub = elementwise(
    "sub",
    2,
    dtype=numbers,
    numpy="np.subtract({0}, {1}, {out})",
    opencl="({0} - {1})",
    python="{0} - {1}",
    vjp=lambda g, out, x, y: [g, -g],
    weight=2,
    reference=np.subtract,
    formula="{0} - {1}",
    precedence=60,
    doc="x - y; not defined for bool.",
)

mul = elementwise(
    "mul",
    2,
    numpy="np.multiply({0}, {1}, {out})",
    opencl={"": "({0} * {1})", "bool": "({0} & {1})"},
    python="{0} * {1}",
    vjp=lambda g, out, x, y: [g * y, g * x],
    traits=_RING,
    weight=2,
    reference=np.multiply,
    formula="{0} * {1}",
    precedence=70,
    doc="x * y; for bool, logical and.",
)

neg = elementwise(
    "neg",
    1,
    dtype=numbers,
    numpy="np.negative({0}, {out})",
    opencl="(-{0})",
    python="-{0}",
    vjp=lambda g, out, x: [-g],
    reference=np.negative,
    formula="-{0}",
    precedence=80,
    doc="-x; not defined for bool.",
)

true_div = elementwise(
    "true_div",
    2,
    dtype=floats,
    numpy="np.divide({0}, {1}, {out})",
    opencl="({0} / {1})",
    python="{0} / {1} if {1} else over_zero({0}, {1})",
    vjp=lambda g, out, x, y: [g / y, -(g * out) / y],
    weight=4,
    reference=np.true_divide,
    domain=(REALS, NONZERO),
    formula="{0} / {1}",
    precedence=70,
    doc="x / y; integers are converted to floatX first.",
)

int_div = elementwise(
    "int_div",
    2,
    dtype=numbers,
    numpy="np.floor_divide({0}, {1}, {out})",
    opencl="floordiv({0}, {1})",
    python={"int": "{0} // {1} if {1} else 0"},
    vjp=lambda g, out, x, y: [zero_for(x), zero_for(y)],
    weight=6,
    reference=np.floor_divide,
    domain=(REALS, NONZERO),
    formula="{0} // {1}",
    precedence=70,
    doc="x // y, rounded towards minus infinity as in Python; integer division by 0 gives 0.",
)

mod = elementwise(
    "mod",
    2,
    dtype=numbers,
    numpy="np.remainder({0}, {1}, {out})",
    opencl="floormod({0}, {1})",
    python={"int": "{0} % {1} if {1} else 0"},
    vjp=lambda g, out, x, y: [g, -g * int_div(x, y)],
    weight=6,
    reference=np.remainder,
    domain=(REALS, NONZERO),
    formula="{0} % {1}",
    precedence=70,
    doc="x % y with the sign of y, as in Python; integer remainder by 0 is 0.",
)


def _pow_vjp(g: Node, out: Node, x: Node, y: Node) -> list[Node]:
    # 0 * inf at x = 0, y = 0 and log of 0 or less are kept out by choosing before computing
    dx = g * y * pow(x, where(eq(y, 0), 1, y - 1))
    dy = g * out * apply(OPS["log"], where(gt(x, 0), x, 1))
    return [dx, dy]


pow = elementwise(
    "pow",
    2,
    dtype=numbers,
    numpy="np.power({0}, {1}, {out})",
    opencl="power({0}, {1})",
    vjp=_pow_vjp,
    weight=20,
    reference=np.power,
    domain=(POSITIVE, REALS),
    formula="{0} ** {1}",
    precedence=90,
    doc="x ** y; an integer to a negative integer power is an error, as in NumPy.",
)

sqr = elementwise(
    "sqr",
    1,
    dtype=counted,
    numpy="np.square({0}, {out})",
    opencl="({0} * {0})",
    python="{0} * {0}",
    vjp=lambda g, out, x: [g * x * 2],
    weight=2,
    reference=np.square,
    formula="{0} ** 2",
    precedence=90,
    doc="x ** 2; int8 for bool, as in NumPy.",
)

abs_ = elementwise(
    "abs",
    1,
    numpy="np.absolute({0}, {out})",
    opencl={"float": "fabs({0})", "int": "as_{T}(abs({0}))", "uint": "{0}", "bool": "{0}"},
    python="abs({0})",
    vjp=lambda g, out, x: [g * sgn(x)],
    traits=(Trait.IDEMPOTENT,),
    weight=2,
    reference=np.absolute,
    domain=NONZERO,
    formula="|{0}|",
    doc="The absolute value; its derivative at 0 is taken as 0.",
)

sgn: Builder = elementwise(
    "sgn",
    1,
    dtype=numbers,
    numpy="np.sign({0}, {out})",
    opencl="sgn({0})",
    vjp=lambda g, out, x: [zero_for(x)],
    traits=(Trait.IDEMPOTENT, Trait.MONOTONE),
    weight=2,
    reference=np.sign,
    domain=NONZERO,
    doc="-1, 0 or 1 by the sign of x; NaN for NaN.",
)


def _ties(g: Node, wins: Node, tie: Node) -> Node:
    """Return the share of the gradient that goes to an operand: all, half at a tie, or none."""
    return where(wins, g, where(tie, g * 0.5, 0))  # type: ignore[no-any-return]


maximum = elementwise(
    "maximum",
    2,
    numpy="np.maximum({0}, {1}, out={out})",
    python={"int": "max({0}, {1})"},
    opencl={"": "max_nan({0}, {1})", "bool": "({0} | {1})"},
    vjp=lambda g, out, x, y: [_ties(g, x > y, eq(x, y)), _ties(g, x < y, eq(x, y))],
    traits=_LATTICE,
    weight=2,
    reference=np.maximum,
    doc="The larger of x and y; NaN wins. At a tie the gradient is split evenly.",
)

minimum = elementwise(
    "minimum",
    2,
    numpy="np.minimum({0}, {1}, out={out})",
    python={"int": "min({0}, {1})"},
    opencl={"": "min_nan({0}, {1})", "bool": "({0} & {1})"},
    vjp=lambda g, out, x, y: [_ties(g, x < y, eq(x, y)), _ties(g, x > y, eq(x, y))],
    traits=_LATTICE,
    weight=2,
    reference=np.minimum,
    doc="The smaller of x and y; NaN wins. At a tie the gradient is split evenly.",
)


def _clip_vjp(g: Node, out: Node, x: Node, low: Node, high: Node) -> list[Node]:
    inside = (x >= low) & (x <= high)
    return [
        where(inside, g, 0),
        where((x < low) & (low <= high), g, 0),
        where((x > high) | (low > high), g, 0),
    ]


clip = elementwise(
    "clip",
    3,
    dtype=numbers,
    numpy="np.clip({0}, {1}, {2}, {out})",
    opencl="min_nan(max_nan({0}, {1}), {2})",
    vjp=_clip_vjp,
    weight=4,
    reference=np.clip,
    domain=(Domain(-3.0, 3.0, kinks=(-1.0, 1.0)), Domain(-1.0, -1.0), Domain(1.0, 1.0)),
    doc="x limited to [low, high]; its gradient passes where x is inside, ends included.",
)

# -- comparison -----------------------------------------------------------------------------------


def _comparison(
    name: str, symbol: str, numpy_name: str, *, c_name: str = "", commutative: bool = False
) -> Any:
    return elementwise(
        name,
        2,
        numpy=f"np.{numpy_name}({{0}}, {{1}}, {{out}})",
        opencl=f"{c_name or name}({{0}}, {{1}})",
        python=f"{{0}} {symbol} {{1}}",
        result="bool",
        vjp=lambda g, out, x, y: [None, None],
        traits=(Trait.COMMUTATIVE,) if commutative else (),
        reference=getattr(np, numpy_name),
        formula=f"{{0}} {symbol} {{1}}",
        precedence=30,
        doc=f"x {symbol} y, elementwise, as bool.",
    )


lt = _comparison("lt", "<", "less")
le = _comparison("le", "<=", "less_equal")
gt = _comparison("gt", ">", "greater")
ge = _comparison("ge", ">=", "greater_equal")
eq: Builder = _comparison("eq", "==", "equal", commutative=True)
neq = _comparison("neq", "!=", "not_equal", c_name="ne", commutative=True)

# -- logic and bits -------------------------------------------------------------------------------


def _logic(name: str, symbol: str, numpy_name: str, precedence: int, traits: Any) -> Any:
    return elementwise(
        name,
        2,
        dtype=bits,
        numpy=f"np.{numpy_name}({{0}}, {{1}}, {{out}})",
        opencl=f"({{0}} {symbol} {{1}})",
        python=f"{{0}} {symbol} {{1}}",
        vjp=lambda g, out, x, y: [None, None],
        traits=traits,
        reference=getattr(np, numpy_name),
        formula=f"{{0}} {symbol} {{1}}",
        precedence=precedence,
        doc=f"x {symbol} y: logical for bool, bit by bit for integers.",
    )


and_ = _logic("and_", "&", "bitwise_and", 50, _LATTICE)
or_ = _logic("or_", "|", "bitwise_or", 40, _LATTICE)
xor = _logic("xor", "^", "bitwise_xor", 45, _RING)

invert = elementwise(
    "invert",
    1,
    dtype=bits,
    numpy="np.invert({0}, {out})",
    opencl={"": "(~{0})", "bool": "({0} ^ ({T})(1))"},
    vjp=lambda g, out, x: [None],
    reference=np.invert,
    formula="~{0}",
    precedence=80,
    doc="Logical not for bool, all bits flipped for integers.",
)


def _shift(name: str, symbol: str, c_name: str, doc: str) -> Any:
    return elementwise(
        name,
        2,
        dtype=shifted,
        numpy=f"np.{name}({{0}}, {{1}}, {{out}})",
        opencl=f"{c_name}({{0}}, {{1}})",
        vjp=lambda g, out, x, y: [None, None],
        weight=2,
        reference=getattr(np, name),
        domain=(REALS, Domain(0, 3)),
        formula=f"{{0}} {symbol} {{1}}",
        precedence=55,
        doc=doc,
    )


left_shift = _shift("left_shift", "<<", "shift_left", "x * 2 ** y; the bits that leave are lost.")
right_shift = _shift("right_shift", ">>", "shift_right", "x // 2 ** y; the sign is kept.")

# -- choice ---------------------------------------------------------------------------------------

where: Builder = elementwise(
    "where",
    3,
    dtype=chosen,
    numpy="choose({0}, {1}, {2}, {out})",
    opencl="where({0}, {1}, {2})",
    python="{1} if {0} else {2}",
    vjp=lambda g, out, c, x, y: [None, where(c, g, 0), where(c, 0, g)],
    weight=3,
    reference=np.where,
    domain=(Domain(0, 1, integers=True), REALS),
    doc="x where the condition holds, y elsewhere. Both are computed.",
)

# -- casts ----------------------------------------------------------------------------------------


def _prepare_cast(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    attrs["dtype"] = dtypes.canonical(attrs["dtype"])
    return (as_node(args[0]),)


def _infer_cast(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    return inputs[0].type.with_dtype(attrs["dtype"])


def _cast_vjp(g: Node, out: Node, x: Node) -> list[Node | None]:
    return [None if dtypes.is_discrete(out.dtype) or dtypes.is_discrete(x.dtype) else g]


_cast = builder(
    register(
        Op(
            name="cast",
            kind=Kind.ELEMENTWISE,
            attrs=("dtype",),
            infer=_infer_cast,
            dims=broadcast_dims,
            prepare=_prepare_cast,
            checks=broadcast_checks,
            vjp=_cast_vjp,
            code={
                "numpy": "convert({0}, {out})",
                "python": "{dtype}({0})",
                "opencl": "(({T})({0}))",
                "opencl:bool": "(({T})({0} != 0))",
            },
            reference=lambda x, dtype: np.asarray(x).astype(dtype),
            formula="{dtype}({0})",
            doc="The same numbers in another dtype, as NumPy's astype.",
            details={"arity": 1},
        )
    )
)


def cast(x: Any, dtype: Any) -> Any:
    """Return x converted to another dtype, x itself if it has it already.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.cast(T.lvector("i"), "float32")
    float32(i)
    """
    dtype = dtypes.canonical(dtype)
    if isinstance(x, Node) and x.type.dtype == dtype:
        return x
    return _cast(x, dtype=dtype)
