"""The frames of `kernels/reduce.cl`: every fold, over any axis, in one stage and in two."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from graphc.backends.opencl.device import Device
from graphc.backends.opencl.kernel import C_TYPES
from graphc.backends.opencl.kernel_files import read
from graphc.backends.opencl.reduce import (
    Fold,
    Split,
    macros,
    outputs,
    second_stage,
    split_columns,
    split_rows,
    write_columns,
    write_rows,
)

OPS = ["add", "mul", "max", "min", "any", "all", "argmax", "argmin"]
PLAIN = OPS[:6]
GROUP = 64
SHAPES = st.tuples(*[st.sampled_from([1, 2, 3, 5, 8, 17, 64, 67, 130]) for _ in range(3)])


def folds(dtype: str, ops: list[str]) -> list[Fold]:
    """Make one fold per op over the elements that the body calls e and, as truth, t."""
    values = {"any": ("uchar", "t"), "all": ("uchar", "t")}
    return [Fold(op, *values.get(op, (C_TYPES[dtype], "e"))) for op in ops]


@cache
def source(dtype: str, columns: bool, width: int, second: bool) -> str:
    """Write the kernel `first` or `second` of all ops; with vectors, of those that allow them."""
    ops, t = (OPS if width == 1 else PLAIN), C_TYPES[dtype]
    write = write_columns if columns else write_rows
    made = folds(dtype, ops)
    if second:
        params, by_row, by_column = second_stage(made)
        return write("second", params, by_column if columns else by_row)
    index = "(o * length + r) * inner + c" if columns else "o * length + r"
    body = [f"const {t} e = x[{index}];", "const uchar t = truth(e);"]
    vector = [f"const VEC({t}) e = VLOAD({t}, x + {index});", "const VEC(uchar) t = truth(e);"]
    return write("first", [f"global const {t} *x"], made, body, vector if width > 1 else [])


def program(dtype: str, columns: bool, width: int, group: int, second: bool) -> str:
    """Complete a kernel with what it needs. Second stages fold scalars."""
    width = 1 if second else width
    head = f"#define WIDTH {width}\n#define GROUP {group}\n"
    return head + read("prelude.cl") + macros() + source(dtype, columns, width, second)


def run(
    device: Device, x: NDArray[Any], columns: bool, width: int, split: Split
) -> dict[str, NDArray[Any]]:
    """Fold axis 1 of (outer, length, inner) with every op."""
    outer, length, inner = x.shape
    dtype = x.dtype.name
    ops = OPS if width == 1 else PLAIN
    count = split.splits * outer * inner
    parts = [device.alloc(8 * count) for _ in outputs(folds(dtype, ops))]
    sizes = [outer, length] + ([inner] if columns else [])
    types = [None] * (1 + len(parts)) + [np.int64] * (len(sizes) + 2)
    first = device.kernel(program(dtype, columns, width, split.group, False), "first", types)
    first.set(device.to_device(x), *parts, *sizes, split.splits, split.chunk)
    first.launch((split.global_size,), (split.local_size,) if split.local_size else None)
    if split.splits > 1:
        parts = fold_parts(device, dtype, columns, width, split, parts, outer, inner)
    return read_results(device, dtype, ops, parts, outer * inner)


def fold_parts(
    device: Device,
    dtype: str,
    columns: bool,
    width: int,
    split: Split,
    parts: list[Any],
    outer: int,
    inner: int,
) -> list[Any]:
    """Run the second stage: rows are (outer, splits), columns (splits, outer * inner)."""
    results = [device.alloc(8 * outer * inner) for _ in parts]
    sizes = [1, split.splits, outer * inner] if columns else [outer, split.splits]
    types = [None] * (2 * len(parts)) + [np.int64] * (len(sizes) + 2)
    text = program(dtype, columns, width, split.group, True)
    if width > 1:  # the ops of the vector program
        made = second_stage(folds(dtype, PLAIN))
        write = write_columns if columns else write_rows
        head = f"#define WIDTH 1\n#define GROUP {split.group}\n{read('prelude.cl')}{macros()}"
        text = head + write("second", made[0], made[2] if columns else made[1])
    second = device.kernel(text, "second", types)
    second.set(*parts, *results, *sizes, 1, split.splits)
    group = split.group
    second.launch((outer * inner * group,), (group,) if group > 1 else None)
    return results


def read_results(
    device: Device, dtype: str, ops: list[str], buffers: list[Any], count: int
) -> dict[str, NDArray[Any]]:
    """Fetch the results by op; argmax and argmin give their place."""
    found, waiting = {}, list(buffers)
    for op in ops:
        value = device.to_host(waiting.pop(0), (count,), "uint8" if op in ("any", "all") else dtype)
        found[op] = device.to_host(waiting.pop(0), (count,), "int64") if op[:3] == "arg" else value
    return found


NUMPY: dict[str, Callable[..., Any]] = {
    "max": np.max,
    "min": np.min,
    "any": np.any,
    "all": np.all,
    "argmax": np.argmax,
    "argmin": np.argmin,
}


def check(got: dict[str, NDArray[Any]], x: NDArray[Any]) -> None:
    """Compare with NumPy, sums and products to rounding."""
    for op, value in got.items():
        if op in NUMPY:
            expected = NUMPY[op](x, axis=1).ravel().astype(value.dtype)
            np.testing.assert_array_equal(value, expected, err_msg=op)
            continue
        with np.errstate(all="ignore"):
            fold = np.sum if op == "add" else np.prod
            wide = x.astype("longdouble") if x.dtype.kind == "f" else x
            expected = fold(wide, axis=1, dtype=wide.dtype).ravel().astype(x.dtype)
            scale = fold(abs(wide), axis=1, dtype=wide.dtype).ravel()
            if x.dtype.kind != "f":
                np.testing.assert_array_equal(value, expected, err_msg=op)
                continue
            bound = x.shape[1] * np.finfo(x.dtype).eps * scale
            finite = np.isfinite(expected)
            assert np.array_equal(np.isnan(value), np.isnan(expected)), op
            assert (abs(value - expected)[finite] <= bound[finite]).all(), op


def sample(shape: tuple[int, int, int], dtype: str, seed: int) -> NDArray[Any]:
    """Draw values with ties, zeros and, among floats, some nan and infinities."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-3 if np.dtype(dtype).kind != "u" else 0, 4, shape).astype(dtype)
    if x.dtype.kind == "f":
        x += (rng.random(shape) < 0.5) * rng.normal(size=shape).astype(dtype)
        x[rng.random(shape) < 0.01 * (seed % 3)] = np.nan
        x[rng.random(shape) < 0.01 * (seed % 2)] = -np.inf
    return x


@settings(max_examples=15, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 999), data=st.data())
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8"])
def test_rows_and_columns(
    device: Device, dtype: str, shape: tuple[int, int, int], seed: int, data: st.DataObject
) -> None:
    if dtype == "float64" and not device.limits.fp64:
        pytest.skip("no float64")
    x = sample(shape, dtype, seed)
    outer, length, inner = shape
    columns = data.draw(st.booleans(), "columns")
    width = data.draw(st.sampled_from([1, min(4, max(1, device.vector_width(dtype)))]), "width")
    group = 1 if columns else data.draw(st.sampled_from([1, GROUP]), "group")
    splits = data.draw(st.integers(1, 4), "splits")
    chunk = -(-length // splits)
    if not columns:
        chunk = -(-chunk // (group * width)) * group * width
        x = np.ascontiguousarray(x.transpose(0, 2, 1)).reshape(outer * inner, length, 1)
        outer, inner = outer * inner, 1
    blocks = -(-inner // width) if columns else 1
    split = Split(splits, chunk, group, outer * blocks * splits * group, group)
    check(run(device, x, columns, width, split), x)


@pytest.mark.parametrize(
    "shape",
    [(1, 100_003, 1), (3, 20_000, 1), (5000, 7, 1), (1, 3, 1)],
)
def test_planned_rows(each_device: Device, shape: tuple[int, int, int]) -> None:
    x = sample(shape, "float32", 4)
    width = min(4, each_device.vector_width("float32"))
    split = split_rows(each_device.info, shape[0], shape[1], width)
    check(run(each_device, x, False, width, split), x)


@pytest.mark.parametrize("shape", [(1, 10_000, 6), (2, 700, 33), (4, 3, 1000), (1, 1, 1)])
def test_planned_columns(each_device: Device, shape: tuple[int, int, int]) -> None:
    x = sample(shape, "float32", 4)
    width = min(4, each_device.vector_width("float32"))
    split = split_columns(each_device.info, *shape, width)
    check(run(each_device, x, True, width, split), x)


@given(outer=st.integers(1, 5000), length=st.integers(0, 10**7), inner=st.integers(1, 5000))
def test_splits_cover_the_axis(each_device: Device, outer: int, length: int, inner: int) -> None:
    for split in (
        split_rows(each_device.info, outer, length),
        split_columns(each_device.info, outer, length, inner),
    ):
        assert (split.splits - 1) * split.chunk < max(1, length) <= split.splits * split.chunk


def test_empty_sums(device: Device) -> None:
    x = np.zeros((3, 0, 1), "float32")
    got = run(device, x, False, 1, split_rows(device.info, 3, 0))
    assert got["add"].tolist() == [0, 0, 0]
    assert got["mul"].tolist() == [1, 1, 1]
    assert got["any"].tolist() == [0, 0, 0]
    assert got["all"].tolist() == [1, 1, 1]


def test_large_float32_sum_is_accurate(each_device: Device) -> None:
    x = np.random.default_rng(0).random((1, 3_000_000, 1)).astype("float32")
    width = min(4, each_device.vector_width("float32"))
    split = split_rows(each_device.info, 1, x.size, width)
    got = float(run(each_device, x, False, width, split)["add"][0])
    exact = float(x.sum(dtype="float64"))
    assert abs(got - exact) <= 1e-6 * exact
