"""Routines of linear algebra on NumPy, found by op name: see `calls`.

A result that nobody reads has no name; singular values and eigenvalues are had for less alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.backends.numpy.leave import leave
from graphc.emit.host import HostFunction
from graphc.ir.node import Node

Routine = Callable[[HostFunction, Node, list[str], Any], None]


def _one(template: str) -> Routine:
    def routine(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
        text = template.format(*operands, **node.attrs)
        leave(host, node, out, text)

    return routine


def _solve(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    given = ", ".join(operands)
    structure = node.attrs["structure"]
    text = f"np.linalg.solve({given})"
    if structure != "general":
        text = f"solve_triangular({given}, {structure == 'lower'})"
    leave(host, node, out, text)


def _cholesky(host: HostFunction, node: Node, operands: list[str], out: str) -> None:
    nan = node.attrs["on_error"] == "nan"
    name = "cholesky_or_nan" if nan else "np.linalg.cholesky"
    leave(host, node, out, f"{name}({operands[0]})")


def _several(template: str, alone: dict[int, str]) -> Routine:
    """Return the routine of an op with several results; ``alone``: what gives only one of them."""

    def routine(host: HostFunction, node: Node, operands: list[str], outs: tuple[str, ...]) -> None:
        kinds: Any = node.type
        read = [place for place, out in enumerate(outs) if out]
        if len(read) == 1 and read[0] in alone:
            (place,) = read
            text = alone[place].format(*operands, **node.attrs)
            leave(host, node, outs[place], text, kinds.items[place])
            return
        names = [host.names.fresh("r") if out else "_" for out in outs]
        text = template.format(*operands, **node.attrs)
        host.body.line(f"{', '.join(names)} = {text}", [node])
        for place in read:
            leave(host, node, outs[place], names[place], kinds.items[place])

    return routine


_FULL_QR = _several("np.linalg.qr({0}, {mode!r})", {})
_REDUCED_QR = _several("np.linalg.qr({0})", {1: "np.linalg.qr({0}, 'r')"})


def _qr(host: HostFunction, node: Node, operands: list[str], outs: Any) -> None:
    routine = _REDUCED_QR if node.attrs["mode"] == "reduced" else _FULL_QR
    routine(host, node, operands, outs)


ROUTINES: dict[str, Routine] = {
    "solve": _solve,
    "inv": _one("np.linalg.inv({0})"),
    "pinv": _one("np.linalg.pinv({0})"),
    "det": _one("np.linalg.det({0})"),
    "expm": _one("expm({0})"),
    "cholesky": _cholesky,
    "slogdet": _several("np.linalg.slogdet({0})", {}),
    "qr": _qr,
    "svd": _several("np.linalg.svd({0}, {full})", {1: "np.linalg.svd({0}, compute_uv=False)"}),
    "eigh": _several("np.linalg.eigh({0})", {0: "np.linalg.eigvalsh({0})"}),
}
