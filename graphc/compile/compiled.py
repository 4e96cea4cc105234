"""Compiled functions: called, read, explained, drawn."""

from __future__ import annotations

import copy
import itertools
import keyword
import linecache
import re
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from graphc.backends.base import Executable
from graphc.backends.numpy.runtime import QUIET, is_nested
from graphc.compile.arguments import Argument, checker
from graphc.compile.build import build
from graphc.compile.definition import Definition, one_variable_each, swapped
from graphc.compile.files import write_file
from graphc.compile.profile import Profile
from graphc.compile.shared import SharedVariable, updating
from graphc.compile.standalone import unchecked, write_source
from graphc.compile.values import Values
from graphc.errors import (
    DeviceError,
    GraphcError,
    GraphcIndexError,
    GraphcTypeError,
    GraphcValueError,
    LinearAlgebraError,
    ShapeError,
    message,
)
from graphc.ir.node import CONST, Node, operand
from graphc.ir.notation import called
from graphc.ir.op import Kind
from graphc.ir.shapes import Guard
from graphc.ir.source import here
from graphc.ir.walk import toposort
from graphc.viz.report import explain
from graphc.viz.show import dot_of_program, dot_of_written, notebook, write

_numbers = itertools.count(1)
_gone: deque[str] = deque()
"""Files of functions that are no more. Forgotten when the next one is made, not when the garbage
collector runs: that may be while ``linecache`` walks over its entries."""


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
    definition : Definition
        What it was made of, and can be made of again.
    profile : Profile
        ``with f.profile() as p: f(...)`` notes what steps and kernels take, and ``print(p)`` shows
        it; compiled with ``profile=True``, all calls are noted.
    """

    def __init__(
        self, definition: Definition, start: float | None = None, profile: bool = False
    ) -> None:
        """Compile a definition; ``start`` is when that began, ``profile`` to watch all calls."""
        start = now() if start is None else start
        log: list[Any] = []
        executable = build(definition, log)
        self.definition = definition
        self.name = definition.name
        self.program = executable.program
        self._executable = executable
        self._arguments = definition.given
        self._log = tuple(log)
        self._count = len(self._arguments)
        self._names = {a.name: i for i, a in enumerate(self._arguments) if a.name}
        self._quiet = executable.quiet
        self._subsets: dict[tuple[int, ...] | str, CompiledFunction] = {}
        self._trust = False
        self._filename = f"<graphc {self.name} {next(_numbers)}>"
        self.profile = Profile(self.name, executable, profile, self._prepare)
        self._prepare()
        self._changed = {old for old, _ in definition.updates}
        self._updates = bool(self.program.updates)
        _show(self._filename, executable.host_source)
        weakref.finalize(self, _gone.append, self._filename)
        self.compile_time = now() - start

    def _bindings(self, executable: Executable) -> dict[str, Any]:
        """Return what the text refers to: checks of arguments, shared variables, guards."""
        names = executable.names
        found: dict[str, Any] = {
            f"check_{names[a.node]}": checker(
                self.name, i, a, executable.scalar_argument, executable.device_argument
            )
            for i, a in enumerate(self._arguments)
        }
        found.update({f"{names[node]}_": node.container for node in self.program.shared})
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
        output_subset : sequence of int or str, optional
            The places, or keys, of the outputs to compute; the others are left out. Updates are
            made all the same.
        device : bool, optional
            True leaves the outputs on the device, and does not wait for them: for functions
            compiled for OpenCL.

        Returns
        -------
        array, list of arrays or dict of arrays
            As the outputs were given to `function`; of a subset, a list or a dict.
        """
        if kwargs or len(args) != self._count:
            return self._completed(args, kwargs)
        try:
            if self._updates:
                updating.acquire()  # costs less than a with block, in every training step
                try:
                    return QUIET.context.run(self._run, *args)
                finally:
                    updating.release()
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
                with np.errstate(all="ignore"), updating:
                    return self._run(*args)
            raise self._located(error) from error

    def _completed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call with the inputs that a call left out or named."""
        if "device" in kwargs and "device" not in self._names:
            chosen = self._resident() if kwargs.pop("device") else self
            return chosen(*args, **kwargs)
        if "output_subset" in kwargs:
            return self._subset(kwargs.pop("output_subset"))(*args, **kwargs)
        if not self._changed:
            return self(*self._bind(args, kwargs))
        with updating:  # values of inputs that this call changes are read under the lock
            return self(*self._bind(args, kwargs))

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        missing = object()
        bound: list[Any] = [missing] * self._count
        if len(args) > self._count:
            raise self._refused(f"takes {self._count} inputs, got {len(args)}", self._arguments)
        bound[: len(args)] = args
        for name, value in kwargs.items():
            place = self._names.get(name)
            if place is None:
                raise self._refused(f"has no input named {name!r}", self._arguments)
            if bound[place] is not missing:
                raise self._refused(f"got two values for its input {name!r}")
            bound[place] = value
        for i, argument in enumerate(self._arguments):
            if bound[i] is missing and argument.default is not None:
                held = argument.default.data
                bound[i] = held.copy() if argument.default in self._changed else held
        lacking = [a for a, v in zip(self._arguments, bound, strict=True) if v is missing]
        if lacking:
            raise self._refused(f"is missing {len(lacking)} of its {self._count} inputs", lacking)
        return tuple(bound)

    def _refused(self, what: str, shown: Sequence[Argument] = ()) -> GraphcTypeError:
        operands = [operand(a.node, a.name) for a in shown]
        return GraphcTypeError(message(f"{self.name} {what}", operands, here()))

    def _resident(self) -> CompiledFunction:
        """Return the function that leaves its outputs on the device."""
        if self._executable.device is None:
            what = f"{self.name} runs on {self.backend}, which has no device to leave outputs on"
            raise GraphcValueError(message(what, (), here(), "compile it with backend='opencl'"))
        if all(self.definition.borrowed):
            return self
        found = self._subsets.get("device")
        if found is None:
            borrowed = (True,) * len(self.definition.outputs)
            definition = replace(self.definition, borrowed=borrowed)
            found = self._subsets["device"] = CompiledFunction(definition)
            self.profile.join(found.profile)
        return found

    @property
    def device(self) -> Any:
        """The OpenCL device it runs on, with pyopencl's ``context`` and ``queue``; or None."""
        return self._executable.device

    def _subset(self, wanted: Any) -> CompiledFunction:
        """Return the function of some of the outputs, compiled when it is first asked for."""
        form = self.definition.form
        known = list(form) if isinstance(form, tuple) else list(range(self.n_returned_outputs))
        asked = list(wanted) if isinstance(wanted, (list, tuple)) else [wanted]
        for item in asked:
            if item not in known or isinstance(item, bool):
                raise GraphcValueError(
                    message(
                        f"{self.name} has no output {item!r}: it has {known}",
                        [operand(node) for node in self.definition.outputs],
                        here(),
                    )
                )
        places = tuple(known.index(item) for item in asked)
        found = self._subsets.get(places)
        if found is None:
            found = self._subsets[places] = CompiledFunction(self.definition.subset(places))
            self.profile.join(found.profile)
        return found

    def _located(self, error: Exception) -> Exception:
        """Return an error that names the user's line for one that came out of generated code."""
        nodes = self._nodes_at(error.__traceback__)
        kind = _wrapped(type(error))
        if not nodes:
            return kind(message(f"{self.name}: {error}", (), here()))
        node = nodes[-1]
        return kind(
            message(f"{called(node)}: {error}", [operand(n) for n in node.inputs], node.where)
        )

    def _nodes_at(self, trace: TracebackType | None) -> tuple[Node, ...]:
        found: tuple[Node, ...] = ()
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self._filename:
                found = self._executable.origin.get(trace.tb_lineno, found)
            trace = trace.tb_next
        return found

    # -- values that the function holds --

    def get_shared(self) -> list[SharedVariable]:
        """Return the shared variables it reads or changes."""
        return self.definition.shared

    @property
    def n_returned_outputs(self) -> int:
        """How many arrays a call returns."""
        return len(self.definition.outputs)

    @property
    def value(self) -> Values:
        """The values of its inputs and shared variables, to read and to set."""
        return Values(self.name, self.definition)

    def __getitem__(self, key: Any) -> Any:
        """Return the value of an input that has one, or of a shared variable.

        Parameters
        ----------
        key : Node, str or int
            The variable, its name, or the place of the input.
        """
        return self.value[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        """Set the value of an input that has one, or of a shared variable."""
        self.value[key] = value

    def __contains__(self, key: Any) -> bool:
        """Tell whether something has a value here."""
        return key in self.value

    @property
    def trust_input(self) -> bool:
        """Whether calls skip the checks of arrays; set it when all have dtype and rank right.

        Wrong arguments then fail somewhere inside, or give wrong results. Numbers are converted
        all the same.
        """
        return self._trust

    @trust_input.setter
    def trust_input(self, trust: bool) -> None:
        if bool(trust) is not self._trust:
            self._trust = bool(trust)
            self._prepare()

    def _prepare(self) -> None:
        """Set what a call runs: with or without checks, watched or not."""
        executable, text = self._executable, self._executable.host_source
        bindings = self._bindings(executable)
        if self._trust:
            names = [executable.names[a.node] for a in self._arguments if a.node.ndim]
            text = unchecked(text, names)

        def bind(text: str, more: dict[str, Any]) -> Any:
            return executable.bind(self._filename, bindings | more, text)

        self._run = self.profile.watched(bind, text) if self.profile.active else bind(text, {})

    # -- copies --

    def copy(
        self,
        share_memory: bool = False,
        swap: Any = None,
        delete_updates: bool = False,
        name: str | None = None,
        profile: Any = None,
    ) -> CompiledFunction:
        """Return another function of the same expressions.

        Parameters
        ----------
        share_memory : bool
            Accepted for Theano's sake; each function keeps buffers of its own.
        profile : bool, optional
            As for `function`.
        swap : dict or sequence of pairs, optional
            Shared variables to put in place of others, of the same type.
        delete_updates : bool
            Leave out all updates.
        name : str, optional
            Of the copy; by default the same.

        Returns
        -------
        CompiledFunction
            With the same shared variables. Values of inputs, from ``In(value=...)``, are copied.

        Raises
        ------
        GraphcTypeError, GraphcValueError
            If ``swap`` names something that is not a shared variable of this function, or
            exchanges types.

        Examples
        --------
        >>> import graphc, graphc.tensor as T
        >>> x, w, v = T.dscalar("x"), graphc.shared(2.0, "w"), graphc.shared(5.0, "v")
        >>> f = graphc.function([x], x * w, updates=[(w, w + 1)])
        >>> g = f.copy(swap={w: v}, delete_updates=True)
        >>> f(1.0), g(1.0), g(1.0)
        (array(2.), array(5.), array(5.))
        """
        start = now()
        changed = swapped(self.definition, swap)
        for argument in self.definition.arguments:
            if argument.own and argument.default is not None:
                changed[argument.default] = copy.copy(argument.default)
        definition = self.definition.over(changed)
        if delete_updates:
            definition = replace(definition, updates=())
        if name is not None:
            definition = replace(definition, name=identifier(name))
        return CompiledFunction(one_variable_each(definition), start, bool(profile))

    def __copy__(self) -> CompiledFunction:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledFunction:
        found = [n for n in toposort(self.definition.roots()) if isinstance(n, SharedVariable)]
        copies: dict[Node, Node] = {node: copy.deepcopy(node, memo) for node in found}
        return CompiledFunction(self.definition.over(copies))

    def __reduce__(self) -> Any:
        return CompiledFunction, (self.definition,)

    def save(self, path: str | Path) -> None:
        """Write the function to a file that `graphc.load` reads: its graph and its values.

        See Also
        --------
        graphc.save : for several functions that share variables.
        """
        write_file(path, [self.definition], "one")

    def save_source(self, path: str | Path) -> None:
        """Write the function as a Python file that runs with NumPy alone.

        The file defines a function of the same name and arguments, and what it needs of graphc.
        Values of shared variables and large constants lie in an ``.npz`` file of the same name
        beside it; they are read when the file is imported. A program that calls SciPy needs it
        then, too. A function compiled for OpenCL is written as it would be for NumPy.

        Parameters
        ----------
        path : path
            Ends in ``.py``.

        Raises
        ------
        GraphcValueError
            If the path has another ending.
        NotSupportedError
            If the program calls functions of the user's.
        """
        write_source(path, self.definition)

    # -- what was made --

    @property
    def source(self) -> str:
        """The text that runs: the host function, and kernels where the backend has some."""
        return self._executable.source

    @property
    def backend(self) -> str:
        """The name of the backend."""
        return self._executable.backend

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
            written = self.definition
            return dot_of_written(self.name, written.outputs, written.updates, depth)
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
        for subset in self._subsets.values():
            subset.free()

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
    if guard.relation == ">=" and right == 0:
        what = f"{node.op.name}: a loop cannot make {left} steps"
        return GraphcValueError(message(what, operands, node.where))
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
    (np.linalg.LinAlgError, LinearAlgebraError),
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


def identifier(name: str | None) -> str:
    """Return a name as one of a Python function."""
    text = re.sub(r"\W", "_", name or "f")
    return text if text.isidentifier() and not keyword.iskeyword(text) else f"f_{text}"


def now() -> float:
    """Return a clock for compile times."""
    return time.perf_counter()
