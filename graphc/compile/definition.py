"""What a function is before it is compiled: enough to compile it again, copy it, or write it down.

A compiled function holds text, buffers and threads, none of which travel. Its definition is made
of expressions and values only; copies, pickles and files are made of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphc.compile.arguments import Argument
from graphc.compile.shared import Container, SharedVariable
from graphc.errors import GraphcTypeError, GraphcValueError, message
from graphc.ir.graph import flatten, unflatten
from graphc.ir.node import SHARED, Node, operand
from graphc.ir.replace import substitute
from graphc.ir.source import here
from graphc.ir.walk import toposort

Form = str | tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Definition:
    """A function as it was written, checked and complete.

    Attributes
    ----------
    arguments : tuple of Argument
        The inputs; those that calls give in order, and implicit ones.
    outputs, borrowed : tuple
        The results, and for each whether it may be lent.
    form : str or tuple of str
        ``"one"`` result, a ``"list"`` of them, or the keys of a dict.
    updates : tuple of (SharedVariable, Node)
    optimize : bool
        Whether it is rewritten and fused.
    """

    name: str
    arguments: tuple[Argument, ...]
    outputs: tuple[Node, ...]
    borrowed: tuple[bool, ...]
    form: Form
    updates: tuple[tuple[Node, Node], ...]
    optimize: bool
    backend: str
    device: str | None

    @property
    def given(self) -> tuple[Argument, ...]:
        """The inputs that a call may give."""
        return tuple(a for a in self.arguments if not a.implicit)

    @property
    def shared(self) -> list[SharedVariable]:
        """The shared variables it reads or changes, the user's own before those of inputs."""
        own = {a.default for a in self.arguments if a.own}
        found = dict.fromkeys(n for n in toposort(self.roots()) if isinstance(n, SharedVariable))
        return [node for node in found if node not in own]

    def roots(self) -> list[Node]:
        """Return every expression it is made of."""
        defaults = [a.default for a in self.arguments if a.default is not None]
        pairs = [node for pair in self.updates for node in pair]
        return [*(a.node for a in self.arguments), *defaults, *self.outputs, *pairs]

    def rooted(self, roots: Iterable[Node], **changes: Any) -> Definition:
        """Return the same function made of other expressions, in the order of `roots`."""
        rest = iter(list(roots))
        nodes = [next(rest) for _ in self.arguments]
        arguments = []
        for argument, node in zip(self.arguments, nodes, strict=True):
            default: Any = next(rest) if argument.default is not None else None
            arguments.append(replace(argument, node=node, default=default))
        outputs = tuple(next(rest) for _ in self.outputs)
        updates = tuple((next(rest), next(rest)) for _ in self.updates)
        return replace(
            self, arguments=tuple(arguments), outputs=outputs, updates=updates, **changes
        )

    def over(self, changed: Mapping[Node, Node], **changes: Any) -> Definition:
        """Return the same function with expressions replaced, all at once."""
        return self.rooted(substitute(self.roots(), changed), **changes)

    def subset(self, places: tuple[int, ...]) -> Definition:
        """Return the function that computes only some of the outputs, as a list or a dict."""
        keys = self.form if isinstance(self.form, tuple) else None
        return replace(
            self,
            outputs=tuple(self.outputs[i] for i in places),
            borrowed=tuple(self.borrowed[i] for i in places),
            form=tuple(keys[i] for i in places) if keys else "list",
        )

    def __reduce__(self) -> Any:
        hollow = [(a.name, a.default is not None, a.own, a.implicit) for a in self.arguments]
        flags = [(a.strict, a.allow_downcast) for a in self.arguments]
        counts = (len(self.outputs), len(self.updates))
        rest = (self.name, self.borrowed, self.form, self.optimize, self.backend, self.device)
        return _restore, (flatten(self.roots()), hollow, flags, counts, rest)


def assemble(
    roots: Iterable[Node],
    hollow: Iterable[tuple[str | None, bool, bool, bool]],
    flags: Iterable[tuple[bool, bool | None]],
    counts: tuple[int, int],
    rest: tuple[str, tuple[bool, ...], Form, bool, str, str | None],
) -> Definition:
    """Return the definition that `Definition.roots` and its other parts belong to."""
    roots = list(roots)
    nothing: Any = roots[0] if roots else None
    arguments = tuple(
        Argument(nothing, name, nothing if has_default else None, own, implicit, *flag)
        for (name, has_default, own, implicit), flag in zip(hollow, flags, strict=True)
    )
    name, borrowed, form, optimize, backend, device = rest
    outputs, updates = counts
    empty = Definition(
        name=name,
        arguments=arguments,
        outputs=(nothing,) * outputs,
        borrowed=borrowed,
        form=form,
        updates=((nothing, nothing),) * updates,
        optimize=optimize,
        backend=backend,
        device=device,
    )
    return empty.rooted(roots)


def _restore(flat: Any, *parts: Any) -> Definition:
    return assemble(unflatten(flat), *parts)


def one_variable_each(definition: Definition) -> Definition:
    """Return the function with one variable for each value: clones give way to the first."""
    first: dict[Container, SharedVariable] = {}
    clones: dict[Node, Node] = {}
    for node in toposort(definition.roots()):
        if isinstance(node, SharedVariable):
            kept = first.setdefault(node.container, node)
            if kept is not node:
                clones[node] = kept
    if clones:
        definition = definition.over(clones)
    seen: set[Node] = set()
    for variable, _ in definition.updates:
        if variable in seen:
            raise GraphcValueError(
                message("a shared variable has two updates", [operand(variable)], here())
            )
        seen.add(variable)
    return definition


def swapped(definition: Definition, swap: Any) -> dict[Node, Node]:
    """Return which shared variables of a function give way to which, checked."""
    pairs = list(swap.items()) if isinstance(swap, Mapping) else list(swap or ())
    known = definition.shared
    found: dict[Node, Node] = {}
    for old, new in pairs:
        shown = [operand(node) for node in (old, new) if isinstance(node, Node)]
        for node in (old, new):
            if not isinstance(node, Node) or node.op is not SHARED:
                raise GraphcTypeError(
                    message(f"copy swaps shared variables, not {node!r}", shown, here())
                )
        if old not in known:
            what = f"{definition.name} has no such shared variable to swap"
            raise GraphcValueError(message(what, shown[:1], here()))
        if old.type is not new.type:
            raise GraphcTypeError(
                message("a shared variable is swapped for one of its type", shown, here())
            )
        found[old] = new
    return found
