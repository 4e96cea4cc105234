"""Names in kernels: the user's own where OpenCL C allows them."""

from __future__ import annotations

import re

# Keywords and types of OpenCL C, functions of the prelude and of templates, and what frames use.
_WORDS = """
    auto break case const continue default do double else enum extern float for goto if inline int
    long register restrict return short signed sizeof static struct switch typedef union unsigned
    void volatile while bool char uchar ushort uint ulong half kernel global local constant private
    generic read_only write_only read_write pipe image1d_t image2d_t image3d_t sampler_t event_t
    size_t ptrdiff_t intptr_t uintptr_t true false NULL
    exp log log1p expm1 sqrt sin cos tan tanh sinh cosh asin acos atan fabs floor ceil rint pow abs
    max min lt le gt ge eq ne where truth power int_pow sgn sigmoid softplus half_even floordiv
    floormod max_nan min_nan quotient select convert fmod copysign erf erfc tgamma lgamma isnan
    atan2 asinh acosh atanh log2 log10 exp2 trunc shift_left shift_right
    erfcx erfinv erfcinv psi polygamma i0 i1 horner clenshaw normal_quantile hurwitz
    i o r c k n at lane first last part left blocks item rows length outer inner splits chunk
    in_row half_group
"""
_TAKEN = frozenset(_WORDS.split())
_NUMBERED = re.compile(
    r"(out|at|r|v|p|s|part|part_at|value|place|char|uchar|short|ushort|int|uint|long|ulong|float"
    r"|double|half)_?\d+(_at)?|[irco]_(over_)?\d+|[A-Z_]\w*|(as|convert|truth)_\w+"
)
_IDENTIFIER = re.compile(r"[A-Za-z]\w*", re.ASCII)


class KernelNames:
    """Identifiers of one kernel, each used once.

    Examples
    --------
    >>> names = KernelNames()
    >>> names.own("weight", "x"), names.own("weight", "x"), names.own("float", "x")
    ('weight', 'x0', 'x1')
    """

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._next: dict[str, int] = {}

    def own(self, wanted: str | None, prefix: str) -> str:
        """Return the name that is wanted if it can be had, else a fresh one."""
        if wanted and wanted not in self._used and is_free(wanted):
            self._used.add(wanted)
            return wanted
        return self.fresh(prefix)

    def fresh(self, prefix: str) -> str:
        """Return a name of a prefix and a number."""
        while True:
            number = self._next.get(prefix, 0)
            self._next[prefix] = number + 1
            name = f"{prefix}{number}"
            if name not in self._used:
                self._used.add(name)
                return name


def is_free(name: str) -> bool:
    """Tell whether OpenCL C and the frames leave a name to the user.

    Examples
    --------
    >>> is_free("x"), is_free("exp"), is_free("out0"), is_free("größe")
    (True, False, False, False)
    """
    return (
        _IDENTIFIER.fullmatch(name) is not None
        and name not in _TAKEN
        and _NUMBERED.fullmatch(name) is None
    )
