"""The part of a report that says which rules fired, why, and what became what.

A firing is shown as the rule saw it: what both sides have in common is written as a letter, so that
``log(sigmoid(u)) -> -softplus(-u)`` stays readable whatever ``u`` is.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from graphc.emit.writer import places
from graphc.ir.node import DIM, Node
from graphc.rewrite.engine import Firing
from graphc.rewrite.rule import Rule
from graphc.viz.labels import Labels, clean, is_size, own_name

WIDTH = 100
_EXAMPLES = 3
_SAMPLE = 40  # firings of a rule that examples are chosen from
_WIDE = 8
_LETTERS = "uvstpqrk"
_ACCURACY = "stability"


def rewrites(log: Sequence[Firing], labels: Labels) -> list[str]:
    """Return the lines of the report: rules for accuracy first, each once, as they first fired."""
    found: dict[Rule, list[Firing]] = {}
    for firing in log:
        found.setdefault(firing.rule, []).append(firing)
    if not found:
        return ["Rewrites: none"]
    lines = [f"Rewrites: {len(log):,} by {len(found)} rule{'s'[: len(found) > 1]}"]
    accurate = {rule for rule in found if rule.module.endswith(_ACCURACY)}
    for title, rules in (
        ("for accuracy", [rule for rule in found if rule in accurate]),
        ("for simplicity and speed", [rule for rule in found if rule not in accurate]),
    ):
        if rules:
            lines += ["", f"  {title}"]
        for rule in rules:
            lines += _rule(rule, found[rule], labels)
    return lines


def _rule(rule: Rule, firings: Sequence[Firing], labels: Labels) -> list[str]:
    times = f" ({len(firings)} times)" if len(firings) > 1 else ""
    reason = " ".join(rule.doc.split("\n\n")[0].split())
    if rule.assumes:
        reason += f" Assumes that {rule.assumes}."
    lines = [f"    {rule.name}{times}"]
    lines += textwrap.wrap(reason, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
    shown = Counter(_firing(firing, labels) for firing in firings[:_SAMPLE])
    examples = list(shown)[:_EXAMPLES]
    for text, where in examples:
        lines += _two_columns(text, where)
    more = len(firings) - sum(shown[example] for example in examples)
    if more:
        lines.append(f"        … and {more:,} more like these")
    return lines


def _two_columns(text: str, where: str) -> list[str]:
    """Return a firing and its line of the user's, broken before the arrow if it is long."""
    before, _, after = text.partition("  ->  ")
    indent = " " * 8
    if len(indent + text) + len(where) + 2 <= WIDTH:
        return [f"{indent}{text:<{WIDTH - 8 - len(where)}}{where}".rstrip()]
    return [
        f"{indent}{before:<{WIDTH - 8 - len(where)}}{where}".rstrip(),
        f"{indent}  ->  {after}",
    ]


def _firing(firing: Firing, labels: Labels) -> tuple[str, str]:
    names = _common(firing.before, firing.after)
    before = labels.expression(firing.before, names, 4)
    after = labels.expression(firing.after, names, 4)
    if before == after:  # two ops that are written alike
        before, after = (labels.call(side, names) for side in firing[2:])
    words = _words(before, after)
    used = [(a, node) for node, a in names.items() if a in words and a != own_name(node)]
    meant = ", ".join(f"{a} = {clean(labels.expression(n, {}, 3), 40)}" for a, n in used[:2])
    text = f"{clean(before, 78)}  ->  {clean(after, 78)}"
    if meant and len(text) + len(meant) < 64:
        text += f"   with {meant}"
    return text, places([firing.before])


def _words(*texts: str) -> set[str]:
    return set("".join(c if c.isalnum() else " " for c in " ".join(texts)).split())


def _common(before: Node, after: Node) -> Mapping[Node, str]:
    """Return letters for the largest expressions that both sides are made of."""
    shared = _below(before) & _below(after)
    taken = {node.name for node in shared | _below(before) if node.name}
    letters = iter([letter for letter in _LETTERS if letter not in taken])
    found: dict[Node, str] = {}
    for node in _first_met(before, shared):
        letter = own_name(node) or next(letters, "")
        if letter:
            found[node] = letter
    return found


def _below(root: Node, depth: int = 6) -> set[Node]:
    level, found = [root], {root}
    for _ in range(depth):
        level = [child for node in level for child in node.inputs[:_WIDE] if child not in found]
        found.update(level)
    return found


def _first_met(root: Node, shared: set[Node]) -> Iterable[Node]:
    """Yield shared nodes that are not below other shared ones, as a reader meets them."""
    stack, seen = [root], set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node in shared:
            if node.inputs and node.op is not DIM and not is_size(node):
                yield node
            continue
        stack.extend(reversed(node.inputs))
