"""Fixtures that tests share."""

from __future__ import annotations

import pytest

from graphc.backends.opencl.choice import list_devices
from graphc.errors import DeviceError


def _has_device() -> bool:
    try:
        return bool(list_devices())
    except DeviceError:
        return False


@pytest.fixture(params=["numpy", "opencl"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend in turn: NumPy always, OpenCL where there is a device; a CPU will do."""
    name: str = request.param
    if name == "opencl" and not _has_device():
        pytest.skip("no OpenCL device here: python -m pip install 'graphc[opencl]'")
    return name
