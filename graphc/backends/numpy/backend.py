"""The lines of a host function that are NumPy's own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from graphc.backends.numpy import along, lapack, places, random, runtime, windows
from graphc.backends.numpy.calls import ZEROS, is_zeros, run
from graphc.backends.numpy.groups import Kernel, write_kernel
from graphc.backends.numpy.views import view_expression, view_source
from graphc.emit import scalars
from graphc.emit.host import HostFunction
from graphc.emit.writer import Writer
from graphc.ir.dtypes import DTYPES
from graphc.ir.node import CONST, INPUT, SHARED, Node, number
from graphc.ir.op import Kind
from graphc.ir.shapes import product
from graphc.lower.program import Buffer, Call, Launch, Limits, Role, Space, is_scalar

CHEAP = 8  # the weight of a few operations of arithmetic
LIMITS = Limits(backend="numpy")
HELPERS = (runtime, random, windows, places, along, lapack)
"""Modules whose functions the text calls, by the names in ``__all__``."""


class NumpyBackend:
    """Emission for NumPy: one instance a host function."""

    name = "numpy"
    limits = LIMITS

    def __init__(self) -> None:
        self.remembers: list[dict[Node, str]] = []
        self._temporaries: list[Buffer] = []
        self._constants: dict[str, str] = {}
        self._scratch: dict[tuple[Space, str], list[str]] = {}

    # -- binding --

    def argument(self, host: HostFunction, node: Node) -> None:
        """Check an argument; the common case costs three comparisons."""
        host.check(node, node.type.dtype)

    def shared(self, host: HostFunction, node: Node) -> None:
        """Take the array of a shared variable."""
        name = host.names[node]
        text = f"{name}_.data"
        if is_scalar(node):
            text = scalars.from_array(text, node.type.dtype)
        host.body.line(f"{name} = {text}")

    def temporaries(self, host: HostFunction, buffers: Sequence[Buffer]) -> None:
        """Remember the buffers: the line that takes them is written when all scratch is known."""
        self._temporaries = list(buffers)

    def allocate(self, host: HostFunction, buffer: Buffer) -> str:
        """Return the expression of a fresh array."""
        dtype = "" if buffer.dtype == "float64" else f", {buffer.dtype}"
        shape = host.dim(buffer.shape[0]) if len(buffer.shape) == 1 else host.dims(buffer.shape)
        return f"np.empty({shape}{dtype})"

    # -- steps --

    def launch(self, host: HostFunction, step: Launch, place: int) -> None:
        """Write a kernel for a group and the lines that run it."""
        group = step.group
        kernel = write_kernel(host.kernels, f"k{place}", step, host.program, self._constants)
        folded = {child for node in group.reductions for child in node.inputs}
        arguments = [self._group_input(host, n, n in folded) for n in kernel.parameters]
        arguments += [host.stored(node) for node in kernel.stores]
        ops = "op" if len(group.members) == 1 else "ops"
        host.heading(step, place, f"{len(group.members)} {ops} over {host.dims(group.space)}")
        results = [host.names.give(node, "v") for node in kernel.returns]
        left = ", ".join(results) + " = " if results else ""
        direct = [*arguments, *self._scratch_for(host, kernel, group.space)]
        line = f"{left}{kernel.name}({', '.join(direct)})"
        if self._may_tile(group.members, kernel):
            self._tiled(host, kernel, step, arguments, left, line)
        else:
            host.body.line(line, group.members)
        self._changed(host, kernel.stores)

    def _changed(self, host: HostFunction, nodes: Sequence[Node]) -> None:
        """Say that copies on devices of what was written in place are out of date."""
        for node in nodes:
            buffer = host.program.buffers[node]
            if buffer.role is Role.IN_PLACE and buffer.shared is not None:
                host.body.line(f"{host.names[buffer.shared]}_.device = None")

    def _may_tile(self, members: Sequence[Node], kernel: Kernel) -> bool:
        return not any(node.op.name in ("argmax", "argmin") for node in members)

    def _tiled(
        self,
        host: HostFunction,
        kernel: Kernel,
        step: Launch,
        arguments: list[str],
        left: str,
        direct: str,
    ) -> None:
        group = step.group
        count = host.dim(host.program.sizes.find(product(group.space)))
        limit = "LARGE" if _is_cheap(group.members) and not kernel.scratch else "TILE"
        if count.isdigit() and int(count) <= getattr(runtime, limit):
            host.body.line(direct, group.members)
            return
        tiled = self._tiles(host, kernel)
        call = f"{left}{tiled}({', '.join([host.dims(group.space), *arguments])})"
        host.body.line(f"if {count} <= {limit}: {direct}", group.members)
        host.body.line(f"else: {call}", group.members)

    def _tiles(self, host: HostFunction, kernel: Kernel) -> str:
        """Write the definition of a kernel in tiles and return its name."""
        folds = [node for node in (*kernel.stores, *kernel.returns) if node.op.kind is Kind.REDUCE]
        pairs = [f"({ufunc(node)}, {node.attrs['axes']})" for node in folds]
        host.kernels.line(
            f"{kernel.name}_tiles = Tiled({kernel.name}, {kernel.scratch}, [{', '.join(pairs)}])"
        )
        host.kernels.line()
        return f"{kernel.name}_tiles"

    def _scratch_for(self, host: HostFunction, kernel: Kernel, space: Space) -> list[str]:
        """Return the names of scratch arrays for the direct path, shared by all groups."""
        taken: list[str] = []
        used: Counter[str] = Counter()
        if any(map(host.program.is_late, space)):  # the pool is asked before such sizes are known
            for dtype in kernel.scratch:
                taken.append(host.names.fresh("u"))
                host.body.line(f"{taken[-1]} = scratch({host.dims(space)}, {dtype})")
            return taken
        for dtype in kernel.scratch:
            made = self._scratch.setdefault((space, dtype), [])
            if used[dtype] == len(made):
                made.append(host.names.fresh("u"))
            taken.append(made[used[dtype]])
            used[dtype] += 1
        return taken

    def call(self, host: HostFunction, step: Call, place: int) -> None:
        """Write the lines of a library routine, or of a copy."""
        node = step.node
        host.heading(step, place, node.op.name)
        if node.op.kind is Kind.VIEW:
            text = view_expression(host, node, self.value(host, node.inputs[0]))
            host.body.line(f"np.copyto({host.stored(node)}, {text})", [node])
            return
        operands = [self._operand(host, node, i) for i in range(len(node.inputs))]
        run(host, node, operands, {result: self._target(host, result) for result in step.writes})
        self._changed(host, [one for one in step.writes if one in host.program.buffers])

    def _operand(self, host: HostFunction, node: Node, i: int) -> str:
        """Return the text of an operand of a routine."""
        child = node.inputs[i]
        if i == 0 and node.op.name == "put" and is_zeros(child):
            return ZEROS
        return self.value(host, child)

    def _target(self, host: HostFunction, node: Node) -> str:
        """Return the name that a routine leaves a result under: a variable, or an array."""
        return host.names.give(node, "v") if is_scalar(node) else host.stored(node)

    def assign(self, host: HostFunction, value: Node, target: Node, row: str | None) -> None:
        """Copy a value into a stored array, or into one row of it."""
        source, into = self.value(host, value), host.stored(target)
        if row is None:
            host.body.line(f"np.copyto({into}, {source})", [value])
        else:
            host.body.line(f"{into}[{row}] = {source}", [value])

    def row(self, host: HostFunction, node: Node, buffer: Buffer) -> str:
        """Name a row of an array."""
        assert buffer.rows is not None
        name = host.names.fresh("row")
        host.body.line(f"{name} = {host.names[buffer.rows]}[{host.dim(buffer.row)}]", [node])
        return name

    def prepare(self, host: HostFunction, node: Node) -> None:
        """Name a value, and the views it is, before a loop begins."""
        while node.op.name == "expand" and node not in host.program.stored:
            node = node.inputs[0]
        self.value(host, node)

    # -- values --

    def value(self, host: HostFunction, node: Node) -> str:
        """Return the name or literal of a value, writing the lines of the views it is."""
        chain: list[Node] = []
        while node not in host.names and node.op.kind is Kind.VIEW:
            if node in host.program.stored:
                break
            if node.op.name != "in_loop":
                chain.append(node)
            node = view_source(node)
        text = self._stored_value(host, node)
        if chain and is_scalar(node):
            text = self._array_of(text, node)
        for view in reversed(chain):
            expression = view_expression(host, view, text)
            name = host.names.fresh(view.name if view.name and view.name.isidentifier() else "a")
            text = host.names.set(view, name)
            host.body.line(f"{text} = {expression}", [view])
        return text

    def _stored_value(self, host: HostFunction, node: Node) -> str:
        if number(node) is not None:
            return host.scalar(node)
        if node.op is CONST:
            return host.constant(node)
        if node in host.names:
            return host.names[node]
        if node.op.name == "iota":
            name = host.names.give(node, "i")
            host.body.line(f"{name} = np.arange({host.scalar(node.inputs[0])})", [node])
            return name
        if is_scalar(node):
            return host.scalar(node)
        return host.stored(node)

    def _group_input(self, host: HostFunction, node: Node, whole: bool) -> str:
        """Return what a kernel gets for an input; broadcasting is left to NumPy if it can be."""
        while not whole and node.op.name == "expand" and node not in host.program.stored:
            node = node.inputs[0]
        if node.op is SHARED and is_scalar(node):
            return f"{host.names[node]}_.data"  # a 0-d array, which NumPy takes faster
        return self.value(host, node)

    def scalar(self, host: HostFunction, node: Node) -> str:
        """Return the expression of a scalar that lies in an array."""
        if node.op in (INPUT, SHARED):
            return host.names[node]
        text = view_expression(host, node, self.value(host, view_source(node)))
        if node.type.dtype == "float64":
            return f"float({text})"
        return text

    # -- the end --

    def result(self, host: HostFunction, node: Node, fresh: bool) -> str:
        """Return the expression of an output that the user may keep."""
        if fresh:
            return host.names[node]
        if node in host.program.lent and not is_scalar(node):
            return self.value(host, node)
        return self._copy(host, node)

    def _copy(self, host: HostFunction, node: Node) -> str:
        if is_scalar(node):
            return self._array_of(host.scalar(node), node)
        return f"np.array({self.value(host, node)})"

    def _array_of(self, scalar: str, node: Node) -> str:
        """Return the expression of a 0-d array that holds a scalar."""
        dtype = "" if node.type.dtype == "float64" else f", {node.type.dtype}"
        return f"np.array({scalar}{dtype})"

    def commit(self, host: HostFunction, shared: Node, new: Node) -> None:
        """Make a new array the shared variable's."""
        buffer = host.program.buffers.get(new)
        mine = buffer is not None and buffer.role is Role.UPDATE
        first = next(s for s, n in host.program.updates if n is new) is shared
        text = host.names[new] if mine and first else self._copy(host, new)
        host.body.line(f"{host.names[shared]}_.data = {text}", [new])
        host.body.line(f"{host.names[shared]}_.device = None")

    def finish(self, host: HostFunction) -> None:
        """Write where buffers come from, now that all are known, and where they go."""
        rows = [
            (host.buffer_names[b.id], self.allocate(host, b), b.shape) for b in self._temporaries
        ]
        rows += [
            (name, f"scratch({host.dims(space)}, {dtype})", space)
            for (space, dtype), names in self._scratch.items()
            for name in names
        ]
        if not rows:
            return
        sizes = list(dict.fromkeys(host.dim(s) for _, _, shape in rows for s in shape))
        sizes = [text for text in sizes if not text.isdigit()]
        host.kernels.line(f"def make_buffers({', '.join(sizes)}):")
        host.kernels.indent()
        host.kernels.line(f"return {', '.join(text for _, text, _ in rows)},")
        host.kernels.indent(-1)
        host.kernels.line()
        host.kernels.line("pool = Pool(make_buffers)")
        host.kernels.line()
        names = ", ".join(name for name, _, _ in rows)
        host.prologue.line(f"{names}, = buffers = pool.take({', '.join(sizes)})")
        host.body.line(f"pool.give({', '.join(['buffers', *sizes])})")

    def preamble(self, host: HostFunction, module: Writer, text: str) -> None:
        """Write imports, and stand-ins for what graphc binds: checks and shared variables."""
        module.line("import numpy as np")
        known = text + " ".join(self._constants.values())
        from_numpy = [name for name in ("inf", "nan", "ndarray") if _mentions(known, name)]
        if from_numpy:
            module.line(f"from numpy import {', '.join(from_numpy)}")
        if _mentions(text, "special"):
            module.line("from scipy import special")
        stand_ins = ["Shared"] if host.program.shared else []
        checked = [n for n in host.program.inputs if _mentions(text, f"check_{host.names[n]}")]
        if checked:
            stand_ins.append("argument")
        for source in HELPERS:
            helpers = [name for name in source.__all__ if _mentions(text, name)]
            helpers += stand_ins if source is runtime else []
            if helpers:
                names = ", ".join(sorted(helpers, key=str.lower))
                module.line(f"from {source.__name__} import {names}")
        module.line()
        for dtype in _DTYPES:
            if _mentions(text.replace(f"np.{dtype}", ""), dtype):
                module.line(f"{dtype} = np.dtype('{dtype}')")
        for name, value in self._constants.items():
            module.line(f"{name} = {value}")
        for node in checked:
            name, kind = host.names[node], node.type
            module.line(f"check_{name} = argument({name!r}, {kind.dtype!r}, {kind.shape})")
        for node in host.program.shared:
            module.line(f"{host.names[node]}_ = Shared()  # {node.type!r}: set .data to call this")
        module.line()


def _is_cheap(members: Sequence[Node]) -> bool:
    """Tell whether a group is one pass or two of simple arithmetic."""
    weights = [node.op.weight for node in members if node.op.kind is Kind.ELEMENTWISE]
    return len(members) <= 2 and sum(weights) < CHEAP


def ufunc(node: Node) -> str:
    """Return the ufunc that a reduction folds with."""
    return node.op.code["numpy"].split(".reduce(")[0]


_DTYPES = [name for name in DTYPES if name != "bool"]


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"\b{name}\b", text) is not None
