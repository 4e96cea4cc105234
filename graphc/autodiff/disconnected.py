"""What to do about a gradient that is not there, and the error that says why it is not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.autodiff.cuts import trace
from graphc.errors import DisconnectedInputError, GraphcValueError, message
from graphc.ir.node import INPUT, SHARED, Node, const, operand
from graphc.ir.shapes import sizes
from graphc.ir.source import here, warn
from graphc.ir.types import LANGUAGE
from graphc.ir.walk import leaves
from graphc.ops.movement import expand


@dataclass(frozen=True, slots=True)
class Disconnected:
    """Stands for the gradient of something that does not depend on the variable."""

    variable: Node


@dataclass(frozen=True, slots=True)
class Disconnection:
    """What to do when there is no gradient: ``action`` first, then ``value`` is the result.

    ``option`` is the name of the argument that the user chose ``action`` by, ``call`` and ``what``
    are what was called, and on what.
    """

    option: str
    action: str
    value: str
    call: str = "grad"
    what: str = "the cost"

    @staticmethod
    def of(
        option: str, action: str, value: str, call: str = "grad", what: str = "the cost"
    ) -> Disconnection:
        """Check what the user chose; ``'zero'`` and ``'none'`` are short for both choices."""
        check_choice(option, action, ("raise", "warn", "ignore", "zero", "none"))
        allowed = ("zero", "none", "None", "disconnected", "Disconnected")
        check_choice("return_disconnected", value, allowed)
        if action in ("zero", "none"):
            action, value = "ignore", action
        return Disconnection(option, action, value.lower(), call, what)

    def gradient(
        self, outputs: Sequence[Node], x: Node, constant: Collection[Node]
    ) -> Node | Disconnected | None:
        """Return what stands for the gradient by x, or raise an error that says why it is none."""
        path = trace(outputs, x, constant)
        if path.exists and path.cut is None:
            return zeros(x)  # simplification found that x cancels
        if path.cut is None:
            what = f"{self.call}: {self.what} does not depend on {_label(x)}"
            return self._choose(what, [x], _depends(outputs), x)
        what = f"{self.call}: no gradient passes from {self.what} to {_label(x)}"
        return self._choose(what, [x, *({path.cut} - {x})], path.why, x)

    def product(self, f: Node, wrt: Sequence[Node]) -> Node | Disconnected | None:
        """Return what stands for the change of f when ``wrt`` moves."""
        paths = [trace([f], x) for x in wrt]
        if any(path.exists and path.cut is None for path in paths):
            return zeros(f)
        why = next((path.why for path in paths if path.cut is not None), _depends([f]))
        what = f"Rop: {_label(f)} does not move with {', '.join(map(_label, wrt))}"
        return self._choose(what, [f, *wrt], why, f)

    def _choose(
        self, what: str, shown: Sequence[Node], why: str, like: Node
    ) -> Node | Disconnected | None:
        place = here()
        hint = f"{why}\npass {self.option}='ignore' to get zeros instead"
        text = message(what, map(operand, shown), place, hint)
        if self.action == "raise":
            raise DisconnectedInputError(text)
        if self.action == "warn":
            warn(text)
        if self.value == "zero":
            return zeros(like)
        return None if self.value == "none" else Disconnected(like)


def _depends(outputs: Sequence[Node]) -> str:
    """Say what outputs do depend on."""
    names = [_label(x) for x in leaves(outputs) if x.op in (INPUT, SHARED)]
    if not names:
        return "it is a constant"
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"it depends on {', '.join(names[:8])}{more}"


def zeros(x: Node) -> Node:
    """Return zeros in the shape and dtype of an expression."""
    return expand(const(0, x.type.dtype), sizes(x))  # type: ignore[no-any-return]


def check_choice(name: str, value: Any, allowed: Sequence[str]) -> None:
    """Raise an error unless an argument is one of the allowed values."""
    if value not in allowed:
        listed = ", ".join(map(repr, allowed))
        raise GraphcValueError(message(f"{name}={value!r}: must be one of {listed}", (), here()))


def _label(node: Node) -> str:
    return LANGUAGE["label"](node)  # type: ignore[no-any-return]
