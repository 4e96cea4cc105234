"""Writes ops.md and rules.md from the tables. Run ``python docs/reference.py`` after a change.

A test compares the pages with what this file would write, so they cannot lie.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import graphc.ops  # noqa: F401 - fills the table
from graphc.ir.node import Node, apply, const, input_node
from graphc.ir.op import OPS, Kind, Op
from graphc.ir.printer import pp
from graphc.ir.types import NO_ATTRS, TensorType
from graphc.rewrite.pipeline import PIPELINE, simplify
from graphc.rewrite.rule import Rule

FOLDER = Path(__file__).parent

_KINDS = {
    Kind.ELEMENTWISE: ("Elementwise", "One formula at every point; fused into groups."),
    Kind.REDUCE: ("Reductions", "Folds over axes, fused with what they read."),
    Kind.VIEW: ("Views", "The same numbers under another index; they cost nothing."),
    Kind.CALL: ("Calls", "Library routines, a step each."),
    Kind.COMPOSITE: (
        "Composites",
        "Kept whole for rules and gradients, made of other ops when a program is lowered.",
    ),
    Kind.SOURCE: ("Sources", "Leaves of the graph."),
}


def ops_page() -> str:
    """Return the page of ops."""
    lines = [
        "# Ops",
        "",
        "Every op is one row of a table in `graphc/ops/`; this page is written from it. The",
        "derivative is what the row's gradient gives for a seed of 1, simplified.",
    ]
    for kind, (title, about) in _KINDS.items():
        rows = [op for op in OPS.values() if op.kind is kind]
        lines += ["", f"## {title}", "", about, ""]
        lines += ["| op | meaning | derivative |", "| --- | --- | --- |"]
        lines += [_op_row(op) for op in sorted(rows, key=lambda op: op.name)]
    return "\n".join(lines) + "\n"


def _op_row(op: Op) -> str:
    return f"| `{op.name}` | {_cell(op.doc)} | {_derivative(op)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


def _derivative(op: Op) -> str:
    """Return the derivative of an elementwise op by each of its inputs, as formulas."""
    discrete = op.kind is Kind.REDUCE and op.name in ("any", "all", "argmax", "argmin")
    if op.vjp is None or op.kind is Kind.SOURCE or discrete:
        return "none"
    if op.kind is not Kind.ELEMENTWISE:
        return "yes"
    inputs = [_input(op, i) for i in range(op.details["arity"])]
    if op.name == "cast":
        return "`float to float: 1`"
    out = op.infer(op.prepare(op, tuple(inputs), {}), NO_ATTRS)
    if not out.dtype.startswith("float"):  # type: ignore[union-attr]
        return "none"
    node = apply(op, *inputs)
    parts = op.vjp(const(1.0), node, *node.inputs)
    formulas = [g for g in parts if isinstance(g, Node)]
    shown = simplify(formulas, phases=("canonical", "stabilise"))
    return ", ".join(f"`{pp(g, 12).replace('|', chr(92) + '|')}`" for g in shown)


def _input(op: Op, place: int) -> Node:
    first_is_condition = op.name == "where"
    names = ("c", "x", "y") if first_is_condition else ("x", "y", "z")
    integers = op.name in ("and_", "or_", "xor", "invert")
    dtype = "bool" if first_is_condition and place == 0 else "int64" if integers else "float64"
    return input_node(TensorType(dtype, ()), names[place])


def rules_page() -> str:
    """Return the page of rules."""
    lines = [
        "# Rules",
        "",
        "Every rule says that two expressions have the same meaning and that the second is",
        "preferred; a procedure finds the second by a few lines of code. This page is written from",
        "the tables in `graphc/rewrite/rules/`. `f.explain()` shows which of them fired and why.",
        "With `graphc.config.strict_math` the rules that assume something are left out.",
    ]
    seen: set[Rule] = set()
    for phase in PIPELINE:
        fresh = [rule for rule in phase.rules if rule not in seen]
        seen.update(fresh)
        lines += ["", f"## Phase: {phase.name}", ""]
        lines += ["| rule | from | to | reason | assumes |", "| --- | --- | --- | --- | --- |"]
        lines += [_rule_row(rule) for rule in fresh]
    return "\n".join(lines) + "\n"


def _rule_row(rule: Rule) -> str:
    if rule.left is None:
        tops = ", ".join(getattr(op, "name", str(op)) for op in rule.ops)
        sides = f"*procedure on {_cell(tops)}* |"
    else:
        sides = f"{_code(rule.left)} | {_code(rule.right)}"
    reason = _cell(" ".join(rule.doc.split()))
    return f"| `{rule.name}` | {sides} | {reason} | {_cell(rule.assumes)} |"


def _code(pattern: object) -> str:
    return f"`{str(pattern).replace('|', chr(92) + '|')}`"


PAGES = {"ops.md": ops_page, "rules.md": rules_page}


def write(names: Iterable[str] = PAGES) -> None:
    """Write the pages."""
    for name in names:
        (FOLDER / name).write_text(PAGES[name](), encoding="utf-8")


if __name__ == "__main__":
    write()
