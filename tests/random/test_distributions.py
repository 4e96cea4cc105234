"""Each distribution against SciPy's: Kolmogorov-Smirnov and chi-square, with fixed seeds.

A seed whose test fails by bad luck would do so once in `1 / LEAST` runs; seeds are fixed, so a
failure is one of the change at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

import graphc
import graphc.tensor as T
from graphc.random import RandomStreams

COUNT = 60_000
LEAST = 1e-3
N = (COUNT,)
a, b = T.dscalars("a b")
k = T.lscalar("k")
GIVEN: dict[Any, float] = {}

Make = Callable[[RandomStreams], Any]

CONTINUOUS: dict[str, tuple[Make, Any]] = {
    "uniform": (lambda s: s.uniform(N), stats.uniform()),
    "uniform float32": (lambda s: s.uniform(N, dtype="float32"), stats.uniform()),
    "uniform from to": (lambda s: s.uniform(N, low=-2, high=3), stats.uniform(-2, 5)),
    "uniform symbolic": (lambda s: s.uniform(N, a - 3, a), stats.uniform(-1, 3)),
    "normal": (lambda s: s.normal(N, avg=1, std=2), stats.norm(1, 2)),
    "normal float32": (lambda s: s.normal(N, dtype="float32"), stats.norm()),
    "normal symbolic": (lambda s: s.normal(N, a, b), stats.norm(2, 0.5)),
    "truncated": (lambda s: s.truncated_normal(N, 1, 3), stats.truncnorm(-2, 2, 1, 3)),
    "exponential": (lambda s: s.exponential(N, scale=2.0), stats.expon(scale=2)),
    "gamma 0.1": (lambda s: s.gamma(N, 0.1), stats.gamma(0.1)),
    "gamma 1": (lambda s: s.gamma(N, 1.0, 3.0), stats.gamma(1, scale=3)),
    "gamma 7.5": (lambda s: s.gamma(N, 7.5), stats.gamma(7.5)),
    "gamma symbolic": (lambda s: s.gamma(N, b), stats.gamma(0.5)),
}

DISCRETE: dict[str, tuple[Make, Any]] = {
    "bernoulli": (lambda s: s.binomial(N, p=0.3), stats.binom(1, 0.3)),
    "bernoulli symbolic": (lambda s: s.binomial(N, p=b), stats.binom(1, 0.5)),
    "binomial, few trials": (lambda s: s.binomial(N, n=20, p=0.7), stats.binom(20, 0.7)),
    "binomial, rare": (lambda s: s.binomial(N, n=5000, p=0.001), stats.binom(5000, 0.001)),
    "binomial, many": (lambda s: s.binomial(N, n=1000, p=0.3), stats.binom(1000, 0.3)),
    "binomial, symbolic": (lambda s: s.binomial(N, n=k, p=1 - b / 4), stats.binom(100, 0.875)),
    "poisson, small": (lambda s: s.poisson(N, lam=0.5), stats.poisson(0.5)),
    "poisson, at the limit": (lambda s: s.poisson(N, lam=10.0), stats.poisson(10)),
    "poisson, large": (lambda s: s.poisson(N, lam=300), stats.poisson(300)),
    "poisson, symbolic": (lambda s: s.poisson(N, lam=a * 6), stats.poisson(12)),
    "poisson, symbolic and small": (lambda s: s.poisson(N, lam=a), stats.poisson(2)),
    "poisson, symbolic and large": (lambda s: s.poisson(N, lam=a * 200), stats.poisson(400)),
    "binomial, likely": (lambda s: s.binomial(N, n=200, p=0.9), stats.binom(200, 0.9)),
    "poisson, several means": (
        lambda s: s.poisson(lam=T.ones(N) * a * 6),
        stats.poisson(12),
    ),
    "poisson, several small means": (lambda s: s.poisson(lam=T.ones(N) * a), stats.poisson(2)),
    "binomial, several chances": (
        lambda s: s.binomial(n=k, p=1 - T.ones(N) * b / 4),
        stats.binom(100, 0.875),
    ),
    "binomial, several small chances": (
        lambda s: s.binomial(n=k, p=T.ones(N) * b / 20),
        stats.binom(100, 0.025),
    ),
    "choice": (lambda s: s.choice(N, a=5), stats.randint(0, 5)),
    "choice of values": (lambda s: s.choice(N, a=[3, 1, 2]), stats.randint(1, 4)),
    "choice by chances": (
        lambda s: s.choice(N, a=3, p=[0.25, 0.5, 0.25]),
        stats.binom(2, 0.5),
    ),
    "choice symbolic": (lambda s: s.choice(N, a=k - 90), stats.randint(0, 10)),
    "permutation": (lambda s: s.permutation((COUNT // 4,), n=4).flatten(), stats.randint(0, 4)),
    "first of a permutation": (
        lambda s: s.permutation(N, n=6)[:, 0],
        stats.randint(0, 6),
    ),
    "integers": (lambda s: s.random_integers(N, -3, 6), stats.randint(-3, 7)),
    "integers symbolic": (lambda s: s.random_integers(N, k - 100, k - 95), stats.randint(0, 6)),
    "multinomial": (
        lambda s: s.multinomial(N, 3, [0.2, 0.5, 0.3])[:, 1],
        stats.binom(3, 0.5),
    ),
}


def sampled(make: Make, backend: str, seed: int = 7) -> np.ndarray:
    drawn = make(RandomStreams(seed))
    f = graphc.function([a, b, k], drawn, backend=backend, on_unused_input="ignore")
    return f(2.0, 0.5, 100)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", CONTINUOUS)
def test_floats(name: str, backend: str) -> None:
    make, law = CONTINUOUS[name]
    found = sampled(make, backend)
    assert found.shape == N and found.dtype == ("float32" if "float32" in name else "float64")
    assert stats.kstest(found, law.cdf).pvalue > LEAST


@pytest.mark.parametrize("name", DISCRETE)
def test_counts(name: str, backend: str) -> None:
    make, law = DISCRETE[name]
    found = sampled(make, backend)
    assert found.shape == N and found.dtype == "int64"
    assert chi_square(found, law) > LEAST


def chi_square(found: np.ndarray, law: Any) -> float:
    """Return the chance of counts as far from a law; rare values are taken together."""
    low, high = int(law.ppf(0.002)), int(law.ppf(0.998))
    inside = np.arange(low, high + 1)
    chances = np.concatenate([[law.cdf(low - 1)], law.pmf(inside), [law.sf(high)]])
    counts = [np.sum(found < low), *(np.sum(found == i) for i in inside), np.sum(found > high)]
    assert all(law.pmf(i) > 0 for i in np.unique(found)), "a value that cannot come"
    likely = chances * found.size > 5
    observed = np.array(counts)[likely]
    expected = chances[likely] * found.size
    rest = found.size - expected.sum()
    if rest > 5:
        observed, expected = (
            np.append(observed, found.size - observed.sum()),
            np.append(expected, rest),
        )
    return float(stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue)


@pytest.mark.parametrize("name", ["uniform", "bernoulli", "integers", "binomial, few trials"])
def test_backends_agree_exactly(name: str) -> None:
    make = {**CONTINUOUS, **DISCRETE}[name][0]
    np.testing.assert_array_equal(sampled(make, "numpy"), sampled(make, "opencl"))


@pytest.mark.parametrize("name", [*CONTINUOUS, *DISCRETE])
def test_backends_agree(name: str) -> None:
    """To rounding; a count may differ where rounding decides, which is very rare."""
    make = {**CONTINUOUS, **DISCRETE}[name][0]
    one, other = sampled(make, "numpy"), sampled(make, "opencl")
    close = np.isclose(one, other, rtol=1e-5 if "float32" in name else 1e-11, atol=1e-6)
    assert np.mean(~close) < 1e-4


def test_multinomial_draws_each_row_by_its_chances(backend: str) -> None:
    rng = np.random.default_rng(1)
    chances = rng.dirichlet(np.ones(4), 3)
    p = T.dmatrix("p")
    drawn = RandomStreams(3).multinomial(n=500, pvals=p)
    f = graphc.function([p], drawn, backend=backend)
    found = np.sum([f(chances) for _ in range(20)], axis=0)
    assert (found.sum(axis=1) == 10_000).all()
    for counts, row in zip(found, chances, strict=True):
        assert stats.chisquare(counts, row * 10_000).pvalue > LEAST


def test_one_trial_hits_one_outcome(backend: str) -> None:
    p = T.fmatrix("p")
    drawn = RandomStreams(3).multinomial(pvals=p, dtype="float32")
    found = graphc.function([p], drawn, backend=backend)(np.full((50, 4), 0.25, "float32"))
    assert found.dtype == "float32" and (found.sum(axis=1) == 1).all()
    assert (found.sum(axis=0) > 0).all()


def test_half_precision() -> None:
    stream = RandomStreams(1)
    u, z = stream.uniform(N, dtype="float16"), stream.normal(N, dtype="float16")
    found, normal = graphc.function([], [u, z])()
    assert found.dtype == normal.dtype == "float16"
    assert found.min() == 0 and 0.999 < found.max() < 1
    assert stats.kstest(found.astype(float) + 2.0**-12, "uniform").pvalue > LEAST
    assert stats.kstest(normal.astype(float), "norm").pvalue > LEAST


@pytest.mark.parametrize("chances", [None, [0.1, 0.2, 0.3, 0.4]])
def test_choices_without_replacement(chances: list[float] | None, backend: str) -> None:
    """Pairs come with the chances of drawing one after the other."""
    f = graphc.function(
        [], RandomStreams(5).choice((2,), a=4, replace=False, p=chances), backend=backend
    )
    found = np.array([f() for _ in range(3000)])
    p = np.array(chances or [0.25] * 4)
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    observed = [np.sum((found == pair).all(axis=1)) for pair in pairs]
    expected = [3000 * p[i] * p[j] / (1 - p[i]) for i, j in pairs]
    assert stats.chisquare(observed, expected).pvalue > LEAST


def test_permutations_hold_each_number_once(backend: str) -> None:
    n = T.lscalar("n")
    stream = RandomStreams(5)
    one, several = stream.permutation(n=n), stream.permutation((3, 2), n=7, dtype="int32")
    f = graphc.function([n], [one, several], backend=backend)
    short, long = f(1000)
    np.testing.assert_array_equal(np.sort(short), np.arange(1000))
    assert (short != np.arange(1000)).any()
    assert long.shape == (3, 2, 7) and long.dtype == "int32"
    np.testing.assert_array_equal(np.sort(long), np.broadcast_to(np.arange(7), (3, 2, 7)))


def test_rows_are_shuffled_each_in_its_own_way(backend: str) -> None:
    x = T.dmatrix("x")
    drawn = RandomStreams(5).shuffle_row_elements(x)
    f = graphc.function([x], [drawn, drawn.permutation], backend=backend)
    rows = np.arange(200.0).reshape(4, 50)
    found, order = f(rows)
    np.testing.assert_array_equal(np.sort(found), rows)
    np.testing.assert_array_equal(np.take_along_axis(rows, order, 1), found)
    assert np.unique(order, axis=0).shape == (4, 50)
    slope = graphc.function([x], T.grad(T.sum(drawn[:, 0]), x), backend=backend)
    np.testing.assert_array_equal(slope(rows).sum(axis=1), np.ones(4))
