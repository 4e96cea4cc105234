"""Names that programs take from ``theano.gof.graph``: what is below an expression."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphc.compile.clone import clone
from graphc.errors import GraphcTypeError, message
from graphc.ir.node import Node
from graphc.ir.same import is_same_graph
from graphc.ir.source import here
from graphc.ir.walk import toposort
from graphc.tensor.variables import Constant

Variable = Node

__all__ = ["Constant", "Variable", "ancestors", "clone", "inputs", "is_same_graph", "variables"]


def ancestors(
    variable_list: Sequence[Node], blockers: Collection[Node] | None = None
) -> list[Node]:
    """Return expressions and all that they are made of, each once.

    Parameters
    ----------
    variable_list : sequence of Node
    blockers : collection of Node, optional
        What is listed, and not entered.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.dscalar("x")
    >>> ancestors([T.exp(x) * 2])
    [x, exp(x), 2, exp(x) * 2]
    """
    if isinstance(variable_list, Node) or not all(isinstance(x, Node) for x in variable_list):
        raise GraphcTypeError(
            message(f"a list of expressions is needed, not {variable_list!r}", (), here())
        )
    return toposort(variable_list, stop=set(blockers or ()))


def inputs(variable_list: Sequence[Node], blockers: Collection[Node] | None = None) -> list[Node]:
    """Return the leaves that expressions are made of: inputs, shared variables and constants.

    Parameters
    ----------
    variable_list : sequence of Node
    blockers : collection of Node, optional
        What counts as a leaf.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x, w = T.dscalar("x"), graphc.shared(1.0, "w")
    >>> inputs([T.exp(x) * w])
    [x, w]
    """
    stop = set(blockers or ())
    return [node for node in ancestors(variable_list, stop) if not node.inputs or node in stop]


def variables(i: Sequence[Node], o: Sequence[Node]) -> list[Node]:
    """Return all expressions between inputs and outputs, both included."""
    return list(dict.fromkeys([*i, *ancestors(o, i)]))
