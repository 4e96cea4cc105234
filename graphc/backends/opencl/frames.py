"""Kernel text: the elementwise frame filled, and the macros of widths resolved.

The frames of `kernels/` are valid on their own, with macros for the vector width and the tree.
In a kernel that was written for one width they only stand in the way of the reader, so they go.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from functools import partial

from graphc.backends.opencl.kernel_files import read
from graphc.errors import InternalError


def fill_map(
    name: str, params: Sequence[str], body: Sequence[str], vector_body: Sequence[str]
) -> str:
    """Return an elementwise kernel: the frame of `kernels/map.cl` around the statements."""
    found = re.search(r"^/\* frame map \*/\n(.*?)^/\* end frame \*/$", read("map.cl"), re.M | re.S)
    if not found:
        raise InternalError("kernels/map.cl has no frame map")
    declared = "".join(f"{param}, " for param in params)
    text = found[1].replace("NAME(PARAMS ", f"{name}({declared}")
    for mark, lines in (("VECTOR", vector_body), ("SCALAR", body)):
        text = re.sub(rf"^( *){mark};\n", partial(_indented, lines), text, flags=re.M)
    return text


def _indented(lines: Sequence[str], mark: re.Match[str]) -> str:
    return "".join(f"{mark[1]}{line}\n" for line in lines)


def quotients() -> str:
    """Return what the indices of kernels are computed with."""
    return read("map.cl").split("#ifndef FRAMES_ONLY")[0]


def resolve(text: str, width: int, group: int) -> str:
    """Return a kernel without conditions on, and macros of, the vector width and the tree.

    Examples
    --------
    >>> resolve("#if WIDTH > 1\\nVEC(int) x;\\n#else\\nint y;\\n#endif\\n", 4, 1)
    'int4 x;\\n'
    >>> resolve("i += WIDTH > 1 ? 1 : GROUP;", 1, 64)
    'i += 64;'
    """
    known = {"WIDTH": width, "GROUP": group}
    kept: list[str] = []
    shown = True
    for line in text.splitlines():
        if line.startswith("#if "):
            name, relation, number = line.split()[1:]
            shown = known[name] > int(number) if relation == ">" else known[name] == int(number)
        elif line == "#else":
            shown = not shown
        elif line == "#endif":
            shown = True
        elif shown and not (group == 1 and re.match(r" *(GROUP_TREE|SCRATCH)", line)):
            kept.append(line)
    found = "\n".join(kept) + "\n" * text.endswith("\n")
    taken = r"\1" if width > 1 else r"\2"
    found = re.sub(r"WIDTH > 1 \? (.*?) : (\w+)", taken, found)
    found = re.sub(r"\bVEC\((\w+)\)", rf"\g<1>{width}" if width > 1 else r"\g<1>", found)
    if width == 1:
        found = found.replace(" + WIDTH - 1) / WIDTH", ")").replace(" * WIDTH", "")
    if group == 1:
        found = found.replace("GROUP * ", "")
    found = re.sub(r"\b(WIDTH|GROUP)\b", lambda name: str(known[name[1]]), found)
    return re.sub(r"^kernel void [^{]*", _wrapped, found, flags=re.M)


def _wrapped(line: re.Match[str]) -> str:
    """Return the head of a kernel on lines that are not too long; its parts are not torn."""
    indent = " " * (line[0].index("(") + 1)
    text = re.sub(r"(?<!,) ", "\0", re.sub(r"\s+", " ", line[0]))
    lines = textwrap.wrap(text, 100, subsequent_indent=indent, break_long_words=False)
    return "\n".join(lines).replace("\0", " ")
