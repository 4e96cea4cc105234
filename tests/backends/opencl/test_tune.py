"""What is measured on a device, where it is kept, and that every choice computes the same."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc import cli
from graphc.backends.opencl import products, tune, tuned
from graphc.backends.opencl.device import Device, get_device
from graphc.backends.opencl.products import Matrix
from graphc.backends.opencl.tuned import TILES, Choices
from graphc.errors import DeviceError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for caches."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch):
    """Give a device other choices until the test ends."""
    return lambda device, choices: monkeypatch.setattr(device, "choices", choices)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("place", range(max(map(len, TILES.values()))))
def test_every_tile_multiplies(each_device: Device, choose, dtype: str, place: int) -> None:
    if dtype == "float64" and not each_device.limits.fp64:
        pytest.skip("no float64")
    style = "gemm_panels" if each_device.info.kind == "cpu" else "gemm_tiles"
    choose(each_device, Choices({f"{style} {dtype}": place}))
    m, n, k = 131, 97, 261
    rng = np.random.default_rng(place)
    a = rng.integers(-4, 5, (k, m)).astype(dtype)
    b = rng.integers(-4, 5, (n, k)).astype(dtype)
    left, right = (each_device.to_device(x) for x in (a, b))
    out = each_device.alloc(m * n * a.itemsize)
    products.gemm(
        each_device,
        dtype,
        Matrix.contiguous(left, k, m).T,
        Matrix.contiguous(right, n, k).T,
        Matrix.contiguous(out, m, n),
    )
    np.testing.assert_array_equal(each_device.to_host(out, (m, n), dtype), a.T @ b.T)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_on_the_host(device: Device, dtype: str, batch: int) -> None:
    """Operands are where they are; what lies around the result is untouched."""
    if not device.limits.shares_memory:
        pytest.skip("a memory of its own")
    a = np.random.default_rng(0).normal(size=(batch, 5, 7)).astype(dtype)
    b = np.random.default_rng(1).normal(size=(4, 5)).astype(dtype)
    whole = np.full(2 + batch * 30, 9, dtype)
    out = device.to_device(whole)
    products.multiply_on_host(
        device,
        np.dtype(dtype),
        Matrix.contiguous(device.to_device(a), 5, 7).T,
        Matrix(device.to_device(b), 4, 5, 5, 1).T,
        Matrix(out, 7, 4, 4, 1, 2, 30),
        batch,
    )
    expected = whole.copy()
    for i in range(batch):
        expected[2 + 30 * i :][:28] = (a[i].T @ b.T).ravel()
    got = device.to_host(out, whole.shape, dtype)
    np.testing.assert_allclose(got, expected, 1e-5 if dtype == "float32" else 1e-13)


def test_functions_with_products_on_the_host(
    device: Device, choose, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The product waits for what it reads, what follows reads it, and the program says so."""
    if not device.limits.shares_memory:
        pytest.skip("a memory of its own")
    choose(device, Choices({}, {"float64": 8.0}))
    seen = []
    multiply = products.multiply_on_host
    monkeypatch.setattr(
        products, "multiply_on_host", lambda *args: (seen.append(args[1]), multiply(*args))
    )
    x, y = T.dmatrices("x", "y")
    f = graphc.function([x, y], T.tanh(T.dot(T.exp(x), y)).sum(axis=0), backend="opencl")
    a, b = np.random.default_rng(0).normal(size=(2, 60, 60))
    expected = np.tanh(np.exp(a) @ b).sum(axis=0)
    np.testing.assert_allclose(f(a, b), expected, 1e-12)
    assert seen == [np.dtype("float64")]
    assert "# from 8 multiplications on, the host's BLAS" in f.source
    assert "on the host from 8 multiplications on" in f.explain()
    np.testing.assert_allclose(f(a[:1, :1], b[:1, :1]), np.tanh(np.exp(a[0, 0]) * b[0, 0]), 1e-12)
    assert len(seen) == 1, "a small one stays on the device"


def test_kept_and_found_again(device: Device, cache: Path) -> None:
    assert tuned.load(device.info) == Choices()
    made = Choices({"gemm_panels float32": 3}, {"float64": 1e6})
    path = tuned.save(device.info, made)
    assert path.is_relative_to(cache)
    assert tuned.load(device.info) == made
    assert dict(made.tile("gemm_panels", "float32")) == dict(TILES["gemm_panels"][3])
    assert made.tile("gemm_panels", "float64") == TILES["gemm_panels"][0]
    other = dataclasses.replace(device.info, driver="another")
    assert tuned.load(other) == Choices(), "a new driver is measured anew"
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"tiles": {"gemm_panels float32": 99}, "host_from": {}}',
        '{"tiles": {"gemm_panels float32": -1}, "host_from": {}}',
        '{"tiles": {"another float32": 0}, "host_from": {}}',
        '{"tiles": {"": 0}, "host_from": {}}',
        '{"tiles": {}, "host_from": {"float32": null}}',
        '{"tiles": 3, "host_from": {}}',
    ],
)
def test_a_file_that_says_nothing_counts_as_none(device: Device, cache: Path, text: str) -> None:
    path = tuned.save(device.info, Choices({"gemm_panels float32": 1}))
    path.write_text(text, encoding="utf-8")
    assert tuned.load(device.info) == Choices()


def test_a_folder_that_cannot_be_written(device: Device, cache: Path) -> None:
    (cache / "graphc").write_text("a file, not a folder")
    assert tuned.load(device.info) == Choices()
    with pytest.raises(DeviceError, match="cannot be written"):
        tuned.save(device.info, Choices())


def test_readers_never_see_half_a_file(device: Device, cache: Path) -> None:
    made = [Choices({"gemm_panels float32": k}, {"float32": 10.0**k}) for k in range(5)]
    tuned.save(device.info, made[0])

    def write() -> None:
        for k in range(100):
            tuned.save(device.info, made[k % 5])

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert tuned.load(device.info) in made
    assert len(list((cache / "graphc").iterdir())) == 1


def test_the_command(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    device = get_device()
    before = device.choices
    monkeypatch.setattr(tune, "SIZES", {"cpu": 40, "other": 40})
    monkeypatch.setattr(tune, "HOST_SIZES", (8, 16))
    try:
        assert cli.main(["tune", "--seconds", "0"]) == 0
        assert device.choices == tuned.load(device.info)
    finally:
        device.choices = before
    said = capsys.readouterr().out
    assert said.startswith(device.info.label)
    assert "float32 40 x 40: " in said
    assert "Gflop/s" in said
    assert f"kept in {cache}" in said
