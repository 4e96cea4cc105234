"""First loops: a power by repeated products, and Kepler's equation by Newton's method.

Both results and both derivatives are known in closed form, so both are checked.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import graphc
import graphc.tensor as T

ECCENTRICITY = 0.2056  # of the orbit of Mercury
TOLERANCE = 1e-12
MOST_STEPS = 50


def power(backend: str) -> Callable[..., Any]:
    """A vector to the k-th power, and the derivative, by a loop of k products."""
    x, k = T.dvector("x"), T.lscalar("k")
    last, _ = graphc.loop(lambda p: (p * x, None), T.ones_like(x), n_steps=k)
    return graphc.function([x, k], [last, T.grad(last.sum(), x)], backend=backend, name="power")


def power_by_scan(backend: str) -> Callable[..., Any]:
    """The same in Theano's words; the loop also gives all lower powers."""
    x, k = T.dvector("x"), T.lscalar("k")
    powers, updates = graphc.scan(
        lambda p, x: p * x, outputs_info=T.ones_like(x), non_sequences=x, n_steps=k
    )
    return graphc.function([x, k], powers, updates=updates, backend=backend, name="powers")


def kepler(backend: str) -> Callable[..., Any]:
    """Where a planet is, and how that depends on the eccentricity of its orbit."""
    mean, e = T.dvector("mean"), T.dscalar("e")

    def step(state: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        angle = state["angle"]
        change = (angle - e * T.sin(angle) - mean) / (1 - e * T.cos(angle))
        error = abs(change).max()
        return {"angle": angle - change, "error": error}, error

    found, errors = graphc.loop(
        step,
        {"angle": mean, "error": np.inf},
        n_steps=MOST_STEPS,
        until=lambda state: state["error"] < TOLERANCE,
        name="newton",
    )
    by_e = T.grad(found["angle"].sum(), e)
    return graphc.function(
        [mean, e], [found["angle"], by_e, errors], backend=backend, name="kepler"
    )


def main(backend: str = "numpy", svg: str | Path | None = None, quiet: bool = False) -> dict:
    """Compute powers and positions, compare them with closed forms, and draw the loop."""
    x = np.linspace(0.5, 1.5, 5)
    value, slope = power(backend)(x, 10)
    powers = power_by_scan(backend)(x, 10)
    np.testing.assert_allclose(value, x**10)
    np.testing.assert_allclose(slope, 10 * x**9)
    np.testing.assert_allclose(powers, x ** np.arange(1, 11)[:, None])

    mean = np.linspace(0, np.pi, 25)
    f = kepler(backend)
    angle, by_e, errors = f(mean, ECCENTRICITY)
    left = np.abs(angle - ECCENTRICITY * np.sin(angle) - mean).max()
    closed = np.sum(np.sin(angle) / (1 - ECCENTRICITY * np.cos(angle)))
    picture = Path(svg or "first_loops.svg")
    f.svg(picture)
    if not quiet:
        print(f"x**10 and its derivative agree with NumPy for x = {x}")
        print(f"Newton stopped after {len(errors)} of {MOST_STEPS} steps; its changes were")
        print("  " + ", ".join(f"{error:.1e}" for error in errors))
        print(f"Kepler's equation holds up to {left:.1e}")
        print(f"derivative by the eccentricity: {by_e:.3e}, in closed form {closed:.3e}")
        print(f"picture of the loop: {picture}")
    return {
        "steps": len(errors),
        "residual": float(left),
        "derivative": float(by_e),
        "closed_form": float(closed),
        "svg": str(picture),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=["numpy", "opencl"], default="numpy")
    parser.add_argument("--svg", metavar="PATH", help="default: first_loops.svg")
    main(**vars(parser.parse_args()))
