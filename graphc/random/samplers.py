"""Samples of several random numbers each: by inversion, or by a fixed number of tries.

Counts are found by inversion: in a table for a single mean; term by term for small ones.

A sampler that rejects draws all of its tries at once, along a new first axis, and takes the first
one that is accepted. So many tries are made that the chance of none is below 1e-7, less than a
sample of any size shows; in that case the first try is taken as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.node import Node, const, number
from graphc.ir.shapes import sizes
from graphc.ops.elementwise import and_, cast, invert, maximum, minimum, or_, where
from graphc.ops.math import exp, floor, log, log1p, sqrt
from graphc.ops.movement import dimshuffle, reshape
from graphc.ops.parts import iota
from graphc.ops.special import gammaln
from graphc.random.draw import Draw, Shape
from graphc.tensor.extra_ops import searchsorted
from graphc.tensor.reductions import max as max_of
from graphc.tensor.shaping import flatten
from graphc.tensor.sizes import known
from graphc.tensor.sorting import cumsum

TRIES = {"normal": 7, "gamma": 6, "counts": 16}  # of which 95, 95 and 75 in 100 are accepted
SMALL = 10.0
"""Mean up to which counts are found by inversion."""
TERMS = 45
"""Counts that inversion looks at: a mean of 10 gives more with a chance of 1e-14."""


def first_accepted(accepted: Node, values: Node, tries: int) -> Any:
    """Return, of tries along the first axis, the first one that is accepted."""
    found = values[0]
    for one in reversed(range(tries)):
        found = where(accepted[one], values[one], found)
    return found


def truncated_normal(draw: Draw, shape: Shape, dtype: str) -> Any:
    """Return normal numbers between -2 and 2."""
    tries = draw.normal((TRIES["normal"], *shape), dtype)
    return first_accepted(abs(tries) < 2, tries, TRIES["normal"])


def gamma(draw: Draw, shape: Shape, dtype: str, a: Any) -> Any:
    """Return gamma numbers of shape ``a`` and scale 1 (Marsaglia and Tsang 2000).

    For a below 1 those of a + 1 are multiplied by a power of a uniform number.
    """
    low = a < 1
    d = where(low, a + 1, a) - 1 / 3
    c = 1 / sqrt(9 * d)
    tries = (TRIES["gamma"], *shape)
    z, u = draw.normal(tries, dtype), draw.uniform(tries, dtype)
    v = (z * c + 1) ** 3
    inside = v > 0
    safe = where(inside, v, 1)
    # 1 - u is uniform too, and never 0
    accepted = and_(inside, log1p(-u) < z * z / 2 + d * (1 - safe + log(safe)))
    found = d * first_accepted(accepted, safe, TRIES["gamma"])
    known = number(a)
    if known is not None and known >= 1:
        return found
    boost = exp(log1p(-draw.uniform(shape, dtype)) / a)
    return where(low, found * boost, found)


def _log_factorial(k: Any) -> Any:
    return gammaln(k + 1)


def _inverted(u: Node, first: Any, ratio: Callable[[int], Any], terms: int) -> Any:
    """Return the smallest count whose distribution function is above u.

    ``first`` is the chance of 0; that of k is ``ratio(k)`` times that of k - 1.
    """
    chance = total = first
    count: Any = 0.0
    for k in range(1, terms + 1):
        count = count + cast(u >= total, "float64")
        chance = chance * ratio(k)
        total = total + chance
    return count


def below(bounds: Node, u: Any) -> Any:
    """Return how many of a rising vector of bounds are not above u."""
    found = searchsorted(bounds, flatten(u), side="right")
    return reshape(found, list(sizes(u))) if u.type.ndim else dimshuffle(found[:1], ())


def _from_table(
    draw: Draw,
    shape: Shape,
    mean: Node,
    variance: Node,
    last: Any,
    log_chance: Callable[[Node], Any],
) -> Any:
    """Return counts up to ``last`` by looking up where their chances add up to a number.

    The table has all counts that come with a chance above 1e-18 or so.
    """
    reach = sqrt(variance) * 9 + 40
    first = maximum(floor(mean - reach), 0)
    end = floor(mean + reach) if last is None else minimum(floor(mean + reach), last)
    k = _counts_between(first, end)
    log_chances = log_chance(k)
    total = cumsum(exp(log_chances - max_of(log_chances)))
    found = below(total[:-1] / total[-1], draw.uniform(shape, "float64"))
    return cast(found, "float64") + first


def _counts_between(first: Node, end: Node) -> Any:
    limits = known(first), known(end)
    if None not in limits:
        return const(np.arange(limits[0], limits[1] + 1), "float64")
    return cast(iota(cast(end - first + 1, "int64")), "float64") + first


def _times_log(k: Node, x: Any) -> Any:
    """Return k * log(x), 0 for no k whatever x is."""
    return where(k > 0, k * log(x), 0)


def poisson(draw: Draw, shape: Shape, lam: Node) -> Any:
    """Return Poisson counts as float64: by a table of one mean; for several, by two ways.

    These are inversion for small means, and else PTRS (Hoermann 1993).
    """
    if not lam.type.ndim:
        return _from_table(
            draw, shape, lam, lam, None, lambda k: _times_log(k, lam) - _log_factorial(k)
        )
    few = _small_poisson(draw, shape, minimum(lam, SMALL))
    return where(lam <= SMALL, few, _large_poisson(draw, shape, maximum(lam, SMALL)))


def _small_poisson(draw: Draw, shape: Shape, lam: Any) -> Any:
    return _inverted(draw.uniform(shape, "float64"), exp(-lam), lambda k: lam / k, TERMS)


def _large_poisson(draw: Draw, shape: Shape, lam: Any) -> Any:
    b = 0.931 + 2.53 * sqrt(lam)
    a = -0.059 + 0.02483 * b
    squeeze = 0.9277 - 3.6224 / (b - 2)
    scale = 1.1239 + 1.1328 / (b - 3.4)

    def log_chance(k: Any) -> Any:
        return k * log(lam) - lam - _log_factorial(k)

    return _transformed(draw, shape, a, b, lam + 0.43, squeeze, scale, log_chance, None)


def _transformed(
    draw: Draw,
    shape: Shape,
    a: Any,
    b: Any,
    center: Any,
    squeeze: Any,
    scale: Any,
    log_chance: Callable[[Any], Any],
    last: Any,
) -> Any:
    """Return counts by transformed rejection with a squeeze, from 0 up to ``last``."""
    tries = (TRIES["counts"], *shape)
    u = draw.uniform(tries, "float64") - 0.5
    v = 1 - draw.uniform(tries, "float64")
    us = 0.5 - abs(u)
    us = where(us > 0, us, 1e-300)
    k = floor((2 * a / us + b) * u + center)
    legal = k >= 0 if last is None else and_(k >= 0, k <= last)
    k = where(legal, k, floor(center))
    quick = and_(us >= 0.07, v <= squeeze)
    slow = log(v * scale / (a / (us * us) + b)) <= log_chance(k)
    beyond = and_(us < 0.013, v > us)
    accepted = and_(legal, or_(quick, and_(slow, invert(beyond))))
    return first_accepted(accepted, k, TRIES["counts"])


def binomial(draw: Draw, shape: Shape, n: Node, p: Node) -> Any:
    """Return binomial counts as float64: by a table of one pair of parameters; else by two ways.

    These are inversion for small means, and else BTRS (Hoermann 1993).
    """
    if not n.type.ndim and not p.type.ndim:

        def log_chance(k: Node) -> Any:
            ways = _log_factorial(k) + _log_factorial(n - k)
            return _times_log(k, p) + _times_log(n - k, 1 - p) - ways

        return _from_table(draw, shape, n * p, n * p * (1 - p), n, log_chance)
    flipped = p > 0.5
    q = where(flipped, 1 - p, p)  # the less likely outcome is counted
    few = n * q <= SMALL
    some = _small_binomial(draw, shape, n, where(few, q, SMALL / n))
    many = _large_binomial(draw, shape, where(few, 40.0, n), where(few, 0.5, q))
    found = where(few, some, many)
    return where(flipped, n - found, found)


def _small_binomial(draw: Draw, shape: Shape, n: Any, p: Any) -> Any:
    odds = p / (1 - p)
    none = exp(n * log1p(-p))

    def ratio(k: int) -> Any:
        return maximum(n - (k - 1), 0.0) / k * odds

    return _inverted(draw.uniform(shape, "float64"), none, ratio, TERMS)


def _large_binomial(draw: Draw, shape: Shape, n: Any, p: Any) -> Any:
    spread = sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    squeeze = 0.92 - 4.2 / b
    scale = (2.83 + 5.1 / b) * spread
    mode = floor((n + 1) * p)
    odds = log(p / (1 - p))
    at_mode = _log_factorial(mode) + _log_factorial(n - mode)

    def log_chance(k: Any) -> Any:
        return at_mode - _log_factorial(k) - _log_factorial(n - k) + (k - mode) * odds

    return _transformed(draw, shape, a, b, n * p + 0.5, squeeze, scale, log_chance, n)
