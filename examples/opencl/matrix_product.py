"""Products of float32 matrices of 500 x 500 and 2048 x 2048: by hand, by graphc, by NumPy.

    python examples/opencl/matrix_product.py

By hand it is done twice: as one writes it first, a work-item for each element of the result; and as
one finds it in textbooks, where a work-group copies tiles of 16 x 16 to local memory, so that each
number is read 16 times less. (The first way is left out for large matrices on a CPU, where it takes
minutes.) graphc does not generate its kernel for products: it has one, in
`kernels/gemm.cl`, whose tiles are chosen for the device (`python -m graphc tune`).
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from measure import ByHand, end_to_end, kernels_of, least, seconds_on_device, table

import graphc
import graphc.tensor as T

FIRST = """
kernel void product(global const float *a, global const float *b, global float *c, const int n) {
    const int j = get_global_id(0), i = get_global_id(1);
    if (i >= n || j >= n) return;
    float sum = 0;
    for (int k = 0; k < n; ++k) sum += a[i * n + k] * b[k * n + j];
    c[i * n + j] = sum;
}
"""
IN_TILES = """
#define S 16
kernel void product(global const float *a, global const float *b, global float *c, const int n) {
    local float left[S][S], right[S][S];
    const int x = get_local_id(0), y = get_local_id(1);
    const int j = get_global_id(0), i = get_global_id(1);
    float sum = 0;
    for (int k0 = 0; k0 < n; k0 += S) {
        left[y][x] = i < n && k0 + x < n ? a[i * n + k0 + x] : 0;
        right[y][x] = k0 + y < n && j < n ? b[(k0 + y) * n + j] : 0;
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int k = 0; k < S; ++k) sum += left[y][k] * right[k][x];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (i < n && j < n) c[i * n + j] = sum;
}
"""
TILE = 16
LARGE = 1000


def compiled() -> Any:
    """The same in graphc."""
    a, b = T.fmatrices("a", "b")
    return graphc.function([a, b], T.dot(a, b), backend="opencl", name="product")


def main(
    n: tuple[int, ...] = (500, 2048), repeats: int = 5, quiet: bool = False
) -> dict[int, dict[str, tuple[float, float]]]:
    """Multiply, compare the results, take times."""
    product = compiled()
    found = {}
    for size in n:
        found[size] = one_size(product, size, repeats)
        if not quiet:
            print(f"{size} x {size} float32 on {product.device.info.label}\n")
            print(table(found[size], 2.0 * size**3, "Gflop/s"), "\n")
    return found


def one_size(product: Any, n: int, repeats: int) -> dict[str, tuple[float, float]]:
    """Return the seconds of each way: on the device, and end to end."""
    rng = np.random.default_rng(0)
    a, b = (rng.random((n, n), dtype="float32") for _ in range(2))
    expected = a @ b
    rows = {}
    side = -(-n // TILE) * TILE
    for name, source in (("by hand, at first", FIRST), ("by hand, in tiles", IN_TILES)):
        if source is FIRST and n > LARGE and product.device.info.kind == "cpu":
            continue
        own = ByHand(product, source, "product")
        rows[name] = times_by_hand(own, a, b, expected, (side, side), repeats)
    np.testing.assert_allclose(product(a, b), expected, 1e-4)
    on_device, whole, plain = least(
        lambda: kernels_of(product, a, b),
        lambda: end_to_end(lambda: product(a, b)),
        lambda: end_to_end(lambda: a @ b),
        repeats=repeats,
    )
    return {**rows, "graphc": (on_device, whole), "NumPy": (0.0, plain)}


def times_by_hand(
    own: ByHand,
    a: np.ndarray,
    b: np.ndarray,
    expected: np.ndarray,
    sizes: tuple[int, int],
    repeats: int,
) -> tuple[float, float]:
    """Check a kernel and return its seconds on the device, and end to end."""
    count = np.int32(len(a))
    on_device: list[float] = []

    def whole() -> np.ndarray:
        given = own.copied(a), own.copied(b), own.empty(a.nbytes)
        event = own.launch(sizes, (TILE, TILE), *given, count)
        on_device.append(seconds_on_device(event))
        return own.fetched(given[2], a)

    def checked() -> float:
        start = time.perf_counter()
        result = whole()
        taken = time.perf_counter() - start
        np.testing.assert_allclose(result, expected, 1e-4)
        return taken

    (end,) = least(checked, repeats=repeats)
    return min(on_device), end


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, nargs="+", default=[500, 2048])
    parser.add_argument("--repeats", type=int, default=5)
    main(**vars(parser.parse_args()))
