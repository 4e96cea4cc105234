"""function(): from symbolic inputs and outputs to something to call."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from graphc.backends.base import Executable
from graphc.backends.numpy.backend import LIMITS as NUMPY_LIMITS
from graphc.backends.numpy.build import build as build_numpy
from graphc.compile.arguments import Argument, In
from graphc.compile.compiled import CompiledFunction, now
from graphc.compile.shared import SharedVariable
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
from graphc.ir.shapes import Sizes
from graphc.ir.source import here, warn
from graphc.ir.walk import toposort
from graphc.lower.build import lower
from graphc.lower.program import Limits
from graphc.ops.custom import inlined
from graphc.ops.elementwise import cast
from graphc.rewrite.pipeline import simplify, simplify_size


class Out:
    """An output of a function.

    Parameters
    ----------
    variable : Node
        The expression.
    borrow : bool
        True may return memory that the next call writes again.
    """

    def __init__(self, variable: Any, borrow: bool = False) -> None:
        self.variable = variable
        self.borrow = borrow


def function(
    inputs: Sequence[Any],
    outputs: Any = None,
    mode: str | None = None,
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
    mode : {None, 'FAST_RUN', 'FAST_COMPILE'}
        ``'FAST_COMPILE'`` computes what was written, without rewriting or fusion.
    updates : dict, or sequence of (shared variable, expression)
        New values of shared variables: all are computed from the old ones, and stored when the
        call has computed everything. Outputs see the old values.
    givens : dict, or sequence of (Node, Node)
        Expressions to put in place of others, all at once.
    no_default_updates : bool or sequence of shared variables
        Leave out the ``default_update`` of shared variables: of all, or of these.
    name : str, optional
        For messages and generated code.
    allow_input_downcast : bool, optional
        True rounds arguments of wider dtypes; None only Python numbers; False nothing.
    on_unused_input : {'raise', 'warn', 'ignore'}
        What to do about an input that nothing needs.
    backend : {'numpy', 'opencl'}, optional
        By default ``graphc.config.backend``.
    device : str, optional
        OpenCL device by name; by default ``graphc.config.device``.
    accept_inplace, rebuild_strict, profile
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
    _check_mode(mode)
    declared = [_as_input(item, allow_input_downcast) for item in _sequence(inputs, "inputs")]
    results, form = _outputs(outputs)
    pairs = _updates(updates)
    pairs += [(a.node, a.update) for a in declared if a.update is not None]
    notice_missing([*results, *(new for _, new in pairs)], dict(pairs), "the function")
    replace = _givens(givens)
    nodes, replace = _own_inputs(declared, replace)
    n_results = len(results)
    everything = substitute([*results, *(new for _, new in pairs)], replace)
    pairs = [(old, new) for (old, _), new in zip(pairs, everything[n_results:], strict=True)]
    pairs = _with_defaults(everything, pairs, no_default_updates, replace)
    results = everything[:n_results]
    everything = [*results, *(new for _, new in pairs)]
    _check_leaves(nodes, everything, on_unused_input or "raise", declared)
    arguments = [
        Argument(node, d.name, d.default, d.strict, d.allow_downcast)
        for node, d in zip(nodes, declared, strict=True)
    ]
    log: list[Any] = []
    executable = _compile(
        _identifier(name), nodes, results, pairs, form, log, mode, backend or config.backend, device
    )
    written = (tuple(results), tuple(pairs))
    return CompiledFunction(_identifier(name), arguments, executable, written, log, now() - start)


def _compile(
    name: str,
    inputs: Sequence[Node],
    outputs: Sequence[Node],
    updates: Sequence[tuple[Node, Node]],
    form: str | tuple[str, ...],
    log: list[Any],
    mode: str | None,
    backend: str,
    device: str | None,
) -> Executable:
    optimize = config.optimizer and mode != "FAST_COMPILE"
    everything = [*outputs, *(new for _, new in updates)]
    sizes = Sizes(everything, simplify_size)
    everything = inlined(everything)
    if optimize:
        everything = simplify(everything, log=log)
    outputs, new = everything[: len(outputs)], everything[len(outputs) :]
    updates = [(old, value) for (old, _), value in zip(updates, new, strict=True)]
    limits, build = _backend(backend, device)
    program = lower(name, inputs, outputs, updates, sizes, limits, optimize, log)
    executable: Executable = build(program, form)
    return executable


def _backend(name: str, device: str | None) -> tuple[Limits, Any]:
    if name == "numpy":
        return NUMPY_LIMITS, build_numpy
    if name == "opencl":
        return import_module("graphc.backends.opencl.build").for_device(device or config.device)  # type: ignore[no-any-return]
    raise GraphcValueError(f"backend {name!r}: must be 'numpy' or 'opencl'")


def _check_mode(mode: str | None) -> None:
    if mode not in (None, "FAST_RUN", "FAST_COMPILE"):
        raise GraphcValueError(
            f"mode {mode!r}: must be None, 'FAST_RUN' or 'FAST_COMPILE' (no rewriting, no fusion)"
        )


def _identifier(name: str | None) -> str:
    text = re.sub(r"\W", "_", name or "f")
    return text if text.isidentifier() else f"f_{text}"


def _sequence(value: Any, what: str) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return list(value)
    raise GraphcTypeError(
        message(f"{what} of a function is a list, not {type(value).__name__}", (), here())
    )


# -- inputs ---------------------------------------------------------------------------------------


class _Declared:
    """An entry of ``inputs``, whatever its form."""

    def __init__(self, item: In, allow_downcast: bool | None) -> None:
        self.node = item.variable
        self.name = item.name or item.variable.name
        self.default = item.value
        self.update = item.update
        self.strict = item.strict
        self.allow_downcast = (
            item.allow_downcast if item.allow_downcast is not None else allow_downcast
        )


def _as_input(item: Any, allow_downcast: bool | None) -> _Declared:
    if not isinstance(item, In):
        item = In(item)
    if item.variable.op is SHARED:
        raise GraphcTypeError(
            message(
                "a shared variable is not an input: functions read it by themselves",
                [operand(item.variable)],
                here(),
                "leave it out of the inputs; use givens to put another value in its place",
            )
        )
    return _Declared(item, allow_downcast)


def _own_inputs(
    declared: Sequence[_Declared], replace: dict[Node, Node]
) -> tuple[list[Node], dict[Node, Node]]:
    """Return input nodes; an intermediate expression among the inputs is cut off by a new one."""
    nodes: list[Node] = []
    replace = dict(replace)
    for item in declared:
        node = item.node
        if node in (d.node for d in declared[: len(nodes)]):
            raise GraphcValueError(message("an input is listed twice", [operand(node)], here()))
        if node.op is not INPUT:
            node = replace[item.node] = input_node(item.node.type, item.name)
        nodes.append(node)
    return nodes, replace


def _check_leaves(
    inputs: Sequence[Node], results: Sequence[Node], on_unused: str, declared: Sequence[_Declared]
) -> None:
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
    unused = [
        operand(d.node, d.name)
        for node, d in zip(inputs, declared, strict=True)
        if node not in needed
    ]
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


def _outputs(outputs: Any) -> tuple[list[Node], str | tuple[str, ...]]:
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


def _output(value: Any) -> Node:
    return as_node(value.variable if isinstance(value, Out) else value)


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
    excluded = set(left_out) if isinstance(left_out, (list, tuple, set)) else set()
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
