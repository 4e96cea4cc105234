"""A group as a Python function over arrays: one NumPy call per node, results in few buffers."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from graphc.emit import scalars
from graphc.emit.writer import Names, Writer
from graphc.ir.node import Node, number
from graphc.ir.op import Kind
from graphc.ir.types import TensorType
from graphc.lower.program import Group, Launch, Program, Role, is_scalar


@dataclass
class Kernel:
    """The function of a group.

    Attributes
    ----------
    parameters : list of Node
        Arrays and scalars it takes, then ``stores``, then one scratch array per ``scratch``.
    stores : list of Node
        Outputs it writes into arrays it is given.
    returns : list of Node
        Folds over all axes, which it returns.
    scratch : list of str
        Dtypes of its scratch arrays.
    """

    name: str
    parameters: list[Node]
    stores: list[Node]
    returns: list[Node]
    scratch: list[str] = field(default_factory=list)


@dataclass
class _Slots:
    """Which variable holds which node, and which are free: registers for arrays."""

    names: Names
    free: dict[str, list[str]]
    held: dict[Node, str]
    made: list[tuple[str, str]]  # name, dtype
    lent: dict[str, int]  # store variable -> the statement that fills it for good

    def take(self, dtype: str, until: int, own: str | None) -> str:
        """Return a free variable for a value needed until a statement; ``own`` if that is free."""
        free = self.free.setdefault(dtype, [])
        if own is not None:
            if own in free:
                free.remove(own)
            return own
        for name in free:
            if until <= self.lent.get(name, until):
                free.remove(name)
                return name
        name = self.names.fresh("s")
        self.made.append((name, dtype))
        return name


_UNSAFE = ("where",)  # written in two statements, so never over their own operands


def write_kernel(
    writer: Writer, name: str, step: Launch, program: Program, constants: dict[str, str]
) -> Kernel:
    """Write the function of a group, and return how to call it.

    ``constants`` collects the definitions of the numbers it uses, by name.
    """
    group = step.group
    stores = [node for node in group.outputs if not is_scalar(node)]
    stores.sort(key=lambda node: node.op.kind is Kind.REDUCE)  # folds last: see Tiled
    returns = [node for node in group.outputs if is_scalar(node)]
    arrays = [node for node in group.inputs if number(node) is None]
    kernel = Kernel(name, arrays, stores, returns)
    names = Names(("np", "inf", "nan", "choose", "convert", "polygamma", "special", name))
    for node in arrays:
        names.give(node, "x")
    outs = {node: names.fresh("o") for node in stores}
    body, slots = _statements(group, names, outs, program, constants)
    kernel.scratch = [dtype for _, dtype in slots.made]
    used = [names[node] for node in arrays] + [outs[node] for node in stores]
    used += [scratch for scratch, _ in slots.made]
    writer.line(f"def {name}({', '.join(used)}):")
    writer.indent()
    writer.extend(body)
    if returns:
        writer.line("return " + ", ".join(_number(node, slots.held[node]) for node in returns))
    writer.indent(-1)
    writer.line()
    return kernel


def _constant(value: bool | int | float, dtype: str, constants: dict[str, str]) -> str:
    """Return the name of a number as a 0-d array, which a small operation takes faster."""
    text = scalars.literal(value).strip("()")
    short = text.removesuffix(".0").replace("-", "m").replace("+", "").replace(".", "_")
    name = f"c_{short}" if dtype == "float64" else f"c_{short}_{dtype}"
    constants[name] = f"np.array({text})" if dtype == "float64" else f"np.array({text}, '{dtype}')"
    return name


def _statements(
    group: Group,
    names: Names,
    outs: dict[Node, str],
    program: Program,
    constants: dict[str, str],
) -> tuple[Writer, _Slots]:
    last = _last_reads(group)
    place = {node: i for i, node in enumerate(group.members)}
    reused = program.reused
    lent = {
        outs[node]: place[node] - (node.op.name in _UNSAFE)
        for node in outs
        if _may_lend(node, program, reused)
    }
    free: dict[str, list[str]] = {}
    for node, name in outs.items():
        if name in lent and node.op.kind is Kind.ELEMENTWISE:
            free.setdefault(node.type.dtype, []).append(name)
    slots = _Slots(names, free, {}, [], lent)
    body = Writer()
    products = _inner_products(group)
    for i, node in enumerate(group.members):
        operands = [_operand(child, names, slots, constants) for child in node.inputs]
        dying = [n for n in dict.fromkeys(node.inputs) if n in slots.held and last[n] == i]
        dying = [n for n in dying if n not in outs and n.op.kind is Kind.ELEMENTWISE]
        if node.op.name not in _UNSAFE:
            _release(dying, slots)
            dying = []
        if node.op.kind is Kind.REDUCE:
            if node.inputs[0] in products:
                _inner(body, node, products[node.inputs[0]], slots, i)
            else:
                _fold(body, node, operands, outs, slots, i)
        else:
            out = slots.take(node.type.dtype, last.get(node, i), outs.get(node))
            slots.held[node] = out
            if node in products:
                products[node] = operands
            else:
                body.line(_template(node).format(*operands, out=out), [node])
        _release(dying, slots)
    return body, slots


def _inner_products(group: Group) -> dict[Node, list[str]]:
    """Return the products of vectors that come in from outside and are only summed, at once."""
    found: dict[Node, list[str]] = {}
    outside, kept = set(group.inputs), set(group.outputs)
    uses = Counter(child for node in group.members for child in node.inputs)
    for node, user in itertools.pairwise(group.members):
        if (
            node.op.name in ("mul", "sqr")
            and node.type.dtype in ("float32", "float64")
            and node not in kept
            and all(n.type.shape == (None,) and n in outside for n in node.inputs)
            and user.op.name == "sum"
            and is_scalar(user)
            and user.inputs == (node,)
            and uses[node] == 1
        ):
            found[node] = []
    return found


def _inner(body: Writer, node: Node, operands: list[str], slots: _Slots, i: int) -> None:
    x, y = operands * 2 if len(operands) == 1 else operands
    slots.held[node] = f"r{i}"
    body.line(f"r{i} = inner({x}, {y}, {slots.held[node.inputs[0]]})", [node])


def _number(node: Node, text: str) -> str:
    """Return a fold as a Python number, which scalars are computed on faster."""
    return f"float({text})" if node.type.dtype == "float64" else text


def _last_reads(group: Group) -> dict[Node, int]:
    return {child: i for i, node in enumerate(group.members) for child in node.inputs}


def _may_lend(node: Node, program: Program, reused: frozenset[int]) -> bool:
    """Tell whether an output's array may hold other values before its own: not if it is read."""
    buffer = program.buffers.get(node)
    return buffer is not None and buffer.role is not Role.IN_PLACE and buffer.id not in reused


def _operand(node: Node, names: Names, slots: _Slots, constants: dict[str, str]) -> str:
    value = number(node)
    if value is not None:
        return _constant(value, node.type.dtype, constants)
    return slots.held.get(node) or names[node]


def _release(nodes: Sequence[Node], slots: _Slots) -> None:
    for node in nodes:
        slots.free.setdefault(node.type.dtype, []).append(slots.held[node])


_WITH_A_NUMBER = {"maximum": "at_least({0}, {1}, {out})", "minimum": "at_most({0}, {1}, {out})"}


def _template(node: Node) -> str:
    """Return the template of a member; with a number, NumPy has a faster way for long arrays."""
    if node.op.name in _WITH_A_NUMBER and number(node.inputs[1]) is not None:
        whole = node.inputs[0].type.shape == node.type.shape
        if whole and node.type.dtype in ("float32", "float64"):
            return _WITH_A_NUMBER[node.op.name]
    return node.op.code["numpy"]


def _fold(
    body: Writer, node: Node, operands: list[str], outs: dict[Node, str], slots: _Slots, i: int
) -> None:
    axes: tuple[int, ...] = node.attrs["axes"]
    complete = is_scalar(node)
    template = _template(node)
    out = outs.get(node)
    if out is None:
        out = f"r{i}"
        template = f"{out} = " + scalars.without_out(template)
    slots.held[node] = out
    inner: TensorType = node.inputs[0].type
    float_ = inner.dtype.startswith("float")
    vector = complete and inner.ndim == 1
    text = template.format(
        *operands,
        axes="None" if complete and not vector else (axes[0] if len(axes) == 1 else axes),
        axis="None" if vector else axes[0],
        dtype="None" if float_ else repr(node.type.dtype),
        out=out,
    )
    if vector:  # what is left out is NumPy's default
        text = text.replace(", 0, None)", ")").replace(", None)", ")")
    body.line(text, [node])
