"""Declaring symbolic inputs and constants: ``T.matrix("x")``, ``T.dscalars("a b c")``.

A prefix says the dtype: ``b w i l`` for int8, int16, int32 and int64, ``f`` and ``d`` for float32
and float64; without one it is ``config.floatX`` or what ``dtype=`` says. ``T.dmatrix`` and its kin
are types, and calling a type declares an input of it. Shared variables are not here: they hold
values, and belong to ``graphc.shared``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.errors import GraphcTypeError, message
from graphc.ir import dtypes
from graphc.ir.node import CONST, Node, as_node, const, input_node, operand
from graphc.ir.source import here
from graphc.ir.types import Shape, TensorType
from graphc.ops.family import pad_left

Variable = Node
TensorVariable = Node


class _IsConstant(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, Node) and value.op is CONST


class Constant(metaclass=_IsConstant):
    """What ``isinstance(x, T.Constant)`` asks: whether an expression is a constant.

    Constants are made by `constant`; this class has no instances of its own.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> isinstance(T.constant(1.5), T.Constant), isinstance(T.dscalar(), T.Constant)
    (True, False)
    """


TensorConstant = Constant


def variable(type: TensorType, name: str | None = None) -> Node:
    """Declare a symbolic input of a type; each call declares another one.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> variable(T.TensorType("float32", (None, 3)), "x").type
    float32[?, 3]
    """
    if name is not None and not isinstance(name, str):
        raise GraphcTypeError(
            message(f"the name of a variable is a string, not {name!r}", (), here())
        )
    return input_node(type, name)


def constant(x: Any, name: str | None = None, ndim: int | None = None, dtype: Any = None) -> Node:
    """Return a constant: a number or an array that is part of the expression.

    Parameters
    ----------
    x : number, array or nested list of numbers
        Copied, so that later changes to it have no effect.
    name : str, optional
        For messages and pictures. Numbers go by their value.
    ndim : int, optional
        Axes of the constant; new ones are put in front.
    dtype : dtype-like, optional
        By default that of the array; of Python numbers bool, floatX, or the narrowest integer
        that holds it, as in Theano: so that ``T.constant(1) - x`` has the dtype of x.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.constant([1, 2, 3], ndim=2).type
    int64[1, 3]
    >>> T.constant(1).type, (T.constant(1) - T.fscalar("x")).type
    (int8, float32)
    """
    if isinstance(x, Node):
        if x.op is CONST and dtype is None:
            return _with_rank(x, name, ndim)
        raise GraphcTypeError(
            message("a constant is made of numbers", [operand(x)], here(), "use T.cast or x itself")
        )
    if dtype is None and isinstance(x, int) and not isinstance(x, bool):
        dtype = dtypes.narrowest(x)
    return _with_rank(const(x, None if dtype is None else dtypes.canonical(dtype)), name, ndim)


def as_tensor_variable(x: Any, name: str | None = None, ndim: int | None = None) -> Node:
    """Return an expression for x: itself, a constant, or a stack of the expressions in a list.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> a = T.dscalar("a")
    >>> T.as_tensor_variable(a) is a
    True
    >>> T.as_tensor_variable([a, 2.0]).type
    float64[2]
    """
    return _with_rank(as_node(x), name, ndim)


def _with_rank(node: Node, name: str | None, ndim: int | None) -> Node:
    if ndim is not None and ndim < node.type.ndim:
        raise GraphcTypeError(
            message(f"{node.type.ndim} axes cannot become {ndim}", [operand(node)], here())
        )
    if ndim is not None and ndim > node.type.ndim:
        node = pad_left(node, ndim - node.type.ndim)
    if name is not None and node.type.ndim:
        node.name = name
    return node


# -- one variable of a rank -----------------------------------------------------------------------

_SHAPES: tuple[Shape, ...] = (
    (),
    (None,),
    (None, None),
    (1, None),
    (None, 1),
    (None,) * 3,
    (None,) * 4,
    (None,) * 5,
)


def _types(dtype: str) -> list[TensorType]:
    return [TensorType(dtype, shape) for shape in _SHAPES]


bscalar, bvector, bmatrix, brow, bcol, btensor3, btensor4, btensor5 = _types("int8")
wscalar, wvector, wmatrix, wrow, wcol, wtensor3, wtensor4, wtensor5 = _types("int16")
iscalar, ivector, imatrix, irow, icol, itensor3, itensor4, itensor5 = _types("int32")
lscalar, lvector, lmatrix, lrow, lcol, ltensor3, ltensor4, ltensor5 = _types("int64")
fscalar, fvector, fmatrix, frow, fcol, ftensor3, ftensor4, ftensor5 = _types("float32")
dscalar, dvector, dmatrix, drow, dcol, dtensor3, dtensor4, dtensor5 = _types("float64")


def _declare(shape: Shape, name: str | None, dtype: Any) -> Node:
    return variable(TensorType("floatX" if dtype is None else dtype, shape), name)


def scalar(name: str | None = None, dtype: Any = None) -> Node:
    """Declare a number, by default of dtype floatX.

    Examples
    --------
    >>> scalar("a").type
    float64
    """
    return _declare((), name, dtype)


def vector(name: str | None = None, dtype: Any = None) -> Node:
    """Declare a vector, by default of dtype floatX.

    Examples
    --------
    >>> vector("v", dtype="float32").type
    float32[?]
    """
    return _declare((None,), name, dtype)


def matrix(name: str | None = None, dtype: Any = None) -> Node:
    """Declare a matrix, by default of dtype floatX.

    Examples
    --------
    >>> matrix("m").type
    float64[?, ?]
    """
    return _declare((None, None), name, dtype)


def row(name: str | None = None, dtype: Any = None) -> Node:
    """Declare a matrix of one row, which broadcasts over rows.

    Examples
    --------
    >>> row("r").type, row("r").broadcastable
    (float64[1, ?], (True, False))
    """
    return _declare((1, None), name, dtype)


def col(name: str | None = None, dtype: Any = None) -> Node:
    """Declare a matrix of one column, which broadcasts over columns.

    Examples
    --------
    >>> col("c").type
    float64[?, 1]
    """
    return _declare((None, 1), name, dtype)


def tensor3(name: str | None = None, dtype: Any = None) -> Node:
    """Declare an array of three axes, by default of dtype floatX.

    Examples
    --------
    >>> tensor3("t").ndim
    3
    """
    return _declare((None,) * 3, name, dtype)


def tensor4(name: str | None = None, dtype: Any = None) -> Node:
    """Declare an array of four axes, by default of dtype floatX.

    Examples
    --------
    >>> tensor4("images").ndim
    4
    """
    return _declare((None,) * 4, name, dtype)


def tensor5(name: str | None = None, dtype: Any = None) -> Node:
    """Declare an array of five axes, by default of dtype floatX.

    Examples
    --------
    >>> tensor5("volumes").ndim
    5
    """
    return _declare((None,) * 5, name, dtype)


def tensor(
    dtype: Any, shape: Any = None, name: str | None = None, broadcastable: Any = None
) -> Node:
    """Declare an array of any dtype and shape.

    Parameters
    ----------
    dtype : dtype-like
        Or ``"floatX"``.
    shape : sequence of (int, None or bool)
        As for `TensorType`: a size, None where it is unknown; or flags that say which axes have
        size 1.
    name : str, optional

    Examples
    --------
    >>> tensor("int8", (None, 3)).type
    int8[?, 3]
    """
    return variable(TensorType(dtype, shape, broadcastable=broadcastable), name)


# -- several at once ------------------------------------------------------------------------------

Several = Callable[..., list[Node]]


def _several(declare: Callable[..., Any], kind: str) -> Several:
    def declare_several(*names: Any, **options: Any) -> list[Node]:
        return [declare(name, **options) for name in _names(names, kind)]

    declare_several.__name__ = declare_several.__qualname__ = kind
    examples = f"``{kind}('a', 'b')``, ``{kind}('a b')``, ``{kind}('ab')`` or ``{kind}(2)``"
    declare_several.__doc__ = f"Declare several: {examples}."
    return declare_several


def _names(names: tuple[Any, ...], kind: str) -> list[str | None]:
    if len(names) == 1 and isinstance(names[0], int) and not isinstance(names[0], bool):
        return [None] * names[0]
    if len(names) == 1 and isinstance(names[0], (list, tuple)):
        names = tuple(names[0])
    if len(names) == 1 and isinstance(names[0], str) and len(names[0].split()) == 1:
        names = tuple(names[0])  # one name a letter, as in Theano
    found: list[str | None] = []
    for name in names:
        if name is not None and not isinstance(name, str):
            raise GraphcTypeError(
                message(
                    f"{kind} takes names or one count, not {name!r}",
                    (),
                    here(),
                    f"write {kind}('a b'), {kind}('a', 'b') or {kind}(2)",
                )
            )
        found += [None] if name is None else name.split()
    return found


def _plurals(prefix: str, types: list[TensorType]) -> list[Several]:
    return [_several(type, prefix + word) for word, type in zip(_WORDS, types, strict=True)]


_WORDS = ("scalars", "vectors", "matrices", "rows", "cols", "tensor3s", "tensor4s", "tensor5s")

bscalars, bvectors, bmatrices, brows, bcols, btensor3s, btensor4s, btensor5s = _plurals(
    "b", _types("int8")
)
wscalars, wvectors, wmatrices, wrows, wcols, wtensor3s, wtensor4s, wtensor5s = _plurals(
    "w", _types("int16")
)
iscalars, ivectors, imatrices, irows, icols, itensor3s, itensor4s, itensor5s = _plurals(
    "i", _types("int32")
)
lscalars, lvectors, lmatrices, lrows, lcols, ltensor3s, ltensor4s, ltensor5s = _plurals(
    "l", _types("int64")
)
fscalars, fvectors, fmatrices, frows, fcols, ftensor3s, ftensor4s, ftensor5s = _plurals(
    "f", _types("float32")
)
dscalars, dvectors, dmatrices, drows, dcols, dtensor3s, dtensor4s, dtensor5s = _plurals(
    "d", _types("float64")
)

scalars, vectors, matrices = (
    _several(scalar, "scalars"),
    _several(vector, "vectors"),
    _several(matrix, "matrices"),
)
rows, cols = _several(row, "rows"), _several(col, "cols")
tensor3s, tensor4s, tensor5s = (
    _several(tensor3, "tensor3s"),
    _several(tensor4, "tensor4s"),
    _several(tensor5, "tensor5s"),
)

_SINGULAR = ("scalar", "vector", "matrix", "row", "col", "tensor3", "tensor4", "tensor5")

__all__ = [
    "Constant",
    "TensorConstant",
    "TensorType",
    "TensorVariable",
    "Variable",
    "as_tensor_variable",
    "constant",
    "tensor",
    "variable",
]
__all__ += [prefix + word for prefix in ("", *"bwilfd") for word in (*_SINGULAR, *_WORDS)]
