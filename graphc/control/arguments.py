"""What `scan` is given, read into one form: sequences with taps, states with taps, constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError, GraphcValueError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, input_node, operand
from graphc.ir.shapes import Dim, as_dim, at_least, at_most, sizes, sub
from graphc.ir.source import here
from graphc.ir.types import TensorType
from graphc.ops.elementwise import cast
from graphc.ops.family import is_number
from graphc.ops.movement import dimshuffle
from graphc.ops.parts import slice_axes


@dataclass
class Element:
    """What each step gets of a sequence: row t of ``rows`` in step t."""

    leaf: Node
    rows: Node
    role: str


@dataclass
class State:
    """What goes from step to step: its values at the last steps, the oldest first.

    Attributes
    ----------
    taps : list of int
        Which of them the function gets, in this order: -1 is the last step.
    initial, leaves : list of Node
        Before the first step, and inside.
    weak : bool
        Whether the first value is a Python number, which takes the dtype that the loop needs.
    """

    label: str
    taps: list[int]
    initial: list[Node]
    role: str
    weak: bool = False
    leaves: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        depth = len(self.initial)
        self.leaves = [
            input_node(node.type, tap_name(self.label, k - depth))
            for k, node in enumerate(self.initial)
        ]

    @property
    def given(self) -> list[Node]:
        """What the function gets."""
        return [self.leaves[tap] for tap in self.taps]

    @property
    def type(self) -> TensorType:
        """The type of the state in every step."""
        return self.leaves[-1].type

    def in_dtype(self, dtype: str) -> State:
        """Return this state in another dtype."""
        initial = [cast(node, dtype) for node in self.initial]
        return State(self.label, self.taps, initial, self.role, self.weak)


def tap_name(label: str, tap: int) -> str:
    """Return ``x[t]``, ``x[t-1]``, ``x[t+2]``."""
    return f"{label}[t{tap:+d}]" if tap else f"{label}[t]"


def as_list(given: Any) -> list[Any]:
    """Return one thing, several or none as a list."""
    if given is None:
        return []
    return list(given) if isinstance(given, (list, tuple)) else [given]


def _checked_keys(given: Mapping[str, Any], known: Sequence[str], what: str) -> None:
    for key in given:
        if key not in known:
            raise GraphcValueError(
                message(f"{what} has no {key!r}", (), here(), f"it may have {', '.join(known)}")
            )


def _taps(given: Any, default: int, what: str) -> list[int]:
    found = [default] if given is None else as_list(given)
    for tap in found:
        if not isinstance(tap, (int, np.integer)) or isinstance(tap, bool):
            raise GraphcTypeError(message(f"{what}: a tap is an integer, not {tap!r}", (), here()))
    return [int(tap) for tap in found]


# -- sequences ------------------------------------------------------------------------------------


def elements_of(sequences: Any, go_backwards: bool) -> list[Element]:
    """Return what each step gets of the sequences, tap by tap.

    Step t gets of a sequence ``x`` with the taps -1 and 2 the elements ``x[t]`` and ``x[t + 3]``:
    the first step is the first one for which all taps lie in the sequence.
    """
    found: list[Element] = []
    for place, given in enumerate(as_list(sequences)):
        what = f"sequence {place}"
        if isinstance(given, Mapping):
            _checked_keys(given, ("input", "taps"), what)
            taps = _taps(given.get("taps"), 0, what)
            given = given.get("input")
        else:
            taps = [0]
        node = sequence_node(given, what)
        low, high = min([0, *taps]), max([0, *taps])
        length = at_least(sub(sizes(node)[0], high - low), 0) if high > low else sizes(node)[0]
        for tap in taps:
            rows = cut(node, tap - low, length)
            if go_backwards:
                rows = reversed_rows(rows)
            role = f"{what}, its element {_of_step(tap)}"
            found.append(_element(rows, tap_name(node.name or f"x{place}", tap), role))
    return found


def _element(rows: Node, name: str, role: str) -> Element:
    leaf = input_node(rows.type.with_shape(rows.type.shape[1:]), name)
    return Element(leaf, rows, role)


def _of_step(tap: int) -> str:
    if not tap:
        return "of this step"
    return f"{abs(tap)} step{'s' * (abs(tap) > 1)} {'before' if tap < 0 else 'after'}"


def sequence_node(given: Any, what: str) -> Node:
    """Return a sequence as a node.

    Raises
    ------
    GraphcTypeError
        If it has no axis to go along.
    """
    node = as_node(given)
    if not node.type.ndim:
        raise GraphcTypeError(
            message(
                f"{what} is a scalar, and a loop goes along the first axis",
                [operand(node)],
                here(),
                "what is the same in every step is a non-sequence; the number of steps is n_steps",
            )
        )
    return node


def cut(rows: Node, start: Dim, length: Dim) -> Node:
    """Return some rows, which exist."""
    whole = sizes(rows)[0]
    if start == 0 and isinstance(start, int) and _same(whole, length):
        return rows
    return slice_axes(rows, [0], [start], [length], [1])  # type: ignore[no-any-return]


def row(rows: Node, place: Dim) -> Node:
    """Return one row, which exists."""
    one = slice_axes(rows, [0], [place], [1], [1])
    return dimshuffle(one, range(1, rows.type.ndim))  # type: ignore[no-any-return]


def reversed_rows(rows: Node) -> Node:
    """Return the rows from the last to the first."""
    length = sizes(rows)[0]
    return slice_axes(rows, [0], [sub(length, 1)], [length], [-1])  # type: ignore[no-any-return]


def _same(a: Dim, b: Dim) -> bool:
    return a is b or (isinstance(a, int) and isinstance(b, int) and a == b)


# -- states ---------------------------------------------------------------------------------------


def states_of(outputs_info: Any) -> list[State | None]:
    """Return a state for each output that is fed back, None for each other one."""
    found: list[State | None] = []
    for place, given in enumerate(as_list(outputs_info)):
        what = f"output {place}"
        taps = [-1]
        if isinstance(given, Mapping):
            _checked_keys(given, ("initial", "taps", "inplace", "membuf"), what)
            if given.get("initial") is None and given.get("taps"):
                raise GraphcValueError(
                    message(
                        f"{what} has taps and no initial value",
                        (),
                        here(),
                        "give dict(initial=..., taps=[...]), or None if it is not fed back",
                    )
                )
            taps = _taps(given.get("taps"), -1, what)
            given = given.get("initial")
        found.append(None if given is None else state_of(given, taps, place))
    return found


def state_of(given: Any, taps: list[int], place: int, label: str | None = None) -> State:
    """Return the state with these initial values, of which the first axis is over the taps.

    With the tap -1 alone there is no such axis.
    """
    what = f"output {place}"
    if not taps or max(taps) >= 0:
        raise GraphcValueError(
            message(
                f"{what}: the taps {taps} are not all below 0",
                (),
                here(),
                "a step can use what earlier steps gave: -1 is the last step, -2 the one before",
            )
        )
    node = as_node(given)
    name = label or node.name or f"y{place}"
    depth = -min(taps)
    role = f"{what}, its value at earlier steps"
    if taps == [-1]:
        return State(name, taps, [node], f"{what}, its value at the last step", is_number(given))
    size = node.type.shape[0] if node.type.ndim else None
    if not node.type.ndim or (size is not None and size < depth):
        rows = "no axis" if not node.type.ndim else f"{size} rows"
        raise ShapeError(
            message(
                f"{what}: the taps {taps} need {depth} initial values, and there is {rows}",
                [operand(node)],
                here(),
                "with taps other than [-1] the first axis of the initial value is over steps,\n"
                f"the oldest one first: here {', '.join(f't{k - depth}' for k in range(depth))}",
            )
        )
    return State(name, taps, [row(node, k) for k in range(depth)], role)


# -- the number of steps --------------------------------------------------------------------------


def count_of(n_steps: Any, rows: Sequence[Node]) -> Dim:
    """Return how many steps a loop makes: as said, or as many as its shortest sequence allows.

    Raises
    ------
    GraphcValueError
        If nothing says it, or the number is negative.
    """
    if n_steps is not None:
        return _given_count(n_steps, rows)
    if not rows:
        raise GraphcValueError(
            message(
                "nothing says how many steps the loop makes",
                (),
                here(),
                "give n_steps or a sequence; with until, n_steps is the most it may make",
            )
        )
    found: Dim = sizes(rows[0])[0]
    for other in rows[1:]:
        found = at_most(found, sizes(other)[0])
    return found


def _given_count(n_steps: Any, rows: Sequence[Node]) -> Dim:
    node = as_node(n_steps)
    if node.type.ndim or dtypes.kind(node.type.dtype) not in ("int", "uint"):
        raise GraphcTypeError(message("n_steps is one integer", [operand(node)], here()))
    count = as_dim(cast(node, dtypes.INDEX))
    if isinstance(count, int) and count < 0:
        raise GraphcValueError(
            message(
                f"n_steps={count} is negative",
                (),
                here(),
                "go_backwards=True goes through sequences from their end",
            )
        )
    for one in rows:
        length = sizes(one)[0]
        if isinstance(count, int) and isinstance(length, int) and length < count:
            raise ShapeError(
                message(f"n_steps={count}, but a sequence has {length}", [operand(one)], here())
            )
    return count


# -- what is the same in every step ---------------------------------------------------------------


def constants_of(non_sequences: Any) -> list[Any]:
    """Return non-sequences as the function gets them: Python numbers stay what they are."""
    return [one if is_number(one) else as_node(one) for one in as_list(non_sequences)]
