"""Why an expression has its dtype: the chain of nodes that brought it there, with their lines."""

from __future__ import annotations

from typing import NamedTuple

from graphc.errors import GraphcTypeError, message
from graphc.ir import dtypes
from graphc.ir.node import CONST, INPUT, SHARED, Node, is_tuple, number
from graphc.ir.printer import label
from graphc.ir.source import here


class Step(NamedTuple):
    """A node of the chain, and why it has the dtype."""

    node: Node
    why: str


def explain_dtype(x: Node) -> str:
    """Return why an expression has its dtype, as text: where its width comes from, line by line.

    The chain begins at the expression and follows the operand that has its dtype, down to where
    the dtype was chosen: where narrower ones met, at a declaration or at a cast.

    Parameters
    ----------
    x : expression

    Raises
    ------
    GraphcTypeError
        If it is no expression.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> f, i = T.fvector("f"), T.ivector("i")
    >>> print(graphc.explain_dtype(T.exp(f * i)))  # doctest: +ELLIPSIS
    exp(float64(f) * float64(i)) is float64
        exp(float64(f) * float64(i)) : takes it from float64(f) * float64(i)   from ...
        float64(f) * float64(i)      : float32 and int32 meet in float64       from ...
      cast i to something narrower than int32 first, or the result to float32
    """
    if not isinstance(x, Node):
        raise GraphcTypeError(message(f"explain_dtype of {x!r}: it is no expression", (), here()))
    steps = _chain(x)
    lines = [(label(step.node), step.why, step.node.where) for step in steps]
    return message(f"{label(x)} is {x.type.dtype}", lines, hint=_remedy(steps[-1].node))


def _chain(x: Node) -> list[Step]:
    steps = [_step(x)]
    while (source := _source(steps[-1].node)) is not None:
        steps.append(_step(source))
    return steps


def _operands(node: Node) -> list[Node]:
    """Return the operands that have a say in a dtype: no conditions, sizes and indices."""
    kept = [child for child in node.inputs if not is_tuple(child)]
    if node.op.name == "where":
        return kept[1:]
    if node.op.name in ("gather", "scatter", "scatter_add", "slice", "put", "reshape", "expand"):
        return kept[: 2 if node.op.name in ("scatter", "scatter_add", "put") else 1]
    return kept


def _given(node: Node) -> list[Node]:
    """Return the operands as they were before they were cast to meet."""
    return [
        child.inputs[0] if child.op.name == "cast" else child
        for child in _operands(node)
        if number(child) is None
    ]


def _is_met(node: Node) -> bool:
    """Tell whether a dtype comes from operands that are all narrower."""
    given = [child.type.dtype for child in _given(node)]
    if not given or node.type.dtype in given or node.op.name == "cast":
        return False
    if any(child.op.name != "cast" and number(child) is None for child in _operands(node)):
        return False
    rule = node.op.details.get("dtype")
    if rule is None:  # what folds and routines do with integers of their own accord
        return dtypes.is_discrete(dtypes.promote(*given)) or len(set(given)) > 1
    conditions = (dtypes.BOOL,) if node.op.name == "where" else ()
    return rule(node.op.name, (*conditions, *given))[-1] == node.type.dtype  # type: ignore[no-any-return]


def _source(node: Node) -> Node | None:
    """Return the operand that a node has its dtype from, None where the dtype begins."""
    if not node.inputs or node.op.name == "cast" or _is_met(node):
        return None
    if node.op.details.get("result"):
        return None
    same = [child for child in _operands(node) if child.type.dtype == node.type.dtype]
    strong = [child for child in same if number(child) is None]
    own = [child for child in strong if child.op.name != "cast"]
    return next(iter(own or strong), None)


def _step(node: Node) -> Step:
    dtype = node.type.dtype
    source = _source(node)
    if source is not None:
        return Step(node, f"takes it from {label(source)}")
    if node.op is INPUT:
        return Step(node, f"declared {dtype}")
    if node.op is SHARED:
        return Step(node, f"a shared variable of {dtype}")
    if node.op is CONST:
        return Step(node, f"a constant of {dtype}")
    if node.op.name == "cast":
        return Step(node, f"cast from {node.inputs[0].type.dtype} to {dtype}")
    if _is_met(node):
        found = list(dict.fromkeys(child.type.dtype for child in _given(node)))
        common = dtypes.promote(*found)
        if common == dtype and len(found) > 1:
            return Step(node, f"{' and '.join(found)} meet in {dtype}")
        return Step(node, f"{node.op.name} of {' and '.join(found)} is {dtype}")
    return Step(node, f"{node.op.name} gives {dtype}")


def _remedy(node: Node) -> str | None:
    """Return how a widening to float64 can be avoided."""
    if node.type.dtype != "float64" or not _is_met(node):
        return None
    given = _given(node)
    whole = [child for child in given if dtypes.is_discrete(child.type.dtype)]
    if any(child.type.dtype == "float32" for child in given) and whole:
        one = whole[0]
        return (
            f"cast {label(one)} to something narrower than {one.type.dtype} first, "
            "or the result to float32"
        )
    return "set graphc.config.floatX = 'float32', or cast an operand first"
