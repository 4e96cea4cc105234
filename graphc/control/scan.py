"""`scan`, with Theano's interface: a loop over sequences, with states and updates."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from graphc.control.arguments import (
    Element,
    constants_of,
    count_of,
    elements_of,
    states_of,
)
from graphc.control.calls import Body, body_of
from graphc.control.draws import numbered
from graphc.control.returned import line_of
from graphc.control.steps import Ran, Step, run, run_in_chunks
from graphc.control.updates import OrderedUpdates
from graphc.errors import GraphcTypeError, GraphcValueError, NotSupportedError, message
from graphc.ir.node import Node, input_node
from graphc.ir.replace import substitute
from graphc.ir.shapes import Dim
from graphc.ir.source import here


def scan(
    fn: Callable[..., Any],
    sequences: Any = None,
    outputs_info: Any = None,
    non_sequences: Any = None,
    n_steps: Any = None,
    truncate_gradient: int = -1,
    go_backwards: bool = False,
    mode: Any = None,
    name: str | None = None,
    profile: Any = False,
    allow_gc: Any = None,
    strict: bool = False,
    return_list: bool = False,
    *,
    checkpoint_every: int | None = None,
) -> tuple[Any, OrderedUpdates]:
    """Apply a function step by step, along sequences, with what it returned before.

    For a new program `graphc.loop` is easier to read.

    Parameters
    ----------
    fn : callable
        Called once, with symbolic arguments: an element of each sequence, then the earlier values
        of outputs that are fed back, then the non-sequences. It returns outputs, then updates of
        shared variables if there are any (a dict or a list of pairs), then ``until(condition)`` if
        the loop may stop.
    sequences : array, ``dict(input=array, taps=[...])``, or list of them
        Loops go along the first axis; the shortest one ends the loop. With taps ``[-1, 0, 2]``
        each step gets the elements one before, at, and two after its place.
    outputs_info : None, initial value, ``dict(initial=value, taps=[...])``, or list of them
        For each output None if it is not fed back, or its value before the first step. With taps
        such as ``[-3, -1]`` the function gets the values of three steps ago and of the last step,
        and the first axis of ``initial`` holds the values before the first step, the oldest first.
        A Python number takes the dtype that the loop needs; to find it ``fn`` may be called again.
    non_sequences : array, number, or list of them
        Given to every step. What ``fn`` uses from outside need not be listed.
    n_steps : int or integer scalar, optional
        How many steps to make, possibly none; at most so many with ``until``.
    truncate_gradient : int
        How many steps the gradient goes back from the last one; -1 for all.
    go_backwards : bool
        Whether to go through sequences from their end.
    strict : bool
        Whether ``fn`` may use only inputs and shared variables that are listed.
    return_list : bool
        Whether a single output comes in a list too.
    name : str, optional
        For messages and pictures.
    checkpoint_every : int, optional
        The gradient keeps the states of every so many steps only, and computes those between again.
        Outputs have all their rows nevertheless: where only the last one is wanted, `reduce` and
        `loop` need less memory.
    mode, profile, allow_gc
        Accepted for Theano's sake.

    Returns
    -------
    outputs : Node, list of Node or None
        For each output its values at all steps, along a new first axis; ``[-1]`` is the last one.
    updates : OrderedUpdates
        New values of shared variables that the loop changes; pass them to `graphc.function`.

    Raises
    ------
    GraphcTypeError
        If ``fn`` does not take what it is given or returns something else.
    DTypeError, ShapeError
        If an output that is fed back changes its dtype or shape.
    GraphcValueError
        If nothing says how many steps there are, or outputs and ``outputs_info`` differ in number.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x, k = T.dscalar("x"), T.lscalar("k")
    >>> powers, updates = graphc.scan(lambda p, x: p * x, None, T.ones_like(x), x, n_steps=k)
    >>> f = graphc.function([x, k], powers[-1], updates=updates)
    >>> f(2.0, 10)
    array(1024.)
    """
    elements = elements_of(sequences, go_backwards)
    states = states_of(outputs_info)
    count = count_of(n_steps, [element.rows for element in elements])
    body = body_of(fn, elements, states, constants_of(non_sequences), strict)
    if not body.outputs and not body.updates:
        raise GraphcValueError(
            message("the function of a loop gave no output and no update", (), line_of(fn))
        )
    ran, updates = run_body(body, elements, count, name, truncate_gradient, checkpoint_every)
    outputs = iter([*ran.outs])
    history = (rows for rows in ran.history if rows is not None)
    found = [next(outputs if state is None else history) for state in body.states]
    if not found:
        return None, updates
    return (found[0] if len(found) == 1 and not return_list else found), updates


def run_body(
    body: Body,
    elements: Sequence[Element],
    count: Dim,
    name: str | None = None,
    truncate: int = -1,
    chunk: int | None = None,
    record: Collection[int] | None = None,
) -> tuple[Ran, OrderedUpdates]:
    """Make a loop of what a function computed; and the updates that it means.

    Parameters
    ----------
    record : collection of int, optional
        The states whose values at all steps are wanted; by default all.
    """
    rows = [element.rows for element in elements]
    step, initial = _step(body, [element.leaf for element in elements], record)
    rows += numbered(step, count, body.start)
    _check_lengths(truncate, chunk)
    step.name, step.truncate = name, None if truncate == -1 else truncate
    ran = _run(step, count, rows, initial, chunk)
    n_updates = len(step.variables)
    last = ran.last[len(ran.last) - n_updates :]
    return ran, OrderedUpdates(zip(step.variables, last, strict=True))


def _run(
    step: Step, count: Dim, rows: Sequence[Node], initial: Sequence[Node], chunk: int | None
) -> Ran:
    if chunk is None:
        return run(step, count, rows, initial)
    for other, given in (("until", step.stop), ("truncate_gradient", step.truncate)):
        if given is not None:
            raise NotSupportedError(
                message(f"checkpoint_every beside {other}", (), here(), "leave one of them out")
            )
    return run_in_chunks(step, count, rows, initial, chunk)


def _check_lengths(truncate: Any, chunk: Any) -> None:
    for what, value in (("truncate_gradient", truncate), ("checkpoint_every", chunk)):
        if value is None or (what == "truncate_gradient" and value == -1):
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            raise GraphcTypeError(
                message(f"{what} is a number of steps, not {value!r}", (), here())
            )
        if value < 1:
            raise GraphcValueError(message(f"{what}={value}: must be at least 1", (), here()))


def _step(
    body: Body, elements: list[Node], record: Collection[int] | None
) -> tuple[Step, list[Node]]:
    """Return the step that a function computed, and the first values of what it carries."""
    states = [state for state in body.states if state is not None]
    carried = [leaf for state in states for leaf in reversed(state.leaves)]
    initial = [node for state in states for node in reversed(state.initial)]
    recorded = [
        place == 0 and (record is None or i in record)
        for i, state in enumerate(states)
        for place in range(len(state.leaves))
    ]
    following: list[Node] = []
    for state, output in zip(body.states, body.outputs, strict=True):
        if state is not None:
            following += [output, *reversed(state.leaves[1:])]
    outs = [out for state, out in zip(body.states, body.outputs, strict=True) if state is None]
    leaves = {variable: input_node(variable.type, variable.name) for variable in body.updates}
    stop = [] if body.stop is None else [body.stop]
    results = [*following, *body.updates.values(), *outs, *stop]
    results = substitute(results, leaves)
    n_carry = len(carried) + len(leaves)
    step = Step(
        elements,
        [*carried, *leaves.values()],
        results[:n_carry],
        [*recorded, *([False] * len(leaves))],
        results[n_carry : n_carry + len(outs)],
        results[-1] if stop else None,
        list(body.constants),
        list(leaves),
    )
    return step, [*initial, *leaves]
