"""Devices for the tests of this folder: the machine's, and the same one taken for a GPU."""

from __future__ import annotations

import dataclasses

import pytest

from graphc.backends.opencl.choice import find_devices
from graphc.backends.opencl.device import Device, get_device


@pytest.fixture(scope="session")
def device() -> Device:
    """The device graphc picks; without one the tests that need it are skipped."""
    if not find_devices():
        pytest.skip("no OpenCL device")
    return get_device()


@pytest.fixture(scope="session")
def as_gpu(device: Device) -> Device:
    """The same device under a description that makes graphc use its kernels for GPUs."""
    handle = next(h for info, h in find_devices() if info.number == device.info.number)
    limits = dataclasses.replace(device.limits, vector_bytes=0, shares_memory=False)
    return Device(dataclasses.replace(device.info, kind="gpu", limits=limits), handle)


@pytest.fixture(scope="session", params=["as it is", "as a gpu"])
def each_device(request: pytest.FixtureRequest, device: Device, as_gpu: Device) -> Device:
    """Both of them, one after the other."""
    return device if request.param == "as it is" else as_gpu
