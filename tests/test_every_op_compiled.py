"""Each row of the table of ops through compiled functions, on each backend.

Many rows share one function, since an OpenCL program takes long to build; when such a function
fails, each row is tried alone, so that the message names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

import graphc
from graphc.backends.opencl.device import get_device
from graphc.errors import DeviceError, GraphcError
from graphc.ir import dtypes
from graphc.ir.node import DIM
from graphc.ir.op import OPS, Kind
from graphc.ir.walk import toposort
from harness import assert_close, evaluate
from op_samples import SIZES, Case, cases, rows
from test_every_op import holds

ROWS = rows()
TOGETHER = 60  # cases in one function


def expected(case: Case) -> np.ndarray:
    return evaluate(case.node, dict(zip(case.inputs, case.arrays, strict=True)))[0]


def chunks(found: Sequence[Case]) -> Iterator[Sequence[Case]]:
    for start in range(0, len(found), TOGETHER):
        yield found[start : start + TOGETHER]


def run(
    found: Sequence[Case], backend: str, seen: Callable[..., np.ndarray], **options: str
) -> None:
    """Compile cases into one function, call it with their arrays as ``seen``, and compare."""
    given = {
        node: seen(array)
        for one in found
        for node, array in zip(one.inputs, one.arrays, strict=True)
    }
    nodes = [one.node for one in found]
    f = graphc.function(list(given), nodes, backend=backend, on_unused_input="ignore", **options)
    for one, value in zip(found, f(*given.values()), strict=True):
        assert_close(value, expected(one), one.op.name, f"{one} on {backend}")


def run_all(
    found: Sequence[Case],
    backend: str,
    seen: Callable[[np.ndarray], np.ndarray] = lambda array: array,
    **options: str,
) -> None:
    assert found
    found = [one for one in found if not is_refused(one, backend)]
    failed = [line for some in chunks(found) for line in failures(some, backend, seen, **options)]
    assert not failed, f"{len(failed)} cases fail on {backend}\n" + "\n".join(failed)


def is_refused(case: Case, backend: str) -> bool:
    """Tell whether a function is refused because its device lacks a dtype.

    What only the host computes, such as scalars made of inputs, is not refused.
    """
    lacking = lacking_dtypes(backend)
    if not lacking & dtypes_in(case):
        return False
    try:
        graphc.function(case.inputs, case.node, backend=backend, on_unused_input="ignore")
    except DeviceError as error:
        assert any(f"no {dtype}" in str(error) for dtype in lacking)
        return True
    return False


def lacking_dtypes(backend: str) -> set[str]:
    """Return the dtypes that a backend, or its device, does not compute with."""
    if backend == "numpy":
        return set()
    return set() if get_device().limits.fp64 else {"float64"}


def dtypes_in(case: Case) -> set[str]:
    """Return the dtypes that something is computed in or from; views need no device."""
    sizes = [node for node in toposort([case.node]) if node.op is DIM]
    computed = [
        node
        for node in toposort([case.node], stop=sizes)
        if node.op.kind not in (Kind.VIEW, Kind.SOURCE) and node.op.name != "fill"
    ]
    types = [one.type for node in computed for one in (node, *node.inputs)]
    every = [item for kind in types for item in getattr(kind, "items", (kind,))]
    return {kind.dtype for kind in every}


def failures(
    some: Sequence[Case], backend: str, seen: Callable[..., np.ndarray], **options: str
) -> list[str]:
    """Run cases together; if that fails, alone, and return a line for each that does not work."""
    try:
        run(some, backend, seen, **options)
    except Exception as error:
        if len(some) == 1:
            return [f"{some[0]}: {type(error).__name__}: {error}"]
        alone = [line for one in some for line in failures([one], backend, seen, **options)]
        names = ", ".join(map(repr, some))
        return alone or [f"together, not alone: {names}: {type(error).__name__}: {error}"]
    return []


def legal(wanted: str, sizes: str, *, known: bool = False, brief: bool = False) -> list[Case]:
    """Return the cases of all rows in a dtype that the checks of the rows allow."""
    return [
        one
        for name in ROWS
        for one in cases(OPS[name], [wanted], [sizes], known=known, brief=brief)
        if holds(one)
    ]


# A kernel takes long to build: on OpenCL, other dtypes than these have one example a row.
MAIN = {"float64", "float32", "int32"}


@pytest.mark.parametrize("dtype", dtypes.DTYPES)
def test_values_in_every_dtype(dtype: str, backend: str) -> None:
    run_all(legal(dtype, "usual", brief=backend == "opencl" and dtype not in MAIN), backend)


@pytest.mark.parametrize("dtype", ["float64", "int32", "bool"])
def test_values_as_written(dtype: str, backend: str) -> None:
    """Without rewriting and fusion: each op stands alone."""
    found = legal(dtype, "usual", brief=backend == "opencl")
    run_all(found, backend, mode="FAST_COMPILE")


@pytest.mark.parametrize("sizes", [name for name in SIZES if name != "usual"])
@pytest.mark.parametrize("dtype", ["float64", "int32"])
def test_values_of_empty_and_single_arrays(dtype: str, sizes: str, backend: str) -> None:
    run_all(legal(dtype, sizes), backend)


def _every_second(array: np.ndarray) -> np.ndarray:
    """Return an array with the same elements, of which memory holds others in between."""
    wide = np.zeros([2 * size for size in array.shape], array.dtype)
    part = wide[(..., *[slice(None, None, 2)] * array.ndim)]
    part[...] = array
    return part


def _backwards(array: np.ndarray) -> np.ndarray:
    """Return an array with the same elements, last first in memory."""
    return np.flip(np.array(np.flip(array)))


def _columns(array: np.ndarray) -> np.ndarray:
    """Return an array with the same elements, column after column in memory."""
    return np.array(array, order="F")


@pytest.mark.parametrize("seen", [_every_second, _backwards, _columns])
@pytest.mark.parametrize("dtype", ["float64", "int32"])
def test_values_of_arrays_that_are_not_contiguous(
    dtype: str, seen: Callable[[np.ndarray], np.ndarray], backend: str
) -> None:
    run_all(legal(dtype, "usual"), backend, seen)


@pytest.mark.parametrize("dtype", ["float64", "int8"])
def test_values_with_known_sizes(dtype: str, backend: str) -> None:
    run_all(legal(dtype, "usual", known=True, brief=backend == "opencl"), backend)


def test_illegal_sizes_are_errors(backend: str) -> None:
    """What the checks of a row refuse is an error of graphc's, at the start of the call."""
    found = [
        one
        for name in ROWS
        for one in cases(OPS[name], ["float64"], ["no a", "no b", "one"])
        if not holds(one)
    ]
    assert {one.op.name for one in found} >= {"max", "min", "argmax", "softmax", "slice", "put"}
    if backend == "opencl":  # the same host lines: one case a row will do
        found = list({one.op: one for one in found}.values())
    accepted = []
    for one in found:
        f = graphc.function(one.inputs, one.node, backend=backend, on_unused_input="ignore")
        try:
            f(*one.arrays)
        except GraphcError as error:
            assert error.__cause__ is None, f"{one}: found by a guard, not by {error.__cause__!r}"
        else:
            accepted.append(str(one))
    assert not accepted, f"illegal, and computed all the same: {accepted}"


LARGE = 1_000_003  # not a multiple of a vector, a work-group or a tile


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_elementwise_rows_and_reductions_on_a_large_array(dtype: str, backend: str) -> None:
    """Tiles, threads and several work-groups, with an odd end."""
    rng = np.random.default_rng(5)
    x = graphc.tensor.vector("x", dtype=dtype)
    value = rng.uniform(0.5, 1.5, LARGE).astype(dtype)
    made = [
        OPS[name].reference
        and graphc.ir.node.apply(OPS[name], x, **({"axes": (0,)} if OPS[name].attrs else {}))
        for name in ROWS
        if OPS[name].attrs == ("axes",) or OPS[name].details.get("arity") == 1
        if name not in ("cast", "invert", "prod", "prod_of_others")
    ]
    f = graphc.function([x], made, backend=backend)
    for node, found in zip(made, f(value), strict=True):
        reference = evaluate(node, {x: value})[0]
        summed = 200 if node.op.name in ("sum", "softmax", "log_softmax", "logsumexp") else 20
        allowed = summed * np.finfo(dtype).eps
        np.testing.assert_allclose(
            found, reference, rtol=allowed, atol=allowed, err_msg=f"{node!r} on {backend}"
        )
