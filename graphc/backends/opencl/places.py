"""Where the elements of arrays lie, as index expressions of a kernel's loop variables.

A kernel goes through its space by one to three variables, its *loops*. Each runs over one axis or,
in row-major order, over several; axes that every array can take as one are merged. An array that
can take all axes of a loop as one is reached by ``variable * stride``; others need the places
along the single axes, which cost a division each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphc.ir.shapes import Dim, mul

Strides = tuple[Dim, ...]
Text = Callable[[Dim], str]  # how a kernel names a size


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop variable, the sizes of its axes, and each array's strides along them."""

    variable: str
    sizes: tuple[Dim, ...]
    strides: tuple[Strides, ...]

    def stride(self, array: int) -> Dim | None:
        """Return the one stride by which an array follows the variable, None if there is none."""
        found = merged(self.sizes, [self.strides[array]])
        if not found:
            return 0
        return found[0][1][0] if len(found) == 1 else None

    def is_split(self) -> bool:
        """Whether some array needs the places along the single axes."""
        return any(self.stride(k) is None for k in range(len(self.strides)))

    @property
    def places(self) -> list[str]:
        """The variables for the places along the single axes."""
        return [f"{self.variable}_{axis}" for axis in range(len(self.sizes))]

    def split(self, text: Text) -> list[str]:
        """Return the statements that find the places along the axes."""
        lines = []
        rest = self.variable
        for axis in range(len(self.sizes) - 1, 0, -1):
            size = text(self.sizes[axis])
            over = self.places[0] if axis == 1 else f"{self.variable}_over_{axis}"
            lines.append(f"long {over} = quotient({rest}, {size});")
            lines.append(f"long {self.places[axis]} = {rest} - {over} * {size};")
            rest = over
        return lines

    def step(self, text: Text) -> str:
        """Return the statement that goes on to the next element."""
        line = f"++{self.places[0]};"
        for place, size in zip(self.places[1:], self.sizes[1:], strict=True):
            line = f"if (++{place} == {text(size)}) {{ {place} = 0; {line} }}"
        return line


def loop(variable: str, axes: Sequence[int], sizes: Strides, strides: Sequence[Strides]) -> Loop:
    """Return the loop over some axes of a space, merged as far as all arrays allow."""
    own = [tuple(array[axis] for axis in axes) for array in strides]
    axes_left = merged([sizes[axis] for axis in axes], own)
    return Loop(
        variable,
        tuple(size for size, _ in axes_left),
        tuple(tuple(steps[k] for _, steps in axes_left) for k in range(len(strides))),
    )


def merged(sizes: Sequence[Dim], strides: Sequence[Strides]) -> list[tuple[Dim, Strides]]:
    """Return (size, strides) of the axes that count, merged where one continues the other."""
    found: list[tuple[Dim, Strides]] = []
    for axis, size in enumerate(sizes):
        if isinstance(size, int) and size == 1:
            continue
        steps = tuple(array[axis] for array in strides)
        if found and all(same(a, mul(b, size)) for a, b in zip(found[-1][1], steps, strict=True)):
            found[-1] = (mul(size, found[-1][0]), steps)
        else:
            found.append((size, steps))
    return found


def same(a: Dim, b: Dim) -> bool:
    """Tell whether two sizes are known to be equal."""
    return a is b or (isinstance(a, int) and isinstance(b, int) and a == b)


def total(terms: Sequence[str]) -> str:
    """Return a sum as text.

    Examples
    --------
    >>> total(["i", "n0"]), total([])
    ('i + n0', '0')
    """
    return " + ".join(terms) or "0"


def term(variable: str, stride: Dim, text: Text) -> list[str]:
    """Return ``variable * stride`` as a list of at most one term.

    Examples
    --------
    >>> term("i", 1, str), term("i", 0, str), term("i", -2, str)
    (['i'], [], ['i * -2'])
    """
    if isinstance(stride, int):
        if stride == 0:
            return []
        if stride == 1:
            return [variable]
    return [f"{variable} * {text(stride)}"]
