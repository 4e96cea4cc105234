"""function(): from symbolic inputs and outputs to something to call."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.compile.arguments import Argument, In, Out, checker
from graphc.compile.compiled import CompiledFunction, identifier, now
from graphc.compile.definition import Definition, one_variable_each
from graphc.compile.mode import is_optimizing
from graphc.compile.shared import SharedVariable, state_of
from graphc.config import config
from graphc.control.updates import notice_missing
from graphc.errors import (
    DTypeError,
    GraphcTypeError,
    GraphcValueError,
    MissingInputError,
    ShapeError,
    UnusedInputError,
    message,
)
from graphc.ir import dtypes
from graphc.ir.node import INPUT, SHARED, Node, as_node, input_node, operand
from graphc.ir.replace import substitute
from graphc.ir.source import here, warn
from graphc.ir.walk import toposort
from graphc.ops.elementwise import cast


def function(
    inputs: Sequence[Any],
    outputs: Any = None,
    mode: Any = None,
    updates: Any = None,
    givens: Any = None,
    no_default_updates: bool | Sequence[Node] = False,
    accept_inplace: bool = False,
    name: str | None = None,
    rebuild_strict: bool = True,
    allow_input_downcast: bool | None = None,
    profile: Any = None,
    on_unused_input: str | None = None,
    *,
    backend: str | None = None,
    device: str | None = None,
) -> CompiledFunction:
    """Compile a function from symbolic inputs to symbolic outputs.

    Parameters
    ----------
    inputs : sequence of Node or In
        What a call is given, in this order.
    outputs : Node, sequence, dict or None
        What a call returns: one array, a list, a dict, or an empty list.
    mode : {None, 'FAST_RUN', 'FAST_COMPILE'} or Mode
        ``'FAST_COMPILE'`` computes what was written, without rewriting or fusion.
    updates : dict, or sequence of (shared variable, expression)
        New values of shared variables: all are computed from the old ones, and stored when the
        call has computed everything. Outputs see the old values.
    givens : dict, or sequence of (Node, Node)
        Expressions to put in place of others, all at once.
    no_default_updates : bool or sequence of shared variables
        Leave out the ``default_update`` of shared variables: of all, or of these. Also, let loops
        leave them as they are, without a warning.
    name : str, optional
        For messages and generated code.
    allow_input_downcast : bool, optional
        True rounds arguments of wider dtypes; None only Python numbers; False nothing.
    on_unused_input : {'raise', 'warn', 'ignore'}, optional
        What to do about an input that nothing needs; by default ``config.on_unused_input``.
    backend : {'numpy', 'opencl'}, optional
        By default ``graphc.config.backend``.
    device : str, optional
        OpenCL device by name; by default ``graphc.config.device``.
    profile : bool, optional
        True notes what the steps of every call take: ``print(f.profile())``. By default
        ``graphc.config.profile``.
    accept_inplace, rebuild_strict
        Accepted for Theano's sake.

    Returns
    -------
    CompiledFunction

    Raises
    ------
    MissingInputError
        If an output needs an input that is not listed.
    UnusedInputError
        If a listed input is not needed.
    DTypeError, ShapeError
        If an update does not fit its shared variable.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dscalar("x")
    >>> n = graphc.shared(0, name="n")
    >>> f = graphc.function([x], x**2, updates=[(n, n + 1)])
    >>> f(3.0), n.get_value()
    (array(9.), array(1))
    """
    start = now()
    declared = [_as_input(item, allow_input_downcast) for item in _sequence(inputs, "inputs")]
    results, form = _outputs(outputs)
    arguments, replace = _own_inputs(declared, _givens(givens))
    pairs = _updates(updates) + _own_updates(declared, arguments)
    written = [*(o.variable for o in results), *(new for _, new in pairs)]
    if no_default_updates is not True:
        taken = {old for old, _ in pairs} | _excluded(no_default_updates)
        notice_missing(written, taken, "the function")
    everything = substitute(written, replace)
    n_results = len(results)
    pairs = [(old, new) for (old, _), new in zip(pairs, everything[n_results:], strict=True)]
    pairs = _with_defaults(everything, pairs, no_default_updates, replace)
    definition = Definition(
        name=identifier(name),
        arguments=tuple(arguments),
        outputs=tuple(everything[:n_results]),
        borrowed=tuple(o.borrow for o in results),
        form=form,
        updates=tuple(pairs),
        optimize=config.optimizer and is_optimizing(config.mode if mode is None else mode),
        backend=backend or config.backend,
        device=device or config.device or None,
    )
    _check_leaves(definition, on_unused_input or config.on_unused_input)
    watched = bool(config.profile if profile is None else profile)
    return CompiledFunction(one_variable_each(definition), start, watched)


def _sequence(value: Any, what: str) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return list(value)
    raise GraphcTypeError(
        message(f"{what} of a function is a list, not {type(value).__name__}", (), here())
    )


# -- inputs ---------------------------------------------------------------------------------------


def _as_input(given: Any, allow_downcast: bool | None) -> In:
    item = given if isinstance(given, In) else In(given)
    if item.variable.op is SHARED:
        raise GraphcTypeError(
            message(
                "a shared variable is not an input: functions read it by themselves",
                [operand(item.variable)],
                here(),
                "leave it out of the inputs; use givens to put another value in its place",
            )
        )
    if item.allow_downcast is None and allow_downcast is not None:
        item = copy.copy(item)
        item.allow_downcast = allow_downcast
    return item


def _own_inputs(
    declared: Sequence[In], replace: dict[Node, Node]
) -> tuple[list[Argument], dict[Node, Node]]:
    """Return the arguments, and what is replaced: by givens, and to make inputs of expressions.

    An intermediate expression among the inputs is cut off by a new input; an implicit one gives
    way to the shared variable that holds its value.
    """
    arguments: list[Argument] = []
    replace = dict(replace)
    for place, item in enumerate(declared):
        node = item.variable
        if node in (other.variable for other in declared[:place]):
            raise GraphcValueError(message("an input is listed twice", [operand(node)], here()))
        default = _default(item, place)
        if item.implicit:
            assert default is not None
            replace[node] = default
        elif node.op is not INPUT:
            node = input_node(node.type, item.name)
            replace[item.variable] = node
        arguments.append(
            Argument(
                node,
                item.name,
                default,
                own=default is not None and default is not item.value,
                implicit=item.implicit,
                strict=item.strict,
                allow_downcast=item.allow_downcast,
            )
        )
    return arguments, replace


def _default(item: In, place: int) -> SharedVariable | None:
    """Return what holds the value of an input: the user's shared variable, or one of its own."""
    value = item.value
    if value is None:
        return None
    argument = Argument(
        item.variable, item.name, strict=item.strict, allow_downcast=item.allow_downcast
    )
    if isinstance(value, SharedVariable):
        fitting(value, item.variable, "the value")
        return value
    held = checker("function", place, argument, np.asarray)(value)
    return state_of(item.variable.type, np.array(held, order="C"), item.name)


def _own_updates(declared: Sequence[In], arguments: Sequence[Argument]) -> list[tuple[Node, Node]]:
    return [
        (argument.default, fitting(item.update, argument.default, "the update"))
        for item, argument in zip(declared, arguments, strict=True)
        if item.update is not None and argument.default is not None
    ]


def _check_leaves(definition: Definition, on_unused: str) -> None:
    results = [*definition.outputs, *(new for _, new in definition.updates)]
    inputs = {a.node for a in definition.given}
    needed = [node for node in toposort(results) if node.op is INPUT]
    missing = [node for node in needed if node not in inputs]
    if missing:
        raise MissingInputError(
            message(
                "the outputs need inputs that are not listed",
                [operand(node) for node in missing],
                here(),
                "add them to the inputs, or replace them by givens",
            )
        )
    unused = [operand(a.node, a.name) for a in definition.given if a.node not in needed]
    if on_unused not in ("raise", "warn", "ignore"):
        raise GraphcValueError(
            f"on_unused_input {on_unused!r}: must be 'raise', 'warn' or 'ignore'"
        )
    if unused and on_unused != "ignore":
        text = message(
            "inputs that no output and no update needs",
            unused,
            here(),
            "leave them out, or pass on_unused_input='ignore'",
        )
        if on_unused == "raise":
            raise UnusedInputError(text)
        warn(text)


# -- outputs, updates, givens ---------------------------------------------------------------------


def _outputs(outputs: Any) -> tuple[list[Out], str | tuple[str, ...]]:
    if outputs is None:
        return [], "list"
    if isinstance(outputs, Mapping):
        for key in outputs:
            if not isinstance(key, str):
                raise GraphcTypeError(
                    message(f"the key of an output is a string, not {key!r}", (), here())
                )
        return [_output(value) for value in outputs.values()], tuple(outputs)
    if isinstance(outputs, (list, tuple)):
        return [_output(value) for value in outputs], "list"
    return [_output(outputs)], "one"


def _output(value: Any) -> Out:
    if isinstance(value, Out):
        return Out(as_node(value.variable), value.borrow)
    return Out(as_node(value))


def _pairs(given: Any, what: str) -> list[tuple[Any, Any]]:
    items = list(given.items()) if isinstance(given, Mapping) else list(given or ())
    for item in items:
        if not isinstance(item, (tuple, list)) or len(item) != 2:
            raise GraphcTypeError(
                message(f"{what} is a dict or a list of pairs, with {item!r} in it", (), here())
            )
    return [(a, b) for a, b in items]


def _updates(updates: Any) -> list[tuple[Node, Node]]:
    found: dict[Node, Node] = {}
    for variable, new in _pairs(updates, "updates"):
        if not isinstance(variable, SharedVariable):
            shown = [operand(variable)] if isinstance(variable, Node) else ()
            raise GraphcTypeError(
                message(f"only shared variables have updates, not {variable!r}", shown, here())
            )
        if variable in found:
            raise GraphcValueError(
                message("a shared variable has two updates", [operand(variable)], here())
            )
        found[variable] = fitting(new, variable, "the update")
    return list(found.items())


def _with_defaults(
    results: Sequence[Node],
    pairs: list[tuple[Node, Node]],
    left_out: bool | Sequence[Node],
    replace: Mapping[Node, Node],
) -> list[tuple[Node, Node]]:
    """Return updates with the default ones of all shared variables that are read."""
    pairs = list(pairs)
    if left_out is True:
        return pairs
    excluded = _excluded(left_out)
    seen = {old for old, _ in pairs} | excluded
    waiting = [node for node in toposort([*results, *(n for _, n in pairs)]) if node.op is SHARED]
    while waiting:
        variable = waiting.pop(0)
        default = getattr(variable, "default_update", None)
        if variable in seen or default is None:
            continue
        seen.add(variable)
        new = substitute([fitting(default, variable, "the default update")], replace)[0]
        pairs.append((variable, new))
        waiting += [node for node in toposort([new]) if node.op is SHARED]
    return pairs


def _excluded(left_out: Any) -> set[Node]:
    if left_out is False or left_out is None:
        return set()
    listed = left_out if isinstance(left_out, (list, tuple, set, frozenset)) else [left_out]
    for item in listed:
        if not isinstance(item, SharedVariable):
            raise GraphcTypeError(
                message(
                    "no_default_updates is True, False or a list of shared variables,"
                    f" not {item!r}",
                    (),
                    here(),
                )
            )
    return set(listed)


def fitting(new: Any, variable: Node, what: str) -> Node:
    """Return an expression in the dtype of the variable it is for, or raise."""
    kind = variable.type
    weak = type(new) in (int, float, bool)
    node = as_node(new, kind.dtype if weak else None)
    names = [operand(variable), operand(node)]
    if not dtypes.can_cast_safely(node.type.dtype, kind.dtype):
        raise DTypeError(
            message(
                f"{what} of {variable.name or 'a shared variable'} is {node.type.dtype}, which"
                f" {kind.dtype} cannot hold without rounding",
                names,
                here(),
                f"cast it: T.cast(new, '{kind.dtype}'); a float32 program stays float32 if its"
                "\ndata, shared variables and graphc.config.floatX are",
            )
        )
    if node.type.ndim != kind.ndim:
        raise ShapeError(
            message(f"{what} has {node.type.ndim} axes, not {kind.ndim}", names, here())
        )
    for axis, (known, size) in enumerate(zip(kind.shape, node.type.shape, strict=True)):
        if known is not None and size is not None and size != known:
            raise ShapeError(
                message(f"{what} has size {size} in axis {axis}, not {known}", names, here())
            )
    return cast(node, kind.dtype)  # type: ignore[no-any-return]


def _givens(givens: Any) -> dict[Node, Node]:
    found: dict[Node, Node] = {}
    for old, new in _pairs(givens, "givens"):
        if not isinstance(old, Node):
            raise GraphcTypeError(
                message(f"givens replaces symbolic expressions, not {old!r}", (), here())
            )
        found[old] = fitting(new, old, "the given")
    return found
