"""Left sides of rules as expressions, for the tests that walk the table of rules.

A rule with both sides written down makes its own example: variables become inputs, attributes take
values from `ATTRS`. A procedure needs an entry in `PROCEDURES`; without one its test fails and
says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import graphc.tensor as T
from graphc.errors import GraphcError
from graphc.ir import dtypes
from graphc.ir.node import Node, apply, const, input_node
from graphc.ir.op import OPS, Domain
from graphc.ir.shapes import sizes
from graphc.ir.types import TensorType
from graphc.ops import decompositions as rows
from graphc.ops import index, linalg, movement, reduce
from graphc.ops.movement import dimshuffle, expand, fill
from graphc.ops.parts import join, make_vector, put, slice_axes
from graphc.ops.results import pack
from graphc.rewrite.pattern import Application, Number, Variable, parts
from graphc.rewrite.pipeline import PIPELINE
from graphc.rewrite.rule import Rule
from rewrite.loop_samples import LOOPS

RULES = list(dict.fromkeys(rule for phase in PIPELINE for rule in phase.rules))
TWO_SIDED = [rule for rule in RULES if rule.left is not None]
ONE_SIDED = [rule for rule in RULES if rule.left is None]

DTYPES = ("float64", "float32", "int64", "int8", "uint8", "bool")
SHAPE = (3, 4)
POSITIVE = Domain(0.1, 3.0, kinks=(1.0,))
REALS = Domain(-3.0, 3.0, kinks=(0.0, 1.0))

# What the attributes of a rule may be, where the first choice below does not do.
ATTRS: dict[str, dict[str, Any]] = {
    "dimshuffle_dimshuffle": {"p": (1, -1, 0), "q": (2, 0, 1, -1)},
    **{f"{name}_{name}": {"p": (1,), "q": (0,)} for name in ("sum", "prod", "max", "min")},
    "any_any": {"p": (1,), "q": (0,)},
    "all_all": {"p": (1,), "q": (0,)},
    "softmax_intro": {"p": (1,), "q": (0, -1)},
    "log_softmax_intro": {"p": (0,), "q": (-1, 0)},
    "softmax_of_all": {"p": (0, 1)},
    "log_softmax_of_all": {"p": (0, 1)},
    "cast_cast": {"s": "float64", "t": "float32"},
}
FIRST = {"axes": (1,), "axis": 1, "pattern": (1, 0), "dtype": "int64"}

# Constants for rules whose right side depends on them.
CONSTANTS = {
    "int_div_multiple": {"c": 6, "d": 3},
    "mod_multiple": {"c": 6, "d": 3},
    "div_power_of_two": {"c": 4},
    "maximum_moved": {"c": 0, "d": -1, "e": 0},
}

# Shapes of variables, and the sizes that a rest of inputs stands for.
SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "reshape_reshape": {"x": (3, 4), "s": (4, 3), "t": (2, 6)},
    **{f"ifelse_{name}": {"c": ()} for name in ("same", "not", "ifelse_left", "ifelse_right")},
    "dot_neg_left": {"x": (3, 4), "y": (4,)},
    "dot_neg_right": {"x": (3, 4), "y": (4, 2)},
}


class Unfit(Exception):
    """A rule that has no example in a dtype."""


def variables(rule: Rule) -> dict[str, str]:
    """Return the sorts of a rule's variables that stand for nodes."""
    assert rule.left is not None
    return {
        part.name: part.sort
        for part in parts(rule.left)
        if isinstance(part, Variable) and part.sort not in ("Attr", "Rest")
    }


def suits(sort: str, dtype: str) -> bool:
    kind = dtypes.kind(dtype)
    allowed = {
        "Float": ("float",),
        "Integer": ("int", "uint"),
        "Signed": ("int", "float"),
        "Boolean": ("bool",),
        "Discrete": ("int", "uint", "bool"),
    }
    return kind in allowed.get(sort, (kind,))


def left_side(rule: Rule, dtype: str, shape: tuple[int | None, ...] = SHAPE) -> Node:
    """Return the left side of a rule over fresh inputs and constants of a dtype.

    Raises
    ------
    Unfit
        If the rule, or an op in it, is not for this dtype.
    """
    bound: dict[str, Any] = dict(ATTRS.get(rule.name, {}))
    for name, sort in variables(rule).items():
        if not suits(sort, dtype):
            raise Unfit
        if sort == "Const":
            bound[name] = const(CONSTANTS.get(rule.name, {}).get(name, 2), dtype)
        else:
            own = SHAPES.get(rule.name, {}).get(name, () if sort == "Scalar" else shape)
            bound[name] = input_node(TensorType(dtype, own), name)
    for name, values in SHAPES.get(rule.name, {}).items():
        bound.setdefault(name, movement.size_nodes(values))
    try:
        return _build(rule.left, bound, dtype)  # type: ignore[no-any-return]
    except GraphcError:
        raise Unfit from None


def _build(pattern: Any, bound: dict[str, Any], dtype: str, attr: str = "") -> Any:
    if isinstance(pattern, Variable):
        if attr:
            return bound.get(pattern.name, FIRST[attr])
        return bound[pattern.name]
    if isinstance(pattern, Number):
        return _number(pattern.value, dtype)
    if not isinstance(pattern, Application):
        return pattern
    args: list[Any] = []
    for arg in pattern.args:
        if isinstance(arg, Variable) and arg.sort == "Rest":
            args += bound[arg.name]
        else:
            args.append(_build(arg, bound, dtype))
    attrs = {name: _build(value, bound, dtype, name) for name, value in pattern.attrs.items()}
    return apply(pattern.op, *args, **attrs)


def _number(value: Any, dtype: str) -> Any:
    if type(value) is not bool and dtype == "bool":
        return bool(value)
    return value


def domain(rule: Rule) -> Domain:
    """Return where the variables of a rule are sampled."""
    return POSITIVE if rule.assumes else REALS


# -- procedures -----------------------------------------------------------------------------------


def _x(shape: tuple[int | None, ...] = SHAPE, dtype: str = "float64", name: str = "x") -> Node:
    return input_node(TensorType(dtype, shape), name)


def _ints(*names: str) -> list[Node]:
    return [_x((3,), "int64", name) for name in names]


def _floats(*names: str) -> list[Node]:
    return [_x((3,), "float64", name) for name in names]


x, y = _floats("x", "y")
i, j = _ints("i", "j")
m, n = _x((3, 4), name="m"), _x((3, 4), name="n")
u = _x((None, None), name="u")
v = _x((None,), name="v")
row, col = _x((1, 4), name="row"), _x((3, 1), name="col")
s = _x((), name="s")
c = _x((), name="c")
square = T.dot(m, m.T) + T.eye(3) * 2
cube = _x((2, 3, 3), name="cube")
stack = linalg.matmul(cube, dimshuffle(cube, (0, 2, 1))) + T.eye(3)

ROUNDINGS = (T.floor, T.ceil, T.trunc, T.round)

PROCEDURES: dict[str, list[Callable[[], Node]]] = {
    "fold": [
        lambda: T.exp(const(2.0)) + x,
        lambda: T.sum(const(np.arange(6.0))) * x,
        lambda: T.nnet.softmax(const(np.arange(6.0).reshape(2, 3))),
    ],
    "rounding_of_whole": [
        *[lambda a=a, b=b: a(b(x)) for a in ROUNDINGS for b in ROUNDINGS],
        lambda: apply(OPS["floor"], T.cast(T.ivector("i"), "float64")),
    ],
    "fold_view": [
        lambda: dimshuffle(const(np.arange(6.0).reshape(2, 3)), (1, 0)),
        lambda: slice_axes(const(np.arange(6.0)), [0], [1], [2], [2]),
    ],
    "get_pack": [lambda: apply(OPS["get"], pack([x, m]), index=0) + x],
    "uniform": [lambda: const(np.ones((3,))), lambda: x * const(np.full((3,), 2.0))],
    "cast_to_own": [lambda: apply(OPS["cast"], x, dtype="float64")],
    "dimshuffle_identity": [lambda: apply(OPS["dimshuffle"], m, pattern=(0, 1))],
    "dimshuffle_expand": [
        lambda: dimshuffle(expand(row, (3, 4)), (1, 0)),
        lambda: dimshuffle(expand(s, (3, 4)), (1, -1, 0)),
    ],
    "expand_expand": [
        lambda: apply(OPS["expand"], expand(row, (3, 4)), const(3), const(4)),
        lambda: expand(expand(s, (1, 4)), (3, 4)),
    ],
    "expand_nothing": [lambda: apply(OPS["expand"], m, const(3), const(4))],
    "elementwise_expand": [
        lambda: m + expand(row, (3, 4)),
        lambda: T.exp(expand(s, sizes(u))),
        lambda: expand(row, (3, 4)) * expand(col, (3, 4)),
        lambda: T.switch(expand(s, (3, 4)) > 0, m, expand(c, (3, 4))),
    ],
    "fill_is_expand": [lambda: fill(u, 2.0), lambda: fill(u, s)],
    "elementwise_dimshuffle": [
        lambda: T.log(dimshuffle(x, (0, -1))) + 1.0,
        lambda: dimshuffle(x, (-1, 0)) * dimshuffle(y, (-1, 0)) * s,
    ],
    "reshape_is_dimshuffle": [
        lambda: movement.reshape(x, (3, 1)),
        lambda: movement.reshape(expand(s, (3, 4)), (12,)),
    ],
    "slice_everything": [lambda: slice_axes(m, [0, 1], [0, 1], [3, 2], [1, 1])],
    "slice_slice": [
        lambda: slice_axes(slice_axes(x, [0], [2], [3], [-1]), [0], [1], [2], [1]),
        lambda: slice_axes(slice_axes(m, [0], [1], [2], [1]), [1], [1], [2], [2]),
    ],
    "slice_expand": [
        lambda: slice_axes(expand(row, (3, 4)), [0, 1], [1, 1], [2, 2], [1, 2]),
        lambda: slice_axes(expand(s, (3, 4)), [1], [1], [2], [2]),
    ],
    "slice_of_vector": [lambda: slice_axes(make_vector(s, c, s * c), [0], [2], [2], [-2])],
    "only_element": [
        lambda: dimshuffle(make_vector(s), ()),
        lambda: dimshuffle(make_vector(s), (-1, 0)),
    ],
    "slice_join": [
        lambda: slice_axes(join(0, [x, y]), [0], [3], [3], [1]),
        lambda: slice_axes(join(0, [x, y]), [0], [5], [2], [-1]),
        lambda: slice_axes(join(0, [v, x]), [0], [sizes(v)[0]], [3], [1]),
    ],
    "slice_put": [
        lambda: slice_axes(put(x, y[:2], [0], [1], [1]), [0], [1], [2], [1]),
        lambda: slice_axes(put(x, y[:2], [0], [1], [1]), [0], [2], [2], [-1]),
        lambda: put(x, y[:2], [0], [1], [1])[:1],
        lambda: slice_axes(
            put(T.zeros(sizes(v)[0] + 1), v, [0], [1], [1]),
            [0],
            [sizes(v)[0]],
            [sizes(v)[0]],
            [-1],
        ),
    ],
    "join_join": [lambda: join(0, [join(0, [x, y]), x]), lambda: apply(OPS["join"], x, axis=0)],
    "reduce_nothing": [
        lambda: reduce.sum(x, axes=()),
        lambda: reduce.max(_x((3, 1, 4)), axes=(1,)),
        lambda: reduce.prod(col, axes=(1,)),
    ],
    "reduce_dimshuffle": [
        lambda: reduce.sum(dimshuffle(_x((2, 3, 4)), (2, 0, 1)), axes=(0,)),
        lambda: reduce.max(dimshuffle(m, (1, -1, 0)), axes=(0,)),
        lambda: reduce.sum(dimshuffle(_x((3, 1, 4)), (2, 0)), axes=(0,)),
    ],
    "reduce_expand": [
        lambda: reduce.sum(expand(row, (3, 4)), axes=(0,)),
        lambda: reduce.sum(expand(row, (3, 4)), axes=(0, 1)),
        lambda: reduce.sum(expand(s, sizes(u)), axes=(1,)),
        lambda: reduce.prod(expand(s, (3, 4)), axes=(0, 1)),
        lambda: reduce.max(expand(col, (3, 4)), axes=(1,)),
    ],
    "sum_of_rows": [
        lambda: reduce.sum(m * row, axes=(0,)),
        lambda: reduce.sum(col * m, axes=(1,)),
    ],
    "collect_integer_terms": [
        lambda: i + j + i,
        lambda: i * 2 - j - i * 3 + j * 5,
        lambda: (i + 2) - (j + 5),
        lambda: 3 - (i + 1),
    ],
    "collect_terms": [
        lambda: x + x,
        lambda: x * 2 + y + x * 3 - y,
        lambda: (x + 1) + (y + 2),
        lambda: 1 - (x + 2),
        lambda: s + x + s,
    ],
    "collect_integer_factors": [lambda: i * j * i, lambda: i * 2 * j * 3],
    "collect_factors": [
        lambda: x * y * x,
        lambda: x * y / x,
        lambda: x / (y * x),
        lambda: 2 * x * 3 / y,
        lambda: x * 2 / 6,
        lambda: T.sqrt(x) * y * x / T.sqrt(x),
        lambda: x**2.3 * x,
    ],
    "small_powers": [lambda: x**3, lambda: x**-2, lambda: x**7, lambda: x**1.5, lambda: i**5],
    "scalars_outwards": [lambda: (x * s) * y, lambda: (x * s) * c, lambda: (x / s) * y],
    "common_scalar": [lambda: x * s + y * s, lambda: x / s - y / s],
    "scale_terms": [
        lambda: (x * s - y * c) * _x((), name="d"),
        lambda: (x * s + y / c) * _x((), name="d"),
    ],
    "dot_scaled": [lambda: T.dot(m * s, n.T), lambda: T.dot(m, n.T / s)],
    "dot_transposed": [lambda: T.dot(m.T, x), lambda: T.dot(x, dimshuffle(n.T, (1, 0)).T.T)],
    "dot_expand": [
        lambda: T.dot(m, expand(s, (4, 2))),
        lambda: T.dot(m, expand(row[:, :2], (4, 2))),
        lambda: T.dot(expand(col, (3, 4)), n.T),
        lambda: T.dot(expand(s, (2, 3)), m),
        lambda: T.dot(expand(s, (3,)), m),
        lambda: T.dot(m.T, expand(s, (3,))),
        lambda: T.dot(x, expand(row, (3, 4))),
        lambda: T.dot(x, expand(s, (3,))),
        lambda: T.dot(expand(col, (3, 3)), x),
    ],
    "diagonal_of_product": [
        lambda: T.diagonal(T.dot(m, n.T)),
        lambda: T.diagonal(T.dot(m.T, m * 2)),
        lambda: T.diagonal(T.dot(u, u.T)),
    ],
    "inverse_as_solution": [
        lambda: T.dot(rows.inv(square), x),
        lambda: T.dot(rows.inv(square), m),
        lambda: T.dot(y, rows.inv(square)),
        lambda: T.dot(n.T, rows.inv(square)),
        lambda: linalg.matmul(rows.inv(stack), dimshuffle(stack, (0, 2, 1))),
        lambda: linalg.matmul(stack * 2, rows.inv(stack)),
    ],
    "inverse_of_inverse": [lambda: rows.inv(rows.inv(square)), lambda: rows.inv(rows.inv(stack))],
    "log_of_size_of_determinant": [lambda: T.log(abs(rows.det(-square)))],
    "log_of_determinant": [lambda: T.log(rows.det(square)), lambda: T.log(rows.det(stack))],
    "slice_elementwise": [
        lambda: T.sqr(join(0, [x, y]) * 2)[1:3],
        lambda: (T.sqr(join(0, [v, x, v])) * T.arange(13))[sizes(v)[0] + 1 :],
        lambda: (join(0, [m, n]) * row + col[:1])[3:5],
        lambda: (join(1, [m, n]) * join(0, [x, x])[:3].dimshuffle(0, "x"))[:, 4:],
    ],
    "puts_are_join": [
        lambda: put(put(m, n[:1], [0], [2], [1]), n[:2], [0], [0], [1]),
        lambda: put(
            put(put(m, col, [1], [3], [1]), col * 2, [1], [0], [1]), n[:, 1:3], [1], [1], [1]
        ),
    ],
    "put_everything": [lambda: put(x, y * 2, [0], [0], [1])],
    "part_noted": [lambda: index.note_part(x[1:], x)],
    "gather_everything": [
        lambda: index.gather(v, [T.arange(v.shape[0])]),
        lambda: index.gather(m, [T.arange(4)], 1),
    ],
    "gather_is_slice": [
        lambda: index.gather(m, [const(np.array([1, 2, 3]))], 1),
        lambda: index.gather(m, [const(np.array([2, 0], "int8"))]),
        lambda: index.gather(m, [const(np.array([-1, -3]))]),
        lambda: index.gather(m, [T.arange(2)]),
        lambda: index.gather(m, [const(np.zeros(0, "int64"))]),
    ],
    "add_at_places": [
        lambda: x + index.scatter_add(expand(const(0.0), (3,)), y[:2], [const(np.array([2, 2]))]),
        lambda: index.scatter_add(expand(const(0.0), (3, 4)), n[:, 0], [T.arange(3), j % 3]) + m,
    ],
    "subtract_at_places": [
        lambda: x - index.scatter_add(expand(const(0.0), (3,)), y[:2], [const(np.array([2, 2]))]),
    ],
    "scale_at_places": [
        lambda: index.scatter_add(expand(const(0.0), (3,)), y[:2], [const(np.array([2, 2]))]) * s,
        lambda: s * index.scatter_add(expand(const(0.0), (3, 4)), m[:, :2], [j[:2] % 4], axis=1),
        lambda: -index.scatter_add(expand(const(0.0), (3,)), y, [j % 3]),
        lambda: index.scatter_add(expand(const(0.0), (3,)), y, [j % 3]) / s,
    ],
    "place_of_monotone": [
        lambda: T.argmax(T.nnet.softmax(m), axis=1),
        lambda: T.argmin(T.exp(m), axis=0),
    ],
    "softmax_shift": [
        lambda: T.nnet.softmax(m - T.max(m, axis=1, keepdims=True)),
        lambda: T.nnet.logsoftmax(col + m),
        lambda: T.nnet.logsoftmax(m - s),
    ],
    "log_of_view": [
        lambda: T.log(T.nnet.softmax(m).T),
        lambda: T.log(T.nnet.sigmoid(m)[1:, 0]),
        lambda: T.log(T.exp(m).reshape((12,))),
        lambda: T.log(T.nnet.softmax(m)[T.arange(3), j % 3]),
    ],
    "one_minus_view": [
        lambda: 1 - T.nnet.sigmoid(m)[0],
        lambda: 1 - T.nnet.sigmoid(m)[[0, 2, 2]],
    ],
    "log_of_exps": [lambda: T.log(T.exp(x) + T.exp(y)), lambda: T.log(T.exp(m) + T.exp(s))],
    "log_sqr": [lambda: T.log(T.sqr(x))],
    **LOOPS,
}


def examples() -> Iterator[tuple[str, Rule, int]]:
    """Yield an id, the procedure and the place of each of its examples."""
    for rule in ONE_SIDED:
        for place in range(len(PROCEDURES.get(rule.name, ()))):
            yield f"{rule.name}-{place}", rule, place
