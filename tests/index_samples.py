"""Random arrays and indices of every kind that NumPy takes, for the tests that compare with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import numpy as np

import graphc.tensor as T
from graphc.ir.node import Node

BOUND = st.none() | st.integers(-6, 6)
STEP = st.none() | st.integers(-3, 3).filter(bool)
KINDS = ("all", "int", "slice", "array", "array", "condition", "conditions")
Part = tuple[Any, Any]  # as NumPy takes it, and as an expression

WHOLE: Part = (slice(None), slice(None))


@dataclass(frozen=True)
class Example:
    """An array, an index that NumPy accepts for it, and the same index as an expression.

    ``values`` are those of the inputs of the expression, x among them.
    """

    x: Node
    value: np.ndarray
    index: tuple[Any, ...]
    expression: tuple[Any, ...]
    values: dict[Node, Any]

    def __repr__(self) -> str:
        return f"x[{self.expression}] of {self.x.type!r}; with numbers {self.index!r}"


@st.composite
def examples(draw: Any) -> Example:
    """Return an array and an index for it."""
    shape = tuple(draw(st.lists(st.integers(0, 4), min_size=1, max_size=4)))
    x = T.TensorType("float64", shape if draw(st.booleans()) else (None,) * len(shape))("x")
    value = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    maker = _Maker(draw)
    parts = maker.parts(shape)
    index, expression = zip(*parts, strict=True) if parts else ((), ())
    return Example(x, value, index, expression, {x: value, **maker.values})


class _Maker:
    """Draws the parts of one index.

    With conditions in it, there are as many true elements in each, and arrays are of that size: a
    number of elements that is only known in the call does not broadcast.
    """

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.values: dict[Node, Any] = {}
        self.has_conditions = draw(st.integers(0, 2)) == 0
        rank = 1 if self.has_conditions else draw(st.integers(1, 2))
        self.common = tuple(draw(st.lists(st.integers(0, 3), min_size=rank, max_size=rank)))

    def parts(self, shape: tuple[int, ...]) -> list[Part]:
        """Return a part for each axis, with new ones between, and perhaps an Ellipsis."""
        found: list[Part] = []
        axis = 0
        while axis < len(shape):
            part, used = self._part(shape[axis:])
            found.append(part)
            axis += used
            if self.draw(st.integers(0, 5)) == 0:
                found.insert(self.draw(st.integers(0, len(found))), (None, None))
        return self._shortened(found)

    def _shortened(self, parts: list[Part]) -> list[Part]:
        """Leave out whole axes: at the end, or in one place for an Ellipsis."""
        if self.draw(st.booleans()):
            while parts and parts[-1] is WHOLE:
                parts.pop()
            return parts
        start = self.draw(st.integers(0, len(parts)))
        stop = start
        while stop < len(parts) and parts[stop] is WHOLE:
            stop += 1
        return [*parts[:start], (..., ...), *parts[stop:]]

    def _part(self, left: tuple[int, ...]) -> tuple[Part, int]:
        kind = self.draw(st.sampled_from(KINDS))
        size = left[0]
        if kind == "int" and size:
            place = self.draw(st.integers(-size, size - 1))
            return (place, self._lift(place)), 1
        if kind == "slice":
            bounds = self.draw(BOUND), self.draw(BOUND), self.draw(STEP)
            return (slice(*bounds), slice(*map(self._lift, bounds))), 1
        if kind == "array" and (size or 0 in self.common):
            return self._array(size), 1
        if kind in ("condition", "conditions") and self.has_conditions:
            shape = left[: 2 if kind == "conditions" else 1]
            if int(np.prod(shape)) >= self.common[0]:
                return self._condition(shape), len(shape)
        return WHOLE, 1

    def _lift(self, number: int | None) -> Any:
        """Return a number, or an input that will have this value."""
        if number is None or self.draw(st.integers(0, 2)):
            return number
        node = T.lscalar()
        self.values[node] = np.int64(number)
        return node

    def _array(self, size: int) -> Part:
        shape = self.common
        if not self.has_conditions and size:
            shape = shape[self.draw(st.integers(0, len(shape) - 1)) :]
            shape = tuple([1 if self.draw(st.integers(0, 3)) == 0 else n for n in shape])
        count = int(np.prod(shape))
        numbers = st.integers(-size, size - 1) if size else st.nothing()
        drawn = self.draw(st.lists(numbers, min_size=count, max_size=count))
        dtype = self.draw(st.sampled_from(["int64", "int32", "int8"]))
        return self._given(np.array(drawn, dtype).reshape(shape))

    def _condition(self, shape: tuple[int, ...]) -> Part:
        count = int(np.prod(shape))
        mask = np.zeros(count, bool)
        mask[self.draw(st.permutations(range(count)))[: self.common[0]]] = True
        return self._given(mask.reshape(shape))

    def _given(self, array: np.ndarray) -> Part:
        form = self.draw(st.sampled_from(["input", "input", "array", "list"]))
        if form == "array" or (form == "list" and not array.size):
            return array, array
        if form == "list":
            return array.tolist(), array.tolist()
        known = [1 if size == 1 and array.dtype != bool else None for size in array.shape]
        node = T.TensorType(array.dtype.name, known)()
        self.values[node] = array
        return array, node
