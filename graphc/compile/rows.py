"""Expressions as plain data, for files: a list of rows, one a node, and arrays beside them.

Only what is listed here can be written or read: numbers, words, tuples, types, arrays, ops by
name, and closed graphs of the same. Nothing that is read is ever run, and no word that is read can
become part of generated code other than as a name or a number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.compile.shared import Container, SharedVariable, state_of
from graphc.errors import FileFormatError, NotSupportedError, message
from graphc.ir.graph import Graph, check_closed
from graphc.ir.node import CONST, Literal, Node, Token, make, operand
from graphc.ir.op import OPS, Kind, Op
from graphc.ir.source import Location
from graphc.ir.types import Attrs, TensorType, TupleType, Type
from graphc.ir.verify import refines
from graphc.ir.walk import toposort

_WORD = re.compile(r"[\w .,:+>-]*", re.ASCII)
_TEXTS = ("called", "message", "slots")  # what is only shown to people


# -- writing --------------------------------------------------------------------------------------


def _by_age(nodes: Sequence[Node]) -> list[Node]:
    """Return nodes and all below, the older first; what is made of constants, where it is needed.

    Constants and what is made of them outlive a program, so their age says nothing about it.
    """
    every = toposort(nodes)
    fixed: set[Node] = set()
    for node in every:
        if node.op is CONST or (node.inputs and all(child in fixed for child in node.inputs)):
            fixed.add(node)
    order: dict[Node, None] = {}
    for node in sorted(set(every) - fixed, key=lambda node: node.serial):
        needed = [child for child in node.inputs if child in fixed and child not in order]
        order.update(dict.fromkeys(toposort(needed, stop=order)))
        order[node] = None
    order.update(dict.fromkeys(toposort(nodes, stop=order)))
    return list(order)


class Writing:
    """What is written beside the rows: arrays, tokens and containers, each once."""

    def __init__(self) -> None:
        self.arrays: list[np.ndarray] = []
        self._literals: dict[Literal, int] = {}
        self._tokens: dict[Token, int] = {}
        self._containers: dict[Container, int] = {}

    def rows(self, nodes: Iterable[Node]) -> tuple[list[dict[str, Any]], dict[Node, int]]:
        """Return the rows of nodes and all below, oldest first, and the place of each node.

        Commutative ops are ordered by the age of inputs as a last resort: so the order of ages is
        part of what must come back.
        """
        order = _by_age(list(nodes))
        place = {node: i for i, node in enumerate(order)}
        return [self._row(node, place) for node in order], place

    def _row(self, node: Node, place: Mapping[Node, int]) -> dict[str, Any]:
        row: dict[str, Any] = {"op": node.op.name, "type": _type_out(node.type)}
        if node.inputs:
            row["inputs"] = [place[child] for child in node.inputs]
        if isinstance(node, SharedVariable):
            row["value"] = self._container(node.container)
        elif node.attrs:
            row["attrs"] = {k: self._value(v, node, k) for k, v in node.attrs.items()}
        if node.where is not None:
            row["where"] = [_printable(node.where.filename), node.where.line]
        if node.name is not None:
            row["name"] = _printable(str(node.name))
        return row

    def _container(self, container: Container) -> int:
        if container not in self._containers:
            self._containers[container] = len(self.arrays)
            self.arrays.append(container.data.copy())
        return self._containers[container]

    def _value(self, value: Any, node: Node, name: str) -> Any:
        if value is None or type(value) in (bool, int):
            return value
        if type(value) is str and (name in _TEXTS or _WORD.fullmatch(value)):
            return value
        for kind, tag, write in _WRITTEN:
            if type(value) is kind:
                return {tag: write(self, value, node, name)}
        raise NotSupportedError(
            message(
                f"{node.op.name} cannot be written to a file: its {name} is {value!r}",
                [operand(node)],
                node.where,
                "pickle it, if that is found by name in a module; or keep the program itself",
            )
        )

    def _literal(self, value: Literal) -> int:
        if value not in self._literals:
            self._literals[value] = len(self.arrays)
            self.arrays.append(value.array)
        return self._literals[value]

    def _graph(self, graph: Graph) -> dict[str, Any]:
        rows, place = self.rows((*graph.params, *graph.results))
        params, results = ([place[n] for n in nodes] for nodes in (graph.params, graph.results))
        return {"rows": rows, "params": params, "results": results}


_WRITTEN: list[tuple[type, str, Callable[[Writing, Any, Node, str], Any]]] = [
    (float, "float", lambda w, v, node, name: v.hex()),
    (tuple, "tuple", lambda w, v, node, name: [w._value(item, node, name) for item in v]),
    (Literal, "array", lambda w, v, node, name: w._literal(v)),
    (Token, "token", lambda w, v, node, name: w._tokens.setdefault(v, len(w._tokens))),
    (TensorType, "type", lambda w, v, node, name: _type_out(v)),
    (TupleType, "type", lambda w, v, node, name: _type_out(v)),
    (Op, "op", lambda w, v, node, name: v.name),
    (Graph, "graph", lambda w, v, node, name: w._graph(v)),
    (slice, "slice", lambda w, v, node, name: [v.start, v.stop, v.step]),
    (
        Attrs,
        "attrs",
        lambda w, v, node, name: [[k, w._value(item, node, k)] for k, item in v.items()],
    ),
]


def _type_out(kind: Type) -> Any:
    if isinstance(kind, TupleType):
        return {"items": [_type_out(item) for item in kind.items]}
    return [kind.dtype, list(kind.shape)]


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


# -- reading --------------------------------------------------------------------------------------


class Reading:
    """Rows back into nodes, over arrays that were read and checked; everything is checked again."""

    def __init__(self, arrays: Sequence[np.ndarray]) -> None:
        self._arrays = arrays
        self._tokens: dict[int, Token] = {}
        self._containers: dict[int, Container] = {}

    def nodes(self, rows: Sequence[Mapping[str, Any]]) -> list[Node]:
        """Return the node of each row."""
        found: list[Node] = []
        for row in rows:
            node = self._node(row, found)
            name = row.get("name")
            if name is not None:
                node.name = node.name or _clean(name)
            found.append(node)
        return found

    def _node(self, row: Mapping[str, Any], before: list[Node]) -> Node:
        op = _op(row["op"])
        kind = _type_in(row["type"])
        where = row.get("where")
        place = Location(_clean(where[0]), int(where[1])) if where is not None else None
        if "value" in row:
            return self._shared(int(row["value"]), kind, place)
        inputs = tuple(before[_place(i, len(before))] for i in row.get("inputs", ()))
        written = row.get("attrs", {})
        if set(written) != set(op.attrs):
            raise FileFormatError(f"op {op.name!r} with {list(written)} in place of {op.attrs}")
        attrs = Attrs({name: self._value(written[name], name) for name in op.attrs})
        _check(op, inputs, attrs, kind)
        return make(op, inputs, attrs, kind, place)

    def _shared(self, place: int, kind: Type, where: Location | None) -> SharedVariable:
        if not isinstance(kind, TensorType):
            raise FileFormatError("a shared variable holds one array")
        value = self._arrays[_place(place, len(self._arrays))]
        variable = state_of(kind, np.empty(0), None)
        variable.where = where
        if place not in self._containers:
            self._containers[place] = Container(variable._checked(value, copy=True))
        variable.container = self._containers[place]
        variable._checked(variable.data, copy=False)
        return variable

    def _value(self, value: Any, name: str) -> Any:
        if value is None or type(value) in (bool, int):
            return value
        if type(value) is str and (name in _TEXTS or _WORD.fullmatch(value)):
            return _clean(value)
        if not isinstance(value, dict) or len(value) != 1:
            raise FileFormatError(f"{name} is {value!r}")
        ((tag, inner),) = value.items()
        read = _READ.get(tag)
        if read is None:
            raise FileFormatError(f"{name} is of an unknown kind, {tag!r}")
        return read(self, inner, name)

    def _token(self, number: int) -> Token:
        return self._tokens.setdefault(int(number), Token())

    def _graph(self, parts: Mapping[str, Any]) -> Graph:
        nodes = self.nodes(parts["rows"])
        params, results = (
            tuple(nodes[_place(i, len(nodes))] for i in parts[key]) for key in ("params", "results")
        )
        graph = Graph(params, results)
        check_closed(graph)
        return graph


_READ: dict[str, Callable[[Reading, Any, str], Any]] = {
    "float": lambda r, v, name: float.fromhex(v),
    "tuple": lambda r, v, name: tuple(r._value(item, name) for item in v),
    "array": lambda r, v, name: Literal(r._arrays[_place(v, len(r._arrays))]),
    "token": lambda r, v, name: r._token(v),
    "type": lambda r, v, name: _type_in(v),
    "op": lambda r, v, name: _op(v),
    "graph": lambda r, v, name: r._graph(v),
    "slice": lambda r, v, name: slice(*(_whole(n) for n in v)),
    "attrs": lambda r, v, name: Attrs({_clean(k): r._value(item, k) for k, item in v}),
}


def _check(op: Op, inputs: tuple[Node, ...], attrs: Attrs, kind: Type) -> None:
    """Raise unless a row is what its op says; leaves carry their type."""
    if op is CONST:
        array = attrs["value"].array
        if kind is not TensorType(array.dtype.name, array.shape):
            raise FileFormatError(f"a constant of {kind!r} is {array.dtype}{list(array.shape)}")
    elif op.kind is not Kind.SOURCE:
        inferred = op.infer(inputs, attrs)
        if not refines(kind, inferred):
            raise FileFormatError(f"{op.name} of {kind!r} is {inferred!r}")


def _op(name: Any) -> Op:
    op = OPS.get(name)
    if op is None:
        raise FileFormatError(
            f"this graphc has no op {name!r}; the file was written by another version, or with"
            " ops of a module that is not imported here"
        )
    return op


def _type_in(written: Any) -> Type:
    if isinstance(written, dict):
        items = tuple(_type_in(item) for item in written["items"])
        if not all(isinstance(item, TensorType) for item in items):
            raise FileFormatError("a tuple of tuples")
        return TupleType(items)  # type: ignore[arg-type]
    dtype, shape = written
    return TensorType(_clean(dtype), tuple(_whole(size) for size in shape))


def _place(number: Any, count: int) -> int:
    if type(number) is not int or not 0 <= number < count:
        raise FileFormatError(f"row {number!r} of {count}")
    return number


def _whole(number: Any) -> int | None:
    if number is not None and type(number) is not int:
        raise FileFormatError(f"{number!r} is not a whole number")
    return number


def _clean(text: Any) -> str:
    if not isinstance(text, str) or not text.isprintable():
        raise FileFormatError(f"{text!r} is not a line of text")
    return text
