"""The host function: arguments, sizes, guards, buffers, steps, commits and results.

One skeleton for all backends; a `Backend` supplies the lines that differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from graphc.emit import scalars
from graphc.emit.blocks import Blocks, choose, loop
from graphc.emit.writer import Names, Writer, places
from graphc.errors import InternalError
from graphc.ir.node import CONST, DIM, Node, dim, number
from graphc.ir.op import OPS, Kind
from graphc.ir.shapes import Dim, Guard
from graphc.ir.walk import toposort
from graphc.lower.program import (
    Buffer,
    Call,
    Check,
    Choose,
    Host,
    Launch,
    Loop,
    Program,
    Role,
    Space,
    Step,
    is_scalar,
)
from graphc.ops.control import COUNTER


class Backend(Protocol):
    """What a backend writes into the host function.

    ``remembers`` holds what it knows by node and must forget when a block ends.
    """

    remembers: list[dict[Node, str]]

    def argument(self, host: HostFunction, node: Node) -> None:
        """Check an argument and bring it where the steps can read it."""

    def shared(self, host: HostFunction, node: Node) -> None:
        """Take the value of a shared variable."""

    def temporaries(self, host: HostFunction, buffers: Sequence[Buffer]) -> None:
        """Take buffers from the pool."""

    def allocate(self, host: HostFunction, buffer: Buffer) -> str:
        """Return the expression of a fresh buffer."""

    def assign(self, host: HostFunction, value: Node, target: Node, row: str | None) -> None:
        """Copy a value into a stored array, or into one row of it."""

    def row(self, host: HostFunction, node: Node, buffer: Buffer) -> str:
        """Return the name of the row of a larger array that a value is stored in."""

    def prepare(self, host: HostFunction, node: Node) -> None:
        """Bring a value into the form steps read it in, before a loop does so in every step."""

    def launch(self, host: HostFunction, step: Launch, place: int) -> None:
        """Run a group."""

    def call(self, host: HostFunction, step: Call, place: int) -> None:
        """Run a library routine."""

    def scalar(self, host: HostFunction, node: Node) -> str:
        """Return the expression of a scalar that is read from an array."""

    def result(self, host: HostFunction, node: Node, fresh: bool) -> str:
        """Return the expression of an output, for the user to keep."""

    def commit(self, host: HostFunction, shared: Node, new: Node) -> None:
        """Make a new value the value of a shared variable."""

    def finish(self, host: HostFunction) -> None:
        """Give buffers back to the pool."""

    def preamble(self, host: HostFunction, module: Writer, text: str) -> None:
        """Write the imports and definitions that the rest of the text needs."""


@dataclass
class HostFunction:
    """A host function in the making.

    Attributes
    ----------
    program : Program
    backend : Backend
    names : Names
        Of nodes in the text.
    namespace : dict
        What the text refers to besides its own definitions.
    kernels : Writer
        Definitions that come before the function.
    whole : dict
        Size nodes to the names of Python integers.
    prologue, body : Writer
        The function: up to the guards, and from the first step on.
    remembered : list of dict
        What holds names of nodes, and must forget those given in a block when it ends.
    blocks : Blocks
        Where the next line stands.
    on_device : set of Node
        Scalars whose name is that of an array on a device; what the host knows of them it has to
        read back.
    """

    program: Program
    backend: Backend
    form: str | tuple[str, ...]  # "one", "list" or the keys of a dict
    namespace: dict[str, Any] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    kernels: Writer = field(default_factory=Writer)
    prologue: Writer = field(default_factory=Writer)
    body: Writer = field(default_factory=Writer)
    buffer_names: dict[int, str] = field(default_factory=dict)
    whole: dict[Node, str] = field(default_factory=dict)
    on_device: set[Node] = field(default_factory=set)
    remembered: list[dict[Node, str]] = field(default_factory=list)
    _read_back: dict[Node, str] = field(default_factory=dict)
    _made: set[Node] = field(default_factory=set)

    def emit(self) -> tuple[str, dict[int, tuple[Node, ...]]]:
        """Return the text of the module, and which nodes each line computes."""
        self.remembered += [self.whole, self._read_back, *self.backend.remembers]
        self.body.indent()
        self._arguments()
        self._shared()
        self._guards()
        self._buffers()
        self.blocks = Blocks(self)
        steps = self.program.every_step
        self._places = {id(step): place for place, step in enumerate(steps, 1)}
        self._paths = {s.node: s.path for s in steps if isinstance(s, Choose)}
        self.run(self.program.steps)
        self._results()
        return self._assemble()

    # -- pieces, in order --

    def _arguments(self) -> None:
        for node in self.program.inputs:
            self.names.give(node, "a", "check_{}")
        for node in self.program.inputs:
            self.backend.argument(self, node)

    def _shared(self) -> None:
        for node in self.program.shared:
            self.names.give(node, "shared", "{}_")
            self.backend.shared(self, node)

    def _guards(self) -> None:
        for guard in self.program.guards[: self.program.early]:
            self._guard(guard)

    def _guard(self, guard: Guard) -> None:
        left, right = self.dim(guard.left), self.dim(guard.right)
        condition = _GUARDS[guard.relation].format(left, right)
        number = next(i for i, one in enumerate(self.program.guards) if one is guard)
        self.body.line(
            f"if {condition}: raise guard_error({number}, {left}, {right})"
            f"{comment(places([guard.node]))}",
            [guard.node],
        )

    def _buffers(self) -> None:
        temporaries = self.program.temporaries
        for buffer in temporaries:
            self.buffer_names[buffer.id] = self.names.fresh("t")
        self.backend.temporaries(self, temporaries)
        spaces = [s.group.space for s in self.program.every_step if isinstance(s, Launch)]
        spaces += [buffer.shape for buffer in self.program.buffers.values()]
        for space in spaces:
            if not any(map(self.program.is_late, space)):
                self.dims(space)
        self.prologue, self.body = self.body, Writer()
        self.body.indent()

    def run(self, steps: Sequence[Step]) -> None:
        """Write steps, each under its conditions."""
        for step in steps:
            for node in step.writes:
                if node in self.program.aliases:  # made in a branch, but known outside of it
                    choice = self.program.aliases[node]
                    self.blocks.go_to(self._paths[choice])
                    self.stored(choice)
            self.blocks.go_to(step.path)
            self._step(step, self._places[id(step)])
            self._made.update(step.writes)
        self.blocks.go_to(())

    def _step(self, step: Step, place: int) -> None:
        if isinstance(step, Host):
            self.scalar(step.node)
        elif isinstance(step, Check):
            self._guard(step.guard)
        elif isinstance(step, Launch):
            self.backend.launch(self, step, place)
        elif isinstance(step, Choose):
            choose(self, step)
        elif isinstance(step, Loop):
            loop(self, step, place)
        else:
            self.backend.call(self, step, place)

    def _results(self) -> None:
        given: set[Node] = set()
        results = []
        for node in self.program.outputs:
            buffer = self.program.buffers.get(node)
            fresh = buffer is not None and buffer.role is Role.OUTPUT and node not in given
            given.add(node)
            results.append(self.backend.result(self, node, fresh))
        commits = [pair for pair in self.program.updates if not self._in_place(pair[1])]
        for shared, new in commits:
            self.backend.commit(self, shared, new)
        self.backend.finish(self)
        self.body.line(f"return {self._form(results)}")

    def _in_place(self, new: Node) -> bool:
        buffer = self.program.buffers.get(new)
        return buffer is not None and buffer.role is Role.IN_PLACE

    def _form(self, results: list[str]) -> str:
        if self.form == "one":
            return results[0]
        if self.form == "list":
            return f"[{', '.join(results)}]"
        pairs = zip(self.form, results, strict=True)
        return "{" + ", ".join(f"{key!r}: {value}" for key, value in pairs) + "}"

    def _assemble(self) -> tuple[str, dict[int, tuple[Node, ...]]]:
        module = Writer()
        texts = (self.kernels.text(), self.prologue.text(), self.body.text())
        self.backend.preamble(self, module, "\n".join(texts))
        module.extend(self.kernels)
        arguments = ", ".join(self.names[node] for node in self.program.inputs)
        module.line(f"def {self.program.name}({arguments}):")
        module.extend(self.prologue)
        module.extend(self.body)
        return module.text(), module.origin

    # -- what backends use --

    def refer(self, name: str, value: Any) -> str:
        """Make a value known to the text by a name."""
        self.namespace[name] = value
        return name

    def check(self, node: Node, dtype: str) -> None:
        """Write the line that checks an argument, where it is not plainly right already.

        ``dtype`` is the name the text knows the dtype by.
        """
        name, kind = self.names[node], node.type
        tests = []
        if kind.ndim:
            tests = [f"type({name}) is not ndarray", f"{name}.dtype is not {dtype}"]
            tests.append(f"{name}.ndim != {kind.ndim}")
            tests += [
                f"{name}.shape[{axis}] != {size}"
                for axis, size in enumerate(kind.shape)
                if size is not None
            ]
        elif kind.dtype == "float64":
            tests = [f"type({name}) is not float"]
        check = f"{name} = check_{name}({name})"
        self.body.line(f"if {' or '.join(tests)}: {check}" if tests else check)

    def heading(self, step: Step, place: int, what: str) -> None:
        """Write the comment above a step."""
        origin = places(step.nodes)
        self.body.line(f"# {place}  {what}" + (f"   {origin}" if origin else ""))

    def dim(self, size: Dim) -> str:
        """Return a size as text: a number or a name."""
        if isinstance(size, int):
            return str(size)
        if size in self.whole:
            return self.whole[size]
        text = self.scalar(size)
        if not _is_of_sizes(size):  # an argument has its say in it, as a NumPy integer
            name = self.names.fresh("n")
            self.body.line(f"{name} = int({text})", [size])
            text = name
        self.whole[size] = text
        return text

    def dims(self, space: Space) -> str:
        """Return sizes as the text of a tuple."""
        inside = ", ".join(map(self.dim, space))
        return f"({inside},)" if len(space) == 1 else f"({inside})"

    def scalar(self, node: Node) -> str:
        """Return the name or literal of a scalar, computing it first if that was not done yet."""
        stack = [node]
        while stack:
            top = stack[-1]
            if self._known(top):
                stack.pop()
                continue
            missing = [child for child in self._scalar_needs(top) if not self._known(child)]
            if missing:
                stack.extend(missing)
                continue
            self._define_scalar(top)
            stack.pop()
        value = number(node)
        if value is not None:
            return scalars.literal(value)
        return self._read_back[node] if self._on_device(node) else self.names[node]

    def _on_device(self, node: Node) -> bool:
        return node in self.on_device or node in self.program.buffers

    def _known(self, node: Node) -> bool:
        if number(node) is not None:
            return True
        return node in (self._read_back if self._on_device(node) else self.names)

    def _scalar_needs(self, node: Node) -> tuple[Node, ...]:
        if node.op is DIM or self._on_device(node):
            return ()
        if node.op is _IN_LOOP:
            return node.inputs[:1]
        if node.op.kind is not Kind.ELEMENTWISE and node.op is not _IFELSE:
            return ()
        return tuple(child for child in node.inputs if is_scalar(child))

    def _define_scalar(self, node: Node) -> None:
        if node.op is _IN_LOOP:
            self.names.set(node, self.scalar(node.inputs[0]))
            return
        if node.op is DIM:
            self._define_sizes(node.inputs[0])
            return
        self._must_be_made(node)
        if self._on_device(node):
            name = self._read_back[node] = self.names.fresh("v")
            text = self.backend.scalar(self, node)
            self.body.line(f"{name} = {text}{comment(places([node]))}", [node])
            return
        if node.op is _IFELSE:
            condition, yes, no = [self.scalar(child) for child in node.inputs]
            text = f"{yes} if {condition} else {no}"
        elif node.op.kind is Kind.ELEMENTWISE:
            operands = [self.scalar(child) for child in node.inputs]
            text = scalars.expression(node, operands)
        else:
            text = self.backend.scalar(self, node)
        if node.name is not None:
            name = self.names.give(node, "v")
        else:
            name = self.names.set(node, self.names.fresh("v"))
        self.body.line(f"{name} = {text}{comment(places([node]))}", [node])

    def _must_be_made(self, node: Node) -> None:
        """Raise if a scalar is asked for before the step that computes it has run."""
        below = self.program.base(node)
        if below in self.program.stored and below not in self._made and not self._is_host(below):
            raise InternalError(f"{node!r} is needed before {below!r} is computed")

    def is_made(self, node: Node) -> bool:
        """Tell whether the step that makes a node has been written."""
        return node in self._made

    def _is_host(self, node: Node) -> bool:
        if not is_scalar(node) or self._on_device(node):
            return False
        if node.op is _IFELSE:
            return not self.program.is_late(node)
        return node.op.kind is Kind.ELEMENTWISE

    def _define_sizes(self, array: Node) -> None:
        """Name all unknown sizes of an array at once."""
        unknown = [axis for axis, size in enumerate(array.type.shape) if size is None]
        names = ["_"] * array.type.ndim
        for axis in unknown:
            names[axis] = self.names.set(dim(array, axis), self.names.fresh("n"))
        if len(names) == 1:
            self.body.line(f"{names[0]} = {self.names[array]}.shape[0]")
        else:
            self.body.line(f"{', '.join(names)} = {self.names[array]}.shape")

    def stored(self, node: Node) -> str:
        """Return the name of the buffer a stored array lies in, allocating fresh ones."""
        if node in self.names:
            return self.names[node]
        buffer = self.program.buffers[node]
        choice = self.program.aliases.get(node)
        if choice is not None:
            return self.names.set(node, self.stored(choice))
        if buffer.role is Role.ROW:
            return self.names.set(node, self.backend.row(self, node, buffer))
        if buffer.id in self.buffer_names:
            return self.names.set(node, self.buffer_names[buffer.id])
        if buffer.role is Role.IN_PLACE:
            assert buffer.shared is not None
            return self.names.set(node, self.names[buffer.shared])
        prefix = {Role.OUTPUT: "out", Role.TEMP: "late"}.get(buffer.role, "new")
        name = self.buffer_names[buffer.id] = self.names.give(node, prefix)
        self.body.line(f"{name} = {self.backend.allocate(self, buffer)}", [node])
        return name

    def constant(self, node: Node) -> str:
        """Return the name of a constant array."""
        if node not in self.names:
            name = self.names.give(node, "const")
            self.refer(name, node.attrs["value"].array)
        return self.names[node]


_IFELSE, _IN_LOOP = OPS["ifelse"], OPS["in_loop"]
_GUARDS = {"==": "{0} != {1}", ">": "{0} <= {1}", ">=": "{0} < {1}", "in": "not 0 <= {0} < {1}"}


def _is_of_sizes(size: Node) -> bool:
    """Tell whether a size comes from sizes alone, which are Python integers."""
    dims = {node for node in toposort([size]) if node.op is DIM}
    leaves = {CONST, COUNTER}
    return all(n.inputs or n.op in leaves or n in dims for n in toposort([size], dims))


def comment(text: str) -> str:
    """Return text as a comment at the end of a line."""
    return f"  # {text}" if text else ""
