"""The sum of two vectors of 5,000,000 float32: by hand with pyopencl, by graphc, by NumPy.

python examples/opencl/vector_addition.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from measure import ByHand, end_to_end, kernels_of, least, seconds_on_device, table

import graphc
import graphc.tensor as T

SCALARS = """
kernel void add(global const float *a, global const float *b, global float *c, const ulong n) {
    const size_t i = get_global_id(0);
    if (i < n) c[i] = a[i] + b[i];
}
"""
VECTORS = """
kernel void add(global const float *a, global const float *b, global float *c, const ulong n) {
    const size_t i = get_global_id(0);
    if (8 * i + 8 <= n) {
        vstore8(vload8(i, a) + vload8(i, b), i, c);
    } else {
        for (size_t j = 8 * i; j < n; ++j) c[j] = a[j] + b[j];
    }
}
"""
GROUP = 64


def compiled() -> Any:
    """The same in graphc."""
    a, b = T.fvectors("a", "b")
    return graphc.function([a, b], a + b, backend="opencl", name="add")


def main(n: int = 5_000_000, repeats: int = 20, quiet: bool = False) -> dict[str, Any]:
    """Add, compare the results, take times."""
    rng = np.random.default_rng(0)
    a, b = (rng.random(n, dtype="float32") for _ in range(2))
    add = compiled()
    np.testing.assert_array_equal(add(a, b), a + b)
    takes = []
    for source, width in ((SCALARS, 1), (VECTORS, 8)):
        takes += by_hand(ByHand(add, source, "add"), a, b, width)
    times = least(
        *takes,
        lambda: kernels_of(add, a, b),
        lambda: end_to_end(lambda: add(a, b)),
        lambda: end_to_end(lambda: a + b),
        repeats=repeats,
    )
    rows = {
        "by hand, scalars": (times[0], times[1]),
        "by hand, vectors": (times[2], times[3]),
        "graphc": (times[4], times[5]),
        "NumPy": (0.0, times[6]),
    }
    if not quiet:
        print(f"{n} float32 on {add.device.info.label}\n")
        print(table(rows, 3.0 * a.nbytes, "GB/s"))
        print(f"\nThe kernels by hand:\n{SCALARS}{VECTORS}\nand graphc's:\n\n{kernel_text(add)}")
    return {"times": rows, "kernel": kernel_text(add)}


def by_hand(own: ByHand, a: np.ndarray, b: np.ndarray, width: int) -> list[Callable[[], float]]:
    """Check a kernel, and return what takes its times: on the device, and end to end."""
    items = -(-a.size // width)
    sizes, count = (-(-items // GROUP) * GROUP,), np.uint64(a.size)
    there = own.copied(a), own.copied(b), own.empty(a.nbytes)

    def whole() -> np.ndarray:
        given = own.copied(a), own.copied(b), own.empty(a.nbytes)
        own.launch(sizes, (GROUP,), *given, count)
        return own.fetched(given[2], a)

    np.testing.assert_array_equal(whole(), a + b)
    return [
        lambda: seconds_on_device(own.launch(sizes, (GROUP,), *there, count)),
        lambda: end_to_end(whole),
    ]


def kernel_text(function: Any) -> str:
    """Return the kernels in the source of a compiled function."""
    source = function.source
    return source[source.index("/*") :].rstrip() if "kernel void" in source else ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=5_000_000)
    parser.add_argument("--repeats", type=int, default=20)
    main(**vars(parser.parse_args()))
