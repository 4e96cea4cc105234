"""Einstein's notation: `einsum`, made of products of matrices, elementwise products and sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import GraphcValueError, ShapeError, message
from graphc.ir.node import Node, as_node, operand
from graphc.ir.shapes import as_size_node, sizes
from graphc.ir.source import here
from graphc.ops.elementwise import eq, where
from graphc.ops.movement import dimshuffle
from graphc.ops.parts import iota
from graphc.tensor.products import folded, paired

_USUAL = 100  # stands for a size that is not known
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Term:
    """An array with a letter for each of its axes."""

    node: Node
    letters: str


def einsum(subscripts: str, *operands: Any, **ignored: Any) -> Any:
    """Return sums of products over axes that are named by letters, as NumPy's einsum.

    Operands are combined two at a time, so that as little as possible is computed; sizes that are
    not known count as 100.

    Parameters
    ----------
    subscripts : str
        Letters of each operand, ``"ij,jk->ik"``. An ellipsis stands for axes that broadcast.
        Without an arrow the result has the letters that stand once, in alphabetical order.
    *operands : expression
    **ignored
        ``optimize`` is accepted for NumPy's sake.

    Raises
    ------
    GraphcValueError
        If the letters do not fit the operands.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> a, b = T.dtensor3("a"), T.dtensor3("b")
    >>> T.einsum("bij,bjk->bik", a, b).type, T.einsum("bii->b", a).type
    (float64[?, ?, ?], float64[?])
    """
    if unknown := set(ignored) - {"optimize"}:
        raise GraphcValueError(message(f"einsum takes no {sorted(unknown)}", (), here()))
    nodes = [as_node(one) for one in operands]
    inputs, output = _read(subscripts.replace(" ", ""), nodes)
    terms = [_without_repeats(Term(x, part)) for x, part in zip(nodes, inputs, strict=True)]
    _check_sizes(terms, subscripts)
    for chosen in _order(terms, output):
        picked = [terms.pop(place) for place in sorted(chosen, reverse=True)][::-1]
        first, *rest = picked
        for i, term in enumerate(rest, 1):
            later = {letter for one in (*terms, *picked[i + 1 :]) for letter in one.letters}
            first = _combined(first, term, later | set(output))
        terms.append(first)
    return _arranged(_summed(terms[0], set(output)), output)


def _order(terms: Sequence[Term], output: str) -> list[tuple[int, ...]]:
    """Return which terms are combined, one after the other: NumPy's greedy order by sizes."""
    if len(terms) <= 2:
        return [tuple(range(len(terms)))]
    known = {
        letter: size
        for term in terms
        for letter, size in zip(term.letters, term.node.type.shape, strict=True)
        if size is not None and size != 1
    }
    shapes = [[known.get(letter, _USUAL) for letter in term.letters] for term in terms]
    arrays = [np.broadcast_to(0.0, shape) for shape in shapes]
    text = f"{','.join(term.letters for term in terms)}->{output}"
    found, _ = np.einsum_path(text, *arrays, optimize="greedy")
    return found[1:]


# -- reading --------------------------------------------------------------------------------------


def _read(text: str, nodes: Sequence[Node]) -> tuple[list[str], str]:
    """Return the letters of each operand and of the result, with letters for ellipses."""
    left, arrow, output = text.partition("->")
    parts = left.split(",")
    if len(parts) != len(nodes):
        raise _wrong(text, f"{len(parts)} terms for {len(nodes)} operands", nodes)
    free = [letter for letter in _LETTERS if letter not in text]
    hidden = [
        node.type.ndim - len(part.replace("...", ""))
        for part, node in zip(parts, nodes, strict=True)
        if "..." in part
    ]
    ellipsis = "".join(free[: max(hidden, default=0)])
    found = [_spelled(text, part, node, ellipsis) for part, node in zip(parts, nodes, strict=True)]
    if arrow:
        result = output.replace("...", ellipsis)
    else:
        count = Counter("".join(found))
        result = ellipsis + "".join(sorted(c for c in count if count[c] == 1 and c not in ellipsis))
    known = set("".join(found))
    if len(set(result)) != len(result) or not set(result) <= known:
        raise _wrong(text, "each letter of the result stands once, and in an operand", nodes)
    return found, result


def _spelled(text: str, part: str, node: Node, ellipsis: str) -> str:
    letters = part.replace("...", "")
    if not all(letter.isalpha() and letter.isascii() for letter in letters):
        raise _wrong(text, f"{part!r} has something else than letters", [node])
    count = node.type.ndim - len(letters)
    if count < 0 or (count and "..." not in part):
        raise _wrong(text, f"{part!r} does not name {node.type.ndim} axes", [node])
    return part.replace("...", ellipsis[len(ellipsis) - count :])


def _wrong(text: str, problem: str, nodes: Iterable[Node]) -> GraphcValueError:
    return GraphcValueError(message(f"einsum {text!r}: {problem}", map(operand, nodes), here()))


def _check_sizes(terms: Sequence[Term], text: str) -> None:
    """Raise an error where known sizes of one letter differ; 1 broadcasts."""
    known: dict[str, int] = {}
    for term in terms:
        for letter, size in zip(term.letters, term.node.type.shape, strict=True):
            if size is None or size == 1:
                continue
            if known.setdefault(letter, size) != size:
                raise ShapeError(
                    message(
                        f"einsum {text!r}: sizes {known[letter]} and {size} of {letter!r} differ",
                        [operand(one.node) for one in terms],
                        here(),
                    )
                )


# -- combining ------------------------------------------------------------------------------------


def _without_repeats(term: Term) -> Term:
    """Return a term in which each letter stands once: the diagonal of axes that share one."""
    node, letters = term.node, term.letters
    while len(set(letters)) != len(letters):
        letter = next(c for c in letters if letters.count(c) > 1)
        first, second = letters.index(letter), letters.rindex(letter)
        rank = node.type.ndim
        places = [
            dimshuffle(
                iota(as_size_node(sizes(node)[axis])),
                [0 if i == axis else "x" for i in range(rank)],
            )
            for axis in (first, second)
        ]
        _check_square(node, first, second)
        node = folded(where(eq(*places), node, 0), [second])
        letters = letters[:second] + letters[second + 1 :]
    return Term(node, letters)


def _check_square(node: Node, first: int, second: int) -> None:
    one, other = node.type.shape[first], node.type.shape[second]
    if one is not None and other is not None and one != other:
        raise ShapeError(
            message(f"einsum: sizes {one} and {other} differ", [operand(node)], here())
        )


def _summed(term: Term, kept: set[str]) -> Term:
    """Return a term without the letters that nothing else needs."""
    gone = [axis for axis, letter in enumerate(term.letters) if letter not in kept]
    left = "".join(letter for letter in term.letters if letter in kept)
    return Term(folded(term.node, gone), left)


def _combined(a: Term, b: Term, kept: set[str]) -> Term:
    """Return the product of two terms, summed over what is not kept."""
    a, b = _summed(a, kept | set(b.letters)), _summed(b, kept | set(a.letters))
    a, b = _squeezed(a, b), _squeezed(b, a)
    both = [letter for letter in a.letters if letter in b.letters]
    batch = [letter for letter in both if letter in kept]
    met = [letter for letter in both if letter not in kept]
    rows = [letter for letter in a.letters if letter not in both]
    columns = [letter for letter in b.letters if letter not in both]
    node = paired(
        a.node,
        b.node,
        [a.letters.index(c) for c in batch],
        [b.letters.index(c) for c in batch],
        [a.letters.index(c) for c in met],
        [b.letters.index(c) for c in met],
    )
    return Term(node, "".join([*batch, *rows, *columns]))


def _squeezed(a: Term, b: Term) -> Term:
    """Return a term without axes of size 1 that broadcast against an axis of the other."""
    gone = [
        axis
        for axis, letter in enumerate(a.letters)
        if letter in b.letters
        and a.node.type.shape[axis] == 1
        and b.node.type.shape[b.letters.index(letter)] != 1
    ]
    kept = [axis for axis in range(a.node.type.ndim) if axis not in gone]
    return Term(dimshuffle(a.node, kept), "".join(a.letters[axis] for axis in kept))


def _arranged(term: Term, letters: str) -> Any:
    return dimshuffle(term.node, [term.letters.index(letter) for letter in letters])


__all__ = ["einsum"]
