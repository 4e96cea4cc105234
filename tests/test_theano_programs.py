"""Programs in Theano's manner: only the lines that import it are changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc import errors
from graphc.config import GROUPS, NO_EFFECT
from graphc.ir.same import equal_computations, is_same_graph
from harness import evaluate


def run(program: str, **given: Any) -> dict[str, Any]:
    """Run a program with graphc in place of Theano and return its names."""
    text = re.sub(r"(?m)^import theano$", "import graphc as theano", program)
    text = re.sub(r"(?m)^import theano\.tensor as T$", "import graphc.tensor as T", text)
    text = re.sub(r"(?m)^from theano\b", "from graphc", text)
    assert not re.search(r"(?m)^(import|from) theano", text)
    namespace: dict[str, Any] = {"np": np, **given}
    exec(compile(text, "program.py", "exec"), namespace)
    return namespace


LOGISTIC = """
import theano
import theano.tensor as T

class Model(object):
    def __init__(self, given, n_in, n_out):
        zeros = np.zeros((n_in, n_out), dtype=theano.config.floatX)
        self.W = theano.shared(value=zeros, name="W", borrow=True)
        self.b = theano.shared(value=zeros[0], name="b", borrow=True)
        self.p_y_given_x = T.nnet.softmax(T.dot(given, self.W) + self.b)
        self.y_pred = T.argmax(self.p_y_given_x, axis=1)
        self.params = [self.W, self.b]

    def cost(self, y):
        return -T.mean(T.log(self.p_y_given_x)[T.arange(y.shape[0]), y])

    def errors(self, y):
        if y.ndim != self.y_pred.ndim:
            raise TypeError("y should have the same shape", ("y", y.type))
        return T.mean(T.neq(self.y_pred, y))

rng = np.random.RandomState(0)
data_x = rng.normal(size=(60, 4))
data_y = (data_x[:, 0] > data_x[:, 1]) + 2 * (data_x[:, 2] > 0)
shared_x = theano.shared(np.asarray(data_x, dtype=theano.config.floatX), borrow=True)
shared_y = T.cast(theano.shared(np.asarray(data_y, dtype=theano.config.floatX)), "int32")

index = T.lscalar()
x = T.matrix("x")
y = T.ivector("y")
model = Model(x, 4, 4)
cost = model.cost(y)
grads = T.grad(cost=cost, wrt=model.params)
updates = [(param, param - 0.5 * g) for param, g in zip(model.params, grads)]
batch = 20
givens = {
    x: shared_x[index * batch: (index + 1) * batch],
    y: shared_y[index * batch: (index + 1) * batch],
}
train = theano.function(inputs=[index], outputs=cost, updates=updates, givens=givens)
test = theano.function(inputs=[index], outputs=model.errors(y), givens=givens)
first = np.mean([train(i) for i in range(3)])
for epoch in range(60):
    last = np.mean([train(i) for i in range(3)])
error = np.mean([test(i) for i in range(3)])
"""


def test_logistic_regression_with_minibatches() -> None:
    found = run(LOGISTIC)
    assert found["last"] < 0.5 * found["first"] and found["error"] < 0.2
    assert found["model"].W.get_value(borrow=True).shape == (4, 4)


MOMENTUM = """
import theano
from theano import tensor as T
from collections import OrderedDict

theano.config.floatX = "float32"
theano.config.warn.subtensor_merge_bug = False
theano.config.exception_verbosity = "high"
if theano.config.device.startswith("cuda"):
    raise RuntimeError("no such device here")

def floatX(X):
    return np.asarray(X, dtype=theano.config.floatX)

rng = np.random.RandomState(1)
w_h = theano.shared(floatX(rng.randn(2, 8)))
w_o = theano.shared(floatX(rng.randn(8, 1) * 0.1))
X, Y = T.fmatrices("X", "Y")
rate = T.fscalar("rate")
h = T.maximum(T.dot(X, w_h), 0.)
out = T.nnet.sigmoid(T.dot(h, w_o))
cost = T.mean(T.nnet.binary_crossentropy(out, Y))

def momentum(cost, params, lr, m=0.9):
    updates = OrderedDict()
    for p, g in zip(params, T.grad(cost, params)):
        value = p.get_value(borrow=True)
        velocity = theano.shared(np.zeros(value.shape, dtype=value.dtype),
                                 broadcastable=p.broadcastable)
        v = m * velocity - lr * g
        updates[velocity] = v
        updates[p] = p + v
    return updates

train = theano.function([X, Y, theano.In(rate, value=0.05)], cost,
                        updates=momentum(cost, [w_h, w_o], rate),
                        allow_input_downcast=True, name="train", mode="FAST_RUN")
predict = theano.function(inputs=[X], outputs=out > 0.5, allow_input_downcast=True)
data = rng.randn(80, 2)
target = (data[:, :1] * data[:, 1:] > 0)
costs = [float(train(data, target)) for _ in range(400)]
accuracy = (predict(data) == target).mean()
dtypes = [p.get_value().dtype for p in (w_h, w_o)]
"""


def test_a_network_with_momentum() -> None:
    found = run(MOMENTUM)
    assert found["costs"][-1] < 0.4 * found["costs"][0] and found["accuracy"] > 0.9
    assert found["dtypes"] == ["float32", "float32"]


STATE = """
import theano
import theano.tensor as T

state = theano.shared(0)
inc = T.iscalar("inc")
accumulator = theano.function([inc], state, updates=[(state, state + inc)])
before = [int(accumulator(1)), int(accumulator(300)), int(state.get_value())]

fn_of_state = state * 2 + inc
foo = T.scalar(dtype=state.dtype)
skip_shared = theano.function([inc, foo], fn_of_state, givens=[(state, foo)])
skipped = int(skip_shared(1, 3))

other = theano.shared(10)
copied = accumulator.copy(swap={state: other})
copied(100)
nothing = accumulator.copy(delete_updates=True)
nothing(9)
after = [int(state.get_value()), int(other.get_value())]

x, y, w = T.dscalars("x", "y", "w")
z = (x + y) * w
f = theano.function([x, theano.In(y, value=1), theano.In(w, value=2, name="w_by_name")], z)
values = [float(f(33)), float(f(33, 2)), float(f(33, 0, 1)), float(f(33, w_by_name=1)),
          float(f(33, w_by_name=1, y=0))]
evaluated = float(z.eval({x: 1, y: 2, w: 3}))
"""


def test_state_defaults_and_copies() -> None:
    found = run(STATE)
    assert found["before"] == [0, 1, 301] and found["skipped"] == 7
    assert found["after"] == [301, 110]
    assert found["values"] == [68.0, 70.0, 33.0, 34.0, 33.0] and found["evaluated"] == 9.0


NORMALISED = """
import theano
import theano.tensor as T

x = T.matrix("x")
mean = theano.shared(np.zeros(3), "mean")

def layer(x, deterministic):
    if deterministic:
        return x - mean
    own = x.mean(axis=0)
    running = theano.clone(mean, share_inputs=False)
    running.default_update = 0.9 * running + 0.1 * own
    own += 0 * running
    return x - own

train = theano.function([x], layer(x, False))
test = theano.function([x], layer(x, True))
data = np.arange(12.).reshape(4, 3)
centred = train(data)
kept = mean.get_value()
shifted = test(data)
doubled = theano.clone(layer(x, True), replace={x: 2 * x})
leaves = theano.gof.graph.inputs([doubled])
same = theano.gof.graph.is_same_graph(layer(x, True), layer(x, True))
checks = (isinstance(mean, theano.compile.SharedVariable), isinstance(x, theano.Variable),
          isinstance(x, T.TensorVariable), isinstance(T.constant(1), T.Constant),
          isinstance(x, theano.gof.Variable), isinstance(x.type, T.TensorType),
          isinstance(x, theano.compile.SharedVariable), isinstance(x, T.Constant))
"""


def test_running_averages_by_clones() -> None:
    found = run(NORMALISED)
    data = found["data"]
    np.testing.assert_allclose(found["centred"], data - data.mean(axis=0))
    np.testing.assert_allclose(found["kept"], 0.1 * data.mean(axis=0))
    np.testing.assert_allclose(found["shifted"], data - found["kept"])
    assert found["same"] is True
    assert found["checks"] == (*[True] * 6, False, False)
    assert {leaf.name for leaf in found["leaves"]} >= {"x", "mean"}


PRINTED = """
import theano
import theano.tensor as T
from theano.printing import Print, pprint, debugprint, pydotprint

x = T.dvector("x")
y = T.exp(x) * 2
text = pprint(y)
tree = debugprint(y, file="str")
pydotprint(y, outfile="graph.dot", compact=True, with_ids=True)
shown = Print("the value", attrs=["__str__", "shape"])(y)
"""


def test_printing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    found = run(PRINTED)
    assert found["text"] == "exp(x) * 2" and found["tree"].startswith("mul")
    assert (tmp_path / "graph.dot").read_text().startswith("digraph")
    x, shown = found["x"], found["shown"]
    (value,) = evaluate(shown, {x: np.zeros(2)})
    assert value.tolist() == [2.0, 2.0]
    assert capsys.readouterr().out == "the value __str__ = [2. 2.]\nthe value shape = (2,)\n"
    (slope,) = evaluate(T.grad(shown.sum(), x), {x: np.array([0.0, 1.0])})
    np.testing.assert_allclose(slope, [2.0, 2 * np.e])


def test_values_are_printed_when_they_are_computed(
    backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    x = T.dvector("x")
    shown = graphc.printing.Print("x is")(x * 2)
    f = graphc.function([x], [shown + 1, T.grad(shown.sum(), x)], backend=backend)
    assert [part.tolist() for part in f([1.0])] == [[3.0], [2.0]]
    f([2.0])
    assert capsys.readouterr().out == "x is __str__ = [2.]\nx is __str__ = [4.]\n"


def test_printing_by_a_function_of_ones_own() -> None:
    seen: list[Any] = []
    x = T.dscalar("x")
    show = graphc.printing.Print("m", global_fn=lambda op, array: seen.append((op.message, array)))
    evaluate(show(x), {x: np.float64(3)})
    assert seen == [("m", 3.0)]
    with pytest.raises(errors.GraphcTypeError, match="no 'colour' to print"):
        graphc.printing.Print(attrs=["colour"])
    with pytest.raises(errors.NotSupportedError, match=r"SVG or DOT, not \.png"):
        graphc.printing.pydotprint(x, "graph.png")
    assert "digraph" in str(graphc.printing.pydotprint(x + 1, "g.dot", return_image=True))


RATES = """
import theano
import theano.tensor as T

class Adam(object):
    def __init__(self, params, cost, lr=0.1, b1=0.1, b2=0.001, e=1e-8):
        self.updates = []
        i = theano.shared(np.asarray(0., dtype=theano.config.floatX))
        i_t = i + 1.
        fix1, fix2 = 1. - (1. - b1) ** i_t, 1. - (1. - b2) ** i_t
        lr_t = lr * (T.sqrt(fix2) / fix1)
        for p, g in zip(params, T.grad(cost, params)):
            m = theano.shared(p.get_value() * 0.)
            v = theano.shared(p.get_value() * 0.)
            m_t = (b1 * g) + ((1. - b1) * m)
            v_t = (b2 * T.sqr(g)) + ((1. - b2) * v)
            g_t = m_t / (T.sqrt(v_t) + e)
            self.updates += [(m, m_t), (v, v_t), (p, p - (lr_t * g_t))]
        self.updates.append((i, i_t))

target = np.array([1., -2., 3.])
w = theano.shared(np.zeros(3), name="w")
cost = T.sum(T.sqr(w - target)) + 0.1 * T.sum(abs(w) < 0)
step = theano.function([], cost, updates=Adam([w], cost).updates)
history = [float(step()) for _ in range(200)]
"""


def test_adam() -> None:
    found = run(RATES)
    assert found["history"][-1] < 1e-3
    np.testing.assert_allclose(found["w"].get_value(), found["target"], atol=0.05)


PICKLED = """
import pickle
import theano
import theano.tensor as T

x = T.dmatrix("x")
w = theano.shared(np.ones((2, 2)), "w")
model = {"params": [w], "predict": theano.function([x], T.dot(x, w))}
again = pickle.loads(pickle.dumps(model, protocol=pickle.HIGHEST_PROTOCOL))
again["params"][0].set_value(np.zeros((2, 2)))
one, other = model["predict"](np.eye(2)), again["predict"](np.eye(2))
"""


def test_models_are_pickled() -> None:
    found = run(PICKLED)
    assert found["one"].sum() == 4 and found["other"].sum() == 0


# -- settings -------------------------------------------------------------------------------------


def test_settings_of_parts_that_are_not_there_are_kept() -> None:
    config = type(graphc.config)()
    for name, default in NO_EFFECT.items():
        assert getattr(config, name) == default
        setattr(config, name, default)
    config.openmp = True  # type: ignore[attr-defined]
    assert config.openmp is True and type(graphc.config)().openmp is False
    for group in GROUPS:
        assert getattr(config, group).anything is None
        getattr(config, group).anything = 3
        assert getattr(config, group).anything == 3
    with graphc.config.set(cxx="gcc"):
        assert graphc.config.cxx == "gcc"
    assert graphc.config.cxx == ""
    with pytest.raises(AttributeError, match="config has no 'nothing'"):
        _ = config.nothing
    with pytest.raises(errors.GraphcValueError, match="config has no 'nothing'"):
        config.nothing = 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "good", "bad", "what"),
    [
        ("compute_test_value", "off", "raise", "checked on the line"),
        ("int_division", "floatX", "int", "write x // y"),
        ("cast_policy", "custom", "numpy", "those of NumPy 2"),
    ],
)
def test_settings_that_are_decided_say_so(name: str, good: str, bad: str, what: str) -> None:
    assert getattr(graphc.config, name) == good
    setattr(graphc.config, name, good)
    with pytest.raises(errors.NotSupportedError, match=what):
        setattr(graphc.config, name, bad)


def test_modes_and_unused_inputs_by_settings() -> None:
    x, y = T.dscalars("x", "y")
    assert graphc.config.device == "" and graphc.config.mode == "Mode"
    with graphc.config.set(mode="FAST_COMPILE", on_unused_input="ignore"):
        assert graphc.function([x, y], T.log(T.exp(x)))(1000.0, 0.0) == np.inf
        assert graphc.function([x, y], T.log(T.exp(x)), mode="FAST_RUN")(1000.0, 0.0) == 1000.0
    with pytest.raises(errors.UnusedInputError):
        graphc.function([x, y], x)
    for word, value in (("fast_run", True), ("fast_compile", False), ("None", False)):
        graphc.config.optimizer = word  # type: ignore[assignment]
        assert graphc.config.optimizer is value
    with pytest.raises(errors.GraphcValueError, match="must be True or False"):
        graphc.config.optimizer = "fastest"  # type: ignore[assignment]


# -- graphs ---------------------------------------------------------------------------------------


def test_leaves_and_ancestors() -> None:
    x, w = T.dvector("x"), graphc.shared(1.0, "w")
    y = T.exp(x) * w
    graph = graphc.gof.graph
    assert graph.inputs([y]) == [x, w] and graph.inputs([y], blockers=[T.exp(x)]) == [T.exp(x), w]
    assert graph.variables([x], [y])[0] is x and y in graph.ancestors([y])
    with pytest.raises(errors.GraphcTypeError, match="a list of expressions is needed"):
        graph.inputs(y)  # type: ignore[arg-type]


def test_sameness_of_graphs() -> None:
    x, y, i = T.dvector("x"), T.dvector("y"), T.lvector("i")
    assert is_same_graph(T.exp(x), T.exp(x)) and not is_same_graph(T.exp(x), T.exp(y))
    assert equal_computations([x * y], [y * x], [x, y], [y, x])
    assert not equal_computations([T.exp(x)], [T.exp(i)], [x], [i])
    with pytest.raises(errors.GraphcValueError, match="pair by pair"):
        equal_computations([x], [])
    assert graphc.scan_module.scan_utils.equal_computations is equal_computations


@pytest.mark.parametrize(
    "load",
    [
        lambda: __import__("graphc.sandbox.cuda"),
        lambda: graphc.sparse,  # type: ignore[attr-defined]
    ],
)
def test_what_is_not_there_is_missed_as_in_theano(load: Callable[[], Any]) -> None:
    with pytest.raises((ImportError, AttributeError)):
        load()
