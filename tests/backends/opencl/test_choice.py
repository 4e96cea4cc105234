"""Which device is taken: by argument, environment, config, and by type; never by asking."""

from __future__ import annotations

import pytest

from graphc.backends.opencl.choice import DeviceInfo, Limits, choose
from graphc.errors import DeviceError, GraphcError

LIMITS = Limits(True, 1024, 256, (256,), 4, 1 << 15, 1 << 16, 1 << 30, 1 << 28, False, 0)


def info(number: tuple[int, int], platform: str, name: str, kind: str) -> DeviceInfo:
    """Describe an imaginary device."""
    return DeviceInfo(number, platform, name, "", "OpenCL 3.0", "1", kind, 1000, LIMITS)


POCL = info((0, 0), "Portable Computing Language", "pthread-AMD EPYC", "cpu")
POCL2 = info((0, 1), "Portable Computing Language", "basic", "cpu")
NVIDIA = info((1, 0), "NVIDIA CUDA", "NVIDIA H200", "gpu")
AMD = info((2, 0), "AMD Accelerated Parallel Processing", "gfx1100", "gpu")
ALL = [POCL, POCL2, NVIDIA, AMD]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own settings must not decide these tests."""
    monkeypatch.delenv("GRAPHC_DEVICE", raising=False)
    monkeypatch.delenv("PYOPENCL_CTX", raising=False)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("gpu", (1, 0)),
        ("gpu:1", (2, 0)),
        ("cpu", (0, 0)),
        ("CPU:1", (0, 1)),
        ("nvidia", (1, 0)),
        ("amd", (2, 0)),
        ("pocl", (0, 0)),
        ("pocl:1", (0, 1)),
        ("h200", (1, 0)),
        ("epyc", (0, 0)),
        ("portable", (0, 0)),
        ("portable:basic", (0, 1)),
        ("0", (0, 0)),
        ("0:1", (0, 1)),
        ("2:0", (2, 0)),
    ],
)
def test_by_name(name: str, number: tuple[int, int]) -> None:
    assert choose(ALL, name).number == number


def test_gpu_before_cpu() -> None:
    chosen = choose(ALL)
    assert (chosen.number, chosen.why, chosen.picked) == ((1, 0), "the first gpu", True)
    assert choose([POCL, POCL2]).why == "the first device (all are cpu)"
    assert choose([POCL]).why == "the only device"


def test_order_of_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYOPENCL_CTX", "0:1,0")
    assert choose(ALL).number == (0, 1)
    assert choose(ALL, configured="amd").number == (2, 0)
    monkeypatch.setenv("GRAPHC_DEVICE", "nvidia")
    assert choose(ALL, configured="amd").number == (1, 0)
    chosen = choose(ALL, "pocl", configured="amd")
    assert (chosen.number, chosen.why) == ((0, 0), "device argument is 'pocl'")


@pytest.mark.parametrize("name", ["nope", "pocl:2", "7:0", "gpu:5", "0:x"])
def test_unknown_name_lists_what_there_is(name: str) -> None:
    with pytest.raises(DeviceError) as caught:
        choose(ALL, name)
    text = str(caught.value)
    assert text.startswith(f"device argument: no device fits {name!r}; there are\n")
    assert "  - NVIDIA CUDA: NVIDIA H200 (gpu, 1:0)" in text


def test_no_device_lists_remedies() -> None:
    with pytest.raises(DeviceError) as caught:
        choose([])
    text = str(caught.value)
    assert text.startswith("no OpenCL device was found")
    for remedy in ("pip install", "conda install", "driver", "numpy"):
        assert remedy in text
    assert isinstance(caught.value, GraphcError)
    assert isinstance(caught.value, RuntimeError)
