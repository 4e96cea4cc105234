"""Derivatives: `grad`, `Lop` and `Rop`."""

from __future__ import annotations

from typing import Any

from graphc.autodiff.disconnected import Disconnection, check_choice
from graphc.errors import GraphcValueError, message
from graphc.gradient.arguments import (
    as_given,
    as_seed,
    checked_cost,
    known_pairs,
    listed,
    matched,
    variable,
)
from graphc.gradient.simplified import defined, simplified_gradients, simplified_products
from graphc.ir.node import Node, as_node, const
from graphc.ir.op import Kind
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
    options = Disconnection.of("disconnected_inputs", disconnected_inputs, "zero")
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


def _name(g: Any, name: str | None) -> None:
    """Name a gradient, unless it is an expression that has a name, or a leaf."""
    if name and isinstance(g, Node) and g.name is None and g.op.kind is not Kind.SOURCE:
        g.name = name


LANGUAGE.update(grad=grad, Lop=Lop, Rop=Rop)
