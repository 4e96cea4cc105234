"""The files of `kernels/`: where they lie and what they say. Knows no device and no graph."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from graphc.errors import InternalError


@cache
def folder() -> Path:
    """Return the folder of the OpenCL C files, in an installed graphc or in a checkout.

    Examples
    --------
    >>> (folder() / "prelude.cl").is_file()
    True
    """
    package = Path(__file__).resolve().parents[2]
    for place in (package / "_kernels", package.parent / "kernels"):
        if place.is_dir():
            return place
    raise InternalError(f"no folder of kernels beside {package}; install graphc again")


@cache
def read(name: str) -> str:
    """Return the text of one file of the folder.

    Examples
    --------
    >>> "kernel" in read("map.cl")
    True
    """
    return (folder() / name).read_text(encoding="utf-8")
