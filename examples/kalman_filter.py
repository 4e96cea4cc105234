"""A Kalman filter of the level of the Nile, whose two variances are found by its likelihood.

The likelihood and its gradient come from one loop over a hundred years; both are compared with a
filter in plain NumPy. Cobb's data of 1978, and the model of Durbin and Koopman, whose estimates
of the variances are 15099 and 1469.1.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

import graphc
import graphc.tensor as T


def load() -> np.ndarray:
    """What flowed past Aswan in each year from 1871 to 1970, in 10^8 cubic metres."""
    flow = """
    1120 1160  963 1210 1160 1160  813 1230 1370 1140
     995  935 1110  994 1020  960 1180  799  958 1140
    1100 1210 1150 1250 1260 1220 1030 1100  774  840
     874  694  940  833  701  916  692 1020 1050  969
     831  726  456  824  702 1120 1100  832  764  821
     768  845  864  862  698  845  744  796 1040  759
     781  865  845  944  984  897  822 1010  771  676
     649  846  812  742  801 1040  860  874  848  890
     744  749  838 1050  918  986  797  923  975  815
    1020  906  901 1170  912  746  919  718  714  740
    """
    return np.array(flow.split(), dtype=float)


def filtered(y: Any, noise: Any, drift: Any) -> tuple[Any, Any]:
    """The levels as known after each year but the first, and the log-likelihood of the years."""

    def step(state: tuple[Any, Any], seen: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        level, variance = state
        variance = variance + drift
        surprise = seen - level
        spread = variance + noise
        gain = variance / spread
        level = level + gain * surprise
        likelihood = -0.5 * (T.log(2 * np.pi * spread) + surprise**2 / spread)
        return (level, (1 - gain) * variance), (level, likelihood)

    _, (levels, likelihoods) = graphc.loop(step, (y[0], noise), y[1:], name="kalman")
    return levels, likelihoods.sum()


def build(backend: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The log-likelihood with its gradient by the logarithms of the variances; and the levels."""
    y, logs = T.dvector("y"), T.dvector("logs")
    levels, likelihood = filtered(y, T.exp(logs[0]), T.exp(logs[1]))
    gradient = T.grad(likelihood, logs)
    judge = graphc.function([y, logs], [likelihood, gradient], backend=backend, name="judge")
    return judge, graphc.function([y, logs], levels, backend=backend, name="filter")


def by_hand(y: np.ndarray, logs: np.ndarray) -> tuple[np.ndarray, float]:
    """The same filter in a loop of Python."""
    noise, drift = np.exp(logs)
    level, variance = y[0], noise
    levels, likelihood = [], 0.0
    for seen in y[1:]:
        variance += drift
        spread = variance + noise
        likelihood -= 0.5 * (np.log(2 * np.pi * spread) + (seen - level) ** 2 / spread)
        gain = variance / spread
        level += gain * (seen - level)
        variance *= 1 - gain
        levels.append(level)
    return np.array(levels), float(likelihood)


def differences(y: np.ndarray, logs: np.ndarray, width: float = 1e-4) -> np.ndarray:
    """The gradient of the log-likelihood of the plain loop, by finite differences."""
    steps = width * np.eye(len(logs))
    return np.array(
        [(by_hand(y, logs + s)[1] - by_hand(y, logs - s)[1]) / (2 * width) for s in steps]
    )


def main(backend: str = "numpy", svg: str | Path | None = None, quiet: bool = False) -> dict:
    """Check the filter and its gradient, find the variances, draw the loop."""
    y = load()
    judge, levels = build(backend)
    start = np.log([y.var(), y.var()])
    likelihood, gradient = judge(y, start)
    expected_levels, expected = by_hand(y, start)
    np.testing.assert_allclose(levels(y, start), expected_levels)
    np.testing.assert_allclose(likelihood, expected)
    np.testing.assert_allclose(gradient, differences(y, start), rtol=1e-6)

    def cost(logs: np.ndarray) -> tuple[float, np.ndarray]:
        likelihood, gradient = judge(y, logs)
        return -float(likelihood), -gradient

    best = minimize(cost, start, jac=True)
    noise, drift = np.exp(best.x)
    picture = Path(svg or "kalman.svg")
    judge.svg(picture)
    if not quiet:
        print(f"log-likelihood {likelihood:.4f}, gradient {gradient}, as of a plain loop")
        print(f"greatest log-likelihood: {-best.fun:.4f}, after {best.nfev} calls")
        print(f"variance of a measurement {noise:.0f}, of the level's drift {drift:.1f}")
        print(f"picture of the likelihood and its gradient: {picture}")
    return {
        "likelihood": float(-best.fun),
        "noise": float(noise),
        "drift": float(drift),
        "svg": str(picture),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=["numpy", "opencl"], default="numpy")
    parser.add_argument("--svg", metavar="PATH", help="default: kalman.svg")
    main(**vars(parser.parse_args()))
