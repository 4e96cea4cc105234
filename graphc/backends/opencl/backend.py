"""The lines of a host function that are OpenCL's own.

Arrays on the device are `DeviceArray` objects. Whatever is queued runs in order, so the lines read
like a program that computes at once; only `read`, at the end, waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.backends.base import mentions
from graphc.backends.numpy.calls import run as run_on_numpy
from graphc.backends.numpy.views import view_expression, view_source
from graphc.backends.opencl.arrays import Memory
from graphc.backends.opencl.calls import COPY, ROUTINES
from graphc.backends.opencl.device import Device
from graphc.backends.opencl.groups import KernelPlan, is_host_value, place_of, plan
from graphc.backends.opencl.reduce import GPU_GROUP
from graphc.backends.opencl.splitting import split
from graphc.emit.host import HostFunction
from graphc.emit.writer import Writer
from graphc.errors import NotSupportedError, message
from graphc.ir.dtypes import DTYPES
from graphc.ir.node import CONST, INPUT, SHARED, Node, operand
from graphc.ir.op import Kind
from graphc.ir.shapes import Dim, product
from graphc.lower.layout import Strided, is_contiguous, row_major
from graphc.lower.program import Buffer, Call, Launch, Program, Role, is_scalar

MEMORY = (
    "borrow",
    "changed",
    "commit",
    "copy",
    "empty",
    "number",
    "on_host",
    "read",
    "resident",
    "result",
    "send",
)
HELPERS = {
    "graphc.backends.numpy.runtime": ("down", "over_zero", "polygamma"),
    "graphc.backends.numpy.lapack": ("cholesky_or_nan", "expm", "solve_triangular"),
}
ROUTINE_NAMES = (
    "along_rows",
    "copy_view",
    "dot",
    "draw",
    "fetch",
    "fill_view",
    "in_order",
    "matmul",
    "slide",
    "upload",
    "view",
)


class OpenCLBackend:
    """Emission for OpenCL: one instance a host function.

    Attributes
    ----------
    plans : list of (KernelPlan, sizes)
        The kernels of the host function, to be built when its text is there.
    """

    name = "opencl"

    def __init__(self, device: Device, memory: Memory, program: Program) -> None:
        self.device = device
        self.memory = memory
        self.plans: list[KernelPlan] = []
        self.limits = program.limits
        self._arrays: dict[Node, str] = {}
        self.remembers = [self._arrays]
        self._read: list[str] = []
        self._is_read = False
        self._waits = any(
            not is_host_value(node, program)
            for node in program.outputs
            if node not in program.resident
        )

    # -- binding --

    def argument(self, host: HostFunction, node: Node) -> None:
        """Check an argument; it goes to the device when a step needs it."""
        host.check(node, named(node.type.dtype))

    def shared(self, host: HostFunction, node: Node) -> None:
        """Take the value of a shared variable on this device."""
        name = host.names[node]
        host.body.line(f"{name} = resident({name}_)")
        self._arrays[node] = name
        if is_scalar(node):
            host.on_device.add(node)

    def temporaries(self, host: HostFunction, buffers: Sequence[Buffer]) -> None:
        """Take arrays from the pool; they go back when the call ends."""
        held: dict[int, list[Node]] = {}
        for node, buffer in host.program.buffers.items():
            held.setdefault(buffer.id, []).append(node)
        for buffer in buffers:
            text = f"empty({host.dims(buffer.shape)}, {named(buffer.dtype)})"
            host.body.line(f"{host.buffer_names[buffer.id]} = {text}", held[buffer.id])

    def allocate(self, host: HostFunction, buffer: Buffer) -> str:
        """Return the expression of a fresh array."""
        make = "result" if buffer.role is Role.OUTPUT else "empty"
        return f"{make}({host.dims(buffer.shape)}, {named(buffer.dtype)})"

    # -- steps --

    def launch(self, host: HostFunction, step: Launch, place: int) -> None:
        """Plan a kernel for a group and write the line that queues it."""
        name = f"k{place}"
        whole = plan(name, step.group, host.program)
        if self._fits(whole):
            self._launch(host, whole, place)
            return
        parts = split(
            step.group, host.program, lambda part: self._fits(plan(name, part, host.program))
        )
        for k, part in enumerate(parts):
            self._launch(host, plan(f"{name}_{k}", part, host.program), place)

    def _fits(self, planned: KernelPlan) -> bool:
        limits = self.device.limits
        trees = 0 if self.device.info.kind == "cpu" else planned.tree_bytes * GPU_GROUP
        return planned.parameter_bytes <= limits.max_parameter_size and trees <= limits.local_memory

    def _launch(self, host: HostFunction, planned: KernelPlan, place: int) -> None:
        group = planned.group
        self.plans.append(planned)
        arrays = [self.array(host, p.value) for p in planned.parameters.arrays]
        numbers = [self._number(host, p.value) for p in planned.parameters.numbers]
        results = [self.array(host, node) for node in planned.folds]
        sizes = [host.dim(size) for size in planned.sizes]
        ops = "op" if len(group.members) == 1 else "ops"
        host.heading(
            Launch(group), place, f"{len(group.members)} {ops} over {host.dims(group.space)}"
        )
        given = ", ".join([*arrays, *numbers])
        if planned.folds:
            folds = ", ".join(results)
            call = f"{planned.name}({', '.join(sizes)}, [{given}], [{folds}])"
        else:
            call = f"{planned.name}({', '.join([*sizes, *arrays, *numbers])})"
        host.body.line(call, group.members)
        self._changed(host, group.outputs)

    def _number(self, host: HostFunction, value: Node | Dim) -> str:
        if isinstance(value, int):
            return str(value)
        text = host.scalar(value)
        # what NumPy's numbers compare to is NumPy's bool, which no kernel takes as an argument
        return f"bool({text})" if value.type.dtype == "bool" else text

    def call(self, host: HostFunction, step: Call, place: int) -> None:
        """Write the lines of a library routine, or of a copy."""
        node = step.node
        host.heading(step, place, node.op.name)
        if "host" in node.op.details:
            self._on_host(host, step)
            return
        routine = COPY if node.op.kind is Kind.VIEW else ROUTINES.get(node.op.name)
        if routine is None:
            raise NotSupportedError(
                message(
                    f"{node.op.name} has no OpenCL routine",
                    [operand(child) for child in node.inputs],
                    node.where,
                    "compile this function with backend='numpy'",
                )
            )
        routine(self, host, node)
        self._changed(host, step.writes)

    def _changed(self, host: HostFunction, nodes: Sequence[Node]) -> None:
        """Say that copies on the host of what was written in place are out of date."""
        for node in nodes:
            buffer = host.program.buffers.get(node)
            if buffer is not None and buffer.role is Role.IN_PLACE:
                assert buffer.shared is not None
                host.body.line(f"changed({host.names[buffer.shared]}_)", [node])

    def _on_host(self, host: HostFunction, step: Call) -> None:
        """Write the lines that run a routine of NumPy's on the host, and bring its results back."""
        node = step.node
        operands = []
        for child in node.inputs:
            name = host.names.fresh("h")
            host.body.line(f"{name} = {self._fetched(host, child)}", [child])
            operands.append(name)
        outs = {result: host.names.fresh("h") for result in step.writes}
        for result, name in outs.items():
            if not is_scalar(result):
                shape = host.dims(host.program.sizes.of(result))
                host.body.line(f"{name} = np.empty({shape}, {named(result.type.dtype)})")
        run_on_numpy(host, node, operands, outs)
        for result, name in outs.items():
            value = f"np.asarray({name}, {named(result.type.dtype)})"
            host.body.line(f"upload({value}, {self.array(host, result)})", [result])

    def _fetched(self, host: HostFunction, node: Node) -> str:
        """Return the expression of a value on the host: a wait, if it is on the device."""
        place = self.place(host, node)
        if is_host_value(place.base, host.program):
            return self.host_value(host, node)
        return f"fetch({self.view(host, node)})"

    def assign(self, host: HostFunction, value: Node, target: Node, row: str | None) -> None:
        """Copy a value into a stored array, or into one row of it."""
        into = self.array(host, target)
        shape = host.program.sizes.of(target)
        if row is not None:
            strides = host.dims(row_major(shape)[1:])
            offset = f"({row}) * {host.dim(host.program.sizes.find(product(shape[1:])))}"
            into = f"view({into}, {host.dims(shape[1:])}, {strides}, {offset})"
        if is_scalar(value) and is_host_value(value, host.program):
            if not row and shape:
                into = f"view({into}, {host.dims(shape)}, {host.dims(row_major(shape))}, 0)"
            host.body.line(f"fill_view({into}, {host.scalar(value)})", [value])
        else:
            host.body.line(f"copy_view({self.view(host, value)}, {into})", [value])

    def row(self, host: HostFunction, node: Node, buffer: Buffer) -> str:
        """Return the name of the whole array: kernels are told where the row begins."""
        assert buffer.rows is not None
        return self.array(host, buffer.rows)

    def prepare(self, host: HostFunction, node: Node) -> None:
        """Bring a value to the device before a loop begins."""
        if is_scalar(node) and is_host_value(node, host.program):
            host.scalar(node)
            return
        below = host.program.base(node)
        if below.op.name != "iota":
            self.array(host, below)

    # -- values --

    def array(self, host: HostFunction, node: Any) -> str:
        """Return the name of a stored value on the device, bringing it there first."""
        if node in self._arrays:
            return self._arrays[node]
        if node in host.program.buffers:
            name = host.stored(node)
        elif node.op is CONST:
            name = host.names.fresh("const")
            host.refer(name, self.memory.send(node.attrs["value"].array))
        else:
            name = self._sent(host, node)
        self._arrays[node] = name
        return name

    def _sent(self, host: HostFunction, node: Node) -> str:
        """Write the line that brings a value of the host's to the device."""
        if node.op is INPUT and not is_scalar(node):
            name = host.names.fresh(f"{host.names[node]}_dev")
            send = "borrow" if self._waits else "send"
            host.body.line(f"{name} = {send}({host.names[node]})", [node])
            return name
        text = self.host_value(host, node)
        name = host.names.fresh("sent")
        host.body.line(f"{name} = send({text})", [node])
        return name

    def host_value(self, host: HostFunction, node: Node) -> str:
        """Return a value of the host's as an expression for a NumPy array."""
        chain: list[Node] = []
        while node.op.kind is Kind.VIEW and node not in host.program.stored:
            chain.append(node)
            node = view_source(node)
        if node.op.name == "iota":
            text = f"np.arange({host.scalar(node.inputs[0])})"
        elif is_scalar(node):
            text = f"np.asarray({host.scalar(node)}, {named(node.type.dtype)})"
        elif node.op is CONST:
            text = host.constant(node)
        else:
            text = f"on_host({host.names[node]})"
        for view in reversed(chain):
            text = view_expression(host, view, text)
        return text

    def place(self, host: HostFunction, node: Node) -> Strided:
        """Return where the elements of a node lie."""
        return place_of(node, host.program)

    def view(self, host: HostFunction, node: Node) -> str:
        """Return an operand of a routine: an array, or a view of one."""
        place = self.place(host, node)
        array = self.array(host, place.base)
        if (
            is_contiguous(place)
            and place.offset == 0
            and place.shape == self._own_shape(host, place)
        ):
            return array
        shape, strides = host.dims(place.shape), host.dims(place.strides)
        return f"view({array}, {shape}, {strides}, {host.dim(place.offset)})"

    def _own_shape(self, host: HostFunction, place: Strided) -> tuple[Dim, ...]:
        return host.program.sizes.of(place.base)

    def scalar(self, host: HostFunction, node: Node) -> str:
        """Return the expression of a scalar of the device's on the host: a wait, if it is there."""
        if node.op is INPUT:
            return host.names[node]
        if node.op is SHARED:
            return _from_array(f"{host.names[node]}_.data", node.type.dtype)
        place = self.place(host, node)
        if is_host_value(place.base, host.program):
            return _from_array(f"np.asarray({self.host_value(host, node)})", node.type.dtype)
        return f"number({self.array(host, place.base)}, {host.dim(place.offset)})"

    # -- the end --

    def result(self, host: HostFunction, node: Node, fresh: bool) -> str:
        """Return the expression of an output that the user may keep."""
        if node in host.program.resident:
            return self._left(host, node, fresh)
        if fresh:
            name = self.array(host, node)
        elif is_host_value(self.place(host, node).base, host.program):
            if is_scalar(node) and node.op.kind is not Kind.VIEW:
                return f"np.array({host.scalar(node)}, {named(node.type.dtype)})"
            return f"np.array({self.host_value(host, node)})"
        else:
            name = self._copied(host, node, "result")
        self._read.append(name)
        return f"{name}.array"

    def _left(self, host: HostFunction, node: Node, fresh: bool) -> str:
        """Return the name of an output that stays on the device."""
        if fresh:
            return self.array(host, node)
        if is_host_value(self.place(host, node).base, host.program):
            return f"send({self.host_value(host, node)})"
        return self._copied(host, node, "result")

    def _copied(self, host: HostFunction, node: Node, make: str) -> str:
        """Write the lines that copy a value into an array of its own."""
        name = host.names.fresh("copied")
        source = self.view(host, node)
        shape = host.dims(host.program.sizes.of(node))
        host.body.line(f"{name} = {make}({shape}, {named(node.type.dtype)})", [node])
        host.body.line(f"copy_view({source}, {name})", [node])
        return name

    def commit(self, host: HostFunction, shared: Node, new: Node) -> None:
        """Make a new array the shared variable's."""
        self._wait(host)
        buffer = host.program.buffers.get(new)
        mine = buffer is not None and buffer.role is Role.UPDATE
        first = next(s for s, n in host.program.updates if n is new) is shared
        text = self.array(host, new) if mine and first else self._copied(host, new, "empty")
        host.body.line(f"commit({host.names[shared]}_, {text})", [new])

    def finish(self, host: HostFunction) -> None:
        """Write the line that waits, if nothing has yet."""
        self._wait(host)

    def _wait(self, host: HostFunction) -> None:
        if self._read and not self._is_read:
            host.body.line(f"read({', '.join(self._read)})")
        self._is_read = True

    def preamble(self, host: HostFunction, module: Writer, text: str) -> None:
        """Write imports, and say what graphc binds besides."""
        module.line(f"# runs on {self.device.info.label}")
        module.line("import numpy as np")
        known = [name for name in ("inf", "nan", "ndarray") if mentions(text, name)]
        if known:
            module.line(f"from numpy import {', '.join(known)}")
        if mentions(text, "special"):
            module.line("from scipy import special")
        for source, names in HELPERS.items():
            helpers = [name for name in names if mentions(text, name)]
            if helpers:
                module.line(f"from {source} import {', '.join(helpers)}")
        module.line()
        for dtype in DTYPES:
            if mentions(text, named(dtype)):
                module.line(f"{named(dtype)} = np.dtype('{dtype}')")
        module.line()


def named(dtype: str) -> str:
    """Return the name of a dtype in the text; ``bool`` is Python's own there."""
    return "bool_" if dtype == "bool" else dtype


def _from_array(array: str, dtype: str) -> str:
    return f"{array}.item()" if dtype in ("float64", "bool") else f"{array}[()]"
