"""Matrix products, copies and fills on a device: `kernels/gemm.cl`, `gemv.cl` and `copy.cl`.

Operands are buffers with an offset and strides in elements; a transposition swaps two strides, so
nothing is copied. Everything is queued and nothing waits. Which kernel and which tiles a device
gets is decided here; the figures are in `docs/opencl-measurements.md`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from graphc.backends.opencl.device import Device
from graphc.backends.opencl.kernel import Kernel, c_type, cpu_group, round_up
from graphc.backends.opencl.kernel_files import read
from graphc.backends.opencl.tuned import TILES, Tile
from graphc.errors import NotSupportedError, ShapeError

if TYPE_CHECKING:
    import pyopencl as cl


BUFFERS = {"gemm": 3, "gemv_rows": 3, "gemv_columns": 3, "gemv_finish": 2, "outer": 3}
LONGS = {"gemm": 15, "gemv_rows": 9, "gemv_columns": 9, "gemv_finish": 6, "outer": 9}
# Of the element's type, and then of type long again.
REAL_AND_LONG = {"gemv_rows": 2, "gemv_columns": 2}
GPU_GROUP = 128
PART = 8192
WORTH_PARTS = 1 << 17

_kernels = threading.local()


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix in a buffer; with a batch, the first of several, `batch_stride` apart."""

    buffer: cl.Buffer
    rows: int
    cols: int
    row_stride: int
    col_stride: int
    offset: int = 0
    batch_stride: int = 0

    @staticmethod
    def contiguous(buffer: cl.Buffer, rows: int, cols: int) -> Matrix:
        """Return the matrix that fills a buffer row by row; a batch follows itself."""
        return Matrix(buffer, rows, cols, cols, 1, 0, rows * cols)

    @property
    def T(self) -> Matrix:
        """The transposed matrix: the same memory with its strides swapped."""
        return replace(
            self,
            rows=self.cols,
            cols=self.rows,
            row_stride=self.col_stride,
            col_stride=self.row_stride,
        )

    def row(self, index: int) -> Vector:
        """Return one row as a vector."""
        return Vector(
            self.buffer, self.cols, self.col_stride, self.offset + index * self.row_stride
        )

    def col(self, index: int) -> Vector:
        """Return one column as a vector."""
        return self.T.row(index)


@dataclass(frozen=True, slots=True)
class Vector:
    """A vector in a buffer."""

    buffer: cl.Buffer
    size: int
    step: int = 1
    offset: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """An array in a buffer; strides may be 0 (to be read only) or negative."""

    buffer: cl.Buffer
    strides: tuple[int, ...]
    offset: int = 0


def gemm(
    device: Device,
    dtype: DTypeLike,
    a: Matrix,
    b: Matrix,
    c: Matrix,
    *,
    alpha: float = 1,
    beta: float = 0,
    batch: int = 1,
) -> None:
    """Queue C = alpha * A B + beta * C; with beta 0 the old C is not read.

    Parameters
    ----------
    device : Device
    dtype : dtype
        Of all three: float32, float64 or an integer.
    a, b, c : Matrix
        C must not overlap the others.
    alpha, beta : number
        Of that dtype.
    batch : int
        Number of matrices, `batch_stride` apart in each operand (0 repeats one).

    Raises
    ------
    ShapeError
        If the sizes do not fit.
    DeviceError
        If the device has no float64, or refuses.
    """
    if a.cols != b.rows or a.rows != c.rows or b.cols != c.cols:
        sizes = " and ".join(f"({x.rows}, {x.cols})" for x in (a, b))
        raise ShapeError(f"product of {sizes} into ({c.rows}, {c.cols})")
    dtype = np.dtype(dtype)
    if not (a.rows and b.cols and batch):
        return
    if batch == 1 and b.cols == 1:
        return gemv(device, dtype, a, b.col(0), c.col(0), alpha=alpha, beta=beta)
    if batch == 1 and a.rows == 1:
        return gemv(device, dtype, b.T, a.row(0), c.row(0), alpha=alpha, beta=beta)
    work = a.rows * b.cols * a.cols * batch
    apart = c.buffer is not a.buffer and c.buffer is not b.buffer
    if alpha == 1 and beta == 0 and apart and goes_to_host(device, dtype, work):
        return multiply_on_host(device, dtype, a, b, c, batch)
    style, tile = _gemm_style(device, dtype, a.cols)
    if style == "gemm_panels" and c.row_stride == 1 and c.col_stride != 1:
        a, b, c = b.T, a.T, c.T  # vectors lie along the rows of C
    kernel = _kernel(device, dtype, style, tile)
    kernel.set(
        *(x.buffer for x in (a, b, c)),
        *(c.rows, c.cols, a.cols),
        *(n for x in (a, b, c) for n in (x.offset, x.batch_stride, x.row_stride, x.col_stride)),
        *(alpha, beta),
    )
    kernel.launch(*_gemm_sizes(style, dict(tile), c.rows, c.cols, batch))


def gemv(
    device: Device,
    dtype: DTypeLike,
    a: Matrix,
    x: Vector,
    y: Vector,
    *,
    alpha: float = 1,
    beta: float = 0,
) -> None:
    """Queue y = alpha * A x + beta * y; give `a.T` for the transposed product, which is as fast.

    Parameters
    ----------
    device : Device
    dtype : dtype
    a : Matrix
    x, y : Vector
        y must not overlap the others.
    alpha, beta : number

    Raises
    ------
    ShapeError
        If the sizes do not fit.
    """
    if a.cols != x.size or a.rows != y.size:
        raise ShapeError(f"product of ({a.rows}, {a.cols}) and ({x.size},) into ({y.size},)")
    if not y.size:
        return
    dtype = np.dtype(dtype)
    by_columns = a.row_stride == 1 and a.col_stride != 1 and a.rows > 1
    splits, chunk = _gemv_parts(device, dtype, a, by_columns)
    parts = device.alloc(splits * a.rows * dtype.itemsize) if splits > 1 else y.buffer
    kernel = _kernel(device, dtype, "gemv_columns" if by_columns else "gemv_rows")
    kernel.set(
        *(a.buffer, x.buffer, parts, a.rows, a.cols, a.offset, a.row_stride, a.col_stride),
        *(x.offset, x.step, y.offset, y.step, alpha, beta, splits, chunk),
    )
    items = (-(-a.rows // _width(device, dtype)) if by_columns else a.rows) * splits
    kernel.launch(*_gemv_sizes(device, items, by_columns))
    if splits > 1:
        strides = (1, a.rows) if by_columns else (splits, 1)
        finish = _kernel(device, dtype, "gemv_finish")
        finish.set(parts, y.buffer, a.rows, splits, *strides, y.offset, y.step, alpha, beta)
        finish.launch((a.rows,))
        device.free(parts)


def dot(device: Device, dtype: DTypeLike, x: Vector, y: Vector, out: Vector) -> None:
    """Queue the inner product of two vectors into a vector of one element.

    Parameters
    ----------
    device : Device
    dtype : dtype
    x, y : Vector
    out : Vector
        Of size 1.
    """
    gemv(device, dtype, Matrix(x.buffer, 1, x.size, 0, x.step, x.offset), y, out)


def outer(
    device: Device,
    dtype: DTypeLike,
    x: Vector,
    y: Vector,
    c: Matrix,
    *,
    alpha: float = 1,
    beta: float = 0,
) -> None:
    """Queue C = alpha * x y^T + beta * C.

    Parameters
    ----------
    device : Device
    dtype : dtype
    x, y : Vector
    c : Matrix
        Of size (x.size, y.size).
    alpha, beta : number

    Raises
    ------
    ShapeError
        If the sizes do not fit.
    """
    if (x.size, y.size) != (c.rows, c.cols):
        raise ShapeError(f"outer product of ({x.size},) and ({y.size},) into ({c.rows}, {c.cols})")
    kernel = _kernel(device, np.dtype(dtype), "outer")
    kernel.set(
        *(x.buffer, y.buffer, c.buffer, c.rows, c.cols, x.offset, x.step, y.offset, y.step),
        *(c.offset, c.row_stride, c.col_stride, alpha, beta),
    )
    kernel.launch((c.cols, c.rows))


def copy(
    device: Device, dtype: DTypeLike, shape: Sequence[int], source: View, target: View
) -> None:
    """Queue a copy of an array of any rank and strides; joining arrays is one call per piece.

    Parameters
    ----------
    device : Device
    dtype : dtype
        Only its size matters, so bool, and float64 on a device without it, can be copied too.
    shape : sequence of int
    source, target : View
        They must not overlap.
    """
    axes = merged(shape, (source.strides, target.strides))
    if _copied_in_rows(device, np.dtype(dtype).itemsize, axes, source, target):
        return
    kernel = _kernel(device, _bits(dtype), "copy_4")
    for n, (x, y), (x_offset, y_offset) in _fours(axes, (source.offset, target.offset)):
        kernel.set(source.buffer, target.buffer, *n[1:], x_offset, *x, y_offset, *y)
        kernel.launch((n[3], n[2], n[0] * n[1]))


def _copied_in_rows(device: Device, size: int, axes: Axes, source: View, target: View) -> bool:
    """Queue the driver's own copy of rows, where elements of both sides are neighbours, on CPUs.

    Returns
    -------
    bool
        Whether it could.
    """
    if device.info.kind != "cpu" or len(axes) != 2 or source.buffer is target.buffer:
        return False
    (rows, steps), (length, ones) = axes
    if ones != (1, 1) or min(steps) < length or not rows * length:
        return False
    device.copy_rows(
        source.buffer,
        target.buffer,
        (length * size, rows),
        (source.offset * size, target.offset * size),
        (steps[0] * size, steps[1] * size),
    )
    return True


def fill(
    device: Device, dtype: DTypeLike, shape: Sequence[int], target: View, value: float
) -> None:
    """Queue the same value for every element of an array of any rank and strides.

    Parameters
    ----------
    device : Device
    dtype : dtype
    shape : sequence of int
    target : View
    value : number
        Of that dtype.
    """
    bits = _bits(dtype)
    number = int(np.array(value, dtype).view(bits))
    axes = merged(shape, (target.strides,))
    kernel = _kernel(device, bits, "fill_4")
    for n, (y,), (offset,) in _fours(axes, (target.offset,)):
        kernel.set(target.buffer, *n[1:], offset, *y, number)
        kernel.launch((n[3], n[2], n[0] * n[1]))


def goes_to_host(device: Device, dtype: DTypeLike, work: float) -> bool:
    """Whether the host's BLAS takes a product of so many multiplications, as was measured."""
    least = device.choices.host_from.get(np.dtype(dtype).name)
    return least is not None and work >= least and device.limits.shares_memory


def multiply_on_host(
    device: Device, dtype: np.dtype[Any], a: Matrix, b: Matrix, c: Matrix, batch: int = 1
) -> None:
    """Wait for what is queued, and compute C = A B with NumPy on the memory of the device.

    Parameters
    ----------
    device : Device
    dtype : dtype
    a, b, c : Matrix
        C must not overlap the others.
    batch : int
    """
    with contextlib.ExitStack() as stack:
        left, right, out = (
            _lent(x, batch, stack.enter_context(device.on_host(x.buffer, dtype, write=x is c)))
            for x in (a, b, c)
        )
        with device.host_work("BLAS"):
            np.matmul(left, right, out=out)


def _lent(x: Matrix, batch: int, flat: np.ndarray) -> np.ndarray:
    """Return the matrices as a view of the buffer they are in."""
    strides = (x.batch_stride, x.row_stride, x.col_stride)
    return np.lib.stride_tricks.as_strided(
        flat[x.offset :],
        (batch, x.rows, x.cols)[batch == 1 :],
        tuple(flat.itemsize * stride for stride in strides)[batch == 1 :],
    )


def prepare(device: Device, dtype: DTypeLike, what: str) -> None:
    """Build kernels before they are needed.

    Parameters
    ----------
    device : Device
    dtype : dtype
        Of the elements.
    what : {'gemm', 'gemv', 'copy'}
        Products of matrices; with a vector; copies and fills.
    """
    if what == "copy":
        _make_kernel(device, _bits(dtype), "copy_4")
    elif what == "gemm":
        _make_kernel(device, np.dtype(dtype), *_gemm_style(device, np.dtype(dtype), 1))
    else:
        _make_kernel(device, np.dtype(dtype), "gemv_rows")


# -- which kernel, with which tiles -----------------------------------------------------------


def _gemm_style(device: Device, dtype: np.dtype[Any], k: int) -> tuple[str, Tile]:
    style = "gemm_panels" if device.info.kind == "cpu" else "gemm_tiles"
    if dtype.kind == "f" and k:
        for tile in (device.choices.tile(style, dtype.name), TILES[style][0]):
            if fits(device, dtype, tile):
                return style, tile
    return "gemm_plain", ()


def fits(device: Device, dtype: np.dtype[Any], tile: Tile) -> bool:
    """Whether a device has local memory, and work-groups large enough, for a tile."""
    t = dict(tile)
    if "NC" in t:
        return t["NC"] * t["KC"] * dtype.itemsize <= device.limits.local_memory
    items = (t["TM"] // t["RM"]) * (t["TN"] // t["RN"])
    nbytes = (t["TM"] + t["TN"] + 2) * t["TK"] * dtype.itemsize
    return items <= device.limits.work_group_size and nbytes <= device.limits.local_memory


def _gemm_sizes(
    style: str, t: dict[str, int], m: int, n: int, batch: int
) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    if style == "gemm_panels":
        return (-(-m // t["MC"]), -(-n // t["NC"]), batch), (1, 1, 1)
    if style == "gemm_tiles":
        local = (t["TN"] // t["RN"], t["TM"] // t["RM"], 1)
        return (-(-n // t["TN"]) * local[0], -(-m // t["TM"]) * local[1], batch), local
    return (n, m, batch), None


def _gemv_parts(
    device: Device, dtype: np.dtype[Any], a: Matrix, by_columns: bool
) -> tuple[int, int]:
    """Cut the sum only where there are too few results to keep the device busy."""
    items = -(-a.rows // _width(device, dtype)) if by_columns else a.rows
    wanted = 4 * device.limits.compute_units
    if device.info.kind != "cpu":
        wanted *= 256 if by_columns else 4
    if a.rows * a.cols <= WORTH_PARTS or items >= wanted:
        return 1, max(1, a.cols)
    splits = max(1, min(-(-wanted // items), -(-a.cols // (PART if not by_columns else 64))))
    chunk = round_up(-(-a.cols // splits), 64)
    return max(1, -(-a.cols // chunk)), chunk


def _gemv_sizes(
    device: Device, items: int, by_columns: bool
) -> tuple[tuple[int], tuple[int] | None]:
    if device.info.kind == "cpu":
        local = cpu_group(items, device.limits.compute_units)
        return (round_up(items, local),), (local,)
    group = 1 if by_columns else _gemv_group(device)
    return (items * group,), (group,) if group > 1 else None


def _gemv_group(device: Device) -> int:
    if device.info.kind == "cpu" or device.limits.work_group_size < GPU_GROUP:
        return 1
    return GPU_GROUP


def _width(device: Device, dtype: np.dtype[Any]) -> int:
    return device.vector_width(dtype) if dtype.itemsize >= 4 else 1


def _kernel(device: Device, dtype: np.dtype[Any], name: str, tile: Tile = ()) -> Kernel:
    """Return this thread's kernel of that name: a kernel keeps its arguments until its launch."""
    try:
        return _kernels.made[device, dtype, name, tile]  # type: ignore[no-any-return]
    except AttributeError:
        _kernels.made = {}
    except KeyError:
        pass
    made = _kernels.made[device, dtype, name, tile] = _make_kernel(device, dtype, name, tile)
    return made


def _make_kernel(device: Device, dtype: np.dtype[Any], name: str, tile: Tile = ()) -> Kernel:
    if dtype.kind not in "fiu" or dtype == np.float16:
        raise NotSupportedError(f"OpenCL: products of {dtype}")
    options = [f"-DT={c_type(device, dtype)}"]
    if dtype == np.float64:
        options.append("-DNEEDS_FP64")
    if name.endswith("_4"):
        count, longs = (2, 13) if name == "copy_4" else (1, 8)
        scalars: list[Any] = [None] * count + [np.int64] * longs
        return device.kernel(
            read("copy.cl"), name, scalars + ([dtype] if name == "fill_4" else []), options
        )
    family = "gemm" if name.startswith("gemm") else name
    scalars = [None] * BUFFERS[family] + [np.int64] * LONGS[family] + [dtype] * 2
    scalars += [np.int64] * REAL_AND_LONG.get(name, 0)
    if family == "gemm":
        return device.kernel(
            read("gemm.cl"), name, scalars, options + _gemm_options(device, dtype, name, tile)
        )
    return device.kernel(read("gemv.cl"), name, scalars, options + _gemv_options(device, dtype))


def _gemm_options(device: Device, dtype: np.dtype[Any], name: str, tile: Tile) -> list[str]:
    options = ["-DONLY", f"-D{name.removeprefix('gemm_').upper()}"]
    if name == "gemm_panels":
        width = max(2, _width(device, dtype))
        options += [f"-DV={width}", f"-DVT={c_type(device, dtype)}{width}"]
    return options + [f"-D{key}={value}" for key, value in tile]


def _gemv_options(device: Device, dtype: np.dtype[Any]) -> list[str]:
    width = _width(device, dtype)
    return [f"-DWIDTH={width if width >= 4 else 1}", f"-DGROUP={_gemv_group(device)}"]


# -- strided arrays as loops of four axes -----------------------------------------------------

Axes = list[tuple[int, tuple[int, ...]]]


def batches(
    shape: Sequence[int], strides: Sequence[Sequence[int]]
) -> Iterator[tuple[int, tuple[int, ...], tuple[int, ...]]]:
    """Yield (count, steps, offsets) of runs of a batch with several axes: a launch for each."""
    axes = merged(shape, strides) or [(1, (0,) * len(strides))]
    *outside, (count, steps) = axes
    for index in np.ndindex(*(size for size, _ in outside)):
        yield (
            count,
            steps,
            tuple(
                sum(i * s[k] for i, (_, s) in zip(index, outside, strict=True))
                for k in range(len(strides))
            ),
        )


def merged(shape: Sequence[int], strides: Sequence[Sequence[int]]) -> Axes:
    """Return (size, strides) of the axes that count, merged where one continues the other."""
    axes: Axes = []
    for size, *steps in zip(shape, *strides, strict=True):
        if size == 1:
            continue
        if axes and all(s == t * size for s, t in zip(axes[-1][1], steps, strict=True)):
            axes[-1] = (axes[-1][0] * size, tuple(steps))
        else:
            axes.append((size, tuple(steps)))
    return axes


def _fours(axes: Axes, offsets: tuple[int, ...]) -> list[Any]:
    """Cut into launches of four axes: (sizes, strides of each array, offset of each array)."""
    count = len(offsets)
    axes = [(1, (0,) * count)] * (4 - len(axes)) + axes
    outside, inside = axes[:-4], axes[-4:]
    sizes = tuple(size for size, _ in inside)
    strides = tuple(tuple(steps[k] for _, steps in inside) for k in range(count))
    if 0 in sizes:
        return []
    launches = []
    for index in np.ndindex(*(size for size, _ in outside)):
        at = (
            offset + sum(i * steps[k] for i, (_, steps) in zip(index, outside, strict=True))
            for k, offset in enumerate(offsets)
        )
        launches.append((sizes, strides, tuple(at)))
    return launches


def _bits(dtype: DTypeLike) -> np.dtype[Any]:
    return np.dtype(f"u{np.dtype(dtype).itemsize}")
