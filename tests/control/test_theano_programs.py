"""Programs with loops as Theano's users write them, from tutorials; only the imports differ."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import graphc as theano
import graphc.tensor as T
from graphc.ifelse import ifelse
from graphc.tensor.shared_randomstreams import RandomStreams


@pytest.fixture(autouse=True)
def _on(backend: str) -> None:
    theano.config.backend = backend


def test_power() -> None:
    k = T.iscalar("k")
    A = T.vector("A")
    result, updates = theano.scan(
        fn=lambda prior_result, A: prior_result * A,
        outputs_info=T.ones_like(A),
        non_sequences=A,
        n_steps=k,
    )
    power = theano.function(inputs=[A, k], outputs=result[-1], updates=updates)
    np.testing.assert_allclose(power(range(10), 2), np.arange(10.0) ** 2)
    np.testing.assert_allclose(power(range(10), 4), np.arange(10.0) ** 4)


def test_polynomial() -> None:
    coefficients, x = T.vector("coefficients"), T.scalar("x")
    components, _ = theano.scan(
        fn=lambda coefficient, power, free_variable: coefficient * (free_variable**power),
        outputs_info=None,
        sequences=[coefficients, T.arange(10000)],
        non_sequences=x,
    )
    calculate = theano.function(inputs=[coefficients, x], outputs=components.sum())
    assert calculate(np.asarray([1, 0, 2], dtype="float64"), 3) == 19.0


def test_partial_sums() -> None:
    up_to = T.iscalar("up_to")

    def accumulate_by_adding(arange_val: Any, sum_to_date: Any) -> Any:
        return sum_to_date + arange_val

    seq = T.arange(up_to)
    outputs_info = T.as_tensor_variable(np.asarray(0, seq.dtype))
    result, _ = theano.scan(fn=accumulate_by_adding, outputs_info=outputs_info, sequences=seq)
    triangular = theano.function(inputs=[up_to], outputs=result)
    assert triangular(15).tolist() == [n * (n + 1) // 2 for n in range(15)]


def test_assigning_values_at_places() -> None:
    location, values = T.imatrix("location"), T.vector("values")
    output_model = T.matrix("output_model")

    def set_value_at_position(a_location: Any, a_value: Any, output_model: Any) -> Any:
        zeros = T.zeros_like(output_model)
        zeros_subtensor = zeros[a_location[0], a_location[1]]
        return T.set_subtensor(zeros_subtensor, a_value)

    result, _ = theano.scan(
        fn=set_value_at_position,
        outputs_info=None,
        sequences=[location, values],
        non_sequences=output_model,
    )
    assign = theano.function(inputs=[location, values, output_model], outputs=result)
    places = np.asarray([[1, 1], [2, 3]], dtype=np.int32)
    found = assign(places, np.asarray([42, 50], dtype="float64"), np.zeros((5, 5)))
    assert found.shape == (2, 5, 5) and found.sum() == 92
    assert found[0, 1, 1] == 42 and found[1, 2, 3] == 50


def test_a_shared_variable_that_counts() -> None:
    a = theano.shared(1)
    _, updates = theano.scan(lambda: {a: a + 1}, n_steps=10)
    b = a + 1
    c = updates[a] + 1
    f = theano.function([], [b, c], updates=updates)
    assert [int(one) for one in f()] == [2, 12] and a.get_value() == 11


def test_a_recurrent_network_with_many_taps() -> None:
    W, W_in_1, W_in_2 = T.matrix("W"), T.matrix("W_in_1"), T.matrix("W_in_2")
    W_feedback, W_out = T.matrix("W_feedback"), T.matrix("W_out")
    u, x0, y0 = T.matrix("u"), T.matrix("x0"), T.vector("y0")

    def one_step(
        u_tm4: Any, u_t: Any, x_tm3: Any, x_tm1: Any, y_tm1: Any, W: Any, W_in_1: Any,
        W_in_2: Any, W_feedback: Any, W_out: Any,
    ) -> list[Any]:  # fmt: skip
        x_t = T.tanh(
            T.dot(x_tm1, W) + T.dot(u_t, W_in_1) + T.dot(u_tm4, W_in_2) + T.dot(y_tm1, W_feedback)
        )
        return [x_t, T.dot(x_tm3, W_out)]

    weights = [W, W_in_1, W_in_2, W_feedback, W_out]
    ([x_vals, y_vals], _) = theano.scan(
        fn=one_step,
        sequences=dict(input=u, taps=[-4, -0]),
        outputs_info=[dict(initial=x0, taps=[-3, -1]), y0],
        non_sequences=weights,
        strict=True,
    )
    f = theano.function([u, x0, y0, *weights], [x_vals, y_vals])
    rng = np.random.default_rng(0)
    shapes = [(8, 2), (3, 4), (3,), (4, 4), (2, 4), (2, 4), (3, 4), (4, 3)]
    given = [rng.normal(size=shape) / 2 for shape in shapes]
    found_x, found_y = f(*given)
    us, xs, y, w, w1, w2, wf, wo = given
    xs, ys = list(xs), []
    for t in range(4, 8):
        xs.append(np.tanh(xs[-1] @ w + us[t] @ w1 + us[t - 4] @ w2 + y @ wf))
        y = xs[-4] @ wo
        ys.append(y)
    np.testing.assert_allclose(found_x, xs[3:])
    np.testing.assert_allclose(found_y, ys)


def test_gibbs_sampling() -> None:
    rng = np.random.default_rng(0)
    W = theano.shared(rng.normal(size=(3, 4)))
    bvis, bhid = theano.shared(np.zeros(4)), theano.shared(np.zeros(3))
    trng = RandomStreams(1234)

    def one_step(vsample: Any) -> Any:
        hmean = T.nnet.sigmoid(T.dot(vsample, W.T) + bhid)
        hsample = trng.binomial(size=hmean.shape, n=1, p=hmean)
        vmean = T.nnet.sigmoid(T.dot(hsample, W) + bvis)
        return trng.binomial(size=vsample.shape, n=1, p=vmean, dtype=theano.config.floatX)

    sample = T.vector()
    values, updates = theano.scan(one_step, outputs_info=sample, n_steps=10)
    gibbs10 = theano.function([sample], [values[-1], values], updates=updates)
    last, chain = gibbs10(np.ones(4))
    assert chain.shape == (10, 4) and set(np.unique(chain)) == {0.0, 1.0}
    np.testing.assert_array_equal(last, chain[-1])
    assert len(np.unique(chain, axis=0)) > 1
    assert (gibbs10(np.ones(4))[1] != chain).any()


def test_repeat_until() -> None:
    def power_of_2(previous_power: Any, max_value: Any) -> Any:
        return previous_power * 2, theano.scan_module.until(previous_power * 2 > max_value)

    max_value = T.scalar()
    values, _ = theano.scan(
        power_of_2, outputs_info=T.constant(1.0), non_sequences=max_value, n_steps=1024
    )
    f = theano.function([max_value], values)
    assert f(45).tolist() == [2.0, 4.0, 8.0, 16.0, 32.0, 64.0]


def test_jacobian_and_hessian_row_by_row() -> None:
    x = T.dvector("x")
    y = x**2
    J, updates = theano.scan(
        lambda i, y, x: T.grad(y[i], x), sequences=T.arange(y.shape[0]), non_sequences=[y, x]
    )
    f = theano.function([x], J, updates=updates)
    np.testing.assert_allclose(f([4, 4]), np.diag([8.0, 8.0]))
    gy = T.grad((x**3).sum(), x)
    H, updates = theano.scan(
        lambda i, gy, x: T.grad(gy[i], x), sequences=T.arange(gy.shape[0]), non_sequences=[gy, x]
    )
    f = theano.function([x], H, updates=updates)
    np.testing.assert_allclose(f([4, 5]), np.diag([24.0, 30.0]))


def test_backpropagation_through_time() -> None:
    n_in, n_hidden = 2, 3
    rng = np.random.default_rng(1)
    U = theano.shared(rng.uniform(-0.5, 0.5, (n_in, n_hidden)), name="U")
    V = theano.shared(rng.uniform(-0.5, 0.5, (n_hidden, n_hidden)), name="V")
    W = theano.shared(rng.uniform(-0.5, 0.5, (n_hidden, 1)), name="W")
    x, t, h0 = T.matrix("x"), T.matrix("t"), T.vector("h0")
    lr = T.scalar("lr")

    def step(u_t: Any, h_tm1: Any, U: Any, V: Any, W: Any) -> Any:
        h_t = T.tanh(T.dot(u_t, U) + T.dot(h_tm1, V))
        return h_t, T.dot(h_t, W)

    [_, y], _ = theano.scan(step, sequences=x, outputs_info=[h0, None], non_sequences=[U, V, W])
    error = ((y - t) ** 2).sum()
    parameters = [U, V, W]
    gradients = T.grad(error, parameters)
    train = theano.function(
        [h0, x, t, lr],
        error,
        updates=[(p, p - lr * g) for p, g in zip(parameters, gradients, strict=True)],
    )
    given = np.zeros(3), rng.normal(size=(6, 2)), rng.normal(size=(6, 1)), 0.01
    errors = [float(train(*given)) for _ in range(20)]
    assert errors[-1] < errors[0] * 0.9 and all(np.diff(errors) < 0)


def test_a_lazy_choice() -> None:
    a, b = T.scalars("a", "b")
    x, y = T.matrices("x", "y")
    z_switch = T.switch(T.lt(a, b), T.mean(x), T.mean(y))
    z_lazy = ifelse(T.lt(a, b), T.mean(x), T.mean(y))
    f = theano.function([a, b, x, y], [z_switch, z_lazy])
    assert f(0.0, 1.0, np.ones((10, 10)), np.zeros((10, 10))) == [1.0, 1.0]
    assert f(1.0, 0.0, np.ones((10, 10)), np.zeros((10, 10))) == [0.0, 0.0]


def test_names_and_parameters_are_theanos() -> None:
    def names(function: Any) -> list[str]:
        found = inspect.signature(function).parameters.values()
        return [one.name for one in found if one.kind is not one.KEYWORD_ONLY]

    fold = ["fn", "sequences", "outputs_info", "non_sequences", "mode", "name"]
    assert names(theano.scan) == [
        "fn", "sequences", "outputs_info", "non_sequences", "n_steps", "truncate_gradient",
        "go_backwards", "mode", "name", "profile", "allow_gc", "strict", "return_list",
    ]  # fmt: skip
    assert names(theano.map) == [
        "fn", "sequences", "non_sequences", "truncate_gradient", "go_backwards", "mode", "name",
    ]  # fmt: skip
    assert names(theano.reduce) == [*fold[:4], "go_backwards", *fold[4:]]
    assert names(theano.foldl) == names(theano.foldr) == fold
    assert names(theano.ifelse) == ["condition", "then_branch", "else_branch", "name"]
    assert theano.scan_module.scan is theano.scan
    assert theano.scan_module.scan_utils.until is theano.scan_module.until is theano.until
