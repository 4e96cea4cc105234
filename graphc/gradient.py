"""Derivatives as users ask for them: `grad`, `Lop`, `Rop`, and checks by finite differences.

An expression is simplified before it is differentiated, because the gradient of a stable form is
stable. This is the first layer that knows rewriting and differentiation; the pass itself is in
``autodiff/``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.autodiff.disconnected import Disconnected, Disconnection, check_choice
from graphc.autodiff.numeric import STEPS, TOLERANCES, VerifyGradError, compare, numeric_grad
from graphc.autodiff.reverse import gradients
from graphc.config import config
from graphc.errors import (
    DisconnectedInputError,
    GraphcTypeError,
    GraphcValueError,
    NotSupportedError,
    ShapeError,
    message,
)
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, const, input_node, operand
from graphc.ir.op import Kind, Undefined
from graphc.ir.replace import substitute
from graphc.ir.source import here
from graphc.ir.types import LANGUAGE, TensorType
from graphc.ir.walk import leaves, toposort
from graphc.ops.elementwise import cast
from graphc.ops.movement import fill
from graphc.ops.reduce import sum as sum_over
from graphc.rewrite.pipeline import simplify

__all__ = [
    "Disconnected",
    "DisconnectedInputError",
    "Lop",
    "NullTypeGradError",
    "Rop",
    "Undefined",
    "VerifyGradError",
    "grad",
    "numeric_grad",
    "verify_grad",
]


class NullTypeGradError(GraphcTypeError):
    """A gradient that is not defined is needed."""


def grad(
    cost: Any,
    wrt: Any,
    consider_constant: Any = None,
    disconnected_inputs: str = "raise",
    add_names: bool = True,
    known_grads: Any = None,
    return_disconnected: str = "zero",
    null_gradients: str = "raise",
) -> Any:
    """Return the gradient of a scalar cost.

    Parameters
    ----------
    cost : Node or None
        A float scalar; None if ``known_grads`` says all.
    wrt : Node, or list, tuple or dict of Node
        Inputs, shared variables or intermediate expressions, all of them floats.
    consider_constant : Node or sequence of Node, optional
        Expressions no gradient passes through.
    disconnected_inputs : {'raise', 'warn', 'ignore', 'zero', 'none'}
        What to do about a ``wrt`` that the cost does not depend on. ``'zero'`` and ``'none'`` are
        ``'ignore'`` with zeros, or with None, for a result.
    add_names : bool
        Name the gradient by ``w`` of ``cost`` ``dcost/dw``.
    known_grads : dict, or sequence of (Node, Node), optional
        Gradients of expressions, taken instead of what the cost would give them.
    return_disconnected : {'zero', 'None', 'Disconnected'}
        What stands for a disconnected gradient that is not an error.
    null_gradients : {'raise', 'return'}
        What to do about gradients that are not defined: with ``'return'``, an `Undefined` that
        says why is the result.

    Returns
    -------
    Node, list, tuple or dict
        As ``wrt``: each gradient in the shape and dtype of its variable.

    Raises
    ------
    DisconnectedInputError
        If the cost does not depend on a ``wrt``; the message says what cuts the way.
    GraphcTypeError
        If the cost is not a float scalar, or a ``wrt`` is not a float.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x, y = T.dvectors("x", "y")
    >>> cost = (T.exp(x) * y).sum()
    >>> gx, gy = T.grad(cost, [x, y])
    >>> graphc.function([x, y], [gx, gy])([0.0, 1.0], [2.0, 3.0])
    [array([2.        , 8.15484549]), array([1.        , 2.71828183])]
    """
    check_choice("null_gradients", null_gradients, ("raise", "return"))
    wanted = [_variable(x) for x in _listed(wrt)]
    constant = [as_node(x) for x in _listed(consider_constant)]
    known = _known(known_grads)
    cost = None if cost is None else _checked_cost(as_node(cost))
    if cost is None and not known:
        raise GraphcValueError(message("grad needs a cost or known_grads", (), here()))
    outputs = [*([] if cost is None else [cost]), *known]
    seeds = [fill(cost, const(1, cost.type.dtype))] if cost is not None else []
    seeds += [_seed(node, g) for node, g in known.items()]
    found = _reverse(outputs, seeds, wanted, constant, list(known))
    options = Disconnection.of("disconnected_inputs", disconnected_inputs, return_disconnected)
    results = [
        options.gradient(outputs, x, constant) if g is None else _defined(g, x, null_gradients)
        for g, x in zip(found, wanted, strict=True)
    ]
    if add_names and cost is not None:
        for g, x in zip(results, wanted, strict=True):
            _name(g, f"d{cost.name or 'cost'}/d{x.name}" if x.name else None)
    return _as_given(wrt, results)


def Lop(
    f: Any,
    wrt: Any,
    eval_points: Any,
    consider_constant: Any = None,
    disconnected_inputs: str = "raise",
) -> Any:
    """Return the vector-Jacobian product: the gradient of ``sum(f * eval_points)``.

    Parameters
    ----------
    f : Node or sequence of Node
        Expressions of any shape.
    wrt : Node, or list, tuple or dict of Node
    eval_points : Node or sequence of Node
        One for each ``f``, in its shape.
    consider_constant, disconnected_inputs
        As for `grad`.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x, v = T.dvectors("x", "v")
    >>> graphc.function([x, v], T.Lop(x**2, x, v))([1.0, 2.0], [1.0, 10.0])
    array([ 2., 40.])
    """
    outputs, points = _matched("f", f, eval_points)
    wanted = [_variable(x) for x in _listed(wrt)]
    constant = [as_node(x) for x in _listed(consider_constant)]
    seeds = [_seed(node, v) for node, v in zip(outputs, points, strict=True)]
    found = _reverse(outputs, seeds, wanted, constant)
    options = Disconnection.of("disconnected_inputs", disconnected_inputs, "zero")
    results = [
        options.gradient(outputs, x, constant) if g is None else _defined(g, x, "raise")
        for g, x in zip(found, wanted, strict=True)
    ]
    return _as_given(wrt, results)


def Rop(
    f: Any,
    wrt: Any,
    eval_points: Any,
    disconnected_outputs: str = "raise",
    return_disconnected: str = "zero",
) -> Any:
    """Return the Jacobian-vector product: how ``f`` changes when ``wrt`` moves.

    The gradient of ``f`` with a seed ``u`` is linear in ``u``, so its gradient by ``u`` is the
    product sought, and no op needs a rule for it.

    Parameters
    ----------
    f : Node or sequence of Node
    wrt : Node or sequence of Node
    eval_points : Node or sequence of Node
        The direction of each ``wrt``, in its shape.
    disconnected_outputs, return_disconnected
        As ``disconnected_inputs`` and ``return_disconnected`` of `grad`, for an ``f`` that depends
        on no ``wrt``.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x, v = T.dvectors("x", "v")
    >>> graphc.function([x, v], T.Rop(T.outer(x, x), x, v))([1.0, 2.0], [1.0, 10.0])
    array([[ 2., 12.],
           [12., 40.]])
    """
    wanted, points = _matched("wrt", wrt, eval_points)
    wanted = [_variable(x) for x in wanted]
    outputs = [as_node(node) for node in _listed(f)]
    # a fresh scalar makes each seed a node of its own, with the sizes of its output
    scalars = [input_node(TensorType(node.type.dtype, ())) for node in outputs]
    free = [fill(node, scalar) for node, scalar in zip(outputs, scalars, strict=True)]
    pairs = zip(_reverse(outputs, free, wanted, ()), wanted, points, strict=True)
    linear = [(_defined(g, x, "raise"), _seed(x, v)) for g, x, v in pairs if g is not None]
    found = gradients([g for g, _ in linear], [v for _, v in linear], free)
    gone = {scalar: const(0, scalar.type.dtype) for scalar in scalars}  # left in shapes only
    options = Disconnection.of("disconnected_outputs", disconnected_outputs, return_disconnected)
    results = [
        options.product(node, wanted)
        if g is None
        else substitute([_defined(g, node, "raise")], gone)[0]
        for g, node in zip(found, outputs, strict=True)
    ]
    return _as_given(f, results)


# -- the pass over a simplified expression --------------------------------------------------------

_PHASES = ("canonical", "stabilise")


def _reverse(
    outputs: Sequence[Node],
    seeds: Sequence[Node],
    wrt: Sequence[Node],
    constant: Sequence[Node],
    fixed: Sequence[Node] = (),
) -> list[Node | Undefined | None]:
    """Differentiate simplified outputs by nodes that simplification leaves alone."""
    if not config.optimizer:
        return gradients(outputs, seeds, wrt, constant, fixed)
    named = list(dict.fromkeys([*wrt, *fixed]))
    inner = _with_another_below(named, set(constant))
    if inner:
        found = _in_layers(outputs, seeds, named, inner, constant, fixed)
        return [found[x] for x in wrt]
    simple = simplify(outputs, _PHASES, {*named, *constant})
    return gradients(simple, seeds, wrt, constant, fixed)


def _in_layers(
    outputs: Sequence[Node],
    seeds: Sequence[Node],
    named: Sequence[Node],
    inner: Sequence[Node],
    constant: Sequence[Node],
    fixed: Sequence[Node],
) -> dict[Node, Node | Undefined | None]:
    """Differentiate down to the named nodes, and then from each of the inner ones on.

    So each is simplified too, although what it becomes may be equal to something else.
    """
    found: dict[Node, Node | Undefined | None] = dict.fromkeys(named)

    def spread(tops: Sequence[Node], seeds: Sequence[Node], leaves: list[Node]) -> None:
        simple = simplify(tops, _PHASES, {*leaves, *constant})
        kept = [x for x in fixed if x in tops]
        parts = gradients(simple, seeds, leaves, constant, kept, leaves)
        for x, g in zip(leaves, parts, strict=True):
            if g is not None and (x not in fixed or x in kept):
                found[x] = _added(found[x], g)

    spread(outputs, seeds, list(named))
    for node in reversed(inner):
        g = found[node]
        if isinstance(g, Node):
            spread([node], [g], [x for x in named if x is not node])
        elif g is not None:
            found.update(dict.fromkeys(set(toposort([node])).intersection(named), g))
    return found


def _added(a: Node | Undefined | None, b: Node | Undefined) -> Node | Undefined:
    if a is None or isinstance(b, Undefined):
        return b
    return a if isinstance(a, Undefined) else a + b


def _with_another_below(named: Sequence[Node], constant: set[Node]) -> list[Node]:
    """Return the named expressions that are computed from other named ones, inputs first."""
    order = toposort(named, stop=constant)
    wanted = set(named) - constant
    above: set[Node] = set()
    for node in order:
        inputs = set(node.inputs)
        if node not in constant and not (above.isdisjoint(inputs) and wanted.isdisjoint(inputs)):
            above.add(node)
    return [node for node in order if node in above and node in wanted]


# -- gradients that are not there -----------------------------------------------------------------


def _defined(g: Node | Undefined, x: Node, null_gradients: str) -> Any:
    if isinstance(g, Undefined) and null_gradients == "raise":
        raise NullTypeGradError(
            message(
                f"grad: the gradient by {_label(x)} is not defined: {g.why}", [operand(x)], here()
            )
        )
    return g


# -- arguments ------------------------------------------------------------------------------------


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    if isinstance(given, Mapping):
        return list(given.values())
    return list(given) if _is_several(given) else [given]


def _is_several(given: Any) -> bool:
    return isinstance(given, Iterable) and not isinstance(given, (Node, np.ndarray))


def _as_given(given: Any, results: list[Any]) -> Any:
    """Return results in the form of the argument they belong to."""
    if isinstance(given, Mapping):
        return dict(zip(given, results, strict=True))
    if isinstance(given, tuple):
        return tuple(results)
    return results if _is_several(given) else results[0]


def _variable(x: Any) -> Node:
    """Return something to differentiate by, sure that it has a gradient."""
    if not isinstance(x, Node):
        raise GraphcTypeError(
            message(f"grad: cannot differentiate by {x!r}: it is not symbolic", (), here())
        )
    if dtypes.is_discrete(x.type.dtype):
        name = _label(x)
        raise GraphcTypeError(
            message(
                f"grad: {name} is {x.type.dtype}, and only floats have gradients",
                [operand(x)],
                here(),
                f"declare it as a float, or write the cost with xf = T.cast({name}, 'float64')"
                " and differentiate by xf",
            )
        )
    return x


def _checked_cost(cost: Node) -> Node:
    if cost.type.ndim:
        raise GraphcTypeError(
            message(
                "grad: the cost is an array, and only a scalar has a gradient",
                [operand(cost)],
                here(),
                "reduce it first, with .sum() or .mean()",
            )
        )
    if dtypes.is_discrete(cost.type.dtype):
        raise GraphcTypeError(
            message(
                f"grad: the cost is {cost.type.dtype}, and only floats have gradients",
                [operand(cost)],
                here(),
                "compute it from floats: a cast at the end would cut every gradient",
            )
        )
    return cost


def _known(given: Any) -> dict[Node, Any]:
    pairs = given.items() if isinstance(given, Mapping) else given or ()
    return {_variable(node): g for node, g in pairs}


def _matched(what: str, nodes: Any, points: Any) -> tuple[list[Node], list[Any]]:
    """Return two lists of the same length, without the places where no point is given."""
    listed, given = _listed(nodes), _listed(points)
    if len(listed) != len(given):
        raise GraphcValueError(
            message(f"{what} has {len(listed)} entries, eval_points has {len(given)}", (), here())
        )
    pairs = [(as_node(x), v) for x, v in zip(listed, given, strict=True) if v is not None]
    return [x for x, _ in pairs], [v for _, v in pairs]


def _seed(node: Node, given: Any) -> Node:
    """Return a gradient or direction of a node in the node's shape, which a call checks."""
    g = given if isinstance(given, (int, float)) else as_node(given)
    mine = node.type.shape
    theirs = g.type.shape if isinstance(g, Node) else ()
    fits = len(theirs) in (0, len(mine)) and all(
        other in (None, 1) or own in (None, other)
        for own, other in zip(mine, theirs or mine, strict=True)
    )
    if not fits:
        raise ShapeError(
            message(
                f"the gradient of {_label(node)} has another shape than {_label(node)}",
                [operand(node), operand(as_node(g))],
                here(),
            )
        )
    return fill(node, g)  # type: ignore[no-any-return]


def _name(g: Any, name: str | None) -> None:
    """Name a gradient, unless it is an expression that has a name, or a leaf."""
    if name and isinstance(g, Node) and g.name is None and g.op.kind is not Kind.SOURCE:
        g.name = name


def _label(node: Node) -> str:
    return LANGUAGE["label"](node)  # type: ignore[no-any-return]


# -- checks by finite differences -----------------------------------------------------------------


def verify_grad(
    fun: Callable[..., Any],
    pt: Any,
    n_tests: int = 2,
    rng: Any = None,
    eps: float | None = None,
    out_type: Any = None,
    abs_tol: float | None = None,
    rel_tol: float | None = None,
    mode: Any = None,
    cast_to_output_type: bool = False,
    no_debug_ref: bool = True,
) -> None:
    """Compare the gradient of a function with finite differences.

    The output, of any shape, is reduced to a scalar by random weights.

    Parameters
    ----------
    fun : callable
        From symbolic variables to an expression.
    pt : list of arrays
        The values of the variables, floats, where to compare. Keep away from kinks.
    n_tests : int
        How many random weightings to try.
    rng : numpy.random.Generator or RandomState, optional
        Of the weights; by default the same ones each time.
    eps : float, optional
        The step of the differences.
    abs_tol, rel_tol : float, optional
        An element is wrong if both errors are larger. By default they fit the narrowest dtype.
    out_type : dtype, optional
        Convert the output first.
    mode, cast_to_output_type, no_debug_ref
        Accepted for Theano's sake.

    Raises
    ------
    VerifyGradError
        With the element that is worst.

    Examples
    --------
    >>> import numpy as np, graphc, graphc.tensor as T
    >>> graphc.gradient.verify_grad(lambda x, y: T.dot(x, y), [np.ones((2, 3)), np.ones(3)])
    """
    arrays = [np.asarray(value) for value in (pt if isinstance(pt, (list, tuple)) else [pt])]
    inputs = [_verified_input(array, i) for i, array in enumerate(arrays)]
    output = as_node(fun(*inputs))
    output = output if out_type is None else cast(output, out_type)
    narrow = min([output.type.dtype, *(a.dtype.name for a in arrays)], key=lambda d: -STEPS[d])
    allowed = abs_tol or TOLERANCES[narrow], rel_tol or TOLERANCES[narrow]
    rng = np.random.default_rng(0) if rng is None else rng
    shape = _evaluated(output, inputs, arrays).shape
    for _ in range(n_tests):
        weights = rng.uniform(0.5, 1.5, shape)
        # summed in float64, so that the sum adds no error of its own
        weighted = cast(output, "float64") * const(weights)
        cost = sum_over(weighted, axes=tuple(range(weighted.type.ndim)))
        found = grad(cost, inputs, disconnected_inputs="ignore", add_names=False)
        symbolic = [_evaluated(g, inputs, arrays) for g in found]
        numeric = numeric_grad(lambda *values: _evaluated(cost, inputs, values), arrays, eps)  # noqa: B023
        compare(inputs, symbolic, numeric, *allowed)


def _verified_input(array: np.ndarray, i: int) -> Node:
    if array.dtype.kind != "f":
        raise GraphcTypeError(
            message(f"verify_grad needs floats, and point {i} is {array.dtype}", (), here())
        )
    shape = tuple(1 if size == 1 else None for size in array.shape)
    return input_node(TensorType(array.dtype.name, shape), f"input {i}")


def _evaluated(node: Node, inputs: Sequence[Node], arrays: Sequence[np.ndarray]) -> np.ndarray:
    evaluator = LANGUAGE.get("eval")
    if evaluator is None:
        raise NotSupportedError("verify_grad needs node.eval, which comes with graphc.function")
    needed = set(leaves([node]))
    given = {x: array for x, array in zip(inputs, arrays, strict=True) if x in needed}
    return np.asarray(evaluator(node, given))


LANGUAGE.update(grad=grad, Lop=Lop, Rop=Rop, verify_grad=verify_grad)
