"""Windows that move over images: correlation, its two gradients, and the largest in each window.

Images are (batch, channels, rows, columns), filters (filters, channels of a group, rows, columns).
Windows lie inside of the image: whoever wants margins puts the image into a larger one first.

A correlation is linear in the image and in the filters, so each of the three ops ``conv2d``,
``conv2d_inputs`` and ``conv2d_weights`` has the other two as its gradient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from graphc.errors import DTypeError, GraphcTypeError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, apply, as_node, operand
from graphc.ir.op import Kind, Op, register
from graphc.ir.shapes import Dim, add, as_dim, at_least, floor_div, mul, sizes, sub
from graphc.ir.source import here
from graphc.ir.types import Attrs, Shape, TensorType
from graphc.ops.family import to_dtype
from graphc.ops.movement import size_operand, static

Pair = tuple[int, int]
Check = tuple[Any, ...]
_CONV = ("stride", "dilation", "groups")
_POOL = ("size", "stride", "cover")


# -- sizes ----------------------------------------------------------------------------------------


def span(size: Dim, dilation: int) -> Dim:
    """Return how many pixels a filter of some size covers, holes included."""
    return add(mul(sub(size, 1), dilation), 1)


def places(image: Dim, covered: Dim, stride: int) -> Dim:
    """Return how many places a window has that covers so much of an axis."""
    return add(floor_div(sub(image, covered), stride), 1)


def places_to_cover(image: Dim, size: int, stride: int) -> Dim:
    """Return how many places a window has that may reach beyond the end, to cover all of an axis.

    Examples
    --------
    >>> places_to_cover(5, 2, 2), places_to_cover(5, 3, 1)
    (3, 3)
    """
    if stride >= size:
        return add(floor_div(sub(image, 1), stride), 1)
    over = floor_div(add(sub(sub(image, 1), size), stride), stride)
    return add(at_least(over, 0), 1)


def _known_places(image: int | None, covered: int | None, stride: int) -> int | None:
    if image is None or covered is None:
        return None
    return (image - covered) // stride + 1


def _known_span(size: int | None, dilation: int) -> int | None:
    return None if size is None else (size - 1) * dilation + 1


def _must_fit(name: str, inputs: Sequence[Node], image: Shape, covered: Shape) -> None:
    for axis, (there, needed) in enumerate(zip(image[2:], covered, strict=True)):
        if there is not None and needed is not None and there < needed:
            raise ShapeError(
                message(
                    f"{name}: a window of {needed} does not fit axis {axis + 2}, of size {there}",
                    map(operand, inputs),
                    here(),
                    "give the image margins with border_mode, or make the window smaller",
                )
            )


def _four_axes(name: str, inputs: Sequence[Node]) -> None:
    if any(node.type.ndim != 4 for node in inputs):
        raise GraphcTypeError(
            message(
                f"{name} takes arrays with 4 axes", map(operand, inputs), here(),
                "images are (batch, channels, rows, columns),"
                " filters (filters, channels, rows, columns)",
            )
        )  # fmt: skip


def _same(name: str, what: str, inputs: Sequence[Node], a: int | None, b: int | None) -> None:
    if a is not None and b is not None and a != b:
        raise ShapeError(message(f"{name}: {what}", map(operand, inputs), here()))


def _shared(name: str, what: str, inputs: Sequence[Node], count: int | None, groups: int) -> None:
    """Raise if a known number of filters or channels is not the same in each group."""
    text = f"{count} {what} cannot be shared among {groups} groups"
    _same(name, text, inputs, None if count is None else count % groups, 0)


# -- correlation ----------------------------------------------------------------------------------


def _prepare_conv(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    a, b = as_node(args[0]), as_node(args[1])
    common = dtypes.floating(a.type.dtype, b.type.dtype)
    return (to_dtype(a, common), to_dtype(b, common), *map(size_operand, args[2:]))


def _infer_conv(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    x, w = inputs
    _four_axes("conv2d", inputs)
    groups = attrs["groups"]
    channels, (filters, own, *window) = x.type.shape[1], w.type.shape
    _same(
        "conv2d",
        f"the image has {channels} channels, the filters are for"
        f" {own}{f' in each of {groups} groups' if groups > 1 else ''}",
        inputs,
        channels,
        None if own is None else own * groups,
    )
    _shared("conv2d", "filters", inputs, filters, groups)
    covered = tuple(map(_known_span, window, attrs["dilation"]))
    _must_fit("conv2d", inputs, x.type.shape, covered)
    found = map(_known_places, x.type.shape[2:], covered, attrs["stride"])
    return TensorType(x.type.dtype, (x.type.shape[0], filters, *found))


def _conv_dims(node: Node) -> tuple[Dim, ...]:
    x, w = (sizes(child) for child in node.inputs)
    covered = map(span, w[2:], node.attrs["dilation"])
    return x[0], w[0], *map(places, x[2:], covered, node.attrs["stride"])


def _links(
    x: Sequence[Dim], w: Sequence[Dim], out: Sequence[Dim] | None, attrs: Attrs
) -> list[Check]:
    """Return what must hold of the sizes of image, filters and result."""
    groups = attrs["groups"]
    found: list[Check] = [(x[1], mul(w[1], groups))]
    if groups > 1:
        found.append((w[0], mul(floor_div(w[0], groups), groups)))
    covered = list(map(span, w[2:], attrs["dilation"]))
    found += [(there, ">=", needed) for there, needed in zip(x[2:], covered, strict=True)]
    if out is not None:
        found += [(out[0], x[0]), (out[1], w[0])]
        found += zip(out[2:], map(places, x[2:], covered, attrs["stride"]), strict=True)
    return found


def _conv_vjp(g: Node, out: Node, x: Node, w: Node) -> list[Node]:
    place = dict(out.attrs)
    return [
        conv2d_inputs(g, w, sizes(x)[2:], **place),
        conv2d_weights(x, g, sizes(w)[2:], **place),
    ]


def _taps(window: Sequence[int], dilation: Pair) -> Iterator[tuple[int, int, int, int]]:
    """Yield each place in a window, and the pixel it lies on."""
    for i, j in product(range(window[0]), range(window[1])):
        yield i, j, i * dilation[0], j * dilation[1]


def _under(array: Any, row: int, column: int, stride: Pair, out: Sequence[int]) -> Any:
    """Return the pixels that lie under one place of the window, wherever it moves."""
    rows = slice(row, row + stride[0] * (out[0] - 1) + 1, stride[0])
    columns = slice(column, column + stride[1] * (out[1] - 1) + 1, stride[1])
    return array[:, :, rows, columns]


def _split(array: Any, axis: int, groups: int) -> list[Any]:
    return np.split(array, groups, axis)


def _conv_reference(x: Any, w: Any, stride: Pair, dilation: Pair, groups: int) -> Any:
    found = [
        (n - (k - 1) * d - 1) // s + 1
        for n, k, d, s in zip(x.shape[2:], w.shape[2:], dilation, stride, strict=True)
    ]
    out = np.zeros((len(x), len(w), *found), x.dtype)
    parts = zip(_split(x, 1, groups), _split(w, 0, groups), _split(out, 1, groups), strict=True)
    for image, filters, result in parts:
        for i, j, row, column in _taps(w.shape[2:], dilation):
            under = _under(image, row, column, stride, found)
            result += np.einsum("nchw,oc->nohw", under, filters[:, :, i, j])
    return out


conv2d_op = register(
    Op(
        name="conv2d",
        kind=Kind.CALL,
        attrs=_CONV,
        infer=_infer_conv,
        dims=_conv_dims,
        prepare=_prepare_conv,
        checks=lambda node: _links(sizes(node.inputs[0]), sizes(node.inputs[1]), None, node.attrs),
        vjp=_conv_vjp,
        weight=200,
        reference=_conv_reference,
        doc="Sums of products of filters with the pixels under them, wherever they fit an image.",
    )
)


# -- by the image ---------------------------------------------------------------------------------


def _infer_inputs(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    g, w, *shape = inputs
    _four_axes("conv2d_inputs", inputs[:2])
    own = w.type.shape[1]
    _same(
        "conv2d_inputs",
        f"a result of {w.type.shape[0]} filters does not have {g.type.shape[1]} channels",
        inputs[:2],
        w.type.shape[0],
        g.type.shape[1],
    )
    _shared("conv2d_inputs", "filters", inputs[:2], w.type.shape[0], attrs["groups"])
    channels = None if own is None else own * attrs["groups"]
    found = (g.type.shape[0], channels, *map(static, shape))
    _agree("conv2d_inputs", inputs, found, w.type.shape, g.type.shape, attrs)
    return TensorType(g.type.dtype, found)


def _agree(name: str, inputs: Sequence[Node], x: Shape, w: Shape, out: Shape, attrs: Attrs) -> None:
    """Raise if known sizes are not those of an image, filters and their result."""
    covered = tuple(map(_known_span, w[2:], attrs["dilation"]))
    _must_fit(name, inputs[:2], x, covered)
    for image, needed, stride, given in zip(x[2:], covered, attrs["stride"], out[2:], strict=True):
        expected = _known_places(image, needed, stride)
        _same(
            name,
            f"an image of {image} pixels has {expected} places for a window of {needed},"
            f" and {given} are given",
            inputs[:2],
            expected,
            given,
        )


def _inputs_checks(node: Node) -> list[Check]:
    g, w = (sizes(child) for child in node.inputs[:2])
    return _links(sizes(node), w, g, node.attrs)


def _inputs_dims(node: Node) -> tuple[Dim, ...]:
    g, w, *shape = node.inputs
    return sizes(g)[0], mul(sizes(w)[1], node.attrs["groups"]), *map(as_dim, shape)


def _inputs_vjp(h: Node, out: Node, g: Node, w: Node, *shape: Node) -> list[Node | None]:
    place = dict(out.attrs)
    return [conv2d(h, w, **place), conv2d_weights(h, g, sizes(w)[2:], **place), None, None]


def _inputs_reference(
    g: Any, w: Any, rows: Any, columns: Any, stride: Pair, dilation: Pair, groups: int
) -> Any:
    out = np.zeros((len(g), w.shape[1] * groups, int(rows), int(columns)), g.dtype)
    parts = zip(_split(g, 1, groups), _split(w, 0, groups), _split(out, 1, groups), strict=True)
    for result, filters, image in parts:
        for i, j, row, column in _taps(w.shape[2:], dilation):
            under = _under(image, row, column, stride, g.shape[2:])
            under += np.einsum("nohw,oc->nchw", result, filters[:, :, i, j])
    return out


conv2d_inputs_op = register(
    Op(
        name="conv2d_inputs",
        kind=Kind.CALL,
        attrs=_CONV,
        infer=_infer_inputs,
        dims=_inputs_dims,
        prepare=_prepare_conv,
        checks=_inputs_checks,
        vjp=_inputs_vjp,
        weight=200,
        reference=_inputs_reference,
        doc="The gradient of conv2d by its image, which is the transposed convolution.",
    )
)


# -- by the filters -------------------------------------------------------------------------------


def _infer_weights(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    x, g, *window = inputs
    _four_axes("conv2d_weights", inputs[:2])
    channels, groups = x.type.shape[1], attrs["groups"]
    own = None if channels is None else channels // groups
    _shared("conv2d_weights", "channels", inputs[:2], channels, groups)
    _shared("conv2d_weights", "filters", inputs[:2], g.type.shape[1], groups)
    _same(
        "conv2d_weights",
        f"{x.type.shape[0]} images have not {g.type.shape[0]} results",
        inputs[:2],
        x.type.shape[0],
        g.type.shape[0],
    )
    found = (g.type.shape[1], own, *map(static, window))
    _agree("conv2d_weights", inputs, x.type.shape, found, g.type.shape, attrs)
    return TensorType(x.type.dtype, found)


def _weights_dims(node: Node) -> tuple[Dim, ...]:
    x, g, *window = node.inputs
    return sizes(g)[1], floor_div(sizes(x)[1], node.attrs["groups"]), *map(as_dim, window)


def _weights_checks(node: Node) -> list[Check]:
    x, g = (sizes(child) for child in node.inputs[:2])
    return _links(x, sizes(node), g, node.attrs)


def _weights_vjp(h: Node, out: Node, x: Node, g: Node, *window: Node) -> list[Node | None]:
    place = dict(out.attrs)
    return [conv2d_inputs(g, h, sizes(x)[2:], **place), conv2d(x, h, **place), None, None]


def _weights_reference(
    x: Any, g: Any, rows: Any, columns: Any, stride: Pair, dilation: Pair, groups: int
) -> Any:
    out = np.zeros((g.shape[1], x.shape[1] // groups, int(rows), int(columns)), x.dtype)
    parts = zip(_split(x, 1, groups), _split(g, 1, groups), _split(out, 0, groups), strict=True)
    for image, result, filters in parts:
        for i, j, row, column in _taps(out.shape[2:], dilation):
            under = _under(image, row, column, stride, g.shape[2:])
            filters[:, :, i, j] = np.einsum("nchw,nohw->oc", under, result)
    return out


conv2d_weights_op = register(
    Op(
        name="conv2d_weights",
        kind=Kind.CALL,
        attrs=_CONV,
        infer=_infer_weights,
        dims=_weights_dims,
        prepare=_prepare_conv,
        checks=_weights_checks,
        vjp=_weights_vjp,
        weight=200,
        reference=_weights_reference,
        doc="The gradient of conv2d by its filters.",
    )
)


# -- the builders ---------------------------------------------------------------------------------


def conv2d(
    x: Any, w: Any, *, stride: Pair = (1, 1), dilation: Pair = (1, 1), groups: int = 1
) -> Any:
    """Return the correlation of images with filters.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x, w = T.dtensor4("x"), T.dtensor4("w")
    >>> conv2d(x, w).type
    float64[?, ?, ?, ?]
    """
    return apply(conv2d_op, x, w, stride=stride, dilation=dilation, groups=groups)


def conv2d_inputs(
    g: Any,
    w: Any,
    shape: Sequence[Any],
    *,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Any:
    """Return the gradient of `conv2d` by images of so many rows and columns."""
    return apply(conv2d_inputs_op, g, w, *shape, stride=stride, dilation=dilation, groups=groups)


def conv2d_weights(
    x: Any,
    g: Any,
    shape: Sequence[Any],
    *,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Any:
    """Return the gradient of `conv2d` by filters of so many rows and columns."""
    return apply(conv2d_weights_op, x, g, *shape, stride=stride, dilation=dilation, groups=groups)


# -- the largest in each window -------------------------------------------------------------------


def _prepare_pool(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    x, *rest = map(as_node, args)
    if x.type.dtype == dtypes.BOOL:
        raise DTypeError(message(f"{op.name} is not defined for bool", [operand(x)], here()))
    return (x, *[to_dtype(node, x.type.dtype) for node in rest])


def _infer_pool(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    x = inputs[0]
    _four_axes("pool_max", inputs)
    if not attrs["cover"]:
        _must_fit("pool_max", inputs[:1], x.type.shape, attrs["size"])
    count = places_to_cover if attrs["cover"] else places
    found = [
        None if n is None else int(count(n, size, stride))
        for n, size, stride in zip(x.type.shape[2:], attrs["size"], attrs["stride"], strict=True)
    ]
    return x.type.with_shape((*x.type.shape[:2], *found))


def _pool_dims(node: Node) -> tuple[Dim, ...]:
    x = sizes(node.inputs[0])
    count = places_to_cover if node.attrs["cover"] else places
    return *x[:2], *map(count, x[2:], node.attrs["size"], node.attrs["stride"])


def _pool_checks(node: Node) -> list[Check]:
    x = sizes(node.inputs[0])
    smallest = (1, 1) if node.attrs["cover"] else node.attrs["size"]
    return [(there, ">=", needed) for there, needed in zip(x[2:], smallest, strict=True)]


def _pool_linked(node: Node, place: int) -> list[Check]:
    """Return the checks of an op whose operand at ``place`` is as large as the image."""
    x, top, other = (sizes(child) for child in node.inputs)
    found = _pool_dims(node)
    pairs = [*zip(top, found, strict=True), *zip(other, (found, x)[place], strict=True)]
    return [*_pool_checks(node), *pairs]


def _windows(shape: Sequence[int], size: Pair, stride: Pair) -> Iterator[tuple[Any, Any]]:
    """Yield each place of windows that are so many, and the pixels under it."""
    for a, b in np.ndindex(*shape[2:]):
        rows, columns = (
            slice(k * s, k * s + n) for k, s, n in zip((a, b), stride, size, strict=True)
        )
        yield (..., a, b), (..., rows, columns)


def _pool_reference(x: Any, size: Pair, stride: Pair, cover: bool) -> Any:
    count = places_to_cover if cover else places
    out = np.zeros((*x.shape[:2], *map(count, x.shape[2:], size, stride)), x.dtype)
    for place, under in _windows(out.shape, size, stride):
        out[place] = np.max(x[under], axis=(2, 3))
    return out


def _shares(x: Any, top: Any) -> Any:
    """Return what each pixel of a window gets: as much as all that are as large as the largest."""
    hits = x == top[..., None, None]
    return hits / np.maximum(hits.sum((2, 3), keepdims=True), 1)


def _spread_reference(x: Any, top: Any, g: Any, size: Pair, stride: Pair, cover: bool) -> Any:
    out = np.zeros_like(x)
    for place, under in _windows(top.shape, size, stride):
        out[under] += (_shares(x[under], top[place]) * g[place][..., None, None]).astype(x.dtype)
    return out


def _pick_reference(x: Any, top: Any, v: Any, size: Pair, stride: Pair, cover: bool) -> Any:
    out = np.zeros_like(top)
    for place, under in _windows(top.shape, size, stride):
        out[place] = (_shares(x[under], top[place]) * v[under]).sum((2, 3))
    return out


def _spread(x: Node, top: Node, g: Node, like: Node) -> Node:
    return apply(pool_spread_op, x, top, g, **like.attrs)  # type: ignore[no-any-return]


def _pick(x: Node, top: Node, v: Node, like: Node) -> Node:
    return apply(pool_pick_op, x, top, v, **like.attrs)  # type: ignore[no-any-return]


pool_max_op = register(
    Op(
        name="pool_max",
        kind=Kind.CALL,
        attrs=_POOL,
        infer=_infer_pool,
        dims=_pool_dims,
        prepare=_prepare_pool,
        checks=_pool_checks,
        vjp=lambda g, out, x: [_spread(x, out, g, out)],
        weight=40,
        reference=_pool_reference,
        doc="The largest number in each window of an image; NaN wins. Ties share the gradient"
        " evenly.",
    )
)


def _infer_spread(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    windows = _infer_pool(inputs, attrs)
    for other in inputs[1:]:
        _as_large("pool_spread", inputs, other.type.shape, windows.shape)
    return inputs[0].type


def _infer_pick(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    windows = _infer_pool(inputs, attrs)
    _as_large("pool_pick", inputs, inputs[1].type.shape, windows.shape)
    _as_large("pool_pick", inputs, inputs[2].type.shape, inputs[0].type.shape)
    return windows


def _as_large(name: str, inputs: Sequence[Node], shape: Shape, other: Shape) -> None:
    for axis, (a, b) in enumerate(zip(shape, other, strict=True)):
        _same(name, f"sizes {a} and {b} of axis {axis} differ", inputs, a, b)


def _need_float(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    nodes = _prepare_pool(op, args, attrs)
    if not dtypes.is_float(nodes[0].type.dtype):
        raise DTypeError(message(f"{op.name} is defined for floats", map(operand, nodes), here()))
    return nodes


pool_spread_op: Op = register(
    Op(
        name="pool_spread",
        kind=Kind.CALL,
        attrs=_POOL,
        infer=_infer_spread,
        dims=lambda node: sizes(node.inputs[0]),
        prepare=_need_float,
        checks=lambda node: _pool_linked(node, 0),
        vjp=lambda h, out, x, top, g: [None, None, _pick(x, top, h, out)],
        weight=40,
        reference=_spread_reference,
        doc="What belongs to the windows of pool_max, shared evenly by their largest pixels.",
    )
)

pool_pick_op: Op = register(
    Op(
        name="pool_pick",
        kind=Kind.CALL,
        attrs=_POOL,
        infer=_infer_pick,
        dims=_pool_dims,
        prepare=_need_float,
        checks=lambda node: _pool_linked(node, 1),
        vjp=lambda h, out, x, top, v: [None, None, _spread(x, top, h, out)],
        weight=40,
        reference=_pick_reference,
        doc="The mean of the third operand over the largest pixels of each window of the first.",
    )
)


def pool_max(x: Any, size: Pair, stride: Pair, cover: bool = False) -> Any:
    """Return the largest number in each window of ``size``, ``stride`` apart.

    With ``cover`` windows may reach beyond the end of an image, so that all of it is covered.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> pool_max(T.dtensor4("x"), (2, 2), (2, 2)).type
    float64[?, ?, ?, ?]
    """
    return apply(pool_max_op, x, size=size, stride=stride, cover=cover)
