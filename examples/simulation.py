"""Lynx and hare: a differential equation whose parameters are found by gradient descent.

Lotka and Volterra's equations, integrated by the method of Runge and Kutta in a loop, are fitted to
the furs that the Hudson's Bay Company bought from 1900 to 1920. The gradient goes through all
steps of the integration; it is compared with finite differences.
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

STEPS_A_YEAR = 8
# Births of hares, their deaths by lynx, deaths of lynx, their births by hares; hares, lynx in 1900.
GUESS = np.array([0.5, 0.02, 0.5, 0.02, 30.0, 4.0])


def load() -> np.ndarray:
    """Thousands of furs of hares and of lynx in each of 21 years."""
    furs = """
    30.0 47.2 70.2 77.4 36.3 20.6 18.1 21.4 22.0 25.4 27.1 40.3 57.0 76.6
    52.3 19.5 11.2  7.6 14.6 16.2 24.7  4.0  6.1  9.8 35.2 59.4 41.7 19.0
    13.0  8.3  9.1  7.4  8.0 12.3 19.5 45.7 51.1 29.7 15.8  9.7 10.1  8.6
    """
    return np.array(furs.split(), dtype=float).reshape(2, -1).T


def change(state: Any, rates: Any) -> Any:
    """What hares and lynx gain in a year."""
    hares, lynx = state[0], state[1]
    return T.stack(
        [rates[0] * hares - rates[1] * hares * lynx, rates[3] * hares * lynx - rates[2] * lynx]
    )


def runge_kutta(state: Any, rates: Any, h: float) -> Any:
    """A step of the method of order four."""
    k1 = change(state, rates)
    k2 = change(state + h / 2 * k1, rates)
    k3 = change(state + h / 2 * k2, rates)
    k4 = change(state + h * k3, rates)
    return state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def simulated(start: Any, rates: Any, years: int) -> Any:
    """Hares and lynx in the years after the first."""

    def step(state: Any) -> tuple[Any, Any]:
        following = runge_kutta(state, rates, 1 / STEPS_A_YEAR)
        return following, following

    _, states = graphc.loop(step, start, n_steps=years * STEPS_A_YEAR, name="integrate")
    return states[STEPS_A_YEAR - 1 :: STEPS_A_YEAR]


def build(years: int, backend: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The misfit with its gradient by the logarithms of parameters; and the simulated years."""
    furs, logs = T.dmatrix("furs"), T.dvector("logs")
    parameters = T.exp(logs)
    start = parameters[4:]
    found = T.concatenate([start.dimshuffle("x", 0), simulated(start, parameters[:4], years - 1)])
    misfit = ((T.log(found) - T.log(furs)) ** 2).sum()
    gradient = T.grad(misfit, logs)
    judge = graphc.function([furs, logs], [misfit, gradient], backend=backend, name="judge")
    return judge, graphc.function([logs], found, backend=backend, name="simulate")


def main(backend: str = "numpy", svg: str | Path | None = None, quiet: bool = False) -> dict:
    """Check the gradient, fit the parameters, draw the loop."""
    furs = load()
    judge, simulate = build(len(furs), backend)
    start = np.log(GUESS)
    before, gradient = judge(furs, start)
    shifts = 1e-5 * np.eye(len(start))
    by_differences = [
        float(judge(furs, start + s)[0] - judge(furs, start - s)[0]) / 2e-5 for s in shifts
    ]
    np.testing.assert_allclose(gradient, by_differences, rtol=1e-6)

    def cost(logs: np.ndarray) -> tuple[float, np.ndarray]:
        misfit, gradient = judge(furs, logs)
        return float(misfit), np.asarray(gradient)

    best = minimize(cost, start, jac=True)
    rates = np.exp(best.x[:4])
    error = float(np.sqrt(best.fun / furs.size))
    hares, lynx = simulate(best.x).T
    picture = Path(svg or "simulation.svg")
    simulate.svg(picture)
    if not quiet:
        print(f"gradient at the guess {gradient.round(3)}, as finite differences say")
        print(f"misfit {before:.2f} to {best.fun:.2f}, after {best.nfev} calls")
        print("rates: " + ", ".join(f"{rate:.4f}" for rate in rates))
        print(f"typical error of a number of furs: {100 * error:.0f} %")
        for year in (0, 3, 8, 13, 20):
            print(
                f"  {1900 + year}: hares {furs[year, 0]:4.1f}, fitted {hares[year]:4.1f};"
                f" lynx {furs[year, 1]:4.1f}, fitted {lynx[year]:4.1f}"
            )
        print(f"picture of the simulation: {picture}")
    return {
        "misfit_before": float(before),
        "misfit": float(best.fun),
        "rates": rates.tolist(),
        "svg": str(picture),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=["numpy", "opencl"], default="numpy")
    parser.add_argument("--svg", metavar="PATH", help="default: simulation.svg")
    main(**vars(parser.parse_args()))
