"""Draws of outcomes: by their chances, without replacement, and in a random order."""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcTypeError, GraphcValueError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, operand
from graphc.ir.shapes import Dim, as_size_node, product, sizes
from graphc.ir.source import here
from graphc.ops.elementwise import cast, eq
from graphc.ops.math import log1p
from graphc.ops.movement import dimshuffle, reshape
from graphc.ops.parts import iota
from graphc.ops.reduce import sum as sum_over
from graphc.random.draw import Draw, Shape, float_dtype
from graphc.random.samplers import below
from graphc.tensor.indexing import take
from graphc.tensor.sizes import size_list
from graphc.tensor.sorting import argsort, cumsum


def as_chances(pvals: Any, what: str) -> Node:
    """Return chances as floats, of at least one axis."""
    node = as_node(pvals)
    if not node.type.ndim:
        raise GraphcTypeError(message(f"{what}: chances are an array", [operand(node)], here()))
    return cast(node, float_dtype(None, node))  # type: ignore[no-any-return]


def counts(draw: Draw, size: Any, ndim: int | None, n: int, chances: Node) -> Any:
    """Return how often each outcome comes in n trials, along a last axis."""
    *lead, outcomes = sizes(chances)
    shape: Shape = tuple(lead) if size is None else tuple(size_list(size, "multinomial", ndim))
    sized: Shape = (n, *shape) if n != 1 else shape
    found = dimshuffle(places(draw, sized, chances), (*range(len(sized)), "x"))
    hit = eq(found, iota(as_size_node(outcomes)))
    return hit if n == 1 else sum_over(cast(hit, dtypes.INDEX), axes=(0,))


def places(draw: Draw, shape: Shape, chances: Node) -> Any:
    """Return the places of outcomes that come with some chances, which lie along the last axis."""
    u = draw.uniform(shape, chances.type.dtype)
    last = chances.type.ndim - 1
    bounds = cumsum(chances, axis=-1)[(slice(None),) * last + (slice(None, -1),)]
    if not last:
        return below(bounds, u)
    passed = dimshuffle(u, (*range(u.type.ndim), "x")) >= bounds
    return sum_over(cast(passed, dtypes.INDEX), axes=(passed.type.ndim - 1,))


def permutation(draw: Draw, shape: Shape, n: Dim) -> Any:
    """Return permutations of n along a last axis: the order of random words."""
    return argsort(draw.bits((*shape, n)), axis=-1)


def choice(draw: Draw, shape: Shape, a: Any, replace: bool, p: Any) -> Any:
    """Return elements of a vector, or numbers below an integer."""
    values = as_node(a)
    if values.type.ndim > 1 or (not values.type.ndim and dtypes.is_float(values.type.dtype)):
        raise GraphcTypeError(
            message("choice is from a vector, or below an integer", [operand(values)], here())
        )
    (count,) = size_list(values, "choice") if not values.type.ndim else sizes(values)
    chances = None if p is None else as_chances(p, "choice")
    if chances is not None and chances.type.ndim != 1:
        raise GraphcValueError(message("choice: p is a vector", [operand(chances)], here()))
    found = _chosen(draw, shape, count, replace, chances)
    return take(values, found) if values.type.ndim else found


def _chosen(draw: Draw, shape: Shape, count: Dim, replace: bool, chances: Node | None) -> Any:
    if not replace:
        if chances is None:
            order = permutation(draw, (), count)
        else:  # the first of exponential waiting times is each with its chance
            waits = -log1p(-draw.uniform((count,), chances.type.dtype)) / chances
            order = argsort(waits)
        return reshape(order[: as_size_node(product(shape))], list(shape))
    if chances is None:
        words = draw.bits(shape) % cast(as_size_node(count), "uint64")
        return cast(words, dtypes.INDEX)
    return places(draw, shape, chances)
