"""Names of Theano's that graphc has nothing behind, and what to do instead.

They are attribute errors too, so that ``hasattr`` and ``try``-``except`` of programs that can do
without them work.
"""

from __future__ import annotations

from graphc.errors import message
from graphc.ir.source import here

_RANKS = ("scalar", "vector", "row", "col", "matrix", *(f"tensor{rank}" for rank in range(3, 8)))
_PLURALS = ("scalars", "vectors", "rows", "cols", "matrices", *(f"{one}s" for one in _RANKS[5:]))
_COMPLEX = {f"{letter}{word}" for letter in "cz" for word in (*_RANKS, *_PLURALS)}
_COMPLEX |= {"complex", "complex_from_polar", "complex64", "complex128", "angle"}


def is_complex(name: str) -> bool:
    """Tell whether a name of Theano's is about complex numbers."""
    return name in _COMPLEX


def complex_message(name: str) -> str:
    """Return the error for a name that is about complex numbers."""
    return message(
        f"complex numbers are not supported: there is no {name}",
        (),
        here(),
        "keep the real and the imaginary part in two real arrays",
    )


def sparse_message() -> str:
    """Return the error for sparse matrices."""
    return message(
        "sparse matrices are not supported: there is no graphc.sparse",
        (),
        here(),
        "use dense arrays, as matrix.toarray() gives them, or index the rows that matter",
    )
