"""Functions of Python and NumPy as ops: what graphc does not have, computed on the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError, GraphcValueError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, apply, as_node, is_tuple, operand
from graphc.ir.op import Kind, Op, Undefined, register
from graphc.ir.shapes import Dim, as_dim, sizes
from graphc.ir.source import here
from graphc.ir.types import Attrs, TensorType, TupleType, Type
from graphc.ops.elementwise import cast
from graphc.ops.movement import fill
from graphc.ops.parts import element
from graphc.ops.results import results

Types = Callable[[Sequence[TensorType]], Sequence[TensorType]]
Shapes = Callable[[Sequence[tuple[Dim, ...]]], Sequence[Sequence[Any]]]


class Foreign:
    """A function of arrays that is applied to nodes like any op.

    Equal only to itself. It is pickled by its name in its module, as functions are; so it has to
    be found there.

    Parameters
    ----------
    function : callable
        From arrays to an array, or to a list or tuple of them. It must not depend on anything but
        its arguments, which it gets read-only.
    types : callable
        From the types of the inputs to those of the results; raises if the inputs are wrong.
    shapes : callable or None
        From the sizes of the inputs, a tuple for each, to those of the results. None: the function
        is asked, which costs a second call of it.
    several : bool
        Whether an application returns a list.
    vjp : callable or None
        ``vjp(g, out, *inputs)``, as for `graphc.custom_grad`.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        types: Types,
        shapes: Shapes | None,
        several: bool,
        vjp: Callable[..., Any] | None,
        name: str | None = None,
    ) -> None:
        self.function, self.types, self.shapes = function, types, shapes
        self.several, self.vjp = several, vjp
        self.__name__ = name or str(getattr(function, "__name__", "function"))
        self.__qualname__ = str(getattr(function, "__qualname__", self.__name__))
        self.__module__ = str(getattr(function, "__module__", "?"))
        self.__doc__ = function.__doc__

    def __call__(self, *arguments: Any) -> Any:
        """Apply the function to expressions, numbers and arrays."""
        node = apply(_foreign, *arguments, called=self.__name__, function=self)
        return results(node) if self.several else node

    def __repr__(self) -> str:
        return f"<op {self.__name__}>"

    def __reduce__(self) -> str:
        return self.__qualname__

    def run(
        self, kinds: Sequence[TensorType], arrays: Sequence[Any], node: Node | None = None
    ) -> list[np.ndarray]:
        """Call the function and return its results as arrays of these types.

        An error about them shows the line of ``node``.
        """
        returned = self.function(*map(_read_only, arrays))
        found = list(returned) if isinstance(returned, (list, tuple)) else [returned]
        if len(found) != len(kinds):
            what = f"{self.__name__} returned {len(found)} results, {len(kinds)} were declared"
            raise GraphcValueError(_told(what, node))
        pairs = zip(found, kinds, strict=True)
        return [self._checked(i, value, kind, node) for i, (value, kind) in enumerate(pairs)]

    def _checked(self, i: int, value: Any, kind: TensorType, node: Node | None) -> np.ndarray:
        array = np.asarray(value)
        what = f"{f'result {i}' if self.several else 'the result'} of {self.__name__}"
        if not np.can_cast(array.dtype, kind.dtype, "same_kind"):
            wrong = f"{what} is {array.dtype}, and {kind.dtype} was declared"
            raise GraphcTypeError(_told(wrong, node))
        fits = array.ndim == kind.ndim and all(
            known in (None, size) for known, size in zip(kind.shape, array.shape, strict=True)
        )
        if not fits:
            wrong = f"{what} has the shape {array.shape}, and {kind!r} was declared"
            raise ShapeError(_told(wrong, node))
        return array.astype(kind.dtype, copy=False)

    def into(self, node: Node, outs: Sequence[np.ndarray | None], *arrays: Any) -> list[np.ndarray]:
        """Call the function, write the values of a node into arrays, and return them; for backends.

        None stands for a scalar, or for what nobody reads.
        """
        found = self.run(kinds_of(node), arrays, node)
        for i, (value, out) in enumerate(zip(found, outs, strict=True)):
            if out is None:
                continue
            if value.shape != out.shape:
                wrong = (
                    f"result {i} of {self.__name__} has the shape {value.shape}, and by its sizes"
                    f" it should be {out.shape}"
                )
                raise ShapeError(_told(wrong, node))
            np.copyto(out, value)
        return found

    def shape_into(self, node: Node, out: np.ndarray, *arrays: Any) -> None:
        """Call the function for the sizes of a result, and write them down; for backends."""
        kinds = self.types([x.type for x in node.inputs])
        out[:] = self.run(kinds, arrays, node)[node.attrs["index"]].shape


def _told(what: str, node: Node | None) -> str:
    if node is None:
        return what
    return message(what, map(operand, node.inputs), node.where)


def _read_only(array: Any) -> np.ndarray:
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


# -- the rows -------------------------------------------------------------------------------------


def _prepare(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    return tuple(as_node(arg) for arg in args)


def kinds_of(node: Node) -> tuple[TensorType, ...]:
    """Return the types of all results of a node."""
    kind: Any = node.type
    return kind.items if is_tuple(node) else (kind,)


def _infer(inputs: tuple[Node, ...], attrs: Attrs) -> Type:
    function: Foreign = attrs["function"]
    found = tuple(function.types([node.type for node in inputs]))
    return TupleType(found) if function.several else found[0]


def _dims(node: Node) -> tuple[Any, ...]:
    function: Foreign = node.attrs["function"]
    kinds = kinds_of(node)
    if function.shapes is not None:
        given = function.shapes([sizes(x) for x in node.inputs])
        found = [tuple(map(_as_size, shape)) for shape in given]
    else:
        found = [_asked(node, i, kind) for i, kind in enumerate(kinds)]
    known = [
        tuple(own if size is None else size for size, own in zip(kind.shape, shape, strict=True))
        for kind, shape in zip(kinds, found, strict=True)
    ]
    return tuple(known) if is_tuple(node) else known[0]


def _as_size(size: Any) -> Dim:
    return int(size) if isinstance(size, (int, np.integer)) else as_dim(cast(size, dtypes.INDEX))


def _asked(node: Node, i: int, kind: TensorType) -> tuple[Dim, ...]:
    """Return the sizes of a result as the function itself says them."""
    if None not in kind.shape:
        return kind.shape  # type: ignore[return-value]
    shape = apply(_shape, *node.inputs, **{**node.attrs, "index": i})
    return tuple(as_dim(element(shape, axis)) for axis in range(kind.ndim))


def _vjp(g: Any, out: Node, *inputs: Node) -> list[Any]:
    function: Foreign = out.attrs["function"]
    if function.vjp is None:
        why = f"{function.__name__} has no gradient: give it one, with vjp="
        return [Undefined(why) if dtypes.is_float(x.type.dtype) else None for x in inputs]
    if function.several:
        own = results(out)
        g = [fill(value, 0) if one is None else one for one, value in zip(g, own, strict=True)]
        found = function.vjp(g, own, *inputs)
    else:
        found = function.vjp(g, out, *inputs)
    entries = list(found) if isinstance(found, (list, tuple)) else [found]
    if len(entries) != len(inputs):
        raise GraphcValueError(
            message(
                f"{function.__name__} has {len(inputs)} arguments, and its gradient rule returns"
                f" {len(entries)} of them",
                map(operand, inputs),
                here(),
            )
        )
    pairs = zip(inputs, entries, strict=True)
    return [g if g is None or isinstance(g, Undefined) else fill(x, g) for x, g in pairs]


def _reference(*arrays: Any, called: str, function: Foreign) -> Any:
    kinds = function.types([TensorType(a.dtype.name, np.shape(a)) for a in map(np.asarray, arrays)])
    found = function.run(kinds, arrays)
    return tuple(found) if function.several else found[0]


_HOST = {"host": "it is a function of Python"}

_foreign = register(
    Op(
        name="foreign",
        kind=Kind.CALL,
        attrs=("called", "function"),
        infer=_infer,
        dims=_dims,
        prepare=_prepare,
        vjp=_vjp,
        weight=100,
        reference=_reference,
        doc="A function of Python's that is given as an op: see graphc.custom_op.",
        details=_HOST,
    )
)


def _shape_reference(*arrays: Any, called: str, function: Foreign, index: int) -> Any:
    found = _reference(*arrays, called=called, function=function)
    return np.array(np.shape(found[index] if function.several else found), np.int64)


def _infer_shape(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    kinds = attrs["function"].types([node.type for node in inputs])
    return TensorType(dtypes.INDEX, (kinds[attrs["index"]].ndim,))


_shape = register(
    Op(
        name="foreign_shape",
        kind=Kind.CALL,
        attrs=("called", "function", "index"),
        infer=_infer_shape,
        dims=lambda node: node.type.shape,
        prepare=_prepare,
        vjp=lambda g, out, *inputs: [None] * len(inputs),
        weight=100,
        reference=_shape_reference,
        doc="The sizes of a result of `foreign`, found by calling the function.",
        details=_HOST,
    )
)
