"""`ifelse`: one of two values, of which only the one that is chosen is computed."""

from __future__ import annotations

from typing import Any

from graphc.control.structure import describe, flatten, outline
from graphc.errors import GraphcTypeError, message
from graphc.ir.source import here
from graphc.ops.control import ifelse as choose


def ifelse(condition: Any, then_branch: Any, else_branch: Any, name: str | None = None) -> Any:
    """Return one of two values, by a condition that is one value itself.

    What only the other one needs is not computed, and cannot raise; not in the gradient either.
    `graphc.tensor.switch` chooses at every point instead, and computes both.

    Parameters
    ----------
    condition : scalar expression
        Zero or false for ``else_branch``.
    then_branch, else_branch : expression, number, array; or tuple, list, dict of them
        Of one rank; dtypes are promoted, and an axis may have another size in each.
    name : str, optional
        Of the result, for messages and pictures.

    Returns
    -------
    Node, or tuple, list, dict of them
        As the branches are given.

    Raises
    ------
    GraphcTypeError
        If the condition is an array, or the branches do not have the same structure and rank.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> a, b, x = T.dscalar("a"), T.dscalar("b"), T.dmatrix("x")
    >>> f = graphc.function([a, b, x], ifelse(a < b, x.mean(), x.max()))
    >>> f(1.0, 2.0, [[1.0, 2.0], [3.0, 6.0]])
    array(3.)
    """
    then_values, rebuild = flatten(then_branch)
    else_values, _ = flatten(else_branch)
    if outline(then_branch) != outline(else_branch):
        raise GraphcTypeError(
            message(
                "the branches of ifelse hold different values:"
                f" {describe(then_branch)} and {describe(else_branch)}",
                (),
                here(),
                "give both the same structure of tuples, lists and dicts",
            )
        )
    found = [choose(condition, a, b) for a, b in zip(then_values, else_values, strict=True)]
    if name is not None:
        for place, node in enumerate(found):
            node.name = node.name or (name if len(found) == 1 else f"{name}_{place}")
    return rebuild(found)
