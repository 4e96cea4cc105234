"""Calling the function of a loop once, and making a step of what it returns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc.control import agreement
from graphc.control.arguments import Element, State
from graphc.control.returned import Returned, line_of, read
from graphc.control.updates import OrderedUpdates, notice_missing
from graphc.errors import GraphcTypeError, GraphcValueError, MissingInputError, message
from graphc.ir import dtypes
from graphc.ir.node import INPUT, SHARED, Node, as_node, const, input_node, operand
from graphc.ir.types import LANGUAGE
from graphc.ir.walk import depends_on, toposort
from graphc.ops.random import DRAWS


@dataclass
class Body:
    """What a function of a loop computed from fresh leaves.

    Attributes
    ----------
    states : list of (State or None)
        For each output; None where it is not fed back.
    outputs : list of Node
    updates : OrderedUpdates
        New values of shared variables, over leaves and the variables themselves.
    constants : list of (Node, Node)
        Leaves for non-sequences that must be told from what the function computes.
    start : int
        Nodes with a serial number from here on were made by the function.
    """

    states: list[State | None]
    outputs: list[Node]
    updates: OrderedUpdates
    stop: Node | None
    constants: list[tuple[Node, Node]] = field(default_factory=list)
    start: int = 0


Call = Callable[[Sequence[Any], Sequence[Any]], Returned]
_Ask = Callable[[list[State | None], list[Any]], Returned]


def body_of(
    fn: Callable[..., Any],
    elements: Sequence[Element],
    states: list[State | None],
    constants: list[Any],
    strict: bool = False,
    call: Call | None = None,
) -> Body:
    """Call the function of a loop, and return what it computes.

    It is called again where a first value was a Python number of another dtype than the loop
    needs, and where a non-sequence is computed from a shared variable that the loop changes.

    Parameters
    ----------
    call : callable, optional
        Calls ``fn`` with arguments, and the names and types of these for messages. Without it
        outputs after those that ``states`` describes are not expected.
    """

    def ask(states: list[State | None], constants: list[Any]) -> Returned:
        given = [element.leaf for element in elements]
        given += [leaf for state in states if state for leaf in state.given]
        roles = [_role(e.leaf, e.role) for e in elements]
        roles += [_role(leaf, s.role) for s in states if s for leaf in s.given]
        roles += [_role(one, f"non-sequence {i}") for i, one in enumerate(constants)]
        if call is not None:
            found = call([*given, *constants], roles)
        else:
            found = read(checked_call(fn, [*given, *constants], roles), fn)
        found.updates = with_defaults(found)
        return found

    start = serial_now()
    found = ask(states, constants)
    states = _states_for(found, states, fn, more=call is not None)
    states, found = _settled(ask, states, constants, found)
    pairs = _told_apart(found, constants)
    if pairs:
        outer = {node: leaf for leaf, node in pairs}
        found = ask(states, [outer.get(one, one) for one in constants])
    body = _checked(fn, states, found)
    body.constants, body.start = pairs, start
    if strict:
        _check_strict(fn, body, elements, constants)
    return body


def serial_now() -> int:
    """Return a number below the serial of every node that is made from now on."""
    return input_node(_SCALAR).serial


_SCALAR = const(0.0).type


ORDER = (
    "elements of sequences come first, tap by tap; then the earlier values of\n"
    "outputs that are fed back, in the order of outputs_info; then non-sequences"
)


def checked_call(
    fn: Callable[..., Any], given: Sequence[Any], roles: Sequence[Any], order: str = ORDER
) -> Any:
    """Call a function after a look at its signature.

    Parameters
    ----------
    roles : sequence
        What the arguments are, as operands of a message.
    order : str
        Why they stand in this order.
    """
    if not callable(fn):
        raise GraphcTypeError(message(f"the function of a loop is {fn!r}", (), line_of(fn)))
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):  # of something that is not written in Python
        signature = None
    if signature is not None:
        try:
            signature.bind(*given)
        except TypeError as error:
            raise GraphcTypeError(
                message(
                    f"the function of the loop, {_name(fn)}{signature}, gets {_counted(given)},"
                    f" and does not take them: {error}\nit is given, in this order",
                    roles,
                    line_of(fn),
                    order,
                )
            ) from None
    return fn(*given)


def _role(given: Any, role: str) -> tuple[str, str, None]:
    if not isinstance(given, Node):
        return repr(given), f"{type(given).__name__}, {role}", None
    return LANGUAGE["label"](given), f"{given.type!r}, {role}", None


def _counted(given: Sequence[Any], what: str = "argument") -> str:
    return f"{len(given)} {what}{'s' * (len(given) != 1)}"


def _name(fn: Callable[..., Any]) -> str:
    return getattr(fn, "__name__", type(fn).__name__)


# -- outputs and states ---------------------------------------------------------------------------


def _states_for(
    found: Returned, states: list[State | None], fn: Callable[..., Any], more: bool
) -> list[State | None]:
    """Return an entry for each output, or raise if they are not as many as outputs_info says."""
    count = len(found.outputs)
    if more or not states:
        return [*states, *[None] * (count - len(states))]
    if len(states) != count:
        kinds = [
            (f"output {i}", "not fed back" if state is None else repr(state.type), None)
            for i, state in enumerate(states)
        ]
        raise GraphcValueError(
            message(
                f"the function of the loop returned {_counted(found.outputs, 'output')}, and"
                f" outputs_info describes {len(states)}",
                kinds,
                line_of(fn),
                "give None in outputs_info for each output that is not fed back",
            )
        )
    return states


def _settled(
    ask: _Ask, states: list[State | None], constants: list[Any], found: Returned
) -> tuple[list[State | None], Returned]:
    """Give first values that are Python numbers the dtype that the function makes of them."""
    wanted = _other_dtypes(states, found)
    if not wanted:
        return states, found
    narrow = [_narrow(s) if i in wanted and s else s for i, s in enumerate(states)]
    probe = ask(narrow, constants)
    dtypes_found = [as_node(one).type.dtype for one in probe.outputs]
    states = [s.in_dtype(dtypes_found[i]) if s and i in wanted else s for i, s in enumerate(states)]
    return states, ask(states, constants)


def _other_dtypes(states: Sequence[State | None], found: Returned) -> set[int]:
    """Return the places of weak states that become another dtype."""
    pairs = zip(states, found.outputs, strict=True)
    return {
        i
        for i, (state, given) in enumerate(pairs)
        if state is not None
        and state.weak
        and agreement.following(given, state.type).type.dtype != state.type.dtype
    }


def _narrow(state: State) -> State:
    """Return a state in a dtype so narrow that it decides nothing."""
    return state.in_dtype("float16" if dtypes.is_float(state.type.dtype) else "int8")


def _checked(fn: Callable[..., Any], states: list[State | None], found: Returned) -> Body:
    """Return the outputs as nodes, after a look at their types."""
    outputs: list[Node] = []
    rows: list[tuple[str, Any, Node]] = []
    for state, given in zip(states, found.outputs, strict=True):
        if state is None:
            outputs.append(as_node(given))
            continue
        outputs.append(agreement.following(given, state.type))
        rows.append((state.label, state.type, outputs[-1]))
    updates = OrderedUpdates()
    for variable, given in found.updates.items():
        updates[variable] = agreement.as_update(given, variable)
        rows.append((variable.name or "shared", variable.type, updates[variable]))
    agreement.check(fn, rows)
    results = [*outputs, *updates.values()]
    notice_missing(results, updates, "the function of the loop around it")
    return Body(states, outputs, updates, found.stop)


def with_defaults(found: Returned) -> OrderedUpdates:
    """Return updates with the default ones of variables that the function reads.

    The state of a random draw is not among them: a draw depends on the number of the step.
    """
    updates = OrderedUpdates(found.updates)
    stop = [] if found.stop is None else [found.stop]
    results = [as_node(value) for value in (*found.outputs, *updates.values())]
    waiting = _variables_below([*results, *stop])
    while waiting:
        variable = waiting.pop(0)
        default = getattr(variable, "default_update", None)
        if variable not in updates and default is not None:
            updates[variable] = default
            waiting += _variables_below([as_node(default)])
    return updates


def _variables_below(results: Sequence[Node]) -> list[Node]:
    order = toposort(results)
    states = {node.inputs[0] for node in order if node.op in DRAWS}
    return [node for node in order if node.op is SHARED and node not in states]


# -- non-sequences --------------------------------------------------------------------------------


def _told_apart(found: Returned, constants: Sequence[Any]) -> list[tuple[Node, Node]]:
    """Return leaves for non-sequences that are computed from variables the loop changes.

    Such a non-sequence is what it was before the loop, while the same expression written in the
    function changes with the variable.
    """
    nodes = [one for one in constants if isinstance(one, Node) and one.op is not SHARED]
    changing = depends_on(toposort(nodes), set(found.updates))
    return [(input_node(one.type, one.name), one) for one in nodes if one in changing]


def _check_strict(
    fn: Callable[..., Any], body: Body, elements: Sequence[Element], constants: Sequence[Any]
) -> None:
    """Raise if the function uses an input or a shared variable that it was not given."""
    given = {element.leaf for element in elements}
    given |= {leaf for state in body.states if state for leaf in state.leaves}
    given |= {one for one in constants if isinstance(one, Node)}
    given |= {leaf for leaf, _ in body.constants} | set(body.updates)
    results = [*body.outputs, *body.updates.values(), *([body.stop] if body.stop else [])]
    used = [n for n in toposort(results, stop=given) if n.op in (INPUT, SHARED)]
    missing = [node for node in used if node not in given]
    if missing:
        raise MissingInputError(
            message(
                "strict: the function of the loop uses what it is not given",
                [operand(node) for node in missing],
                line_of(fn),
                "add it to non_sequences, or leave strict out",
            )
        )
