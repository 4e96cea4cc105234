"""Which device: what there is, what was asked for, which one is taken and why. Never prompts.

The order is: an explicit argument, `GRAPHC_DEVICE`, graphc's config (passed in by the caller),
`PYOPENCL_CTX`, and then the first GPU before the first accelerator before the first CPU. A name is
one of

    gpu, cpu, accelerator      the first of that type
    nvidia, amd, intel, pocl   the first of that platform; pocl:1 its second
    any other text             the first whose device name or platform holds it
    0:1                        platform and device by number, as in PYOPENCL_CTX

This module opens no context.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from graphc.backends.opencl.runtime import REMEDIES, describe, opencl, platforms
from graphc.errors import DeviceError

if TYPE_CHECKING:
    import pyopencl as cl

KINDS = ("gpu", "accelerator", "cpu", "custom")
# What a platform calls itself, by the word people use for it. "amd" must not find PoCL's device
# "pthread-AMD EPYC", so platforms are asked before devices.
PLATFORM_WORDS = {
    "pocl": ("portable computing language", "pocl"),
    "amd": ("amd accelerated", "advanced micro devices"),
    "nvidia": ("nvidia",),
    "intel": ("intel",),
    "apple": ("apple",),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a device can take, as its driver reports it.

    `work_group_size` is a bound over all kernels; one kernel may have a lower one
    (`Kernel.work_group_size`). `shares_memory` says that device and host use one memory.
    """

    fp64: bool
    max_parameter_size: int
    work_group_size: int
    work_item_sizes: tuple[int, ...]
    compute_units: int
    local_memory: int
    constant_memory: int
    global_memory: int
    max_allocation: int
    shares_memory: bool
    vector_bytes: int

    def vector_width(self, dtype: DTypeLike) -> int:
        """Return how many elements of a dtype a kernel should take at once on this device.

        PoCL does not vectorise across work-items by itself and wants explicit vectors of 32
        bytes; Intel's CPU runtime and all GPUs want scalars. On functions of 64-byte vectors PoCL
        3.0 may end the process or compile for minutes, so a kernel that mixes dtypes goes by the
        largest, casts included. `docs/opencl-measurements.md` has the figures.

        Examples
        --------
        >>> import dataclasses
        >>> limits = Limits(True, 1024, 256, (256,), 4, 1, 1, 1, 1, True, vector_bytes=32)
        >>> limits.vector_width("float64"), limits.vector_width("float32")
        (4, 8)
        >>> dataclasses.replace(limits, vector_bytes=0).vector_width("float64")
        1
        """
        if not self.vector_bytes:
            return 1
        return min(8, max(1, self.vector_bytes // np.dtype(dtype).itemsize))


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """One device, in words and numbers, for people and for the chooser.

    `number` is (platform, device); `kind` one of gpu, accelerator, cpu, custom; `clock` in MHz.
    `why` is the reason if this is the device that graphc would pick, else empty.
    """

    number: tuple[int, int]
    platform: str
    name: str
    vendor: str
    version: str
    driver: str
    kind: str
    clock: int
    limits: Limits
    why: str = ""

    @property
    def picked(self) -> bool:
        """Whether graphc would pick this device."""
        return bool(self.why)

    @property
    def label(self) -> str:
        """Platform, device and kind in one line, for messages."""
        return f"{self.platform}: {self.name} ({self.kind}, {self.number[0]}:{self.number[1]})"


def list_devices(name: str | None = None, configured: str | None = None) -> list[DeviceInfo]:
    """Describe every device of every platform, and mark the one graphc would pick.

    Parameters
    ----------
    name : str, optional
        The explicit choice, as for `get_device`.
    configured : str, optional
        `graphc.config.device`.

    Returns
    -------
    list of DeviceInfo
        In the order of the drivers; empty if there is no device. At most one has a `why`: none
        has where the name that was asked for fits no device.
    """
    infos = [info for info, _ in find_devices()]
    if not infos:
        return []
    try:
        chosen = choose(infos, name, configured)
    except DeviceError:
        return infos  # a listing is what one needs to correct the name; `choose` has the message
    return [chosen if info.number == chosen.number else info for info in infos]


def find_devices() -> list[tuple[DeviceInfo, cl.Device]]:
    """List every device, described, with pyopencl's object for it.

    Returns
    -------
    list of (DeviceInfo, pyopencl.Device)
    """
    module = opencl()
    found = []
    for p, platform in enumerate(platforms()):
        try:
            devices = platform.get_devices()
        except module.Error as error:
            if error.code != module.status_code.DEVICE_NOT_FOUND:
                raise DeviceError(f"{platform.name}: {describe(error)}") from error
            devices = []
        found += [(_describe(platform, d, (p, i)), d) for i, d in enumerate(devices)]
    return found


def choose(
    infos: Sequence[DeviceInfo], name: str | None = None, configured: str | None = None
) -> DeviceInfo:
    """Pick one device; the answer's `why` says on whose word.

    Parameters
    ----------
    infos : sequence of DeviceInfo
        What there is.
    name : str, optional
        The explicit choice.
    configured : str, optional
        `graphc.config.device`.

    Returns
    -------
    DeviceInfo

    Raises
    ------
    DeviceError
        If there is no device (with the remedies), or if the name fits none (with the list).
    """
    if not infos:
        raise DeviceError(f"no OpenCL device was found\n{REMEDIES}")
    for source, wanted in (
        ("device argument", name),
        ("GRAPHC_DEVICE", os.environ.get("GRAPHC_DEVICE")),
        ("graphc.config.device", configured),
        ("PYOPENCL_CTX", _first_answer(os.environ.get("PYOPENCL_CTX"))),
    ):
        if wanted:
            return replace(_by_name(infos, wanted, source), why=f"{source} is {wanted!r}")
    best = min(infos, key=lambda info: KINDS.index(info.kind))
    kinds = {info.kind for info in infos}
    why = f"the first {best.kind}" if len(kinds) > 1 else f"the first device (all are {best.kind})"
    return replace(best, why=why if len(infos) > 1 else "the only device")


def _by_name(infos: Sequence[DeviceInfo], wanted: str, source: str) -> DeviceInfo:
    word, _, rest = wanted.strip().lower().partition(":")
    if word.isdigit():
        number = (int(word), int(rest or 0)) if not rest or rest.isdigit() else None
        fitting = [info for info in infos if info.number == number]
        rest = ""
    else:
        fitting = _fitting(infos, word)
        if rest and not rest.isdigit():  # PYOPENCL_CTX also takes a part of the device's name
            fitting = [info for info in fitting if rest in info.name.lower()]
            rest = ""
    index = int(rest or 0)
    if index < len(fitting):
        return fitting[index]
    listing = "\n".join(f"  - {info.label}" for info in infos)
    raise DeviceError(f"{source}: no device fits {wanted!r}; there are\n{listing}")


def _fitting(infos: Sequence[DeviceInfo], word: str) -> list[DeviceInfo]:
    if word in KINDS:
        return [info for info in infos if info.kind == word]
    words = PLATFORM_WORDS.get(word, (word,))
    by_platform = [info for info in infos if any(w in info.platform.lower() for w in words)]
    if by_platform:
        return by_platform
    return [info for info in infos if word in f"{info.name} {info.vendor}".lower()]


def _first_answer(context: str | None) -> str | None:
    """Read PYOPENCL_CTX, which may list several devices ("0:1,2"): graphc uses one."""
    return context.split(",")[0] if context else None


def _describe(platform: cl.Platform, device: cl.Device, number: tuple[int, int]) -> DeviceInfo:
    kind = _kind(device.type)
    return DeviceInfo(
        number=number,
        platform=platform.name.strip(),
        name=device.name.strip(),
        vendor=device.vendor.strip(),
        version=device.version.strip(),
        driver=device.driver_version.strip(),
        kind=kind,
        clock=device.max_clock_frequency,
        limits=_limits(platform, device, kind),
    )


def _kind(bits: int) -> str:
    types: Any = opencl().device_type
    if bits & types.GPU:
        return "gpu"
    if bits & types.ACCELERATOR:
        return "accelerator"
    return "cpu" if bits & types.CPU else "custom"


def _limits(platform: cl.Platform, device: cl.Device, kind: str) -> Limits:
    pocl_cpu = kind == "cpu" and "portable computing" in platform.name.lower()
    return Limits(
        fp64=any(word in device.extensions for word in ("cl_khr_fp64", "cl_amd_fp64")),
        max_parameter_size=device.max_parameter_size,
        work_group_size=device.max_work_group_size,
        work_item_sizes=tuple(device.max_work_item_sizes),
        compute_units=device.max_compute_units,
        local_memory=device.local_mem_size,
        constant_memory=device.max_constant_buffer_size,
        global_memory=device.global_mem_size,
        max_allocation=device.max_mem_alloc_size,
        shares_memory=kind == "cpu",
        vector_bytes=32 if pocl_cpu else 0,
    )
