"""What was measured on a device, and the file where it is kept. `tune` measures.

There is a file for each device and driver, so that a new driver is measured anew. A file that
cannot be read, or says what this graphc does not know, counts as not being there. It is replaced in
one step, so that processes may read and write it at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from graphc.backends.opencl.choice import DeviceInfo
from graphc.backends.opencl.runtime import user_caches
from graphc.errors import DeviceError

FORMAT = 1
Tile = tuple[tuple[str, int], ...]


def _tile(**sizes: int) -> Tile:
    return tuple(sizes.items())


# What `kernels/gemm.cl` can be built with; the first is taken where nothing was measured. NC has to
# be a multiple of a panel's width, NV vectors of up to 8, and TM and TN of RM and RN.
TILES: dict[str, tuple[Tile, ...]] = {
    "gemm_panels": (
        _tile(MR=4, NV=3, MC=120, NC=96, KC=256),
        _tile(MR=6, NV=2, MC=120, NC=96, KC=256),
        _tile(MR=4, NV=2, MC=120, NC=96, KC=256),
        _tile(MR=4, NV=3, MC=60, NC=96, KC=256),
        _tile(MR=4, NV=3, MC=240, NC=96, KC=256),
        _tile(MR=4, NV=3, MC=120, NC=96, KC=128),
        _tile(MR=4, NV=3, MC=120, NC=192, KC=128),
    ),
    "gemm_tiles": (
        _tile(TM=64, TN=64, TK=16, RM=4, RN=4),
        _tile(TM=32, TN=32, TK=16, RM=2, RN=2),
        _tile(TM=64, TN=64, TK=8, RM=4, RN=4),
        _tile(TM=64, TN=64, TK=16, RM=8, RN=4),
        _tile(TM=128, TN=64, TK=16, RM=8, RN=4),
        _tile(TM=128, TN=128, TK=8, RM=8, RN=8),
        _tile(TM=128, TN=128, TK=16, RM=8, RN=8),
    ),
}


@dataclass(frozen=True)
class Choices:
    """What is best on a device.

    Attributes
    ----------
    tiles : dict
        From the kernel and the dtype, such as ``"gemm_panels float32"``, to a place in `TILES`.
    host_from : dict
        From a dtype to the number of multiplications from which on the host's BLAS is faster, on
        the memory it shares with the device; where it never is, there is no entry.
    """

    tiles: dict[str, int] = field(default_factory=dict)
    host_from: dict[str, float] = field(default_factory=dict)

    def tile(self, style: str, dtype: str) -> Tile:
        """Return the tile of a kernel of `kernels/gemm.cl`; the plain one has none."""
        known = TILES.get(style)
        return known[self.tiles.get(f"{style} {dtype}", 0)] if known else ()


def path_of(info: DeviceInfo) -> Path | None:
    """Return the file for a device, or None where there is no folder for caches."""
    folder = user_caches()
    if folder is None:
        return None
    known = (FORMAT, info.platform, info.name, info.version, info.driver, info.kind)
    units = (info.limits.compute_units, info.limits.vector_bytes)
    key = hashlib.sha256(repr((known, units)).encode()).hexdigest()[:16]
    return folder / "graphc" / f"tuned-{key}.json"


def load(info: DeviceInfo) -> Choices:
    """Return what was measured on a device, or what is taken where nothing was."""
    path = path_of(info)
    try:
        return _read(json.loads(path.read_text(encoding="utf-8"))) if path else Choices()
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return Choices()


def _read(found: Any) -> Choices:
    """Return the choices of a file; raise where it says what cannot be."""
    tiles = {str(name): int(place) for name, place in found["tiles"].items()}
    for name, place in tiles.items():
        if not 0 <= place < len(TILES[name.split()[0]]):
            raise ValueError(name)
    return Choices(tiles, {str(name): float(work) for name, work in found["host_from"].items()})


def save(info: DeviceInfo, choices: Choices) -> Path:
    """Keep what was measured on a device.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DeviceError
        If it cannot be written.
    """
    path = path_of(info)
    if path is None:
        raise DeviceError("there is no home folder to keep measurements in; set XDG_CACHE_HOME")
    text = json.dumps({"device": info.label, "driver": info.driver, **asdict(choices)}, indent=2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text + "\n")
            Path(name).replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise DeviceError(
            f"{path} cannot be written ({error.strerror})\n"
            "  - set XDG_CACHE_HOME to a folder that can"
        ) from error
    return path
