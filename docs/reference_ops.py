"""The page of ops: what each row of the table says, with an example that was run."""

from __future__ import annotations

import functools
import inspect
import types
from typing import Any

import numpy as np

import graphc.tensor as T
from graphc.backends.numpy.calls import ROUTINES
from graphc.errors import GraphcError
from graphc.ir.dtypes import DTYPES, is_float
from graphc.ir.node import Node, apply, input_node, is_tuple, make
from graphc.ir.op import OPS, Kind, Op, Undefined
from graphc.ir.printer import pp
from graphc.ir.types import TensorType, TupleType
from graphc.ops.results import get
from graphc.rewrite.pipeline import simplify
from graphc.tensor.numpy_protocol import FUNCTIONS, UFUNCS
from harness import evaluate
from op_samples import Case, Inapplicable, case, examples, rows

KINDS = {
    Kind.ELEMENTWISE: ("Elementwise", "One formula at every point; fused into groups."),
    Kind.REDUCE: ("Reductions", "Folds over axes, fused with what they read."),
    Kind.VIEW: ("Views", "The same numbers under another index; they cost nothing."),
    Kind.CALL: ("Calls", "Library routines, a step each."),
    Kind.COMPOSITE: (
        "Composites",
        "Kept whole for rules and gradients, made of other ops when a program is lowered.",
    ),
    Kind.REGION: ("Regions", "Ops with a body: loops and branches."),
    Kind.PROJECT: ("Results", "How ops with several results are read."),
    Kind.SOURCE: ("Sources", "Leaves of the graph."),
}

INTRODUCTION = """\
# Ops

Every op is one row of a table in `graphc/ops/`; this page is written from it. An op shows its
formula, as graphc prints it; the names that build it; the gradients by its inputs, where `g` is the
gradient of the result; the dtypes it takes and gives; and its code on each backend. The numbers
below were computed when the page was written, by the meaning in NumPy that tests hold both backends
to.
"""

# What stands in a program but is not applied to operands: how it comes about, and an example.
SPECIAL = {
    "input": ('`T.dvector("x")`, `T.TensorType(...)(name)`', "none: gradients end here"),
    "const": ("`T.constant(2.0)`; numbers and arrays in expressions", "none"),
    "shared": ("`graphc.shared(value)`", "none: gradients end here"),
    "param": ("inside of closed graphs, such as the bodies of loops", "none: gradients end here"),
    "dim": ("`x.shape[axis]`", "none: sizes are whole numbers"),
    "get": ("`svd(x)[0]` and the like", "that of the op itself"),
    "pack": ("where such an op becomes several others", "that of each node"),
    "scan": ("`graphc.scan`, `graphc.loop`, `map`, `reduce`", "a loop over the steps in reverse"),
    "foreign": ("`graphc.custom_op`, `graphc.as_op`", "what `vjp=` of the function says"),
    "foreign_shape": ("by `foreign`, where it is not told its sizes", "none"),
    "ifelse": ("`graphc.ifelse(condition, a, b)`", "`ifelse(condition, g, 0)` and its opposite"),
}


def page() -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    for kind, (title, about) in KINDS.items():
        rows = sorted((op for op in OPS.values() if op.kind is kind), key=lambda op: op.name)
        if rows:
            parts.append(f"## {title}\n\n{about}\n")
            parts += [section(op) for op in rows]
    return "\n".join(parts)


def section(op: Op) -> str:
    """Return what the page says of an op."""
    facts = facts_of(op)
    lines = [f"### `{op.name}`", "", markdown(op.doc), ""]
    lines += [f"- {name}: {text}" for name, text in facts.items() if name != "example"]
    lines += (
        ["", "```text", *facts["example"].splitlines(), "```", ""] if facts["example"] else [""]
    )
    return "\n".join(lines)


def facts_of(op: Op) -> dict[str, str]:
    """Return everything there is to say of an op; no text is empty but that of an example."""
    if op.name in SPECIAL or op.name not in rows():
        rule = "by a rule of its own" if op.vjp else "none"
        written, gradient = SPECIAL.get(op.name, ("by functions with tests of their own", rule))
        return {"written": written, "gradient": gradient, "example": ""}
    one = first_case(op)
    return {
        "formula": code(shown(one.node)),
        "written": written_as(op, one),
        **gradients(op, one),
        "dtypes": dtypes_of(op),
        "backends": backends(op, one),
        "example": example(one),
    }


def first_case(op: Op) -> Case:
    """Return the first application of an op that the tests know, in float64 if it can be."""
    for dtype in ("float64", "int64", "bool", *DTYPES):
        for one in examples(op):
            try:
                return whole(op, case(op, one, dtype))
            except (GraphcError, Inapplicable):
                continue
    raise AssertionError(f"{op.name} has no example")


def whole(op: Op, one: Case) -> Case:
    """Return the case of an op itself, where a sample is of one of its several results."""
    if one.node.op is op:
        return one
    (node,) = one.node.inputs
    values = [
        np.round(a, 2)
        for a in evaluate(node.inputs, dict(zip(one.inputs, one.arrays, strict=True)))
    ]
    fresh = tuple(input_node(x.type, "xyz"[i]) for i, x in enumerate(node.inputs))
    made = make(op, fresh, node.attrs, op.infer(fresh, node.attrs))
    return Case(one.label, op, made, fresh, tuple(values))


def markdown(text: str) -> str:
    """Return a line of a docstring as Markdown: code stays code, other signs are plain."""
    parts = text.replace("``", "`").split("`")
    plain = [p.replace("*", "\\*").replace("|", "\\|").replace("[", "\\[") for p in parts]
    return "`".join(parts[i] if i % 2 else plain[i] for i in range(len(parts)))


def code(text: str) -> str:
    """Return text as code."""
    return f"`{text}`"


def shown(node: Node, depth: int = 8) -> str:
    """Return a formula, cut where it gets too long to read."""
    while depth > 1 and len(pp(node, depth)) > 160:
        depth -= 1
    return pp(node, depth)


# -- names ----------------------------------------------------------------------------------------


@functools.cache
def public() -> dict[str, Any]:
    """Return the public functions that build expressions, by the names users write."""
    found: dict[str, Any] = {}
    for name in T.__all__:
        value = getattr(T, name)
        if inspect.isfunction(value):
            found[f"T.{name}"] = value
        elif isinstance(value, types.ModuleType):
            inside = getattr(value, "__all__", ())
            members = {f"T.{name}.{one}": getattr(value, one) for one in inside}
            found.update({k: v for k, v in members.items() if inspect.isfunction(v)})
    return found


def written_as(op: Op, one: Case) -> str:
    """Return the names that build an op, and its operator."""
    found = [name for name, function in public().items() if builds(function, name, op, one)]
    if op.formula and op.precedence < 100 and "{" in op.formula:
        found.append(op.formula.format("x", "y", "z"))
    own = {name.rpartition(".")[2] for name in found}
    found += [f"np.{u}" for u in UFUNCS if UFUNCS[u] in own or u in own]
    found += [f"np.{f}" for f, word in FUNCTIONS.items() if isinstance(word, str) and word in own]
    if not found:
        return "by other functions, and by rules"
    return ", ".join(map(code, dict.fromkeys(found)))


def builds(function: Any, name: str, op: Op, one: Case) -> bool:
    """Tell whether a public function makes this very application of an op."""
    own = name.rpartition(".")[2]
    if op.kind is not Kind.ELEMENTWISE or op.attrs:
        return own.rstrip("_") == op.name.rstrip("_")
    if "name" in inspect.signature(function).parameters:
        return False
    try:
        return function(*one.inputs) is one.node
    except (GraphcError, TypeError, ValueError, IndexError, AttributeError):
        return False


# -- gradients ------------------------------------------------------------------------------------


def gradients(op: Op, one: Case) -> dict[str, str]:
    """Return the gradient by each input, as the row gives it, simplified."""
    node = one.node
    kinds = node.type.items if isinstance(node.type, TupleType) else (node.type,)
    if op.vjp is None or not any(is_float(kind.dtype) for kind in kinds):
        return {"gradient": "none: the result is discrete" if op.vjp else "none"}
    several = len(kinds) > 1 or is_tuple(node)
    seeds = [input_node(kind, f"g{i}" if several else "g") for i, kind in enumerate(kinds)]
    given = op.vjp(seeds if several else seeds[0], node, *node.inputs)
    found: dict[str, str] = {}
    names = [child.name or "" for child in node.inputs]
    for i, (child, slope) in enumerate(zip(node.inputs, given, strict=True)):
        if not names[i] and len(node.inputs) > 1 and slope is None:
            continue  # sizes and places
        what = f"gradient by {code(names[i] or shown(child, 2))}"
        found[what] = slope_text(slope)
    return found or {"gradient": "none"}


def slope_text(slope: Any) -> str:
    """Return a gradient as a formula, or why there is none."""
    if isinstance(slope, Undefined):
        return f"undefined: {markdown(slope.why)}"
    if slope is None:
        return "none"
    (simple,) = simplify([slope], phases=("canonical", "stabilise"))
    return code(shown(simple))


# -- dtypes ---------------------------------------------------------------------------------------


def dtypes_of(op: Op) -> str:
    """Return which dtype each dtype becomes, those alike together."""
    becomes: dict[str, list[str]] = {}
    for dtype in DTYPES:
        result = result_dtype(op, dtype)
        if result:
            becomes.setdefault("" if result == dtype else result, []).append(dtype)
    parts = []
    for result, given in becomes.items():
        text = grouped(given)
        parts.append(f"{text} → {result}" if result else f"{text} as they are")
    return "; ".join(parts) or "one of its own"


def result_dtype(op: Op, dtype: str) -> str:
    """Return the dtype of an op of operands of a dtype, or nothing if it refuses them."""
    for one in examples(op):
        try:
            node = case(op, one, dtype).node
            kind = node.type if node.op is op else _own_type(op, node.inputs[0], dtype)
        except (GraphcError, Inapplicable):
            continue
        return kind.dtype if isinstance(kind, TensorType) else kind.items[0].dtype
    return ""


def _own_type(op: Op, node: Node, dtype: str) -> Any:
    """Return the type of an op with several results over operands of a dtype."""
    fresh = [input_node(x.type.with_dtype(dtype)) for x in node.inputs]
    return apply(op, *fresh, **node.attrs).type


def grouped(dtypes: list[str]) -> str:
    """Return dtypes with families by one word."""
    families = {"integers": [d for d in DTYPES if "int" in d]}
    families["floats"] = [d for d in DTYPES if d.startswith("float")]
    words = []
    rest = list(dtypes)
    for word, members in families.items():
        if set(members) <= set(rest):
            words.append(word)
            rest = [d for d in rest if d not in members]
    return ", ".join([*rest, *words]) if len(dtypes) < len(DTYPES) else "all"


# -- backends -------------------------------------------------------------------------------------


def backends(op: Op, one: Case) -> str:
    """Return how each backend computes an op."""
    if op.kind is Kind.VIEW:
        return "strides, on either"
    if op.kind is Kind.COMPOSITE or (op.expand and not op.code and op.name not in ROUTINES):
        return f"made of other ops, on either: {code(expanded(op, one))}"
    return f"NumPy {numpy_code(op)}; OpenCL {opencl_code(op, one)}"


def expanded(op: Op, one: Case) -> str:
    """Return what an op is made of."""
    assert op.expand is not None
    made = op.expand(*one.node.inputs, **one.node.attrs)
    return shown(simplify([made], phases=("canonical",))[0])


def numpy_code(op: Op) -> str:
    """Return the template of NumPy, readable."""
    text = next((op.code[key] for key in sorted(op.code) if key.startswith("numpy")), "")
    if not text:
        return "a routine" if op.name in ROUTINES or op.kind is Kind.SOURCE else "by other ops"
    return code(readable(text).replace(", out", ", out=out"))


def opencl_code(op: Op, one: Case) -> str:
    """Return the template of OpenCL, or why the host computes it."""
    reason = op.details.get("host")
    if reason:
        return f"on the host: {markdown(str(reason))}"
    if op.code.get("opencl:fold") or op.code.get("opencl:index"):
        return "a reduction of its own"
    text = next((op.code[key] for key in sorted(op.code) if key.startswith("opencl")), "")
    if text:
        return code(readable(text))
    if op.expand is not None and op.name not in ROUTINES:
        return f"by other ops: {code(expanded(op, one))}"
    return "kernels"


def readable(template: str) -> str:
    """Return a template with the names of operands in it."""
    for place, name in enumerate("xyz"):
        template = template.replace(f"{{{place}}}", name)
    return template.replace("{out}", "out").replace("{", "").replace("}", "")


# -- examples -------------------------------------------------------------------------------------


def example(one: Case) -> str:
    """Return operands, the application, and what it comes to."""
    used = [(node, rounded(array)) for node, array in zip(one.inputs, one.arrays, strict=True)]
    lines = [f"{node.name} = {text(array)}" for node, array in used]
    several = isinstance(one.node.type, TupleType)
    results = [get(one.node, i) for i in range(len(one.node.type.items))] if several else [one.node]
    found = [text(value) for value in evaluate(results, dict(used))]
    return "\n".join([*lines, f"{shown(one.node)} = {', '.join(found)}"])


def rounded(array: np.ndarray) -> np.ndarray:
    """Return an array of numbers that are short to read."""
    return np.round(array, 1) if array.dtype.kind == "f" else array


def text(array: np.ndarray) -> str:
    """Return an array on one line; of a large one its dtype and shape, and how it begins."""
    if array.size > 12:
        first = np.array2string(array.ravel()[:3], precision=4, separator=", ")
        return f"{array.dtype}{list(array.shape)}, {first[:-1]}, ..."
    value = np.array2string(array, precision=4, separator=", ", max_line_width=10_000)
    return " ".join(value.split()).replace("[ ", "[").replace("-0.,", "0.,")
