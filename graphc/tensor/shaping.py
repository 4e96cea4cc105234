"""Arrays under other axes and sizes, and several arrays as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import GraphcTypeError, GraphcValueError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import CONST, Node, as_node, const, operand
from graphc.ir.shapes import product, sizes
from graphc.ir.source import here
from graphc.ops import movement
from graphc.ops.family import is_number, pad_left
from graphc.ops.movement import fill
from graphc.ops.parts import join as join_parts
from graphc.ops.parts import make_vector
from graphc.ops.reduce import axis_number
from graphc.tensor.sizes import MAKE_VECTOR, elements, size_list

# -- sizes ----------------------------------------------------------------------------------------


def reshape(x: Any, newshape: Any, *more: Any, ndim: int | None = None) -> Any:
    """Return the elements of x, in row-major order, under other sizes.

    Parameters
    ----------
    x : expression
    newshape : int, expression, or sequence of them
        At most one size may be -1: it is found from the others. A vector of sizes will do.
    ndim : int, optional
        The number of sizes, where ``newshape`` is a vector of unknown length.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.dtensor4("x")
    >>> x.reshape((x.shape[0], -1)).ndim, T.reshape(x, (2, 3, -1)).type
    (2, float64[2, 3, ?])
    """
    given = (newshape, *more) if more else newshape
    return movement.reshape(as_node(x), size_list(given, "reshape", ndim))


def flatten(x: Any, ndim: int | None = None, outdim: int | None = None) -> Any:
    """Return x with its last axes merged, so that ``ndim`` axes are left; 1 by default.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.flatten(T.dtensor4("x"), 2).ndim, T.dmatrix("m").flatten().type
    (2, float64[?])
    """
    x = as_node(x)
    if ndim is not None and outdim is not None and ndim != outdim:
        raise GraphcValueError(message("flatten: give ndim or outdim, not both", (), here()))
    rank = 1 if ndim is None and outdim is None else int(ndim or outdim or 0)
    if not 1 <= rank <= max(x.type.ndim, 1):
        raise GraphcValueError(
            message(f"flatten to {rank} axes of {x.type.ndim}", [operand(x)], here())
        )
    shape = sizes(x)
    return movement.reshape(x, [*shape[: rank - 1], product(shape[rank - 1 :])])


def ravel(x: Any) -> Any:
    """Return the elements of x in row-major order, as a vector.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.ravel(T.dmatrix("m")).type
    float64[?]
    """
    return flatten(x, 1)


def broadcast_to(x: Any, shape: Any) -> Any:
    """Return x repeated along new axes in front and axes of size 1, to a given shape.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.broadcast_to(T.dvector("v"), (3, T.dvector("v").shape[0])).type
    float64[3, ?]
    """
    x = as_node(x)
    wanted = size_list(shape, "broadcast_to")
    if len(wanted) < x.type.ndim:
        raise ShapeError(
            message(f"broadcast_to: {len(wanted)} sizes are too few", [operand(x)], here())
        )
    if x.type.ndim and len(wanted) > x.type.ndim:
        x = pad_left(x, len(wanted) - x.type.ndim)
    return movement.expand(x, wanted)


def addbroadcast(x: Any, *axes: int) -> Any:
    """Return x with axes declared to be of size 1, so that they broadcast; checked when it runs.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.addbroadcast(T.dmatrix("m"), 1).type
    float64[?, 1]
    """
    x = as_node(x)
    places = {_axis(axis, x, "addbroadcast") for axis in axes}
    return movement.expand(x, [1 if i in places else size for i, size in enumerate(sizes(x))])


def unbroadcast(x: Any, *axes: int) -> Node:
    """Return x: a size that is known to be 1 stays known.

    Theano's programs use it to keep a type; here a type that knows more fits everywhere.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.unbroadcast(T.drow("r"), 0).type
    float64[1, ?]
    """
    node = as_node(x)
    for axis in axes:
        _axis(axis, node, "unbroadcast")
    return node


def patternbroadcast(x: Any, broadcastable: Sequence[bool]) -> Any:
    """Return x with the axes that are flagged declared to be of size 1; see `addbroadcast`.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.patternbroadcast(T.dmatrix("m"), (True, False)).type
    float64[1, ?]
    """
    x = as_node(x)
    if len(broadcastable) != x.type.ndim:
        raise GraphcValueError(
            message(f"patternbroadcast: {len(broadcastable)} flags", [operand(x)], here())
        )
    return addbroadcast(x, *[axis for axis, flag in enumerate(broadcastable) if flag])


def specify_shape(x: Any, shape: Any) -> Any:
    """Return x with sizes that are known from now on; that they are right is checked in the call.

    Parameters
    ----------
    x : expression
    shape : sequence of int, expressions or None
        None leaves a size as it is.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.specify_shape(T.dmatrix("m"), (None, 3)).type
    float64[?, 3]
    """
    x = as_node(x)
    given = [None] * x.type.ndim if shape is None else shape
    if not isinstance(given, Node):
        given = [own if one is None else one for one, own in zip(given, sizes(x), strict=False)]
    wanted = size_list(given, "specify_shape", x.type.ndim)
    known = zip(x.type.shape, wanted, strict=True)
    if any(own == 1 and isinstance(size, int) and size != 1 for own, size in known):
        raise ShapeError(
            message(f"specify_shape: its sizes are not {tuple(wanted)}", [operand(x)], here())
        )
    return movement.expand(x, wanted)


# -- axes -----------------------------------------------------------------------------------------


def _axis(axis: Any, x: Node, what: str, rank: int | None = None) -> int:
    """Return an axis counted from 0, or raise an error that names the function ``what``."""
    rank = x.type.ndim if rank is None else rank
    place = axis_number(axis, what)
    if not -rank <= place < rank:
        raise GraphcValueError(
            message(f"{what}: axis {place} is out of range for {rank} axes", [operand(x)], here())
        )
    return place % rank


def _several(given: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return arguments that were given one by one or as a single sequence."""
    if len(given) == 1 and isinstance(given[0], (list, tuple)):
        return tuple(given[0])
    return given


def dimshuffle(x: Any, *pattern: Any) -> Any:
    """Return x with its axes in another order; ``'x'`` puts in an axis of size 1.

    An axis that is left out is dropped; its size must be known to be 1.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> v = T.dvector("v")
    >>> v.dimshuffle("x", 0).type, v.dimshuffle([0, "x"]).type
    (float64[1, ?], float64[?, 1])
    """
    return movement.dimshuffle(as_node(x), _several(pattern))


def transpose(x: Any, *order: Any, axes: Any = None) -> Any:
    """Return x with its axes reversed, or in the order given: as one tuple or one by one.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.TensorType("float64", (2, 3, 4))("x")
    >>> x.T.type, T.transpose(x, (0, 2, 1)).type, x.transpose(0, 2, 1).type
    (float64[4, 3, 2], float64[2, 4, 3], float64[2, 4, 3])
    """
    x = as_node(x)
    given = _several(order or (axes,))
    if given == (None,):
        return movement.dimshuffle(x, range(x.type.ndim)[::-1])
    wanted = [_axis(axis, x, "transpose") for axis in given]
    if sorted(wanted) != list(range(x.type.ndim)):
        raise GraphcValueError(
            message(f"transpose: {given} is no order of its axes", [operand(x)], here())
        )
    return movement.dimshuffle(x, wanted)


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Return x with two axes exchanged.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.swapaxes(T.TensorType("float64", (2, 3, 4))("x"), 0, -1).type
    float64[4, 3, 2]
    """
    x = as_node(x)
    order = list(range(x.type.ndim))
    one, two = _axis(axis1, x, "swapaxes"), _axis(axis2, x, "swapaxes")
    order[one], order[two] = order[two], order[one]
    return movement.dimshuffle(x, order)


def squeeze(x: Any, axis: Any = None) -> Any:
    """Return x without the axes whose size is known to be 1, or without those given.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.squeeze(T.drow("r")).type
    float64[?]
    """
    x = as_node(x)
    if axis is None:
        drop = {i for i, size in enumerate(x.type.shape) if size == 1}
    else:
        drop = {_axis(one, x, "squeeze") for one in _several((axis,))}
    return movement.dimshuffle(x, [i for i in range(x.type.ndim) if i not in drop])


def expand_dims(x: Any, axis: Any) -> Any:
    """Return x with an axis of size 1 put in, so that it is number ``axis`` of the result.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.expand_dims(T.dvector("v"), 0).type, T.expand_dims(T.dvector("v"), -1).type
    (float64[1, ?], float64[?, 1])
    """
    x = as_node(x)
    given = _several((axis,))
    rank = x.type.ndim + len(given)
    new = {_axis(one, x, "expand_dims", rank) for one in given}
    if len(new) < len(given):
        raise GraphcValueError(message(f"expand_dims: {axis} repeats an axis", (), here()))
    return movement.dimshuffle(x, movement_pattern(new, rank))


def movement_pattern(new: set[int], rank: int) -> list[int]:
    """Return the dimshuffle pattern that puts new axes in at these places."""
    old = iter(range(rank))
    return [-1 if place in new else next(old) for place in range(rank)]


def shape_padleft(t: Any, n_ones: int = 1) -> Any:
    """Return t with axes of size 1 put in front.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.shape_padleft(T.dvector("v"), 2).type
    float64[1, 1, ?]
    """
    return pad_left(as_node(t), n_ones) if n_ones else as_node(t)


def shape_padright(t: Any, n_ones: int = 1) -> Any:
    """Return t with axes of size 1 put at the end.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.shape_padright(T.dvector("v")).type
    float64[?, 1]
    """
    t = as_node(t)
    return movement.dimshuffle(t, [*range(t.type.ndim), *[-1] * n_ones])


def shape_padaxis(t: Any, axis: int) -> Any:
    """Return t with an axis of size 1 put in; see `expand_dims`.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.shape_padaxis(T.dmatrix("m"), 1).type
    float64[?, 1, ?]
    """
    return expand_dims(t, axis)


# -- several arrays as one ------------------------------------------------------------------------


def join(axis: Any, *tensors: Any) -> Any:
    """Return arrays one after the other along an axis; as `concatenate`, axis first.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.join(0, T.dmatrix("a"), T.dmatrix("b")).type
    float64[?, ?]
    """
    return concatenate(tensors, axis)


def concatenate(tensor_list: Any, axis: int = 0) -> Any:
    """Return arrays one after the other along an axis.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.concatenate([T.dmatrix("a"), T.dmatrix("b")], axis=1).type
    float64[?, ?]
    """
    parts = [as_node(part) for part in _several((tensor_list,))]
    if not parts or parts[0].type.ndim == 0:
        raise GraphcTypeError(
            message(
                "concatenate needs arrays of at least one axis",
                map(operand, parts),
                here(),
                "use T.stack for scalars",
            )
        )
    place = _axis(axis, parts[0], "concatenate")
    if any(part.op is MAKE_VECTOR for part in parts) and all(map(_is_scalars, parts)):
        return make_vector(*[one for part in parts for one in elements(part)])
    return join_parts(place, parts)


def _is_scalars(node: Node) -> bool:
    """Tell whether a node is a vector of scalars or a short constant, such as part of a shape."""
    if node.type.ndim != 1:
        return False
    return node.op is MAKE_VECTOR or (node.op is CONST and (node.type.shape[0] or 17) <= 16)


def stack(*tensors: Any, axis: int = 0) -> Any:
    """Return arrays of one shape side by side along a new axis.

    Parameters
    ----------
    tensors : list of expressions, or the expressions
        ``stack([a, b])`` or, as in old programs, ``stack(a, b)``.
    axis : int
        The new axis of the result; may be the second argument after a list.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> a, b = T.dvectors("a b")
    >>> T.stack([a, b]).type, T.stack([a, b], axis=1).type, T.stack(T.dscalar(), 1).type
    (float64[2, ?], float64[?, 2], float64[2])
    """
    if tensors and isinstance(tensors[0], (list, tuple)):
        axis = tensors[1] if len(tensors) > 1 else axis
        tensors = tuple(tensors[0])
    if not tensors:
        raise GraphcTypeError(message("stack needs at least one operand", (), here()))
    parts = _side_by_side(tensors)
    rank = parts[0].type.ndim + 1
    place = _axis(axis, parts[0], "stack", rank)
    if rank == 1:
        return make_vector(*parts)
    pattern = movement_pattern({place}, rank)
    return join_parts(place, [movement.dimshuffle(part, pattern) for part in parts])


def _side_by_side(tensors: Sequence[Any]) -> list[Node]:
    """Return operands of `stack` as nodes of one rank; Python numbers are weak."""
    strong = [as_node(one).type.dtype for one in tensors if not is_number(one)]
    parts = [
        const(one, dtypes.result_with_number(one, strong)) if is_number(one) else as_node(one)
        for one in tensors
    ]
    if len({part.type.ndim for part in parts}) > 1:
        raise ShapeError(message("stack: operands of different ranks", map(operand, parts), here()))
    return parts


__all__ = [
    "addbroadcast",
    "broadcast_to",
    "concatenate",
    "dimshuffle",
    "expand_dims",
    "fill",
    "flatten",
    "join",
    "patternbroadcast",
    "ravel",
    "reshape",
    "shape_padaxis",
    "shape_padleft",
    "shape_padright",
    "specify_shape",
    "squeeze",
    "stack",
    "swapaxes",
    "transpose",
    "unbroadcast",
]
