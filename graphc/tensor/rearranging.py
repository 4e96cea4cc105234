"""Elements in another order, repeated, cut apart, or with others around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError, GraphcValueError, NotSupportedError, message
from graphc.ir import dtypes
from graphc.ir.node import CONST, Node, as_node, const, operand
from graphc.ir.shapes import Dim, add, as_dim, as_size_node, mul, sizes, sub
from graphc.ir.source import here
from graphc.ops.elementwise import cast, lt, maximum, minimum, mod, where
from graphc.ops.family import is_number
from graphc.ops.index import gather, searchsorted
from graphc.ops.movement import dimshuffle, expand, reshape
from graphc.ops.parts import iota, put, slice_axes
from graphc.ops.parts import join as join_parts
from graphc.ops.reduce import max as max_over
from graphc.ops.reduce import min as min_over
from graphc.ops.reduce import sum as sum_over
from graphc.tensor.indexing import getitem, place_of_axis
from graphc.tensor.shaping import concatenate, flatten, stack, transpose
from graphc.tensor.sizes import size_list
from graphc.tensor.sorting import cumsum

# -- order of axes and elements -------------------------------------------------------------------


def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """Return an array with some axes at other places; the others keep their order.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.TensorType("float64", (2, 3, 4))("x")
    >>> T.moveaxis(x, 0, -1).type, T.moveaxis(x, [0, 1], [-1, 0]).type
    (float64[3, 4, 2], float64[3, 4, 2])
    """
    a = as_node(a)
    sources = [place_of_axis(one, a, "moveaxis") for one in _listed(source)]
    targets = [place_of_axis(one, a, "moveaxis") for one in _listed(destination)]
    if len(set(sources)) != len(sources) or sorted(set(targets)) != sorted(targets):
        raise GraphcValueError(message("moveaxis: an axis stands twice", [operand(a)], here()))
    if len(sources) != len(targets):
        raise GraphcValueError(
            message("moveaxis: as many sources as destinations", [operand(a)], here())
        )
    order = [axis for axis in range(a.type.ndim) if axis not in sources]
    for target, one in sorted(zip(targets, sources, strict=True)):
        order.insert(target, one)
    return dimshuffle(a, order)


def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """Return an array with one axis moved until it lies before another.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.rollaxis(T.TensorType("float64", (2, 3, 4))("x"), 2).type
    float64[4, 2, 3]
    """
    a = as_node(a)
    axis = place_of_axis(axis, a, "rollaxis")
    start = start + a.type.ndim if start < 0 else start
    if not 0 <= start <= a.type.ndim:
        raise GraphcValueError(message(f"rollaxis: start {start}", [operand(a)], here()))
    return moveaxis(a, axis, start - 1 if axis < start else start)


def atleast_nd(x: Any, n: int, left: bool = True) -> Any:
    """Return x with axes of size 1 put in front, or behind, until there are ``n``.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.atleast_nd(T.dvector("v"), 3).type, T.atleast_2d(T.dscalar("s")).type
    (float64[1, 1, ?], float64[1, 1])
    """
    x = as_node(x)
    new = [-1] * max(n - x.type.ndim, 0)
    own = list(range(x.type.ndim))
    return dimshuffle(x, new + own if left else own + new)


def atleast_1d(x: Any) -> Any:
    """Return x with at least one axis; see `atleast_nd`."""
    return atleast_nd(x, 1)


def atleast_2d(x: Any) -> Any:
    """Return x with at least two axes; see `atleast_nd`."""
    return atleast_nd(x, 2)


def atleast_3d(x: Any) -> Any:
    """Return x with at least three axes, as NumPy places them.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.atleast_3d(T.dvector("v")).type, T.atleast_3d(T.dmatrix("m")).type
    (float64[1, ?, 1], float64[?, ?, 1])
    """
    return atleast_nd(atleast_nd(x, 2), 3, left=False)


def flip(m: Any, axis: Any = None) -> Any:
    """Return an array with its elements in reverse order along one axis, several, or all.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> v = T.dvector("v")
    >>> T.flip(v) is v[::-1]
    True
    """
    m = as_node(m)
    axes = range(m.type.ndim) if axis is None else _listed(axis)
    turned = {place_of_axis(one, m, "flip") for one in axes}
    steps = [slice(None, None, -1 if i in turned else None) for i in range(m.type.ndim)]
    return getitem(m, tuple(steps)) if turned else m


def flipud(m: Any) -> Any:
    """Return an array with its rows in reverse order; see `flip`."""
    return flip(m, 0)


def fliplr(m: Any) -> Any:
    """Return an array with its columns in reverse order; see `flip`."""
    return flip(m, 1)


def rot90(m: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    """Return an array turned by quarters, from the first of two axes towards the second.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.rot90(T.TensorType("float64", (2, 3))("m")).type
    float64[3, 2]
    """
    m = as_node(m)
    first, second = (place_of_axis(axis, m, "rot90") for axis in axes)
    if first == second:
        raise GraphcValueError(message("rot90: the axes are the same", [operand(m)], here()))
    order = list(range(m.type.ndim))
    order[first], order[second] = second, first
    turns = k % 4
    if turns == 2:
        return flip(m, (first, second))
    if turns == 1:
        return transpose(flip(m, second), order)
    return flip(transpose(m, order), second) if turns == 3 else m


def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """Return an array whose elements are moved along an axis, those at the end to the front.

    Parameters
    ----------
    x : expression
    shift : int, expression, or one for each axis
    axis : int or sequence of int, optional
        By default the array is rolled as a vector, and given its shape again.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.roll(T.dmatrix("m"), 1, axis=0).type
    float64[?, ?]
    """
    x = as_node(x)
    if axis is None:
        return reshape(roll(flatten(x), shift, 0), sizes(x))
    axes, shifts = _listed(axis), _listed(shift)
    if len(shifts) == 1:
        shifts = shifts * len(axes)
    for one, by in zip(axes, shifts, strict=True):
        x = _rolled(x, by, place_of_axis(one, x, "roll"))
    return x


def _rolled(x: Node, shift: Any, axis: int) -> Node:
    size = sizes(x)[axis]
    if isinstance(size, int) and isinstance(shift, int):
        behind: Dim = shift % size if size else 0
    elif isinstance(shift, int) and shift == 0:
        behind = 0
    else:
        behind = as_dim(mod(cast(as_node(shift), dtypes.INDEX), as_size_node(size)))
    if isinstance(behind, int) and behind == 0:
        return x
    ahead = sub(size, behind)
    tail = slice_axes(x, [axis], [ahead], [behind], [1])
    return join_parts(axis, [tail, slice_axes(x, [axis], [0], [ahead], [1])])  # type: ignore[no-any-return]


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, (list, tuple, range)) else [given]


# -- repeating ------------------------------------------------------------------------------------


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Return an array with each element repeated along an axis.

    Parameters
    ----------
    x : expression
    repeats : int, expression, or a vector with a number for each element along the axis
    axis : int, optional
        By default x is repeated as a vector.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> m = T.TensorType("float64", (2, 3))("m")
    >>> T.repeat(m, 2, axis=0).type, T.repeat(m, [1, 0, 2], axis=1).type, m.repeat(3).type
    (float64[4, 3], float64[2, 3], float64[18])
    """
    x = as_node(x)
    if axis is None:
        x, axis = flatten(x), 0
    axis = place_of_axis(axis, x, "repeat")
    count = as_node(repeats)
    if dtypes.kind(count.type.dtype) not in ("int", "uint") or count.type.ndim > 1:
        raise GraphcTypeError(
            message("repeat: how often is an integer or a vector of them", [operand(count)], here())
        )
    if count.type.shape == (1,):
        count = getitem(count, 0) if count.op is not CONST else const(*_numbers(count))
    if count.type.ndim:
        return gather(*_agreeing(x, count, axis), axis)
    (times,) = size_list(repeats if is_number(repeats) else count, "repeat")
    return _repeat_each(x, times, axis)


def _repeat_each(x: Node, times: Dim, axis: int) -> Node:
    whole = list(sizes(x))
    own = list(range(x.type.ndim))
    thin = dimshuffle(x, [*own[: axis + 1], -1, *own[axis + 1 :]])
    wide = expand(thin, [*whole[: axis + 1], times, *whole[axis + 1 :]])
    return reshape(wide, [*whole[:axis], mul(whole[axis], times), *whole[axis + 1 :]])  # type: ignore[no-any-return]


def _numbers(constant: Node) -> list[Any]:
    return constant.attrs["value"].array.tolist()  # type: ignore[no-any-return]


def _agreeing(x: Node, count: Node, axis: int) -> tuple[Node, list[Node]]:
    """Return x and the places it is read at; that there is a number for each is checked."""
    whole = list(sizes(x))
    if isinstance(whole[axis], int):
        count = expand(count, [whole[axis]])
    else:
        whole[axis] = sizes(count)[0]
    return expand(x, whole), [_repeated_places(count)]


def _repeated_places(count: Node) -> Node:
    """Return the place of each element, as often as it is repeated."""
    if count.op is CONST:
        given = _numbers(count)
        return const(np.repeat(np.arange(len(given)), given))
    ends = cumsum(cast(count, dtypes.INDEX))
    total = sum_over(cast(count, dtypes.INDEX), axes=(0,))
    return searchsorted(ends, iota(total), "right")  # type: ignore[no-any-return]


def tile(x: Any, reps: Any, ndim: int | None = None) -> Any:
    """Return copies of an array side by side.

    Parameters
    ----------
    x : expression
    reps : int, expression, or sequence of them
        How often along each axis, the last ones if there are fewer than axes; new axes are put in
        front if there are more.
    ndim : int, optional
        The number of axes of the result; needed where ``reps`` is a vector of unknown length.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> m = T.TensorType("float64", (2, 3))("m")
    >>> T.tile(m, 2).type, T.tile(m, (4, 1, 2)).type, T.tile(m, (T.lscalar("n"), 1)).type
    (float64[2, 6], float64[4, 2, 6], float64[?, 3])
    """
    x = as_node(x)
    unknown = isinstance(reps, Node) and reps.type.ndim == 1 and reps.type.shape[0] is None
    times = size_list(reps, "tile", ndim if unknown else None)
    rank = max(x.type.ndim, len(times), ndim or 0)
    if ndim is not None and rank > ndim:
        raise GraphcValueError(
            message(f"tile: {rank} axes are needed, and ndim is {ndim}", [operand(x)], here())
        )
    x = atleast_nd(x, rank)
    times = [*[1] * (rank - len(times)), *times]
    whole = sizes(x)
    pattern, wide = [], []
    for axis, (often, size) in enumerate(zip(times, whole, strict=True)):
        again = not (isinstance(often, int) and often == 1)
        pattern += [-1, axis] if again else [axis]
        wide += [often, size] if again else [size]
    sides = [mul(often, size) for often, size in zip(times, whole, strict=True)]
    return reshape(expand(dimshuffle(x, pattern), wide), sides)


# -- cutting and putting together -----------------------------------------------------------------


def split(x: Any, splits_size: Any, n_splits: int | None = None, axis: int = 0) -> list[Any]:
    """Return an array cut along an axis into pieces of given sizes.

    Parameters
    ----------
    x : expression
    splits_size : sequence of int or expressions, or a vector
        The sizes, which must add up to that of the axis; checked when it runs.
    n_splits : int, optional
        How many there are; needed for a vector of unknown length.
    axis : int

    Examples
    --------
    >>> import graphc.tensor as T
    >>> a, b = T.split(T.TensorType("float64", (5, 2))("x"), [2, 3], 2)
    >>> a.type, b.type
    (float64[2, 2], float64[3, 2])
    """
    x = as_node(x)
    axis = place_of_axis(axis, x, "split")
    pieces = size_list(splits_size, "split", n_splits)
    total: Dim = 0
    for size in pieces:
        total = add(total, size)
    whole = list(sizes(x))
    if isinstance(total, int) and isinstance(whole[axis], int) and total != whole[axis]:
        raise GraphcValueError(
            message(
                f"split: the sizes add up to {total}, and axis {axis} has {whole[axis]}",
                [operand(x)],
                here(),
            )
        )
    whole[axis] = total
    x = expand(x, whole)
    found: list[Any] = []
    start: Dim = 0
    for size in pieces:
        found.append(slice_axes(x, [axis], [start], [size], [1]))
        start = add(start, size)
    return found


def vertical_stack(*args: Any) -> Any:
    """Return matrices below each other.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.vertical_stack(T.dmatrix("a"), T.dmatrix("b")).type
    float64[?, ?]
    """
    return concatenate([atleast_nd(one, 2) for one in args], axis=0)


def horizontal_stack(*args: Any) -> Any:
    """Return matrices beside each other.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.horizontal_stack(T.dmatrix("a"), T.dmatrix("b")).type
    float64[?, ?]
    """
    return concatenate([atleast_nd(one, 2) for one in args], axis=1)


def stacklists(arg: Any) -> Any:
    """Return nested lists of expressions of one shape as an array.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> a, b = T.dscalars("a b")
    >>> T.stacklists([[a, b], [b, a]]).type
    float64[2, 2]
    """
    return stack([stacklists(one) for one in arg]) if isinstance(arg, (list, tuple)) else arg


# -- padding --------------------------------------------------------------------------------------


def pad(
    array: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0, **unknown: Any
) -> Any:
    """Return an array with elements around it, as NumPy's `pad`.

    Parameters
    ----------
    array : expression
    pad_width : int, expression, (before, after), or such a pair for each axis
    mode : str
        ``constant``, ``empty`` (zeros), ``edge``, ``reflect``, ``symmetric``, ``wrap``,
        ``maximum``, ``minimum`` or ``mean``.
    constant_values : number, expression, (before, after), or such a pair for each axis

    Examples
    --------
    >>> import graphc.tensor as T
    >>> m = T.TensorType("float64", (2, 3))("m")
    >>> T.pad(m, 1).type, T.pad(m, ((0, 0), (2, 1)), mode="reflect").type
    (float64[4, 5], float64[2, 6])
    """
    x = as_node(array)
    if unknown or mode not in ("constant", "empty", *_SOURCES, *_ENDS):
        what = f"{next(iter(unknown))}=" if unknown else f"mode {mode!r}"
        raise NotSupportedError(
            message(
                f"pad: {what} is not supported",
                [operand(x)],
                here(),
                f"modes are constant, {', '.join([*_SOURCES, *_ENDS])}",
            )
        )
    widths = [tuple(size_list(pair, "pad")) for pair in _pairs(pad_width, x, "pad_width")]
    if mode in _SOURCES or mode in _ENDS:
        for axis, (before, after) in enumerate(widths):
            if not (_is_zero(before) and _is_zero(after)):
                x = _padded(x, axis, before, after, mode)
        return x
    values = _pairs(constant_values if mode == "constant" else 0, x, "constant_values")
    if all(is_number(one) and one == values[0][0] for pair in values for one in pair):
        return _framed(x, widths, values[0][0])
    for axis, (width, ends) in enumerate(zip(widths, values, strict=True)):
        sides = [cast(as_node(one), x.type.dtype) for one in ends]
        x = _with_sides(x, axis, width, sides)
    return x


def _pairs(given: Any, x: Node, what: str) -> list[tuple[Any, Any]]:
    """Return a pair for each axis, of one value, one pair, or a pair for each."""
    rank = x.type.ndim
    if isinstance(given, np.ndarray):
        given = given.tolist()
    if not isinstance(given, (list, tuple)):
        return [(given, given)] * rank
    if not any(isinstance(one, (list, tuple)) for one in given):
        if len(given) in (1, 2):
            return [(given[0], given[-1])] * rank
    elif all(isinstance(one, (list, tuple)) and len(one) in (1, 2) for one in given):
        pairs = [(one[0], one[-1]) for one in given]
        if len(pairs) in (1, rank):
            return pairs * rank if len(pairs) == 1 else pairs
    raise GraphcValueError(
        message(f"pad: {what}={given!r} is not a pair for each axis", [operand(x)], here())
    )


def _is_zero(size: Dim) -> bool:
    return isinstance(size, int) and size == 0


def _framed(x: Node, widths: Sequence[tuple[Any, ...]], value: Any) -> Node:
    """Return x put into an array of one number."""
    whole = [add(add(a, size), b) for (a, b), size in zip(widths, sizes(x), strict=True)]
    starts = [a for a, _ in widths]
    board = expand(const(value, x.type.dtype), whole)
    return put(board, x, range(x.type.ndim), starts, [1] * x.type.ndim)  # type: ignore[no-any-return]


def _with_sides(x: Node, axis: int, width: tuple[Any, ...], sides: Sequence[Node]) -> Node:
    """Return x with arrays or numbers repeated before and after it along an axis."""
    ends = []
    for side, size in zip(sides, width, strict=True):
        shape = list(sizes(x))
        shape[axis] = size
        ends.append(expand(side, shape))
    return join_parts(axis, [ends[0], x, ends[1]])  # type: ignore[no-any-return]


def _padded(x: Node, axis: int, before: Dim, after: Dim, mode: str) -> Node:
    if mode in _ENDS:
        side = _ENDS[mode](x, axis)
        return _with_sides(x, axis, (before, after), [side, side])
    size = sizes(x)[axis]
    place = iota(as_size_node(add(add(before, size), after))) - as_size_node(before)
    return gather(x, [_SOURCES[mode](place, as_size_node(size))], axis)  # type: ignore[no-any-return]


def _kept(reduced: Node, x: Node, axis: int) -> Node:
    pattern = list(range(x.type.ndim - 1))
    return dimshuffle(reduced, [*pattern[:axis], -1, *pattern[axis:]])  # type: ignore[no-any-return]


def _mean(x: Node, axis: int) -> Node:
    total = sum_over(x, axes=(axis,)) / cast(as_size_node(sizes(x)[axis]), x.type.dtype)
    return _kept(cast(total, x.type.dtype), x, axis)


def _edge(place: Node, size: Node) -> Node:
    return maximum(minimum(place, size - 1), 0)  # type: ignore[no-any-return]


def _reflect(place: Node, size: Node) -> Node:
    around = mod(place, 2 * (size - 1))
    return where(lt(around, size), around, 2 * (size - 1) - around)  # type: ignore[no-any-return]


def _symmetric(place: Node, size: Node) -> Node:
    around = mod(place, 2 * size)
    return where(lt(around, size), around, 2 * size - 1 - around)  # type: ignore[no-any-return]


_SOURCES: dict[str, Callable[[Node, Node], Node]] = {
    "edge": _edge,
    "reflect": _reflect,
    "symmetric": _symmetric,
    "wrap": mod,
}
"""For each mode the place along the axis that an element outside of it is copied from."""

_ENDS: dict[str, Callable[[Node, int], Node]] = {
    "maximum": lambda x, axis: _kept(max_over(x, axes=(axis,)), x, axis),
    "minimum": lambda x, axis: _kept(min_over(x, axes=(axis,)), x, axis),
    "mean": _mean,
}

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "atleast_nd",
    "flip",
    "fliplr",
    "flipud",
    "horizontal_stack",
    "moveaxis",
    "pad",
    "repeat",
    "roll",
    "rollaxis",
    "rot90",
    "split",
    "stacklists",
    "tile",
    "vertical_stack",
]
