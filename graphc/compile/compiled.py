"""Compiled functions: called, read, explained, drawn."""

from __future__ import annotations

import itertools
import linecache
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from graphc.backends.numpy.runtime import QUIET, is_nested
from graphc.compile.arguments import Argument, checker
from graphc.errors import (
    DeviceError,
    GraphcError,
    GraphcIndexError,
    GraphcTypeError,
    GraphcValueError,
    ShapeError,
    message,
)
from graphc.ir.node import CONST, Node, operand
from graphc.ir.op import Kind
from graphc.ir.shapes import Guard
from graphc.ir.source import here
from graphc.viz.report import explain
from graphc.viz.show import dot_of_program, dot_of_written, notebook, write

_numbers = itertools.count(1)
_gone: deque[str] = deque()
"""Files of functions that are no more. Forgotten when the next one is made, not when the garbage
collector runs: that may be while ``linecache`` walks over its entries."""


_updating = threading.RLock()
"""Held by a call that changes shared variables."""


def _show(filename: str, text: str) -> None:
    """Let tracebacks and debuggers show generated text."""
    while _gone:
        linecache.cache.pop(_gone.popleft(), None)
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)


class CompiledFunction:
    """What `graphc.function` returns.

    Call it with the inputs in order, or by name. It may be called from several threads: calls with
    updates run one at a time, so none is lost; a call that only reads shared variables does not
    wait, and may see some of the updates of a call that is running.

    Attributes
    ----------
    name : str
    source : str
        The text that runs, with a comment per step that names the user's lines.
    compile_time : float
        Seconds that compiling took.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[Argument],
        executable: Any,
        written: Any,
        log: Sequence[Any],
        seconds: float,
    ) -> None:
        self.name = name
        self.compile_time = seconds
        self.program = executable.program
        self._executable = executable
        self._arguments = tuple(arguments)
        self._written = written
        self._log = tuple(log)
        self._count = len(self._arguments)
        self._names = {a.name: i for i, a in enumerate(self._arguments) if a.name}
        self._defaults = any(a.has_value for a in self._arguments)
        self._quiet = executable.quiet
        filename = f"<graphc {name} {next(_numbers)}>"
        run = executable.bind(filename, self._bindings(executable))
        self._run = run
        self._updates = bool(self.program.updates)
        self._filename = filename
        _show(filename, executable.host_source)
        weakref.finalize(self, _gone.append, filename)

    def _bindings(self, executable: Any) -> dict[str, Any]:
        """Return what the text refers to: checks of arguments, shared variables, guards."""
        names = executable.names
        found: dict[str, Any] = {
            f"check_{names[a.node]}": checker(self.name, i, a, executable.scalar_argument)
            for i, a in enumerate(self._arguments)
        }
        found.update({f"{names[node]}_": node for node in self.program.shared})
        found["guard_error"] = lambda i, left, right: guard_failed(
            self.program.guards[i], left, right
        )
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs, then commit the updates.

        Parameters
        ----------
        *args, **kwargs
            The inputs in order, or by the names of their variables.

        Returns
        -------
        array, list of arrays or dict of arrays
            As the outputs were given to `function`.
        """
        if kwargs or len(args) != self._count:
            args = self._bind(args, kwargs)
        try:
            if self._updates:
                _updating.acquire()  # costs less than a with block, in every training step
                try:
                    return QUIET.context.run(self._run, *args)
                finally:
                    _updating.release()
            if self._quiet:
                return QUIET.context.run(self._run, *args)
            return self._run(*args)
        except DeviceError as error:
            if self._nodes_at(error.__traceback__):
                raise self._located(error) from error
            raise
        except GraphcError:
            raise
        except Exception as error:
            if is_nested(error):
                with np.errstate(all="ignore"), _updating:
                    return self._run(*args)
            raise self._located(error) from error

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        missing = object()
        bound: list[Any] = [missing] * self._count
        if len(args) > self._count:
            raise GraphcTypeError(
                message(
                    f"{self.name} takes {self._count} inputs, got {len(args)}",
                    [operand(a.node) for a in self._arguments],
                    here(),
                )
            )
        bound[: len(args)] = args
        for name, value in kwargs.items():
            place = self._names.get(name)
            if place is None:
                raise GraphcTypeError(
                    message(
                        f"{self.name} has no input named {name!r}",
                        [operand(a.node) for a in self._arguments],
                        here(),
                    )
                )
            if bound[place] is not missing:
                raise GraphcTypeError(
                    message(f"{self.name} got two values for its input {name!r}", (), here())
                )
            bound[place] = value
        for i, argument in enumerate(self._arguments):
            if bound[i] is missing and argument.has_value:
                bound[i] = argument.value()
        lacking = [a for a, v in zip(self._arguments, bound, strict=True) if v is missing]
        if lacking:
            raise GraphcTypeError(
                message(
                    f"{self.name} is missing {len(lacking)} of its {self._count} inputs",
                    [operand(a.node, a.name) for a in lacking],
                    here(),
                )
            )
        return tuple(bound)

    def _located(self, error: Exception) -> Exception:
        """Return an error that names the user's line for one that came out of generated code."""
        nodes = self._nodes_at(error.__traceback__)
        kind = _wrapped(type(error))
        if not nodes:
            return kind(message(f"{self.name}: {error}", (), here()))
        node = nodes[-1]
        return kind(
            message(f"{node.op.name}: {error}", [operand(n) for n in node.inputs], node.where)
        )

    def _nodes_at(self, trace: TracebackType | None) -> tuple[Node, ...]:
        found: tuple[Node, ...] = ()
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self._filename:
                found = self._executable.origin.get(trace.tb_lineno, found)
            trace = trace.tb_next
        return found

    @property
    def source(self) -> str:
        """The text that runs: the host function, and kernels where the backend has some."""
        return self._executable.source  # type: ignore[no-any-return]

    @property
    def backend(self) -> str:
        """The name of the backend."""
        return self._executable.backend  # type: ignore[no-any-return]

    def explain(self) -> str:
        """Return what was done with this function: rewrites with their reasons, steps, memory.

        Examples
        --------
        >>> import graphc, graphc.tensor as T
        >>> x = T.dvector("x")
        >>> print(graphc.function([x], T.log(1 + T.exp(x)), name="soft").explain())
        soft, on numpy
        ...
          softplus_intro
          ...
            log(exp(x) + 1)...->  softplus(x)
        ...
        """
        return explain(self.program, self._log, self._executable.names, f"on {self.backend}")

    def dot_source(self, before: bool = False, depth: int | None = None) -> str:
        """Return the picture of `svg` in DOT, the language of Graphviz; needs no layout engine."""
        if before:
            outputs, updates = self._written
            return dot_of_written(self.name, outputs, updates, depth)
        return dot_of_program(self.program, self._executable.names, depth)

    def svg(
        self, path: str | Path | None = None, before: bool = False, depth: int | None = None
    ) -> str:
        """Draw what runs, with the groups as clusters, and return the picture as SVG.

        Parameters
        ----------
        path : path, optional
            Where to write it.
        before : bool
            Draw the function as it was written instead.
        depth : int, optional
            0 draws each group as one box, 1 opens all of them; by default large pictures are made
            smaller.
        """
        return write(self.dot_source(before, depth), path)

    def _repr_svg_(self) -> str | None:
        return notebook(self)

    def free(self) -> None:
        """Let go of the buffers kept for calls to come; the function stays usable."""
        self._executable.free()

    def __repr__(self) -> str:
        inputs = ", ".join(f"{a.name or '?'}: {a.node.type!r}" for a in self._arguments)
        return f"<graphc function {self.name}({inputs}) on {self.backend}>"


def guard_failed(guard: Guard, left: int, right: int) -> GraphcError:
    """Return the error for sizes that turned out not to agree."""
    node = guard.node
    view = node.op.kind is Kind.VIEW  # its starts and sizes are in the message already
    shown = node.inputs[:1] if view else node.inputs
    operands = [operand(child) for child in shown if child.op is not CONST]
    if guard.relation == "==":
        what = f"{node.op.name}: sizes {left} and {right} differ"
        return ShapeError(message(what, operands, node.where, _broadcast_hint(left, right)))
    if guard.relation == ">":
        what = f"{node.op.name} over no elements has no value"
        return GraphcValueError(message(what, operands, node.where))
    if guard.relation == ">=" and node.op.kind is not Kind.REGION:
        what = f"{node.op.name}: a window of {right} does not fit an axis of size {left}"
        return ShapeError(message(what, operands, node.where))
    if guard.relation == ">=":
        what = f"{node.op.name}: a sequence of {left} elements for {right} steps"
        return ShapeError(message(what, operands, node.where))
    index = left if left >= 0 else left - right  # as it was written: counted from the end
    what = f"index {index} is out of range for an axis of size {right}"
    return GraphcIndexError(message(what, operands, node.where))


def _broadcast_hint(left: int, right: int) -> str | None:
    if 1 not in (left, right):
        return None
    return (
        "a size of 1 broadcasts only where it was declared: T.row, T.col,"
        "\nTensorType(dtype, shape=(None, 1)), or shared(..., broadcastable=(False, True))"
    )


_WRAPPERS: tuple[tuple[type[Exception], type[GraphcError]], ...] = (
    (IndexError, GraphcIndexError),
    (TypeError, GraphcTypeError),
    (ValueError, GraphcValueError),
)


def _wrapped(kind: type[Exception]) -> Callable[[str], Exception]:
    if issubclass(kind, DeviceError):
        return DeviceError
    for builtin, ours in _WRAPPERS:
        if issubclass(kind, builtin):
            return ours
    return kind if kind in (MemoryError, ArithmeticError) else _Failed


class _Failed(GraphcError, RuntimeError):
    """A call failed for a reason outside graphc's own checks."""


def now() -> float:
    """Return a clock for compile times."""
    return time.perf_counter()
