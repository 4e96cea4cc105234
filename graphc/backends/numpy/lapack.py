"""What generated code calls for linear algebra where NumPy has no single function for it."""

from __future__ import annotations

import numpy as np

__all__ = ["cholesky_or_nan", "expm", "solve_triangular"]


def solve_triangular(a: np.ndarray, b: np.ndarray, lower: bool) -> np.ndarray:
    """Return x with ``a @ x == b``, reading one triangle of a; of stacks, one after the other."""
    from scipy.linalg import solve_triangular as solve

    if a.ndim == 2:
        return solve(a, b, lower=lower, check_finite=False)  # type: ignore[no-any-return]
    found = np.empty_like(b)
    for place in np.ndindex(a.shape[:-2]):
        found[place] = solve(a[place], b[place], lower=lower, check_finite=False)
    return found


def cholesky_or_nan(x: np.ndarray) -> np.ndarray:
    """Return triangular roots; NaN for matrices that are not positive definite."""
    try:
        return np.linalg.cholesky(x)
    except np.linalg.LinAlgError:
        if x.ndim == 2:
            return np.full_like(x, np.nan)
        return np.stack([cholesky_or_nan(one) for one in x])


def expm(x: np.ndarray) -> np.ndarray:
    """Return the exponentials of matrices."""
    from scipy.linalg import expm as exponential

    return exponential(np.asarray(x))  # type: ignore[no-any-return]
