"""Ops: table rows that say everything about one operation, and the registry of them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from graphc.errors import InternalError
from graphc.ir.types import Attrs, Type

if TYPE_CHECKING:
    from graphc.ir.node import Node


class Kind(Enum):
    """What an op is to lowering; nothing else looks at more than this."""

    SOURCE = "source"  # a leaf: input, constant, shared variable, size, counter
    ELEMENTWISE = "elementwise"  # one scalar formula at every point of the space
    REDUCE = "reduce"  # a fold over some axes
    VIEW = "view"  # the same numbers under another index
    CALL = "call"  # a library routine
    COMPOSITE = "composite"  # kept whole for rules and gradients; made of other ops when lowered
    REGION = "region"  # an op with a body
    PROJECT = "project"  # one result of an op with several


class Trait(Enum):
    """Algebraic facts that rules and tests use."""

    COMMUTATIVE = "commutative"
    ASSOCIATIVE = "associative"
    IDEMPOTENT = "idempotent"
    MONOTONE = "monotone"


@dataclass(frozen=True, slots=True)
class Domain:
    """Where tests sample an input, and which points gradients are not checked at.

    ``kinks`` are points where the derivative jumps; samples keep away from them.
    """

    low: float
    high: float
    kinks: tuple[float, ...] = ()
    integers: bool = False  # only whole numbers, whatever the dtype


REALS = Domain(-3.0, 3.0)
NONZERO = Domain(-3.0, 3.0, kinks=(0.0,))
POSITIVE = Domain(0.1, 3.0)


@dataclass(frozen=True, slots=True)
class Undefined:
    """A gradient that does not exist; using it raises an error that says why."""

    why: str


Vjp = Callable[..., Sequence[Any]]  # (g, out, *inputs) -> Node, None or Undefined per input


def _as_they_are(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Any, ...]:
    return args


def _no_checks(node: Node) -> list[tuple[Any, ...]]:
    return []


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Op:
    """One operation. Behaviour is in the fields; there are no subclasses.

    Attributes
    ----------
    name : str
        As in NumPy, where NumPy has it.
    kind : Kind
        What lowering does with it.
    infer : callable
        ``(inputs, attrs) -> Type``; raises the user's errors.
    dims : callable
        ``(node) -> sizes``: one int or int64 scalar node an axis; for an op with several results,
        a tuple of them for each.
    prepare : callable
        ``(op, args, attrs) -> nodes``: numbers to constants, casts, ranks made equal.
    checks : callable
        ``(node) -> [(size, size), ...]``: sizes that must be equal when the program runs; or
        ``(size, relation, size)`` for another relation, and a fourth part for the node whose line
        an error shows.
    vjp : callable or None
        ``(g, out, *inputs)`` gives one node, None (no dependence) or `Undefined` per input.
        Broadcasting and dtypes are the driver's business.
    code : mapping
        Backend to template. ``numpy`` has ``{0}``, ``{1}`` ... and ``{out}``; ``opencl`` is a C
        expression; ``python`` is an expression over Python numbers with the same meaning.
    expand : callable or None
        ``(*inputs, **attrs) -> node``: the same value made of other ops, for backends without a
        template, and always for COMPOSITE ops.
    expand_mirrored : callable or None
        As `expand`, for a program that also has such an op of the negative argument: made of parts
        that both share.
    lazy : tuple of int
        The inputs that are computed only if the op asks for them.
    weight : int
        Rough cost, and the order of rules.
    reference : callable or None
        The NumPy meaning, for tests.
    domain : tuple of Domain
        Where tests sample each input; the last stands for the rest.
    formula : str
        For printing: ``"{0} + {1}"``; empty prints ``name(...)``.
    precedence : int
        Of the operator in ``formula``, as Python orders them; 100 needs no brackets.
    """

    name: str
    kind: Kind
    infer: Callable[[tuple[Node, ...], Attrs], Type]
    dims: Callable[[Node], tuple[Any, ...]]
    attrs: tuple[str, ...] = ()
    prepare: Callable[[Op, tuple[Any, ...], dict[str, Any]], tuple[Any, ...]] = _as_they_are
    checks: Callable[[Node], list[tuple[Any, ...]]] = _no_checks
    vjp: Vjp | None = None
    code: Mapping[str, str] = field(default_factory=dict)
    expand: Callable[..., Any] | None = None
    expand_mirrored: Callable[..., Any] | None = None
    traits: frozenset[Trait] = frozenset()
    lazy: tuple[int, ...] = ()
    weight: int = 1
    reference: Callable[..., Any] | None = None
    domain: tuple[Domain, ...] = (REALS,)
    formula: str = ""
    precedence: int = 100
    doc: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def commutative(self) -> bool:
        """Whether the order of the inputs does not matter."""
        return Trait.COMMUTATIVE in self.traits

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> Any:
        return _find, (self.name,)


OPS: dict[str, Op] = {}
"""Every op by name; filled by the modules of ``ops/``."""


def register(op: Op) -> Op:
    """Add a row to the table; two rows with one name are a mistake."""
    if op.name in OPS:
        raise InternalError(f"two ops named {op.name!r}")
    OPS[op.name] = op
    return op


def _find(name: str) -> Op:
    return OPS[name]
