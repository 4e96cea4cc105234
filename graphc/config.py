"""Settings that hold for the whole process, and a context manager to change them for a while.

Each setting can also be given in the environment as ``GRAPHC_<NAME>``, read once at import:
``GRAPHC_FLOATX=float32``, ``GRAPHC_BACKEND=opencl``, ``GRAPHC_DEVICE=nvidia``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from graphc.errors import GraphcValueError


def _one_of(*allowed: str) -> Callable[[str, Any], Any]:
    def check(name: str, value: Any) -> Any:
        if value not in allowed:
            raise GraphcValueError(
                f"config.{name} = {value!r}: must be one of {', '.join(allowed)}"
            )
        return value

    return check


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, str):
        if value.lower() in ("1", "true", "yes", "on"):
            return True
        if value.lower() in ("0", "false", "no", "off", ""):
            return False
    elif isinstance(value, bool):
        return value
    raise GraphcValueError(f"config.{name} = {value!r}: must be True or False")


def _count(name: str, value: Any) -> int:
    try:
        count = int(value)
    except (TypeError, ValueError):
        count = -1
    if count < 0 or isinstance(value, float):
        raise GraphcValueError(f"config.{name} = {value!r}: must be a whole number from 0 up")
    return count


def _text(name: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise GraphcValueError(f"config.{name} = {value!r}: must be a string or None")
    return value or None


class _Setting(NamedTuple):
    default: Any
    check: Callable[[str, Any], Any]
    doc: str


SETTINGS = {
    "floatX": _Setting(
        "float64", _one_of("float16", "float32", "float64"), "dtype of floats nobody gave a dtype"
    ),
    "backend": _Setting("numpy", _one_of("numpy", "opencl"), "backend of functions"),
    "device": _Setting(None, _text, "OpenCL device by name, such as 'nvidia' or 'pocl:0'"),
    "threads": _Setting(0, _count, "threads for large arrays on the NumPy backend; 0: all cores"),
    "strict_math": _Setting(False, _flag, "leave out the rules that assume finite numbers"),
    "warn_float64": _Setting(
        "ignore",
        _one_of("ignore", "warn", "raise"),
        "what to do when smaller floats or integers widen to float64",
    ),
    "loop_memory": _Setting(
        1 << 29,
        _count,
        "bytes that moving work out of a loop may keep for all its steps, where sizes are known",
    ),
    "optimizer": _Setting(True, _flag, "rewrite and fuse; off: compute what was written"),
}


class Config:
    """The settings, as attributes; assignment checks the value.

    Examples
    --------
    >>> import graphc
    >>> graphc.config.floatX
    'float64'
    >>> with graphc.config.set(floatX="float32"):
    ...     graphc.tensor.vector("x").dtype
    'float32'
    """

    floatX: str
    backend: str
    device: str | None
    threads: int
    strict_math: bool
    warn_float64: str
    loop_memory: int
    optimizer: bool

    def __init__(self) -> None:
        for name, setting in SETTINGS.items():
            setattr(self, name, os.environ.get(f"GRAPHC_{name.upper()}", setting.default))

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in SETTINGS:
            raise GraphcValueError(f"config has no {name!r}; it has {', '.join(SETTINGS)}")
        object.__setattr__(self, name, SETTINGS[name].check(name, value))

    @contextmanager
    def set(self, **values: Any) -> Iterator[None]:
        """Change settings inside a ``with`` block, and put the old ones back after it."""
        old = {name: getattr(self, name, None) for name in values}
        try:
            for name, value in values.items():
                setattr(self, name, value)
            yield
        finally:
            for name, value in old.items():
                if name in SETTINGS:
                    object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        rows = (f"{name} = {getattr(self, name)!r}" for name in SETTINGS)
        return "\n".join(rows)


config = Config()
