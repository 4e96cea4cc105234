"""What a device does while a program runs, timed by the device itself.

Events carry times only on a queue made for it, which makes each launch dearer (PoCL: 1.6 to 2.1
microseconds). So a device has its plain queue, and another one in its place while it is recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from graphc.backends.base import Event
from graphc.backends.opencl.device import Device
from graphc.backends.opencl.runtime import opencl

COPIED = 1 << 26
TRIES = 5
_bandwidths: dict[Device, float] = {}
_queues: dict[Device, Any] = {}


class Events:
    """Collects the events of a queue."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._step = 0
        self._noted: list[tuple[int, str, str, int, Any]] = []

    def at(self, step: int) -> None:
        """Note that a step begins; 0 when the call ends."""
        self._step = step

    def note(self, kind: str, name: str, nbytes: int, event: Any) -> None:
        """Keep an event of the queue."""
        self._noted.append((self._step, kind, name, nbytes, event))

    def spent(self, name: str, seconds: float) -> None:
        """Keep a time that the host spent."""
        self._noted.append((self._step, "host", name, 0, seconds))

    def events(self) -> list[Event]:
        """Wait for the queue, and return what happened since the last time, in order."""
        self._device.finish()
        noted, self._noted = self._noted, []
        return [
            Event(step, kind, name, nbytes, event if kind == "host" else _seconds(event))
            for step, kind, name, nbytes, event in noted
        ]


def _seconds(event: Any) -> float:
    """Return how long an event took, by the device's clock."""
    return float(event.profile.end - event.profile.start) * 1e-9


@contextmanager
def recording(device: Device) -> Iterator[Events]:
    """Record what the device does inside the block, whichever thread asks it to."""
    module = opencl()
    with device.recording:
        device.finish()
        plain, before, found = device.queue, device.recorder, Events(device)
        if device not in _queues:
            timed = module.command_queue_properties.PROFILING_ENABLE
            _queues[device] = module.CommandQueue(device.context, properties=timed)
        device.queue, device.recorder = _queues[device], found
        try:
            yield found
        finally:
            device.recorder = before
            device.finish()
            device.queue = plain


def bandwidth(device: Device) -> float:
    """Return how many bytes a second a copy on the device reads and writes: the best of a few."""
    if device not in _bandwidths:
        nbytes = min(COPIED, device.limits.max_allocation // 4)
        source, target = device.alloc(nbytes), device.alloc(nbytes)
        with recording(device) as recorder:
            for _ in range(TRIES):
                device.copy_buffer(source, target, nbytes)
            best = min(event.seconds for event in recorder.events())
        device.free(source)
        device.free(target)
        _bandwidths[device] = 2 * nbytes / best
    return _bandwidths[device]
