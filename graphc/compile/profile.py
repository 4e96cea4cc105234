"""Where the time of a function goes: per step and kernel, with bytes, rates, and copies."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from types import TracebackType
from typing import Any

import numpy as np

from graphc.backends.base import Event, Executable
from graphc.ir.node import DIM, number
from graphc.ir.op import Kind
from graphc.ir.shapes import Dim
from graphc.lower.program import Launch, Step
from graphc.viz import amounts

_HEADING = re.compile(r"^( +)# (\d+)  (.*)$")
_COPIES = {"to device": "host to device", "to host": "device to host"}
_PRODUCTS = ("dot", "matmul")


@dataclass(frozen=True, slots=True)
class Record:
    """What one kernel, one step or one kind of copy took, over all calls.

    Attributes
    ----------
    step : int
        As in `explain` and in the source; 0 before the first one.
    kind : str
        ``"kernel"``; ``"host"`` for a step on NumPy; ``"to device"``, ``"to host"`` and
        ``"on device"`` for copies.
    name : str
        Of the kernel.
    what : str
        The step in words, with the user's lines.
    count : int
    seconds : float
        By the device's own clock, on OpenCL.
    nbytes : int or None
        Of copies, those copied; else those that the step must read and write if it touches each
        array once. A step of several kernels counts them for the slowest.
    operations : int or None
        Of numbers, one for each op and element, two for each term of a product.
    floor : float or None
        The seconds that a plain copy of as many bytes takes there.
    """

    step: int
    kind: str
    name: str
    what: str
    count: int
    seconds: float
    nbytes: int | None
    operations: int | None
    floor: float | None

    @property
    def gigabytes(self) -> float | None:
        """Gigabytes a second."""
        return _rate(self.nbytes, self.seconds)

    @property
    def gigaflops(self) -> float | None:
        """Gigaflops: thousands of millions of operations a second."""
        return _rate(self.operations, self.seconds)

    @property
    def share(self) -> float | None:
        """The floor by the time: 1 if it moves bytes as fast as a copy does."""
        return self.floor / self.seconds if self.floor is not None and self.seconds else None


class Profile:
    """What is known of the calls of a function that were watched.

    Calls inside a ``with`` block are watched; all calls, if the function was compiled with
    ``profile=True``. A watched call waits for the device, so it takes longer than others.

    Calls with ``device=True`` or ``output_subset`` are those of functions of their own: what they
    do is put after the rest.

    Attributes
    ----------
    calls : int
    seconds : float
        Of all calls, by the host's clock.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dvector("x")
    >>> f = graphc.function([x], T.exp(x).sum())
    >>> with f.profile() as profile:
    ...     f([0.0, 1.0]), f([2.0, 3.0])
    (array(3.71828183), array(27.47459302))
    >>> profile.calls, [(record.step, record.count) for record in profile.records]
    (2, [(1, 2)])
    """

    def __init__(self, name: str, executable: Executable, always: bool, changed: Any) -> None:
        self._name = name
        self._executable = executable
        self._entered = int(always)
        self._changed: Callable[[], None] = changed
        self._headings = _headings(executable.host_source)
        self._steps = dict(enumerate(executable.program.every_step, 1))
        self._lock = threading.RLock()
        self._parts: list[Profile] = []
        self.reset()

    def reset(self) -> None:
        """Forget the calls so far."""
        self.calls = 0
        self.seconds = 0.0
        self._found: dict[tuple[int, str, str], tuple[int, float, int]] = {}
        self._amounts: dict[int, tuple[int | None, int | None]] = {}
        for part in self._parts:
            part.reset()

    def join(self, part: Profile) -> None:
        """Watch another function whenever this one is watched."""
        self._parts.append(part)
        for _ in range(self._entered):
            part.__enter__()

    def __call__(self) -> Profile:
        return self

    @property
    def active(self) -> bool:
        """Whether calls are watched now."""
        return self._entered > 0

    def __enter__(self) -> Profile:
        self._entered += 1
        self._changed()
        for part in self._parts:
            part.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._entered -= 1
        self._changed()
        for part in self._parts:
            part.__exit__(kind, error, trace)

    def watched(self, bind: Callable[[str, dict[str, Any]], Any], text: str) -> Any:
        """Return the host function, watched.

        Parameters
        ----------
        bind : callable
            From a text and further names to the host function.
        text : str
        """
        noted: list[tuple[int, dict[str, Any]]] = []
        current: list[Any] = []

        def at_step(step: int, local: Mapping[str, Any]) -> None:
            noted.append((step, {} if step else dict(local)))
            if len(noted) > 1:
                noted[-2][1].update(local)  # what is known when a step is done
            current[-1].at(step)

        run = bind(_with_steps(text), {"at_step": at_step})

        def call(*args: Any) -> Any:
            with self._lock, self._executable.recording() as recorder:
                noted.clear()
                current.append(recorder)
                start = time.perf_counter()
                try:
                    result = run(*args)
                finally:
                    current.pop()
                events = recorder.events()
                self._add(time.perf_counter() - start, events, noted)
            return result

        return call

    def _add(
        self, seconds: float, events: Iterable[Event], noted: list[tuple[int, dict[str, Any]]]
    ) -> None:
        self.calls += 1
        self.seconds += seconds
        for event in events:
            key = event.step, event.kind, event.name
            count, spent, nbytes = self._found.get(key, (0, 0.0, 0))
            self._found[key] = (count + 1, spent + event.seconds, nbytes + event.nbytes)
        for place, local in noted:
            if place:
                amount = self._amount(self._steps[place], local)
                held = self._amounts.get(place, (0, 0))
                self._amounts[place] = _sum(held[0], amount[0]), _sum(held[1], amount[1])

    def _amount(self, step: Step, local: Mapping[str, Any]) -> tuple[int | None, int | None]:
        """Return the bytes and the operations of a step, as far as its sizes are known."""
        program = self._executable.program
        known = _Sizes(self._executable.names, local, program.sizes.find)
        try:
            arrays = amounts.touched(program, step.reads, step.writes)
            nbytes = sum(np.dtype(d).itemsize * prod(map(known.of, s)) for d, s in arrays)
        except KeyError:
            return None, None
        if isinstance(step, Launch):
            return nbytes, len(step.group.members) * prod(map(known.of, step.group.space))
        node = step.nodes[0]
        if node.op.name in _PRODUCTS:
            terms = known.of(program.sizes.of(node.inputs[0])[-1])
            return nbytes, 2 * terms * prod(map(known.of, program.sizes.of(node)))
        return nbytes, None

    # -- what came out --

    @property
    def records(self) -> list[Record]:
        """The records, in the order of the program."""
        return [record for one in (self, *self._parts) for record in one._own()]

    def _own(self) -> list[Record]:
        speed = self._executable.bandwidth() if self._found else 1.0
        slowest: dict[int, tuple[float, tuple[int, str, str]]] = {}
        for key, (_, seconds, _) in self._found.items():
            if key[1] in ("kernel", "host"):
                slowest[key[0]] = max(slowest.get(key[0], (-1.0, key)), (seconds, key))
        records = []
        for key in sorted(self._found, key=lambda key: key[0]):
            step, kind, name = key
            count, seconds, copied = self._found[key]
            nbytes: int | None = copied or None
            operations = None
            if key == slowest.get(step, (0, None))[1]:
                nbytes, operations = self._amounts.get(step, (None, None))
            floor = None if nbytes is None or kind in _COPIES else nbytes / speed
            what = self._headings.get(step, "")
            records.append(
                Record(step, kind, name, what, count, seconds, nbytes, operations, floor)
            )
        return records

    @property
    def copies(self) -> list[Record]:
        """The records of copies between host and device."""
        return [record for record in self.records if record.kind in _COPIES]

    def __len__(self) -> int:
        return len(self._found) + sum(map(len, self._parts))

    def __bool__(self) -> bool:
        return self.active or len(self) > 0

    def summary(self, file: Any = None) -> None:
        """Print the table."""
        print(self, file=file)

    def __str__(self) -> str:
        shown = [one for one in (self, *self._parts) if one.calls] or [self]
        return "\n\n".join(one._text() for one in shown)

    def _text(self) -> str:
        head = f"{self._name} on {self._executable.backend}"
        if not self.calls:
            return f"{head}: no calls were watched"
        speed = self._executable.bandwidth() / 1e9
        rows = [_row(record, self.calls) for record in self._own()]
        columns = ("step", "what", "count", "ms", "MB", "GB/s", "GFLOP/s", "floor")
        lines = _table([columns, *rows])
        busy = sum(record.seconds for record in self._own())
        calls = f"{self.calls} call{'s' * (self.calls != 1)}"
        return "\n".join(
            [
                f"{head}: {calls}, {_ms(self.seconds, self.calls)} ms each,"
                f" {_ms(busy, self.calls)} ms in what follows",
                *lines,
                f"per call; floor: the time a copy takes for as many bytes, at {speed:.1f} GB/s",
                *(self._copied() if self._executable.device is not None else []),
            ]
        )

    def _copied(self) -> list[str]:
        lines = []
        for kind, words in _COPIES.items():
            found = [record for record in self._own() if record.kind == kind]
            count = sum(record.count for record in found) / self.calls
            nbytes = sum(record.nbytes or 0 for record in found) / self.calls
            lines.append(f"copies {words}: {count:g} a call, {nbytes:.0f} bytes")
        return lines


class _Sizes:
    """Sizes as numbers, from what a host function knows by name."""

    def __init__(self, names: Any, local: Mapping[str, Any], find: Callable[[Dim], Dim]) -> None:
        self._names = names
        self._local = local
        self._find = find

    def of(self, size: Dim) -> int:
        """Return a size; KeyError if it is not known."""
        return size if isinstance(size, int) else self._value(self._find(size))

    def _value(self, node: Dim) -> int:
        if isinstance(node, int):
            return node
        known = number(node)
        if known is not None:
            return int(known)
        if node in self._names and self._names[node] in self._local:
            return int(self._local[self._names[node]])
        if node.op is DIM:
            array = self._local[self._names[node.inputs[0]]]
            return int(array.shape[node.attrs["axis"]])
        if node.op.kind is not Kind.ELEMENTWISE or node.op.reference is None:
            raise KeyError(node)
        values = [np.int64(self._value(child)) for child in node.inputs]
        return int(node.op.reference(*values, **node.attrs))


def _with_steps(text: str) -> str:
    """Return the text of a host function that tells of its steps, line by line."""
    lines = text.split("\n")
    end = max(k for k, line in enumerate(lines) if line.startswith("    return "))
    for k, line in enumerate(lines):
        found = _HEADING.match(line)
        if found:
            lines[k] = f"{found[1]}at_step({found[2]}, locals())"
    result = lines[end].removeprefix("    return ")
    lines[end] = f"    at_step(0, locals()); return {result}"
    return "\n".join(lines)


def _headings(text: str) -> dict[int, str]:
    found = map(_HEADING.match, text.split("\n"))
    return {int(one[2]): " ".join(one[3].split()) for one in found if one}


def _sum(held: int | None, more: int | None) -> int | None:
    return None if held is None or more is None else held + more


def _rate(amount: int | None, seconds: float) -> float | None:
    return amount / seconds / 1e9 if amount is not None and seconds else None


def _ms(seconds: float, calls: int) -> str:
    return f"{seconds / calls * 1e3:.3f}"


def _row(record: Record, calls: int) -> tuple[str, ...]:
    what = record.what if record.kind in ("kernel", "host") else record.kind
    if record.name:
        what = f"{record.name}: {what}"
    megabytes = "" if record.nbytes is None else f"{record.nbytes / calls / 1e6:.3f}"
    rates = ["" if r is None else f"{r:.2f}" for r in (record.gigabytes, record.gigaflops)]
    share = "" if record.share is None else f"{record.share:.0%}"
    count, spent = f"{record.count / calls:g}", _ms(record.seconds, calls)
    return (str(record.step), what, count, spent, megabytes, *rates, share)


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:<{width}}" if k == 1 else f"{cell:>{width}}"
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
