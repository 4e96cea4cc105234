"""Types of values: dtype and static shape, and the frozen attributes of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from graphc.errors import GraphcTypeError, message
from graphc.ir import dtypes
from graphc.ir.source import here

Shape = tuple[int | None, ...]

LANGUAGE: dict[str, Callable[..., Any]] = {}
"""Functions of the user's language by name, filled by ``tensor/``; methods look them up here when
they are called, so that the graph need not import the language."""


class TensorType:
    """Dtype and static shape of a value; equal types are one object.

    Parameters
    ----------
    dtype : dtype-like
        Any form NumPy understands, or ``"floatX"``.
    shape : sequence of (int, None or bool)
        A known size, or None where it is not known before the call. Theano's ``broadcastable``
        flags are accepted too: True is size 1, False unknown.

    Examples
    --------
    >>> TensorType("float32", (None, 3))
    float32[?, 3]
    >>> TensorType("float64", (False, True)) is TensorType("float64", (None, 1))
    True
    """

    __slots__ = ("__weakref__", "broadcastable", "dtype", "ndim", "shape")
    _table: ClassVar[dict[tuple[str, Shape], TensorType]] = {}

    dtype: str
    shape: Shape
    ndim: int
    broadcastable: tuple[bool, ...]

    def __new__(cls, dtype: Any, shape: Any = None, *, broadcastable: Any = None) -> TensorType:
        """Return the one type with this dtype and shape."""
        sizes = shape if shape is not None else broadcastable
        found = cls._table.get((dtype, sizes)) if type(sizes) is tuple else None
        # (True, 3) == (1, 3) in Python, but every int key below is a normal form already
        if found is not None and bool not in map(type, sizes):
            return found
        key = (dtypes.canonical(dtype), _sizes(sizes if sizes is not None else ()))
        self = cls._table.get(key)
        if self is None:
            self = object.__new__(cls)
            self.dtype, self.shape = key
            self.ndim = len(self.shape)
            self.broadcastable = tuple(size == 1 for size in self.shape)
            self = cls._table.setdefault(key, self)
        return self

    def __call__(self, name: str | None = None) -> Any:
        """Declare a symbolic input of this type."""
        return LANGUAGE["variable"](self, name)

    def with_shape(self, shape: Shape) -> TensorType:
        """Return the same dtype with another shape."""
        return TensorType(self.dtype, shape)

    def with_dtype(self, dtype: str) -> TensorType:
        """Return the same shape with another dtype."""
        return TensorType(dtype, self.shape)

    def __repr__(self) -> str:
        if not self.shape:
            return self.dtype
        return f"{self.dtype}[{', '.join('?' if n is None else str(n) for n in self.shape)}]"

    def __reduce__(self) -> Any:
        return TensorType, (self.dtype, self.shape)

    def __copy__(self) -> TensorType:
        return self

    def __deepcopy__(self, memo: Any) -> TensorType:
        return self


def _sizes(shape: Any) -> Shape:
    if isinstance(shape, int) and not isinstance(shape, bool):
        shape = (shape,)
    sizes: list[int | None] = []
    for size in shape:
        if isinstance(size, bool):
            sizes.append(1 if size else None)
        elif size is None:
            sizes.append(None)
        elif isinstance(size, int) or hasattr(size, "__index__"):
            sizes.append(int(size))
        else:
            what = f"a static size is an int or None, not {size!r}"
            raise GraphcTypeError(message(what, (), here()))
        if sizes[-1] is not None and sizes[-1] < 0:
            raise GraphcTypeError(message(f"a size cannot be negative: {size!r}", (), here()))
    return tuple(sizes)


class TupleType:
    """Type of an op with several results."""

    __slots__ = ("items",)
    _table: ClassVar[dict[tuple[TensorType, ...], TupleType]] = {}

    items: tuple[TensorType, ...]

    def __new__(cls, items: tuple[TensorType, ...]) -> TupleType:
        """Return the one type with these items."""
        self = cls._table.get(items)
        if self is None:
            self = object.__new__(cls)
            self.items = items
            self = cls._table.setdefault(items, self)
        return self

    def __repr__(self) -> str:
        return f"({', '.join(map(repr, self.items))})"

    def __reduce__(self) -> Any:
        return TupleType, (self.items,)


Type = TensorType | TupleType


class Attrs(Mapping[str, Any]):
    """An immutable, hashable mapping of attribute names to hashable values."""

    __slots__ = ("_hash", "_items")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._items = dict(values)
        self._hash = hash(tuple(self._items.items()))

    def __getitem__(self, name: str) -> Any:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Attrs):
            return NotImplemented
        return self is other or self._items == other._items

    def __repr__(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self._items.items())

    def __reduce__(self) -> Any:
        return Attrs, (self._items,)


NO_ATTRS = Attrs({})
