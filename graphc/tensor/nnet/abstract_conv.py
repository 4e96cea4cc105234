"""Convolution of images with filters, and its two gradients as functions of their own.

Images are (batch, channels, rows, columns) and filters (filters, channels, rows, columns), as in
Theano. A convolution turns its filters over; with ``filter_flip=False`` it is a correlation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.errors import GraphcTypeError, NotSupportedError, ShapeError, message
from graphc.ir.node import Node, as_node, const, operand
from graphc.ir.shapes import Dim, add, mul, sizes
from graphc.ir.source import here
from graphc.ops import window
from graphc.ops.movement import dimshuffle, expand, reshape, static
from graphc.ops.parts import join, put, slice_axes
from graphc.tensor.margins import Margins, border, images, numbers, pair, whole, with_margins
from graphc.tensor.sizes import size_list


@dataclass(frozen=True, slots=True)
class _Way:
    """How windows move, checked: what all functions here are told in the same words."""

    stride: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    @property
    def attrs(self) -> dict[str, Any]:
        return {"stride": self.stride, "dilation": self.dilation, "groups": self.groups}


def _way(what: str, subsample: Any, dilation: Any, groups: Any, unshared: Any) -> _Way:
    if unshared:
        raise NotSupportedError(
            message(f"{what}: filters that differ from place to place", (), here())
        )
    return _Way(
        pair(subsample, f"{what}: subsample"),
        pair(dilation, f"{what}: filter_dilation"),
        whole(groups, f"{what}: num_groups", 1),
    )


def _margins(mode: Any, window_: Sequence[Dim], way: _Way, what: str) -> Margins:
    return border(mode, list(map(window.span, window_, way.dilation)), what)


def _turned(filters: Node) -> Node:
    """Return filters with rows and columns in the opposite order: a view."""
    found = sizes(filters)[2:]
    last = [add(size, -1) for size in found]
    return slice_axes(filters, (2, 3), last, found, (-1, -1))  # type: ignore[no-any-return]


def _check_shape(node: Node, given: Any, what: str, name: str) -> None:
    """Raise if sizes that a user states are known not to be those of an array."""
    if given is None:
        return
    stated = list(given)
    if len(stated) != node.type.ndim:
        raise GraphcTypeError(
            message(f"{what}: {name} is {node.type.ndim} sizes or None", [operand(node)], here())
        )
    for axis, (one, known) in enumerate(zip(stated, node.type.shape, strict=True)):
        size = None if one is None else static(as_node(one))
        if size is not None and known is not None and size != known:
            raise ShapeError(
                message(
                    f"{what}: {name} says {size} for axis {axis}, which is of size {known}",
                    [operand(node)],
                    here(),
                )
            )


def conv2d(
    input: Any,
    filters: Any,
    input_shape: Any = None,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    filter_flip: bool = True,
    image_shape: Any = None,
    filter_dilation: Any = (1, 1),
    num_groups: int = 1,
    unshared: bool = False,
) -> Any:
    """Return the convolution of images with filters.

    Parameters
    ----------
    input : expression (batch, channels, rows, columns)
    filters : expression (filters, channels / num_groups, rows, columns)
    input_shape, filter_shape, image_shape : sequence of (int or None), optional
        Accepted as in Theano, and compared with what is known; graphc needs them for nothing.
    border_mode : {'valid', 'full', 'half'}, int or sequence
        Zeros around the image: none; so many that every window that touches it counts; half a
        window; or numbers of pixels: one, one an axis, or a pair (before, after) an axis.
    subsample : int or pair
        How far windows move.
    filter_flip : bool
        False does not turn the filters over.
    filter_dilation : int or pair
        Distance of the pixels that neighbouring elements of a filter lie on.
    num_groups : int
        Into how many parts channels and filters are split, each of which sees only its own.

    Returns
    -------
    expression (batch, filters, rows, columns)

    Raises
    ------
    ShapeError
        If channels do not match, or a filter is larger than an image.
    NotSupportedError
        For ``unshared=True``.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.TensorType("float32", (None, 3, 32, 32))("x")
    >>> w = T.TensorType("float32", (8, 3, 5, 5))("w")
    >>> T.nnet.conv2d(x, w).type, T.nnet.conv2d(x, w, border_mode="half").type
    (float32[?, 8, 28, 28], float32[?, 8, 32, 32])
    """
    x, w = images(input, "conv2d"), images(filters, "conv2d")
    way = _way("conv2d", subsample, filter_dilation, num_groups, unshared)
    _check_shape(x, image_shape if input_shape is None else input_shape, "conv2d", "input_shape")
    _check_shape(w, filter_shape, "conv2d", "filter_shape")
    x = with_margins(x, _margins(border_mode, sizes(w)[2:], way, "conv2d"))
    return window.conv2d(x, _turned(w) if filter_flip else w, **way.attrs)


def conv2d_grad_wrt_inputs(
    output_grad: Any,
    filters: Any,
    input_shape: Any,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1),
    num_groups: int = 1,
    unshared: bool = False,
) -> Any:
    """Return the gradient of `conv2d` by its images.

    Parameters
    ----------
    output_grad : expression (batch, filters, rows, columns)
        The gradient of the result of the convolution.
    filters : expression
        The filters of the convolution.
    input_shape : sequence
        The sizes of the images; the last two, which may be expressions, are needed.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> g = T.TensorType("float32", (None, 8, 28, 28))("g")
    >>> w = T.TensorType("float32", (8, 3, 5, 5))("w")
    >>> T.nnet.abstract_conv.conv2d_grad_wrt_inputs(g, w, (None, 3, 32, 32)).type
    float32[?, 3, 32, 32]
    """
    what = "conv2d_grad_wrt_inputs"
    g, w = images(output_grad, what), images(filters, what)
    way = _way(what, subsample, filter_dilation, num_groups, unshared)
    _check_shape(w, filter_shape, what, "filter_shape")
    shape = size_list(_last(input_shape, 2), what, 2)
    margins = _margins(border_mode, sizes(w)[2:], way, what)
    wide = [add(add(n, a), b) for n, (a, b) in zip(shape, margins, strict=True)]
    whole_ = window.conv2d_inputs(g, _turned(w) if filter_flip else w, wide, **way.attrs)
    if all(isinstance(m, int) and m == 0 for both in margins for m in both):
        return whole_
    return slice_axes(whole_, (2, 3), [a for a, _ in margins], shape, (1, 1))


def conv2d_grad_wrt_weights(
    input: Any,
    output_grad: Any,
    filter_shape: Any,
    input_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1),
    num_groups: int = 1,
    unshared: bool = False,
) -> Any:
    """Return the gradient of `conv2d` by its filters, whose last two sizes must be given.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.TensorType("float32", (None, 3, 32, 32))("x")
    >>> g = T.TensorType("float32", (None, 8, 28, 28))("g")
    >>> T.nnet.abstract_conv.conv2d_grad_wrt_weights(x, g, (8, 3, 5, 5)).type
    float32[8, 3, 5, 5]
    """
    what = "conv2d_grad_wrt_weights"
    x, g = images(input, what), images(output_grad, what)
    way = _way(what, subsample, filter_dilation, num_groups, unshared)
    _check_shape(x, input_shape, what, "input_shape")
    shape = size_list(_last(filter_shape, 2), what, 2)
    x = with_margins(x, _margins(border_mode, shape, way, what))
    found = window.conv2d_weights(x, g, shape, **way.attrs)
    return _turned(found) if filter_flip else found


def _last(shape: Any, count: int) -> Any:
    """Return the sizes of rows and columns, or of depth too; what is before them may be None."""
    if isinstance(shape, Node):
        return shape[-count:] if shape.type.shape[0] != count else shape
    return list(shape)[-count:]


def conv2d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    input_dilation: Any = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1),
    num_groups: int = 1,
    unshared: bool = False,
) -> Any:
    """Return the transposed convolution, which enlarges images: `conv2d_grad_wrt_inputs`.

    Parameters
    ----------
    input : expression (batch, channels, rows, columns)
    filters : expression (channels of the input, channels of the result, rows, columns)
    output_shape : sequence
        Of the result; the last two sizes are needed.
    input_dilation : int or pair
        How many times larger the result is: the `subsample` of the convolution.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.TensorType("float32", (None, 8, 14, 14))("x")
    >>> w = T.TensorType("float32", (8, 3, 2, 2))("w")
    >>> T.nnet.conv2d_transpose(x, w, (None, 3, 28, 28), input_dilation=(2, 2)).type
    float32[?, 3, 28, 28]
    """
    return conv2d_grad_wrt_inputs(
        input,
        filters,
        output_shape,
        filter_shape,
        border_mode,
        input_dilation,
        filter_flip,
        filter_dilation,
        num_groups,
        unshared,
    )


def conv1d(
    input: Any,
    filters: Any,
    input_shape: Any = None,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = 1,
    filter_flip: bool = True,
    filter_dilation: Any = 1,
    num_groups: int = 1,
) -> Any:
    """Return the convolution of signals (batch, channels, length) with filters of three axes.

    Parameters are those of `conv2d`, with one number where it has two.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nnet.conv1d(T.dtensor3("x"), T.dtensor3("w"), border_mode="full").type
    float64[?, ?, ?]
    """
    x, w = as_node(input), as_node(filters)
    if x.type.ndim != 3 or w.type.ndim != 3:
        raise GraphcTypeError(
            message(
                "conv1d takes signals and filters with 3 axes",
                [operand(x), operand(w)],
                here(),
                "signals are (batch, channels, length), filters (filters, channels, length)",
            )
        )
    _check_shape(x, input_shape, "conv1d", "input_shape")
    _check_shape(w, filter_shape, "conv1d", "filter_shape")
    way = _way("conv1d", (1, _single(subsample)), (1, _single(filter_dilation)), num_groups, False)
    x, w = (dimshuffle(node, (0, 1, "x", 2)) for node in (x, w))
    mode = border_mode
    if not isinstance(mode, str):
        one = mode[0] if isinstance(mode, (tuple, list)) and len(mode) == 1 else mode
        mode = (0, one)
    margins = _margins(mode, sizes(w)[2:], way, "conv1d")
    w = _turned(w) if filter_flip else w
    found = window.conv2d(with_margins(x, ((0, 0), margins[1])), w, **way.attrs)
    return dimshuffle(found, (0, 1, 3))


def conv3d(
    input: Any,
    filters: Any,
    input_shape: Any = None,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1, 1),
    num_groups: int = 1,
) -> Any:
    """Return the convolution of volumes (batch, channels, depth, rows, columns) with filters.

    It is a convolution of images whose channels are those of all layers under the filter.

    Parameters
    ----------
    input, filters : expression
        Of five axes.
    filter_shape : sequence, optional
        Must tell the depth of the filters, its third number, if their type does not.
    input_shape, border_mode, subsample, filter_flip, filter_dilation, num_groups
        As for `conv2d`, with three numbers where it has two.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.TensorType("float32", (None, 3, 16, 32, 32))("x")
    >>> w = T.TensorType("float32", (8, 3, 5, 5, 5))("w")
    >>> T.nnet.conv3d(x, w).type
    float32[?, 8, 12, 28, 28]
    """
    x, w = as_node(input), as_node(filters)
    if x.type.ndim != 5 or w.type.ndim != 5:
        problem = "conv3d takes volumes and filters with 5 axes"
        raise GraphcTypeError(message(problem, [operand(x), operand(w)], here()))
    _check_shape(x, input_shape, "conv3d", "input_shape")
    stride, gap, depth = _three("conv3d", w, filter_shape, subsample, filter_dilation)
    covered = list(map(window.span, (depth, *sizes(w)[3:]), gap))
    x = with_margins(x, border(border_mode, covered, "conv3d"))
    batch, channels, layers, *shape = sizes(x)
    count = window.places(layers, covered[0], stride[0])
    taps = [
        dimshuffle(slice_axes(x, (2,), (i * gap[0],), (count,), (stride[0],)), (0, 2, 1, "x", 3, 4))
        for i in (range(depth)[::-1] if filter_flip else range(depth))
    ]
    flat = reshape(join(3, taps), (mul(batch, count), mul(channels, depth), *shape))
    w = _layers_beside(w, depth)
    way = _way("conv3d", stride[1:], gap[1:], num_groups, False)
    found = window.conv2d(flat, _turned(w) if filter_flip else w, **way.attrs)
    apart = reshape(found, (batch, count, *sizes(found)[1:]))
    return dimshuffle(apart, (0, 2, 1, 3, 4))


def conv3d_grad_wrt_inputs(
    output_grad: Any,
    filters: Any,
    input_shape: Any,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1, 1),
    num_groups: int = 1,
) -> Any:
    """Return the gradient of `conv3d` by its volumes, whose last three sizes must be given.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> g = T.TensorType("float32", (None, 8, 12, 28, 28))("g")
    >>> w = T.TensorType("float32", (8, 3, 5, 5, 5))("w")
    >>> T.nnet.abstract_conv.conv3d_grad_wrt_inputs(g, w, (None, 3, 16, 32, 32)).type
    float32[?, 3, 16, 32, 32]
    """
    what = "conv3d_grad_wrt_inputs"
    g, w = as_node(output_grad), as_node(filters)
    if g.type.ndim != 5 or w.type.ndim != 5:
        problem = f"{what} takes volumes and filters with 5 axes"
        raise GraphcTypeError(message(problem, [operand(g), operand(w)], here()))
    stride, gap, depth = _three(what, w, filter_shape, subsample, filter_dilation)
    shape = size_list(_last(input_shape, 3), what, 3)
    covered = list(map(window.span, (depth, *sizes(w)[3:]), gap))
    margins = border(border_mode, covered, what)
    wide = [add(add(n, a), b) for n, (a, b) in zip(shape, margins, strict=True)]
    batch, number, count, *places = sizes(g)
    flat = reshape(dimshuffle(g, (0, 2, 1, 3, 4)), (mul(batch, count), number, *places))
    w4 = _layers_beside(w, depth)
    way = _way(what, stride[1:], gap[1:], num_groups, False)
    found = window.conv2d_inputs(flat, _turned(w4) if filter_flip else w4, wide[1:], **way.attrs)
    channels = mul(sizes(w)[1], num_groups)
    apart = dimshuffle(
        reshape(found, (batch, count, channels, depth, *wide[1:])), (0, 2, 3, 1, 4, 5)
    )
    zeros = expand(const(0, found.type.dtype), (batch, channels, *wide))
    total = zeros
    for i in range(depth):
        layer = depth - 1 - i if filter_flip else i
        part = dimshuffle(slice_axes(apart, (2,), (layer,), (1,), (1,)), (0, 1, 3, 4, 5))
        total = total + put(zeros, part, (2,), (i * gap[0],), (stride[0],))
    return slice_axes(total, (2, 3, 4), [a for a, _ in margins], shape, (1, 1, 1))


def _three(
    what: str, w: Node, filter_shape: Any, subsample: Any, dilation: Any
) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Return strides, distances, and the depth of the filters, which must be known."""
    _check_shape(w, filter_shape, what, "filter_shape")
    stated = w.type.shape[2] if filter_shape is None else filter_shape[2]
    return (
        numbers(subsample, f"{what}: subsample", 3),
        numbers(dilation, f"{what}: filter_dilation", 3),
        whole(stated, f"{what}: the depth of filters (filter_shape[2])", 1),
    )


def _layers_beside(w: Node, depth: int) -> Node:
    """Return filters of volumes as filters of images that have all layers as channels."""
    number, own, _, *pixels = sizes(w)
    return reshape(w, (number, mul(own, depth), *pixels))  # type: ignore[no-any-return]


def causal_conv1d(
    input: Any,
    filters: Any,
    filter_shape: Any = None,
    input_shape: Any = None,
    subsample: Any = 1,
    filter_flip: bool = True,
    filter_dilation: Any = 1,
    num_groups: int = 1,
    unshared: bool = False,
) -> Any:
    """Return the convolution of signals with zeros before them: no result depends on what follows.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.TensorType("float64", (None, 2, 9))("x")
    >>> T.nnet.causal_conv1d(x, T.TensorType("float64", (4, 2, 3))("w")).type
    float64[?, 4, 9]
    """
    x, w = as_node(input), as_node(filters)
    if unshared:
        problem = "causal_conv1d: filters that differ from place to place"
        raise NotSupportedError(message(problem, (), here()))
    if x.type.ndim == 3 and w.type.ndim == 3:
        gap = whole(_single(filter_dilation), "causal_conv1d: filter_dilation", 1)
        x = with_margins(x, [(add(window.span(sizes(w)[2], gap), -1), 0)])
        input_shape = None
    return conv1d(
        x,
        w,
        input_shape,
        filter_shape,
        "valid",
        subsample,
        filter_flip,
        filter_dilation,
        num_groups,
    )


def separable_conv2d(
    input: Any,
    depthwise_filters: Any,
    pointwise_filters: Any,
    num_channels: int,
    input_shape: Any = None,
    depthwise_filter_shape: Any = None,
    pointwise_filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1),
) -> Any:
    """Return a convolution of each channel by itself, and then of all channels at each pixel.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.TensorType("float32", (None, 3, 9, 9))("x")
    >>> deep = T.TensorType("float32", (6, 1, 3, 3))("deep")
    >>> point = T.TensorType("float32", (8, 6, 1, 1))("point")
    >>> T.nnet.separable_conv2d(x, deep, point, 3).type
    float32[?, 8, 7, 7]
    """
    each = conv2d(
        input,
        depthwise_filters,
        input_shape,
        depthwise_filter_shape,
        border_mode,
        subsample,
        filter_flip,
        filter_dilation=filter_dilation,
        num_groups=num_channels,
    )
    return conv2d(each, pointwise_filters, None, pointwise_filter_shape, filter_flip=filter_flip)


def _single(given: Any) -> Any:
    return given[0] if isinstance(given, (tuple, list)) and len(given) == 1 else given


# -- Theano's ops, which programs make and call ---------------------------------------------------


def _op(function: Callable[..., Any], doc: str) -> Callable[..., Any]:
    def make(
        imshp: Any = None,
        kshp: Any = None,
        border_mode: Any = "valid",
        subsample: Any = (1, 1),
        filter_flip: bool = True,
        filter_dilation: Any = (1, 1),
        num_groups: int = 1,
        unshared: bool = False,
    ) -> Callable[..., Any]:
        how = {
            "border_mode": border_mode,
            "subsample": subsample,
            "filter_flip": filter_flip,
            "filter_dilation": filter_dilation,
            "num_groups": num_groups,
            "unshared": unshared,
        }
        return lambda *operands: function(*operands, **how)

    make.__doc__ = doc
    return make


AbstractConv2d = _op(
    lambda x, w, **how: conv2d(x, w, **how), "Return the function of images and filters."
)
AbstractConv2d_gradInputs = _op(
    lambda w, g, shape, **how: conv2d_grad_wrt_inputs(g, w, shape, **how),
    "Return the function of filters, gradient, and rows and columns of images.",
)
AbstractConv2d_gradWeights = _op(
    lambda x, g, shape, **how: conv2d_grad_wrt_weights(x, g, shape, **how),
    "Return the function of images, gradient, and rows and columns of filters.",
)
AbstractConv3d_gradInputs = _op(
    lambda w, g, shape, **how: _volumes(conv3d_grad_wrt_inputs, g, w, shape, how),
    "Return the function of filters, gradient, and the last three sizes of volumes.",
)


def _volumes(function: Callable[..., Any], g: Any, w: Any, shape: Any, how: Any) -> Any:
    how = {name: value for name, value in how.items() if name != "unshared"}
    for name in ("subsample", "filter_dilation"):
        how[name] = (1, 1, 1) if how[name] == (1, 1) else how[name]
    return function(g, w, shape, **how)


__all__ = [
    "AbstractConv2d",
    "AbstractConv2d_gradInputs",
    "AbstractConv2d_gradWeights",
    "AbstractConv3d_gradInputs",
    "causal_conv1d",
    "conv1d",
    "conv2d",
    "conv2d_grad_wrt_inputs",
    "conv2d_grad_wrt_weights",
    "conv2d_transpose",
    "conv3d",
    "conv3d_grad_wrt_inputs",
    "separable_conv2d",
]
