"""function(): inputs, outputs, updates, givens, and what a failed call leaves behind."""

from __future__ import annotations

import gc
import linecache
import threading
import warnings

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc import errors


def test_one_output_a_list_a_dict_and_none(backend: str) -> None:
    x = T.dvector("x")
    value = np.array([1.0, 2.0])
    one = graphc.function([x], x * 2, backend=backend)(value)
    listed = graphc.function([x], [x * 2], backend=backend)(value)
    named = graphc.function([x], {"double": x * 2, "sum": x.sum()}, backend=backend)(value)
    nothing = graphc.function([x], on_unused_input="ignore", backend=backend)(value)
    assert isinstance(one, np.ndarray) and one.tolist() == [2.0, 4.0]
    assert isinstance(listed, list) and listed[0].tolist() == [2.0, 4.0]
    assert named["double"].tolist() == [2.0, 4.0] and named["sum"] == 3.0
    assert nothing == []


def test_outputs_are_arrays_of_the_declared_dtype_and_the_callers_own(backend: str) -> None:
    x, n = T.fvector("x"), T.lscalar("n")
    w = graphc.shared(np.ones(2), "w")
    outputs = [x, x.sum(), n, n > 1, w, w[::-1], T.constant([1.0, 2.0]), x + 1, x + 1]
    f = graphc.function([x, n], outputs, backend=backend)
    given = np.array([1, 2], "float32")
    results = f(given, 3)
    assert [r.dtype.name for r in results] == [
        *["float32", "float32", "int64", "bool", "float64", "float64", "float64"],
        *["float32", "float32"],
    ]
    for result in results:
        assert isinstance(result, np.ndarray)
        result[...] = 0
    assert given.tolist() == [1.0, 2.0]
    assert w.get_value().tolist() == [1.0, 1.0]
    again = f(given, 3)
    assert again[6].tolist() == [1.0, 2.0]
    assert again[7].tolist() == again[8].tolist() == [2.0, 3.0]


def test_updates_come_from_old_values_and_outputs_see_the_old(backend: str) -> None:
    a = graphc.shared(np.array([1.0, 2.0]), "a")
    b = graphc.shared(np.array([10.0, 20.0]), "b")
    swap = graphc.function([], [a, b], updates=[(a, b), (b, a)], backend=backend)
    old_a, old_b = swap()
    assert old_a.tolist() == [1.0, 2.0] and old_b.tolist() == [10.0, 20.0]
    assert a.get_value().tolist() == [10.0, 20.0]
    assert b.get_value().tolist() == [1.0, 2.0]
    swap()
    assert a.get_value().tolist() == [1.0, 2.0]


@pytest.mark.parametrize("form", [list, tuple, dict])
def test_forms_of_updates(form: type, backend: str) -> None:
    n, m = graphc.shared(0, "n"), graphc.shared(5, "m")
    pairs = [(n, n + m), (m, 7)]
    step = graphc.function([], n, updates=form(pairs), backend=backend)
    assert [int(step()) for _ in range(3)] == [0, 5, 12]
    assert m.get_value() == 7


def test_an_update_written_over_the_old_value_is_right_when_read_twice(backend: str) -> None:
    w = graphc.shared(np.arange(4.0), "w")
    x = T.dvector("x")
    new = w * x + T.exp(-w) * w
    step = graphc.function([x], [w * 2, w.sum()], updates=[(w, new)], backend=backend)
    old = np.arange(4.0)
    double, total = step(np.full(4, 3.0))
    np.testing.assert_allclose(double, old * 2)
    np.testing.assert_allclose(total, old.sum())
    np.testing.assert_allclose(w.get_value(), old * 3 + np.exp(-old) * old)


def test_an_update_may_change_the_size(backend: str) -> None:
    w = graphc.shared(np.zeros(2), "w")
    grow = graphc.function([], w.sum(), updates=[(w, T.concatenate([w, w + 1]))], backend=backend)
    grow()
    grow()
    assert w.get_value().tolist() == [0, 0, 1, 1, 1, 1, 2, 2]


def test_a_failed_call_leaves_shared_variables_as_they_were(backend: str) -> None:
    w, n = graphc.shared(np.ones(3), "w"), graphc.shared(0, "n")
    x, y = T.dvectors("x", "y")
    f = graphc.function([x, y], x + y, updates=[(w, w + x), (n, n + 1)], backend=backend)
    with pytest.raises(errors.ShapeError):
        f(np.ones(3), np.ones(4))
    with pytest.raises(errors.ShapeError):
        f(np.ones(4), np.ones(4))
    assert w.get_value().tolist() == [1, 1, 1] and n.get_value() == 0
    f(np.ones(3), np.ones(3))
    assert w.get_value().tolist() == [2, 2, 2] and n.get_value() == 1


def test_givens_replace_all_at_once(backend: str) -> None:
    x, y = T.dscalars("x", "y")
    f = graphc.function([x, y], x - 2 * y, givens={x: y, y: x}, backend=backend)
    assert f(1.0, 10.0) == 10.0 - 2.0


def test_givens_take_slices_of_shared_data(backend: str) -> None:
    data = graphc.shared(np.arange(12.0).reshape(6, 2), "data")
    x, i = T.dmatrix("x"), T.lscalar("i")
    f = graphc.function([i], x.sum(axis=0), givens={x: data[i * 2 : (i + 1) * 2]}, backend=backend)
    assert f(1).tolist() == [4.0 + 6.0, 5.0 + 7.0]
    assert f(2).tolist() == [8.0 + 10.0, 9.0 + 11.0]


def test_sizes_follow_what_is_given(backend: str) -> None:
    data = graphc.shared(np.arange(12.0).reshape(6, 2), "data")
    x, y, i = T.dmatrix("x"), T.dvector("y"), T.lscalar("i")
    cost = ((x - x.mean(axis=0)) ** 2).mean() + (T.ones_like(x).sum(axis=1) * y).mean()
    gradient = T.grad(cost, x)
    part = data[i * 3 : (i + 1) * 3]
    f = graphc.function([i], [cost, gradient], givens={x: part, y: part[:, 0]}, backend=backend)
    value = np.arange(12.0).reshape(6, 2)[3:]
    got, slope = f(1)
    np.testing.assert_allclose(got, value.var(axis=0).mean() + 2 * value[:, 0].mean())
    np.testing.assert_allclose(slope, 2 * (value - value.mean(axis=0)) / 6, atol=1e-12)


def test_keyword_calls_and_defaults(backend: str) -> None:
    x, y = T.dscalars("x", "y")
    rate = graphc.shared(2.0, "rate")
    f = graphc.function(
        [x, graphc.In(y, value=10.0), graphc.In(T.dscalar("z") * 1, name="z", value=rate)],
        x + y,
        on_unused_input="ignore",
        backend=backend,
    )
    assert f(1.0) == 11.0
    assert f(y=2.0, x=1.0) == 3.0
    assert f(1.0, y=5.0) == 6.0


def test_arguments_are_converted_where_nothing_is_lost(backend: str) -> None:
    x, i = T.fvector("x"), T.lscalar("i")
    f = graphc.function([x, i], x * i, backend=backend)
    assert f([1, 2.5], 2).tolist() == [2.0, 5.0]
    assert f(np.array([1, 2], "int16"), np.int32(3)).tolist() == [3.0, 6.0]
    with pytest.raises(errors.DTypeError, match="would lose digits: float64 to float32"):
        f(np.array([0.1, 0.2]), 1)
    with pytest.raises(errors.DTypeError, match="float64 to int64"):
        f([1.0], 1.5)
    loose = graphc.function([x, i], x * i, allow_input_downcast=True, backend=backend)
    assert loose(np.array([0.5, 0.25]), 2).tolist() == [1.0, 0.5]


def test_strided_arguments_and_unusual_memory(backend: str) -> None:
    x = T.dmatrix("x")
    f = graphc.function([x], [x * 2 + 1, x.sum(axis=0), T.dot(x, x.T)], backend=backend)
    base = np.arange(24.0).reshape(4, 6)
    for value in (base.T, base[::-1, ::2], base[1:1], np.broadcast_to(base[0], (3, 6))):
        plus, total, product = f(value)
        np.testing.assert_allclose(plus, value * 2 + 1)
        np.testing.assert_allclose(total, value.sum(axis=0))
        np.testing.assert_allclose(product, value @ value.T)
    swapped = base.astype(base.dtype.newbyteorder())
    np.testing.assert_allclose(f(swapped)[0], base * 2 + 1)
    read_only = base.copy()
    read_only.setflags(write=False)
    np.testing.assert_allclose(f(read_only)[0], base * 2 + 1)


def test_default_updates_are_taken_unless_refused(backend: str) -> None:
    n = graphc.shared(0, "n")
    n.default_update = n + 1
    counted = graphc.function([], n * 10, backend=backend)
    still = graphc.function([], n * 10, no_default_updates=True, backend=backend)
    assert counted() == 0 and counted() == 10 and still() == 20 and still() == 20
    other = graphc.function([], n * 1, updates=[(n, n + 5)], backend=backend)
    other()
    assert n.get_value() == 7


def test_an_intermediate_expression_may_be_an_input(backend: str) -> None:
    x = T.dscalar("x")
    inner = x * 2
    f = graphc.function([inner], inner + 1, backend=backend)
    assert f(10.0) == 11.0


def test_no_warning_reaches_the_user_and_infinities_do(backend: str) -> None:
    x, s = T.dvector("x"), T.dscalar("s")
    outputs = [1 / x, T.log(x), T.exp(x * 1000), x - x / 0, 1 / s, s % 0.0, T.log(s)]
    f = graphc.function([x, s], outputs, backend=backend)
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        inverse, log, big, odd, s_inverse, s_mod, s_log = f(np.array([0.0, -0.0, -1.0, 1.0]), 0.0)
    assert inverse.tolist() == [np.inf, -np.inf, -1.0, 1.0]
    assert log[0] == -np.inf and np.isnan(log[2])
    assert big[3] == np.inf
    assert np.isnan(odd[0]) and odd[3] == -np.inf
    assert s_inverse == np.inf and np.isnan(s_mod) and s_log == -np.inf


def test_large_groups_in_tiles_over_threads_agree_with_small_ones() -> None:
    x, y, v = T.dmatrix("x"), T.dmatrix("y"), T.dvector("v")
    z = T.exp(-(x**2)) * T.tanh(y) + v
    outputs = [z, z.sum(), z.sum(axis=0), z.max(axis=1), T.argmax(z, axis=1), (z > 0).any()]
    f = graphc.function([x, y, v], outputs)
    rng = np.random.default_rng(0)
    for shape in [(700, 900), (3, 400_000), (400_000, 3), (1, 500_000)]:
        a, b, c = rng.normal(size=shape), rng.normal(size=shape), rng.normal(size=shape[1])
        expected = np.exp(-(a**2)) * np.tanh(b) + c
        got = f(a, b, c)
        np.testing.assert_allclose(got[0], expected, rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(got[1], expected.sum(), rtol=1e-10)
        np.testing.assert_allclose(got[2], expected.sum(axis=0), rtol=1e-10, atol=1e-9)
        np.testing.assert_allclose(got[3], expected.max(axis=1))
        assert (got[4] == expected.argmax(axis=1)).all()
        assert got[5]
        view = f(a.T[::-1, :].T, b, c)[0]
        np.testing.assert_allclose(
            view, np.exp(-(a[:, ::-1] ** 2)) * np.tanh(b) + c, rtol=1e-14, atol=1e-15
        )


def test_calls_from_several_threads(backend: str) -> None:
    x = T.dvector("x")
    y = T.tanh(x) * 2
    f = graphc.function([x], [y, (y * x).sum()], backend=backend)
    wrong: list[int] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for size in rng.integers(1, 2000, size=40):
            value = rng.normal(size=size)
            got, total = f(value)
            if not np.allclose(got, np.tanh(value) * 2) or not np.allclose(
                total, (np.tanh(value) * 2 * value).sum()
            ):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_fast_compile_computes_what_was_written(backend: str) -> None:
    x = T.dvector("x")
    plain = graphc.function([x], T.log(1 + T.exp(x)), mode="FAST_COMPILE", backend=backend)
    stable = graphc.function([x], T.log(1 + T.exp(x)), backend=backend)
    assert plain([1000.0]).tolist() == [np.inf]
    assert stable([1000.0]).tolist() == [1000.0]


def test_source_runs_on_its_own() -> None:
    x = T.dmatrix("x")
    w = graphc.shared(np.arange(3.0), "w")
    f = graphc.function([x], [T.dot(x, w), T.tanh(x) * w], updates=[(w, w * 2)], name="step")
    namespace: dict[str, object] = {}
    exec(f.source, namespace)
    namespace["w_"].data = np.arange(3.0)  # type: ignore[attr-defined]
    value = np.ones((2, 3))
    product, mixed = namespace["step"](value)  # type: ignore[operator]
    np.testing.assert_allclose(product, [3.0, 3.0])
    np.testing.assert_allclose(mixed, np.tanh(value) * np.arange(3.0))
    assert "test_function.py" in f.source


def test_shared_variables() -> None:
    value = np.ones(3)
    w = graphc.shared(value, name="w")
    value[0] = 5
    assert w.get_value().tolist() == [1, 1, 1]
    copy = w.get_value()
    copy[:] = 7
    assert w.get_value().tolist() == [1, 1, 1]
    assert w.get_value(borrow=True) is w.data
    w.set_value([2.0, 3.0])
    assert w.get_value().tolist() == [2, 3]
    with pytest.raises(errors.ShapeError, match="cannot set w to another shape"):
        w.set_value(np.ones((2, 2)))
    n = graphc.shared(np.float32(1), "n")
    with pytest.raises(errors.DTypeError, match="without rounding"):
        n.set_value(np.float64(0.1))
    n.set_value(0.5)
    assert n.get_value() == np.float32(0.5)
    assert graphc.shared(1).dtype == "int64" and graphc.shared(1.0).dtype == "float64"
    assert graphc.shared(np.zeros((3, 1)), broadcastable=(False, True)).type.shape == (None, 1)


def test_integer_scalars_wrap_without_a_warning(backend: str) -> None:
    n = T.lscalar("n")
    f = graphc.function([n], [n + 1, n * n, n // 0, n % 0], backend=backend)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plus, square, quotient, rest = f(2**63 - 1)
    assert plus == -(2**63) and square == 1 and quotient == 0 and rest == 0


def test_sizes_and_places_that_the_call_itself_computes(backend: str) -> None:
    x, y = T.dvectors("x", "y")
    place = T.argmax(x)
    wanted = [y[place] * 2, T.arange(T.cast(x.max(), "int64")) * 2, y[place:] + 1, y[:place].sum()]
    f = graphc.function([x, y], wanted, backend=backend)
    for given in ([1.0, 5.0, 3.0], [4.0, 2.0, 3.0]):
        largest = int(np.argmax(given))
        found = f(given, [10.0, 20.0, 30.0])
        assert found[0] == 20.0 * (largest + 1)
        np.testing.assert_array_equal(found[1], 2 * np.arange(int(max(given))))
        np.testing.assert_array_equal(found[2], np.array([10.0, 20.0, 30.0])[largest:] + 1)
        assert found[3] == sum([10.0, 20.0, 30.0][:largest])


def test_a_place_out_of_range_that_the_call_computes_names_the_line(backend: str) -> None:
    x, y = T.dvectors("x", "y")
    f = graphc.function([x, y], y[T.argmax(x)], backend=backend)
    with pytest.raises(IndexError, match=r"index 2 is out of range for an axis of size 2"):
        f([1.0, 2.0, 3.0], [1.0, 2.0])


def test_the_text_of_a_function_that_is_gone_is_forgotten_later() -> None:
    x = T.dscalar("x")
    f = graphc.function([x], x + 1)
    (filename,) = [name for name in linecache.cache if name == f._filename]
    del f
    gc.collect()
    assert filename in linecache.cache  # somebody may be walking over the entries now
    graphc.function([x], x + 2)
    assert filename not in linecache.cache


def test_warnings_are_of_the_users_line() -> None:
    x, y = T.dscalars("x", "y")
    with pytest.warns(graphc.GraphcWarning, match="y : float64") as found:
        graphc.function([x, y], x + 1, on_unused_input="warn")
    assert found[0].filename == __file__
    graphc.config.warn_float64 = "warn"
    with pytest.warns(graphc.GraphcWarning, match="is float64") as found:
        T.fvector("v") + T.lvector("i")
    assert found[0].filename == __file__


def test_no_update_is_lost_when_several_threads_call(backend: str) -> None:
    n = graphc.shared(0.0, "n")
    w = graphc.shared(np.zeros(100), "w")
    step = graphc.function([], updates=[(n, n + 1), (w, w + 1)], backend=backend)
    other = graphc.function([], updates=[(n, n + 1)], backend=backend)

    def work() -> None:
        for _ in range(100):
            step()
            other()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert n.get_value() == 800
    assert w.get_value().tolist() == [400.0] * 100


@pytest.mark.parametrize(
    "name", ["np", "choose", "inner", "Pool", "pool", "float64", "guard_error"]
)
def test_a_function_may_be_called_as_what_its_text_uses(name: str, backend: str) -> None:
    x, w = T.dmatrix("x"), graphc.shared(np.ones(4), "w")
    outputs = [T.switch(x > 0, T.exp(x), x).sum(), T.dot(x, w)]
    f = graphc.function([x], outputs, updates=[(w, w * 2)], name=name, backend=backend)
    value = np.arange(12.0).reshape(3, 4) - 5
    total, product = f(value)
    np.testing.assert_allclose(total, np.where(value > 0, np.exp(value), value).sum())
    np.testing.assert_allclose(product, value.sum(axis=1))


def test_names_that_go_together_do_not_meet(backend: str) -> None:
    """Text has check_x beside an input x, and w_ beside a shared variable w."""
    x, check, under = T.dscalar("x"), T.fscalar("check_x"), T.dscalar("w_")
    w = graphc.shared(np.float64(5.0), "w")
    f = graphc.function([check, x, under], x + 10 * check + 100 * under + 1000 * w, backend=backend)
    assert f(1, 2, 3) == f(check_x=1, x=2, w_=3) == 5312.0


def test_a_call_inside_of_a_call(backend: str) -> None:
    """A function that a program calls back into, with warnings as quiet as in a plain call."""
    x, n = T.dvector("x"), graphc.shared(0, "n")
    inner = graphc.function([x], T.log(x) * n, updates=[(n, n + 1)], backend=backend)
    seen: list[np.ndarray] = []
    show = graphc.printing.Print(global_fn=lambda op, array: seen.append(inner(array * 0.0)))
    outer = graphc.function([x], show(x) / 0.0 + n, updates=[(n, n + 10)])
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        assert outer([1.0]).tolist() == [np.inf]
    assert np.isnan(seen[0]).all() and n.get_value() == 10
    with pytest.raises(errors.GraphcTypeError, match="x has 0 axes"):
        outer(1.0)
    assert outer([1.0]).tolist() == [np.inf] and seen[1].tolist() == [-np.inf]
