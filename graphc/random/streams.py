"""`RandomStreams`: draws of random numbers as Theano names them."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError, GraphcValueError, message
from graphc.ir.node import Node, as_node, const, operand
from graphc.ir.shapes import sizes
from graphc.ir.source import here
from graphc.ir.types import LANGUAGE
from graphc.ops.custom import disconnected_grad
from graphc.ops.elementwise import cast, mod
from graphc.ops.family import is_number
from graphc.ops.math import log1p
from graphc.random import choosing, samplers
from graphc.random.draw import Draw, Shape, fitted, float_dtype
from graphc.tensor.indexing import take_along_axis
from graphc.tensor.sizes import size_list

WORD = "uint64"
_NEXT = np.array([0, 0, 1], WORD)


def key_of(seed: Any) -> int:
    """Return the word that stands for a seed, the same in every process; any for None.

    Raises
    ------
    GraphcValueError
        If the seed is not an integer from 0 on, or a sequence of such.

    Examples
    --------
    >>> key_of(234) == key_of(234), key_of(234) == key_of(235)
    (True, False)
    """
    try:
        return int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    except (TypeError, ValueError):
        raise GraphcValueError(
            message(f"seed {seed!r}: an integer from 0 on, or a sequence of such", (), here())
        ) from None


class RandomStreams:
    """A source of random draws, each an expression that has other values in every call.

    Each draw has a state, a shared variable that every function with the draw in it moves on by
    its default update. So the numbers depend on the seed, on how many draws the stream had made
    before, and on how often the function was called; not on other functions, on the backend, or on
    any global generator.

    Parameters
    ----------
    seed : int or sequence of int, optional
        Equal seeds give equal numbers; without one they differ from process to process.
    use_cuda
        Accepted for Theano's sake.

    Attributes
    ----------
    state_updates : list of (shared variable, expression)
        The state of each draw and what it becomes.

    Notes
    -----
    A draw has two attributes: ``rng``, its state, and ``update``, the pair of ``state_updates``.
    ``no_default_updates=[draw.rng]`` makes a function that repeats its numbers.

    Examples
    --------
    >>> import graphc
    >>> stream = RandomStreams(seed=234)
    >>> u = stream.uniform((2, 2))
    >>> f = graphc.function([], [u, u + 1])
    >>> first, shifted = f()
    >>> bool((first + 1 == shifted).all()), bool((f()[0] == first).any())
    (True, False)
    """

    def __init__(self, seed: Any = None, use_cuda: Any = None) -> None:
        self.default_instance_seed = seed
        self._key = key_of(seed)
        self.state_updates: list[tuple[Any, Node]] = []

    def seed(self, seed: Any = None) -> None:
        """Start all draws anew, from another seed, or from the first one if none is given.

        Examples
        --------
        >>> import graphc
        >>> stream = RandomStreams(1)
        >>> f = graphc.function([], stream.normal((2,)))
        >>> before = f()
        >>> stream.seed(1)
        >>> bool((f() == before).all())
        True
        """
        if seed is not None or self.default_instance_seed is None:
            self._key = key_of(seed)
        else:
            self._key = key_of(self.default_instance_seed)
        for place, (state, _) in enumerate(self.state_updates):
            state.set_value(self._state(place))

    def updates(self) -> list[tuple[Any, Node]]:
        """Return the state of each draw and what it becomes, as updates for a function."""
        return list(self.state_updates)

    def _state(self, place: int) -> np.ndarray:
        return np.array([self._key, place, 0], WORD)

    def _start(self) -> Draw:
        place = len(self.state_updates)
        state = LANGUAGE["shared"](self._state(place), name=f"random_state_{place}", shape=(3,))
        state.default_update = state + const(_NEXT)
        self.state_updates.append((state, state.default_update))
        return Draw(state)

    def _finish(self, draw: Draw, found: Any) -> Any:
        """Return a draw with its state and update noted on it."""
        found.rng, found.update = draw.state, self.state_updates[-1]
        return found

    # -- floats --

    def uniform(
        self,
        size: Any = None,
        low: Any = 0.0,
        high: Any = 1.0,
        ndim: int | None = None,
        dtype: Any = None,
        nstreams: Any = None,
    ) -> Any:
        """Draw numbers between ``low``, which may come, and ``high``.

        Parameters
        ----------
        size : int, sequence or vector of sizes, optional
            The shape; without it that of the parameters, which broadcast.
        low, high : number or expression
            Gradients pass to them.
        ndim : int, optional
            The rank, if ``size`` is a vector of unknown length.
        dtype : dtype-like, optional
            By default floatX, or that of wider parameters.
        nstreams
            Accepted for Theano's sake.

        Returns
        -------
        Node

        Examples
        --------
        >>> import graphc.tensor as T
        >>> RandomStreams(1).uniform((T.lscalar("n"), 3), low=-1.0).type
        float64[?, 3]
        """
        kind = float_dtype(dtype, low, high)
        shape, (low, high) = fitted(size, ndim, "uniform", kind, low, high)
        draw = self._start()
        found = draw.uniform(shape, kind)
        if not (_is(low, 0) and _is(high, 1)):
            found = _moved(_scaled(found, high - low), low)
        return self._finish(draw, found)

    def normal(
        self,
        size: Any = None,
        avg: Any = 0.0,
        std: Any = 1.0,
        ndim: int | None = None,
        dtype: Any = None,
        nstreams: Any = None,
        truncate: bool = False,
    ) -> Any:
        """Draw normal numbers with a mean and a standard deviation.

        Parameters
        ----------
        avg, std : number or expression
            Gradients pass to them.
        size, ndim, dtype, nstreams
            As for `uniform`.
        truncate : bool
            Only numbers within two standard deviations of the mean.

        Examples
        --------
        >>> import graphc.tensor as T
        >>> RandomStreams(1).normal(avg=T.dvector("mean"), std=0.1).type
        float64[?]
        """
        kind = float_dtype(dtype, avg, std)
        shape, (avg, std) = fitted(size, ndim, "normal", kind, avg, std)
        draw = self._start()
        found = (
            samplers.truncated_normal(draw, shape, kind) if truncate else draw.normal(shape, kind)
        )
        return self._finish(draw, _moved(_scaled(found, std), avg))

    def truncated_normal(
        self,
        size: Any = None,
        avg: Any = 0.0,
        std: Any = 1.0,
        ndim: int | None = None,
        dtype: Any = None,
        nstreams: Any = None,
    ) -> Any:
        """Draw normal numbers within two standard deviations of the mean.

        Examples
        --------
        >>> RandomStreams(1).truncated_normal((3,)).type
        float64[3]
        """
        return self.normal(size, avg, std, ndim, dtype, nstreams, truncate=True)

    def exponential(
        self, size: Any = None, scale: Any = 1.0, ndim: int | None = None, dtype: Any = None
    ) -> Any:
        """Draw exponential numbers with a mean, ``scale``.

        Examples
        --------
        >>> RandomStreams(1).exponential((3,), scale=2.0).type
        float64[3]
        """
        kind = float_dtype(dtype, scale)
        shape, (scale,) = fitted(size, ndim, "exponential", kind, scale)
        draw = self._start()
        return self._finish(draw, _scaled(-log1p(-draw.uniform(shape, kind)), scale))

    def gamma(
        self,
        size: Any = None,
        shape: Any = 1.0,
        scale: Any = 1.0,
        ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:
        """Draw gamma numbers of a shape parameter and a scale; gradients pass to the scale.

        Examples
        --------
        >>> RandomStreams(1).gamma((3,), shape=2.0).type
        float64[3]
        """
        kind = float_dtype(dtype, shape, scale)
        sized, (shape, scale) = fitted(size, ndim, "gamma", kind, shape, scale)
        draw = self._start()
        found = samplers.gamma(draw, sized, kind, as_node(shape, kind))
        return self._finish(draw, _scaled(disconnected_grad(found), scale))

    # -- counts --

    def binomial(
        self,
        size: Any = None,
        n: Any = 1,
        p: Any = 0.5,
        ndim: int | None = None,
        dtype: Any = "int64",
        nstreams: Any = None,
        prob: Any = None,
    ) -> Any:
        """Draw how many of ``n`` trials succeed, each with the chance ``p``.

        Parameters
        ----------
        n, p : number or expression
        size, ndim, nstreams
            As for `uniform`.
        dtype : dtype-like
            Of the counts.
        prob
            An old name of ``p``.

        Examples
        --------
        >>> mask = RandomStreams(1).binomial((2, 3), p=0.8, dtype="float32")
        >>> mask.type
        float32[2, 3]
        """
        p = p if prob is None else prob
        _check(p, 0, 1, "binomial: p")
        _check(n, 0, None, "binomial: n")
        once = _is(n, 1)
        kind = float_dtype(None, p) if once else "float64"
        shape, (n, p) = fitted(size, ndim, "binomial", kind, n, p)
        draw = self._start()
        if once:
            return self._finish(draw, cast(draw.uniform(shape, kind) < p, dtype))
        found = samplers.binomial(draw, shape, _float64(n), _float64(p))
        return self._finish(draw, _counts(found, dtype))

    def poisson(
        self, size: Any = None, lam: Any = 1.0, ndim: int | None = None, dtype: Any = "int64"
    ) -> Any:
        """Draw Poisson counts with a mean, ``lam``.

        Examples
        --------
        >>> RandomStreams(1).poisson((3,), lam=4.0).type
        int64[3]
        """
        _check(lam, 0, None, "poisson: lam")
        shape, (lam,) = fitted(size, ndim, "poisson", "float64", lam)
        draw = self._start()
        return self._finish(draw, _counts(samplers.poisson(draw, shape, _float64(lam)), dtype))

    def random_integers(
        self,
        size: Any = None,
        low: Any = 0,
        high: Any = 1,
        ndim: int | None = None,
        dtype: Any = "int64",
    ) -> Any:
        """Draw integers from ``low`` up to ``high``, which may come too.

        They are equally likely but for a fraction of ``(high - low) / 2**64``.

        Examples
        --------
        >>> RandomStreams(1).random_integers((3,), low=1, high=6).type
        int64[3]
        """
        if is_number(low) and is_number(high) and not low <= high:
            raise GraphcValueError(message(f"random_integers: {low} > {high}", (), here()))
        shape, (low, high) = fitted(size, ndim, "random_integers", "int64", low, high)
        draw = self._start()
        return self._finish(draw, cast(_integers(draw, shape, low, high), dtype))

    def multinomial(
        self,
        size: Any = None,
        n: int = 1,
        pvals: Any = (0.5, 0.5),
        ndim: int | None = None,
        dtype: Any = "int64",
        nstreams: Any = None,
    ) -> Any:
        """Draw how often each of some outcomes comes in ``n`` trials.

        Parameters
        ----------
        pvals : vector, or array whose last axis is over outcomes
            The chances; the last outcome takes what the others leave of 1.
        n : int
            Trials; each is drawn by itself.
        size : optional
            The shape without the axis of outcomes; by default that of ``pvals``.

        Examples
        --------
        >>> import graphc.tensor as T
        >>> RandomStreams(1).multinomial(pvals=T.dmatrix("p")).type
        int64[?, ?]
        """
        if not isinstance(n, int) or n < 0:
            raise GraphcValueError(message(f"multinomial: n={n!r} is not a count", (), here()))
        chances = choosing.as_chances(pvals, "multinomial")
        draw = self._start()
        return self._finish(draw, cast(choosing.counts(draw, size, ndim, n, chances), dtype))

    # -- choices --

    def choice(
        self,
        size: Any = 1,
        a: Any = 2,
        replace: bool = True,
        p: Any = None,
        ndim: int | None = None,
        dtype: Any = None,
        nstreams: Any = None,
    ) -> Any:
        """Draw elements of a vector, or integers from 0 up to a number.

        Parameters
        ----------
        size, ndim, nstreams
            As for `uniform`.
        a : int or vector
        replace : bool
            False takes each element once at most.
        p : vector, optional
            The chance of each.
        dtype : dtype-like, optional
            By default that of ``a``, int64 for an integer.

        Examples
        --------
        >>> import graphc.tensor as T
        >>> RandomStreams(1).choice((4,), a=T.dvector("v"), replace=False).type
        float64[4]
        """
        shape = tuple(size_list(size, "choice", ndim))
        draw = self._start()
        found = choosing.choice(draw, shape, a, replace, p)
        return self._finish(draw, found if dtype is None else cast(found, dtype))

    def permutation(
        self, size: Any = None, n: Any = 1, ndim: int | None = None, dtype: Any = "int64"
    ) -> Any:
        """Draw permutations of the integers from 0 up to n, along a last axis of length n.

        Examples
        --------
        >>> RandomStreams(1).permutation(n=5).type, RandomStreams(1).permutation((2,), 5).type
        (int64[5], int64[2, 5])
        """
        shape = () if size is None else tuple(size_list(size, "permutation", ndim))
        (count,) = size_list(n, "permutation")
        draw = self._start()
        return self._finish(draw, cast(choosing.permutation(draw, shape, count), dtype))

    def shuffle_row_elements(self, input: Any) -> Any:
        """Return an array with each line along its last axis in an order of its own.

        The orders are the attribute ``permutation`` of the result.

        Examples
        --------
        >>> import graphc.tensor as T
        >>> RandomStreams(1).shuffle_row_elements(T.dmatrix("m")).type
        float64[?, ?]
        """
        x = as_node(input)
        if not x.type.ndim:
            raise GraphcTypeError(message("a scalar has no rows", [operand(x)], here()))
        *lead, count = sizes(x)
        draw = self._start()
        order = choosing.permutation(draw, tuple(lead), count)
        found = self._finish(draw, take_along_axis(x, order, axis=-1))
        found.permutation = order
        return found


class MRG_RandomStreams(RandomStreams):
    """`RandomStreams` with the first seed that Theano's class of this name has."""

    def __init__(self, seed: Any = 12345, use_cuda: Any = None) -> None:
        super().__init__(seed, use_cuda)


# -- parts of draws -------------------------------------------------------------------------------


def _is(value: Any, wanted: int) -> bool:
    return is_number(value) and value == wanted


def _scaled(x: Any, factor: Any) -> Any:
    return x if _is(factor, 1) else x * factor


def _moved(x: Any, start: Any) -> Any:
    return x if _is(start, 0) else x + start


def _check(value: Any, low: float, high: float | None, what: str) -> None:
    """Raise if a number is outside of what a parameter may be."""
    if is_number(value) and not (low <= value and (high is None or value <= high)):
        limits = f"from {low} on" if high is None else f"from {low} to {high}"
        raise GraphcValueError(message(f"{what}={value}: must be {limits}", (), here()))


def _float64(value: Any) -> Node:
    return value if isinstance(value, Node) else const(float(value), "float64")


def _counts(found: Node, dtype: Any) -> Any:
    """Return whole numbers in a dtype; through integers, so that no gradient passes."""
    return cast(cast(found, "int64"), dtype)


def _integers(draw: Draw, shape: Shape, low: Any, high: Any) -> Any:
    span = high - low + 1
    if is_number(span) and span >= 2**64:
        span = None
    words = draw.bits(shape)
    if span is not None:
        words = mod(words, const(span, WORD) if is_number(span) else cast(span, WORD))
    return _moved(cast(words, "int64"), low)


LANGUAGE["RandomStreams"] = RandomStreams
