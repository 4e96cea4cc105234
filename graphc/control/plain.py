"""`loop`: a state that goes from step to step, in graphc's own plain form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from graphc.control.arguments import Element, State, count_of, elements_of, state_of
from graphc.control.calls import Body, body_of, checked_call
from graphc.control.returned import Returned, line_of
from graphc.control.returned import until as condition_of
from graphc.control.scan import run_body
from graphc.control.structure import describe, flatten, outline
from graphc.errors import GraphcTypeError, message
from graphc.ir.node import Node

Structure = Callable[[list[Any]], Any]


def loop(
    step: Callable[..., Any],
    init: Any,
    xs: Any = None,
    n_steps: Any = None,
    until: Callable[..., Any] | None = None,
    *,
    reverse: bool = False,
    checkpoint_every: int | None = None,
    name: str | None = None,
) -> tuple[Any, Any]:
    """Carry a state from step to step: ``state, y = step(state, x)`` for each ``x`` of ``xs``.

    It means this, with the difference that ``step`` is called once, on expressions::

        state, ys = init, []
        for x in xs:
            state, y = step(state, x)
            ys.append(y)
            if until is not None and until(state):
                break
        return state, stack(ys)

    Parameters
    ----------
    step : callable
        ``step(state, x)``, or ``step(state)`` if there are no ``xs``. It returns the next state and
        what to keep of this step, which may be None.
    init : expression, number, or tuple, list, dict or dataclass of such
        The state before the first step. Its dtypes and shapes stay as they are.
    xs : array, or tuple, list, dict or dataclass of arrays, optional
        Steps go along the first axis of each; the shortest one ends the loop.
    n_steps : int or integer scalar, optional
        How many steps to make, possibly none; at most so many with ``until``.
    until : callable, optional
        Of the state that a step gave: whether that step was the last one.
    reverse : bool
        Whether to go through ``xs`` from the end; row 0 of ``ys`` is of the first step made.
    checkpoint_every : int, optional
        The gradient keeps the states of every so many steps only, and computes those between again.
    name : str, optional
        For messages and pictures.

    Returns
    -------
    final : as ``init``
        The state after the last step.
    ys : as what ``step`` keeps
        A row for each step.

    Raises
    ------
    GraphcTypeError
        If ``step`` does not take what it is given, or does not return a state like ``init`` and
        something else.
    DTypeError, ShapeError
        If a part of the state changes its dtype or shape.
    GraphcValueError
        If nothing says how many steps there are.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dvector("x")
    >>> total, sums = loop(lambda total, one: (total + one, total + one), 0.0, x)
    >>> graphc.function([x], [total, sums])([1.0, 2.0, 3.0])
    [array(6.), array([1., 3., 6.])]
    """
    values, state_like = flatten(init)
    arrays, element_like = flatten(xs)
    elements = elements_of(arrays, reverse)
    states: list[State | None] = [
        state_of(value, [-1], i, label)
        for i, (value, label) in enumerate(zip(values, _labels(init, values), strict=True))
    ]
    count = count_of(n_steps, [element.rows for element in elements])
    kept: list[Structure] = []

    def call(given: Sequence[Any], roles: Sequence[Any]) -> Returned:
        args = [state_like(list(given[len(elements) :]))]
        if elements:
            args.append(element_like(list(given[: len(elements)])))
        found = checked_call(step, args, _roles(args), _ORDER)
        return _read(found, step, init, until, kept)

    body = body_of(step, elements, states, [], call=call)
    final, ys = _made(body, elements, count, len(values), name, checkpoint_every)
    return state_like(final), kept[-1](ys)


_ORDER = "write step(state, x), or step(state) for a loop without xs"


def _labels(init: Any, values: Sequence[Any]) -> list[str]:
    """Return names for the parts of a state: the keys of a dict, or those of its values."""
    if isinstance(init, dict) and len(init) == len(values):
        return [str(key) for key in init]
    names = ["state"] if len(values) == 1 else [f"state[{i}]" for i in range(len(values))]
    return [getattr(one, "name", None) or name for one, name in zip(values, names, strict=True)]


def _roles(args: Sequence[Any]) -> list[Any]:
    """Return what arguments are, for a message: the state, and an element of xs."""
    found: list[Any] = []
    for arg, what in zip(args, ("the state", "an element of xs"), strict=False):
        kinds = ", ".join(repr(leaf.type) for leaf in flatten(arg)[0])
        found.append((what, f"{describe(arg)} of {kinds}", None))
    return found


def _read(
    found: Any,
    step: Callable[..., Any],
    init: Any,
    until: Callable[..., Any] | None,
    kept: list[Structure],
) -> Returned:
    """Return what a step gave as flat lists."""
    if not isinstance(found, tuple) or len(found) != 2 or outline(found[0]) != outline(init):
        raise GraphcTypeError(
            message(
                f"the step of a loop returned {describe(found)}, and not the next state,"
                f" {describe(init)}, and what to keep",
                (),
                line_of(step),
                "return state, y; or return state, None",
            )
        )
    states, _ = flatten(found[0])
    ys, like = flatten(found[1])
    kept.append(like)
    stop = None if until is None else condition_of(until(found[0])).condition
    return Returned([*states, *ys], stop=stop)


def _made(
    body: Body,
    elements: Sequence[Element],
    count: Any,
    n_states: int,
    name: str | None,
    chunk: int | None,
) -> tuple[list[Node], list[Node]]:
    """Return final states and rows of what was kept; a state that is kept is not stored twice."""
    ys = body.outputs[n_states:]
    place = {output: i for i, output in enumerate(body.outputs[:n_states])}
    others = list(dict.fromkeys(y for y in ys if y not in place))
    body = replace(
        body,
        states=[*body.states[:n_states], *[None] * len(others)],
        outputs=[*body.outputs[:n_states], *others],
    )
    recorded = {place[y] for y in ys if y in place}
    ran, _ = run_body(body, elements, count, name, chunk=chunk, record=recorded)
    rows: dict[Node, Any] = dict(zip(others, ran.outs, strict=True))
    rows.update({y: ran.history[place[y]] for y in ys if y in place})
    return ran.last[:n_states], [rows[y] for y in ys]
