"""What profiles say: steps, kernels, bytes and copies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.compile.profile import Profile
from graphc.errors import ShapeError

RNG = np.random.default_rng(11)


def logistic(backend: str, **options: Any) -> Any:
    x, y = T.dmatrix("x"), T.dvector("y")
    w = graphc.shared(np.zeros(4), "w")
    p = T.nnet.sigmoid(T.dot(x, w))
    cost = T.nnet.binary_crossentropy(p, y).mean()
    updates = [(w, w - 0.1 * T.grad(cost, w))]
    return graphc.function([x, y], [p, cost], updates=updates, backend=backend, **options)


def arguments() -> tuple[Any, Any]:
    return RNG.normal(size=(50, 4)), (RNG.random(50) < 0.5) * 1.0


def test_steps_bytes_and_operations(backend: str) -> None:
    f, args = logistic(backend), arguments()
    plain = logistic(backend)
    for _ in range(2):
        plain(*args)
    with f.profile() as profile:
        for _ in range(2):
            f(*args)
    assert isinstance(profile, Profile) and profile is f.profile and profile.calls == 2
    steps = [r for r in profile.records if r.kind in ("kernel", "host") and r.nbytes]
    assert len(steps) == 4 and all(r.count == 2 for r in steps)
    product, group = steps[:2]
    assert product.nbytes == 2 * 8 * (50 * 4 + 4 + 50) and product.operations == 2 * 2 * 50 * 4
    assert product.what.startswith("dot test_profile.py:") and group.operations % 50 == 0
    for record in steps:
        assert record.seconds > 0 and record.floor is not None and record.share is not None
        assert record.gigabytes is not None and record.gigaflops is not None
        np.testing.assert_allclose(record.gigabytes, record.nbytes / record.seconds / 1e9)
    for one, wanted in zip(f(*args), plain(*args), strict=True):
        np.testing.assert_array_equal(one, wanted)
    assert profile.calls == 2, "calls outside of the block are not watched"
    text = str(profile)
    assert "test_profile.py:" in text and "GB/s" in text and f"{f.name} on {backend}: 2 c" in text
    assert ("copies host to device" in text) == (backend == "opencl")


def test_all_calls_of_a_function_compiled_for_it(
    backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    x = T.dvector("x")
    f = graphc.function([x], T.exp(x).sum(), profile=True, backend=backend)
    assert "no calls were watched" in str(f.profile())
    value = np.arange(3.0)
    f(value)
    f.trust_input = True
    f(value)
    assert f.profile.calls == 2 and len(f.profile) > 0
    f.profile.summary()
    assert "2 calls" in capsys.readouterr().out
    f.profile.reset()
    assert f.profile.calls == 0 and not len(f.profile)
    with graphc.config.set(profile=True):
        g = graphc.function([x], T.exp(x), backend=backend)
    g(value)
    assert g.profile.calls == 1 and not graphc.function([x], x, backend=backend).profile


def test_steps_of_loops_and_branches(backend: str) -> None:
    x, n = T.dvector("x"), T.lscalar("n")
    rows, _ = graphc.scan(lambda v: T.tanh(T.dot(T.outer(v, v), v)) + x, None, x, n_steps=n)
    f = graphc.function([x, n], graphc.ifelse(n > 2, rows, -rows), backend=backend)
    expected = f(np.ones(3), 4)
    with f.profile() as profile:
        np.testing.assert_array_equal(f(np.ones(3), 4), expected)
        np.testing.assert_array_equal(f(np.ones(3), 0), f(np.ones(3), 0))
    inside = [r for r in profile.records if r.kind in ("kernel", "host") and r.count >= 4]
    assert inside and str(profile)


def test_a_call_that_fails_leaves_the_function_as_it_was(backend: str) -> None:
    f, args = logistic(backend), arguments()
    with f.profile() as profile:
        with pytest.raises(ShapeError):
            f(args[0], args[1][:-1])
        f(*args)
    assert profile.calls == 1
    f(*args)
    assert profile.calls == 1


def test_calls_for_some_outputs_are_watched_too(backend: str) -> None:
    f, args = logistic(backend), arguments()
    f(*args, output_subset=[1])
    with f.profile() as profile:
        f(*args, output_subset=[1])
        f(*args, output_subset=[0])
    assert profile.calls == 0 and len(profile) > 0 and profile.records
    assert str(profile).count(": 1 call,") == 2


def test_products_that_the_host_computes_for_the_device(backend: str) -> None:
    x = T.dmatrix("x")
    f = graphc.function([x], T.dot(x, x), backend=backend)
    with f.profile() as profile:
        f(np.ones((300, 300)))
    (record,) = [r for r in profile.records if r.operations]
    assert record.operations == 2 * 300**3 and record.nbytes == 2 * 8 * 300**2
    assert record.seconds > 0


def test_empty_arrays(backend: str) -> None:
    x = T.dvector("x")
    f = graphc.function([x], [T.exp(x), x.sum()], backend=backend)
    with f.profile() as profile:
        assert f(np.zeros(0))[1] == 0
    assert profile.calls == 1 and str(profile)
