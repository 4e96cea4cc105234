"""Functions and expressions again: copy, clone, pickle, deepcopy."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc import errors


def step(backend: str) -> tuple[graphc.CompiledFunction, graphc.SharedVariable]:
    x, n, w = T.dvector("x"), T.lscalar("n"), graphc.shared(np.arange(3.0), "w")
    inputs = [x, graphc.In(n, value=0, update=n + 1)]
    outputs = {"total": (w * x).sum(), "n": n, "part": T.tanh(w)[1:]}
    f = graphc.function(inputs, outputs, updates=[(w, w + x)], name="step", backend=backend)
    return f, w


def test_a_copy_shares_variables_and_not_the_values_of_inputs(backend: str) -> None:
    f, w = step(backend)
    one = np.ones(3)
    f(one)
    g = f.copy(name="other")
    assert (f.name, g.name) == ("step", "other")
    assert g(one)["n"] == 1 and f(one)["n"] == 1 and g["n"] == 2
    assert w.get_value().tolist() == [3.0, 4.0, 5.0]
    still = f.copy(delete_updates=True)
    assert still(one)["n"] == still(one)["n"] == 2
    assert w.get_value().tolist() == [3.0, 4.0, 5.0]


def test_a_copy_over_other_variables(backend: str) -> None:
    f, w = step(backend)
    v = graphc.shared(np.zeros(3), "v")
    for swap in ({w: v}, [(w, v)], OrderedDict([(w, v)])):
        g = f.copy(swap=swap)
        assert g(np.ones(3))["total"] == v.get_value().sum() - 3
    assert w.get_value().tolist() == [0.0, 1.0, 2.0] and v.get_value().tolist() == [3.0] * 3


def test_swaps_that_make_no_sense() -> None:
    f, w = step("numpy")
    other = graphc.shared(np.zeros(3), "other")
    with pytest.raises(errors.GraphcValueError, match="no such shared variable"):
        f.copy(swap={other: w})
    with pytest.raises(errors.GraphcTypeError, match="for one of its type"):
        f.copy(swap={w: graphc.shared(1.0)})
    with pytest.raises(errors.GraphcTypeError, match="swaps shared variables, not 3"):
        f.copy(swap={w: 3})
    with pytest.raises(errors.GraphcTypeError, match="swaps shared variables"):
        f.copy(swap={"w": other})
    both = graphc.shared(0, "both")
    g = graphc.function([], updates=[(both, both + 1), (m := graphc.shared(0, "m"), m + 1)])
    with pytest.raises(errors.GraphcValueError, match="two updates"):
        g.copy(swap={m: both})


def test_pickles_hold_values_and_identity(backend: str) -> None:
    f, w = step(backend)
    f(np.ones(3))
    g, v = pickle.loads(pickle.dumps((f, w)))
    assert v is not w and g.get_shared() == [v]
    assert g.backend == backend and g["n"] == 1
    for _ in range(3):
        a, b = f(np.ones(3)), g(np.ones(3))
        assert all(np.array_equal(a[key], b[key]) for key in a)
    assert v.get_value().tolist() == w.get_value().tolist() == [4.0, 5.0, 6.0]
    v.set_value(np.zeros(3))
    assert w.get_value().tolist() == [4.0, 5.0, 6.0]


def test_pickled_variables_keep_their_updates_clones_and_notes() -> None:
    w = graphc.shared(1.0, "w")
    w.default_update = w * 2
    w.tag.note = "mine"
    twin = w.clone()
    v, other = pickle.loads(pickle.dumps([w, twin]))
    v.set_value(3.0)
    assert other.get_value() == 3.0 and v.tag.note == "mine" and v.name == "w"
    assert graphc.function([], v + 0)() == 3.0 and v.get_value() == 6.0
    assert w.get_value() == 1.0
    strict = pickle.loads(pickle.dumps(graphc.shared(1, strict=True, allow_downcast=False)))
    assert strict.strict is True and strict.allow_downcast is False


def test_an_evaluated_variable_pickles_without_its_function() -> None:
    w = graphc.shared(np.zeros(3), "w")
    plain = len(pickle.dumps(w))
    w.eval()
    assert len(pickle.dumps(w)) == plain


def test_deep_copies_are_independent(backend: str) -> None:
    f, w = step(backend)
    f(np.ones(3))
    g, v = copy.deepcopy([f, w])
    assert g.get_shared() == [v] and v is not w
    g(np.ones(3))
    assert (f["n"], g["n"]) == (1, 2)
    assert w.get_value().tolist() == [1.0, 2.0, 3.0] and v.get_value().tolist() == [2.0, 3.0, 4.0]
    h = copy.copy(f)
    h(np.ones(3))
    assert w.get_value().tolist() == [2.0, 3.0, 4.0] and f["n"] == 1


def test_deep_copies_of_a_model_hang_together() -> None:
    x = T.dscalar("x")
    w = graphc.shared(2.0, "w")
    w.default_update = w + 1
    model = {"w": w, "cost": x * w, "x": x}
    again = copy.deepcopy(model)
    assert again["x"] is x and again["w"] is not w
    f = graphc.function([x], again["cost"])
    assert f(10.0) == 20.0 and again["w"].get_value() == 3.0 and w.get_value() == 2.0
    assert copy.copy(w).get_value() == 2.0 and copy.copy(w) is not w


# -- clone ----------------------------------------------------------------------------------------


def test_clone_replaces_all_at_once() -> None:
    x, y = T.dscalars("x", "y")
    expression = x - 2 * y
    assert graphc.clone(expression, replace={x: y, y: x}) is y - 2 * x
    assert graphc.clone(expression, [(x, T.exp(x))]) is T.exp(x) - 2 * y
    assert graphc.clone([x, expression]) == [x, expression]
    assert graphc.clone({"a": x * 1.5}, {x: y})["a"] is y * 1.5
    assert graphc.clone(graphc.Out(x * 2), {x: 3}) is T.constant(3.0) * 2


def test_clone_makes_leaves_of_its_own() -> None:
    x, w = T.dscalar("x"), graphc.shared(2.0, "w")
    made = graphc.clone(x * w, share_inputs=False)
    a, b = made.inputs
    assert a is not x and a.name == "x" and b is not w
    w.set_value(5.0)
    assert made.eval({a: 2.0}) == 10.0
    with_old = graphc.clone(x * w, replace={w: x + 1}, copy_inputs=False)
    assert x not in with_old.inputs and with_old.eval({"x": 2.0}) == 6.0


def test_replacements_are_checked() -> None:
    x, v, i = T.dscalar("x"), T.dvector("v"), T.iscalar("i")
    with pytest.raises(errors.GraphcTypeError, match="of another type"):
        graphc.clone(x + 1, {x: v})
    with pytest.raises(errors.GraphcTypeError, match="of another type"):
        graphc.clone(x + 1, {x: i})
    assert graphc.clone(x + 1, {x: i}, strict=False).dtype == "float64"
    with pytest.raises(errors.ShapeError, match="has 1 axes, not 0"):
        graphc.clone(x + 1, {x: v}, strict=False)
    with pytest.raises(errors.GraphcTypeError, match="clone replaces expressions by pairs"):
        graphc.clone(x + 1, {"x": v})
    with pytest.raises(errors.GraphcTypeError, match="not something to compute with"):
        graphc.clone(None)


def test_eval_refuses_what_it_cannot_use() -> None:
    x = T.dscalar("x")
    with pytest.raises(errors.GraphcTypeError, match="eval takes a dict of values"):
        (x + 1).eval(3.0)
    with pytest.raises(errors.GraphcTypeError, match="by variable or name, not 3"):
        (x + 1).eval({3: 1.0})
    with pytest.raises(errors.MissingInputError, match="no input named 'y'"):
        (x + 1).eval({"y": 1.0})
