"""Reductions over axes, and the composites made of them: softmax and its relatives.

In the graph a reduction drops its axes; front ends put them back with ``dimshuffle`` when the
user asks for ``keepdims``. A reduction's space is that of its input.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.errors import DTypeError, GraphcTypeError, GraphcValueError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, apply, as_node, operand
from graphc.ir.op import OPS, REALS, Domain, Kind, Op, Vjp, register
from graphc.ir.shapes import Dim, product, sizes
from graphc.ir.source import here
from graphc.ir.types import Attrs, TensorType
from graphc.ops.elementwise import cast, eq, where
from graphc.ops.family import builder
from graphc.ops.math import exp, expm1, log1p
from graphc.ops.movement import keep_axes


def axis_number(axis: Any, what: str) -> int:
    """Return an axis as an int, or raise an error that names the function ``what``."""
    try:
        return operator.index(axis)
    except TypeError:
        text = f"{what}: an axis is an integer, not {axis!r}"
        raise GraphcTypeError(message(text, (), here())) from None


def normal_axes(x: Node, axis: Any, what: str) -> tuple[int, ...]:
    """Return axes as a sorted tuple counted from 0; None means all of them."""
    if axis is None:
        return tuple(range(x.type.ndim))
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = []
    for one in given:
        place = axis_number(one, what)
        if not -x.type.ndim <= place < x.type.ndim:
            raise GraphcValueError(
                message(
                    f"{what}: axis {place} is out of range for {x.type.ndim} axes",
                    [operand(x)],
                    here(),
                )
            )
        axes.append(place % x.type.ndim)
    if len(set(axes)) < len(axes):
        raise GraphcValueError(
            message(f"{what}: an axis is named twice: {axis}", [operand(x)], here())
        )
    return tuple(sorted(axes))


def _prepare(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    return (as_node(args[0]),)


def _infer(result: str | None) -> Callable[[tuple[Node, ...], Attrs], TensorType]:
    def infer(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
        (x,) = inputs
        kept = [size for i, size in enumerate(x.type.shape) if i not in attrs["axes"]]
        return TensorType(result or x.type.dtype, tuple(kept))

    return infer


def _dims(node: Node) -> tuple[Dim, ...]:
    return tuple(
        size for i, size in enumerate(sizes(node.inputs[0])) if i not in node.attrs["axes"]
    )


def _not_empty(node: Node) -> list[tuple[Any, ...]]:
    count = product(sizes(node.inputs[0])[axis] for axis in node.attrs["axes"])
    return [] if isinstance(count, int) and count > 0 else [(count, ">", 0)]


def reduction(
    name: str,
    *,
    numpy: str,
    vjp: Vjp | None,
    opencl: dict[str, str],
    empty: bool = True,
    result: str | None = None,
    weight: int = 8,
    domain: Domain = REALS,
    reference: Callable[..., Any],
    doc: str,
) -> Callable[..., Any]:
    """Declare a reduction.

    Parameters
    ----------
    numpy : str
        Template over the array ``{0}`` and ``{axes}``; ``{out}`` is optional.
    opencl : dict
        ``fold``, or ``fold:`` and the kind of the operand, names how two elements become one, as
        the kernels know it; ``index`` instead one that folds (value, place) pairs.
    empty : bool
        Whether a reduction over no elements has a value.
    """
    return builder(
        register(
            Op(
                name=name,
                kind=Kind.REDUCE,
                attrs=("axes",),
                infer=_infer(result),
                dims=_dims,
                prepare=_prepare,
                checks=(lambda node: []) if empty else _not_empty,
                vjp=vjp,
                code={"numpy": numpy, **{f"opencl:{key}": text for key, text in opencl.items()}},
                weight=weight,
                domain=(domain,),
                reference=reference,
                doc=doc,
            )
        )
    )


def over(g: Node, out: Node, x: Node) -> Node:
    """Return a gradient or result of a reduction of x in the rank of x, to be broadcast."""
    return keep_axes(g, out.attrs["axes"], x.type.ndim)


def _extreme_vjp(g: Node, out: Node, x: Node) -> list[Node]:
    hits = cast(eq(x, over(out, out, x)), x.type.dtype)
    count = sum(hits, axes=out.attrs["axes"])
    return [hits * over(g / count, out, x)]


def _prod_vjp(g: Node, out: Node, x: Node) -> list[Node]:
    return [over(g, out, x) * prod_of_others(x, axes=out.attrs["axes"])]


def _ufunc(name: str) -> str:
    return f"np.{name}.reduce({{0}}, {{axes}}, {{dtype}}, {{out}})"


sum = reduction(
    "sum",
    numpy=_ufunc("add"),
    opencl={"fold": "add", "fold:bool": "any"},
    vjp=lambda g, out, x: [over(g, out, x)],
    reference=lambda x, axes: np.sum(x, axis=axes),
    doc="The sum over axes; 0 over no elements.",
)
prod = reduction(
    "prod",
    numpy=_ufunc("multiply"),
    opencl={"fold": "mul", "fold:bool": "all"},
    vjp=_prod_vjp,
    domain=Domain(0.5, 2.0),
    reference=lambda x, axes: np.prod(x, axis=axes),
    doc="The product over axes; 1 over no elements.",
)
max = reduction(
    "max",
    numpy=_ufunc("maximum"),
    opencl={"fold": "max"},
    vjp=_extreme_vjp,
    empty=False,
    reference=lambda x, axes: np.max(x, axis=axes),
    doc="The largest element over axes; NaN wins. Ties share the gradient evenly.",
)
min = reduction(
    "min",
    numpy=_ufunc("minimum"),
    opencl={"fold": "min"},
    vjp=_extreme_vjp,
    empty=False,
    reference=lambda x, axes: np.min(x, axis=axes),
    doc="The smallest element over axes; NaN wins. Ties share the gradient evenly.",
)


def _truth(name: str, numpy: str, opencl: dict[str, str], reference: Any, doc: str) -> Any:
    return reduction(
        name,
        numpy=_ufunc(numpy),
        opencl=opencl,
        vjp=lambda g, out, x: [None],
        result="bool",
        reference=reference,
        doc=doc,
    )


any = _truth(
    "any",
    "logical_or",
    {"fold": "any"},
    lambda x, axes: np.any(x, axis=axes),
    "Whether any element over axes is true.",
)
all = _truth(
    "all",
    "logical_and",
    {"fold": "all"},
    lambda x, axes: np.all(x, axis=axes),
    "Whether all elements over axes are true.",
)


def _arg(name: str, doc: str) -> Any:
    function = getattr(np, name)
    return reduction(
        name,
        numpy=f"np.{name}({{0}}, {{axis}}, {{out}})",
        opencl={"index": name},
        vjp=lambda g, out, x: [None],
        empty=False,
        result=dtypes.INDEX,
        reference=lambda x, axes: function(x, axis=axes[0]),
        doc=doc,
    )


argmax = _arg("argmax", "The place of the first largest element along one axis.")
argmin = _arg("argmin", "The place of the first smallest element along one axis.")


def need_bool(x: Node) -> Node:
    """Return x as bool: what is not zero is true."""
    return x if x.type.dtype == dtypes.BOOL else apply(OPS["neq"], x, 0)


# -- composites -----------------------------------------------------------------------------------


def _prepare_float(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    x = as_node(args[0])
    if not x.type.ndim:
        raise DTypeError(message(f"{op.name} needs an axis", [operand(x)], here()))
    return (cast(x, dtypes.floating(x.type.dtype)),)


def _shifted(x: Node, axes: Sequence[int]) -> tuple[Node, Node]:
    """Return x minus its largest element over axes, and that element; infinity is not subtracted.

    What is left is at most 0, so its exponential cannot overflow.
    """
    top = max(x, axes=tuple(axes))
    finite = where(eq(abs(top), float("inf")), 0, top)
    return x - keep_axes(finite, axes, x.type.ndim), finite


def _small_part(shifted: Node, axes: Sequence[int]) -> Node:
    """Return the sum of exp(shifted) over axes minus 1: what the largest element leaves.

    The largest element contributes exactly 1, which would swallow the last digits of the rest;
    elements as large as it are counted, the others summed.
    """
    axes = tuple(axes)
    top = eq(shifted, 0)
    rest = sum(where(top, 0, exp(shifted)), axes=axes)
    return rest + (sum(cast(top, shifted.type.dtype), axes=axes) - 1)  # type: ignore[no-any-return]


def _expand_softmax(x: Node, axes: Sequence[int]) -> Node:
    e = exp(_shifted(x, axes)[0])
    return e / keep_axes(sum(e, axes=tuple(axes)), axes, x.type.ndim)  # type: ignore[no-any-return]


def _expand_log_softmax(x: Node, axes: Sequence[int]) -> Node:
    shifted, _ = _shifted(x, axes)
    return shifted - keep_axes(log1p(_small_part(shifted, axes)), axes, x.type.ndim)  # type: ignore[no-any-return]


def _expand_logsumexp(x: Node, axes: Sequence[int]) -> Node:
    shifted, top = _shifted(x, axes)
    return top + log1p(_small_part(shifted, axes))  # type: ignore[no-any-return]


def _softmax_vjp(g: Node, out: Node, x: Node) -> list[Node]:
    weighted = g * out
    total = keep_axes(sum(weighted, axes=out.attrs["axes"]), out.attrs["axes"], x.type.ndim)
    return [weighted - out * total]


def _log_softmax_vjp(g: Node, out: Node, x: Node) -> list[Node]:
    # g - softmax * sum(g) written without the cancellation of 1 - p for p near 1
    total = keep_axes(sum(g, axes=out.attrs["axes"]), out.attrs["axes"], x.type.ndim)
    return [-(g * expm1(out)) - exp(out) * (total - g)]


def _along(reference: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Any, axes: Any) -> Any:
        shifted = x - np.max(x, axis=axes, keepdims=True)
        return reference(x, shifted, axes)

    return call


def _composite(name: str, result: Any, dims: Any, **fields: Any) -> Callable[..., Any]:
    return builder(
        register(
            Op(
                name=name,
                kind=Kind.COMPOSITE,
                attrs=("axes",),
                infer=result,
                dims=dims,
                prepare=_prepare_float,
                checks=_not_empty,
                **fields,
            )
        )
    )


def _same_type(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    return inputs[0].type


def _same_dims(node: Node) -> tuple[Dim, ...]:
    return sizes(node.inputs[0])


softmax = _composite(
    "softmax",
    _same_type,
    _same_dims,
    expand=_expand_softmax,
    vjp=_softmax_vjp,
    weight=38,
    reference=_along(lambda x, s, axes: np.exp(s) / np.exp(s).sum(axes, keepdims=True)),
    doc="exp(x) / sum(exp(x)) over axes, without overflow.",
)
log_softmax = _composite(
    "log_softmax",
    _same_type,
    _same_dims,
    expand=_expand_log_softmax,
    vjp=_log_softmax_vjp,
    weight=40,
    reference=_along(lambda x, s, axes: s - np.log(np.exp(s).sum(axes, keepdims=True))),
    doc="log(softmax(x)) over axes, accurate also where softmax is near 0 or 1.",
)
logsumexp = _composite(
    "logsumexp",
    _infer(None),
    _dims,
    expand=_expand_logsumexp,
    vjp=lambda g, out, x: [over(g, out, x) * exp(x - over(out, out, x))],
    weight=38,
    reference=_along(lambda x, s, axes: np.log(np.exp(s).sum(axes)) + np.max(x, axis=axes)),
    doc="log(sum(exp(x))) over axes, without overflow.",
)


# -- products without one element -----------------------------------------------------------------


class _Factors(NamedTuple):
    """What a product over axes is made of; all in the rank of x."""

    zero: Node  # where x is 0
    zeros: Node  # how many there are
    safe: Node  # x, and 1 where it is 0
    rest: Node  # the product of what is not 0


def _factors(x: Node, axes: tuple[int, ...]) -> _Factors:
    zero = eq(x, 0)
    safe = where(zero, 1, x)
    zeros = keep_axes(sum(cast(zero, "int64"), axes=axes), axes, x.type.ndim)
    return _Factors(zero, zeros, safe, keep_axes(prod(safe, axes=axes), axes, x.type.ndim))


def _expand_prod_of_others(x: Node, axes: tuple[int, ...]) -> Node:
    zero, zeros, safe, rest = _factors(x, axes)
    alone = zero & eq(zeros, 1)
    return where(eq(zeros, 0), rest / safe, where(alone, rest, 0))  # type: ignore[no-any-return]


def _prod_of_others_vjp(g: Node, out: Node, x: Node) -> list[Node]:
    """Sum g at each other place, times the product of all elements but those at both places.

    Written for no zero among the elements, one and two; with more, all these products are 0.
    """
    axes: tuple[int, ...] = out.attrs["axes"]
    zero, zeros, safe, rest = _factors(x, axes)

    def total(value: Node) -> Node:
        return keep_axes(sum(value, axes=axes), axes, x.type.ndim)

    one, two = eq(zeros, 1), eq(zeros, 2)
    share = where(zero, 0, g / safe)  # of the places that are not 0
    there = where(zero, g, 0)  # of those that are
    usual = rest / safe * (total(share) - share)
    with_one = where(zero, rest * total(share), rest / safe * total(there))
    with_two = where(zero, rest * (total(there) - there), 0)
    return [where(eq(zeros, 0), usual, where(one, with_one, where(two, with_two, 0)))]


def _prod_of_others_reference(x: Any, axes: tuple[int, ...]) -> Any:
    if not x.size:
        return x
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    moved = np.transpose(x, [*kept, *axes])
    flat = moved.reshape(*moved.shape[: len(kept)], -1)
    others = [np.delete(flat, place, axis=-1).prod(-1) for place in range(flat.shape[-1])]
    return np.stack(others, -1).reshape(moved.shape).transpose(np.argsort([*kept, *axes]))


prod_of_others = builder(
    register(
        Op(
            name="prod_of_others",
            kind=Kind.COMPOSITE,
            attrs=("axes",),
            infer=_same_type,
            dims=_same_dims,
            prepare=_prepare_float,
            expand=_expand_prod_of_others,
            vjp=_prod_of_others_vjp,
            weight=16,
            domain=(Domain(0.5, 2.0),),
            reference=_prod_of_others_reference,
            doc="For each element the product over axes of all others: the slope of prod.",
        )
    )
)
