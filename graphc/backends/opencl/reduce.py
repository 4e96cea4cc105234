"""Reductions as OpenCL C: accumulators, the frames of `kernels/reduce.cl`, and launch sizes.

A fused body is pasted into a frame; several results may be folded in one pass. The caller says how
an element is computed, this module how elements become one. It knows no graph.

>>> text = write_rows(
...     "sums", ["global const float *x"], [Fold("add", "float", "x[o * length + r]")]
... )
>>> "kernel void sums(global const float *x, global float *out0, const long rows" in text
True
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

from graphc.backends.opencl.choice import DeviceInfo
from graphc.backends.opencl.kernel import cpu_group, round_up
from graphc.backends.opencl.kernel_files import read
from graphc.errors import InternalError

COMBINE = {
    "add": "FOLD_ADD",
    "mul": "FOLD_MUL",
    "max": "FOLD_MAX",
    "min": "FOLD_MIN",
    "any": "FOLD_ANY",
    "all": "FOLD_ALL",
}
ARG_FIRST = {"argmax": "ARGMAX_FIRST", "argmin": "ARGMIN_FIRST"}
# Smallest and largest value of each C type that a maximum or minimum starts from.
RANGE = {
    "char": ("CHAR_MIN", "CHAR_MAX"),
    "uchar": ("0", "UCHAR_MAX"),
    "short": ("SHRT_MIN", "SHRT_MAX"),
    "ushort": ("0", "USHRT_MAX"),
    "int": ("INT_MIN", "INT_MAX"),
    "uint": ("0", "UINT_MAX"),
    "long": ("LONG_MIN", "LONG_MAX"),
    "ulong": ("0", "ULONG_MAX"),
    "float": ("-INFINITY", "INFINITY"),
    "double": ("-INFINITY", "INFINITY"),
}
# A lane adds at most this many elements to one accumulator before parts are folded pairwise, which
# bounds both the rounding error and, on CPUs, the time until all cores have work.
CPU_CHUNK = 8192
CPU_ROWS_IN_CACHE = 256
MOST_PARTS = 4096
GPU_GROUP = 256
GPU_ITEMS = 1 << 16


@dataclass(frozen=True, slots=True)
class Fold:
    """One result of a reduction.

    `op` is add, mul, max, min, any, all, argmax or argmin; `ctype` the C type of the accumulator
    (uchar for any and all; that of the values for argmax and argmin, whose result is a long);
    `value` a C expression for one element, of that type, in terms of what the body declares and of
    o and r (rows), or o, r and c (columns).

    `place` is an expression for the index that argmax and argmin report; for a second stage, which
    folds pairs, it reads the first stage's.
    """

    op: str
    ctype: str
    value: str
    place: str = "r"

    @property
    def is_arg(self) -> bool:
        """Whether the result is a place rather than a value."""
        return self.op in ARG_FIRST

    @property
    def start(self) -> str:
        """The neutral element, as C."""
        if self.op in ("max", "argmax"):
            return RANGE[self.ctype][0]
        if self.op in ("min", "argmin"):
            return RANGE[self.ctype][1]
        return "1" if self.op in ("mul", "all") else "0"


class Split(NamedTuple):
    """How a reduction is cut: parts of the reduced axis, their length, and how to launch it.

    `group` is for the macro GROUP, the width of the tree; `local_size` may be larger without one.
    """

    splits: int
    chunk: int
    group: int
    global_size: int
    local_size: int | None


def split_rows(device: DeviceInfo, rows: int, length: int, width: int = 1) -> Split:
    """Decide how many work-groups share one row.

    Parameters
    ----------
    device : DeviceInfo
    rows, length : int
        The space: `length` is reduced.
    width : int
        Elements in one vector.

    Returns
    -------
    Split
        Its `group` is the macro GROUP that the kernel must be built with.

    Examples
    --------
    >>> from graphc.backends.opencl.choice import Limits
    >>> limits = Limits(True, 1024, 4096, (4096,), 2, 1, 1, 1, 1, True, 32)
    >>> cpu = DeviceInfo((0, 0), "PoCL", "cpu", "", "", "", "cpu", 0, limits)
    >>> split_rows(cpu, 1, 100_000, 4)
    Split(splits=13, chunk=7696, group=1, global_size=13, local_size=1)
    """
    group = _group(device, length)
    if group == 1:
        splits = _clamp(-(-length // CPU_CHUNK), MOST_PARTS)
    else:
        wanted = min(-(-GPU_ITEMS // max(1, rows * group)), -(-length // (4 * group)))
        splits = _clamp(wanted, MOST_PARTS // 4)
    chunk = _chunk(length, splits, group * width)
    splits = _clamp(-(-length // chunk), splits)
    return Split(splits, chunk, group, *_launch(device, rows * splits, group))


def split_columns(device: DeviceInfo, outer: int, length: int, inner: int, width: int = 1) -> Split:
    """Decide into how many parts the reduced axis is cut when neighbours lie side by side.

    Parameters
    ----------
    device : DeviceInfo
    outer, length, inner : int
        The space: `length` is reduced.
    width : int
        Elements in one vector.

    Returns
    -------
    Split
    """
    blocks = -(-inner // width)
    if device.kind == "cpu":
        wanted = -(-length // CPU_ROWS_IN_CACHE)
    else:
        wanted = min(-(-GPU_ITEMS // max(1, outer * blocks)), -(-length // 16))
    splits = _clamp(wanted, 256)
    chunk = _chunk(length, splits, 1)
    splits = _clamp(-(-length // chunk), splits)
    return Split(splits, chunk, 1, *_launch(device, splits * outer * blocks, 1))


def write_rows(
    name: str,
    params: Sequence[str],
    folds: Sequence[Fold],
    body: Sequence[str] = (),
    vector_body: Sequence[str] = (),
) -> str:
    """Write a kernel that folds rows: the reduced axis is the innermost one, or the only one.

    Build it with -DGROUP (of the `Split`) and -DWIDTH, prelude.cl before it. With WIDTH above 1 the
    expressions of the folds are used in both bodies, which declare the same names, once as scalars
    and once as vectors.

    Parameters
    ----------
    name : str
    params : sequence of str
        Declarations of the kernel's parameters that the bodies use.
    folds : sequence of Fold
        Result k is stored through the parameter `out<k>`, and the places of argmax and argmin
        through `at<k>`, declared after `params`.
    body, vector_body : sequence of str
        Statements before each combination.

    Returns
    -------
    str
        The kernel. Its parameters are `params`, the results, and `rows, length, splits, chunk` as
        long.
    """
    vector = bool(vector_body)
    marks = {
        "START": [line for k, f in enumerate(folds) for line in _start_row(k, f, vector)],
        "VECTOR": [*vector_body, *(_step(k, f, f"v{k}") for k, f in enumerate(folds))],
        "SCALAR": [*body, *(_step(k, f, f"r{k}") for k, f in enumerate(folds))],
        "FINISH": [line for k, f in enumerate(folds) for line in _finish_row(k, f, vector)],
    }
    return _fill("rows", name, [*params, *outputs(folds)], marks)


def write_columns(
    name: str,
    params: Sequence[str],
    folds: Sequence[Fold],
    body: Sequence[str] = (),
    vector_body: Sequence[str] = (),
) -> str:
    """Write a kernel that folds an axis with others inside it; the parameters are `write_rows`'.

    Returns
    -------
    str
        The kernel. Its parameters are `params`, the results, and `outer, length, inner, splits,
        chunk` as long. Several parts are stored as an array (splits, outer, inner).
    """
    vector = bool(vector_body)
    marks = {
        "START": [f"{f.ctype} r{k} = {f.start};" + _place(k, f) for k, f in enumerate(folds)],
        "START_VECTOR": [_vector_start(k, f) for k, f in enumerate(folds)] if vector else [],
        "VECTOR": [*vector_body, *(_step(k, f, f"v{k}") for k, f in enumerate(folds))],
        "SCALAR": [*body, *(_step(k, f, f"r{k}") for k, f in enumerate(folds))],
        "FINISH": [_store(k, f) for k, f in enumerate(folds)],
        "FINISH_VECTOR": [f"VSTORE({f.ctype}, v{k}, out{k} + at);" for k, f in enumerate(folds)],
    }
    return _fill("columns", name, [*params, *outputs(folds)], marks)


def outputs(folds: Sequence[Fold]) -> list[str]:
    """Declare the parameters through which results are stored, in order.

    Examples
    --------
    >>> outputs([Fold("add", "float", "x"), Fold("argmax", "int", "y")])
    ['global float *out0', 'global int *out1', 'global long *at1']
    """
    declared = []
    for k, fold in enumerate(folds):
        declared.append(f"global {fold.ctype} *out{k}")
        if fold.is_arg:
            declared.append(f"global long *at{k}")
    return declared


def second_stage(folds: Sequence[Fold]) -> tuple[list[str], list[Fold], list[Fold]]:
    """Return what folds the parts that a first stage stored: parameters, and folds of both kinds.

    Returns
    -------
    params : list of str
        The parts, in the order of `outputs`: `part<k>`, and `part_at<k>` for places.
    rows, columns : list of Fold
        For `write_rows` and for `write_columns`.
    """
    params: list[str] = []
    rows: list[Fold] = []
    columns: list[Fold] = []
    by_row, by_column = "o * length + r", "(o * length + r) * inner + c"
    for k, fold in enumerate(folds):
        params.append(f"global const {fold.ctype} *part{k}")
        if fold.is_arg:
            params.append(f"global const long *part_at{k}")
        for chosen, index in ((rows, by_row), (columns, by_column)):
            chosen.append(Fold(fold.op, fold.ctype, f"part{k}[{index}]", f"part_at{k}[{index}]"))
    return params, rows, columns


def _start_row(k: int, fold: Fold, vector: bool) -> list[str]:
    lines = [f"{fold.ctype} r{k} = {fold.start};" + _place(k, fold)]
    if vector:
        lines.append(_vector_start(k, fold))
    lines.append(f"SCRATCH({fold.ctype}, s{k});")
    if fold.is_arg:
        lines.append(f"SCRATCH(long, s{k}_at);")
    return lines


def _vector_start(k: int, fold: Fold) -> str:
    if fold.is_arg:
        raise InternalError(f"{fold.op} is not folded in vectors; leave vector_body empty")
    return f"VEC({fold.ctype}) v{k} = ({fold.start});"


def _place(k: int, fold: Fold) -> str:
    return f" long p{k} = LONG_MAX;" if fold.is_arg else ""


def _step(k: int, fold: Fold, accumulator: str) -> str:
    if fold.is_arg:
        return (
            f"{{ const {fold.ctype} value{k} = {fold.value}; const long place{k} = {fold.place}; "
            f"ARG_STEP({ARG_FIRST[fold.op]}, value{k}, place{k}, {accumulator}, p{k}) }}"
        )
    return f"{accumulator} = {COMBINE[fold.op]}({accumulator}, {fold.value});"


def _finish_row(k: int, fold: Fold, vector: bool) -> list[str]:
    if fold.is_arg:
        return [f"GROUP_TREE_ARG(r{k}, p{k}, s{k}, s{k}_at, {ARG_FIRST[fold.op]})", _store(k, fold)]
    combine = COMBINE[fold.op]
    lanes = [f"r{k} = {combine}(r{k}, LANES({combine}, v{k}));"] if vector else []
    return [*lanes, f"GROUP_TREE(r{k}, s{k}, {combine})", _store(k, fold)]


def _store(k: int, fold: Fold) -> str:
    place = f" at{k}[at] = p{k};" if fold.is_arg else ""
    return f"if (lane == 0) {{ out{k}[at] = r{k};{place} }}"


@cache
def _frame(name: str) -> str:
    found = re.search(
        rf"^/\* frame {name} \*/\n(.*?)^/\* end frame \*/$", read("reduce.cl"), re.M | re.S
    )
    if not found:
        raise InternalError(f"kernels/reduce.cl has no frame {name}")
    return found[1]


def _fill(frame: str, name: str, params: Sequence[str], marks: dict[str, list[str]]) -> str:
    text = _frame(frame).replace("NAME(PARAMS ", f"{name}({', '.join(params)}, ")
    for mark, lines in marks.items():
        text = re.sub(rf"^( *){mark};\n", partial(_indented, lines), text, flags=re.M)
    return text


def _indented(lines: Sequence[str], mark: re.Match[str]) -> str:
    return "".join(f"{mark[1]}{line}\n" for line in lines)


def macros() -> str:
    """Return the part of `kernels/reduce.cl` that filled frames need: combinations and trees."""
    return read("reduce.cl").split("#ifndef FRAMES_ONLY")[0]


def _group(device: DeviceInfo, length: int) -> int:
    """Choose a power of two: a tree wider than the row would idle."""
    if device.kind == "cpu":
        return 1
    group = 32
    while group < min(length, GPU_GROUP, device.limits.work_group_size):
        group *= 2
    return group if group <= device.limits.work_group_size else 1


def _launch(device: DeviceInfo, items: int, group: int) -> tuple[int, int | None]:
    if device.kind == "cpu":
        local = cpu_group(items, device.limits.compute_units)
        return round_up(items, local), local
    return items * group, group if group > 1 else None


def _clamp(count: int, most: int) -> int:
    return max(1, min(count, most))


def _chunk(length: int, splits: int, step: int) -> int:
    return max(1, -(-length // (splits * step)) * step)
