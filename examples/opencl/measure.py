"""How the examples of this folder take times: on the device by events, and end to end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyopencl as cl

ENOUGH = 10.0


class ByHand:
    """A kernel as one starts it by hand: a context, a queue that takes times, a program.

    It runs on the device of a function that graphc compiled.
    """

    def __init__(self, function: Any, source: str, name: str) -> None:
        self.context = function.device.context
        profiling = cl.command_queue_properties.PROFILING_ENABLE
        self.queue = cl.CommandQueue(self.context, properties=profiling)
        self.kernel = cl.Kernel(cl.Program(self.context, source).build(), name)

    def copied(self, array: Any) -> cl.Buffer:
        """Copy an array to the device."""
        flags = cl.mem_flags.READ_ONLY | cl.mem_flags.COPY_HOST_PTR
        return cl.Buffer(self.context, flags, hostbuf=array)

    def empty(self, nbytes: int) -> cl.Buffer:
        """Make a buffer for results."""
        return cl.Buffer(self.context, cl.mem_flags.WRITE_ONLY, nbytes)

    def fetched(self, buffer: cl.Buffer, like: Any) -> Any:
        """Copy a result to the host."""
        result = np.empty_like(like)
        cl.enqueue_copy(self.queue, result, buffer)
        return result

    def launch(self, sizes: tuple[int, ...], group: tuple[int, ...] | None, *given: Any) -> Any:
        """Start the kernel, wait for it, and return its event."""
        event = self.kernel(self.queue, sizes, group, *given)
        event.wait()
        return event


def seconds_on_device(event: Any) -> float:
    """Return what a kernel took by the device's clock."""
    return 1e-9 * (event.profile.end - event.profile.start)


def kernels_of(function: Any, *args: Any) -> float:
    """Return what the kernels of one call of a compiled function took, by the device's clock."""
    with function.profile() as profile:
        profile.reset()
        function(*args)
    return sum(record.seconds for record in profile.records if record.kind == "kernel")


def end_to_end(call: Callable[[], Any]) -> float:
    """Return what a call took by the host's clock."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def least(*takes: Callable[[], float], repeats: int) -> list[float]:
    """Take times in turn, so that other work hits all alike; the least of each.

    After `ENOUGH` seconds no round begins.
    """
    end = time.perf_counter() + ENOUGH
    times = [take() for take in takes]
    for _ in range(repeats - 1):
        if time.perf_counter() > end:
            break
        times = [min(old, take()) for old, take in zip(times, takes, strict=True)]
    return times


def table(rows: dict[str, tuple[float, float]], amount: float, unit: str) -> str:
    """Return times in a table, with a rate: so many thousand millions of something a second."""
    lines = [f"{'':<22}{'device ms':>11}{'end to end ms':>15}{unit:>11}"]
    for name, (device, whole) in rows.items():
        seconds = device or whole
        lines.append(
            f"{name:<22}{f'{1e3 * device:.2f}' if device else '-':>11}{1e3 * whole:>15.2f}"
            f"{1e-9 * amount / seconds:>11.2f}"
        )
    return "\n".join(lines)
