"""Backends by name, and what they make of a program."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from graphc.emit.writer import Names
from graphc.ir.node import Node
from graphc.lower.program import Program


@dataclass(frozen=True, slots=True)
class Event:
    """Something that took time during a call.

    Attributes
    ----------
    step : int
        Of the program, counted from 1; 0 before the first one.
    kind : str
        ``"kernel"``, ``"to device"``, ``"to host"``, ``"on device"`` (copies and fills there), or
        ``"host"``.
    name : str
        Of the kernel.
    nbytes : int
        Of a copy.
    seconds : float
    """

    step: int
    kind: str
    name: str
    nbytes: int
    seconds: float


class Recorder(Protocol):
    """Notes what happens while a program runs."""

    def at(self, step: int) -> None:
        """Note that a step begins; 0 when the call ends."""

    def events(self) -> list[Event]:
        """Return what happened since the last time, in order, when all of it is done."""


class DeviceValue:
    """What arrays on a device are to those who do not know the device: `to_host`, and `copy`."""

    __slots__ = ()
    shape: tuple[int, ...]
    dtype: Any

    def to_host(self) -> Any:
        """Return a copy as a NumPy array."""
        raise NotImplementedError

    def copy(self) -> Any:
        """Return a copy on the device."""
        raise NotImplementedError


@dataclass
class Executable:
    """A program as text, and how to make it run.

    Attributes
    ----------
    host_source, source : str
        The text of the host function's module; and with kernels, for people.
    origin : dict
        Line of ``host_source`` to the nodes it computes.
    names : Names
        Of nodes in the text.
    quiet : bool
        Whether it runs NumPy operations that could warn of infinities and NaN.
    scalar_argument : callable
        Brings a 0-d array into the form the host function wants.
    device_argument : callable, optional
        Returns an argument that is an array on a device as one of this device, None for any other
        argument; raises `DeviceError` where it lies elsewhere.
    device : object, optional
        What it runs on, besides the host.
    recording : callable
        Returns a context manager, in which a `Recorder` notes what happens.
    bandwidth : callable
        Returns how many bytes a second a plain copy reads and writes where the program runs.
    """

    backend: str
    program: Program
    host_source: str
    source: str
    origin: Mapping[int, tuple[Node, ...]]
    names: Names
    quiet: bool
    namespace: dict[str, Any]
    scalar_argument: Callable[[Any], Any]
    recording: Callable[[], AbstractContextManager[Recorder]]
    bandwidth: Callable[[], float]
    device_argument: Callable[[Any], Any] | None = None
    device: Any = None

    def bind(
        self, filename: str, bindings: Mapping[str, Any], text: str | None = None
    ) -> Callable[..., Any]:
        """Run the text of the module, or a variant, and return its host function, names bound."""
        exec(compile(text or self.host_source, filename, "exec"), self.namespace)
        self.namespace.update(bindings)
        run: Callable[..., Any] = self.namespace[self.program.name]
        return run

    def free(self) -> None:
        """Let go of buffers kept for calls to come."""
        pool = self.namespace.get("pool")
        if pool is not None:
            pool.clear()


def mentions(text: str, name: str) -> bool:
    """Tell whether source text uses a name."""
    return re.search(rf"(?<![\w.]){name}\b", text) is not None
