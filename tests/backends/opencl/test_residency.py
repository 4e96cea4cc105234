"""Arrays that stay on the device: outputs, arguments, values of shared variables."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.backends.opencl import build as build_module
from graphc.backends.opencl.arrays import DeviceArray, Memory
from graphc.backends.opencl.device import Device
from graphc.errors import DeviceError, DTypeError, GraphcTypeError, GraphcValueError, ShapeError

pytestmark = pytest.mark.usefixtures("device")
RNG = np.random.default_rng(5)


@pytest.fixture(params=["as it is", "as a gpu"])
def where(
    request: pytest.FixtureRequest, device: Device, as_gpu: Device, monkeypatch: pytest.MonkeyPatch
) -> Device:
    """The device that functions are compiled for, once with a memory of its own."""
    found = device if request.param == "as it is" else as_gpu
    monkeypatch.setattr(build_module, "get_device", lambda name: found)
    return found


def step_of(x: Any, w: Any) -> tuple[Any, Any]:
    p = T.nnet.sigmoid(T.dot(x, w))
    cost = (p**2).sum()
    return [p, cost, x, x[::-1], w, x.shape[0]], [(w, w - 0.1 * T.grad(cost, w))]


def test_outputs_stay_and_come_back_as_arguments(where: Device) -> None:
    x, w = T.dmatrix("x"), graphc.shared(np.ones(4), "w")
    outputs, updates = step_of(x, w)
    f = graphc.function([x], outputs, updates=updates, backend="opencl")
    assert f.device is where
    value = RNG.normal(size=(6, 4))
    on_host = f(value)
    w.set_value(np.ones(4))
    left = f(value, device=True)
    assert all(isinstance(one, DeviceArray) and one.device is where for one in left)
    for one, wanted in zip(left, on_host, strict=True):
        assert (one.shape, one.dtype, one.ndim) == (wanted.shape, wanted.dtype, wanted.ndim)
        np.testing.assert_array_equal(one.get(), wanted)
        np.testing.assert_array_equal(one, wanted)
    w.set_value(np.ones(4))
    for again, wanted in zip(f(left[2]), on_host, strict=True):
        np.testing.assert_array_equal(again, wanted)


def test_a_lent_output_stays_and_the_others_do_not(where: Device) -> None:
    x = T.dvector("x")
    y = T.exp(x)
    f = graphc.function([x], [graphc.Out(y, borrow=True), y * 2], backend="opencl")
    first, double = f([0.0, 1.0])
    second, _ = f([2.0, 3.0])
    assert isinstance(first, DeviceArray) and isinstance(double, np.ndarray)
    np.testing.assert_allclose(first, np.exp([0.0, 1.0]))  # a later call has not written it
    np.testing.assert_allclose(second, np.exp([2.0, 3.0]))
    g = graphc.function([x], {"y": graphc.Out(y, borrow=True)}, backend="opencl")
    assert isinstance(g([1.0])["y"], DeviceArray)


def test_arrays_of_the_device_are_numpys_where_it_reads_them(where: Device) -> None:
    x = T.dvector("x")
    y = graphc.function([x], x * 2, backend="opencl")([1.0, 2.0, 3.0], device=True)
    assert (y + 1).tolist() == [3, 5, 7] and (1 - y).tolist() == [-1, -3, -5]
    assert y[1] == 4 and y[::2].tolist() == [2, 6] and len(y) == 3 and list(y) == [2, 4, 6]
    assert np.exp(y).dtype == "float64" and np.asarray(y, "float32").dtype == "float32"
    assert y.tolist() == [2, 4, 6] and y.mean() == 4 and not hasattr(y, "nothing")
    assert float(y[0]) == 2 and pickle.loads(pickle.dumps(y)).tolist() == [2, 4, 6]
    if where.limits.shares_memory:
        here = np.asarray(y)
        assert np.shares_memory(here, np.asarray(y)) and not here.flags.writeable
    copied = np.array(y)
    copied[0] = 9
    assert y.get()[0] == 2
    total = graphc.function([x], x.sum(), backend="opencl")([1.0, 2.0], device=True)
    assert float(total) == 3 and int(total) == 3 and bool(total) and total.shape == ()
    with pytest.raises(TypeError):
        len(total)


def test_arguments_on_the_device_are_read_where_the_host_needs_them(where: Device) -> None:
    x, i, n = T.dmatrix("x"), T.lvector("i"), T.lscalar("n")
    f = graphc.function([x, i, n], [x[i], x[:n].T, T.nlinalg.det(x)], backend="opencl")
    send = Memory(where).send
    value, places = RNG.normal(size=(4, 4)), np.array([3, 1])
    found = f(send(value), send(places), send(np.array(2)))
    for one, wanted in zip(found, f(value, places, 2), strict=True):
        np.testing.assert_array_equal(one, wanted)


def test_arrays_of_pyopencl_are_arguments(where: Device) -> None:
    clarray = pytest.importorskip("pyopencl.array")
    x = T.dvector("x")
    f = graphc.function([x], x * 2, backend="opencl")
    value = np.arange(10.0)
    given = clarray.to_device(where.queue, value)
    assert f(given).tolist() == (value * 2).tolist()
    assert f(given[3:]).tolist() == (value[3:] * 2).tolist()
    assert f(clarray.empty(where.queue, 0, "float64")).shape == (0,)
    assert Memory(where).argument(given).buffer is given.base_data, "not copied"
    with pytest.raises(DeviceError, match=r"not in order"):
        f(given[::2])
    with pytest.raises(DTypeError, match="float32 on the device"):
        f(given.astype("float32"))


def test_arguments_that_do_not_fit_are_refused(device: Device, as_gpu: Device) -> None:
    x = T.dvector("x")
    f = graphc.function([x], x * 2, backend="opencl")
    with pytest.raises(DeviceError, match=r"another device.*\n.*get\(\)"):
        f(Memory(as_gpu).send(np.ones(3)))
    with pytest.raises(GraphcTypeError, match="2 axes, 1 were declared"):
        f(Memory(device).send(np.ones((3, 2))))
    with pytest.raises(DTypeError, match="int64 on the device, float64 was declared"):
        f(Memory(device).send(np.ones(3, "int64")))
    cl, clarray = pytest.importorskip("pyopencl"), pytest.importorskip("pyopencl.array")
    other = cl.CommandQueue(cl.Context(device.context.devices))
    with pytest.raises(DeviceError, match="another context"):
        f(clarray.to_device(other, np.ones(3)))


def test_numpy_has_no_device_but_reads_from_one(device: Device) -> None:
    x = T.dvector("x")
    f = graphc.function([x], x * 2, backend="numpy")
    assert f.device is None
    assert f(Memory(device).send(np.ones(2))).tolist() == [2, 2]
    with pytest.raises(GraphcValueError, match="no device to leave outputs on"):
        f([1.0], device=True)
    named = T.dvector("device")
    assert graphc.function([named], named * 2, backend="numpy")(device=[1.0]).tolist() == [2]


def test_values_of_shared_variables_where_they_lie(where: Device) -> None:
    w = graphc.shared(np.arange(3.0), "w")
    assert isinstance(w.get_value(return_internal_type=True), np.ndarray)
    step = graphc.function([], w, updates=[(w, w + 1)], backend="opencl")
    old = step(device=True)
    held = w.get_value(borrow=True, return_internal_type=True)
    copy = w.get_value(return_internal_type=True)
    assert held is w.container.device and copy is not held
    graphc.function([], updates=[(w, w + 1)], backend="opencl")()
    assert held.get().tolist() == [2, 3, 4] and copy.get().tolist() == [1, 2, 3]
    w.set_value(old)
    assert w.container.device is not old and w.get_value().tolist() == [0, 1, 2]
    w.set_value(copy, borrow=True)
    assert w.container.device is copy and w.get_value().tolist() == [1, 2, 3]
    with pytest.raises(ShapeError, match="another shape"):
        w.set_value(Memory(where).send(np.ones((2, 2))))
    with pytest.raises(DTypeError, match="without rounding"):
        graphc.shared(np.ones(3, "int32")).set_value(old)
