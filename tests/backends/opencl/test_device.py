"""Memory, programs and launches of an open device."""

from __future__ import annotations

import dataclasses
import gc
import warnings
from typing import Any

import numpy as np
import pytest

from graphc.backends.opencl.choice import list_devices
from graphc.backends.opencl.device import Device, get_device
from graphc.backends.opencl.kernel import c_type, round_up
from graphc.backends.opencl.pool import BufferPool, bucket_size
from graphc.backends.opencl.runtime import opencl
from graphc.errors import DeviceError

TWICE = "kernel void twice(global float *x) { x[get_global_id(0)] *= 2; }"


def test_same_device_each_time(device: Device) -> None:
    assert get_device() is device


def test_listing_marks_the_pick(device: Device) -> None:
    picked = [info for info in list_devices() if info.picked]
    assert [info.number for info in picked] == [device.info.number]
    assert all(info.limits.global_memory > 0 for info in list_devices())
    assert list_devices("no such device") == [
        dataclasses.replace(info, why="") for info in list_devices()
    ]


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint64", "bool"])
def test_round_trip(device: Device, dtype: str, share: bool) -> None:
    for array in (
        np.arange(24).reshape(2, 3, 4).astype(dtype),
        np.arange(24).reshape(4, 6).astype(dtype).T,
        np.arange(24).astype(dtype)[::-3],
        np.ones((), dtype),
        np.ones((0, 3), dtype),
        np.arange(5).astype(np.dtype(dtype).newbyteorder(">")),
        np.arange(40_000).astype(dtype),
    ):
        buffer = device.to_device(array, share=share)
        back = device.to_host(buffer, array.shape, dtype)
        assert back.dtype == dtype
        np.testing.assert_array_equal(back, array)


def test_offset_of_a_read(device: Device) -> None:
    buffer = device.to_device(np.arange(10, dtype="int16"))
    np.testing.assert_array_equal(device.to_host(buffer, (3,), "int16", offset=4), [4, 5, 6])


def test_sent_array_may_change_at_once(device: Device) -> None:
    for size in (10, 100_000):
        array = np.ones(size, "float32")
        buffer = device.to_device(array)
        array[:] = 7
        assert device.to_host(buffer, (size,), "float32").max() == 1


def test_shared_memory_is_not_copied(device: Device) -> None:
    if not device.limits.shares_memory:
        pytest.skip("device has its own memory")
    kernel = device.kernel(TWICE, "twice", [None])
    whole = np.arange(100, dtype="float32")
    for first in range(9):  # every alignment that an element allows
        part = whole[first : first + 20]
        before = part.copy()
        kernel.set(device.to_device(part, share=True)).launch((20,))
        device.finish()
        np.testing.assert_array_equal(part, 2 * before)
    buffer, array = device.shared_array((3, 5), "float32")
    array[:] = 3
    kernel.set(buffer).launch((15,))
    del buffer
    kernel.set(device.alloc(4))
    device.finish()
    assert (array == 6).all()


def test_shared_read_only_array(device: Device) -> None:
    array = np.ones(1000, "float32")
    array.flags.writeable = False
    assert device.to_host(device.to_device(array, share=True), (1000,), "float32").sum() == 1000


def test_shared_array_outlives_its_last_reference_while_queued(device: Device) -> None:
    if not device.limits.shares_memory:
        pytest.skip("device has its own memory")
    source = """kernel void slow(global const float *x, global float *y) {
        float sum = 0;
        for (int r = 0; r < 20; ++r) for (int i = 0; i < 100000; ++i) sum += x[i];
        y[0] = sum;
    }"""
    kernel = device.kernel(source, "slow", [None, None])
    out = device.alloc(4)
    buffer = device.to_device(np.ones(100_000, "float32"), share=True)
    kernel.set(buffer, out).launch((1,))
    kernel.set(out, out)
    del buffer
    gc.collect()
    fresh = np.zeros(100_000, "float32")  # would take the place of the array, were it freed
    assert device.to_host(out, (1,), "float32")[0] == 2_000_000
    assert not fresh.any()


def test_own_memory_is_not_shared(as_gpu: Device) -> None:
    with pytest.raises(DeviceError, match="nothing can be shared"):
        as_gpu.shared_array((3,), "float32")


def test_pool_reuses_buckets(device: Device) -> None:
    device.pool.clear()
    first = device.alloc(1000)
    device.free(first)
    assert device.pool.bytes_held == 1024
    assert device.alloc(900) is first
    assert device.alloc(1000) is not first
    assert device.pool.bytes_held == 0


@pytest.mark.parametrize("nbytes", [0, 1, 255, 256, 257, 5000, 2**20 + 1, 2**31 - 1])
def test_bucket_is_at_most_a_quarter_larger(nbytes: int) -> None:
    assert nbytes <= bucket_size(nbytes) <= max(256, 1.25 * nbytes)


class Block:
    """A buffer of an imaginary device."""

    def __init__(self, size: int) -> None:
        self.size = size


def test_out_of_memory_frees_the_pool_and_retries_once() -> None:
    room = [True, False, True, False, False]

    def allocate(nbytes: int) -> Block:
        if not room.pop(0):
            raise MemoryError
        return Block(nbytes)

    pool = BufferPool(allocate, largest=1 << 40)
    pool.give(pool.take(512))
    assert pool.take(4096).size == 4096
    assert pool.bytes_held == 0
    with pytest.raises(MemoryError):
        pool.take(8192)
    assert not room


def test_rounding_does_not_pass_the_largest_allocation() -> None:
    assert BufferPool(Block, largest=1100).take(1050).size == 1050


def test_too_large_says_what_there_is(device: Device) -> None:
    with pytest.raises(DeviceError) as caught:
        device.alloc(device.limits.max_allocation + 1)
    text = str(caught.value)
    assert "do not fit on" in text
    assert "at most in one array" in text


def test_driver_without_memory_is_asked_again(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graphc.backends.opencl import kernel as kernel_module

    kernel = device.kernel(TWICE, "twice", [None]).set(device.to_device(np.ones(4, "float32")))
    monkeypatch.setattr(kernel_module, "out_of_memory", lambda error: True)
    with pytest.raises(DeviceError, match=r"kernel twice, sizes \(5,\) in groups of \(4,\).*has"):
        kernel.launch((5,), (4,))


@pytest.mark.parametrize("failures", [1, 2])
def test_a_copy_without_memory_is_tried_again(
    device: Device, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    """Many drivers allocate a buffer only when it is first used."""
    module = opencl()
    real, asked = module.enqueue_copy, []

    class Full(module.Error):  # type: ignore[misc]
        code = module.status_code.MEM_OBJECT_ALLOCATION_FAILURE
        routine = "clEnqueueWriteBuffer"

    def copy(*args: Any, **options: Any) -> Any:
        asked.append(args)
        if len(asked) <= failures:
            raise Full("no room")
        return real(*args, **options)

    device.free(device.alloc(1 << 20))
    monkeypatch.setattr(module, "enqueue_copy", copy)
    value = np.arange(5.0)
    if failures == 1:
        buffer = device.to_device(value)
        assert device.pool.bytes_held == 0 and len(asked) == 2
        assert device.to_host(buffer, (5,), "float64").tolist() == value.tolist()
        device.free(buffer)
    else:
        with pytest.raises(DeviceError, match="in all"):
            device.to_device(value)


def test_program_is_built_once(device: Device) -> None:
    assert device.build(TWICE) is device.build(TWICE)
    assert device.build(TWICE) is not device.build(TWICE, ["-DX"])


def test_build_error_has_the_log(device: Device) -> None:
    with pytest.raises(DeviceError, match="does not build") as caught:
        device.build("kernel void broken(global float *x) { x[0] = undeclared_name; }")
    assert "undeclared_name" in str(caught.value)
    faults = "\n".join(f"int f{k}(void) {{ return none{k}; }}" for k in range(40))
    with pytest.raises(DeviceError, match=r"\.\.\. \d+ more lines$"):
        device.build(faults)


def test_compiler_warnings_are_silent(device: Device, capfd: pytest.CaptureFixture[str]) -> None:
    source = '#warning "look here"\n' + TWICE
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        device.build(source)


def test_unknown_kernel(device: Device) -> None:
    with pytest.raises(DeviceError, match="kernel thrice"):
        device.kernel(TWICE, "thrice", [None])


def test_wrong_launch_is_named(device: Device) -> None:
    kernel = device.kernel(TWICE, "twice", [None]).set(device.alloc(64))
    with pytest.raises(DeviceError, match=r"kernel twice.*INVALID_WORK_GROUP_SIZE"):
        kernel.launch((1 << 20,), (1 << 20,))


def test_empty_launch_is_skipped(device: Device) -> None:
    kernel = device.kernel(TWICE, "twice", [None]).set(device.alloc(0))
    assert kernel.launch((0,)) is None
    assert kernel.launch((round_up(0, 64),), (64,)) is None
    assert kernel.work_group_size >= 1
    assert kernel.local_memory >= 0


def test_width_that_fails_is_not_tried_again(device: Device) -> None:
    tried = []

    def write(width: int) -> str:
        tried.append(width)
        fault = "" if width == 1 else "#error too wide\n"
        return f"{fault}// {device.info.name}\n{TWICE}"

    wide = Device(
        dataclasses.replace(
            device.info, limits=dataclasses.replace(device.limits, vector_bytes=16)
        ),
        device.queue.device,
    )
    assert wide.build_widest(write, "float32")[1] == 1
    assert wide.build_widest(write, "float32")[1] == 1
    assert tried == [4, 2, 1, 1]
    assert wide.vector_width("float64") == 2


def test_no_fp64_says_what_to_do(device: Device) -> None:
    limits = dataclasses.replace(device.limits, fp64=False)
    small = Device(dataclasses.replace(device.info, limits=limits), device.queue.device)
    assert c_type(small, "float32") == "float"
    with pytest.raises(DeviceError, match="has no float64") as caught:
        c_type(small, "float64")
    assert 'floatX = "float32"' in str(caught.value)
