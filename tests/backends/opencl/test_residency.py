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


def test_functions_for_several_devices_in_one_process(
    device: Device, as_gpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {"first": device, "second": as_gpu}
    monkeypatch.setattr(build_module, "get_device", lambda name: places[name])
    x, w = T.dvector("x"), graphc.shared(np.ones(3), "w")
    on = {
        name: graphc.function([x], x * w, updates=[(w, w + 1)], backend="opencl", device=name)
        for name in places
    }
    assert [f.device for f in on.values()] == [device, as_gpu]
    value = np.arange(3.0)
    for count, name in enumerate(["first", "second", "second", "first", "second"], 1):
        assert on[name](value).tolist() == (value * count).tolist()
        assert w.container.device.device is places[name]
    assert w.get_value().tolist() == [6, 6, 6]


# -- copies ---------------------------------------------------------------------------------------


def copies(profile: Any) -> dict[str, tuple[int, int | None]]:
    """Return how many copies between host and device there were, and of how many bytes."""
    found: dict[str, tuple[int, int | None]] = {}
    for record in profile.copies:
        count, nbytes = found.get(record.kind, (0, 0))
        found[record.kind] = (count + record.count, (nbytes or 0) + (record.nbytes or 0))
    return found


def test_a_training_step_copies_its_inputs_and_asked_for_outputs_only(where: Device) -> None:
    x, y, rate = T.dmatrix("x"), T.dvector("y"), T.dscalar("rate")
    hidden = graphc.shared(RNG.normal(size=(4, 8)), "hidden")
    w, b = graphc.shared(RNG.normal(size=8), "w"), graphc.shared(0.0, "b")
    momentum = graphc.shared(np.zeros(8), "momentum")
    p = T.nnet.sigmoid(T.dot(T.tanh(T.dot(x, hidden)), w) + b)
    cost = T.nnet.binary_crossentropy(p, y).mean()
    gh, gw, gb = T.grad(cost, [hidden, w, b])
    step = graphc.function(
        [x, y, rate],
        [p, cost],
        updates=[
            (hidden, hidden - rate * gh),
            (momentum, 0.9 * momentum - rate * gw),
            (w, w + 0.9 * momentum - rate * gw),
            (b, b - rate * gb),
        ],
        backend="opencl",
    )
    value, labels = RNG.normal(size=(50, 4)), (RNG.random(50) < 0.5) * 1.0
    step(value, labels, 0.1)  # brings the shared variables to the device
    own = not where.limits.shares_memory
    with step.profile() as profile:
        step(value, labels, 0.1)
        step(value, labels, 0.1)
    both = {"to device": (4, 2 * 8 * 250), "to host": (4, 2 * 8 * 51)}
    assert copies(profile) == (both if own else {})
    given = Memory(where).send(value), Memory(where).send(labels)
    profile.reset()
    with profile:
        assert step(*given, 0.1, device=True)[0].shape == (50,)
    assert profile.records and copies(profile) == {}, "nothing at all is copied"
    profile.reset()
    with step.profile() as profile:
        w.get_value()
        step(*given, 0.1)
        w.set_value(np.zeros(8))
        step(*given, 0.1)
    found = copies(profile)
    assert found["to device"] == (1, 64), "the new value of w, once"
