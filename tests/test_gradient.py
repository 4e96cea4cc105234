"""`grad`, `Lop`, `Rop` and `verify_grad` as users call them, and their messages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc.errors import DisconnectedInputError, GraphcTypeError, GraphcValueError
from graphc.gradient import (
    Disconnected,
    Lop,
    NullTypeGradError,
    Rop,
    Undefined,
    VerifyGradError,
    grad,
    numeric_grad,
    verify_grad,
)
from graphc.ir.node import INPUT, Node
from graphc.ir.op import OPS
from graphc.ir.types import LANGUAGE
from graphc.ir.walk import leaves, toposort
from harness import evaluate

x, y = T.dvectors("x", "y")
s = T.dscalar("s")
i = T.lvector("i")
m = T.dmatrix("m")
cost = T.sum(T.exp(x) * y) * s
AT = {x: np.array([0.0, 1.0]), y: np.array([2.0, 3.0]), s: np.array(5.0)}


def at(node: Any) -> np.ndarray:
    return evaluate(node, AT)[0]


def said(call: Callable[[], Any], kind: type[Exception] = DisconnectedInputError) -> str:
    """Return the message of the error that a call raises, without numbers of lines."""
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, graphc.GraphcError)
    return re.sub(r"\.py:\d+", ".py:1", str(caught.value))


# -- forms ----------------------------------------------------------------------------------------


def test_the_result_has_the_form_of_wrt() -> None:
    one = grad(cost, x)
    assert isinstance(one, Node)
    assert grad(cost, [x, y]) == [one, grad(cost, y)]
    assert grad(cost, (x,)) == (one,)
    assert grad(cost, {"a": x, "b": s}) == {"a": one, "b": grad(cost, s)}
    assert grad(cost, iter([x])) == [one]
    assert grad(cost, []) == []
    assert grad(cost, [x, x]) == [one, one]
    np.testing.assert_allclose(at(one), [10.0, 15 * np.e])


def test_it_is_part_of_the_language() -> None:
    assert graphc.grad is grad
    assert T.grad is grad and T.Lop is Lop and T.Rop is Rop and T.verify_grad is verify_grad
    assert graphc.Lop is Lop and graphc.Rop is Rop
    for name in ("consider_constant", "disconnected_grad", "grad_undefined", "jvp", "numeric_grad"):
        assert getattr(T, name) is getattr(graphc.gradient, name)


def test_shared_variables_and_intermediate_expressions() -> None:
    w = graphc.shared(np.array([1.0, 2.0]), "w")
    hidden = T.tanh(w * x)
    loss = T.sum(hidden * y)
    gw, gh = grad(loss, [w, hidden])
    f = graphc.function([x, y], [gw, gh])
    by_w, by_hidden = f(AT[x], AT[y])
    np.testing.assert_allclose(by_hidden, AT[y])
    np.testing.assert_allclose(by_w, AT[y] * AT[x] * (1 - np.tanh([0, 2.0]) ** 2))


def test_an_expression_and_what_it_is_made_of() -> None:
    """Simplification stops at each of them and goes on below."""
    inner = T.log(1 / (1 + T.exp(-x)))
    outer = T.sum(T.sqr(inner) * y)
    by_inner, by_x = grad(outer, [inner, x])
    f = graphc.function([x, y], by_x)
    np.testing.assert_allclose(f([-1000.0, 1000.0], AT[y]), [-4000.0, 0.0])
    np.testing.assert_allclose(at(by_inner), 2 * np.log(1 / (1 + np.exp(-AT[x]))) * AT[y])
    cut = grad(outer, [inner, x], known_grads={inner: y})
    np.testing.assert_allclose(at(cut[0]), AT[y])
    np.testing.assert_allclose(at(cut[1]), AT[y] / (1 + np.exp(AT[x])))
    cut = grad(outer, [inner, x], consider_constant=[inner], disconnected_inputs="none")
    assert cut == [None, None]
    same, other = x + 0.0, x * 1.0
    found = grad(T.sum(same * 2 + other * 3 + x), [same, other, x])
    assert [at(g)[0] for g in found] == [2.0, 3.0, 6.0]


def test_gradients_are_named() -> None:
    (named,) = grad(T.sum(T.cos(x) * y), [x])
    assert named.name == "dcost/dx"
    loss = T.sum(T.sin(x) * y)
    loss.name = "loss"
    assert grad(loss, x).name == "dloss/dx"
    assert (
        grad(T.sum(T.cosh(x) if hasattr(T, "cosh") else T.tanh(x)), x, add_names=False).name is None
    )
    unnamed = T.dvector()
    assert grad(T.sum(unnamed**2), unnamed).name is None


def test_a_gradient_that_is_a_leaf_keeps_its_name() -> None:
    seed = T.dvector("seed")
    inner = T.exp(x)
    assert grad(T.sum(inner), inner, known_grads={inner: seed}).op.name == "fill"
    assert (x.name, y.name, seed.name) == ("x", "y", "seed")


def test_the_gradient_needs_what_the_cost_needs() -> None:
    """As in Theano: its function takes all inputs, and checks all sizes."""
    g = grad(T.sum(x + y), x)
    f = graphc.function([x, y], g)
    np.testing.assert_array_equal(f([1.0, 2.0], [3.0, 4.0]), [1.0, 1.0])
    with pytest.raises(graphc.errors.ShapeError):
        f([1.0, 2.0], [3.0, 4.0, 5.0])


def test_a_size_check_that_simplification_removed() -> None:
    g = grad(T.sum(T.sqr(x) + (y - y)), x)
    with pytest.raises(graphc.errors.ShapeError):
        graphc.function([x, y], g)([1.0, 2.0], [3.0])
    second = grad(T.sum(T.sqr(g)), x)
    with pytest.raises(graphc.errors.ShapeError):
        graphc.function([x, y], second)([1.0, 2.0], [3.0])


def test_what_cancels_has_a_gradient_of_zero() -> None:
    np.testing.assert_array_equal(at(grad(T.sum(x - x + y), x)), [0.0, 0.0])
    np.testing.assert_array_equal(at(grad(T.sum(T.sgn(x)), x)), [0.0, 0.0])


def test_without_rewriting() -> None:
    with graphc.config.set(optimizer=False):
        g = grad(T.sum(T.log(T.exp(x))), x)
    assert "exp" in {node.op.name for node in toposort([g.inputs[0]])}
    np.testing.assert_allclose(at(g), [1.0, 1.0])


def test_the_gradient_of_a_stable_form_is_stable() -> None:
    g = grad(T.sum(T.log(1 / (1 + T.exp(-x)))), x)
    np.testing.assert_allclose(evaluate(g, {x: np.array([-1000.0, 0.0, 1000.0])})[0], [1, 0.5, 0])


# -- options --------------------------------------------------------------------------------------


def test_consider_constant() -> None:
    inner = T.exp(x)
    np.testing.assert_allclose(at(grad(T.sum(inner * x), x, consider_constant=[inner])), [1, np.e])
    np.testing.assert_allclose(at(grad(T.sum(inner * x), x, consider_constant=inner)), [1, np.e])


def test_known_grads() -> None:
    inner = T.exp(x)
    seed = T.dvector("seed")
    g = grad(None, x, known_grads={inner: seed})
    (value,) = evaluate(g, {x: AT[x], seed: np.array([7.0, 8.0])})
    np.testing.assert_allclose(value, [7.0, 8 * np.e])
    g = grad(T.sum(inner * x), x, known_grads=[(inner, 10.0)])
    np.testing.assert_allclose(at(g), np.exp(AT[x]) + 10 * np.exp(AT[x]))
    both = grad(None, [x, inner], known_grads={inner: y, T.sum(inner): 1.0})
    np.testing.assert_allclose(at(both[1]), AT[y])


def test_known_grads_have_the_shape_of_what_they_belong_to() -> None:
    f = graphc.function([x, y], grad(None, x, known_grads={T.exp(x): y}))
    with pytest.raises(graphc.errors.ShapeError):
        f([1.0, 2.0], [1.0])
    assert said(lambda: grad(None, x, known_grads={T.exp(x): m}), graphc.errors.ShapeError) == (
        """\
the gradient of exp(x) has another shape than exp(x)
    exp(x) : float64[?]      from test_gradient.py:1
    m      : float64[?, ?]   from test_gradient.py:1
  test_gradient.py:1
    assert said(lambda: grad(None, x, known_grads={T.exp(x): m}), graphc.errors.ShapeError) == ("""
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"disconnected_inputs": "ignore"}, "zero"),
        ({"disconnected_inputs": "zero"}, "zero"),
        ({"disconnected_inputs": "none"}, None),
        ({"disconnected_inputs": "ignore", "return_disconnected": "None"}, None),
        (
            {"disconnected_inputs": "ignore", "return_disconnected": "Disconnected"},
            Disconnected(m),
        ),
    ],
)
def test_disconnected(options: dict[str, str], expected: Any) -> None:
    by_x, by_m = grad(cost, [x, m], **options)
    assert by_x is grad(cost, x)
    if expected == "zero":
        (zeros,) = evaluate(by_m, {m: np.ones((2, 3))})
        np.testing.assert_array_equal(zeros, np.zeros((2, 3)))
    else:
        assert by_m == expected


def test_disconnected_with_a_warning() -> None:
    with pytest.warns(graphc.GraphcWarning, match="the cost does not depend on m") as caught:
        g = grad(cost, m, disconnected_inputs="warn")
    assert caught[0].filename == __file__
    assert g.type is m.type


@pytest.fixture
def kinked() -> Any:
    """Let tanh have no defined gradient."""
    old = OPS["tanh"].vjp
    object.__setattr__(OPS["tanh"], "vjp", lambda g, out, a: [Undefined("tanh is out of order")])
    yield
    object.__setattr__(OPS["tanh"], "vjp", old)


def test_null_gradients(kinked: None) -> None:
    loss = T.sum(T.tanh(x) * y)
    inner = T.exp(x)
    both = grad(T.sum(T.tanh(inner) + x), [inner, x], null_gradients="return")
    assert both == [Undefined("tanh is out of order")] * 2
    assert at(grad(loss, y)).shape == (2,)
    assert grad(loss, x, null_gradients="return") == Undefined("tanh is out of order")
    assert said(lambda: grad(loss, x), NullTypeGradError) == (
        """\
grad: the gradient by x is not defined: tanh is out of order
    x : float64[?]   from test_gradient.py:1
  test_gradient.py:1
    assert said(lambda: grad(loss, x), NullTypeGradError) == ("""
    )


# -- messages -------------------------------------------------------------------------------------


def test_the_cost_does_not_depend_on_it() -> None:
    assert said(lambda: grad(cost, m)) == (
        """\
grad: the cost does not depend on m
    m : float64[?, ?]   from test_gradient.py:1
  test_gradient.py:1
    assert said(lambda: grad(cost, m)) == (
  it depends on x, y, s
  pass disconnected_inputs='ignore' to get zeros instead"""
    )
    assert "  it is a constant\n" in said(lambda: grad(T.constant(1.0), x))
    many = T.dscalars(*(f"v{j}" for j in range(11)))
    assert "depends on v0, v1, v2, v3, v4, v5, v6, v7 and 3 more" in said(
        lambda: grad(T.add(*many), x)
    )


def test_a_comparison_cuts_the_way() -> None:
    mask = (x > 0) & (x < 1)
    assert said(lambda: grad(T.sum(mask * y), x)) == (
        """\
grad: no gradient passes from the cost to x
    x     : float64[?]   from test_gradient.py:1
    x > 0 : bool[?]      from test_gradient.py:1
  test_gradient.py:1
    assert said(lambda: grad(T.sum(mask * y), x)) == (
  x > 0 is bool, and only floats pass gradients
  pass disconnected_inputs='ignore' to get zeros instead"""
    )


def test_a_cast_cuts_the_way() -> None:
    whole = T.cast(x, "int32") + 1
    text = said(lambda: grad(T.sum(whole * y), x))
    assert "    int32(x) : int32[?]     from test_gradient.py:1\n" in text
    assert "  int32(x) is int32, and only floats pass gradients\n" in text


def test_consider_constant_cuts_the_way() -> None:
    inner = T.exp(x)
    text = said(lambda: grad(T.sum(inner * y), x, consider_constant=[inner]))
    assert "    exp(x) : float64[?]   from test_gradient.py:1\n" in text
    assert "  exp(x) is in consider_constant\n" in text
    text = said(lambda: grad(T.sum(x * y), x, consider_constant=[x]))
    assert "  x is in consider_constant\n" in text


def test_only_the_shape_is_used() -> None:
    text = said(lambda: grad(T.sum(T.zeros_like(x) + y), x))
    assert "  fill uses only the shape of x\n" in text
    text = said(lambda: grad(T.sum(y) * x.shape[0], x))
    assert "  only the size of x is used, and sizes are integers\n" in text


def test_the_place_that_is_shown_is_in_the_users_program() -> None:
    cut = x > 0
    text = said(lambda: grad(T.sum(T.cast(cut, "float64")), x))
    assert cut.where is not None
    assert "x > 0 : bool[?]" in text


def test_the_cost_is_an_array() -> None:
    assert said(lambda: grad(x * 17, x), GraphcTypeError) == (
        """\
grad: the cost is an array, and only a scalar has a gradient
    x * 17 : float64[?]   from test_gradient.py:1
  test_gradient.py:1
    assert said(lambda: grad(x * 17, x), GraphcTypeError) == (
  reduce it first, with .sum() or .mean()"""
    )


def test_the_cost_is_an_integer() -> None:
    text = said(lambda: grad(T.sum(i), i), GraphcTypeError)
    assert "i is int64, and only floats have gradients" in text
    text = said(lambda: grad(T.sum(i), x), GraphcTypeError)
    assert "the cost is int64, and only floats have gradients" in text


@pytest.mark.parametrize("declare", [lambda x: T.addbroadcast(x, 0), lambda x: x.sum(0)[None]])
def test_of_a_row_that_is_repeated(declare: Callable[[Any], Any]) -> None:
    x, w = T.dmatrix("x"), np.arange(6.0).reshape(3, 2)
    for y in (declare(x) + np.zeros((3, 1)), declare(x) * np.ones((3, 1)), declare(x) + w):
        (found,) = evaluate(T.grad((y * w).sum(), x), {x: np.ones((1, 2))})
        np.testing.assert_array_equal(found, [w.sum(axis=0)])


def test_wrt_is_an_integer() -> None:
    assert said(lambda: grad(cost, [x, i]), GraphcTypeError) == (
        """\
grad: i is int64, and only floats have gradients
    i : int64[?]   from test_gradient.py:1
  test_gradient.py:1
    assert said(lambda: grad(cost, [x, i]), GraphcTypeError) == (
  declare it as a float, or write the cost with xf = T.cast(i, 'float64') and differentiate by xf"""
    )


def test_arguments_that_make_no_sense() -> None:
    assert "it is not symbolic" in said(lambda: grad(cost, 3), GraphcTypeError)
    text = said(lambda: grad(cost, x, disconnected_inputs="quiet"), GraphcValueError)
    assert "disconnected_inputs='quiet': must be one of 'raise', 'warn', 'ignore'" in text
    assert "return_disconnected=" in said(
        lambda: grad(cost, x, return_disconnected="nil"), GraphcValueError
    )
    assert "null_gradients=" in said(lambda: grad(cost, x, null_gradients="?"), GraphcValueError)
    assert "a cost or known_grads" in said(lambda: grad(None, x), GraphcValueError)


# -- Lop and Rop ----------------------------------------------------------------------------------


def test_lop() -> None:
    v = T.dvector("v")
    f = x**2 * y
    given = {**AT, v: np.array([1.0, 10.0])}
    by_x, by_y = Lop(f, [x, y], v)
    np.testing.assert_allclose(evaluate(by_x, given)[0], [0.0, 60.0])
    np.testing.assert_allclose(evaluate(by_y, given)[0], [0.0, 10.0])
    two = Lop([f, T.sum(x)], x, [v, 5.0])
    np.testing.assert_allclose(evaluate(two, given)[0], [5.0, 65.0])
    constant = Lop(f, x, v, consider_constant=y)
    np.testing.assert_allclose(evaluate(constant, given)[0], [0.0, 60.0])
    assert "does not depend on m" in said(lambda: Lop(f, m, v))
    assert "f has 1 entries, eval_points has 2" in said(lambda: Lop(f, x, [v, v]), GraphcValueError)


def test_rop() -> None:
    v, u = T.dvectors("v", "u")
    given = {**AT, v: np.array([1.0, 10.0]), u: np.array([2.0, 3.0])}
    f = T.exp(x) * y
    np.testing.assert_allclose(evaluate(Rop(f, x, v), given)[0], [2.0, 30 * np.e])
    both = Rop([f, T.sum(x * y)], [x, y], [v, u])
    np.testing.assert_allclose(evaluate(both[0], given)[0], [2.0 + 2, 33 * np.e])
    np.testing.assert_allclose(evaluate(both[1], given)[0], 2 + 30 + 3)
    one = Rop(f, [x, y], [v, None])
    np.testing.assert_allclose(evaluate(one, given)[0], [2.0, 30 * np.e])


ROP: dict[str, Any] = {
    "elementwise": lambda a: T.exp(a) * T.sin(a) / (1 + a**2),
    "chosen": lambda a: T.switch(a > 0, T.log(a), a**3),
    "product": lambda a: T.dot(a, a.T),
    "reduced": lambda a: a.sum(axis=0) * a.max(axis=0) / a.prod(axis=0),
    "softmax": lambda a: T.nnet.softmax(a),
    "moved": lambda a: T.concatenate([a[1:, ::-1], a * 2]).T.reshape((-1,)),
    "a scalar": lambda a: T.sum(T.tanh(a)),
    "broadcast": lambda a: a.dimshuffle(0, "x", 1) * a.dimshuffle("x", 0, 1),
    "filled": lambda a: T.fill(a, T.sum(a)),
}


@pytest.mark.parametrize("name", ROP)
def test_rop_is_the_change_along_a_direction(name: str) -> None:
    rng = np.random.default_rng(2)
    point, direction = rng.uniform(0.5, 1.5, (3, 3)), rng.normal(size=(3, 3))
    f, v, step = ROP[name](m), T.dmatrix("v"), 1e-6
    ahead, behind = (evaluate(f, {m: point + k * direction})[0] for k in (step, -step))
    product = Rop(f, m, v)
    assert {node for node in leaves([product]) if node.op is INPUT} <= {m, v}
    (found,) = evaluate(product, {m: point, v: direction})
    np.testing.assert_allclose(found, (ahead - behind) / (2 * step), 1e-6, 1e-8)
    np.testing.assert_allclose(graphc.function([m, v], product)(point, direction), found, 1e-10)


def test_rop_of_what_does_not_move() -> None:
    v = T.dvector("v")
    assert said(lambda: Rop(T.exp(y), x, v)) == (
        """\
Rop: exp(y) does not move with x
    exp(y) : float64[?]   from test_gradient.py:1
    x      : float64[?]   from test_gradient.py:1
  test_gradient.py:1
    assert said(lambda: Rop(T.exp(y), x, v)) == (
  it depends on y
  pass disconnected_outputs='ignore' to get zeros instead"""
    )
    text = said(lambda: Rop(T.cast(x > 0, "float64"), x, v))
    assert "x > 0 is bool, and only floats pass gradients" in text
    zeros = Rop(T.exp(y), x, v, disconnected_outputs="ignore")
    np.testing.assert_array_equal(at(zeros), [0.0, 0.0])
    assert Rop(y, x, v, disconnected_outputs="ignore", return_disconnected="None") is None


def test_products_of_a_hessian() -> None:
    v = T.dvector("v")
    loss = T.sum(x**3) + T.prod(x)
    product = Rop(grad(loss, x), x, v)
    same = grad(T.sum(grad(loss, x) * v), x)
    given = {x: np.array([2.0, 3.0]), v: np.array([1.0, 10.0])}
    np.testing.assert_allclose(evaluate(product, given)[0], [12 + 10, 180 + 1])
    np.testing.assert_allclose(evaluate(same, given)[0], [12 + 10, 180 + 1])


# -- finite differences ---------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def evaluator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluate with the plain evaluator: quick, and independent of compilation."""
    monkeypatch.setitem(LANGUAGE, "eval", lambda node, given: evaluate(node, given)[0])


def test_numeric_grad() -> None:
    found = numeric_grad(lambda a: np.sum(a**3), np.array([1.0, -2.0]))
    np.testing.assert_allclose(found, [3.0, 12.0], 1e-6)
    pair = numeric_grad(lambda a, b: a * np.sum(b), [2.0, np.ones((2, 2), "float32")])
    assert [part.dtype for part in pair] == ["float64", "float32"]
    np.testing.assert_allclose(pair[0], 4.0, 1e-6)
    np.testing.assert_allclose(pair[1], np.full((2, 2), 2.0), 1e-4)
    coarse = numeric_grad(lambda a: np.sum(a**3), np.array([1.0]), eps=0.5)
    np.testing.assert_allclose(coarse, [3.25])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_verify_grad_agrees(dtype: str) -> None:
    rng = np.random.default_rng(0)
    points = [rng.uniform(0.5, 1.5, shape).astype(dtype) for shape in ((2, 3), (3,), (1, 3), ())]
    verify_grad(lambda a, b, r, n: T.tanh(T.dot(a, b)) * n + T.sum(r), points)
    verify_grad(lambda a: T.sqr(a), [points[0]], n_tests=1, rng=np.random.RandomState(3))
    verify_grad(T.exp, points[1])


def test_verify_grad_with_inputs_that_do_not_matter() -> None:
    verify_grad(lambda a, b: T.zeros_like(a) + b, [np.ones(2), np.ones(2)])


def test_verify_grad_names_the_worst_element(monkeypatch: pytest.MonkeyPatch) -> None:
    old = OPS["sin"].vjp
    object.__setattr__(OPS["sin"], "vjp", lambda g, out, a: [g * (T.cos(a) + (a > 2) * 0.1)])
    try:
        text = said(
            lambda: verify_grad(
                lambda a, b: T.sin(b) * a, [np.ones((1, 3)), np.array([[1.0, 3.0, 2.5]])], n_tests=1
            ),
            VerifyGradError,
        )
    finally:
        object.__setattr__(OPS["sin"], "vjp", old)
    lines = text.splitlines()
    assert re.fullmatch(
        r"the gradient by input 1 at \[0, [12]\] is -\S+, and finite differences give -\S+",
        lines[0],
    )
    assert lines[1] == "    input 1 : float64[1, ?]   from test_gradient.py:1"
    assert re.fullmatch(
        r"  absolute error \S+, relative \S+; allowed is 0.0001 or 0.0001", lines[-1]
    )


def test_verify_grad_needs_floats() -> None:
    assert "point 1 is int64" in said(
        lambda: verify_grad(lambda a, b: a * b, [np.ones(2), np.arange(2)]), GraphcTypeError
    )
