"""In and Out with all they say, values by `f[x]`, subsets of outputs, trusted inputs."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc import errors


def test_an_input_with_an_update_counts(backend: str) -> None:
    n, step = T.lscalar("n"), T.lscalar("step")
    f = graphc.function([step, graphc.In(n, value=0, update=n + step)], n * 10, backend=backend)
    assert [int(f(2)), int(f(3)), int(f(1))] == [0, 20, 50]
    assert f["n"] == 6
    assert f(1, 100) == 1000 and f[n] == 101
    assert f(1, n=7) == 70 and f["n"] == 8


def test_an_updated_input_sees_its_old_value_to_the_end(backend: str) -> None:
    v = T.dvector("v")
    new = v * 2 + T.sum(v)
    f = graphc.function(
        [graphc.In(v, value=np.arange(3.0), update=new)], [v, v[::-1] + new], backend=backend
    )
    expected = np.arange(3.0)
    for _ in range(3):
        following = expected * 2 + expected.sum()
        old, mixed = f()
        assert old.tolist() == expected.tolist()
        assert mixed.tolist() == (expected[::-1] + following).tolist()
        expected = following
    assert f["v"].tolist() == expected.tolist()


def test_a_shared_variable_as_value_is_changed_itself(backend: str) -> None:
    n = T.lscalar("n")
    state = graphc.shared(5, "state")
    f = graphc.function([graphc.In(n, value=state, update=n + 1)], n, backend=backend)
    assert f() == 5 and state.get_value() == 6
    state.set_value(50)
    assert f() == 50 and f(1) == 1 and state.get_value() == 2


def test_an_implicit_input_is_no_argument(backend: str) -> None:
    x, rate = T.dscalars("x", "rate")
    f = graphc.function(
        [graphc.In(rate, value=2.0, update=rate / 2, implicit=True), x], x * rate, backend=backend
    )
    assert [float(f(8.0)) for _ in range(3)] == [16.0, 8.0, 4.0]
    assert f["rate"] == 0.25
    f[rate] = 1.0
    assert f(3.0) == 3.0
    with pytest.raises(errors.GraphcTypeError, match="takes 1 inputs, got 2"):
        f(1.0, 2.0)
    with pytest.raises(errors.GraphcTypeError, match="no input named 'rate'"):
        f(1.0, rate=2.0)


def test_no_update_of_an_input_is_lost_among_threads(backend: str) -> None:
    n = T.dscalar("n")
    f = graphc.function([graphc.In(n, value=0.0, update=n + 1)], backend=backend)

    def work() -> None:
        for _ in range(100):
            f()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert f["n"] == 400


def test_values_are_read_and_set_by_variable_name_and_place() -> None:
    x, y = T.dscalars("x", "y")
    z = T.dscalar()
    w = graphc.shared(3.0, "w")
    f = graphc.function([x, graphc.In(y, value=10.0), graphc.In(z, value=1)], x + y * w + z)
    assert f[y] == f["y"] == f[1] == 10.0
    assert f["w"] == f[w] == 3.0 and f[z] == f["input 2"] == 1.0
    f["y"], f[w] = 20.0, 2
    assert f(1.0) == 42.0 and w.get_value() == 2.0
    assert "y" in f and w in f and x not in f and "x" not in f
    assert list(f.value) == ["y", "input 2", "w"] and len(f.value) == 3
    value = f["y"]
    value[...] = 7
    assert f["y"] == 20.0
    with pytest.raises(errors.GraphcValueError, match="holds no value for its input x"):
        f["x"]
    with pytest.raises(errors.GraphcIndexError, match="f has no variable 'q'"):
        f["q"] = 1
    with pytest.raises(errors.GraphcIndexError, match="f has no such variable"):
        f[T.dscalar("x")]
    with pytest.raises(errors.GraphcTypeError, match="by variable, name or place"):
        f[1.5]
    with pytest.raises(errors.DTypeError, match="cannot set y"):
        f["y"] = np.longdouble(1)


def test_two_values_of_one_name_need_the_variable() -> None:
    a, b = graphc.shared(1.0, "w"), graphc.shared(2.0, "w")
    f = graphc.function([], a + b)
    with pytest.raises(errors.GraphcValueError, match="several values named 'w'"):
        f["w"]
    assert f[b] == 2.0 and f.get_shared() == [a, b]


@pytest.mark.parametrize(
    ("arguments", "error", "what"),
    [
        ({"update": 1}, errors.GraphcValueError, "an update needs a value"),
        ({"implicit": True}, errors.GraphcValueError, "implicit=True needs a value"),
        ({"mutable": True, "borrow": False}, errors.GraphcValueError, "mutable and not borrowed"),
        ({"name": 3}, errors.GraphcTypeError, "the name of an input is a string"),
    ],
)
def test_inputs_that_make_no_sense(
    arguments: dict[str, Any], error: type[Exception], what: str
) -> None:
    with pytest.raises(error, match=what):
        graphc.In(T.dscalar("x"), **arguments)


def test_values_that_do_not_fit_are_refused_at_once() -> None:
    x = T.fvector("x")
    with pytest.raises(errors.DTypeError, match="x would lose digits"):
        graphc.function([graphc.In(x, value=np.zeros(3))], x)
    with pytest.raises(errors.GraphcTypeError, match="x has 0 axes, 1 were declared"):
        graphc.function([graphc.In(x, value=1.0)], x)
    with pytest.raises(errors.DTypeError, match="the value of x is float64"):
        graphc.function([graphc.In(x, value=graphc.shared(np.zeros(3)))], x)
    with pytest.raises(errors.DTypeError, match="the update of x is float64"):
        graphc.function([graphc.In(x, value=[1.0], update=x * T.dscalar("y"))], x)
    loose = graphc.function([graphc.In(x, value=np.zeros(3), allow_downcast=True)], x)
    assert loose().dtype == "float32"


def test_flags_of_inputs() -> None:
    x = T.fvector("x")
    strict = graphc.function([graphc.In(x, strict=True)], x)
    with pytest.raises(errors.DTypeError, match="strict"):
        strict([1.0])
    nameless = graphc.function([graphc.In(x, autoname=False)], x)
    with pytest.raises(errors.GraphcTypeError, match="no input named 'x'"):
        nameless(x=[1.0])
    named = graphc.function([graphc.In(x, name="given")], x)
    assert named(given=[1.0]).tolist() == [1.0]
    lent = graphc.In(x, mutable=True)
    assert lent.borrow is True and graphc.In(x).borrow is False
    value = np.ones(3, "float32")
    graphc.function([lent], x * 2)(value)
    assert value.tolist() == [1, 1, 1]


# -- lent outputs ---------------------------------------------------------------------------------


def test_a_borrowed_output_is_written_again() -> None:
    x = T.dvector("x")
    f = graphc.function([x], [graphc.Out(T.exp(x), borrow=True), T.exp(x) + 1])
    first, own = f(np.zeros(3))
    second, _ = f(np.ones(3))
    assert first is not own
    assert np.shares_memory(first, second)
    assert first.tolist() == second.tolist() == [np.e] * 3 and own.tolist() == [2.0] * 3


def test_a_borrowed_view_is_not_copied() -> None:
    x, w = T.dvector("x"), graphc.shared(np.arange(3.0), "w")
    f = graphc.function([x], [graphc.Out(x[::-1], borrow=True), graphc.Out(w, borrow=True)])
    value = np.arange(4.0)
    flipped, lent = f(value)
    assert np.shares_memory(flipped, value) and flipped.tolist() == [3, 2, 1, 0]
    assert lent is w.get_value(borrow=True)


def test_borrowed_outputs_have_the_right_values_beside_updates(backend: str) -> None:
    w = graphc.shared(np.arange(3.0), "w")
    v = graphc.shared(np.zeros(3), "v")
    x = T.dvector("x")
    outputs = [graphc.Out(node, borrow=True) for node in (w, w * x, w[::-1], x.sum(), w + x)]
    f = graphc.function([x], outputs, updates=[(w, w + x), (v, w + x)], backend=backend)
    for _ in range(3):
        old, value = w.get_value(), np.array([1.0, 2.0, 3.0])
        got = f(value)
        for array, expected in zip(
            got, [old, old * value, old[::-1], value.sum(), old + value], strict=True
        ):
            np.testing.assert_allclose(array, expected)
        assert w.get_value().tolist() == v.get_value().tolist() == (old + value).tolist()
        assert not np.shares_memory(w.get_value(borrow=True), v.get_value(borrow=True))


def test_an_output_that_is_also_kept_is_not_lent() -> None:
    x = T.dvector("x")
    y = T.tanh(x)
    f = graphc.function([x], {"lent": graphc.Out(y, borrow=True), "kept": y})
    first = f(np.zeros(2))
    f(np.ones(2))
    assert first["kept"].tolist() == [0.0, 0.0]
    assert not np.shares_memory(first["lent"], first["kept"])


# -- calls ----------------------------------------------------------------------------------------


def test_a_subset_of_the_outputs(backend: str) -> None:
    x, w = T.dvector("x"), graphc.shared(0, "w")
    f = graphc.function([x], [x.sum(), x * 2, T.exp(x)], updates=[(w, w + 1)], backend=backend)
    value = np.arange(3.0)
    assert f.n_returned_outputs == 3
    (double,) = f(value, output_subset=[1])
    assert double.tolist() == [0.0, 2.0, 4.0] and w.get_value() == 1
    some = f(value, output_subset=[2, 0])
    assert [part.ndim for part in some] == [1, 0] and w.get_value() == 2
    assert f(value, output_subset=[]) == []
    keyed = graphc.function([x], {"a": x.sum(), "b": x * 2}, backend=backend)
    assert keyed(x=value, output_subset=["a"]) == {"a": 3.0}
    for wrong in ([3], "b", [True], [-1]):
        with pytest.raises(errors.GraphcValueError, match="f has no output"):
            f(value, output_subset=wrong)


def test_a_subset_reads_the_values_that_the_function_holds() -> None:
    n = T.lscalar("n")
    f = graphc.function([graphc.In(n, value=0, update=n + 1)], [n, n * 10])
    assert f(output_subset=[1]) == [0] and f()[1] == 10 and f(output_subset=[1]) == [20]
    f.free()
    assert f["n"] == 3


def test_trusted_inputs_are_not_checked(backend: str) -> None:
    x, k = T.dvector("x"), T.dscalar("k")
    f = graphc.function([x, k], T.tanh(x) * k, backend=backend)
    value = np.arange(3.0)
    expected = f(value, 2)
    assert f.trust_input is False
    f.trust_input = True
    assert f.trust_input is True
    assert f(value, 2).tolist() == expected.tolist()
    if backend == "numpy":  # nobody looks, so it is NumPy that finds it
        with pytest.raises(errors.GraphcValueError, match="non-broadcastable output operand"):
            f(value.reshape(1, 3), 2.0)
    f.trust_input = False
    with pytest.raises(errors.GraphcTypeError, match="x has 2 axes, 1 were declared"):
        f(value.reshape(1, 3), 2.0)


def test_default_updates_are_left_out_by_name() -> None:
    a, b = graphc.shared(0, "a"), graphc.shared(0, "b")
    a.default_update, b.default_update = a + 1, b + 1
    graphc.function([], a + b, no_default_updates=[a])()
    assert (a.get_value(), b.get_value()) == (0, 1)
    graphc.function([], a + b, no_default_updates=False)()
    assert (a.get_value(), b.get_value()) == (1, 2)
    with pytest.raises(errors.GraphcTypeError, match="True, False or a list of shared variables"):
        graphc.function([], a + b, no_default_updates=["a"])


def test_clones_have_one_value_and_updates_of_their_own(backend: str) -> None:
    """The way running averages are kept: by a clone that has the update."""
    x, mean = T.dvector("x"), graphc.shared(np.zeros(2), "mean")
    running = graphc.clone(mean, share_inputs=False)
    running.default_update = 0.5 * running + 0.5 * x
    train = graphc.function([x], x - mean + 0 * running, backend=backend)
    test = graphc.function([x], x - mean, backend=backend)
    value = np.array([1.0, 2.0])
    assert train(value).tolist() == [1.0, 2.0]
    assert mean.get_value().tolist() == running.get_value().tolist() == [0.5, 1.0]
    assert train(value).tolist() == [0.5, 1.0]
    assert test(value).tolist() == [0.25, 0.5] and test(value).tolist() == [0.25, 0.5]
    with pytest.raises(errors.GraphcValueError, match="has two updates"):
        graphc.function([], updates=[(mean, mean + 1), (running, running + 2)])


def test_shared_variables_as_strict_as_they_are_declared() -> None:
    strict = graphc.shared(np.zeros(2, "float32"), strict=True)
    with pytest.raises(errors.DTypeError, match="without rounding"):
        strict.set_value([1.0, 2.0])
    loose = graphc.shared(np.zeros(2, "float32"), allow_downcast=True)
    loose.set_value(np.array([0.1, 0.2]))
    assert loose.get_value().dtype == "float32"
    loose.zero()
    assert loose.get_value().tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("mode", "plain"),
    [
        (None, False),
        ("FAST_RUN", False),
        ("FAST_COMPILE", True),
        (graphc.Mode(linker="py", optimizer="fast_run"), False),
        (graphc.Mode(optimizer="fast_compile"), True),
        (graphc.Mode(optimizer=None).including("fusion").excluding("inplace"), True),
    ],
)
def test_modes(mode: Any, plain: bool) -> None:
    x = T.dscalar("x")
    value = graphc.function([x], T.log(T.exp(x)), mode=mode)(1000.0)
    assert value == (np.inf if plain else 1000.0)


@pytest.mark.parametrize(
    ("mode", "error", "what"),
    [
        ("DebugMode", errors.NotSupportedError, "no mode 'DebugMode'"),
        ("NanGuardMode", errors.NotSupportedError, "isnan"),
        ("PROFILE_MODE", errors.NotSupportedError, "f.profile"),
        ("FAST_RUM", errors.GraphcValueError, "must be None, 'FAST_RUN'"),
        (3, errors.GraphcValueError, "mode 3"),
    ],
)
def test_modes_that_are_not_there(mode: Any, error: type[Exception], what: str) -> None:
    x = T.dscalar("x")
    with pytest.raises(error, match=what):
        graphc.function([x], x + 1, mode=mode)


def test_words_of_modes_are_checked() -> None:
    with pytest.raises(errors.GraphcValueError, match="linker 'gpu'"):
        graphc.Mode(linker="gpu")
    with pytest.raises(errors.GraphcValueError, match="optimizer 'fastest'"):
        graphc.Mode(optimizer="fastest")
