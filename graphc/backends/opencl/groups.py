"""A group as an OpenCL C kernel: a fused body in the frame of `kernels/map.cl` or `reduce.cl`.

What a kernel needs to know of a group is worked out once (`plan`): its loops, where each array
lies along them, its parameters. `KernelPlan.write` then gives the text for a vector width. Every
number is loaded once, computed in the order of the group's members, one statement each, and stored
or folded. Reading this module needs `places` (indices) and `expressions` (values).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from graphc.backends.opencl import reduce
from graphc.backends.opencl.expressions import (
    c_name,
    expression,
    literal,
    loaded,
    loaded_vector,
    store,
    stored_name,
    unwrapped,
    widths_of,
)
from graphc.backends.opencl.frames import fill_map
from graphc.backends.opencl.names import KernelNames
from graphc.backends.opencl.places import Loop, Strides, loop, same, term, total
from graphc.emit.writer import places
from graphc.errors import InternalError
from graphc.ir import dtypes
from graphc.ir.node import CONST, INPUT, SHARED, Node, number
from graphc.ir.op import Kind
from graphc.ir.shapes import Dim, add, mul, product
from graphc.lower.layout import Strided, row_major, strided
from graphc.lower.program import Group, Program, Role, is_scalar

Frame = Literal["map", "rows", "columns"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a kernel: its declaration, what is passed, and the dtype of a number."""

    declaration: str
    value: Node | Dim
    dtype: str | None


@dataclass
class Parameters:
    """The parameters of a kernel in the making: arrays first, numbers after them."""

    names: KernelNames
    arrays: list[Parameter] = field(default_factory=list)
    numbers: list[Parameter] = field(default_factory=list)
    complete: bool = False
    _pointers: dict[Node, str] = field(default_factory=dict)
    _numbers: dict[Node, str] = field(default_factory=dict)

    def read(self, base: Node) -> str:
        """Return the name of the array a stored node lies in."""
        if base not in self._pointers:
            name = self._pointers[base] = self.names.own(base.name, "x")
            declaration = f"global const {stored_name(base.type.dtype)} *{name}"
            self.arrays.append(Parameter(declaration, base, None))
        return self._pointers[base]

    def written(self, node: Node, name: str) -> str:
        """Return the name of the array that a member is stored in."""
        name = self.names.own(f"{name}_out", "y")
        declaration = f"global {stored_name(node.type.dtype)} *{name}"
        self.arrays.append(Parameter(declaration, node, None))
        return name

    def number(self, node: Node) -> str:
        """Return the name of a scalar that is passed by value."""
        return self._number(node, node.type.dtype, "number")

    def size(self, size: Dim) -> str:
        """Return a size as text: a number, or the name of a parameter."""
        if isinstance(size, int):
            return str(size)
        return self._number(size, "int64", "n")

    def _number(self, node: Node, dtype: str, prefix: str) -> str:
        if node not in self._numbers:
            if self.complete:
                raise InternalError(f"{node!r} is met only in the vectors of a kernel")
            name = self._numbers[node] = self.names.own(node.name, prefix)
            passed = "float32" if dtype == "float16" else dtype
            self.numbers.append(Parameter(f"const {c_name(dtype)} {name}", node, passed))
        return self._numbers[node]


@dataclass(frozen=True, slots=True)
class Operand:
    """An input of a group: its name in bodies, and where it lies.

    ``array`` counts those that lie somewhere on the device; without it, it is a number.
    """

    node: Node
    name: str
    place: Strided
    array: int | None


@dataclass(eq=False)
class KernelPlan:
    """All about a kernel but its vector width.

    Attributes
    ----------
    frame : str
        ``"map"``, ``"rows"`` or ``"columns"``.
    sizes : tuple of sizes
        What a launch is told: ``n``; ``rows, length``; or ``outer, length, inner``.
    folds : list of Node
        The reductions, in the order of their results.
    stores : list of (node, pointer)
        The elementwise members that are stored.
    may_vectorise : bool
        Whether `write` takes widths above 1.
    """

    name: str
    group: Group
    frame: Frame
    loops: list[Loop]
    sizes: tuple[Dim, ...]
    operands: list[Operand]
    stores: list[tuple[Node, str]]
    parameters: Parameters
    may_vectorise: bool
    _values: dict[Node, str] = field(default_factory=dict)

    @property
    def folds(self) -> list[Node]:
        """The reductions, in the order of their results."""
        return list(self.group.reductions)

    @property
    def widest(self) -> int:
        """The bytes of the largest number in the kernel, which limits its vectors."""
        found = {dtype for node in self.group.members for dtype in widths_of(node)}
        found |= {operand.node.type.dtype for operand in self.operands}
        found = {"float32" if dtype == "float16" else dtype for dtype in found}
        return max(np.dtype(dtype).itemsize for dtype in found)

    @property
    def parameter_bytes(self) -> int:
        """The bytes of all arguments; a number takes 8 at most."""
        outs = sum(1 + ("opencl:index" in node.op.code) for node in self.folds)
        given = len(self.parameters.arrays) + len(self.parameters.numbers)
        return 8 * (given + outs + len(self.sizes) + 2)

    @property
    def tree_bytes(self) -> int:
        """The bytes of local memory that each work-item of a tree takes."""
        if self.frame != "rows":
            return 0
        sizes = [np.dtype(node.inputs[0].type.dtype).itemsize for node in self.folds]
        return sum(sizes) + 8 * sum("opencl:index" in node.op.code for node in self.folds)

    def write(self, width: int) -> str:
        """Return the kernel for a vector width."""
        body = _Body(self, 1).lines()
        vector_body = _Body(self, width).lines() if width > 1 else []
        declared = [p.declaration for p in (*self.parameters.arrays, *self.parameters.numbers)]
        origin = places(self.group.members)
        ops = f"{len(self.group.members)} op" + "s" * (len(self.group.members) > 1)
        head = f"/* {ops}{f'   {origin}' if origin else ''} */\n"
        if self.frame == "map":
            return head + fill_map(self.name, declared, body, vector_body)
        write = reduce.write_rows if self.frame == "rows" else reduce.write_columns
        return head + write(self.name, declared, self.fold_texts(), body, vector_body)

    def write_second(self) -> str:
        """Return the kernel that folds the parts a first stage stored."""
        params, rows, columns = reduce.second_stage(self.fold_texts())
        if self.frame == "rows":
            return reduce.write_rows(f"{self.name}_parts", params, rows)
        return reduce.write_columns(f"{self.name}_parts", params, columns)

    def fold_texts(self) -> list[reduce.Fold]:
        """Return the reductions as the frames know them."""
        found = []
        for node in self.folds:
            op = fold_of(node)
            truth = op in ("any", "all")
            dtype = "bool" if truth else node.inputs[0].type.dtype
            found.append(reduce.Fold(op, c_name(dtype), self.value(node, truth)))
        return found

    def value(self, fold: Node, truth: bool) -> str:
        """Return the variable that a reduction folds; the bodies declare it."""
        child = fold.inputs[0]
        name = self._values[child]
        return f"truth_{name}" if truth and child.type.dtype != "bool" else name


def fold_of(node: Node) -> str:
    """Return the name a reduction has in `reduce`."""
    code, kind = node.op.code, dtypes.kind(node.inputs[0].type.dtype)
    return code.get("opencl:index") or code.get(f"opencl:fold:{kind}") or code["opencl:fold"]


# -- planning -------------------------------------------------------------------------------------


def plan(name: str, group: Group, program: Program) -> KernelPlan:
    """Work out the kernel of a group."""
    names = KernelNames()
    parameters = Parameters(names)
    operands, strides = _operands(group, program, names)
    stored = [node for node in group.outputs if node.op.kind is not Kind.REDUCE]
    strides += [row_major(group.space)] * len(stored)
    frame, loops, sizes = _loops(group, strides, ordered=bool(stored))
    values = {operand.node: operand.name for operand in operands}
    for node in group.members:
        if node.op.kind is Kind.ELEMENTWISE:
            values[node] = names.own(node.name, "t")
    for operand in operands:
        if operand.array is not None and operand.place.base.op.name != "iota":
            parameters.read(operand.place.base)
    pointers = [
        (node, _begin(parameters.written(node, values[node]), node, program, parameters))
        for node in stored
    ]
    stores_follow = all(
        same(loops[-1].stride(len(strides) - len(stored) + k) or 0, 1) for k in range(len(stored))
    )
    placed = any("opencl:index" in node.op.code for node in group.reductions)
    made = KernelPlan(
        name=name,
        group=group,
        frame=frame,
        loops=loops,
        sizes=tuple(program.sizes.find(size) for size in sizes),
        operands=operands,
        stores=pointers,
        parameters=parameters,
        may_vectorise=bool(group.space) and stores_follow and not placed,
    )
    made._values = values
    made.write(1)  # meets every parameter
    parameters.complete = True
    return made


def _operands(
    group: Group, program: Program, names: KernelNames
) -> tuple[list[Operand], list[Strides]]:
    """Return what a group reads, and the strides of each array over its space."""
    operands = []
    strides: list[Strides] = []
    folded = {child for node in group.reductions for child in node.inputs}
    for node in group.inputs:
        if number(node) is not None and node not in folded:
            continue  # a literal wherever it stands
        place = place_of(node, program)
        array = None
        if place.base.op.name == "iota" or lies_on_device(place.base, program):
            array = len(strides)
            strides.append(_over(group.space, place))
        operands.append(Operand(node, names.fresh("a"), place, array))
    return operands, strides


def _over(space: Strides, place: Strided) -> Strides:
    """Return the strides of an operand over the space of its group: 0 where it is repeated."""
    if not place.shape:
        return (0,) * len(space)
    return tuple(
        0 if same(size, 1) else stride
        for size, stride in zip(place.shape, place.strides, strict=True)
    )


def _begin(pointer: str, node: Node, program: Program, parameters: Parameters) -> str:
    """Return the text of the place where a result begins: in a row it is not that of the array."""
    start = program.sizes.find(row_start(node, program))
    return pointer if same(start, 0) else f"({pointer} + {parameters.size(start)})"


def row_start(node: Node, program: Program) -> Dim:
    """Return where a stored value begins in its array, in elements."""
    buffer = program.buffers.get(node)
    if buffer is None or buffer.role is not Role.ROW:
        return 0
    return mul(buffer.row, product(buffer.shape))


def place_of(node: Node, program: Program) -> Strided:
    """Return where the elements of a node lie, rows of larger arrays included."""
    place = strided(node, program.stored, program.sizes)
    start = row_start(place.base, program)
    return replace(place, offset=add(place.offset, start)) if not same(start, 0) else place


def lies_on_device(node: Node, program: Program) -> bool:
    """Tell whether a stored node is an array on the device, and not a number of the host's."""
    return not is_scalar(node) or node.op is SHARED or node in program.buffers


def is_host_value(node: Node, program: Program) -> bool:
    """Tell whether the host has a value itself: an input, a constant, a counter, a host scalar."""
    while node.op.kind is Kind.VIEW and node not in program.stored:
        node = node.inputs[0]
    if node in program.buffers or node.op is SHARED:
        return False
    return node.op in (INPUT, CONST) or node.op.name == "iota" or not lies_on_device(node, program)


def _loops(
    group: Group, strides: Sequence[Strides], ordered: bool
) -> tuple[Frame, list[Loop], tuple[Dim, ...]]:
    """Choose the frame, and what its variables run over."""
    space = group.space
    if not group.reductions:
        every = range(len(space))
        return "map", [loop("i", every, space, strides)], (product(space),)
    folded = [a for a in group.reductions[0].attrs["axes"] if not same(space[a], 1)]
    kept = [a for a in range(len(space)) if a not in folded and not same(space[a], 1)]
    innermost = _innermost(kept, folded, strides, ordered)
    if innermost in folded or not kept:
        folded = sorted(folded, key=lambda axis: axis == innermost)
        loops = [loop("o", kept, space, strides), loop("r", folded, space, strides)]
        return "rows", loops, (_count(space, kept), _count(space, folded))
    cut = len(kept) - 1
    while cut and len(loop("c", kept[cut - 1 :], space, strides).sizes) == 1:
        cut -= 1
    outer, inner = kept[:cut], kept[cut:]
    loops = [
        loop("o", outer, space, strides),
        loop("r", folded, space, strides),
        loop("c", inner, space, strides),
    ]
    return "columns", loops, (_count(space, outer), _count(space, folded), _count(space, inner))


def _innermost(
    kept: list[int], folded: list[int], strides: Sequence[Strides], ordered: bool
) -> int | None:
    """Return the axis whose neighbours lie side by side in most arrays, the last one if in doubt.

    Only the last of the axes that are kept can be it, as results are stored in their order; and
    only the last of all if the group stores elements as well.
    """
    axes = sorted([*kept, *folded])
    if not axes:
        return None
    candidates = [axes[-1]] if ordered else [*kept[-1:], *folded]
    return max(candidates, key=lambda a: (sum(same(s[a], 1) for s in strides), a))


def _count(space: Strides, axes: Sequence[int]) -> Dim:
    return product(space[axis] for axis in axes)


# -- bodies ---------------------------------------------------------------------------------------


class _Body:
    """The statements for one element, or for ``width`` neighbours along the last loop."""

    def __init__(self, plan: KernelPlan, width: int) -> None:
        self.plan = plan
        self.width = width
        self.text = plan.parameters.size

    def lines(self) -> list[str]:
        """Return the statements."""
        members = [n for n in self.plan.group.members if n.op.kind is Kind.ELEMENTWISE]
        return [
            *self._places(),
            *(self._load(operand) for operand in self.plan.operands),
            *(self._compute(node) for node in members),
            *self._truths(),
            *self._stores(),
        ]

    def _type(self, dtype: str) -> str:
        return c_name(dtype, self.width)

    def _places(self) -> list[str]:
        """Return the statements that find the places along the axes of loops over several."""
        lines = [line for one in self.plan.loops if one.is_split() for line in one.split(self.text)]
        last = self.plan.loops[-1]
        if self.width == 1 or not last.is_split():
            return lines
        arrays = [k for k in self._arrays() if last.stride(k) is None]
        lines.append(
            f"const bool in_row = {last.places[-1]} + {self.width} <= {self.text(last.sizes[-1])};"
        )
        lines += [f"long at_{k}[{self.width}];" for k in arrays]
        lines.append(f"for (int k = 0; k < {self.width}; ++k) {{")
        lines += [f"    at_{k}[k] = {self._index(k, self._offset(k))};" for k in arrays]
        return [*lines, f"    {last.step(self.text)}", "}"]

    def _arrays(self) -> list[int]:
        return [operand.array for operand in self.plan.operands if operand.array is not None]

    def _offset(self, array: int) -> Dim:
        return next(o.place.offset for o in self.plan.operands if o.array == array)

    def _index(self, array: int, offset: Dim, loops: Sequence[Loop] | None = None) -> str:
        """Return the index of an array's element."""
        terms: list[str] = []
        for one in self.plan.loops if loops is None else loops:
            stride = one.stride(array)
            if stride is not None:
                terms += term(one.variable, stride, self.text)
                continue
            for place, step in zip(one.places, one.strides[array], strict=True):
                terms += term(place, step, self.text)
        if not same(offset, 0):
            terms.append(self.text(offset))
        return total(terms)

    def _load(self, operand: Operand) -> str:
        dtype = operand.node.type.dtype
        return f"const {self._type(dtype)} {operand.name} = {self._value(operand, dtype)};"

    def _value(self, operand: Operand, dtype: str) -> str:
        base = operand.place.base
        if operand.array is None:
            value = number(base)
            if value is not None:
                return literal(value, dtype, self.width)
            name = self.plan.parameters.number(base)
            return f"({self._type(dtype)})({name})" if self.width > 1 else name
        index = self._index(operand.array, operand.place.offset)
        if base.op.name == "iota":
            return self._tuple(self._lanes(operand), dtype) if self.width > 1 else index
        pointer = self.plan.parameters.read(base)
        if self.width == 1:
            return loaded(dtype, pointer, index)
        return self._vector(operand, dtype, pointer, index)

    def _vector(self, operand: Operand, dtype: str, pointer: str, index: str) -> str:
        assert operand.array is not None
        last = self.plan.loops[-1]
        stride = last.stride(operand.array)
        if stride is not None and same(stride, 0):
            return f"({self._type(dtype)})({loaded(dtype, pointer, index)})"
        if stride is not None and same(stride, 1):
            return loaded_vector(dtype, f"{pointer} + {index}")
        lanes = [loaded(dtype, pointer, lane) for lane in self._lanes(operand)]
        single = self._tuple(lanes, dtype)
        if stride is None and same(last.strides[operand.array][-1], 1):
            row = loaded_vector(dtype, f"{pointer} + at_{operand.array}[0]")
            return f"in_row ? {row} : {single}"
        return single

    def _lanes(self, operand: Operand) -> list[str]:
        """Return the index of each lane."""
        assert operand.array is not None
        stride = self.plan.loops[-1].stride(operand.array)
        if stride is None:
            return [f"at_{operand.array}[{k}]" for k in range(self.width)]
        first = self._index(operand.array, operand.place.offset)
        step = self.text(stride)
        return [first] + [f"{first} + {k} * {step}" for k in range(1, self.width)]

    def _tuple(self, values: Sequence[str], dtype: str) -> str:
        return f"({self._type(dtype)})({', '.join(values)})"

    def _compute(self, node: Node) -> str:
        operands = [self._operand(child) for child in node.inputs]
        text = unwrapped(expression(node, operands, self.width))
        return f"const {self._type(node.type.dtype)} {self.plan._values[node]} = {text};"

    def _operand(self, node: Node) -> str:
        if node in self.plan._values:
            return self.plan._values[node]
        value = number(node)
        assert value is not None
        return literal(value, node.type.dtype, self.width)

    def _truths(self) -> list[str]:
        """Return the statements for what any and all fold of numbers."""
        found: dict[str, str] = {}
        for node in self.plan.folds:
            child = node.inputs[0]
            if fold_of(node) in ("any", "all") and child.type.dtype != "bool":
                name = self.plan._values[child]
                found[name] = f"const {self._type('bool')} truth_{name} = truth({name});"
        return list(found.values())

    def _stores(self) -> list[str]:
        lines = []
        first = len(self.plan.loops[-1].strides) - len(self.plan.stores)
        for k, (node, pointer) in enumerate(self.plan.stores, first):
            index, value = self._index(k, 0), self.plan._values[node]
            lines.append(store(node.type.dtype, value, pointer, index, self.width))
        return lines
