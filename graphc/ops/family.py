"""The elementwise family: what every elementwise row shares.

A row gives a formula; the family supplies dtypes, ranks, broadcasting, sizes and size checks.
Inside the graph the inputs of an elementwise node have one dtype (by explicit casts) and either
the rank of the result or rank 0. A static size of 1 broadcasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from graphc.config import config
from graphc.errors import DTypeError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, apply, as_node, const, operand
from graphc.ir.op import OPS, REALS, Domain, Kind, Op, Trait, Vjp, register
from graphc.ir.shapes import Dim, sizes
from graphc.ir.source import here, warn
from graphc.ir.types import Attrs, Shape, TensorType

Builder = Callable[..., Any]
DtypeRule = Callable[[str, tuple[str, ...]], tuple[str, ...]]
"""``(op name, dtypes as given) -> dtype each operand is cast to``; the result has the last one."""


def same(name: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """All operands and the result have the common dtype."""
    return (dtypes.promote(*given),) * len(given)


def floats(name: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """All operands and the result are floats; integers become floatX."""
    return (dtypes.floating(*given),) * len(given)


def numbers(name: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """As `same`, but bool is refused, as in NumPy."""
    common = dtypes.promote(*given)
    if common == dtypes.BOOL:
        raise DTypeError(f"{name} is not defined for bool; cast to an integer, or use T.xor")
    return (common,) * len(given)


def counted(name: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """As `same`, but bool becomes int8."""
    common = dtypes.promote(*given)
    return ("int8" if common == dtypes.BOOL else common,) * len(given)


def bits(name: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """As `same`, but only bool and integers."""
    common = dtypes.promote(*given)
    if dtypes.is_float(common):
        raise DTypeError(f"{name} is defined for bool and integers, not for {common}")
    return (common,) * len(given)


def shifted(name: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """As `bits`, but bool becomes int8."""
    return counted(name, bits(name, given))


def chosen(name: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """First operand is a condition, the others and the result have their common dtype."""
    return (dtypes.BOOL, *same(name, given[1:]))


def elementwise(
    name: str,
    arity: int,
    *,
    numpy: str,
    opencl: str | dict[str, str] = "",
    python: str | dict[str, str] = "",
    vjp: Vjp | None = None,
    dtype: DtypeRule = same,
    result: str | None = None,
    library: str = "",
    expand: Callable[..., Any] | None = None,
    expand_mirrored: Callable[..., Any] | None = None,
    traits: Iterable[Trait] = (),
    weight: int = 1,
    reference: Callable[..., Any] | None = None,
    domain: Domain | tuple[Domain, ...] = REALS,
    formula: str = "",
    precedence: int = 100,
    doc: str,
) -> Builder:
    """Declare an elementwise op and return its builder.

    Parameters
    ----------
    name, arity
        Of the op.
    numpy, opencl, python : str
        Templates. ``numpy`` writes into ``{out}``; empty means that `expand` is used.
        ``opencl`` and ``python`` may be dicts by kind of the operands: ``{"float": ..., "int":
        ...}``.
    dtype : callable
        What the operands are cast to; see `same`, `floats`, `numbers`, `bits`, `chosen`.
    result : str, optional
        The dtype of the result, where it is not that of the last operand.
    library : str
        The file of ``kernels/`` that its OpenCL template calls, besides the prelude.
    """
    code = {"numpy": numpy, **_by_kind("python", python), **_by_kind("opencl", opencl)}
    op = register(
        Op(
            name=name,
            kind=Kind.ELEMENTWISE,
            infer=_infer(name, result),
            dims=broadcast_dims,
            prepare=_prepare,
            checks=broadcast_checks,
            vjp=vjp,
            code={key: text for key, text in code.items() if text},
            expand=expand,
            expand_mirrored=expand_mirrored,
            traits=frozenset(traits),
            weight=weight,
            reference=reference,
            domain=domain if isinstance(domain, tuple) else (domain,),
            formula=formula,
            precedence=precedence,
            doc=doc,
            details={"arity": arity, "dtype": dtype, "result": result, "library": library},
        )
    )
    return builder(op)


def _by_kind(backend: str, template: str | dict[str, str]) -> dict[str, str]:
    if isinstance(template, str):
        return {backend: template}
    return {f"{backend}:{kind}" if kind else backend: text for kind, text in template.items()}


def builder(op: Op, attrs: tuple[str, ...] = ()) -> Builder:
    """Return the function that applies an op; keyword arguments are its attributes."""

    def build(*args: Any, **attrs: Any) -> Any:
        return apply(op, *args, **attrs)

    build.__name__ = build.__qualname__ = op.name
    build.__doc__ = op.doc
    build.op = op  # type: ignore[attr-defined]
    return build


# -- preparation: dtypes and ranks ----------------------------------------------------------------


def _prepare(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    arity = op.details["arity"]
    if len(args) != arity:
        raise TypeError(f"{op.name} takes {arity} operands, got {len(args)}")
    targets, given = _dtypes_of(op, args)
    nodes = [to_dtype(arg, dtype) for arg, dtype in zip(args, targets, strict=True)]
    watch_float64(op.name, targets, given, nodes)
    return same_rank(nodes)


def _dtypes_of(op: Op, args: tuple[Any, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the dtype each operand is cast to, and those it came with."""
    rule: DtypeRule = op.details["dtype"]
    data = args[1:] if rule is chosen else args
    strong = [as_node(arg).type.dtype for arg in data if not is_number(arg)]
    given = tuple(
        dtypes.result_with_number(arg, strong) if is_number(arg) else as_node(arg).type.dtype
        for arg in data
    )
    try:
        if rule is chosen:
            return rule(op.name, (dtypes.BOOL, *given)), given
        return rule(op.name, given), given
    except DTypeError as error:
        nodes = [as_node(arg) for arg in args]
        raise DTypeError(message(str(error), map(operand, nodes), here())) from None


def is_number(arg: Any) -> bool:
    """Tell whether an argument is a Python number, whose dtype is weak."""
    return type(arg) in (int, float, bool)


def to_dtype(arg: Any, dtype: str) -> Node:
    """Return an operand as a node of a dtype, cast if it has another one."""
    if is_number(arg):
        if type(arg) is int and not dtypes.fits(arg, dtype):
            raise DTypeError(
                message(
                    f"the Python number {arg} does not fit {dtype}, the dtype beside it",
                    (),
                    here(),
                    "cast the other operand to a wider dtype first",
                )
            )
        return const(arg, dtype)
    node = as_node(arg)
    if node.type.dtype == dtype:
        return node
    return apply(OPS["cast"], node, dtype=dtype)  # type: ignore[no-any-return]


def watch_float64(
    name: str, targets: Sequence[str], given: Sequence[str], nodes: Iterable[Node]
) -> None:
    """Do what ``config.warn_float64`` says if narrower operands become float64."""
    if config.warn_float64 == "ignore" or "float64" not in targets or "float64" in given:
        return
    text = message(
        f"{name} of {' and '.join(dict.fromkeys(given))} is float64",
        map(operand, nodes),
        here(),
        "cast one operand, or set graphc.config.warn_float64 = 'ignore'",
    )
    if config.warn_float64 == "raise":
        raise DTypeError(text)
    warn(text)


def same_rank(nodes: list[Node]) -> tuple[Node, ...]:
    """Return nodes with new axes put in front, so that all but scalars have one rank."""
    rank = max(node.type.ndim for node in nodes)
    return tuple(
        node if node.type.ndim in (0, rank) else pad_left(node, rank - node.type.ndim)
        for node in nodes
    )


def pad_left(node: Node, count: int) -> Node:
    """Return a node with ``count`` new axes of size 1 in front."""
    pattern = (-1,) * count + tuple(range(node.type.ndim))
    return apply(OPS["dimshuffle"], node, pattern=pattern)  # type: ignore[no-any-return]


# -- type and sizes -------------------------------------------------------------------------------


def _infer(name: str, result: str | None) -> Callable[[tuple[Node, ...], Attrs], TensorType]:
    def infer(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
        dtype = result or inputs[-1].type.dtype
        return TensorType(dtype, broadcast_shape(name, inputs))

    return infer


def broadcast_shape(name: str, inputs: Iterable[Node]) -> Shape:
    """Return the static shape of an elementwise result over these inputs."""
    inputs = list(inputs)
    shapes = [node.type.shape for node in inputs if node.type.ndim]
    if not shapes:
        return ()
    first = shapes[0]
    if all(shape == first for shape in shapes):
        return first
    return tuple(
        _broadcast_size(name, inputs, axis, [shape[axis] for shape in shapes])
        for axis in range(len(first))
    )


def _broadcast_size(
    name: str, inputs: list[Node], axis: int, sizes: list[int | None]
) -> int | None:
    known = {size for size in sizes if size is not None and size != 1}
    if len(known) > 1:
        a, b = sorted(known)
        raise ShapeError(
            message(
                f"{name}: sizes {a} and {b} of axis {axis} differ", map(operand, inputs), here()
            )
        )
    if known:
        return known.pop()
    return None if None in sizes else 1


def broadcast_dims(node: Node) -> tuple[Dim, ...]:
    """Return the sizes of an elementwise node: for each axis those of an input that has it."""
    shapes = [child.type.shape for child in node.inputs]
    found: list[Dim] = []
    for axis, known in enumerate(node.type.shape):
        if known is not None:
            found.append(known)
            continue
        source = next(i for i, shape in enumerate(shapes) if shape and shape[axis] is None)
        found.append(sizes(node.inputs[source])[axis])
    return tuple(found)


def broadcast_checks(node: Node) -> list[tuple[Any, ...]]:
    """Return the pairs of sizes that broadcasting takes as equal and that are not known to be."""
    full = [child for child in node.inputs if child.type.ndim]
    if len(full) < 2:
        return []
    pairs: list[tuple[Dim, Dim]] = []
    for axis in range(node.type.ndim):
        here_ = [child for child in full if child.type.shape[axis] != 1]
        if len(here_) > 1 and any(child.type.shape[axis] is None for child in here_):
            first = sizes(here_[0])[axis]
            pairs += [(first, sizes(other)[axis]) for other in here_[1:]]
    return pairs
