"""Words and formulas for nodes, one op each: what stands in the boxes of pictures and reports.

An operand stands in a formula by its name if it has a short one, by its value if it is a small
constant or a size, and by an ellipsis otherwise: the arrow says what it is. Nothing here knows how
a picture is laid out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from graphc.ir.node import CONST, DIM, INPUT, PARAM, SHARED, Node, is_tuple
from graphc.ir.notation import called
from graphc.ir.op import Kind
from graphc.ir.printer import apply_formula, leaf
from graphc.ir.shapes import Dim
from graphc.ir.types import TensorType
from graphc.viz.notation import LONGEST, MISSING, NOTATION

LONGEST_NAME = 24
_MANY = 6  # operands that are written out
ATOM = 100  # the precedence of a name

_PLAIN = {"neg": "negate", "invert": "not", "sqr": "square"}
_ROLES = {
    **dict.fromkeys(("where", "ifelse"), ("if", "then", "else")),
    "clip": ("value", "low", "high"),
    "put": ("into", "new"),
}


class Names(Protocol):
    """What nodes go by in generated code."""

    def __contains__(self, node: Node) -> bool: ...
    def __getitem__(self, node: Node) -> str: ...


class Labels:
    """Texts for the nodes of one picture or report.

    Parameters
    ----------
    names : Names, optional
        What sizes go by, such as ``n0``; those of the generated code.
    same : callable, optional
        Size to the size that stands for all that are equal to it.

    Attributes
    ----------
    used : dict
        The named sizes that some text mentions, with their names.
    """

    def __init__(
        self, names: Names | None = None, same: Callable[[Dim], Dim] | None = None
    ) -> None:
        self.names: Names = {} if names is None else names
        self.used: dict[Node, str] = {}
        self._same = same

    # -- sizes --

    def size(self, size: Dim) -> str:
        """Return a size as text: a number, its name, or a formula."""
        return str(size) if isinstance(size, int) else self._size(size, 5)[0]

    def shape(self, shape: Sequence[Dim]) -> str:
        """Return sizes as the text of a tuple."""
        inside = ", ".join(map(self.size, shape))
        return f"({inside},)" if len(shape) == 1 else f"({inside})"

    def _size(self, node: Node, depth: int) -> tuple[str, int]:
        found = self._same(node) if self._same and node.op is not CONST else node
        if isinstance(found, int):
            return str(found), ATOM
        if found.op is DIM and found in self.names:
            self.used[found] = self.names[found]
            return self.used[found], ATOM
        if found.op.name == "cast":  # a count is a count in any dtype
            return self._size(found.inputs[0], depth)
        if not found.inputs or found.op is DIM:
            return clean(leaf(found)), ATOM
        if not depth or found.op.kind is not Kind.ELEMENTWISE:
            return own_name(found) or MISSING, ATOM
        parts = [self._size(child, depth - 1) for child in found.inputs]
        return apply_formula(found, parts), found.op.precedence

    # -- operands --

    def inline(self, node: Node) -> str | None:
        """Return the text of an operand that needs no box of its own, None if it needs one."""
        if node.op is CONST:
            return leaf(node) if node.attrs["value"].array.size <= 4 else None
        if not is_size(node):
            return None
        text = self.size(node)
        return text if len(text) <= LONGEST and MISSING not in text else None

    def operand(self, node: Node) -> tuple[str, int]:
        """Return the text of an operand within a formula, and its precedence."""
        text = self.inline(node)
        if text is not None:
            tight = text.isidentifier() or text.replace(".", "").isdigit()
            return text, ATOM if tight or node.op in (CONST, DIM) else _precedence(node)
        name = own_name(node)
        if not name and node.op.kind is Kind.VIEW and own_name(node.inputs[0]):
            name = self.formula(node)  # x.T, y[:, None]
            name = "" if " " in name.replace(", ", "") else name
        return (name if name and len(name) <= LONGEST_NAME else MISSING), ATOM

    # -- nodes --

    def value(self, node: Node) -> str:
        """Return the label of a leaf: name, dtype and shape."""
        if node.op is CONST:
            return leaf(node)
        shape = getattr(node, "data", None)
        kind = _typed(node.type.dtype, shape.shape) if shape is not None else repr(node.type)
        name = own_name(node) or (f"p{node.attrs['index']}" if node.op is PARAM else "")
        return f"{name}: {kind}" if name else kind

    def formula(self, node: Node) -> str:
        """Return one op as a word or a formula over the names of its operands."""
        if node.op in (INPUT, SHARED, PARAM, CONST):
            return self.value(node)
        if node.op is DIM or is_size(node):
            return self.size(node)
        parts = [self.operand(child) for child in node.inputs]
        texts = [text for text, _ in parts]
        if node.op.name in NOTATION:
            if node.op.kind is Kind.VIEW and node.inputs[0].op.kind is Kind.VIEW:
                texts[0] = own_name(node.inputs[0]) or MISSING
            return NOTATION[node.op.name](node, texts, self)
        if node.op.kind is Kind.REDUCE or "axes" in node.attrs:
            return _word(node) + _over(node)
        if node.op.formula:
            return self._operator(node, parts)
        if all(text == MISSING for text in texts) or len(texts) == 1:
            return _word(node) + _attributes(node)
        return f"{_word(node)}({', '.join(texts)}){_attributes(node)}"

    def expression(self, node: Node, names: Mapping[Node, str], depth: int = 5) -> str:
        """Return an expression as a formula on one line, with ellipses below a depth."""
        return self._expression(node, names, depth)[0]

    def _expression(self, node: Node, names: Mapping[Node, str], depth: int) -> tuple[str, int]:
        if node in names:
            return names[node], ATOM
        if not node.inputs or node.op is DIM:
            return own_name(node) or self.operand(node)[0], ATOM
        if is_size(node):
            return self.operand(node)
        if depth <= 0:
            return own_name(node) or MISSING, ATOM
        below = operands(node)[0]
        parts = [self._expression(child, names, depth - 1) for child in below[:_MANY]]
        texts = [text for text, _ in parts] + [MISSING] * (len(below) > _MANY)
        if node.op.name in NOTATION:
            if node.op.kind in (Kind.VIEW, Kind.COMPOSITE) or node.op.name == "gather":
                texts = [text if tight == ATOM else f"({text})" for text, tight in parts]
            return NOTATION[node.op.name](node, texts, self), ATOM
        if node.op.formula:
            return apply_formula(node, parts), node.op.precedence
        return f"{called(node).rstrip('_')}({', '.join([*texts, *_keywords(node)])})", ATOM

    def call(self, node: Node, names: Mapping[Node, str]) -> str:
        """Return an application as the word of its op with operands: ``square(u)``."""
        if not node.inputs:
            return self.expression(node, names)
        inside = ", ".join(self.expression(child, names, 3) for child in node.inputs[:_MANY])
        return f"{symbol(node, word=True)}({inside})"

    def _operator(self, node: Node, parts: list[tuple[str, int]]) -> str:
        if any(text != MISSING for text, _ in parts) or node.op.name == "sqr":
            return apply_formula(node, parts)
        if len(parts) == 1:
            return _word(node)
        return symbol(node)

    def title(self, node: Node) -> str:
        """Return what a box says: the formula, after the name if it has one."""
        text = self.formula(node)
        name = own_name(node)
        if not name or not node.inputs or node.op is DIM:
            return text
        if node.op.formula and not any(c.isalnum() or c == MISSING for c in text):
            text = node.op.formula.format(MISSING, MISSING)  # a sign alone says too little here
        return f"{name} = {text}"

    def roles(self, node: Node) -> list[str]:
        """Return a word for each operand, empty where the formula says which operand is which."""
        inputs = node.inputs
        unnamed = {child for child in inputs if self.operand(child)[0] == MISSING}
        if node.op.commutative or len(unnamed) < 2 or node.op.kind is Kind.VIEW:
            return [""] * len(inputs)
        words: Sequence[str] = _ROLES.get(node.op.name, ())
        if not words:
            both = len(inputs) == 2
            words = ("left", "right") if both else [str(i) for i in range(1, len(inputs) + 1)]
        pairs = itertools.zip_longest(inputs, words[: len(inputs)], fillvalue="")
        return [str(word) if child in unnamed else "" for child, word in pairs]


def operands(node: Node) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """Return the operands of a node that are data, and those that only say where or how many."""
    if node.op.name == "put":
        return node.inputs[:2], node.inputs[2:]
    if node.op.kind is Kind.VIEW:
        return node.inputs[:1], node.inputs[1:]
    if node.op.name == "iota" or node.op is DIM:
        return (), node.inputs if node.op is not DIM else ()
    return node.inputs, ()


def is_size(node: Node, depth: int = 8) -> bool:
    """Tell whether a scalar is made of sizes and constants only."""
    if node.op is DIM:
        return True
    if is_tuple(node) or node.type.ndim or not node.inputs or not depth:
        return False
    if node.op.kind is not Kind.ELEMENTWISE:
        return False
    return any(child.op is not CONST for child in node.inputs) and all(
        child.op is CONST or is_size(child, depth - 1) for child in node.inputs
    )


def own_name(node: Node) -> str:
    """Return the name the user gave, on one line and not too long; empty if there is none."""
    return clean(str(node.name)) if node.name else ""


def clean(text: str, longest: int = 60) -> str:
    """Return text that can stand in a line of a picture: printable, and shortened if need be."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= longest else line[: longest - 1] + MISSING


def symbol(node: Node, word: bool = False) -> str:
    """Return the operator of an op, or its word if it has none or a word is wanted."""
    if node.op.formula and len(node.inputs) == 2 and not word:
        return node.op.formula.format("", "").strip()
    return _word(node)


def _typed(dtype: str, shape: Sequence[int]) -> str:
    return repr(TensorType(dtype, tuple(shape)))


def _precedence(node: Node) -> int:
    while node.op.name == "cast":
        node = node.inputs[0]
    return node.op.precedence


def _word(node: Node) -> str:
    if "called" in node.attrs:
        return clean(called(node))
    return _PLAIN.get(node.op.name) or node.op.name.strip("_").replace("_", " ")


def _over(node: Node) -> str:
    axes = node.attrs["axes"]
    rank = node.inputs[0].type.ndim
    if len(axes) == rank and (rank == 1 or node.op.kind is Kind.REDUCE):
        return ""
    return f" over {'axis' if len(axes) == 1 else 'axes'} {', '.join(map(str, axes))}"


def _keywords(node: Node) -> list[str]:
    found = []
    if "called" in node.attrs or node.op.kind is Kind.REGION:
        return []
    for name, value in node.attrs.items():
        if name == "axes":
            whole = len(value) == node.inputs[0].type.ndim
            found += [] if whole else [f"axis={value[0] if len(value) == 1 else value}"]
        elif isinstance(value, (bool, int, str)):
            found.append(f"{name}={clean(str(value))}")
    return found


def _attributes(node: Node) -> str:
    if "called" in node.attrs or node.op.kind is Kind.REGION:
        return ""
    known = {k: v for k, v in node.attrs.items() if isinstance(v, (bool, int, str))}
    return "".join(f", {clean(k)} {clean(str(v))}" for k, v in known.items())
