"""Gradients that users choose: identities that change them, and functions with their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.errors import GraphcTypeError, GraphcValueError, NotSupportedError, message
from graphc.gradient.arguments import is_several, label, listed
from graphc.gradient.simplified import simplified_gradients
from graphc.ir import dtypes
from graphc.ir.graph import Graph
from graphc.ir.node import Node, as_node, input_node, operand
from graphc.ir.op import Undefined
from graphc.ir.replace import substitute
from graphc.ir.source import here
from graphc.ir.types import LANGUAGE
from graphc.ops import custom as ops
from graphc.ops.custom import Slot, apply_custom
from graphc.ops.movement import fill
from graphc.ops.results import results

# -- identities -----------------------------------------------------------------------------------


def zero_grad(x: Any) -> Any:
    """Return x with a gradient of zero: the cost depends on x, but does not change with it.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dscalar("x")
    >>> g = T.grad(x * graphc.gradient.zero_grad(x), x)
    >>> graphc.function([x], g)(3.0)
    array(3.)
    """
    return ops.zero_grad(x)


def consider_constant(x: Any) -> Any:
    """Return x with a gradient of zero; Theano's name of `zero_grad` for this use."""
    return ops.zero_grad(x)


def disconnected_grad(x: Any) -> Any:
    """Return x without a gradient, as if what follows did not depend on it.

    A cost that depends on a variable in no other way is disconnected from it, and `grad` says so;
    after `zero_grad` the gradient would be zero.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dscalar("x")
    >>> T.grad(graphc.gradient.disconnected_grad(x), x, disconnected_inputs="none") is None
    True
    """
    return ops.disconnected_grad(x)


def undefined_grad(x: Any) -> Any:
    """Return x with a gradient that is an error to ask for (`NullTypeGradError`)."""
    return ops.undefined_grad(x)


def grad_clip(x: Any, lower_bound: Any, upper_bound: Any) -> Any:
    """Return x, whose gradient is clipped to a range element by element.

    Parameters
    ----------
    x : Node
    lower_bound, upper_bound : number or scalar Node

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dvector("x")
    >>> g = T.grad(T.sum(graphc.gradient.grad_clip(x, -1, 1) ** 2), x)
    >>> graphc.function([x], g)([0.25, 3.0, -8.0])
    array([ 0.5,  1. , -1. ])
    """
    return ops.grad_clip(x, lower_bound, upper_bound)


def grad_scale(x: Any, multiplier: Any) -> Any:
    """Return x, whose gradient is multiplied by a number; -1 turns it around.

    Parameters
    ----------
    x : Node
    multiplier : number or scalar Node

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dscalar("x")
    >>> g = T.grad(T.sin(graphc.gradient.grad_scale(x, -1)), x)
    >>> graphc.function([x], g)(0.0)
    array(-1.)
    """
    return ops.grad_scale(x, multiplier)


def grad_undefined(op: Any, x_pos: int, x: Any, comment: str = "") -> Undefined:
    """Return what a gradient rule gives for an input whose gradient does not exist.

    Parameters
    ----------
    op : str, or anything with a name
    x_pos : int
        Which input.
    x : Node
        The input.
    comment : str
        Why.
    """
    return Undefined(f"{_name(op)} has no gradient by input {x_pos}, {_described(x, comment)}")


def grad_not_implemented(op: Any, x_pos: int, x: Any, comment: str = "") -> Undefined:
    """Return what a gradient rule gives for an input whose gradient nobody has written yet.

    Parameters are those of `grad_undefined`.
    """
    return Undefined(
        f"the gradient of {_name(op)} by input {x_pos}, {_described(x, comment)},"
        " is not implemented"
    )


def _name(op: Any) -> str:
    return op if isinstance(op, str) else str(getattr(op, "name", None) or type(op).__name__)


def _described(x: Any, comment: str) -> str:
    text = label(x) if isinstance(x, Node) else repr(x)
    return f"{text}: {comment}" if comment else text


# -- functions with a gradient of their own -------------------------------------------------------

Rule = Callable[..., Any]


def custom_grad(vjp: Rule, name: str | None = None) -> Callable[[Rule], CustomGrad]:
    """Give a function of symbolic variables a gradient of its own.

    Parameters
    ----------
    vjp : callable
        ``vjp(g, out, *arguments)`` returns the gradient by each argument: an expression in the
        shape of the argument (a smaller one is broadcast), None where there is no dependence, or
        `grad_undefined`. ``g`` is the gradient of the result and ``out`` the result; lists of them
        if the function returns several. It must be linear in ``g``, if it is to be differentiated
        again.
    name : str, optional
        For printing; by default that of the function.

    Returns
    -------
    decorator
        Of a function of expressions that returns an expression, or a list or tuple of them.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> @graphc.custom_grad(lambda g, out, x: g * T.cos(x))
    ... def sine(x):
    ...     return x - x**3 / 6 + x**5 / 120
    >>> x = T.dscalar("x")
    >>> sine(x)
    sine(x)
    >>> graphc.function([x], T.grad(sine(x), x))(0.0)
    array(1.)
    """
    _must_be_callable("custom_grad: the gradient rule", vjp)

    def decorate(function: Rule) -> CustomGrad:
        _must_be_callable("custom_grad: what is decorated", function)
        return CustomGrad(function, vjp, name or str(getattr(function, "__name__", "custom")))

    return decorate


def _must_be_callable(what: str, function: Any) -> None:
    if not callable(function):
        raise GraphcTypeError(
            message(
                f"{what} is a function, not {function!r}",
                (),
                here(),
                "@custom_grad(lambda g, out, x: ...) above a function of expressions",
            )
        )


class CustomGrad:
    """A function with a gradient of its own; what `custom_grad` makes of a function."""

    def __init__(self, function: Rule, vjp: Rule, name: str) -> None:
        self.function = function
        self.vjp = vjp
        self.name = self.__name__ = name
        self.__doc__ = function.__doc__

    def __call__(self, *arguments: Any) -> Any:
        """Apply the function to expressions."""
        given = [as_node(argument) for argument in arguments]
        inputs = [input_node(x.type, x.name) for x in given]
        returned = self.function(*inputs)
        outputs = [as_node(node) for node in listed(returned)]
        if not outputs:
            raise GraphcValueError(message(f"{self.name} returns nothing", (), here()))
        several = is_several(returned)

        def backward(seeds: list[Node], values: list[Node], xs: Sequence[Node]) -> list[Any]:
            pair = (seeds, values) if several else (seeds[0], values[0])
            return _one_each(self.name, self.vjp(*pair, *xs), len(xs))

        found = results(_closed(self.name, given, inputs, outputs, backward))
        if not several:
            return found[0]
        return tuple(found) if isinstance(returned, tuple) else found

    def __repr__(self) -> str:
        return f"<{self.name}, with a gradient of its own>"


Backward = Callable[[list[Node], list[Node], Sequence[Node]], list[Any]]


def _closed(
    name: str,
    given: Sequence[Node],
    inputs: Sequence[Node],
    outputs: Sequence[Node],
    backward: Backward,
) -> Node:
    """Return the application of a function, and its gradient, to given nodes."""
    seeds = [input_node(node.type) for node in outputs]
    values = [input_node(node.type) for node in outputs]
    gradients_found = backward(seeds, values, inputs)
    slots: list[Slot] = []
    kept: list[Node] = []
    for i, (x, g) in enumerate(zip(inputs, gradients_found, strict=True)):
        if g is None or isinstance(g, Undefined):
            slots.append(None if g is None else g.why)
        elif dtypes.is_discrete(x.type.dtype):
            slots.append(None)
        else:
            slots.append(len(kept))
            kept.append(_fitting(name, i, x, g))
    body = Graph.close(inputs, outputs)
    back = Graph.close([*seeds, *values, *inputs], kept)
    return apply_custom(name, given, body, back, slots)


def _one_each(name: str, found: Any, count: int) -> list[Any]:
    """Return what a gradient rule returned as a list with an entry for each argument."""
    single = found is None or isinstance(found, (Node, Undefined)) or not is_several(found)
    entries = [found] if single else list(found)
    if len(entries) != count:
        raise GraphcValueError(
            message(
                f"{name} has {count} arguments, and its gradient rule returns {len(entries)} of"
                " them",
                (),
                here(),
                "return one gradient for each argument, None where there is none",
            )
        )
    return entries


def _fitting(name: str, i: int, x: Node, given: Any) -> Node:
    """Return the gradient by an argument in its shape, which a call checks."""
    g = as_node(given)
    fits = g.type.ndim in (0, x.type.ndim) and all(
        own in (None, 1) or size in (None, own)
        for own, size in zip(g.type.shape, x.type.shape if g.type.ndim else (), strict=True)
    )
    if not fits or dtypes.is_discrete(g.type.dtype):
        raise GraphcTypeError(
            message(
                f"{name}: the gradient by argument {i} does not have its shape, or is no float",
                [operand(x), operand(g)],
                here(),
            )
        )
    return fill(x, g)  # type: ignore[no-any-return]


# -- graphs as ops --------------------------------------------------------------------------------


class OpFromGraph:
    """A graph as a function that can be applied again and again, with gradients of its own or not.

    Parameters
    ----------
    inputs : list of Node
        Leaves of the graph. Shared variables that it uses need not be listed.
    outputs : list of Node
    inline : bool
        Accepted for Theano's sake: applications are always taken apart when they are compiled.
    grad_overrides : callable, list or 'default'
        ``f(inputs, output_gradients)`` returns the gradient by each input. Or a list with an entry
        for each input: ``'default'``, None (zero), an expression, or a callable with the same
        arguments that returns one gradient.
    lop_overrides : callable, list or 'default'
        The same with the outputs: ``f(inputs, outputs, output_gradients)``.
    name : str, optional
        For printing.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x, y, z = T.dscalars("x", "y", "z")
    >>> op = graphc.OpFromGraph(
    ...     [x, y], [x + y * 2], grad_overrides=[lambda i, g: g[0] * 5, "default"]
    ... )
    >>> gx, gy = T.grad(op(z, z**2), [z, y], disconnected_inputs="ignore")
    >>> graphc.function([z], gx)(1.0)  # 5 + 2 * 2
    array(9.)
    """

    def __init__(
        self,
        inputs: Sequence[Node],
        outputs: Sequence[Node],
        inline: bool = False,
        lop_overrides: Any = "default",
        grad_overrides: Any = "default",
        rop_overrides: Any = "default",
        name: str | None = None,
    ) -> None:
        self.name = name or "OpFromGraph"
        for x in inputs:
            if not isinstance(x, Node) or x.inputs:
                raise GraphcTypeError(message(f"OpFromGraph: {x!r} is not an input", (), here()))
        self.inputs, self.outputs = list(inputs), [as_node(node) for node in listed(outputs)]
        if rop_overrides != "default":
            raise NotSupportedError(
                message(
                    "OpFromGraph: rop_overrides is not supported",
                    (),
                    here(),
                    "forward products follow from the gradient, which grad_overrides gives",
                )
            )
        if lop_overrides != "default" and grad_overrides != "default":
            raise GraphcValueError(
                message("OpFromGraph: give grad_overrides or lop_overrides, not both", (), here())
            )
        self._with_outputs = lop_overrides != "default"
        self.overrides = lop_overrides if self._with_outputs else grad_overrides

    def __call__(self, *arguments: Any) -> Any:
        """Apply the graph to as many expressions as it has inputs."""
        if len(arguments) != len(self.inputs):
            raise GraphcValueError(
                message(
                    f"{self.name} takes {len(self.inputs)} inputs, got {len(arguments)}", (), here()
                )
            )
        given = [
            _of_type(self.name, x, as_node(a)) for x, a in zip(self.inputs, arguments, strict=True)
        ]
        if self.overrides == "default":
            found = substitute(self.outputs, dict(zip(self.inputs, given, strict=True)))
        else:
            found = results(_closed(self.name, given, self.inputs, self.outputs, self._backward))
        return found[0] if len(found) == 1 else found

    def _backward(self, seeds: list[Node], values: list[Node], xs: Sequence[Node]) -> list[Any]:
        def call(function: Any) -> Any:
            return function(xs, values, seeds) if self._with_outputs else function(xs, seeds)

        if callable(self.overrides):
            return _one_each(self.name, call(self.overrides), len(xs))
        entries = _one_each(self.name, self.overrides, len(xs))
        default: list[Any] = [None] * len(xs)
        if "default" in [entry for entry in entries if isinstance(entry, str)]:
            default = list(simplified_gradients(self.outputs, seeds, self.inputs, ()))
        found: list[Any] = []
        for entry, own, x in zip(entries, default, xs, strict=True):
            if isinstance(entry, str):
                found.append(own)
            elif entry is None:
                found.append(fill(x, 0) if dtypes.is_float(x.type.dtype) else None)
            else:
                found.append(call(entry) if callable(entry) else entry)
        return found


def _of_type(name: str, x: Node, given: Node) -> Node:
    """Return an argument, sure that it may stand for an input."""
    if given.type.dtype == x.type.dtype and given.type.ndim == x.type.ndim:
        return given
    raise GraphcTypeError(
        message(
            f"{name}: an argument is not of the type of its input",
            [operand(x), operand(given)],
            here(),
        )
    )


LANGUAGE.update(
    consider_constant=consider_constant,
    disconnected_grad=disconnected_grad,
    grad_not_implemented=grad_not_implemented,
    grad_undefined=grad_undefined,
)
