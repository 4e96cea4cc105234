"""Whether two graphs compute the same thing by the same ops, over corresponding inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.errors import GraphcValueError, message
from graphc.ir.node import Node
from graphc.ir.replace import substitute
from graphc.ir.source import here


def equal_computations(
    xs: Sequence[Node],
    ys: Sequence[Node],
    in_xs: Sequence[Node] | None = None,
    in_ys: Sequence[Node] | None = None,
) -> bool:
    """Tell whether expressions are made by the same ops of the same leaves.

    Parameters
    ----------
    xs, ys : sequence of Node
        The expressions, pair by pair.
    in_xs, in_ys : sequence of Node, optional
        Leaves of the one that count as leaves of the other.

    Raises
    ------
    GraphcValueError
        If there are more of the one than of the other.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x, y = T.dvectors("x", "y")
    >>> equal_computations([T.exp(x)], [T.exp(y)], [x], [y]), equal_computations([x], [y])
    (True, False)
    """
    befores, afters = list(in_xs or ()), list(in_ys or ())
    if len(xs) != len(ys) or len(befores) != len(afters):
        raise GraphcValueError(
            message(
                "expressions are compared pair by pair: as many as on the other side", (), here()
            )
        )
    if any(a.type is not b.type for a, b in zip(befores, afters, strict=True)):
        return False
    moved = substitute(xs, dict(zip(befores, afters, strict=True)))
    return all(a is b for a, b in zip(moved, ys, strict=True))


def is_same_graph(
    var1: Node, var2: Node, givens: Mapping[Node, Node] | None = None, debug: bool = False
) -> bool:
    """Tell whether two expressions are made by the same ops of the same leaves.

    Parameters
    ----------
    var1, var2 : Node
    givens : mapping, optional
        What is put in place of what first, in both.
    debug : bool
        Accepted for Theano's sake.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x, y = T.dvectors("x", "y")
    >>> is_same_graph(x + 1, y + 1), is_same_graph(x + 1, y + 1, givens={x: y})
    (False, True)
    """
    a, b = substitute([var1, var2], dict(givens or {}))
    return a is b
