"""The command line: what is installed, which devices there are, tuning, and the tutorials.

``python -m graphc info | devices | tune | tutorial NAME``. A mistake of the user's is a line on
standard error and an exit code, never a traceback; nothing asks questions.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import graphc
from graphc.backends.numpy.runtime import threads
from graphc.config import SETTINGS, config
from graphc.errors import GraphcError, InternalError

if TYPE_CHECKING:
    from graphc.backends.opencl.choice import DeviceInfo

TUTORIALS = {
    "linear": "linear_regression",
    "logistic": "logistic_regression",
    "network": "neural_network",
    "convolution": "convolutional_network",
}
_PACKAGES = {"sklearn": "scikit-learn"}  # what modules are called on PyPI, where it differs
_COLUMNS = (
    "number",
    "platform",
    "device",
    "type",
    "clock",
    "units",
    "local",
    "constant",
    "global",
    "fp64",
)
_VERSIONS = ("numpy", "graphviz", "pygraphviz", "pyopencl", "pocl-binary-distribution", "sympy")


class _UserError(Exception):
    """Something the user can put right; the text says how."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 for a failure, 2 for a wrong command line.

    Examples
    --------
    >>> main(["tutorial"])
    linear       Ridge regression ...
    logistic     Logistic regression ...
    network      A network ...
    convolution  A convolutional ...
    0
    """
    options = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except InternalError:
        raise
    except (_UserError, GraphcError) as error:
        print(f"graphc: {error}", file=sys.stderr)
        return 2 if isinstance(error, _UserError) else 1
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("graphc: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m graphc", description="A compiler for symbolic array programs."
    )
    parser.add_argument("--version", action="version", version=f"graphc {graphc.__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)
    info = commands.add_parser("info", help="versions, settings, and which backends can be used")
    info.set_defaults(command=_info)
    devices = commands.add_parser("devices", help="the OpenCL devices, and which one is taken")
    devices.set_defaults(command=_devices)
    tune = commands.add_parser("tune", help="measure products on an OpenCL device, and keep it")
    tune.add_argument("--device", help="by name; without, the one that `devices` marks")
    tune.add_argument("--seconds", type=float, default=2, help="time for each choice")
    tune.set_defaults(command=_tune)
    tutorial = commands.add_parser("tutorial", help=f"train a model: {', '.join(TUTORIALS)}")
    tutorial.add_argument("name", nargs="?", help=f"{' or '.join(TUTORIALS)}; without, a list")
    tutorial.add_argument("--backend", choices=["numpy", "opencl"], default=config.backend)
    tutorial.add_argument("--svg", metavar="PATH", help="where the picture goes")
    tutorial.set_defaults(command=_tutorial)
    return parser


# -- info -----------------------------------------------------------------------------------------


def _info(options: argparse.Namespace) -> int:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    rows = [
        ("graphc", f"{graphc.__version__} in {Path(graphc.__file__).parent}"),
        ("python", f"{python} on {platform.system()} {platform.machine()}"),
        ("packages", ", ".join(filter(None, map(_version, _VERSIONS)))),
        ("numpy", f"ready, {threads()} threads for large arrays"),
        ("opencl", _opencl()),
        ("pictures", _layout()),
        ("settings", ", ".join(f"{name}={getattr(config, name)!r}" for name in SETTINGS)),
    ]
    for name, text in rows:
        print(f"{name:<10}{text}")
    return 0


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return ""


def _opencl() -> str:
    """Say whether the backend can be used, and on which device, or else why not."""
    try:
        found = _choose()
    except GraphcError as error:
        return f"not available: {str(error).splitlines()[0]}"
    return f"ready on {found.label}, {found.why}"


def _choose() -> DeviceInfo:
    from graphc.backends.opencl.choice import choose, list_devices

    return choose(list_devices(configured=config.device), configured=config.device)


def _layout() -> str:
    from graphc.viz import render

    found = render.engine()
    return f"drawn by {found}" if found else "no layout engine: python -m pip install pygraphviz"


# -- devices --------------------------------------------------------------------------------------


def _devices(options: argparse.Namespace) -> int:
    from graphc.backends.opencl.choice import list_devices

    found = list_devices(configured=config.device)
    if found:
        rows = [list(_COLUMNS), *map(_device, found)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row, info in zip(rows, [None, *found], strict=True):
            mark = "*" if info is not None and info.picked else " "
            cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
            print(f"{mark} {'  '.join(cells)}".rstrip())
    chosen = _choose()  # raises an error with remedies where there is none
    print(f"\n* graphc takes {chosen.name}: {chosen.why}")
    return 0


def _device(info: DeviceInfo) -> list[str]:
    limits = info.limits
    return [
        f"{info.number[0]}:{info.number[1]}",
        info.platform,
        info.name,
        info.kind,
        f"{info.clock} MHz",
        str(limits.compute_units),
        _bytes(limits.local_memory),
        _bytes(limits.constant_memory),
        _bytes(limits.global_memory),
        "yes" if limits.fp64 else "no",
    ]


def _bytes(count: int) -> str:
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    power = min(max(count.bit_length() - 1, 0) // 10, len(units) - 1)
    value = count / 1024**power
    return f"{value:.0f} {units[power]}" if value >= 100 else f"{value:.3g} {units[power]}"


# -- tune -----------------------------------------------------------------------------------------


def _tune(options: argparse.Namespace) -> int:
    from graphc.backends.opencl.device import get_device
    from graphc.backends.opencl.tune import tune
    from graphc.backends.opencl.tuned import save

    device = get_device(options.device, config.device)
    print(f"{device.info.label}, driver {device.info.driver}")
    device.choices = tune(device, options.seconds, print)
    print(f"kept in {save(device.info, device.choices)}")
    return 0


# -- tutorials ------------------------------------------------------------------------------------


def _tutorial(options: argparse.Namespace) -> int:
    if options.name is None:
        for name, file in TUTORIALS.items():
            doc = ast.get_docstring(ast.parse(_example(file).read_text(encoding="utf-8"))) or ""
            print(f"{name:<13}{doc.splitlines()[0] if doc else file}")
        return 0
    if options.name not in TUTORIALS:
        known = ", ".join(TUTORIALS)
        raise _UserError(f"there is no tutorial {options.name!r}; there are {known}")
    if options.svg and not Path(options.svg).absolute().parent.is_dir():
        raise _UserError(f"--svg {options.svg}: there is no folder to write it in")
    try:
        module = _load(TUTORIALS[options.name])
        module.main(backend=options.backend, svg=options.svg)
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return 0


def _example(file: str) -> Path:
    """Return the file of a tutorial, in an installed graphc or in a checkout."""
    package = Path(graphc.__file__).resolve().parent
    for folder in (package / "_examples", package.parent / "examples"):
        path = folder / f"{file}.py"
        if path.is_file():
            return path
    raise _UserError(f"no file {file}.py beside {package}; install graphc again")


def _load(file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file, _example(file))
    assert spec is not None and spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules[file] = module
    spec.loader.exec_module(module)
    return module  # type: ignore[no-any-return]


def _missing(error: ModuleNotFoundError) -> Exception:
    name = (error.name or "").split(".")[0]
    if not name or name == "graphc":
        return error
    return GraphcError(
        f"this tutorial needs {name}, which is not installed\n"
        f"  python -m pip install {_PACKAGES.get(name, name)}"
    )
