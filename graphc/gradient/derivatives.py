"""Derivatives: `grad`, `Lop` and `Rop`."""

from __future__ import annotations

from typing import Any

from graphc.autodiff.disconnected import Disconnection, check_choice, zeros
from graphc.errors import GraphcValueError, message
from graphc.gradient.arguments import (
    as_given,
    as_seed,
    checked_cost,
    known_pairs,
    listed,
    matched,
    stand_in,
    variable,
)
from graphc.gradient.simplified import defined, simplified_gradients, simplified_products
from graphc.ir.node import Node, as_node, const
from graphc.ir.op import Kind
from graphc.ir.replace import substitute
from graphc.ir.source import here
from graphc.ir.types import LANGUAGE
from graphc.ops.movement import fill


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
    wanted = [variable(x) for x in listed(wrt)]
    constant = [as_node(x) for x in listed(consider_constant)]
    known = known_pairs(known_grads)
    cost = None if cost is None else checked_cost(as_node(cost))
    if cost is None and not known:
        raise GraphcValueError(message("grad needs a cost or known_grads", (), here()))
    outputs = [*([] if cost is None else [cost]), *known]
    seeds = [fill(cost, const(1, cost.type.dtype))] if cost is not None else []
    seeds += [as_seed(node, g) for node, g in known.items()]
    found = simplified_gradients(outputs, seeds, wanted, constant, list(known))
    options = Disconnection.of("disconnected_inputs", disconnected_inputs, return_disconnected)
    results = [
        options.gradient(outputs, x, constant) if g is None else defined(g, x, null_gradients)
        for g, x in zip(found, wanted, strict=True)
    ]
    if add_names and cost is not None:
        for g, x in zip(results, wanted, strict=True):
            _name(g, f"d{cost.name or 'cost'}/d{x.name}" if x.name else None)
    return as_given(wrt, results)


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
    outputs, points = matched("f", f, eval_points)
    wanted = [variable(x) for x in listed(wrt)]
    constant = [as_node(x) for x in listed(consider_constant)]
    seeds = [as_seed(node, v) for node, v in zip(outputs, points, strict=True)]
    found = simplified_gradients(outputs, seeds, wanted, constant)
    options = Disconnection.of("disconnected_inputs", disconnected_inputs, "zero", "Lop", "f")
    results = [
        options.gradient(outputs, x, constant) if g is None else defined(g, x, "raise")
        for g, x in zip(found, wanted, strict=True)
    ]
    return as_given(wrt, results)


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
    wanted, points = matched("wrt", wrt, eval_points)
    wanted = [variable(x) for x in wanted]
    outputs = [as_node(node) for node in listed(f)]
    found = simplified_products(outputs, wanted, points)
    options = Disconnection.of("disconnected_outputs", disconnected_outputs, return_disconnected)
    results = [
        options.product(node, wanted) if moved is None else defined(moved, node, "raise")
        for moved, node in zip(found, outputs, strict=True)
    ]
    return as_given(f, results)


def jvp(outputs: Any, wrt: Any, tangents: Any) -> Any:
    """Return how outputs change when ``wrt`` moves: forward-mode differentiation.

    What `Rop` returns, with zeros for outputs that do not move.

    Parameters
    ----------
    outputs : Node, or list, tuple or dict of Node
    wrt : Node, or list or tuple of Node
    tangents : Node, or list or tuple of Node
        The direction of each ``wrt``, in its shape; None for one that stays.

    Returns
    -------
    Node, list, tuple or dict
        As ``outputs``: the change of each, in its shape and dtype.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x, v = T.dvectors("x", "v")
    >>> moved = graphc.gradient.jvp(T.exp(x), x, v)
    >>> moved
    fill(x, v) * exp(x)
    >>> graphc.function([x, v], moved)([0.0, 1.0], [1.0, 2.0])
    array([1.        , 5.43656366])
    """
    return Rop(outputs, wrt, tangents, disconnected_outputs="ignore")


def subgraph_grad(
    wrt: Any, end: Any, start: Any = None, cost: Any = None, details: bool = False
) -> Any:
    """Return gradients of part of a graph: from ``start`` or ``cost`` down to ``end``.

    Parameters
    ----------
    wrt : list of Node
        Variables of the part, such as the parameters of a layer.
    end : list of Node
        Where the part ends: gradients reach them and go no further.
    start : dict of Node to Node, optional
        Gradients that come into the part from above, such as another call's ``end``.
    cost : Node, optional
        A scalar, itself in the part, whose gradient is added.
    details : bool
        Also return the gradients that ``start`` and ``cost`` contribute.

    Returns
    -------
    wrt_grads, end_grads : list of Node
        The gradient of each ``wrt`` and each ``end``; zeros where there is none.
    start_grads, cost_grads : list of Node
        With ``details``: what came from ``start`` and from ``cost``, for each of ``wrt`` and
        ``end``; None where not given.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x, w, v = T.dscalars("x", "w", "v")
    >>> h = w * x
    >>> cost = v * T.sqr(h)
    >>> (by_v,), (by_h,) = graphc.gradient.subgraph_grad([v], [h], cost=cost)
    >>> (by_w,), (by_x,) = graphc.gradient.subgraph_grad([w], [x], start={h: by_h})
    >>> graphc.function([x, w, v], [by_w, by_x])(2.0, 3.0, 1.0)
    [array(24.), array(36.)]
    """
    named, ends = [variable(x) for x in listed(wrt)], [variable(x) for x in listed(end)]
    known = known_pairs(start)
    if cost is None and not known:
        raise GraphcValueError(message("subgraph_grad needs a cost or a start", (), here()))
    wanted = list(dict.fromkeys([*named, *ends]))
    from_start = from_cost = None
    if known:
        seeds = [as_seed(node, g) for node, g in known.items()]
        from_start = _down_to(list(known), seeds, wanted, ends)
    if cost is not None:
        top = checked_cost(as_node(cost))
        from_cost = _down_to([top], [fill(top, const(1, top.type.dtype))], wanted, ends)
    parts = [found for found in (from_start, from_cost) if found is not None]
    total = {x: _sum(each) for x, each in zip(wanted, zip(*parts, strict=True), strict=True)}
    found = [total[x] for x in named], [total[x] for x in ends]
    return (*found, from_start, from_cost) if details else found


def _down_to(
    outputs: list[Node], seeds: list[Node], wanted: list[Node], ends: list[Node]
) -> list[Node]:
    """Differentiate a graph that is cut off at some nodes."""
    cut = {node: stand_in(node) for node in ends if node.inputs}
    above = substitute([*outputs, *wanted], cut)
    tops, inside = above[: len(outputs)], above[len(outputs) :]
    found = simplified_gradients(tops, seeds, inside, ())
    pairs = zip(found, wanted, strict=True)
    slopes = [zeros(x) if g is None else defined(g, x, "raise") for g, x in pairs]
    return substitute(slopes, {leaf: node for node, leaf in cut.items()})


def _sum(parts: tuple[Node, ...]) -> Node:
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


def _name(g: Any, name: str | None) -> None:
    """Name a gradient, unless it is an expression that has a name, or a leaf."""
    if name and isinstance(g, Node) and g.name is None and g.op.kind is not Kind.SOURCE:
        g.name = name


LANGUAGE.update(grad=grad, Lop=Lop, Rop=Rop, jvp=jvp)
