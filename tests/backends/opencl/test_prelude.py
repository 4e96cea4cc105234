"""Every function of `kernels/prelude.cl` against NumPy, for each type, as scalars and vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from graphc.backends.opencl.device import Device
from graphc.backends.opencl.kernel import C_TYPES
from graphc.backends.opencl.kernel_files import read

FLOATS = ["float32", "float64"]
INTS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
# Functions of vectors above 32 bytes may end the process on PoCL 3.0: each width has its dtypes.
WIDTHS = {1: FLOATS + INTS, 4: FLOATS + INTS, 8: ["float32", "int8", "uint16", "int32"]}
SPECIAL = [0.0, -0.0, 1, -1, 0.5, -2.5, 1.5, 3, -3, 7.25, 1e-30, 1e30, 100, -100, 750, -750]
SPECIAL += [np.inf, -np.inf, np.nan]

COMPARE = ["lt", "le", "gt", "ge", "eq", "ne"]
BINARY = ["floordiv", "floormod", "max_nan", "min_nan", "power"]
UNARY = ["sgn", "half_even"]
SMOOTH = ["sigmoid", "softplus"]


def kernel_of(dtype: str) -> str:
    """Write a kernel that applies every function of a dtype; results follow each other."""
    t = C_TYPES[dtype]
    values = [f"{f}(a, b)" for f in BINARY] + [f"{f}(a)" for f in UNARY]
    values += [f"{f}(a)" for f in SMOOTH] if dtype in FLOATS else ["int_pow(a, b)"]
    values.append("where(truth(a), a, b)")
    bools = [f"{f}(a, b)" for f in COMPARE] + ["truth(a)"]
    stores = [f"VSTORE({t}, {v}, out + {k} * n + i);" for k, v in enumerate(values)]
    stores += [f"VSTORE(uchar, {v}, flag + {k} * n + i);" for k, v in enumerate(bools)]
    lines = "\n    ".join(stores)
    return f"""kernel void all_{t}(global const {t} *x, global const {t} *y, global {t} *out,
                             global uchar *flag, const long n) {{
    const long i = get_global_id(0) * WIDTH;
    const VEC({t}) a = VLOAD({t}, x + i), b = VLOAD({t}, y + i);
    {lines}
}}
"""


def pairs(dtype: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return all pairs of special values, and random ones, cut to a multiple of every width."""
    rng = np.random.default_rng(1)
    if dtype in FLOATS:
        special = np.array(SPECIAL, dtype)
        random = (rng.normal(size=(2, 400)) * 20).astype(dtype)
    else:
        limits = np.iinfo(dtype)
        near = {0, 1, 2, 3, 5, 7, 100, limits.min, limits.min + 1, limits.max, limits.max - 1}
        near |= {-1, -2, -3, -7} if limits.min < 0 else set()
        special = np.array(sorted(near), dtype)
        random = rng.integers(limits.min, limits.max, (2, 400), dtype, endpoint=True)
    x = np.concatenate([np.repeat(special, len(special)), random[0]])
    y = np.concatenate([np.tile(special, len(special)), random[1]])
    return x[: len(x) // 8 * 8], y[: len(y) // 8 * 8]


@pytest.fixture(scope="module")
def programs(device: Device) -> dict[int, str]:
    """Source text by width, each with all its dtypes, so that each is compiled once."""
    sources = {}
    for width, dtypes in WIDTHS.items():
        known = [d for d in dtypes if d != "float64" or device.limits.fp64]
        kernels = "".join(kernel_of(d) for d in known)
        sources[width] = f"#define WIDTH {width}\n{read('prelude.cl')}\n{kernels}"
    return sources


@pytest.mark.parametrize(("width", "dtype"), [(w, d) for w, ds in WIDTHS.items() for d in ds])
def test_functions(device: Device, programs: dict[int, str], width: int, dtype: str) -> None:
    if dtype == "float64" and not device.limits.fp64:
        pytest.skip("no float64")
    x, y = pairs(dtype)
    n = len(x)
    results = len(BINARY) + len(UNARY) + (2 if dtype in FLOATS else 1) + 1
    out = device.alloc(results * n * x.itemsize)
    flags = device.alloc((len(COMPARE) + 1) * n)
    kernel = device.kernel(programs[width], f"all_{C_TYPES[dtype]}", [None] * 4 + [np.int64])
    kernel.set(device.to_device(x), device.to_device(y), out, flags, n).launch((n // width,))
    got = dict(zip(names(dtype), device.to_host(out, (results, n), dtype), strict=True))
    with np.errstate(all="ignore"):
        expected = reference(dtype, x, y)
    for name, value in expected.items():
        tolerance = (
            4 * np.finfo(dtype).eps if name in (*SMOOTH, "power") and x.dtype.kind == "f" else 0
        )
        compare(f"{name} of {dtype}", got[name], value, tolerance)
    bools = device.to_host(flags, (len(COMPARE) + 1, n), "uint8")
    numpy = [np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal]
    for name, function, value in zip(COMPARE, numpy, bools, strict=False):
        compare(f"{name} of {dtype}", value, function(x, y).astype("uint8"), 0)
    compare("truth", bools[-1], (x != 0).astype("uint8"), 0)


def names(dtype: str) -> list[str]:
    """Name the results in the order in which the kernel stores them."""
    return [*BINARY, *UNARY, *(SMOOTH if dtype in FLOATS else ["int_pow"]), "where"]


def reference(dtype: str, x: NDArray[Any], y: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Compute what NumPy says."""
    values = {
        "floordiv": np.floor_divide(x, y),
        "floormod": np.remainder(x, y),
        "max_nan": np.maximum(x, y),
        "min_nan": np.minimum(x, y),
        "sgn": np.sign(x),
        "half_even": np.round(x),
        "where": np.where(x != 0, x, y),
    }
    if dtype in FLOATS:
        wide = x.astype("longdouble")
        e = np.exp(-abs(wide))
        values["power"] = np.power(x, y)
        values["sigmoid"] = (np.where(x >= 0, 1, e) / (1 + e)).astype(dtype)
        values["softplus"] = (np.maximum(wide, 0) + np.log1p(e)).astype(dtype)
    else:
        values["int_pow"] = int_power(x, y)
        values["power"] = values["int_pow"]
    return values


def int_power(x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Raise integers; for negative exponents, where NumPy refuses, the truncated value."""
    down = np.where(x == 1, 1, np.where(np.equal(x.astype(object), -1), 1 - 2 * (y % 2), 0))
    return np.where(y < 0, down, np.power(x, np.where(y < 0, 0, y))).astype(x.dtype)


def compare(name: str, got: NDArray[Any], expected: NDArray[Any], tolerance: float) -> None:
    """Require equal values, nan in the same places, and equal signs of zeros that matter."""
    # The smallest numbers have no digits left to be right in.
    least = 4 * float(np.finfo(got.dtype).smallest_subnormal) if tolerance else 0
    np.testing.assert_allclose(got, expected, tolerance, least, err_msg=name)
    if got.dtype.kind == "f" and name.split()[0] in ("floordiv", "floormod", "sgn"):
        number = ~np.isnan(expected)
        signs = np.signbit(got[number]), np.signbit(expected[number])
        np.testing.assert_array_equal(*signs, err_msg=f"sign of {name}")


@pytest.mark.parametrize(
    "name", ["prelude", "reduce", "gemm", "gemv", "copy", "gather", "scatter", "search"]
)
def test_each_file_is_valid_on_its_own(device: Device, name: str) -> None:
    kernels = device.build(read(f"{name}.cl")).all_kernels()
    assert bool(kernels) == (name != "prelude")


def test_prelude_without_fp64(device: Device) -> None:
    source = read("prelude.cl").replace("defined(cl_khr_fp64)", "0")
    source = source.replace("defined(cl_amd_fp64)", "0").replace("defined(__opencl_c_fp64)", "0")
    use = "kernel void f(global float *x) { x[0] = softplus(floordiv(x[1], x[2])); }\n"
    use += "#ifdef HAVE_FP64\n#error there is a double\n#endif\n"
    device.build(source + use)
    assert "double" not in source.replace("double is there", "").split("#ifdef HAVE_FP64")[0]
