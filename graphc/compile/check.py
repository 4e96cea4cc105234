"""check(): the same function as written, optimised, and on a device, compared node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from graphc.compile.compiled import CompiledFunction
from graphc.compile.definition import Definition
from graphc.compile.plain import evaluate
from graphc.compile.tolerances import tolerance
from graphc.errors import DeviceError, DifferenceError, GraphcTypeError, message
from graphc.ir import dtypes
from graphc.ir.node import CONST, INPUT, SHARED, Node, is_tuple, operand
from graphc.ir.notation import called
from graphc.ir.source import here

_SPREAD = 8  # spacings of floats by which operands are moved, to see what that does to the result
_LEAVES = (CONST, INPUT, SHARED)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What `check` found when everything agreed.

    Attributes
    ----------
    name : str
    nodes : int
        How many values were compared in each way of running.
    ways : tuple of str
        ``"numpy as written"``, ``"numpy"``, ``"opencl"``.
    steadier : int
        Elements that are finite though, as written, they are infinite or NaN: rules that keep
        intermediate results from overflowing made them so.
    skipped : str
        What was left out, and why.
    """

    name: str
    nodes: int
    ways: tuple[str, ...]
    steadier: int
    skipped: str = ""

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.nodes} values agree on {', '.join(self.ways)}"]
        if self.steadier:
            lines.append(
                f"{self.steadier} of their elements finite where what is written overflows"
            )
        return "\n".join([*lines, *([self.skipped] if self.skipped else [])])


@dataclass
class _Way:
    """One way of running a function, with the value of every node in it."""

    name: str
    definition: Definition
    values: dict[Node, Any] = field(default_factory=dict)


def check(
    f: CompiledFunction, inputs: Sequence[Any] | Mapping[str, Any] = (), backends: Any = None
) -> Agreement:
    """Compare a function as it was written with what becomes of it, node by node.

    It runs on NumPy without rewriting and fusion, on NumPy optimised, and on OpenCL. In each of
    these, each node's value is compared with what the op means in NumPy for the values that its
    operands have there, up to the op's tolerance and to what a change of operands in their last
    digits makes of it. So errors do not add up on the way, and the first node that differs is the
    one to look at. Updates are compared too, and not made.

    Parameters
    ----------
    f : CompiledFunction
    inputs : sequence or dict
        The inputs of a call, in order or by name.
    backends : sequence of str, optional
        ``"numpy"`` and ``"opencl"``; by default both, or NumPy alone where there is no device.

    Returns
    -------
    Agreement

    Raises
    ------
    DifferenceError
        If a value differs, with the first node that does, and the user's line.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dvector("x")
    >>> f = graphc.function([x], T.log(1 + T.exp(x)).sum(), name="soft")
    >>> print(graphc.check(f, [[0.0, 1000.0]], backends=["numpy"]))
    soft: 4 values agree on numpy as written, numpy
    1 of their elements finite where what is written overflows
    """
    if not isinstance(f, CompiledFunction):
        raise GraphcTypeError(
            message(f"check takes a compiled function, not {type(f).__name__}", (), here())
        )
    args = f._bind((), inputs) if isinstance(inputs, Mapping) else f._bind(tuple(inputs), {})
    wanted = tuple(backends or ("numpy", "opencl"))
    roots = [*f.definition.outputs, *(new for _, new in f.definition.updates)]
    order = _computed(roots)
    count = sum(node.op not in _LEAVES for node in order)
    steadier, ways, skipped = 0, [], ""
    for way in _ways(f.definition, wanted):
        try:
            results = _run(way, order, roots, args)
        except DeviceError as error:
            if backends is not None:
                raise
            skipped = f"{way.name} was left out: {str(error).splitlines()[0]}"
            continue
        for node in order:
            if node.op not in _LEAVES:
                steadier += _compare(f.name, way, node, way.values[node], 1)
        for node, result in zip(roots, results, strict=True):
            if node.op not in _LEAVES:
                _compare(f.name, way, node, result, 2)
        ways.append(way.name)
    return Agreement(f.name, count, tuple(ways), steadier, skipped)


def _ways(definition: Definition, backends: Sequence[str]) -> list[_Way]:
    """Return the ways of running a function, without its updates."""
    plain = replace(definition, updates=(), form="list")
    ways = []
    if "numpy" in backends:
        on_numpy = replace(plain, backend="numpy")
        ways.append(_Way("numpy as written", replace(on_numpy, optimize=False)))
        ways.append(_Way("numpy", replace(on_numpy, optimize=True)))
    if "opencl" in backends:
        ways.append(_Way("opencl", replace(plain, backend="opencl", optimize=True)))
    return ways


def _computed(roots: Sequence[Node]) -> list[Node]:
    """Return arrays and numbers below the roots, inputs first, without what only branches need."""
    found: dict[Node, None] = {}
    stack = [(node, False) for node in reversed(roots)]
    while stack:
        node, done = stack.pop()
        if done:
            found[node] = None
        elif node not in found:
            below = [c for k, c in enumerate(node.inputs) if k not in node.op.lazy]
            stack.append((node, True))
            stack += [(child, False) for child in reversed(below) if child not in found]
    return [node for node in found if not is_tuple(node)]


def _run(way: _Way, order: Sequence[Node], roots: Sequence[Node], args: Sequence[Any]) -> list[Any]:
    """Fill in the values of all nodes, and return those of the function itself."""

    def values_of(nodes: Sequence[Node]) -> list[Any]:
        outputs, lent = tuple(nodes), (False,) * len(nodes)
        found: list[Any] = CompiledFunction(
            replace(way.definition, outputs=outputs, borrowed=lent)
        )(*args)
        return found

    way.values = dict(zip(order, values_of(order), strict=True))
    return values_of(roots)


def _compare(function: str, way: _Way, node: Node, found: Any, times: int) -> int:
    """Raise if a value differs; returns how many elements are finite where NumPy's are not."""
    found = np.asarray(found)
    given = {below: value for below, value in way.values.items() if below is not node}
    with np.errstate(all="ignore"):
        expected = evaluate(node, given)[0]
        if found.dtype != expected.dtype or found.shape != expected.shape:
            raise _difference(function, way, node, found, expected, False)
        allowed = times * _allowed(node, given, expected)
        off = np.abs(_wide(found) - _wide(expected))
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    steadier = np.isfinite(found) & ~np.isfinite(expected) & way.definition.optimize
    near = (np.isfinite(found) & np.isfinite(expected) & (off <= allowed)) | ~np.isfinite(allowed)
    agree = same | steadier | near
    if not np.all(agree):
        raise _difference(function, way, node, found, expected, agree)
    return int(np.count_nonzero(steadier))


def _wide(value: np.ndarray) -> np.ndarray:
    return value.astype("longdouble")


def _allowed(node: Node, given: Mapping[Node, Any], expected: np.ndarray) -> np.ndarray:
    """Return how far each element may be off."""
    operands, units = _operands(node, given)
    values = np.abs(_wide(expected))
    allowed: np.ndarray = units * (values + np.max(values[np.isfinite(values)], initial=0))
    rng = np.random.default_rng(0)
    for child in operands:
        if child.op is CONST or not dtypes.is_float(child.type.dtype):
            continue
        value = np.asarray(given[child])
        unit = _SPREAD * np.finfo(value.dtype).eps
        for signs in (np.ones(value.shape), rng.choice([-1.0, 1.0], value.shape)):
            moved = value * (1 + unit * signs) + signs * np.finfo(value.dtype).smallest_subnormal
            moved = np.where(value == 0, value, moved).astype(value.dtype)
            other = _wide(evaluate(node, {**given, child: moved})[0])
            same = (other == _wide(expected)) | ~np.isfinite(_wide(expected))
            allowed = allowed + np.where(same, 0, np.abs(other - _wide(expected)))
    return allowed


def _operands(node: Node, given: Mapping[Node, Any]) -> tuple[list[Node], float]:
    """Return what a node is computed from, and the tolerance of all that lies between.

    Between are ops with several results, and what only a branch computes.
    """
    found: dict[Node, None] = {}
    between: dict[Node, None] = {node: None}
    waiting = list(node.inputs)
    while waiting:
        child = waiting.pop()
        if child in given or child.op in _LEAVES:
            found[child] = None
        elif child not in between:
            between[child] = None
            waiting += child.inputs
    dtype = str(node.type.dtype)
    return list(found), sum(tolerance(one.op.name, dtype) for one in between)


def _difference(
    function: str, way: _Way, node: Node, found: np.ndarray, expected: np.ndarray, agree: Any
) -> DifferenceError:
    what = f"{function} on {way.name}: {called(node)} differs from NumPy"
    if found.dtype != expected.dtype or found.shape != expected.shape:
        is_, should = (f"{v.dtype}{list(v.shape)}" for v in (found, expected))
        what += f": it is {is_}, not {should}"
    else:
        wrong = ~np.asarray(agree)
        place = tuple(int(k) for k in np.argwhere(wrong)[0])
        where = f" at {list(place)}" if place else ""
        what += f"{where}: {found[place]!r}, not {expected[place]!r}"
        what += f" ({np.count_nonzero(wrong)} of {wrong.size} elements)"
    operands = [operand(child) for child in node.inputs if child.op is not CONST]
    return DifferenceError(message(what, operands, node.where))
