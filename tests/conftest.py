"""Fixtures of the whole suite: the backends, and settings put back after each test."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest

import graphc
from graphc.backends.opencl.choice import list_devices
from graphc.config import SETTINGS
from graphc.errors import DeviceError

BACKENDS = ("numpy", "opencl")

# The same examples in every run, however slow the machine: a failure is one of the change at hand.
hypothesis.settings.register_profile("suite", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the choice of backends."""
    parser.addoption(
        "--backend",
        choices=BACKENDS,
        action="append",
        help="run the tests that take a backend on this one only; may be repeated (default: all)",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that take ``backend`` on each of them."""
    if "backend" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--backend") or BACKENDS
        metafunc.parametrize("backend", chosen, indirect=True)


def _has_device() -> bool:
    try:
        return bool(list_devices())
    except DeviceError:
        return False


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend in turn: NumPy always, OpenCL where there is a device; a CPU will do."""
    name: str = request.param
    if name == "opencl" and not _has_device():
        pytest.skip("no OpenCL device here: python -m pip install 'graphc[opencl]'")
    return name


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    """Put the settings back."""
    with graphc.config.set(**{name: getattr(graphc.config, name) for name in SETTINGS}):
        yield
