"""Whole matrices of derivatives, and products with them: Jacobians and Hessians.

A Jacobian is one pass over a batch of seeds, not a loop over rows: the seeds are the rows of the
identity, in a new leading axis of everything the pass computes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.autodiff.diagonal import derivatives
from graphc.autodiff.disconnected import Disconnection, check_choice
from graphc.errors import GraphcTypeError, message
from graphc.gradient.arguments import as_given, checked_cost, listed, matched, stand_in, variable
from graphc.gradient.derivatives import Rop, grad
from graphc.gradient.simplified import defined, simplified_gradients, simplified_products
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, const, input_node, operand
from graphc.ir.replace import substitute
from graphc.ir.shapes import Dim, as_size_node, product, sizes
from graphc.ir.source import here
from graphc.ir.types import LANGUAGE, TensorType
from graphc.ops.batch import vectorize as vectorize_nodes
from graphc.ops.control import Loop, out_of
from graphc.ops.elementwise import cast, eq
from graphc.ops.movement import dimshuffle, expand, reshape
from graphc.ops.parts import iota


def jacobian(
    expression: Any,
    wrt: Any,
    consider_constant: Any = None,
    disconnected_inputs: str = "raise",
    method: str = "reverse",
) -> Any:
    """Return all derivatives of an array.

    Parameters
    ----------
    expression : Node
        Floats of any shape.
    wrt : Node, or list, tuple or dict of Node
        Of any shape.
    consider_constant, disconnected_inputs
        As for `grad`.
    method : {'reverse', 'forward', 'scan'}
        Whether to go back from each element of the expression, or forward from each element of
        ``wrt``. Forward is faster where ``wrt`` is much smaller than the expression. ``'scan'``
        goes back from one element after the other, in a loop: slower, with the memory of one row.

    Returns
    -------
    Node, list, tuple or dict
        As ``wrt``: for each variable an array of the shape ``expression.shape + x.shape``.

    Raises
    ------
    DisconnectedInputError
        If the expression does not depend on a ``wrt``.
    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dvector("x")
    >>> graphc.function([x], T.jacobian(x**2, x))([1.0, 2.0])
    array([[2., 0.],
           [0., 4.]])
    """
    check_choice("method", method, ("reverse", "forward", "scan"))
    output = _float(expression)
    wanted = [variable(x) for x in listed(wrt)]
    constant = [as_node(x) for x in listed(consider_constant)]
    if method == "forward":
        found = [_forward(output, x, constant, disconnected_inputs) for x in wanted]
    else:
        found = _reverse(output, wanted, constant, disconnected_inputs, method == "scan")
    return as_given(wrt, found)


def hessian(
    cost: Any,
    wrt: Any,
    consider_constant: Any = None,
    disconnected_inputs: str = "raise",
    method: str = "reverse",
) -> Any:
    """Return the second derivatives of a scalar by the elements of each variable.

    Parameters
    ----------
    cost : Node
        A float scalar.
    wrt : Node, or list, tuple or dict of Node
        Of any shape. Of several variables each has a Hessian of its own; for mixed derivatives use
        ``jacobian(grad(cost, x), y)``.
    consider_constant, disconnected_inputs
        As for `grad`.
    method : {'reverse', 'forward'}
        How the gradient is differentiated, as for `jacobian`.

    Returns
    -------
    Node, list, tuple or dict
        As ``wrt``: for each variable an array of the shape ``x.shape + x.shape``.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dvector("x")
    >>> graphc.function([x], T.hessian(T.prod(x), x))([1.0, 2.0, 3.0])
    array([[0., 3., 2.],
           [3., 0., 1.],
           [2., 1., 0.]])
    """
    checked_cost(as_node(cost))
    results = []
    for x in listed(wrt):
        g = grad(cost, x, consider_constant, disconnected_inputs, add_names=False)
        results.append(jacobian(g, x, consider_constant, "ignore", method))
    return as_given(wrt, results)


def hessian_vector_product(cost: Any, wrt: Any, p: Any, **options: Any) -> Any:
    """Return the Hessian of a scalar times a vector, without the Hessian.

    Parameters
    ----------
    cost : Node
        A float scalar.
    wrt : Node, or list or tuple of Node
    p : Node, or list or tuple of Node
        The vector: for each ``wrt`` an array of its shape.
    options
        Of `grad`.

    Returns
    -------
    Node, list or tuple
        As ``wrt``. Mixed derivatives of several variables are taken into account.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x, p = T.dvectors("x", "p")
    >>> hp = graphc.gradient.hessian_vector_product(T.sum(x**3), x, p)
    >>> graphc.function([x, p], hp)([1.0, 2.0], [1.0, 1.0])
    array([ 6., 12.])
    """
    wanted, vectors = matched("wrt", wrt, p)
    slopes = grad(cost, wanted, add_names=False, **options)
    return as_given(wrt, Rop(slopes, wanted, vectors, disconnected_outputs="ignore"))


def vectorize(outputs: Any, replace: Mapping[Any, Any]) -> Any:
    """Return expressions over whole batches of some of their variables, without a loop.

    Parameters
    ----------
    outputs : Node, or list, tuple or dict of Node
    replace : dict of Node to Node
        For each variable its batch: the same dtype, and one more axis in front.

    Returns
    -------
    Node, list, tuple or dict
        As ``outputs``, each with the batch axis in front.

    Raises
    ------
    NotSupportedError
        If arrays would have different sizes within the batch.

    Notes
    -----
    What does not depend on the batch is computed once and is the same for all its elements, random
    draws too.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x, xs = T.dvector("x"), T.dmatrix("xs")
    >>> norms = graphc.vectorize(T.sqrt(T.sum(x**2)), {x: xs})
    >>> graphc.function([xs], norms)([[3.0, 4.0], [5.0, 12.0]])
    array([ 5., 13.])
    """
    pairs = {_symbolic(x): as_node(batch) for x, batch in replace.items()}
    return as_given(outputs, vectorize_nodes([as_node(node) for node in listed(outputs)], pairs))


# -- seeds ----------------------------------------------------------------------------------------


def _reverse(
    output: Node,
    wanted: Sequence[Node],
    constant: Sequence[Node],
    disconnected_inputs: str,
    one_by_one: bool,
) -> list[Any]:
    options = _options(disconnected_inputs)
    seed = stand_in(output)
    found = simplified_gradients([output], [seed], wanted, constant)
    pairs = enumerate(zip(found, wanted, strict=True))
    slopes = {i: defined(g, x, "raise") for i, (g, x) in pairs if g is not None}
    rows = (_loop if one_by_one else derivatives)(list(slopes.values()), seed, output)
    batches = dict(zip(slopes, rows, strict=True))
    results = []
    for i, x in enumerate(wanted):
        if i in batches:
            results.append(_front(batches[i], sizes(output)))
        else:
            results.append(_none(options.gradient([output], x, constant), output, x))
    return results


def _options(disconnected_inputs: str) -> Disconnection:
    names = "disconnected_inputs", disconnected_inputs, "zero"
    return Disconnection.of(*names, "jacobian", "the expression")


def _loop(results: list[Node], seed: Node, like: Node) -> list[Node]:
    """Return what `derivatives` returns, one seed after the other."""
    if not results:
        return []
    places = iota(as_size_node(product(sizes(like))))
    place = input_node(TensorType(places.type.dtype, ()))
    unit = reshape(cast(eq(places, place), seed.type.dtype), sizes(like))
    rows = substitute(results, {seed: unit})
    node = Loop(as_size_node(sizes(places)[0]), [(place, places)], outs=rows).close()
    return [out_of(node, i) for i in range(len(rows))]


def _forward(output: Node, x: Node, constant: Sequence[Node], disconnected_inputs: str) -> Any:
    options = _options(disconnected_inputs)
    tangent = stand_in(x)
    (moved,) = simplified_products([output], [x], [tangent], constant)
    if moved is None:
        return _none(options.gradient([output], x, constant), output, x)
    (batch,) = derivatives([defined(moved, x, "raise")], tangent, x)
    front, rank = _front(batch, sizes(x)), x.type.ndim
    return dimshuffle(front, (*range(rank, front.type.ndim), *range(rank)))


def _none(stand_in: Any, output: Node, x: Node) -> Any:
    """Return the Jacobian where there is none: zeros, or what stands for it."""
    if not isinstance(stand_in, Node):
        return stand_in
    return expand(const(0, x.type.dtype), [*sizes(output), *sizes(x)])


def _front(rows: Node, shape: Sequence[Dim]) -> Node:
    """Return rows in the shape of what each of them belongs to, and their own."""
    if len(shape) == 1:
        return rows
    return reshape(rows, [*shape, *sizes(rows)[1:]])  # type: ignore[no-any-return]


def _float(expression: Any) -> Node:
    output = as_node(expression)
    if dtypes.is_discrete(output.type.dtype):
        raise GraphcTypeError(
            message(
                f"jacobian: the expression is {output.type.dtype}, and only floats have gradients",
                [operand(output)],
                here(),
            )
        )
    return output


def _symbolic(x: Any) -> Node:
    if not isinstance(x, Node):
        raise GraphcTypeError(message(f"vectorize: {x!r} is not symbolic", (), here()))
    return x


LANGUAGE.update(jacobian=jacobian, hessian=hessian)
