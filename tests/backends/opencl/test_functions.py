"""Functions on a device: residency, updates, failures, threads, and what a call does not do."""

from __future__ import annotations

import dataclasses
import gc
import pickle
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.backends.opencl import build as build_module
from graphc.backends.opencl.arrays import DeviceArray, Memory
from graphc.backends.opencl.calls import ROUTINES
from graphc.backends.opencl.choice import find_devices
from graphc.backends.opencl.device import Device
from graphc.errors import DeviceError, NotSupportedError, ShapeError

pytestmark = pytest.mark.usefixtures("device")
RNG = np.random.default_rng(3)


class Traffic:
    """Counts copies between host and device, waits, and compilations."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counts: dict[str, int] = {}
        for name in ("to_device", "to_host", "finish", "_compile", "shared_array"):
            self._count(monkeypatch, name)

    def _count(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        real = getattr(Device, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.counts[name] = self.counts.get(name, 0) + 1
            return real(*args, **kwargs)

        monkeypatch.setattr(Device, name, counted)

    def of(self, call: Any) -> dict[str, int]:
        """Return what a call does."""
        self.counts.clear()
        call()
        return dict(self.counts)


@pytest.fixture
def traffic(monkeypatch: pytest.MonkeyPatch) -> Traffic:
    return Traffic(monkeypatch)


# -- residency ----------------------------------------------------------------------------------


def test_a_shared_variable_goes_to_the_device_once(traffic: Traffic) -> None:
    w = graphc.shared(np.ones(5), "w")
    x = T.dvector("x")
    step = graphc.function([x], updates=[(w, w * 2 + x)], backend="opencl")
    value = np.ones(5)
    assert traffic.of(lambda: step(value))["to_device"] == 2
    assert traffic.of(lambda: step(value)) == {"to_device": 1}, "only the argument, and no wait"
    assert traffic.of(w.get_value) == {"to_host": 1}
    assert traffic.of(w.get_value) == {}, "the host's copy is current now"
    step(value)
    assert w.get_value().tolist() == [15.0] * 5
    w.set_value(np.zeros(5))
    assert traffic.of(lambda: step(value))["to_device"] == 2
    assert w.get_value().tolist() == [1.0] * 5


def test_both_backends_share_variables() -> None:
    w, n = graphc.shared(np.arange(4.0), "w"), graphc.shared(1, "n")
    x = T.dvector("x")
    updates = [(w, w + x * n), (n, n + 1)]
    on = {
        name: graphc.function([x], w.sum(), updates=updates, backend=name)
        for name in ("numpy", "opencl")
    }
    wanted, count = np.arange(4.0), 1
    for name in ("opencl", "numpy", "numpy", "opencl", "opencl", "numpy", "opencl"):
        assert on[name](np.full(4, 0.5)) == wanted.sum()
        wanted, count = wanted + 0.5 * count, count + 1
    np.testing.assert_allclose(w.get_value(), wanted)
    assert n.get_value() == count


def test_in_place_and_swapped_updates() -> None:
    a, b = graphc.shared(np.arange(3.0), "a"), graphc.shared(np.ones(3), "b")
    c = graphc.shared(np.zeros((2, 3)), "c")
    i, s, x = T.lscalar("i"), T.dscalar("s"), T.dvector("x")
    f = graphc.function(
        [i, s, x],
        [a, b.sum()],
        updates=[(a, b), (b, a), (c, T.set_subtensor(c[i], x * s))],
        backend="opencl",
    )
    old, total = f(1, 2.0, np.arange(3.0))
    assert old.tolist() == [0, 1, 2] and total == 3
    assert a.get_value().tolist() == [1, 1, 1] and b.get_value().tolist() == [0, 1, 2]
    assert c.get_value().tolist() == [[0, 0, 0], [0, 2, 4]]
    in_place = graphc.function([x], updates=[(a, a * 2 + x)], backend="opencl")
    assert "changed(a_)" in in_place.source
    before = a.container.device.buffer
    in_place(np.ones(3))
    assert a.container.device.buffer is before and a.get_value().tolist() == [3, 3, 3]
    whole = graphc.function([s, x], updates=[(a, x), (b, T.zeros(2) + s)], backend="opencl")
    whole(4.0, np.full(7, 2.0))
    assert a.get_value().tolist() == [2.0] * 7 and b.get_value().tolist() == [4.0, 4.0]


def test_scalars_of_the_host_become_values_of_shared_variables() -> None:
    n, f32 = graphc.shared(0, "n"), graphc.shared(np.float32(0), "r")
    i, r = T.lscalar("i"), T.fscalar("r")
    f = graphc.function([i, r], n, updates=[(n, i * 2), (f32, r + 1)], backend="opencl")
    assert f(4, np.float32(0.5)) == 0 and f(5, np.float32(2)) == 8
    assert n.get_value() == 10 and f32.get_value() == 3


def test_shared_variables_pickle_from_the_device() -> None:
    w = graphc.shared(np.ones(3), "w")
    graphc.function([], updates=[(w, w + 1)], backend="opencl")()
    assert pickle.loads(pickle.dumps(w)).get_value().tolist() == [2, 2, 2]


def test_a_value_moves_between_devices(device: Device, as_gpu: Device) -> None:
    w = graphc.shared(np.arange(3.0), "w")
    first, second = Memory(device), Memory(as_gpu)
    first.commit(w.container, first.send(np.full(3, 7.0)))
    held = second.resident(w.container)
    assert held.device is as_gpu and held.to_host().tolist() == [7, 7, 7]
    assert w.container.device is held


# -- calls --------------------------------------------------------------------------------------


def test_a_call_compiles_nothing_and_waits_once(traffic: Traffic) -> None:
    x, y = T.dmatrix("x"), T.dvector("y")
    w = graphc.shared(np.zeros(4), "w")
    p = T.nnet.sigmoid(T.dot(x, w))
    cost = T.nnet.binary_crossentropy(p, y).mean()
    step = graphc.function([x, y], [p, cost], updates=[(w, w - T.grad(cost, w))], backend="opencl")
    args = RNG.normal(size=(50, 4)), (RNG.random(50) < 0.5) * 1.0
    assert "_compile" not in traffic.of(lambda: step(*args)), "not in the first call either"
    done = traffic.of(lambda: step(*args))
    assert "_compile" not in done
    assert done.get("finish", 0) + done.get("to_host", 0) == 1
    larger = RNG.normal(size=(5000, 4)), (RNG.random(5000) < 0.5) * 1.0
    assert "_compile" not in traffic.of(lambda: step(*larger))


def test_results_are_the_callers_and_arguments_are_not_written() -> None:
    x = T.dvector("x")
    f = graphc.function([x], [x + 1, x * 2], backend="opencl")
    value = np.ones(1000)
    first, second = f(value)
    first[:] = 5
    value[:] = 9
    third, _ = f(value)
    assert set(third) == {10.0} and set(first) == {5.0} and set(second) == {2.0}
    value.setflags(write=False)
    assert set(f(value)[1]) == {18.0}
    del f, value
    gc.collect()
    assert set(third) == {10.0}


def test_a_failed_call_changes_nothing() -> None:
    w, v = graphc.shared(np.ones(3), "w"), graphc.shared(np.ones(3), "v")
    x = T.dvector("x")
    f = graphc.function([x], w.sum(), updates=[(w, w + x), (v, v * 2)], backend="opencl")
    f(np.ones(3))
    with pytest.raises(ShapeError):
        f(np.ones(4))
    with pytest.raises(TypeError):
        f("a string")
    assert w.get_value().tolist() == [2, 2, 2] and v.get_value().tolist() == [2, 2, 2]


def test_memory_goes_back_to_the_pool_also_after_failures(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = T.dvector("x")
    f = graphc.function([x], T.exp(T.dot(T.outer(x, x), x)).sum(), backend="opencl")
    f(np.ones(100))
    gc.collect()
    device.relieve()
    for _ in range(3):
        f(np.ones(100))
    held = device.pool.bytes_held
    for _ in range(5):
        f(np.ones(100))
    assert device.pool.bytes_held == held > 0
    monkeypatch.setattr(Memory, "read", lambda *args: 1 / 0)
    broken = graphc.function([x], T.exp(T.dot(T.outer(x, x), x)).sum(), backend="opencl")
    with pytest.raises(RuntimeError, match="division by zero"):
        broken(np.ones(100))
    gc.collect()
    assert device.pool.bytes_held >= held
    f.free()
    assert device.pool.bytes_held == 0
    assert f(np.ones(100)) > 0


def test_threads_share_a_function() -> None:
    x = T.dvector("x")
    w = graphc.shared(np.full(4, 2.0), "w")
    y = T.tanh(x) * w.sum()
    f = graphc.function([x], [y, (y * x).sum(), T.dot(x, x)], backend="opencl")
    wrong: list[int] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for size in rng.integers(1, 3000, size=40):
            value = rng.normal(size=size)
            got, total, square = f(value)
            wanted = np.tanh(value) * 8
            if not (
                np.allclose(got, wanted)
                and np.allclose(total, wanted @ value)
                and np.allclose(square, value @ value)
            ):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_threads_count_together() -> None:
    """Updates of several threads may be lost, as on NumPy, but never torn."""
    w = graphc.shared(np.zeros(1000), "w")
    step = graphc.function([], w.sum(), updates=[(w, T.sqrt(T.sqr(w + 1)))], backend="opencl")

    def work() -> None:
        for _ in range(30):
            step()
            assert len(set(w.get_value())) == 1

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 30 <= w.get_value()[0] <= 90


# -- places and sizes that values say ------------------------------------------------------------


def test_places_and_sizes_from_shared_variables_and_arrays() -> None:
    x, m, n = T.dvector("x"), T.lvector("m"), graphc.shared(3, "n")
    outputs = [x[:n] * 2, x[n], x[: n - 1] + n, T.arange(n) * 2.0, x[m[0]] + 1, x[m[1] :]]
    f = graphc.function([x, m], outputs, updates=[(n, n - 1)], backend="opencl")
    value = np.arange(5.0) + 1
    for size in (3, 2):
        got = f(value, np.array([2, 3]))
        wanted = [value[:size] * 2, value[size], value[: size - 1] + size, np.arange(size) * 2.0]
        for a, b in zip(got, [*wanted, value[2] + 1, value[3:]], strict=True):
            np.testing.assert_array_equal(a, b)


# -- refusals -----------------------------------------------------------------------------------


@pytest.fixture
def no_doubles(device: Device, monkeypatch: pytest.MonkeyPatch) -> Device:
    """The device under a description without float64."""
    handle = next(h for info, h in find_devices() if info.number == device.info.number)
    limits = dataclasses.replace(device.limits, fp64=False)
    made = Device(dataclasses.replace(device.info, limits=limits), handle)
    monkeypatch.setattr(build_module, "get_device", lambda name=None: made)
    return made


def test_float64_without_fp64_names_the_values_and_the_remedies(no_doubles: Device) -> None:
    x, w = T.dvector("x"), graphc.shared(np.ones(3), "w")
    with pytest.raises(DeviceError) as caught:
        graphc.function([x], T.tanh(x) * 2, updates=[(w, w + 1)], backend="opencl")
    text = str(caught.value)
    assert "has no float64" in text
    assert "x" in text and "tanh(x)" in text and "w" in text and "test_functions.py" in text
    assert "graphc.config.floatX = 'float32'" in text and "backend='numpy'" in text


def test_float32_without_fp64_computes(no_doubles: Device) -> None:
    with graphc.config.set(floatX="float32"):
        x, w = T.matrix("x"), graphc.shared(np.ones(3, "float32"), "w")
        cost = T.sqr(T.tanh(T.dot(x, w)) - 0.5).mean()
        f = graphc.function([x], cost, updates=[(w, w - 0.1 * T.grad(cost, w))], backend="opencl")
        value = RNG.normal(size=(20, 3)).astype("float32")
        assert "double" not in f.source[f.source.index("/*") :]
        np.testing.assert_allclose(
            f(value), ((np.tanh(value.sum(axis=1)) - 0.5) ** 2).mean(), rtol=1e-5
        )
        assert f(value) < f(value) + 1


def test_no_device_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphc.backends.opencl.device.find_devices", lambda: [])
    x = T.dvector("x")
    with pytest.raises(DeviceError, match="pip install"):
        graphc.function([x], x + 1, backend="opencl")


def test_an_op_without_a_routine_names_op_and_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(ROUTINES, "join")
    x = T.dvector("x")
    with pytest.raises(NotSupportedError, match=r"join has no OpenCL routine(.|\n)*test_functions"):
        graphc.function([x], T.concatenate([x, x]), backend="opencl")


# -- other devices ------------------------------------------------------------------------------


def test_the_kernels_for_gpus(as_gpu: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """One element a work-item, trees in work-groups, results copied back."""
    monkeypatch.setattr(build_module, "get_device", lambda name=None: as_gpu)
    x, v, w = T.dmatrix("x"), T.dvector("v"), graphc.shared(np.ones(9), "w")
    z = T.exp(x * v)
    outputs = [z, z.sum(), z.sum(axis=0), z.sum(axis=1), z.max(axis=1), T.argmax(z, axis=1)]
    outputs += [
        T.argmax(z, axis=0),
        (z > 1).any(),
        T.dot(z, v),
        T.dot(z.T, x),
        x.T + 1,
        z[::-1, 1:],
    ]
    f = graphc.function([x, v], outputs, updates=[(w, w + 1)], backend="opencl")
    g = graphc.function([x, v], outputs, backend="numpy")
    for shape in [(5, 7), (300, 1000), (1, 5000), (5000, 3), (0, 4)]:
        args = RNG.normal(size=shape), RNG.normal(size=shape[1])
        if not shape[0]:
            f, g = (
                graphc.function([x, v], [z, z.sum(axis=0)], backend=name)
                for name in ("opencl", "numpy")
            )
        for got, wanted in zip(f(*args), g(*args), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-9)
            assert got.dtype == wanted.dtype and got.shape == wanted.shape


def test_arrays_say_where_they_are(device: Device) -> None:
    array = Memory(device).send(np.zeros((2, 3), "float32"))
    assert isinstance(array, DeviceArray)
    assert repr(array) == f"<float32[2, 3] on {device.info.name}>"


def test_a_failure_of_the_device_names_the_line(
    as_gpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = T.dvector("x")
    monkeypatch.setattr(build_module, "get_device", lambda name=None: as_gpu)
    monkeypatch.setattr(as_gpu, "limits", dataclasses.replace(as_gpu.limits, max_allocation=10**6))
    f = graphc.function([x], T.outer(x, x), backend="opencl")
    with pytest.raises(DeviceError, match=r"do not fit on (.|\n)*test_functions.py"):
        f(np.ones(1000))
    assert f(np.ones(10)).shape == (10, 10)


FORKED = """
import os, signal
import numpy as np
import graphc, graphc.tensor as T
from graphc.errors import DeviceError
x, w = T.dvector("x"), graphc.shared(np.ones(3), "w")
f = graphc.function([x], x * w, updates=[(w, w + 1)], backend="opencl")
value = np.ones(3)
f(value)
child = os.fork()
if child == 0:
    signal.alarm(20)  # ends a child that hangs
    for attempt in (lambda: f(value), w.get_value):
        try:
            attempt()
        except DeviceError as error:
            print("spawn" in str(error), flush=True)
    os._exit(0)
print(os.waitpid(child, 0)[1], f(value), w.get_value())
"""


def test_a_function_in_a_forked_process_is_an_error_there() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "True\nTrue\n0 [2. 2. 2.] [3. 3. 3.]\n"
