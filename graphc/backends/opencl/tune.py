"""Which tiles are best for matrix products on a device, and when the host's BLAS is better.

`python -m graphc tune` runs this. Samples of all candidates are taken in turn, so that other work
on the machine hits them alike, and the best of each counts. Each candidate's result is compared
with NumPy's first. The answer is kept by `tuned`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from graphc.backends.opencl import products
from graphc.backends.opencl.device import Device
from graphc.backends.opencl.products import Matrix
from graphc.backends.opencl.tuned import TILES, Choices
from graphc.errors import DeviceError

Say = Callable[[str], Any]
Call = Callable[[], Any]
SIZES = {"cpu": 512, "other": 2048}
HOST_SIZES = (64, 96, 128, 192, 256, 512, 1024)
BETTER = 0.95  # less of a gain than this is noise
LEAST_SAMPLES = 3


def tune(device: Device, seconds: float = 2, say: Say | None = None) -> Choices:
    """Measure matrix products on a device.

    Parameters
    ----------
    device : Device
        Its `choices` are other ones meanwhile, and at the end those it had.
    seconds : float
        Roughly, for the tiles of a dtype, and for the comparison with the host at one size.
    say : callable, optional
        Gets a line of text for each result.

    Returns
    -------
    Choices
    """
    say = say or (lambda text: None)
    tiles: dict[str, int] = {}
    host_from: dict[str, float] = {}
    before = device.choices
    try:
        for dtype in ("float32", *(["float64"] if device.limits.fp64 else [])):
            found = _best_tile(device, dtype, seconds, say)
            if found is not None:
                tiles[found[0]] = found[1]
            device.choices = Choices(tiles)
            if device.info.kind == "cpu" and device.limits.shares_memory:
                least = _host_from(device, dtype, seconds, say)
                if least is not None:
                    host_from[dtype] = least
    finally:
        device.choices = before
    return Choices(tiles, host_from)


def _best_tile(device: Device, dtype: str, seconds: float, say: Say) -> tuple[str, int] | None:
    """Return the kernel with its dtype, and the place of its best tile in the table."""
    style = "gemm_panels" if device.info.kind == "cpu" else "gemm_tiles"
    name = f"{style} {dtype}"
    n = SIZES["cpu" if device.info.kind == "cpu" else "other"]
    multiply, result, expected = _product(device, dtype, n)
    calls: dict[int, Call] = {}
    for place, tile in enumerate(TILES[style]):
        if not products.fits(device, np.dtype(dtype), tile):
            continue
        call = partial(_with, device, Choices({name: place}), multiply)
        try:
            call()
        except DeviceError:
            continue  # more registers than there are
        if np.allclose(result(), expected, rtol=1e-3):
            calls[place] = call
    if not calls:
        return None
    times = dict(zip(calls, best(list(calls.values()), seconds), strict=True))
    chosen = min(times, key=times.__getitem__)
    if 0 in times and times[chosen] > BETTER * times[0]:
        chosen = 0
    rate = 2e-9 * n**3 / times[chosen]
    shown = " ".join(f"{key}={size}" for key, size in TILES[style][chosen])
    usual = (
        f", {times[chosen] / times[0]:.2f} of the usual one's time" if chosen and 0 in times else ""
    )
    say(f"{dtype} {n} x {n}: {shown}, {rate:.0f} Gflop/s{usual}")
    return name, chosen


def _with(device: Device, choices: Choices, call: Call) -> None:
    """Call with other choices, which stay."""
    device.choices = choices
    call()


def _host_from(device: Device, dtype: str, seconds: float, say: Say) -> float | None:
    """Return the multiplications of the least product from which on the host is faster."""
    least = None
    for n in reversed(HOST_SIZES):
        multiply, _, _ = _product(device, dtype, n)
        on_host, _, _ = _product(device, dtype, n, host=True)
        times = best([multiply, on_host], seconds / 2)
        say(f"{dtype} {n} x {n}: the host's BLAS takes {times[1] / times[0]:.2f} of the time")
        if times[1] > BETTER * times[0]:
            break
        least = float(n) ** 3
    return least


def _product(device: Device, dtype: str, n: int, host: bool = False) -> tuple[Call, Call, Any]:
    """Return what multiplies two square matrices, what reads the result, and NumPy's."""
    rng = np.random.default_rng(0)
    left, right = rng.random((2, n, n)).astype(dtype)
    a, b = (Matrix.contiguous(device.to_device(x), n, n) for x in (left, right))
    c = Matrix.contiguous(device.alloc(left.nbytes), n, n)

    def multiply() -> None:
        if host:
            products.multiply_on_host(device, np.dtype(dtype), a, b, c)
        else:
            products.gemm(device, dtype, a, b, c)
        device.finish()

    return multiply, lambda: device.to_host(c.buffer, (n, n), dtype), left @ right


def best(calls: Sequence[Call], seconds: float) -> list[float]:
    """Time the calls in turn; the least of each, in seconds."""
    least = [float("inf")] * len(calls)
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < LEAST_SAMPLES or time.perf_counter() < end:
        rounds += 1
        for place, call in enumerate(calls):
            start = time.perf_counter()
            call()
            least[place] = min(least[place], time.perf_counter() - start)
    return least
