"""The OpenCL kernels beside NumPy: what `docs/opencl-measurements.md` reports.

    python -m benchmarks.opencl_kernels            the table
    python -m benchmarks.opencl_kernels --tiles    gemm with other tiles (CPU devices)
    python -m benchmarks.opencl_kernels --rows     softmax in one kernel, and in several

Samples of the two sides are taken in turn, each result is compared with NumPy's first, and the
best of each is shown. Unlike the cases of `python -m benchmarks` this measures kernels alone, on
buffers over the host's arrays, with a wait after each.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import graphc
import graphc.tensor as T
from graphc.backends.opencl import products, softmax
from graphc.backends.opencl.device import Device, get_device
from graphc.backends.opencl.kernel import c_type
from graphc.backends.opencl.kernel_files import read
from graphc.backends.opencl.products import Matrix, Vector
from graphc.backends.opencl.reduce import (
    Fold,
    macros,
    second_stage,
    split_columns,
    split_rows,
    write_columns,
    write_rows,
)

Call = Callable[[], Any]
CHAIN = "tanh(2 * a + 1) * exp(-a * a) + sqrt(fabs(b)) / 2 - log1p(exp(a - b))"


def best(calls: list[Call], seconds: float) -> list[float]:
    """Time the calls in turn; the least of each, in seconds."""
    least = [float("inf")] * len(calls)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for k, call in enumerate(calls):
            start = time.perf_counter()
            call()
            least[k] = min(least[k], time.perf_counter() - start)
    return least


def matrix_product(device: Device, dtype: str, n: int) -> tuple[str, Call, Call, float]:
    """Multiply two square matrices."""
    rng = np.random.default_rng(0)
    a, b = rng.random((2, n, n)).astype(dtype)
    out, c = device.shared_array((n, n), dtype)
    left, right = (Matrix.contiguous(device.to_device(x, share=True), n, n) for x in (a, b))
    target = Matrix.contiguous(out, n, n)

    def ours() -> Any:
        products.gemm(device, dtype, left, right, target)
        device.finish()
        return c

    return f"A B, {n} x {n} {dtype}", ours, lambda: a @ b, 2e-9 * n**3


def vector_product(
    device: Device, dtype: str, rows: int, cols: int, flip: bool
) -> tuple[str, Call, Call, float]:
    """Multiply a matrix, or its transposed, with a vector."""
    a = np.random.default_rng(0).random((rows, cols)).astype(dtype)
    x = np.ones(rows if flip else cols, dtype)
    out, y = device.shared_array((cols if flip else rows,), dtype)
    matrix = Matrix.contiguous(device.to_device(a, share=True), rows, cols)
    vector = Vector(device.to_device(x, share=True), x.size)

    def ours() -> Any:
        products.gemv(device, dtype, matrix.T if flip else matrix, vector, Vector(out, y.size))
        device.finish()
        return y

    name = f"{'A^T x' if flip else 'A x'}, {rows} x {cols} {dtype}"
    return name, ours, lambda: (a.T if flip else a) @ x, 2e-9 * a.size


def total(device: Device, dtype: str, shape: tuple[int, int], axis: int | None) -> Any:
    """Sum a matrix, wholly or along an axis."""
    a = np.random.default_rng(0).random(shape).astype(dtype)
    width, t = device.vector_width(dtype), c_type(device, dtype)
    columns = axis == 0
    outer, length, inner = (1, *shape) if columns else (1 if axis is None else shape[0], -1, 1)
    length = shape[0] if columns else a.size // outer
    index = "(o * length + r) * inner + c" if columns else "o * length + r"
    folds = [Fold("add", t, "e")]
    vector = [f"const VEC({t}) e = VLOAD({t}, x + {index});"] if width > 1 else []
    write = write_columns if columns else write_rows
    text = write("first", [f"global const {t} *x"], folds, [f"const {t} e = x[{index}];"], vector)
    params, by_row, by_column = second_stage(folds)
    split = (
        split_columns(device.info, outer, length, inner, width)
        if columns
        else split_rows(device.info, outer, length, width)
    )
    head = f"#define GROUP {split.group}\n{read('prelude.cl')}{macros()}"
    sizes = [outer, length, inner] if columns else [outer, length]
    longs = [None, None] + [np.int64] * (len(sizes) + 2)
    first = device.kernel(f"#define WIDTH {width}\n{head}{text}", "first", longs)
    text = write("second", params, by_column if columns else by_row)
    second = device.kernel(f"#define WIDTH 1\n{head}{text}", "second", longs)
    count = outer * inner
    out, y = device.shared_array((count,), dtype)
    parts = device.alloc(split.splits * count * a.itemsize) if split.splits > 1 else out
    first.set(device.to_device(a, share=True), parts, *sizes, split.splits, split.chunk)
    rest = [1, split.splits, count] if columns else [outer, split.splits]
    second.set(parts, out, *rest, 1, split.splits)
    local = (split.local_size,) if split.local_size else None
    tree = (split.group,) if split.group > 1 else None

    def ours() -> Any:
        first.launch((split.global_size,), local)
        if split.splits > 1:
            second.launch((count * split.group,), tree)
        device.finish()
        return y

    name = f"sum of {shape[0]} x {shape[1]} {dtype}, axis {axis}"
    return name, ours, lambda: np.atleast_1d(a.sum(axis)), 1e-9 * a.nbytes


def chain(device: Device, dtype: str, n: int, width: int, loose: bool) -> Any:
    """Evaluate a chain of functions; `loose` loads vectors through prelude.cl's VLOAD."""
    x, y = np.random.default_rng(0).normal(size=(2, n)).astype(dtype)
    t = c_type(device, dtype)
    load = "VLOAD({t}, {p} + i)" if loose or width == 1 else f"vload{width}(0, {{p}} + i)"
    store = "VSTORE({t}, v, z + i)" if loose or width == 1 else f"vstore{width}(v, 0, z + i)"
    source = f"""#define WIDTH {width}
{read("prelude.cl")}
kernel void chain(global const {t} *x, global const {t} *y, global {t} *z) {{
    const long i = get_global_id(0) * WIDTH;
    const VEC({t}) a = {load.format(t=t, p="x")}, b = {load.format(t=t, p="y")};
    const VEC({t}) v = {CHAIN};
    {store.format(t=t)};
}}
"""
    out, z = device.shared_array((n,), dtype)
    kernel = device.kernel(source, "chain", [None] * 3)
    kernel.set(device.to_device(x, share=True), device.to_device(y, share=True), out)

    def ours() -> Any:
        kernel.launch((n // width,))
        device.finish()
        return z

    def numpy() -> Any:
        return np.tanh(2 * x + 1) * np.exp(-x * x) + np.sqrt(abs(y)) / 2 - np.log1p(np.exp(x - y))

    how = "" if width == 1 else ", VLOAD" if loose else f", vload{width}"
    return f"chain of {n:.0e} {dtype}, width {width}{how}", ours, numpy, 3e-9 * x.nbytes


def cases(device: Device) -> Iterator[tuple[str, Call, Call, float]]:
    """Yield name, our call, NumPy's, and the billions of operations or bytes."""
    for dtype in ("float32", "float64"):
        for n in (128, 500, 1024, 2048):
            yield matrix_product(device, dtype, n)
    for flip in (False, True):
        yield vector_product(device, "float64", 1000, 100, flip)
        yield vector_product(device, "float64", 2000, 2000, flip)
    for axis in (None, 0, 1):
        yield total(device, "float64", (2000, 2000), axis)
        yield total(device, "float32", (2000, 2000), axis)
    for dtype in ("float32", "float64"):
        widest = device.vector_width(dtype)
        for width in sorted({1, widest // 2 or 1, widest}):
            for loose in [True] if width == 1 else [False, True]:
                yield chain(device, dtype, 1_000_000, width, loose)


def table(device: Device, seconds: float) -> None:
    """Print every case."""
    print(f"{device.info.label}, driver {device.info.driver}\n")
    print("| task | OpenCL ms | NumPy ms | ratio | OpenCL G/s |\n| --- | --: | --: | --: | --: |")
    for name, ours, numpy, work in cases(device):
        expected = numpy()
        tolerance = 1e-4 if expected.dtype == np.float32 else 1e-11
        np.testing.assert_allclose(ours(), expected, tolerance, tolerance)
        mine, theirs = best([ours, numpy], seconds)
        print(
            f"| {name} | {mine * 1e3:.2f} | {theirs * 1e3:.2f} | {mine / theirs:.2f} "
            f"| {work / mine:.1f} |",
            flush=True,
        )


def tiles(device: Device, seconds: float) -> None:
    """Print the speed of gemm with other tiles, fastest first."""
    for dtype, n in itertools.product(("float32", "float64"), (512, 1500)):
        calls: dict[tuple[int, ...], Call] = {}
        for mr, nv, mc, nc, kc in itertools.product((4, 6), (2, 3), (120,), (96, 192), (128, 256)):
            tile = {"MR": mr, "NV": nv, "MC": mc, "NC": nc, "KC": kc}
            calls[mr, nv, mc, nc, kc] = tiled(device, dtype, n, tile)
        times = dict(zip(calls, best(list(calls.values()), seconds * 4), strict=True))
        print(f"{dtype} {n}: MR, NV, MC, NC, KC: G/s")
        for tile_sizes in sorted(times, key=times.__getitem__)[:8]:
            print(f"    {tile_sizes}: {2e-9 * n**3 / times[tile_sizes]:.0f}", flush=True)


def tiled(device: Device, dtype: str, n: int, tile: dict[str, int]) -> Call:
    """Prepare a product with a tile of its own."""
    cut = tuple(tile.items())
    options = products._gemm_options(device, np.dtype(dtype), "gemm_panels", cut)
    sizes = products._gemm_sizes("gemm_panels", tile, n, n, 1)
    scalars = [None] * 3 + [np.int64] * 15 + [dtype] * 2
    kernel = device.kernel(
        read("gemm.cl"), "gemm_panels", scalars, [f"-DT={c_type(device, dtype)}", *options]
    )
    a = device.to_device(np.ones((n, n), dtype))
    kernel.set(a, a, device.alloc(n * n * 8), n, n, n, *(0, 0, n, 1) * 3, 1, 0)

    def call() -> None:
        kernel.launch(*sizes)
        device.finish()

    return call


def rows(device: Device, seconds: float) -> None:
    """Print what softmax takes in one kernel, made of other ops, and on NumPy."""
    print("| task | one kernel ms | several ms | graphc on NumPy ms | ratio to several |")
    print("| --- | --: | --: | --: | --: |")
    for dtype, shape in itertools.product(
        ("float32", "float64"), ((128, 10), (500, 100), (2000, 1000), (50, 100_000))
    ):
        x = T.matrix("x", dtype=dtype)
        value = np.random.default_rng(0).normal(size=shape).astype(dtype)
        for name, op in (("softmax", T.nnet.softmax), ("log softmax", T.nnet.logsoftmax)):
            whole, kept = graphc.function([x], op(x), backend="opencl"), softmax.NAMES
            softmax.NAMES = ()
            try:
                several = graphc.function([x], op(x), backend="opencl")
            finally:
                softmax.NAMES = kept
            functions = [whole, several, graphc.function([x], op(x), backend="numpy")]
            results = [f(value) for f in functions]
            for result in results[:2]:
                np.testing.assert_allclose(result, results[2], rtol=1e-4)
            times = best([partial(f, value) for f in functions], seconds)
            shown = " | ".join(f"{1e3 * t:.2f}" for t in times)
            print(
                f"| {name} of {shape[0]} x {shape[1]} {dtype} | {shown} "
                f"| {times[0] / times[1]:.2f} |",
                flush=True,
            )


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", action="store_true", help="gemm with other tiles")
    parser.add_argument("--rows", action="store_true", help="softmax in one kernel and in several")
    parser.add_argument("--seconds", type=float, default=1.5, help="time for each case")
    parser.add_argument("--device", help="by name, as GRAPHC_DEVICE")
    asked = parser.parse_args()
    device = get_device(asked.device)
    (tiles if asked.tiles else rows if asked.rows else table)(device, asked.seconds)


if __name__ == "__main__":
    main()
