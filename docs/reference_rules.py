"""The page of rules: both sides, the reason and what is assumed."""

from __future__ import annotations

from typing import Any

from graphc.ir.node import Node
from graphc.ir.printer import pp
from graphc.rewrite.canonical import Order
from graphc.rewrite.engine import Firing, Phase, Sweep
from graphc.rewrite.pipeline import PIPELINE
from graphc.rewrite.rule import Rule
from graphc.rewrite.rules import fold
from graphc.rewrite.whole import DROP_DEAD, MERGE_SCANS
from rewrite.samples import PROCEDURES

INTRODUCTION = """\
# Rules

Every rule says that two expressions have the same meaning and that the second is preferred; a
procedure finds the second by a few lines of code, and shows here what it did with an example. This
page is written from the tables in `graphc/rewrite/rules/`. `f.explain()` shows which of them fired
and why. With `graphc.config.strict_math` the rules that assume something are left out.
"""


def page() -> str:
    """Return the page."""
    lines = [INTRODUCTION]
    seen: set[Rule] = set()
    for phase in PIPELINE:
        fresh = [rule for rule in phase.rules if rule not in seen]
        seen.update(fresh)
        lines += [f"## Phase: {phase.name}", ""]
        lines += ["| rule | from | to | reason | assumes |", "| --- | --- | --- | --- | --- |"]
        lines += [row(rule) for rule in fresh]
        if phase.name == "loops":
            lines += [whole(rule) for rule in (MERGE_SCANS, DROP_DEAD)]
        lines.append("")
    return "\n".join(lines)


def row(rule: Rule) -> str:
    """Return what the page says of a rule."""
    left, right = sides(rule)
    if rule.left is None:
        tops = ", ".join(getattr(op, "name", str(op)) for op in rule.ops)
        left = f"*on {cell(tops)}*, such as {left}"
    reason = cell(" ".join(rule.doc.split()))
    return f"| `{rule.name}` | {left} | {right} | {reason} | {cell(rule.assumes)} |"


def whole(rule: Rule) -> str:
    """Return what the page says of a pass that looks at all loops of a graph at once."""
    reason = cell(" ".join(rule.doc.split()))
    return f"| `{rule.name}` | *on all loops of a program at once* | | {reason} | |"


def sides(rule: Rule) -> tuple[str, str]:
    """Return the two sides of a rule; of a procedure, an example before and after."""
    if rule.left is not None:
        left, right = str(rule.left), str(rule.right)
        return code(left if left != right else plain(rule.left)), code(right)
    best: tuple[str, str] | None = None
    for build in PROCEDURES[rule.name]:
        before, after = _applied(rule, build())
        if before and (best is None or len(before + after) < len("".join(best))):
            best = before, after
    assert best is not None, f"{rule.name} fires on none of its examples"
    return code(best[0]), code(best[1])


def _applied(rule: Rule, node: Node) -> tuple[str, str]:
    """Return what a procedure found and what it put there, in its first firing."""
    log: list[Firing] = []
    index = Phase("alone", (rule, fold.fold)).index(False, frozenset())
    Sweep("alone", index, index, set(), Order(), log).run([node])
    for firing in log:
        if firing.rule is rule:
            before, after = pp(firing.before), pp(firing.after)
            if before != after:
                return before, after
            return plain(firing.before), plain(firing.after)
    return "", ""


def plain(node: Any) -> str:
    """Return an application by the name of its op, for ops that print alike."""
    inside = [str(x) for x in getattr(node, "inputs", None) or node.args]
    inside += [f"{name}={value}" for name, value in node.attrs.items()]
    return f"{node.op.name}({', '.join(inside)})"


def cell(text: str) -> str:
    """Return text for a cell of a table."""
    return text.replace("|", "\\|").replace("*", "\\*")


def code(text: str) -> str:
    """Return text as code for a cell of a table."""
    return f"`{text.replace('|', chr(92) + '|')}`"
