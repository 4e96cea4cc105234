"""Loops and branches: `scan`, and `ifelse`.

A scan is::

    scan(count, *sequences, *inits, *constants;
         body, n_seq, n_carry, traced, stops, truncate, backwards)
      body : (element of each sequence, carry..., constant...) -> (next carry..., out..., [stop])
      value: (steps, carry..., stacked out...)

and means::

    carry, steps = inits, 0
    while steps < count:
        *found, stop = body(*[s[steps] for s in sequences], *carry, *constants)
        carry, out = found[:n_carry], found[n_carry:]
        outs.append(out)
        steps += 1
        if stops and stop:
            break

The value of a carry is the last one, or, where ``traced``, all of them: ``count + 1`` rows, the
initial value first. Outs have ``count`` rows. After a stop, the rows that were not reached are
unspecified: who builds a scan that stops cuts them off. The body is closed: what it uses from
outside is passed as a constant. A carry keeps its dtype and sizes. The count is not negative.

A loop that runs ``backwards`` reads the last element first and fills rows from the last one on:
step i is about row ``count - 1 - i``. It has no traces and does not stop. Rules make such loops of
those that read all sequences from their ends.

``truncate`` is for gradients only: they go back through the last so many steps and no further, so
that the first values of carries get none from a longer loop; None is all steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc.errors import GraphcTypeError, InternalError, ShapeError, message
from graphc.ir import dtypes
from graphc.ir.graph import Graph
from graphc.ir.node import CONST, DIM, PARAM, Node, apply, as_node, dim, make, operand
from graphc.ir.op import Kind, Op, register
from graphc.ir.replace import substitute
from graphc.ir.shapes import Dim, add, as_dim, as_size_node, located, never_negative, sizes
from graphc.ir.source import here
from graphc.ir.types import Attrs, TensorType, TupleType
from graphc.ir.walk import demanded, depends_on, toposort
from graphc.ops.elementwise import cast
from graphc.ops.family import to_dtype
from graphc.ops.movement import dimshuffle, fill, static
from graphc.ops.parts import slice_axes
from graphc.ops.results import get

# -- branches -------------------------------------------------------------------------------------


def _prepare_ifelse(op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> tuple[Node, ...]:
    condition, a, b = map(as_node, args)
    if condition.type.ndim:
        raise GraphcTypeError(
            message(
                "the condition of ifelse is one value, not an array",
                [operand(condition)],
                here(),
                "T.switch(condition, a, b) chooses at every point; condition.any() or .all() is one"
                "\nvalue",
            )
        )
    common = dtypes.promote(a.type.dtype, b.type.dtype)
    return cast(condition, "bool"), to_dtype(a, common), to_dtype(b, common)


def _infer_ifelse(inputs: tuple[Node, ...], attrs: Attrs) -> TensorType:
    a, b = inputs[1], inputs[2]
    if a.type.ndim != b.type.ndim:
        raise GraphcTypeError(
            message(
                f"the branches of ifelse have {a.type.ndim} and {b.type.ndim} axes",
                [operand(a), operand(b)],
                here(),
                "give them the same number of axes: x.dimshuffle('x', 0), x.flatten(), ...",
            )
        )
    pairs = zip(a.type.shape, b.type.shape, strict=True)
    return TensorType(a.type.dtype, tuple(m if m == n else None for m, n in pairs))


def _ifelse_dims(node: Node) -> tuple[Dim, ...]:
    condition, a, b = node.inputs
    pairs = zip(sizes(a), sizes(b), strict=True)
    return tuple(
        m
        if m is n or (isinstance(m, int) and m == n)
        else ifelse(condition, as_size_node(m), as_size_node(n))
        for m, n in pairs
    )


def _ifelse_vjp(g: Node, out: Node, condition: Node, a: Node, b: Node) -> list[Node | None]:
    return [None, ifelse(condition, g, fill(b, 0)), ifelse(condition, fill(a, 0), g)]


_ifelse = register(
    Op(
        name="ifelse",
        kind=Kind.REGION,
        infer=_infer_ifelse,
        dims=_ifelse_dims,
        prepare=_prepare_ifelse,
        vjp=_ifelse_vjp,
        lazy=(1, 2),
        weight=2,
        reference=lambda condition, a, b: a if condition else b,
        doc="One of two values; the other one is not computed.",
    )
)


def ifelse(condition: Any, a: Any, b: Any) -> Any:
    """Return a where a scalar condition holds, else b; what is not chosen is not computed.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x = T.dvector("x")
    >>> ifelse(x.sum() > 0, x, -x).type
    float64[?]
    """
    return apply(_ifelse, condition, a, b)


# -- loops ----------------------------------------------------------------------------------------


Nodes = tuple[Node, ...]


def scan_parts(node: Node) -> tuple[Nodes, Nodes, Nodes]:
    """Return the sequences, initial carries and constants of a scan."""
    return _parts(node.inputs, node.attrs)


def _parts(inputs: Nodes, attrs: Attrs) -> tuple[Nodes, Nodes, Nodes]:
    n_seq, n_carry = attrs["n_seq"], attrs["n_carry"]
    rest = inputs[1:]
    return rest[:n_seq], rest[n_seq : n_seq + n_carry], rest[n_seq + n_carry :]


def _infer_scan(inputs: tuple[Node, ...], attrs: Attrs) -> TupleType:
    body, n_seq, n_carry = attrs["body"], attrs["n_seq"], attrs["n_carry"]
    _check_parameters(inputs, attrs)
    rows = static(inputs[0])
    items = [TensorType("int64", ())]
    carries = body.params[n_seq : n_seq + n_carry]
    for parameter, following, traced in zip(carries, body.results, attrs["traced"], strict=False):
        kind = parameter.type
        if not _may_be(following.type, kind):
            raise InternalError(f"a carry of {kind!r} becomes {following.type!r}")
        own = (None if rows is None else rows + 1, *kind.shape)
        items.append(kind.with_shape(own) if traced else kind)
    for out in _outs_of(body, attrs):
        items.append(out.type.with_shape((rows, *out.type.shape)))
    return TupleType(tuple(items))


def _outs_of(body: Graph, attrs: Attrs) -> tuple[Node, ...]:
    end = len(body.results) - attrs["stops"]
    return body.results[attrs["n_carry"] : end]


def _may_be(found: TensorType, wanted: TensorType) -> bool:
    """Tell whether a value of one type may be given where another is expected."""
    return (
        found.dtype == wanted.dtype
        and found.ndim == wanted.ndim
        and all(None in (m, n) or m == n for m, n in zip(found.shape, wanted.shape, strict=True))
    )


def _check_parameters(inputs: tuple[Node, ...], attrs: Attrs) -> None:
    sequences, inits, constants = _parts(inputs, attrs)
    given = [s.type.with_shape(s.type.shape[1:]) for s in sequences]
    given += [node.type for node in (*inits, *constants)]
    body = attrs["body"]
    if len(given) != len(body.params):
        raise InternalError(f"a body of {len(body.params)} parameters gets {len(given)}")
    for parameter, kind in zip(body.params, given, strict=True):
        if not _may_be(kind, parameter.type):
            raise InternalError(f"a parameter of {parameter.type!r} gets {kind!r}")


def first_row(sequence: Node) -> Node:
    """Return element 0 of a sequence: what has the sizes that every element has."""
    row = slice_axes(sequence, [0], [0], [1], [1])
    return dimshuffle(row, range(1, sequence.type.ndim))  # type: ignore[no-any-return]


def outside(node: Node, values: Sequence[Node]) -> list[Node]:
    """Return expressions over the parameters of a scan's body as expressions around the scan.

    Sizes of elements become sizes of sequences, sizes of carries those of their first values.
    """
    outer = node.inputs[1:]
    used = set(toposort(values))
    replace = {
        parameter: first_row(outer[i]) if i < node.attrs["n_seq"] else outer[i]
        for i, parameter in enumerate(node.attrs["body"].params)
        if parameter in used
    }
    return substitute(values, replace)


def varies(size: Dim, attrs: Attrs) -> bool:
    """Tell whether a size in a body depends on the value of an element or a carry."""
    if isinstance(size, int):
        return False
    stop = {below for below in toposort([size]) if below.op is DIM}
    own = attrs["n_seq"] + attrs["n_carry"]
    return any(
        below.op is PARAM and below.attrs["index"] < own
        for below in toposort([size], stop)
        if below not in stop
    )


def _scan_dims(node: Node) -> tuple[tuple[Dim, ...], ...]:
    body, n_seq, n_carry = (node.attrs[key] for key in ("body", "n_seq", "n_carry"))
    count = as_dim(node.inputs[0])
    found: list[tuple[Dim, ...]] = [()]
    for parameter, traced in zip(
        body.params[n_seq : n_seq + n_carry], node.attrs["traced"], strict=True
    ):
        own = _outer_sizes(node, parameter)
        found.append((add(count, 1), *own) if traced else own)
    found += [(count, *_outer_sizes(node, out)) for out in _outs_of(body, node.attrs)]
    return tuple(found)


def _outer_sizes(node: Node, value: Node) -> tuple[Dim, ...]:
    own = [_settled(size, node.attrs) for size in sizes(value)]
    for size in own:
        if varies(size, node.attrs):
            raise ShapeError(
                message(
                    "the size of a result of scan changes from step to step",
                    [operand(value)],
                    value.where or node.where,
                    "all steps must give results of one size, as they are stacked",
                )
            )
    symbolic = [size for size in own if isinstance(size, Node)]
    outer = iter(outside(node, symbolic))
    return tuple(size if isinstance(size, int) else as_dim(next(outer)) for size in own)


def _choices(size: Dim, attrs: Attrs) -> list[Node]:
    """Return the choices between sizes that a step makes on its way to a size."""
    if not varies(size, attrs):
        return []
    return [n for n in toposort([as_size_node(size)]) if n.op is _ifelse and varies(n, attrs)]


def _settled(size: Dim, attrs: Attrs) -> Dim:
    """Return a size without the choices that steps make: all steps must give the same."""
    while choices := _choices(size, attrs):
        choice = choices[-1]
        size = as_dim(substitute([as_size_node(size)], {choice: choice.inputs[1]})[0])
    return size


def _scan_checks(node: Node) -> list[tuple[Any, ...]]:
    """Return what must hold of sizes: enough elements, carries that keep their sizes, the body's.

    What the body must check in every step, because it depends on values, is not among them.
    """
    body, n_seq, n_carry = (node.attrs[key] for key in ("body", "n_seq", "n_carry"))
    count = as_dim(node.inputs[0])
    found: list[tuple[Any, ...]] = [
        (sizes(sequence)[0], ">=", count, node)
        for sequence in scan_parts(node)[0]
        if sizes(sequence)[0] is not count
    ]
    if isinstance(count, Node) and not never_negative(count):
        found.append((count, ">=", 0, node))
    inside: list[tuple[Any, ...]] = []
    for parameter, following in zip(
        body.params[n_seq : n_seq + n_carry], body.results, strict=False
    ):
        pairs = zip(sizes(parameter), sizes(following), strict=True)
        inside += [(left, "==", right, following) for left, right in pairs]
    for out in body.results[: len(body.results) - node.attrs["stops"]]:
        choices = [choice for size in sizes(out) for choice in _choices(size, node.attrs)]
        inside += [(as_dim(c.inputs[1]), "==", as_dim(c.inputs[2]), out) for c in choices]
    for below in demanded(body.results):
        inside += [located(check, below) for check in below.op.checks(below)]
    return found + [_outside_check(node, check) for check in inside if _is_fixed(check, node)]


def _is_fixed(check: tuple[Any, ...], node: Node) -> bool:
    left, _, right, _ = check
    return left is not right and not varies(left, node.attrs) and not varies(right, node.attrs)


def _outside_check(node: Node, check: tuple[Any, ...]) -> tuple[Any, ...]:
    left, relation, right, where = check
    found = outside(node, [as_size_node(left), as_size_node(right)])
    return as_dim(found[0]), relation, as_dim(found[1]), where


scan_op = register(
    Op(
        name="scan",
        kind=Kind.REGION,
        attrs=("body", "n_seq", "n_carry", "traced", "stops", "truncate", "backwards"),
        infer=_infer_scan,
        dims=_scan_dims,
        checks=_scan_checks,
        weight=1000,
        doc="A loop: a body applied to each element of sequences, with values carried along.",
    )
)


# -- leaves of opened loops -----------------------------------------------------------------------


def _no_infer(inputs: Nodes, attrs: Attrs) -> TensorType:
    raise InternalError("leaves carry their type")


def _leaf_op(name: str, attrs: tuple[str, ...], doc: str) -> Op:
    return register(
        Op(
            name=name,
            kind=Kind.SOURCE,
            attrs=attrs,
            infer=_no_infer,
            dims=lambda node: node.type.shape,
            weight=0,
            doc=doc,
        )
    )


COUNTER = _leaf_op("counter", ("of",), "The number of the step of a loop that is lowered.")
CELL = _leaf_op("cell", ("of", "place"), "A carry, or rows that a loop fills, when it is lowered.")


_in_loop = register(
    Op(
        name="in_loop",
        kind=Kind.VIEW,
        infer=lambda inputs, attrs: inputs[0].type,
        dims=lambda node: sizes(node.inputs[0]),
        weight=0,
        formula="{0}",
        doc="The same value, told apart from the one outside of the loop with this counter.",
    )
)


def in_loop(x: Node, counter: Node) -> Any:
    """Return x as an expression that only the steps of an opened loop compute with."""
    return apply(_in_loop, x, counter)


def steps_of(node: Node) -> Node:
    """Return how many steps a scan made."""
    return get(node, 0)  # type: ignore[no-any-return]


def carry_of(node: Node, place: int) -> Node:
    """Return what became of a carry: its last value, or its trace."""
    return get(node, 1 + place)  # type: ignore[no-any-return]


def out_of(node: Node, place: int) -> Node:
    """Return the rows of an out."""
    return get(node, 1 + node.attrs["n_carry"] + place)  # type: ignore[no-any-return]


# -- loops taken apart ----------------------------------------------------------------------------


@dataclass
class Carry:
    """What a loop carries along: its name inside, its first value, its next one."""

    inside: Node
    initial: Node
    following: Node
    traced: bool = False


@dataclass
class Loop:
    """A scan in pieces, with fresh leaves for the parameters of its body.

    Attributes
    ----------
    count : Node
    sequences, constants : list of (Node, Node)
        The leaf inside, and what it is outside.
    carries : list of Carry
    outs : list of Node
        Over the leaves.
    stop : Node or None
        A bool over the leaves: the step in which it holds is the last.
    truncate : int or None
        How many steps gradients go back.
    backwards : bool
        Whether the last row comes first.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> xs, total, x = T.dvector("xs"), T.dscalar("total"), T.dscalar("x")
    >>> carry = Carry(total, T.constant(0.0), total + x)
    >>> node = Loop(xs.shape[0], [(x, xs)], [carry]).close()
    >>> carry_of(node, 0).type
    float64
    """

    count: Node
    sequences: list[tuple[Node, Node]] = field(default_factory=list)
    carries: list[Carry] = field(default_factory=list)
    constants: list[tuple[Node, Node]] = field(default_factory=list)
    outs: list[Node] = field(default_factory=list)
    stop: Node | None = None
    truncate: int | None = None
    backwards: bool = False

    @staticmethod
    def open(node: Node) -> Loop:
        """Take a scan apart."""
        attrs = node.attrs
        leaves, found = attrs["body"].open()
        sequences, inits, constants = scan_parts(node)
        n_seq, n_carry = len(sequences), len(inits)
        stop = found.pop() if attrs["stops"] else None
        carried = zip(leaves[n_seq:], inits, found[:n_carry], attrs["traced"], strict=False)
        return Loop(
            node.inputs[0],
            list(zip(leaves, sequences, strict=False)),
            [Carry(*parts) for parts in carried],
            list(zip(leaves[n_seq + n_carry :], constants, strict=True)),
            found[n_carry:],
            stop,
            attrs["truncate"],
            attrs["backwards"],
        )

    @property
    def results(self) -> list[Node]:
        """What the body computes: next carries, outs and the stop."""
        stop = [] if self.stop is None else [self.stop]
        return [*(carry.following for carry in self.carries), *self.outs, *stop]

    @results.setter
    def results(self, new: Sequence[Node]) -> None:
        n_carry, n_out = len(self.carries), len(self.outs)
        for carry, following in zip(self.carries, new, strict=False):
            carry.following = following
        self.outs = list(new[n_carry : n_carry + n_out])
        self.stop = None if self.stop is None else new[-1]

    @property
    def varying(self) -> list[Node]:
        """The leaves that change from step to step: elements and carries."""
        return [leaf for leaf, _ in self.sequences] + [carry.inside for carry in self.carries]

    def close(self) -> Node:
        """Return the scan: what its body uses from outside becomes a constant of it.

        An expression that does not change from step to step is computed before the loop, unless
        only a branch asks for it, which may not be taken.
        """
        self._inline_constants()
        own = self.varying
        fixed = dict(self.constants)
        captured = [n for n in self._captured(own) if n not in fixed]
        used = set(toposort(self.results, stop={*own, *fixed, *captured}))
        inner = [leaf for leaf in fixed if leaf in used] + captured
        body, leaves = Graph.close([*own, *inner], self.results)
        constants = [fixed.get(leaf, leaf) for leaf in (*inner, *leaves)]
        inputs = (
            cast(self.count, "int64"),
            *(outer for _, outer in self.sequences),
            *(carry.initial for carry in self.carries),
            *constants,
        )
        attrs = Attrs(
            {
                "body": body,
                "n_seq": len(self.sequences),
                "n_carry": len(self.carries),
                "traced": tuple(carry.traced for carry in self.carries),
                "stops": self.stop is not None,
                "truncate": self.truncate,
                "backwards": self.backwards,
            }
        )
        node = make(scan_op, inputs, attrs, _infer_scan(inputs, attrs), here())
        _scan_dims(node)  # raises where results have no fixed size
        return node

    def _inline_constants(self) -> None:
        """Put numbers in the body, and one leaf for what is given twice."""
        replace: dict[Node, Node] = {}
        first: dict[Node, Node] = {}
        for leaf, outer in self.constants:
            if outer.op is CONST and outer.type is leaf.type:
                replace[leaf] = outer
            elif first.setdefault(outer, leaf) is not leaf:
                replace[leaf] = first[outer]
        self.constants = [pair for pair in self.constants if pair[0] not in replace]
        leaves = {outer: leaf for leaf, outer in self.constants}
        for node in toposort(self.results):
            if node.op is DIM and node.inputs[0] in leaves:
                replace[node] = dim(leaves[node.inputs[0]], node.attrs["axis"])
        self.results = substitute(self.results, replace)

    def _captured(self, own: Sequence[Node]) -> list[Node]:
        """Return the largest expressions of the body that are the same in every step."""
        order = toposort(self.results)
        changing = depends_on(order, {*own, *(leaf for leaf, _ in self.constants)})
        wanted = set(demanded(self.results))
        found: dict[Node, None] = {}
        for node in self.results:
            if node not in changing and node.op is not CONST:
                found[node] = None
        for node in order:
            if node not in changing or node not in wanted:
                continue
            for place, child in enumerate(node.inputs):
                if child not in changing and place not in node.op.lazy:
                    found.update(dict.fromkeys(_worth_passing(child)))
        # the size of what is passed anyway is found inside
        return [n for n in found if not (n.op is DIM and n.inputs[0] in found)]


def is_size(node: Node) -> bool:
    """Tell whether a scalar is made of sizes and numbers only."""
    if node.type.ndim or node.type.dtype != "int64":
        return False
    stop = {below for below in toposort([node]) if below.op is DIM}
    return all(
        below.op in (DIM, CONST) or below.op.kind is Kind.ELEMENTWISE
        for below in toposort([node], stop)
    )


def _worth_passing(node: Node) -> list[Node]:
    """Return what to pass to a body for something that is the same in every step.

    A repeated number is repeated inside, where it may vanish into an operand of full size. Sizes
    are formulas over those of what is passed anyway.
    """
    if node.op is CONST or is_size(node):
        return []
    if node.op.name == "expand" and not node.inputs[0].type.ndim:
        return [child for child in node.inputs if child.op is not CONST]
    return [node]
