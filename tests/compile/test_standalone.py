"""Functions as Python files, run where there is no graphc."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc import errors
from graphc.backends.numpy.backend import HELPERS
from graphc.compile.standalone import Bundle

RUN = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("graphc", "scipy", "pyopencl"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import numpy as np
sys.path.insert(0, sys.argv[1])
import program
with np.load(sys.argv[2]) as held:
    given = [held[f"arr_{i}"] for i in range(len(held.files))]
out = {}
for k in range(3):
    results = program.step(*given)
    for i, part in enumerate(results):
        out[f"{k}_{i}"] = part
np.savez(sys.argv[3], **out)
assert "graphc" not in sys.modules
"""


def run_elsewhere(folder: Path, f: graphc.CompiledFunction, *given: Any) -> list[np.ndarray]:
    """Return the results of three calls of the file that a function named step writes."""
    f.save_source(folder / "program.py")
    np.savez(folder / "given.npz", *given)
    names = [str(folder), str(folder / "given.npz"), str(folder / "out.npz")]
    done = subprocess.run([sys.executable, "-I", "-c", RUN, *names], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with np.load(folder / "out.npz") as found:
        return [found[f"{k}_{i}"] for k in range(3) for i in range(len(found.files) // 3)]


def expected(f: graphc.CompiledFunction, *given: Any) -> list[np.ndarray]:
    return [part for _ in range(3) for part in f(*given)]


def test_a_training_step(tmp_path: Path, backend: str) -> None:
    rng = np.random.default_rng(0)
    x, y, rate, n = T.dmatrix("x"), T.lvector("y"), T.dscalar("rate"), T.lscalar("n")
    w = graphc.shared(rng.normal(size=(5, 3)), "w")
    b = graphc.shared(np.zeros(3), "b")
    p = T.nnet.softmax(T.dot(x, w) + b)
    cost = T.nnet.categorical_crossentropy(p, T.eye(3)[:2].sum(axis=0) + T.zeros_like(p)).mean()
    slopes = T.grad(cost, [w, b])
    f = graphc.function(
        [x, y, graphc.In(rate, value=0.1), graphc.In(n, value=1, update=n * 2)],
        [cost, p.max(axis=1), n, T.constant(np.arange(50.0))[::7], y + n],
        updates=[(v, v - rate * g) for v, g in zip([w, b], slopes, strict=True)],
        name="step",
        backend=backend,
    )
    given = (rng.normal(size=(7, 5)), np.arange(4))
    found = run_elsewhere(tmp_path, f, *given)
    for got, wanted in zip(found, expected(f, *given), strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_large_arrays_run_in_tiles(tmp_path: Path) -> None:
    x = T.fmatrix("x")
    f = graphc.function([x], [T.exp(-(x**2)).sum(axis=0), T.tanh(x).max()], name="step")
    value = np.random.default_rng(1).normal(size=(500, 700)).astype("float32")
    for got, wanted in zip(run_elsewhere(tmp_path, f, value), expected(f, value), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6)
    assert not (tmp_path / "program.npz").exists()


def test_random_streams(tmp_path: Path) -> None:
    streams = T.shared_randomstreams.RandomStreams(7)
    x = T.dvector("x")
    outputs = [streams.normal((1000,)), streams.uniform((3, 2)) * x.sum(), streams.binomial((5,))]
    f = graphc.function([x], outputs, name="step")
    f.save_source(tmp_path / "program.py")
    for got, wanted in zip(run_elsewhere(tmp_path, f, [1.0]), expected(f, [1.0]), strict=True):
        assert np.array_equal(got, wanted)


def test_loops_and_branches(tmp_path: Path) -> None:
    v, n, w = T.dvector("v"), T.lscalar("n"), graphc.shared(2.0, "w")
    sums, _ = graphc.scan(lambda s, acc: acc * w + s, v, outputs_info=[T.constant(0.0)])
    chosen = graphc.ifelse(n > 0, v * 2, v.sum() + v)
    outputs = [sums, T.grad(sums[-1], w), chosen]
    f = graphc.function([v, n], outputs, updates=[(w, w + 1)], name="step")
    given = (np.arange(4.0), np.int64(1))
    for got, wanted in zip(run_elsewhere(tmp_path, f, *given), expected(f, *given), strict=True):
        assert got.tolist() == wanted.tolist()


MODULES = {
    "first": """
        from helpers_second import other as mine, LIMIT as CAP
        LIMIT = 1
        def shared(): return "first", LIMIT, CAP
        def start(): return shared(), mine()
    """,
    "second": """
        LIMIT = 2
        def shared(): return "second", LIMIT
        def other(): return shared()
    """,
}


def test_names_that_two_modules_use_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in MODULES.items():
        text = textwrap.dedent(text).replace("helpers_", "graphc.helpers_")
        path = tmp_path / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(f"graphc.helpers_{name}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        if name == "second":
            spec.loader.exec_module(module)
    bundle = Bundle()
    body = bundle.absorb("from graphc.helpers_first import start\nfound = start()")
    namespace: dict[str, Any] = {}
    exec(compile(f"{bundle.text()}\n{body}", "bundle", "exec"), namespace)
    assert namespace["found"] == (("first", 1, 2), ("second", 2))


def imported(path: Path) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__file__": str(path), "__name__": "program"}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)
    return namespace


def test_checks_of_arguments_are_kept(tmp_path: Path) -> None:
    x, s = T.fvector("x"), T.TensorType("float64", (2,))("s")
    i, k, lax = T.iscalar("i"), T.dscalar("k"), T.fscalar("lax")
    inputs = [graphc.In(x, strict=True), s, i, k, graphc.In(lax, allow_downcast=True)]
    f = graphc.function(inputs, [x + 1, s * k, i + 1, lax])
    f.save_source(tmp_path / "f.py")
    g = imported(tmp_path / "f.py")["f"]
    good: tuple[Any, ...] = (np.ones(3, "float32"), [1.0, 2.0], 3, 2, np.float64(0.1))
    for mine, theirs in zip(f(*good), g(*good), strict=True):
        assert mine.dtype == theirs.dtype and mine.tolist() == theirs.tolist()
    wrong: list[tuple[int, Any, type[Exception]]] = [
        (0, [1.0], TypeError),
        (0, np.ones(3), TypeError),
        (0, np.ones((3, 1), "float32"), TypeError),
        (1, np.ones(3), ValueError),
        (1, ["a", "b"], TypeError),
        (2, 2**40, TypeError),
        (2, 1.5, TypeError),
        (2, np.int64(3), TypeError),
        (3, "1", TypeError),
        (3, [1.0], TypeError),
    ]
    for place, value, error in wrong:
        bad = [*good[:place], value, *good[place + 1 :]]
        with pytest.raises(error):
            f(*bad)
        with pytest.raises(error):
            g(*bad)
    with pytest.raises(TypeError):
        g(*good[:-1])


def test_guards_and_quiet_floats_are_kept(tmp_path: Path) -> None:
    x, y = T.dvectors("x", "y")
    f = graphc.function([x, y], T.log(x) / y)
    f.save_source(tmp_path / "f.py")
    g = imported(tmp_path / "f.py")["f"]
    with np.errstate(all="raise"):
        assert g(y=[0.0], x=[0.0]).tolist() == f([0.0], [0.0]).tolist() == [-np.inf]
    with pytest.raises(ValueError, match="sizes 2 and 3 do not agree"):
        g(np.ones(2), np.ones(3))


def test_functions_without_inputs_and_in_every_form(tmp_path: Path) -> None:
    w = graphc.shared(np.float32(2), "w")
    for outputs, wanted in ((w * 2, 4.0), ({"a": w}, {"a": 2.0}), (None, [])):
        f = graphc.function([], outputs, updates=[(w, w + 1)], name="lambda")
        f.save_source(tmp_path / "f.py")
        module = imported(tmp_path / "f.py")
        assert module["f_lambda"]() == wanted
        assert module["f_lambda"]() != wanted or outputs is None
        assert module["w_"].data.dtype == "float32"


def test_names_that_the_text_needs_itself(tmp_path: Path) -> None:
    """Functions, arguments and constants may be called as what is copied or imported is."""
    x, np_, two = T.dmatrix("os"), T.dscalar("np"), T.dscalar("os")
    big = T.constant(np.arange(700.0), name="threads")
    file, w = T.constant(np.arange(9.0), name="file"), graphc.shared(np.zeros(700), "config")
    outputs = [T.exp(x * big) * np_ + two, file[::2], w]
    value = np.random.default_rng(0).normal(size=(500, 700))
    for name in ("os", "threads", "Pool", "itertools", "Path", "np", "_run", "scratch"):
        f = graphc.function([x, np_, graphc.In(two, value=1.0)], outputs, name=name)
        path = tmp_path / "program.py"
        f.save_source(path)
        found = imported(path)
        entry = next(found[n] for n in (f"{f.name}_", f.name) if callable(found.get(n)))
        for mine, theirs in zip(f(value, 2.0), entry(value, 2.0), strict=True):
            np.testing.assert_allclose(mine, theirs)


def test_paths_that_are_none(tmp_path: Path) -> None:
    f = graphc.function([], T.constant(1.0))
    with pytest.raises(errors.GraphcValueError, match=r"does not end in \.py"):
        f.save_source(tmp_path / "program")
    with pytest.raises(errors.GraphcTypeError, match="named by a path"):
        f.save_source(None)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        f.save_source(tmp_path / "missing" / "f.py")


def test_all_that_generated_text_may_import_can_be_copied() -> None:
    bundle = Bundle()
    lines = [f"from {one.__name__} import {', '.join(one.__all__)}" for one in HELPERS]
    bundle.absorb("\n".join(lines))
    text = bundle.text()
    assert "import graphc" not in text and "from graphc" not in text
    namespace: dict[str, Any] = {}
    exec(compile(text, "bundle", "exec"), namespace)
    assert {name for one in HELPERS for name in one.__all__} <= set(namespace)
    assert "register_at_fork" in text, "what a module does for its threads is copied too"


def test_functions_of_the_users_are_refused() -> None:
    bundle = Bundle()
    bundle.value("np_sin", np.sin)
    bundle.value("library", json)
    assert "from numpy import sin as np_sin" in bundle.text()
    with pytest.raises(errors.NotSupportedError, match="a function of yours"):
        bundle.value("mine", expected)
