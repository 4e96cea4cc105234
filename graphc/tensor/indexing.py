"""Indexing: whatever NumPy takes between brackets, as views around at most one `gather`.

Integers and slices cut the array first. Index arrays are then read by one `gather`, for which their
axes are brought together, and a `dimshuffle` puts the result's axes where NumPy has them: in place
of the arrays' axes if all integers and arrays of the index stand side by side, in front otherwise.
A condition becomes the places at which it is true.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import GraphcIndexError, GraphcTypeError, GraphcValueError, message
from graphc.ir import dtypes
from graphc.ir.node import CONST, Node, as_node, const, operand
from graphc.ir.shapes import Dim, as_dim, as_size_node, product, sizes
from graphc.ir.source import here
from graphc.ops import index as places_of
from graphc.ops.elementwise import add, cast, int_div, lt, maximum, minimum, mod
from graphc.ops.elementwise import where as where_
from graphc.ops.index import gather, known_index, note_part
from graphc.ops.movement import dimshuffle, expand, reshape
from graphc.ops.parts import iota
from graphc.tensor.creation import arange
from graphc.tensor.elementwise import switch
from graphc.tensor.shaping import flatten, stack
from graphc.tensor.sizes import MAKE_VECTOR, elements, vector_of
from graphc.tensor.slicing import Cut, Places, Slice, checked, read, without_dots


def getitem(x: Any, index: Any) -> Node:
    """Return part of x, as ``x[index]`` does.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> m, i = T.TensorType("float64", (5, None))("m"), T.lmatrix("i")
    >>> m[0].type, m[1:3, ::-1].type, m[:, None, -1].type
    (float64[?], float64[2, ?], float64[5, 1])
    >>> m[i].type, m[[0, 2], 1:].type, m[m > 0].type
    (float64[?, ?, ?], float64[2, ?], float64[?])
    """
    x = as_node(x)
    parts = read(x, index)
    if x.op is MAKE_VECTOR and len(parts) == 1:
        found = _of_scalars(x, parts[0])
        if found is not None:
            return found
    if any(isinstance(one, Places) or _has_open_step(one) for one in parts):
        return _at_places(x, parts)
    return Cut.of(x, without_dots(x, parts)).apply(x)


def _of_scalars(vector: Node, part: Any) -> Node | None:
    """Return an element or a slice of a vector of scalars, such as a shape, without an index."""
    if isinstance(part, int):
        return vector.inputs[checked(part, len(vector.inputs), vector, 0)]
    if isinstance(part, Slice) and all(
        bound is None or isinstance(bound, int) for bound in (part.start, part.stop, part.step)
    ):
        return vector_of([as_dim(one) for one in elements(vector)[part]])
    return None


# -- index arrays ---------------------------------------------------------------------------------


def _at_places(x: Node, parts: list[Any]) -> Node:
    """Return the part of x that an index with arrays in it gives."""
    separate = _are_separate(parts)
    parts = without_dots(x, parts)
    base, parts = _without_conditions(x, parts)
    base, parts = _without_open_steps(base, parts)
    counted = [one for one in parts if one is not None]
    plain = [Slice(None) if isinstance(one, Places) else one for one in counted]
    cut = Cut.of(base, plain, whole=False).apply(base)
    axes = _axes_of(counted)
    arrays = [one.array for one in parts if isinstance(one, Places)]
    if not arrays:
        shown = _pattern(parts, axes, cut.type.ndim, 0, None, False)
        return note_part(dimshuffle(cut, shown), x)
    found, order = _read(cut, arrays, [axes[i] for i in _places_in(counted)])
    pattern = _pattern(parts, axes, cut.type.ndim, _rank(arrays), order, separate)
    source = found.inputs[0]
    found = dimshuffle(found, pattern)
    return found if source is x else note_part(found, x)


def _are_separate(parts: list[Any]) -> bool:
    """Tell whether something stands between the integers and arrays of an index."""
    chosen = [
        i
        for i, one in enumerate(parts)
        if one is not None and one is not ... and not isinstance(one, Slice)
    ]
    return chosen[-1:] != chosen[:1] and chosen[-1] - chosen[0] + 1 != len(chosen)


def _places_in(parts: list[Any]) -> list[int]:
    return [i for i, one in enumerate(parts) if isinstance(one, Places)]


def _axes_of(parts: list[Any]) -> list[int]:
    """Return for each part its axis after integers have dropped theirs; theirs is the next one."""
    kept = [isinstance(one, (Slice, Places)) for one in parts]
    return [sum(kept[:i]) for i in range(len(parts))]


def _rank(arrays: list[Node]) -> int:
    return max(one.type.ndim for one in arrays)


def _read(x: Node, arrays: list[Node], axes: list[int]) -> tuple[Node, list[int]]:
    """Return what index arrays for these axes of x read, and the other axes of x in order.

    The result's axes are those before the arrays', then those of the arrays, then the rest; or the
    arrays' first, if other axes lie between theirs.
    """
    for array, axis in zip(arrays, axes, strict=True):
        _check_known(x, array, axis)
    rest = [axis for axis in range(x.type.ndim) if axis not in axes]
    if axes == list(range(axes[0], axes[0] + len(axes))):
        return gather(x, arrays, axes[0]), rest
    return gather(dimshuffle(x, [*axes, *rest]), arrays, 0), rest


def _check_known(x: Node, array: Node, axis: int) -> None:
    """Raise if an index known before the call lies outside of an axis of known size."""
    values, size = known_index(array), x.type.shape[axis]
    if values is None or size is None:
        return
    bad = values[(values < -size) | (values >= size)]
    if bad.size:
        checked(int(bad[0]), size, x, axis)


def _pattern(
    parts: list[Any],
    axes: list[int],
    rank: int,
    places: int,
    rest: list[int] | None,
    separate: bool,
) -> list[int]:
    """Return the dimshuffle that brings what was read into NumPy's order.

    ``axes`` are those of the parts besides None; ``places`` the number of axes of the arrays, and
    ``rest`` the axes that no array is for, which keep their order.
    """
    rest = list(range(rank)) if rest is None else rest
    taken = [axis for axis in range(rank) if axis not in rest]
    together = not taken or taken == list(range(taken[0], taken[0] + len(taken)))
    front = taken[0] if taken and together else 0
    number = {axis: i if i < front else i + places for i, axis in enumerate(rest)}
    of_arrays = list(range(front, front + places))
    pattern = of_arrays if separate else []
    placed = separate or not taken
    left = iter(axes)
    for one in parts:
        if one is None:
            pattern.append(-1)
            continue
        axis = next(left)
        if isinstance(one, Slice):
            pattern.append(number[axis])
        elif not placed:
            pattern += of_arrays
            placed = True
    shown = {one for one in pattern if one >= 0}
    return pattern + [i for i in range(len(rest) + places) if i not in shown]


# -- conditions -----------------------------------------------------------------------------------


def _without_conditions(x: Node, parts: list[Any]) -> tuple[Node, list[Any]]:
    """Return an index with the places of what is true in place of conditions.

    One condition alone is for one axis of x, into which its axes are merged.
    """
    alone = sum(isinstance(one, Places) for one in parts) == 1
    found: list[Any] = []
    axis = 0
    for one in parts:
        if isinstance(one, Places) and one.is_condition:
            x, condition = _matched(x, one.array, axis)
            if alone:
                x = _merged(x, axis, one.axes)
                found.append(Places(_true_places(flatten(condition))))
            else:
                found += [Places(each) for each in nonzero(condition)]
            axis += 1 if alone else one.axes
            continue
        found.append(one)
        axis += one is not None
    return x, found


def _matched(x: Node, condition: Node, axis: int) -> tuple[Node, Node]:
    """Return an array and a condition whose sizes agree; checked when it runs, if not known."""
    own = list(sizes(condition))
    whole = list(sizes(x))
    for i, size in enumerate(own):
        there = whole[axis + i]
        if isinstance(size, int) and isinstance(there, int) and size != there:
            raise GraphcIndexError(
                message(
                    f"a condition of size {size} does not fit axis {axis + i} of size {there}",
                    [operand(x), operand(condition)],
                    here(),
                )
            )
        if isinstance(size, int):
            whole[axis + i] = size
        else:
            own[i] = there
    return expand(x, whole), expand(condition, own)


def _merged(x: Node, axis: int, count: int) -> Node:
    """Return x with ``count`` axes from ``axis`` on as one."""
    shape = sizes(x)
    merged = [*shape[:axis], product(shape[axis : axis + count]), *shape[axis + count :]]
    return reshape(x, merged)  # type: ignore[no-any-return]


def _true_places(vector: Node) -> Node:
    """Return the places at which a vector is not zero, computed now if it is known."""
    if vector.op is CONST:
        return const(np.flatnonzero(vector.attrs["value"].array))
    return places_of.flatnonzero(vector)  # type: ignore[no-any-return]


# -- symbolic steps -------------------------------------------------------------------------------


def _has_open_step(part: Any) -> bool:
    return isinstance(part, Slice) and isinstance(part.step, Node)


def _without_open_steps(x: Node, parts: list[Any]) -> tuple[Node, list[Any]]:
    """Return x read at the places of slices whose step is an expression, and the other parts."""
    found: list[Any] = []
    axis = 0
    for one in parts:
        if _has_open_step(one):
            x = gather(x, [_counted(one, sizes(x)[axis])], axis)
            one = Slice(None)
        found.append(one)
        axis += one is not None
    return x, found


def _counted(part: Any, size: Dim) -> Node:
    """Return the places of a slice of an axis, as Python finds them."""
    step, count = part.step, as_size_node(size)
    back = lt(step, 0)
    low, high = cast(where_(back, -1, 0), dtypes.INDEX), add(count, where_(back, -1, 0))

    def bound(given: Any, default: Node) -> Node:
        if given is None:
            return default
        given = as_node(given)
        return where_(  # type: ignore[no-any-return]
            lt(given, 0), maximum(add(given, count), low), minimum(given, high)
        )

    start = bound(part.start, where_(back, high, low))
    return arange(start, bound(part.stop, where_(back, low, high)), step)  # type: ignore[no-any-return]


# -- finding and reading by name ------------------------------------------------------------------


def flatnonzero(a: Any) -> Any:
    """Return the places, in row-major order, at which an array is not zero.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.flatnonzero(T.dmatrix("m")).type
    int64[?]
    """
    return _true_places(flatten(as_node(a)))


def nonzero(a: Any, return_matrix: bool = False) -> Any:
    """Return where an array is not zero: for each axis a vector of places.

    Parameters
    ----------
    a : expression
        Of at least one axis.
    return_matrix : bool
        Whether to return a matrix with a row for each axis instead of a tuple.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> m = T.dmatrix("m")
    >>> [place.type for place in m.nonzero()], T.nonzero(m, return_matrix=True).type
    ([int64[?], int64[?]], int64[2, ?])
    """
    a = as_node(a)
    if not a.type.ndim:
        raise GraphcTypeError(message("nonzero of a scalar", [operand(a)], here()))
    if a.op is CONST:
        found = tuple(map(const, np.nonzero(a.attrs["value"].array)))
    else:
        found = tuple(_unravelled(flatnonzero(a), sizes(a)))
    return stack(list(found)) if return_matrix else found


def _unravelled(flat: Node, shape: tuple[Dim, ...]) -> list[Node]:
    """Return places in row-major order as a place along each axis."""
    found = []
    for axis, size in enumerate(shape):
        step = product(shape[axis + 1 :])
        place = flat if step == 1 and isinstance(step, int) else int_div(flat, as_size_node(step))
        found.append(mod(place, as_size_node(size)) if axis else place)
    return found


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """Return x where a condition holds and y elsewhere; without them, where it holds.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> m = T.dmatrix("m")
    >>> T.where(m > 0, m, 0).type, len(T.where(m > 0))
    (float64[?, ?], 2)
    """
    if x is None and y is None:
        return nonzero(condition)
    if x is None or y is None:
        raise GraphcTypeError(message("where: give x and y, or neither", (), here()))
    return switch(condition, x, y)


def nonzero_values(a: Any) -> Any:
    """Return the elements of an array that are not zero, in row-major order.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nonzero_values(T.dmatrix("m")).type
    float64[?]
    """
    flat = flatten(as_node(a))
    return getitem(flat, _true_places(flat))


def take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
    """Return the elements of an array at places along an axis.

    Parameters
    ----------
    a : expression
    indices : expression, array or integer
    axis : int, optional
        By default the places are those of the array in row-major order.
    mode : {'raise', 'clip', 'wrap'}
        What becomes of a place outside of the axis: an IndexError, the nearest end, or the place
        as often around as it takes.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> m = T.dmatrix("m")
    >>> T.take(m, [0, 2], axis=1).type, m.take(T.lmatrix("i")).type
    (float64[?, 2], float64[?, ?])
    """
    a = as_node(a)
    if axis is None:
        a, axis = flatten(a), 0
    axis = place_of_axis(axis, a, "take")
    index = _in_mode(as_node(indices), sizes(a)[axis], mode, "take")
    return getitem(a, (Slice(None),) * axis + (index,))


def place_of_axis(axis: Any, x: Node, what: str) -> int:
    """Return an axis counted from 0, or raise an error that names the function ``what``."""
    rank = x.type.ndim
    if not -rank <= int(axis) < rank:
        raise GraphcValueError(
            message(f"{what}: axis {axis} is out of range for {rank} axes", [operand(x)], here())
        )
    return int(axis) % rank


def _in_mode(index: Node, size: Dim, mode: str, what: str) -> Node:
    if mode == "raise":
        return index
    if mode not in ("clip", "wrap"):
        raise GraphcValueError(
            message(f"{what}: mode is 'raise', 'clip' or 'wrap', not {mode!r}", (), here())
        )
    index, count = cast(index, dtypes.INDEX), as_size_node(size)
    if mode == "wrap":
        return mod(index, count)  # type: ignore[no-any-return]
    return maximum(minimum(index, count - 1), 0)  # type: ignore[no-any-return]


def choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Any:
    """Return at each point the element of the choice whose number ``a`` has there.

    Parameters
    ----------
    a : expression of integers
    choices : sequence of expressions, or one whose first axis counts them
        Broadcast with ``a``, which has at most their rank.
    out : None
        Theano's; has no effect.
    mode : {'raise', 'clip', 'wrap'}
        What becomes of a number that is no choice's.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> i, x, y = T.lvector("i"), T.dvector("x"), T.dvector("y")
    >>> T.choose(i, [x, y]).type
    float64[?]
    """
    a = as_node(a)
    if isinstance(choices, (list, tuple)):
        choices = [as_node(one) for one in choices]
        full = broadcast_together([a, *choices])
        a, all_of_them = full[0], stack(full[1:])
    else:
        all_of_them = as_node(choices)
        a = broadcast_together([a, all_of_them[0]])[0]
        whole = [sizes(all_of_them)[0], *sizes(a)]
        all_of_them = expand(all_of_them, whole)
    number = _in_mode(a, sizes(all_of_them)[0], mode, "choose")
    if mode == "raise":
        number = inside(number, sizes(all_of_them)[0])
    return getitem(all_of_them, (number, *open_grid(sizes(a))))


def inside(index: Node, size: Dim) -> Node:
    """Return an index array after a look that it lies in ``[0, size)``."""
    if index.type.ndim:
        return places_of.place(index, as_size_node(size))  # type: ignore[no-any-return]
    vector = dimshuffle(index, ("x",))
    return dimshuffle(places_of.place(vector, as_size_node(size)), ())  # type: ignore[no-any-return]


def broadcast_together(nodes: list[Node]) -> list[Node]:
    """Return arrays broadcast to one shape."""
    rank = max(one.type.ndim for one in nodes)
    padded = [
        dimshuffle(one, [-1] * (rank - one.type.ndim) + list(range(one.type.ndim))) for one in nodes
    ]
    return places_of.together(padded) if rank else nodes


def open_grid(shape: tuple[Dim, ...]) -> list[Node]:
    """Return for each axis of a shape the places along it, with that axis and others of size 1."""
    rank = len(shape)
    return [
        dimshuffle(iota(as_size_node(size)), [-1] * axis + [0] + [-1] * (rank - axis - 1))
        for axis, size in enumerate(shape)
    ]


def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """Return the elements of an array at places of their own for each line along an axis.

    Parameters
    ----------
    arr, indices : expressions
        Of one rank; axes other than ``axis`` broadcast.
    axis : int, optional
        None takes the array as a vector.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> m, i = T.dmatrix("m"), T.lmatrix("i")
    >>> T.take_along_axis(m, i, axis=1).type
    float64[?, ?]
    """
    found, place = along_axis(arr, indices, axis, "take_along_axis")
    return getitem(found, place)


def along_axis(
    arr: Any, indices: Any, axis: int | None, what: str
) -> tuple[Node, tuple[Node, ...]]:
    """Return an array, and an index with an array for each axis that is open but for one."""
    x, index = as_node(arr), as_node(indices)
    if axis is None:
        x, axis = flatten(x), 0
    if x.type.ndim != index.type.ndim:
        raise GraphcTypeError(
            message(f"{what}: the ranks differ", [operand(x), operand(index)], here())
        )
    axis = place_of_axis(axis, x, what)
    grid: list[Node] = open_grid(sizes(x))
    grid[axis] = index
    return x, tuple(grid)


def ix_(*args: Any) -> tuple[Any, ...]:
    """Return vectors as index arrays for the block where their rows and columns meet.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> m = T.dmatrix("m")
    >>> m[T.ix_([0, 2], [1, 1, 0])].type
    float64[2, 3]
    """
    rank = len(args)
    found = []
    for axis, one in enumerate(map(as_node, args)):
        if one.type.ndim != 1:
            raise GraphcTypeError(message("ix_ takes vectors", [operand(one)], here()))
        vector = _true_places(one) if one.type.dtype == dtypes.BOOL else one
        found.append(dimshuffle(vector, [-1] * axis + [0] + [-1] * (rank - axis - 1)))
    return tuple(found)


__all__ = [
    "choose",
    "flatnonzero",
    "ix_",
    "nonzero",
    "nonzero_values",
    "take",
    "take_along_axis",
    "where",
]
