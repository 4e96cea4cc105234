"""Nodes: immutable, interned applications of ops.

`make` looks ``(op, inputs, attrs, type)`` up in a table of weak references and returns the node
that is there. So equality is ``is``, a common subexpression does not exist twice, and any analysis
is a dictionary keyed by node.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
import uuid
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from graphc.config import config
from graphc.errors import GraphcTypeError, NotSupportedError, message
from graphc.ir import dtypes
from graphc.ir.op import OPS, Kind, Op, register
from graphc.ir.source import Location, here
from graphc.ir.types import LANGUAGE, NO_ATTRS, Attrs, TensorType, TupleType, Type


def _binary(name: str) -> Any:
    def method(self: Expression, other: Any) -> Any:
        return apply(OPS[name], self, other)

    return method


def _reflected(name: str) -> Any:
    def method(self: Expression, other: Any) -> Any:
        return apply(OPS[name], other, self)

    return method


class Expression:
    """What has operators: nodes here, patterns in ``rewrite/``."""

    __slots__ = ()

    __add__, __radd__ = _binary("add"), _reflected("add")
    __sub__, __rsub__ = _binary("sub"), _reflected("sub")
    __mul__, __rmul__ = _binary("mul"), _reflected("mul")
    __truediv__, __rtruediv__ = _binary("true_div"), _reflected("true_div")
    __floordiv__, __rfloordiv__ = _binary("int_div"), _reflected("int_div")
    __mod__, __rmod__ = _binary("mod"), _reflected("mod")
    __pow__, __rpow__ = _binary("pow"), _reflected("pow")
    __and__, __rand__ = _binary("and_"), _reflected("and_")
    __or__, __ror__ = _binary("or_"), _reflected("or_")
    __xor__, __rxor__ = _binary("xor"), _reflected("xor")
    __lshift__, __rlshift__ = _binary("left_shift"), _reflected("left_shift")
    __rshift__, __rrshift__ = _binary("right_shift"), _reflected("right_shift")
    __lt__, __le__ = _binary("lt"), _binary("le")
    __gt__, __ge__ = _binary("gt"), _binary("ge")

    def __neg__(self) -> Any:
        return apply(OPS["neg"], self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return apply(OPS["abs"], self)

    def __invert__(self) -> Any:
        return apply(OPS["invert"], self)

    @staticmethod
    def construct(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        """Build what this kind of expression is made of."""
        raise NotImplementedError


class Node(Expression):
    """An application of an op to nodes: a value in the graph.

    Attributes
    ----------
    op, inputs, attrs, type
        What it is; two live nodes never agree in all four.
    serial : int
        Creation number: the last resort where an order is needed.
    where : Location or None
        The user's line that first built it.
    name : str or None
        For people: messages, printing, pictures, keyword calls.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_sizes",
        "attrs",
        "inputs",
        "name",
        "op",
        "serial",
        "type",
        "where",
    )
    op: Op
    inputs: tuple[Node, ...]
    attrs: Attrs
    type: TensorType
    serial: int
    where: Location | None
    name: str | None
    _sizes: tuple[Any, ...] | None

    if TYPE_CHECKING:  # methods of the language, found by name in LANGUAGE when called

        def __getattr__(self, name: str) -> Any: ...

    @staticmethod
    def construct(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Node:
        """Prepare the inputs, infer the type, and make the node."""
        inputs = op.prepare(op, args, attrs)
        frozen = Attrs(attrs) if attrs else NO_ATTRS
        return make(op, inputs, frozen, op.infer(inputs, frozen), here())

    @property
    def dtype(self) -> str:
        """The dtype's name."""
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """The number of axes; always known."""
        return self.type.ndim

    @property
    def broadcastable(self) -> tuple[bool, ...]:
        """For each axis, whether its size is known to be 1, so that it broadcasts."""
        return self.type.broadcastable

    @property
    def tag(self) -> SimpleNamespace:
        """A place for a program's own notes about this expression."""
        found: SimpleNamespace = self.__dict__.setdefault("tag", SimpleNamespace())
        return found

    @property
    def T(self) -> Node:
        """The transposed array."""
        return LANGUAGE["transpose"](self)  # type: ignore[no-any-return]

    @property
    def shape(self) -> Node:
        """The sizes, as a vector of int64."""
        return LANGUAGE["shape"](self)  # type: ignore[no-any-return]

    @property
    def size(self) -> Node:
        """The number of elements."""
        return LANGUAGE["size"](self)  # type: ignore[no-any-return]

    def __getitem__(self, index: Any) -> Node:
        return LANGUAGE["getitem"](self, index)  # type: ignore[no-any-return]

    def __setitem__(self, index: Any, value: Any) -> None:
        what = "an expression does not change: there is no x[index] = value"
        raise _no_number(self, what, "x = T.set_subtensor(x[index], value), or T.inc_subtensor")

    def __matmul__(self, other: Any) -> Node:
        return LANGUAGE["matmul"](self, other)  # type: ignore[no-any-return]

    def __rmatmul__(self, other: Any) -> Node:
        return LANGUAGE["matmul"](other, self)  # type: ignore[no-any-return]

    def __rdivmod__(self, other: Any) -> tuple[Node, Node]:
        return other // self, other % self

    def __divmod__(self, other: Any) -> tuple[Node, Node]:
        return self // other, self % other

    def __len__(self) -> int:
        if self.ndim == 0 or self.type.shape[0] is None:
            raise _no_number(self, "its length is not known before the call", "x.shape[0]")
        return self.type.shape[0]

    def __iter__(self) -> Iterator[Node]:
        if self.ndim == 0:
            raise _no_number(self, "cannot iterate over a scalar", "the scalar itself")
        if self.type.shape[0] is None:
            raise _no_number(
                self,
                "cannot iterate over an axis whose length is not known before the call",
                "x.sum(axis=0) and the like for all of it at once, or declare its length",
            )
        return iter([self[i] for i in range(self.type.shape[0])])

    def __bool__(self) -> bool:
        value = number(self)
        if value is None:
            hint = "T.switch(condition, a, b), which chooses at every point;"
            hint += "\nT.and_, T.or_ and T.eq in place of and, or and =="
            if self.type.dtype != "bool":
                hint += ";\nx is not None, to ask whether there is an expression"
            raise _no_number(self, "a symbolic expression has no truth value before the call", hint)
        return bool(value)

    def __int__(self) -> int:
        return int(self._known_number("int"))

    def __index__(self) -> int:
        value = self._known_number("an index")
        if not isinstance(value, int):
            raise _no_number(self, f"{value!r} is not a whole number", "an integer")
        return value

    def __float__(self) -> float:
        return float(self._known_number("float"))

    def _known_number(self, what: str) -> bool | int | float:
        value = number(self)
        if value is None:
            raise _no_number(
                self,
                f"a symbolic expression cannot become {what} before the call",
                "graphc.function([...], x) to compute it, or x.eval({...})",
            )
        return value

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        return LANGUAGE["array_ufunc"](self, ufunc, method, args, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return LANGUAGE["array_function"](self, function, args, kwargs)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise _no_number(self, "numpy cannot make an array of an expression", "x.eval({...})")

    def __repr__(self) -> str:
        return LANGUAGE["pp"](self)  # type: ignore[no-any-return]

    def _repr_svg_(self) -> str | None:
        return LANGUAGE["svg"](self)  # type: ignore[no-any-return]

    def __reduce__(self) -> Any:
        return LANGUAGE["pickle"](self)

    def __copy__(self) -> Node:
        return self

    def __deepcopy__(self, memo: Any) -> Node:
        return LANGUAGE["deepcopy"](self, memo)  # type: ignore[no-any-return]


def _method(name: str) -> Any:
    def method(self: Node, *args: Any, **kwargs: Any) -> Any:
        if name not in LANGUAGE:
            raise NotSupportedError(message(f"{name} is not there yet", [operand(self)], here()))
        return LANGUAGE[name](self, *args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"Return ``graphc.tensor.{name}`` of this expression."
    return method


METHODS = [
    "all",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "astype",
    "ceil",
    "choose",
    "clip",
    "conj",
    "copy",
    "cumprod",
    "cumsum",
    "diagonal",
    "dimshuffle",
    "dot",
    "eval",
    "fill",
    "flatten",
    "floor",
    "max",
    "mean",
    "min",
    "nonzero",
    "nonzero_values",
    "norm",
    "ones_like",
    "prod",
    "ptp",
    "ravel",
    "repeat",
    "reshape",
    "round",
    "sort",
    "squeeze",
    "std",
    "sum",
    "swapaxes",
    "take",
    "trace",
    "transpose",
    "trunc",
    "var",
    "zeros_like",
]
for _name in METHODS:
    setattr(Node, _name, _method(_name))
for _name in ("ceil", "floor", "round", "trunc"):
    setattr(Node, f"__{_name}__", _method(_name))


def _no_number(node: Node, what: str, instead: str) -> GraphcTypeError:
    return GraphcTypeError(message(what, [operand(node)], here(), f"use {instead}"))


# -- making nodes ---------------------------------------------------------------------------------


class _Entry(weakref.ref[Node]):
    """A weak reference that knows its key in the table."""

    __slots__ = ("key",)
    key: Any


_table: dict[Any, _Entry] = {}
_lock = threading.RLock()
_serials = itertools.count()


def _forget(entry: _Entry) -> None:
    # a successor may have been stored under the same key meanwhile: leave it
    if _table.get(entry.key) is entry:
        _table.pop(entry.key, None)


def make(
    op: Op, inputs: tuple[Node, ...], attrs: Attrs, type: Type, where: Location | None = None
) -> Node:
    """Return the node with these parts, making it if it does not exist."""
    key = (op, inputs, attrs, type)
    entry = _table.get(key)
    if entry is not None:
        node = entry()
        if node is not None:
            return node
    with _lock:
        entry = _table.get(key)
        node = entry() if entry is not None else None
        if node is None:
            node = object.__new__(Node)
            fill_slots(node, op, inputs, attrs, type, where)
            entry = _Entry(node, _forget)
            entry.key = key
            _table[key] = entry
    return node


def fill_slots(
    node: Node,
    op: Op,
    inputs: tuple[Node, ...],
    attrs: Attrs,
    type: Type,
    where: Location | None,
) -> None:
    """Set every slot of a new node; for `make` and for shared variables."""
    node.op = op
    node.inputs = inputs
    node.attrs = attrs
    node.type = type  # type: ignore[assignment]
    node.serial = next(_serials)
    node.where = where
    node.name = None
    node._sizes = None


def apply(op: Op, *args: Any, **attrs: Any) -> Any:
    """Apply an op to nodes, numbers and arrays; or to patterns, giving a pattern."""
    kind: type[Expression] = Node
    for arg in args:
        if isinstance(arg, Expression) and not isinstance(arg, Node):
            kind = type(arg)
            break
    return kind.construct(op, args, attrs)


def rebuild(node: Node, inputs: tuple[Node, ...]) -> Node:
    """Return the same application over other inputs of the same types or refined ones."""
    if inputs == node.inputs:
        return node
    new_type: Type = node.type
    changed = [new for new, old in zip(inputs, node.inputs, strict=True) if new is not old]
    kinds = zip(inputs, node.inputs, strict=True)
    if any(new.op is CONST for new in changed) or any(a.type is not b.type for a, b in kinds):
        new_type = node.op.infer(inputs, node.attrs)  # sizes may be known now
    return make(node.op, inputs, node.attrs, new_type, node.where)


# -- leaves ---------------------------------------------------------------------------------------


def _no_infer(inputs: tuple[Node, ...], attrs: Attrs) -> Type:
    raise AssertionError("leaves carry their type")


def _own_dims(node: Node) -> tuple[Any, ...]:
    known = node.type.shape
    return tuple(dim(node, axis) if size is None else size for axis, size in enumerate(known))


def dim(node: Node, axis: int) -> Node:
    """Return the size of a leaf along an axis, as a scalar node."""
    return make(DIM, (node,), Attrs({"axis": axis}), _SIZE, node.where)


_SIZE = TensorType("int64", ())


def _leaf(name: str, *attrs: str, doc: str) -> Op:
    return register(
        Op(
            name=name,
            kind=Kind.SOURCE,
            attrs=attrs,
            infer=_no_infer,
            dims=_own_dims,
            weight=0,
            doc=doc,
        )
    )


INPUT = _leaf("input", "token", doc="An argument of a function, told apart by a fresh token.")
CONST = _leaf("const", "value", doc="A number or an array, frozen.")
SHARED = _leaf("shared", "token", doc="A shared variable: its value is read when a call starts.")
PARAM = _leaf("param", "index", doc="A parameter of a closed Graph.")
DIM = _leaf("dim", "axis", doc="The size of an input along an axis, known when a call starts.")


class Token:
    """Identity of an input or a shared variable, kept across pickling."""

    __slots__ = ("__weakref__", "_key")
    _known: ClassVar[weakref.WeakValueDictionary[str, Token]] = weakref.WeakValueDictionary()
    _key: str | None

    def __init__(self, key: str | None = None) -> None:
        self._key = key

    @property
    def key(self) -> str:
        """A name no other token has in any process; made when first asked for."""
        if self._key is None:
            self._key = uuid.uuid4().hex
            Token._known[self._key] = self
        return self._key

    @staticmethod
    def of(key: str) -> Token:
        """Return the live token with this key, or a new one."""
        found = Token._known.get(key)
        if found is None:
            found = Token(key)
            Token._known[key] = found
        return found

    def __reduce__(self) -> Any:
        return Token.of, (self.key,)


class Literal:
    """The frozen value of a constant; equal by dtype, shape and bytes, so NaN equals NaN."""

    __slots__ = ("_key", "array")

    def __init__(self, array: np.ndarray) -> None:
        self.array = np.array(array, order="C", copy=True)
        self.array.setflags(write=False)
        data = self.array.tobytes()
        if len(data) > 64:
            data = hashlib.blake2b(data, digest_size=20).digest()
        self._key = (self.array.dtype.name, self.array.shape, data)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and self._key == other._key

    def __repr__(self) -> str:
        return np.array2string(self.array, threshold=6)

    def __reduce__(self) -> Any:
        return Literal, (self.array,)


def input_node(type: TensorType, name: str | None = None) -> Node:
    """Declare a new input; each call declares another one, even with an equal name."""
    node = make(INPUT, (), Attrs({"token": Token()}), type, here())
    node.name = name
    return node


def param(index: int, type: TensorType) -> Node:
    """Return the parameter of this number and type."""
    return make(PARAM, (), Attrs({"index": index}), type)


_small: dict[Any, Node] = {}


def const(value: Any, dtype: str | None = None) -> Node:
    """Return the constant with this value; an array is copied.

    Parameters
    ----------
    value : number, array or nested list of numbers
        What NumPy can make an array of.
    dtype : str, optional
        Of the constant; by default that of the value, with Python numbers as int64, bool or
        floatX.
    """
    scalar = isinstance(value, (int, float)) and not isinstance(value, np.generic)
    if scalar:
        dtype = dtype or dtypes.number_dtype(value)
        key = (dtype, type(value), value if value else str(value))  # 0.0 and -0.0 differ
        found = _small.get(key)
        if found is not None:
            return found
    node = _const_of_array(value, dtype)
    if scalar and isinstance(value, int) and -16 <= value <= 64:
        _small[key] = node
    return node


def _const_of_array(value: Any, dtype: str | None) -> Node:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise GraphcTypeError(
            message(f"cannot make an array of this: {error}", (), here())
        ) from None
    if array.dtype == object:
        dtypes.refuse_object(value)
    dtypes.canonical(array.dtype)
    if dtype is None and array.dtype.kind == "f" and not hasattr(value, "dtype"):
        dtype = config.floatX  # a list of Python floats
    array = array.astype(dtype or array.dtype.newbyteorder("="), copy=False)
    return make(
        CONST, (), Attrs({"value": Literal(array)}), TensorType(array.dtype.name, array.shape)
    )


def number(node: Node) -> bool | int | float | None:
    """Return the value of a constant scalar as a Python number, None for anything else."""
    if node.op is CONST and node.type.ndim == 0:
        return node.attrs["value"].array.item()  # type: ignore[no-any-return]
    return None


def as_node(value: Any, dtype: str | None = None) -> Node:
    """Return a node for a node, number, array, or nested list with nodes in it."""
    if isinstance(value, Node):
        return value
    if isinstance(value, (list, tuple)) and _holds_node(value):
        return LANGUAGE["stack"](value)  # type: ignore[no-any-return]
    if value is None or isinstance(value, (str, bytes, dict, set)) or callable(value):
        raise GraphcTypeError(
            message(
                f"{value!r} is not something to compute with",
                (),
                here(),
                "give a symbolic expression, a number or an array",
            )
        )
    return const(value, dtype)


def _holds_node(values: Any) -> bool:
    if isinstance(values, (list, tuple)):
        return any(map(_holds_node, values))
    return isinstance(values, Node)


def is_tuple(node: Node) -> bool:
    """Tell whether a node has several results."""
    return isinstance(node.type, TupleType)


def operand(node: Node, label: str | None = None) -> tuple[str, str, Location | None]:
    """Return a node as an operand line of an error message: label, type, place."""
    return label or LANGUAGE["label"](node), repr(node.type), node.where
