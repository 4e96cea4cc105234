"""Applications of the rows of linear algebra: well-conditioned matrices made of any operands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import graphc.tensor as T
from graphc.ir.node import Node
from graphc.ops import decompositions as rows
from graphc.ops.linalg import swapped


def regular(x: Node) -> Any:
    """Return square matrices with a dominant diagonal."""
    return x + T.eye(x.shape[-1]) * 12


def positive(x: Node) -> Any:
    """Return symmetric, positive definite matrices with eigenvalues that differ."""
    spread = T.eye(x.shape[-1]) * (T.arange(x.shape[-1]) * 3 + 20)
    return (x + swapped(x)) / 2 + spread


def wide(x: Node) -> Any:
    """Return matrices of full rank with singular values that differ."""
    rows_, columns = T.arange(x.shape[-2]), T.arange(x.shape[-1])
    return x / 4 + T.eq(rows_[:, None], columns) * (rows_ + 2.0)[:, None]


def _result(make: Callable[..., Any], place: int) -> Callable[..., Node]:
    return lambda *xs: make(*xs)[place]


def samples(example: Callable[..., Any]) -> dict[str, list[Any]]:
    """Return applications by the name of the row; ``example`` makes one."""

    def each(make: Callable[[Node], Any], of: Callable[[Node], Any] = regular) -> list[Any]:
        return [
            example("a matrix", ("bb",), lambda x: make(of(x))),
            example("a stack", ("abb",), lambda x: make(of(x))),
        ]

    def results(make: Callable[..., Any], of: Callable[..., Any], shape: str, n: int) -> list[Any]:
        return [
            example(f"result {k} of {label}", (letters,), _result(lambda x: make(of(x)), k))
            for k in range(n)
            for label, letters in (("a matrix", shape), ("a stack", "a" + shape))
        ]

    def solved(structure: str) -> list[Any]:
        def build(a: Node, b: Node) -> Any:
            return rows.solve(regular(a), b, structure)

        return [
            example(structure, ("bb", "bc"), build),
            example(f"{structure}, a stack", ("abb", "abc"), build),
        ]

    def of_product(x: Node) -> Any:
        return rows.solve(regular(x), swapped(x))

    return {
        "solve": [
            *solved("general"),
            *solved("lower"),
            *solved("upper"),
            example("a view", ("bb", "cb"), lambda a, b: rows.solve(regular(a).T, b.T)),
            example("one matrix", ("bb",), of_product),
        ],
        "inv": each(rows.inv),
        "pinv": [
            *each(rows.pinv, wide),
            example("more rows", ("cb",), lambda x: rows.pinv(wide(x))),
            example("more columns", ("bc",), lambda x: rows.pinv(wide(x))),
        ],
        "det": each(rows.det, lambda x: regular(x) / 12),
        "slogdet": results(rows.slogdet, regular, "bb", 2),
        "cholesky": each(rows.cholesky, positive),
        "qr": results(rows.qr, wide, "cb", 2),
        "svd": [*results(rows.svd, wide, "cb", 3), *results(rows.svd, wide, "bc", 3)],
        "eigh": results(rows.eigh, positive, "bb", 2),
        "expm": each(rows.expm, lambda x: x / 3),
    }
