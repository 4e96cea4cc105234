"""Ops that users make of functions of Python and NumPy: `as_op` and `custom_op`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.errors import GraphcTypeError, GraphcValueError, message
from graphc.ir import dtypes
from graphc.ir.source import here
from graphc.ir.types import TensorType
from graphc.ops.foreign import Foreign

Function = Callable[..., Any]


def custom_op(
    function: Function | None = None,
    *,
    out: Any = None,
    shape: Function | None = None,
    vjp: Function | None = None,
    name: str | None = None,
) -> Any:
    """Make an op of a function of NumPy arrays; a decorator.

    On OpenCL the function runs on the host, and its arguments are read back.

    Parameters
    ----------
    function : callable
        From arrays to an array, or to several. It must depend on nothing but its arguments, which
        are read-only, and give the same result whenever they are the same. Defined at the top of a
        module, the op can be pickled.
    out : TensorType or callable, or list of them
        The type of the result, or of each of several; or a function from the types of the
        arguments to it. By default one result as an elementwise function has it: of the
        arguments' common float dtype and broadcast shape.
    shape : callable, optional
        ``shape(*shapes)`` gets the sizes of each argument as a tuple, and returns those of the
        result, or a list of them. Sizes are integers or expressions. By default the types say
        them; a size that they leave open is found by calling the function once more.
    vjp : callable, optional
        ``vjp(g, out, *arguments)`` returns the gradient by each argument, made of expressions: as
        for `custom_grad`. Without it the gradient is not defined.
    name : str, optional
        For printing; by default that of the function.

    Returns
    -------
    callable
        From expressions to an expression, or to a list of them.

    Raises
    ------
    GraphcTypeError
        When the op is applied or run: if arguments or results are not as declared.

    Examples
    --------
    >>> import numpy as np, graphc, graphc.tensor as T
    >>> @graphc.custom_op(vjp=lambda g, out, x: g * T.cos(x))
    ... def sine(x):
    ...     return np.sin(x)
    >>> x = T.dvector("x")
    >>> graphc.function([x], [sine(x), T.grad(sine(x).sum(), x)])([0.0, np.pi])
    [array([0.0000000e+00, 1.2246468e-16]), array([ 1., -1.])]
    >>> @graphc.custom_op(out=T.dmatrix, shape=lambda x, y: (x[0], y[0]))
    ... def differences(x, y):
    ...     return np.subtract.outer(x, y)
    >>> graphc.function([x], differences(x, x * 10))([1.0, 2.0])
    array([[ -9., -19.],
           [ -8., -18.]])
    """
    if function is None:
        return lambda decorated: custom_op(decorated, out=out, shape=shape, vjp=vjp, name=name)
    if not callable(function):
        raise GraphcTypeError(message(f"custom_op: {function!r} is not a function", (), here()))
    types, several = _types(out)
    shapes = None if shape is None else _shapes(shape, several)
    if out is None and shape is None:
        shapes = _broadcast_sizes
    return Foreign(function, types, shapes, several, vjp, name)


def as_op(itypes: Any, otypes: Any, infer_shape: Function | None = None) -> Any:
    """Make an op of a function of NumPy arrays, as in Theano; a decorator.

    Parameters
    ----------
    itypes, otypes : TensorType, or list of TensorType
        Of the arguments and of the results.
    infer_shape : callable, optional
        ``infer_shape(node, shapes)`` returns a list with the sizes of each result. Without it the
        function is called once more where sizes must be known.

    Examples
    --------
    >>> import numpy as np, graphc, graphc.tensor as T
    >>> @graphc.as_op(itypes=[T.lscalar], otypes=[T.lvector])
    ... def numbers(n):
    ...     return np.arange(n)
    >>> n = T.lscalar("n")
    >>> numbers(n).type
    int64[?]
    """
    inputs, outputs = _listed(itypes), _listed(otypes)
    for kind in (*inputs, *outputs):
        _as_type(kind)

    def decorate(function: Function) -> Foreign:
        def types(given: Sequence[TensorType]) -> Sequence[TensorType]:
            _check_inputs(str(getattr(function, "__name__", "op")), given, inputs)
            return outputs

        shapes = None if infer_shape is None else lambda given: infer_shape(None, given)
        return Foreign(function, types, shapes, len(outputs) != 1, None)

    return decorate


# -- types ----------------------------------------------------------------------------------------


def _listed(kinds: Any) -> list[Any]:
    return list(kinds) if isinstance(kinds, (list, tuple)) else [kinds]


def _as_type(kind: Any) -> TensorType:
    if isinstance(kind, TensorType):
        return kind
    raise GraphcTypeError(
        message(f"{kind!r} is not a type such as T.dvector or T.TensorType(...)", (), here())
    )


def _types(out: Any) -> tuple[Any, bool]:
    """Return how the types of results follow from those of arguments, and if they are several."""
    if out is None:
        return _elementwise_types, False
    several = isinstance(out, (list, tuple))
    rules = [_type_rule(kind) for kind in _listed(out)]
    return (lambda given: [rule(*given) for rule in rules]), several


def _type_rule(kind: Any) -> Function:
    """Return a function from the types of arguments to the type of a result."""
    if callable(kind) and not isinstance(kind, TensorType):
        return lambda *given: _as_type(kind(*given))
    fixed = _as_type(kind)
    return lambda *given: fixed


def _elementwise_types(given: Sequence[TensorType]) -> list[TensorType]:
    dtype = dtypes.floating(*[kind.dtype for kind in given])
    rank = max([kind.ndim for kind in given], default=0)
    shape = []
    for axis in range(-rank, 0):
        own = [kind.shape[axis] for kind in given if kind.ndim >= -axis]
        known = {size for size in own if size not in (None, 1)}
        if len(known) > 1:
            raise GraphcValueError(
                message(f"sizes {known} cannot be broadcast together", (), here())
            )
        shape.append(known.pop() if known else None if None in own else 1)
    return [TensorType(dtype, tuple(shape))]


def _broadcast_sizes(given: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    rank = max(map(len, given), default=0)
    found = []
    for axis in range(-rank, 0):
        own = [shape[axis] for shape in given if len(shape) >= -axis]
        wide = [size for size in own if not (isinstance(size, int) and size == 1)]
        found.append(wide[0] if wide else 1)
    return [found]


def _shapes(shape: Function, several: bool) -> Any:
    def shapes(given: Sequence[tuple[Any, ...]]) -> list[Any]:
        found = shape(*given)
        return list(found) if several else [found]

    return shapes


def _check_inputs(name: str, given: Sequence[TensorType], wanted: Sequence[TensorType]) -> None:
    if len(given) != len(wanted):
        raise GraphcValueError(
            message(f"{name} takes {len(wanted)} arguments, got {len(given)}", (), here())
        )
    for i, (kind, declared) in enumerate(zip(given, wanted, strict=True)):
        if kind.dtype != declared.dtype or kind.ndim != declared.ndim:
            raise GraphcTypeError(
                message(
                    f"{name}: argument {i} is {kind!r}, and {declared!r} was declared", (), here()
                )
            )
