"""What was done with a function, as text: rewrites, steps, memory and checks.

The names are those of the generated code, so that the report and the source can be read side by
side.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from graphc.emit.writer import places
from graphc.ir.node import DIM, Node
from graphc.ir.op import Kind
from graphc.ir.printer import leaf
from graphc.ir.shapes import Guard
from graphc.lower.program import (
    Buffer,
    Call,
    Check,
    Choose,
    Host,
    Launch,
    Loop,
    Program,
    Role,
    Step,
    unique,
)
from graphc.rewrite.engine import Firing
from graphc.viz import amounts
from graphc.viz.labels import Labels, Names, clean, own_name, symbol
from graphc.viz.rewrites import WIDTH, rewrites
from graphc.viz.scene import group_title


def explain(
    program: Program, log: Sequence[Firing] = (), names: Names | None = None, note: str = ""
) -> str:
    """Return the report on a program.

    Parameters
    ----------
    program : Program
    log : sequence of Firing
        What rewriting did.
    names : Names, optional
        What nodes go by in the generated code.
    note : str
        Put after the name of the function.
    """
    report = _Report(program, names)
    sections = [
        report.heading(note),
        rewrites(log, report.labels),
        report.steps(),
        report.memory(),
        report.checks(),
    ]
    sections.append(report.sizes())
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


class _Report:
    def __init__(self, program: Program, names: Names | None) -> None:
        self.program = program
        self.labels = Labels(names, program.sizes.find)
        self.maker: dict[Node, int] = {}
        for place, step in enumerate(program.every_step, 1):
            self.maker.update((node, place) for node in step.writes)
            if isinstance(step, Loop):
                self.maker.update((leaf, place) for leaf in step.leaves)
        self.ends: dict[Node, list[str]] = {}
        several = len(program.outputs) > 1
        for i, node in enumerate(program.outputs, 1):
            self.ends.setdefault(node, []).append(f"output {i}" if several else "output")
        for old, new in program.updates:
            self.ends.setdefault(new, []).append(f"new {own_name(old) or 'value'}")

    # -- names --

    def name(self, node: Node) -> str:
        """Return what a node goes by in the generated code, or else a short text."""
        base = self.program.base(node)
        if base is not node:
            return self.labels.expression(node, {base: self.name(base)}, 3)
        if node.op.kind is Kind.SOURCE and node.inputs and node.op is not DIM:
            return self.labels.formula(node)  # arange(n0)
        if node.op is not DIM and node in self.labels.names:
            return self.labels.names[node]
        text = self.labels.inline(node)
        if text is not None:
            return text
        if node in self.maker and not own_name(node):
            return f"%{self.maker[node]}"
        return own_name(node) or ("…" if node.inputs else clean(leaf(node)))

    def typed(self, node: Node) -> str:
        """Return the dtype and the sizes of a stored node."""
        if not node.type.ndim:
            return str(node.type.dtype)
        return f"{node.type.dtype}[{self._sizes(self.program.sizes.of(node))}]"

    def _sizes(self, shape: Iterable[object]) -> str:
        return ", ".join(self.labels.size(size) for size in shape)  # type: ignore[arg-type]

    # -- sections --

    def heading(self, note: str) -> list[str]:
        program = self.program
        inputs = ", ".join(map(self.labels.value, program.inputs))
        shared = ", ".join(map(self.labels.value, program.shared))
        lines = [program.name + (f", {note}" if note else "")]
        lines += [f"  inputs   {inputs}"] if inputs else []
        lines += [f"  shared   {shared}"] if shared else []
        counts = (len(program.outputs), "output"), (len(program.updates), "update")
        return [*lines, f"  gives    {_counts(counts)}"]

    def steps(self) -> list[str]:
        steps = self.program.every_step
        counts = (
            (sum(isinstance(s, Call) for s in steps), "library call"),
            (sum(isinstance(s, Launch) for s in steps), "group"),
            (sum(isinstance(s, Host) for s in steps), "scalar"),
            (sum(isinstance(s, Loop) for s in steps), "loop"),
            (sum(isinstance(s, Choose) for s in steps), "choice"),
        )
        lines = [f"Steps: {len(steps)}" + (f" ({_counts(counts)})" if steps else "")]
        places = {id(step): place for place, step in enumerate(steps, 1)}
        return lines + self._listed(self.program.steps, places, "")

    def _listed(self, steps: Sequence[Step], places: Mapping[int, int], indent: str) -> list[str]:
        lines: list[str] = []
        for step in steps:
            conditions = [
                ("" if holds else "not ") + self.name(condition) for condition, holds in step.path
            ]
            under = [f"{indent}       if {' and '.join(conditions)}:"] if conditions else []
            lines += under + [indent + line for line in self._step(places[id(step)], step)]
            if isinstance(step, Loop):
                lines += self._listed(step.steps, places, indent + "    ")
        return lines

    def _step(self, place: int, step: Step) -> list[str]:
        where = places(step.nodes)
        if isinstance(step, Launch):
            return self._group(place, step, where)
        if isinstance(step, Check):
            return []
        if isinstance(step, Loop):
            stop = "" if step.stop is None else ", or until it stops"
            count = self.labels.shape((step.count,))[1:-2]
            return [_line(f"  {place:>3}  loop    {count} steps{stop}", where)]
        node = step.node
        names = {child: self.name(child) for child in node.inputs}
        formula = clean(self.labels.expression(node, names, 3), 60)
        kind = "scalar" if isinstance(step, Host) else "call"
        if node.op.kind is Kind.VIEW:
            kind = "copy"
        if isinstance(step, Choose):
            kind = "choice"
        result = ", ".join(map(self._result, step.writes))
        text = f"{kind:<7} {result} = {formula}"
        lines = [_line(f"  {place:>3}  {text}", where)]
        why = node.op.details.get("host")
        if why and kind == "call" and self.program.limits.backend != "numpy":
            lines.append(f"{'':15}on the host: {why}")
        if node.op.name in ("dot", "matmul") and node.type.ndim > 1 and kind == "call":
            least = dict(self.program.limits.host_products).get(node.type.dtype)
            if least is not None:
                lines.append(
                    f"{'':15}on the host from {least:.3g} multiplications on: faster there"
                )
        return lines if kind == "scalar" else [*lines, *self._moved(step)]

    def _group(self, place: int, step: Launch, where: str) -> list[str]:
        group = step.group
        title = group_title(step, self.labels)
        lines = [_line(f"  {place:>3}  {'group':<7} {title}", where)]
        lines += self._ops(group.members)
        reads = dict.fromkeys(self.name(node) for node in group.inputs if node.op.name != "const")
        lines += _wrapped("reads", _listed(list(reads)))
        lines += _wrapped("writes", _listed([self._result(node) for node in group.outputs]))
        return [*lines, *self._moved(step)]

    def _moved(self, step: Step) -> list[str]:
        amount = amounts.moved(self.program, step.reads, step.writes, self.labels)
        return [f"{'':15}moves {amounts.text(amount)}"] if amount else []

    def _ops(self, members: Sequence[Node]) -> list[str]:
        """Return the ops of a group by the user's line that they come from."""
        files = {node.where.filename for node in members if node.where}
        by_line: dict[str, list[Node]] = {}
        for node in members:
            where = places([node])
            if node.where and len(files) == 1:
                where = f"line {node.where.line}"
            by_line.setdefault(where, []).append(node)
        lines = []
        width = max(map(len, by_line))
        for where, nodes in by_line.items():
            counts = Counter(map(symbol, nodes))
            words = ", ".join(w if n == 1 else f"{n} {w}" for w, n in counts.items())
            line = f"{'':15}{where:<{width}}  {words:<28}"
            text = nodes[0].where.text if nodes[0].where else ""
            room = WIDTH - len(line) - 3
            lines.append(f"{line} | {clean(text, room)}" if text and room > 15 else line.rstrip())
        return lines

    def _result(self, node: Node) -> str:
        ends = self.ends.get(node, [])
        buffer = self.program.buffers.get(node)
        lies = ", in place" if buffer is not None and buffer.role is Role.IN_PLACE else ""
        what = f" ({', '.join(ends)}{lies})" if ends else ""
        return f"{self.name(node)}: {self.typed(node)}{what}"

    def memory(self) -> list[str]:
        found = unique(self.program.buffers.values())
        buffers = [buffer for buffer in found if buffer.role is not Role.ROW]
        if not buffers:
            return ["Memory: no arrays"]
        total: dict[Role, amounts.Amount] = {role: Counter() for role in Role}
        for buffer in buffers:
            total[buffer.role] += amounts.array(buffer.dtype, buffer.shape, self.labels)
        words = [f"{amounts.text(a)} {_ROLES[role][0]}" for role, a in total.items() if a]
        return ["Memory", *(f"  {word}" for word in words), *map(self._buffer, buffers)]

    def _buffer(self, buffer: Buffer) -> str:
        nodes = [n for n, b in self.program.buffers.items() if b.id == buffer.id]
        kind = self.typed(nodes[0])
        numbers = sorted({self.maker[node] for node in nodes})
        steps = f"written by step {_listed(list(map(str, numbers)))}"
        return f"    {self.name(nodes[0]):<8} {kind:<20} {_ROLES[buffer.role][1]}; {steps}"

    def checks(self) -> list[str]:
        guards = self.program.guards
        return [*(["Checked at the start of a call"] if guards else []), *map(self._guard, guards)]

    def _guard(self, guard: Guard) -> str:
        plain = Labels()
        left, right = plain.size(guard.left), plain.size(guard.right)
        if guard.relation == "in":
            text = f"0 <= {left} < {right}"
        else:
            text = f"{left} {guard.relation} {right}"
        return _line(
            f"  {text}   for {clean(self.labels.title(guard.node), 40)}", places([guard.node])
        )

    def sizes(self) -> list[str]:
        used = sorted((name, clean(leaf(node))) for node, name in self.labels.used.items())
        return [f"Here {', '.join(f'{name} = {text}' for name, text in used)}"] if used else []


_MANY = 12  # names on a line
_ROLES = {
    Role.TEMP: ("temporary, kept for the next call", "temporary"),
    Role.OUTPUT: ("new in every call, for outputs", "output"),
    Role.UPDATE: ("new in every call, for shared variables", "new value of a shared variable"),
    Role.ROW: ("rows of other arrays", "row"),
    Role.IN_PLACE: ("of shared variables, written in place", "in place"),
}


def _counts(counts: Iterable[tuple[int, str]]) -> str:
    return ", ".join(f"{n} {word}{'s'[: n != 1]}" for n, word in counts if n) or "nothing"


def _listed(words: Sequence[str]) -> str:
    more = len(words) - _MANY
    return ", ".join(words[:_MANY]) + (f" and {more} more" if more > 0 else "") or "nothing"


def _wrapped(word: str, text: str) -> list[str]:
    indent = " " * 15
    more = indent + " " * (len(word) + 1)
    return textwrap.wrap(f"{word} {text}", WIDTH, initial_indent=indent, subsequent_indent=more)


def _line(text: str, where: str) -> str:
    """Return text with the user's line at the right margin, if there is room."""
    return f"{text:<{WIDTH - len(where) - 2}}  {where}".rstrip()
