"""NaN, infinities and the sign of zero, in every elementwise op: as in NumPy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.ir.node import Node, apply
from graphc.ir.op import OPS, Kind

pytestmark = pytest.mark.usefixtures("device")
SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.5, -3.5, np.inf, -np.inf, np.nan]
# Either sign is right: NumPy's depends on how it was built, and SciPy's are not odd.
EITHER_ZERO = {"maximum", "minimum", "erfinv", "erfcinv", "i1"}
# As in C, where releases of SciPy differ.
NOT_COMPARED = {("gammaln", -np.inf)}
ARITY = {
    name: op.details.get("arity")
    for name, op in OPS.items()
    if op.kind is Kind.ELEMENTWISE and not op.attrs and "opencl" in op.code
}


def rows(arity: int, *arguments: Node) -> tuple[list[str], list[Node]]:
    """Return the ops of so many arguments that take floats, applied to these."""
    names, nodes = [], []
    for name, count in ARITY.items():
        if count != arity:
            continue
        try:
            node = apply(OPS[name], *arguments)
        except graphc.GraphcError:  # of integers or of bools
            continue
        names.append(name)
        nodes.append(node)
    return names, nodes


def compare(name: str, found: np.ndarray, expected: np.ndarray, given: Any) -> list[str]:
    """Return a line for each element of another kind: a NaN, an infinity, or a zero's sign."""
    wrong = np.isnan(found) != np.isnan(expected)
    wrong |= np.isinf(found) != np.isinf(expected)
    wrong |= np.isinf(found) & np.isinf(expected) & (found != expected)
    if name not in EITHER_ZERO:
        zeros = (found == 0) & (expected == 0)
        wrong |= zeros & (np.signbit(found) != np.signbit(expected))
    return [
        f"{name}({', '.join(str(v[k]) for v in given)}): {found[k]}, not {expected[k]}"
        for k in np.flatnonzero(wrong)
        if (name, float(given[0][k])) not in NOT_COMPARED
    ]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("arity", [1, 2])
def test_special_values_of_every_op(arity: int, dtype: str) -> None:
    arguments = [T.vector(name, dtype=dtype) for name in "xy"[:arity]]
    names, nodes = rows(arity, *arguments)
    assert len(names) > 10
    values = np.array(list(itertools.product(SPECIAL, repeat=arity)), dtype).T.copy()
    found, expected = [
        graphc.function(arguments, nodes, backend=backend, mode="FAST_COMPILE")(*values)
        for backend in ("opencl", "numpy")
    ]
    wrong = []
    for name, one, other in zip(names, found, expected, strict=True):
        assert one.dtype == other.dtype
        if other.dtype.kind == "f":
            wrong += compare(name, one, other, values)
        elif not np.array_equal(one, other):
            wrong.append(f"{name}: {one}, not {other}")
    assert not wrong, "\n".join(wrong)
