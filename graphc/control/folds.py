"""`map`, `reduce`, `foldl` and `foldr`: loops of one purpose, as Theano names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.control.arguments import constants_of, count_of, elements_of, states_of
from graphc.control.calls import body_of
from graphc.control.scan import run_body, scan
from graphc.control.updates import OrderedUpdates


def map(
    fn: Callable[..., Any],
    sequences: Any,
    non_sequences: Any = None,
    truncate_gradient: int = -1,
    go_backwards: bool = False,
    mode: Any = None,
    name: str | None = None,
) -> tuple[Any, OrderedUpdates]:
    """Apply a function to each element of sequences.

    Parameters are those of `scan`.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dvector("x")
    >>> squares, _ = map(lambda one: one**2, x)
    >>> graphc.function([x], squares)([1.0, 2.0, 3.0])
    array([1., 4., 9.])
    """
    return scan(
        fn,
        sequences,
        None,
        non_sequences,
        truncate_gradient=truncate_gradient,
        go_backwards=go_backwards,
        mode=mode,
        name=name,
    )


def reduce(
    fn: Callable[..., Any],
    sequences: Any,
    outputs_info: Any,
    non_sequences: Any = None,
    go_backwards: bool = False,
    mode: Any = None,
    name: str | None = None,
    *,
    checkpoint_every: int | None = None,
) -> tuple[Any, OrderedUpdates]:
    """Apply a function to each element of sequences and what came before, and return the last.

    Parameters are those of `scan`. Over no elements the result is the first value.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dvector("x")
    >>> total, _ = reduce(lambda one, total: total + one, x, 0.0)
    >>> graphc.function([x], total)([1.0, 2.0, 3.0])
    array(6.)
    """
    elements = elements_of(sequences, go_backwards)
    count = count_of(None, [element.rows for element in elements])
    constants = constants_of(non_sequences)
    body = body_of(fn, elements, states_of(outputs_info), constants)
    ran, updates = run_body(body, elements, count, name, chunk=checkpoint_every, record=())
    carried, outs = iter(ran.last), iter(ran.outs)
    found: list[Any] = []
    for state in body.states:
        if state is None:
            found.append(next(outs)[-1])
            continue
        found.append(next(carried))
        for _ in state.leaves[1:]:
            next(carried)
    return (found[0] if len(found) == 1 else found), updates


def foldl(
    fn: Callable[..., Any],
    sequences: Any,
    outputs_info: Any,
    non_sequences: Any = None,
    mode: Any = None,
    name: str | None = None,
    *,
    checkpoint_every: int | None = None,
) -> tuple[Any, OrderedUpdates]:
    """Do as `reduce`, from the first element on.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dvector("x")
    >>> value, _ = foldl(lambda digit, value: 10 * value + digit, x, 0.0)
    >>> graphc.function([x], value)([1.0, 2.0, 3.0])
    array(123.)
    """
    options: dict[str, Any] = {"mode": mode, "name": name, "checkpoint_every": checkpoint_every}
    return reduce(fn, sequences, outputs_info, non_sequences, False, **options)


def foldr(
    fn: Callable[..., Any],
    sequences: Any,
    outputs_info: Any,
    non_sequences: Any = None,
    mode: Any = None,
    name: str | None = None,
    *,
    checkpoint_every: int | None = None,
) -> tuple[Any, OrderedUpdates]:
    """Do as `reduce`, from the last element on.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dvector("x")
    >>> value, _ = foldr(lambda digit, value: 10 * value + digit, x, 0.0)
    >>> graphc.function([x], value)([1.0, 2.0, 3.0])
    array(321.)
    """
    options: dict[str, Any] = {"mode": mode, "name": name, "checkpoint_every": checkpoint_every}
    return reduce(fn, sequences, outputs_info, non_sequences, True, **options)
