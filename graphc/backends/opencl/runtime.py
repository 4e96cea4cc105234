"""The one place where pyopencl is imported, and the traps around its first use.

Importing this module imports nothing heavy and touches no driver. `opencl()` does both, once
per process: it gives PoCL and pyopencl caches that can be written, imports pyopencl, and remembers
the process. A child made by fork after that cannot use OpenCL (the driver's threads do not exist in
the child, and PoCL waits for them for ever), so every later use in a child is an error instead.

This module does not choose devices (`choice`) and makes no context (`device`).
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from graphc.errors import DeviceError

if TYPE_CHECKING:
    import pyopencl as cl

REMEDIES = """\
  - a CPU device without any driver, from PyPI:  python -m pip install "pyopencl[pocl]"
  - conda:  conda install -c conda-forge pyopencl pocl   (or ocl-icd-system, to see system drivers)
  - the driver of your GPU's vendor, with its OpenCL part; in containers the file
    /etc/OpenCL/vendors/nvidia.icd holding the line libnvidia-opencl.so.1
  - or run on NumPy:  graphc.config.backend = "numpy"
`python -m graphc devices` shows what is found."""

_module: ModuleType | None = None
_process: int | None = None
_forked = False


def opencl() -> ModuleType:
    """Import pyopencl, prepared and guarded; the only way in which graphc reaches it.

    Returns
    -------
    module
        `pyopencl`.

    Raises
    ------
    DeviceError
        If pyopencl is not installed, or if this process was forked from one that used OpenCL.
    """
    global _module, _process
    if _module is not None:
        check_process()
        return _module
    _make_caches_writable()
    try:
        import pyopencl
    except ImportError as error:
        raise DeviceError(
            f"OpenCL needs pyopencl, which is not here ({error})\n{REMEDIES}"
        ) from error
    _module, _process = pyopencl, os.getpid()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_note_fork)
    return _module


def _note_fork() -> None:
    """Note in a child that it is one: cheaper than asking for the process at every launch."""
    global _forked
    _forked = True


def check_process() -> None:
    """Raise if OpenCL was first used in a process of which this one is a fork.

    Raises
    ------
    DeviceError
        In a forked child.
    """
    if _forked:
        raise DeviceError(
            f"OpenCL was used in process {_process} before it forked into this one "
            f"({os.getpid()}); drivers do not survive a fork, and the call would hang\n"
            "  - start workers with multiprocessing.get_context('spawn') or 'forkserver'\n"
            "  - or fork before the first OpenCL function is compiled"
        )


def platforms() -> list[cl.Platform]:
    """List the OpenCL platforms; an empty list where the loader finds none.

    Returns
    -------
    list of pyopencl.Platform
    """
    module = opencl()
    try:
        return list(module.get_platforms())
    except module.Error as error:
        if error.code == module.status_code.PLATFORM_NOT_FOUND_KHR:
            return []
        raise DeviceError(f"the OpenCL loader failed: {describe(error)}\n{REMEDIES}") from error


def describe(error: Exception) -> str:
    """Say an OpenCL error in words: its routine and status instead of an object's address.

    Parameters
    ----------
    error
        An exception of pyopencl's.

    Returns
    -------
    str
    """
    module = opencl()
    code = getattr(error, "code", None)
    if code is None:
        return str(error)
    name = module.status_code.to_string(code, "status %d")
    return f"{getattr(error, 'routine', '')}: {name}".removeprefix(": ")


def out_of_memory(error: Exception) -> bool:
    """Whether an error of pyopencl's says that the device or its driver has no memory left."""
    codes = opencl().status_code
    return getattr(error, "code", None) in (
        codes.MEM_OBJECT_ALLOCATION_FAILURE,
        codes.OUT_OF_RESOURCES,
        codes.OUT_OF_HOST_MEMORY,
    )


def _make_caches_writable() -> None:
    """Point PoCL and pyopencl away from cache folders that cannot be written.

    PoCL then reports that it has no devices, and pyopencl fails in the middle of a build.
    """
    caches = user_caches()
    if "POCL_CACHE_DIR" not in os.environ and not (caches and _writable(caches / "pocl")):
        os.environ["POCL_CACHE_DIR"] = _private_folder()
    if "PYOPENCL_NO_CACHE" not in os.environ and not (caches and _writable(caches / "pyopencl")):
        os.environ["PYOPENCL_NO_CACHE"] = "1"


def user_caches() -> Path | None:
    """Return the folder where packages put their caches.

    Returns
    -------
    Path or None
        None if there is no home at all.
    """
    named = os.environ.get("XDG_CACHE_HOME")
    if named:
        return Path(named)
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        return None


def _writable(folder: Path) -> bool:
    """Whether the folder can be written, or made if it does not exist."""
    while not folder.exists() and folder.parent != folder:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _private_folder() -> str:
    """Make a cache folder that nobody else can reach and that goes with this process."""
    try:
        folder = tempfile.mkdtemp(prefix="graphc-pocl-")
    except OSError as error:
        raise DeviceError(
            "no folder can be written for the kernel cache; set POCL_CACHE_DIR or TMPDIR to one"
        ) from error
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder
