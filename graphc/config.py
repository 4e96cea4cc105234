"""Settings that hold for the whole process, and a context manager to change them for a while.

Each setting can also be given in the environment as ``GRAPHC_<NAME>``, read once at import:
``GRAPHC_FLOATX=float32``, ``GRAPHC_BACKEND=opencl``, ``GRAPHC_DEVICE=nvidia``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from graphc.errors import GraphcValueError, NotSupportedError, message


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


def _text(name: str, value: Any) -> str:
    if value is not None and not isinstance(value, str):
        raise GraphcValueError(f"config.{name} = {value!r}: must be a string or None")
    return value or ""


def _degree(name: str, value: Any) -> bool:
    """Read whether to optimise, also from the names of Theano's optimizers."""
    known = {"fast_run": True, "fast_compile": False, "None": False}
    return known[value] if value in known and isinstance(value, str) else _flag(name, value)


class _Setting(NamedTuple):
    default: Any
    check: Callable[[str, Any], Any]
    doc: str


SETTINGS = {
    "floatX": _Setting(
        "float64", _one_of("float16", "float32", "float64"), "dtype of floats nobody gave a dtype"
    ),
    "backend": _Setting("numpy", _one_of("numpy", "opencl"), "backend of functions"),
    "device": _Setting("", _text, "OpenCL device by name, such as 'nvidia' or 'pocl:0'"),
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
    "optimizer": _Setting(True, _degree, "rewrite and fuse; off: compute what was written"),
    "mode": _Setting(
        "Mode",
        _one_of("Mode", "FAST_RUN", "FAST_COMPILE"),
        "mode of functions that name none; FAST_COMPILE computes what was written",
    ),
    "on_unused_input": _Setting(
        "raise", _one_of("raise", "warn", "ignore"), "what function() does about unused inputs"
    ),
}

NO_EFFECT = {
    **dict.fromkeys(("openmp", "allow_gc", "profile", "profile_memory"), False),
    **dict.fromkeys(("profile_optimizer", "force_device", "assert_no_cpu_op"), False),
    **dict.fromkeys(("optimizer_verbose", "print_test_value"), False),
    **dict.fromkeys(("optimizer_including", "optimizer_excluding", "linker", "cxx"), ""),
    **dict.fromkeys(("base_compiledir", "compiledir"), ""),
    "exception_verbosity": "low",
    "reoptimize_unpickled_function": False,
    "openmp_elemwise_minsize": 200_000,
}
"""Theano's settings of parts that graphc does not have: they are kept, and change nothing."""

GROUPS = (
    *("DebugMode", "NanGuardMode", "blas", "dnn", "experimental", "gcc", "gpuarray", "gradient"),
    *("lib", "numpy", "nvcc", "scan", "traceback", "warn"),
)
"""Theano's groups of such settings: ``config.warn.subtensor_merge_bug``."""

_INSTEAD = {
    "compute_test_value": (
        ("off", "ignore"),
        "dtypes, ranks and known sizes are checked on the line that writes an expression;"
        "\nx.eval({...}) computes its value",
    ),
    "int_division": (("floatX",), "x / y of integers is floatX; write x // y for whole numbers"),
    "cast_policy": (
        ("custom", "numpy+floatX"),
        "dtypes are those of NumPy 2; Python numbers are weak",
    ),
}
"""Theano's settings that graphc has decided: the values that agree with it, and what it does."""


class Group:
    """Settings of Theano's below a common name, which change nothing: kept as they were set."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


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
    device: str
    threads: int
    strict_math: bool
    warn_float64: str
    loop_memory: int
    optimizer: bool
    mode: str
    on_unused_input: str

    def __init__(self) -> None:
        for name, setting in SETTINGS.items():
            setattr(self, name, os.environ.get(f"GRAPHC_{name.upper()}", setting.default))

    def __getattr__(self, name: str) -> Any:
        """Return a setting of Theano's that has no effect here."""
        if name in NO_EFFECT:
            return NO_EFFECT[name]
        if name in GROUPS:
            return self.__dict__.setdefault(name, Group())
        if name in _INSTEAD:
            return _INSTEAD[name][0][0]
        raise AttributeError(f"config has no {name!r}; it has {', '.join(SETTINGS)}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in NO_EFFECT:
            object.__setattr__(self, name, value)
            return
        if name in _INSTEAD:
            allowed, instead = _INSTEAD[name]
            if value not in allowed:
                what = f"config.{name} = {value!r} is not supported"
                raise NotSupportedError(message(what, hint=instead))
            return
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
                if name in SETTINGS or name in NO_EFFECT:
                    object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        rows = (f"{name} = {getattr(self, name)!r}" for name in SETTINGS)
        return "\n".join(rows)


config = Config()
