"""Numbers of bytes as formulas over sizes: ``24 n0 + 8 n0 * n1``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from graphc.ir.node import Node
from graphc.ir.shapes import Dim
from graphc.lower.layout import strided
from graphc.lower.program import Program, is_const
from graphc.viz.labels import Labels

Amount = Counter[tuple[str, ...]]  # bytes by the sizes they are multiplied with


def array(dtype: str, shape: Iterable[Dim], labels: Labels) -> Amount:
    """Return the bytes of an array."""
    known = np.dtype(dtype).itemsize
    factors = []
    for size in shape:
        if isinstance(size, int):
            known *= size
        else:
            text = labels.size(size)
            factors.append(text if text.isidentifier() else f"({text})")
    return Counter({tuple(sorted(factors)): known})


def touched(
    program: Program, reads: Sequence[Node], writes: Sequence[Node]
) -> list[tuple[str, tuple[Dim, ...]]]:
    """Return dtypes and shapes of what a step reads and writes if it touches each array once."""
    found: list[tuple[str, tuple[Dim, ...]]] = []
    seen: set[Node] = set()
    for node in dict.fromkeys(reads):
        base = program.base(node)
        if not node.type.ndim or is_const(base) or base in seen:
            continue
        place = strided(node, program.stored, program.sizes)
        sizes = zip(place.shape, place.strides, strict=True)
        walked = [s for s, stride in sizes if not (isinstance(stride, int) and stride == 0)]
        if base is node:
            seen.add(base)
        found.append((node.type.dtype, tuple(walked)))
    arrays = [node for node in writes if node.type.ndim]
    return found + [(node.type.dtype, program.sizes.of(node)) for node in arrays]


def moved(
    program: Program, reads: Sequence[Node], writes: Sequence[Node], labels: Labels
) -> Amount:
    """Return the bytes that a step reads and writes if it touches each array once."""
    total: Amount = Counter()
    for dtype, shape in touched(program, reads, writes):
        total += array(dtype, shape, labels)
    return total


def text(amount: Amount) -> str:
    """Return an amount as a formula.

    Examples
    --------
    >>> text(Counter({("n0",): 24, ("n0", "n1"): 8, (): 80}))
    '8 n0 n1 + 24 n0 + 80 bytes'
    """
    parts = [
        " ".join([str(count), *factors])
        for factors, count in sorted(amount.items(), key=lambda item: (-len(item[0]), item[0]))
        if count
    ]
    return f"{' + '.join(parts) or '0'} bytes"
