"""Files of functions: the same results elsewhere, and no file that graphc did not write."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.tensor as T
from graphc import errors
from graphc.compile.rows import Reading, Writing
from graphc.ir.graph import Graph
from graphc.ir.node import CONST, INPUT, Literal, Token, make
from graphc.ir.types import Attrs, TensorType, TupleType

ELSEWHERE = """
import sys, json, numpy as np, graphc
functions = graphc.load(sys.argv[1])
x = np.array(json.loads(sys.argv[2]))
results = []
for _ in range(3):
    results += [np.asarray(part) for part in functions["train"](x)]
    results.append(functions["test"](x))
np.savez(sys.argv[3], *results, functions["test"]["w"])
"""


def network(backend: str) -> dict[str, graphc.CompiledFunction]:
    rng = np.random.default_rng(0)
    x, n = T.dmatrix("x"), T.lscalar("n")
    w = graphc.shared(rng.normal(size=(3, 4)), "w")
    v = graphc.shared(rng.normal(size=4), "v")
    streams = T.shared_randomstreams.RandomStreams(11)
    kept = streams.binomial((x.shape[0], 4), p=0.8, dtype="float64")
    hidden = T.tanh(T.dot(x, w) + T.constant(np.linspace(0, 1, 4)))
    y = T.nnet.softmax(hidden * v * kept)
    cost = -T.log(y[:, 0] + 1e-3).mean() + 0.01 * (w**2).sum()
    updates = [
        (p, p - 0.1 * g / (1 + n)) for p, g in zip([w, v], T.grad(cost, [w, v]), strict=True)
    ]
    inputs = [x, graphc.In(n, value=0, update=n + 1)]
    train = graphc.function(inputs, [cost, y], updates=updates, name="train", backend=backend)
    guess = graphc.clone(y, {kept: T.ones_like(kept)}).argmax(axis=1)
    return {"train": train, "test": graphc.function([x], guess, backend=backend)}


def test_another_process_computes_the_same(tmp_path: Path, backend: str) -> None:
    functions = network(backend)
    x = np.random.default_rng(1).normal(size=(5, 3))
    functions["train"](x)
    graphc.save(tmp_path / "model.graphc", functions)
    names = [str(tmp_path / "model.graphc"), json.dumps(x.tolist()), str(tmp_path / "out.npz")]
    command = [sys.executable, "-c", ELSEWHERE, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = []
    for _ in range(3):
        expected += [*functions["train"](x), functions["test"](x)]
    expected.append(functions["test"]["w"])
    with np.load(tmp_path / "out.npz") as found:
        for i, value in enumerate(expected):
            assert np.array_equal(found[f"arr_{i}"], value), i


def test_variables_that_functions_share_stay_shared(tmp_path: Path) -> None:
    path = tmp_path / "pair"
    w = graphc.shared(0, "w")
    step, show = graphc.function([], updates=[(w, w + 1)]), graphc.function([], w * 10)
    step()
    graphc.save(path, (step, show))
    step_again, show_again = graphc.load(path)
    step_again()
    assert show_again() == 20 and show() == 10
    assert step_again.get_shared() == show_again.get_shared() != [w]
    twin = w.clone()
    graphc.save(path, [step, graphc.function([], twin * 10)])
    step_again, show_again = graphc.load(path)
    step_again()
    assert show_again() == 20


def test_forms_names_flags_and_lines_come_back(tmp_path: Path) -> None:
    x, y = T.fvector("x"), T.dscalar("y")
    plain = graphc.function(
        [graphc.In(x, strict=True), graphc.In(y, name="rate", value=2.0, implicit=True)],
        {"a b": x * 2, "c": graphc.Out(y + 1, borrow=True)},
        name="named",
        mode="FAST_COMPILE",
    )
    plain.save(tmp_path / "f")
    f = graphc.load(tmp_path / "f")
    assert f.name == "named" and f["rate"] == 2.0
    assert f(np.ones(2, "float32"))["a b"].tolist() == [2.0, 2.0]
    with pytest.raises(errors.DTypeError, match="strict"):
        f([1.0])
    assert f.definition.optimize is False and f.definition.borrowed == (False, True)
    (again,) = graphc.load(save_all(tmp_path / "g", [f]))
    assert again.definition.outputs[0].where == plain.definition.outputs[0].where
    assert (tmp_path / "f").read_bytes() != (tmp_path / "g").read_bytes()


def save_all(path: Path, functions: Any) -> Path:
    graphc.save(path, functions)
    return path


def test_equal_functions_give_equal_files(tmp_path: Path) -> None:
    first = save_all(tmp_path / "a", network("numpy")).read_bytes()
    assert save_all(tmp_path / "b", network("numpy")).read_bytes() == first
    again = save_all(tmp_path / "c", graphc.load(tmp_path / "a")).read_bytes()
    assert again == first


def test_a_file_is_loaded_for_another_backend(tmp_path: Path, backend: str) -> None:
    path = save_all(tmp_path / "f", network("numpy")["test"])
    f = graphc.load(path, backend=backend)
    assert f.backend == backend
    assert f(np.ones((2, 3))).tolist() == graphc.load(path)(np.ones((2, 3))).tolist()
    with pytest.raises(errors.GraphcValueError, match="backend 'cuda'"):
        graphc.load(path, backend="cuda")


def test_every_kind_of_attribute_and_type_travels() -> None:
    values: list[Any] = [None, True, 3, -(2**70), 1.5, float("inf"), "word", (1, ("a", None)), ()]
    values += [slice(1, None, -1), TensorType("int8", (None, 3)), Attrs({"a": (1, 2)})]
    values += [TupleType((TensorType("bool", ()),)), CONST, Literal(np.arange(5))]
    x = T.dvector()
    closed, _ = Graph.close([x], [T.exp(x) * 2])
    values.append(closed)
    writing = Writing()
    written = [writing._value(value, x, "a") for value in values]
    arrays = [np.array(array) for array in writing.arrays]
    reading = Reading(arrays)
    found = [reading._value(value, "a") for value in json.loads(json.dumps(written))]
    assert found == values
    nan = reading._value(writing._value(float("nan"), x, "a"), "a")
    assert nan != nan
    token = Token()
    places = [writing._value(t, x, "a") for t in (token, Token(), token)]
    read = [reading._value(place, "a") for place in places]
    assert read[0] is read[2] is not read[1] and read[0] is not token


def test_random_streams_go_on_where_they_were(tmp_path: Path, backend: str) -> None:
    streams = T.shared_randomstreams.RandomStreams(3)
    draws = [streams.normal((5,)), streams.uniform((2, 3)), streams.binomial((6,))]
    f = graphc.function([], draws, backend=backend)
    other = graphc.function([], draws[0] * 2, no_default_updates=True, backend=backend)
    f()
    g, again = graphc.load(save_all(tmp_path / "f", [f, other]))
    h = pickle.loads(pickle.dumps(f))
    for _ in range(3):
        assert again().tolist() == other().tolist()
        for mine, loaded, pickled in zip(f(), g(), h(), strict=True):
            assert mine.tolist() == loaded.tolist() == pickled.tolist()


def test_loops_and_functions_with_gradients_of_their_own_travel() -> None:
    v, w = T.dvector("v"), graphc.shared(2.0, "w")
    sums, _ = graphc.scan(lambda s, acc: acc * w + s, v, outputs_info=[T.constant(0.0)])
    results = [sums[-1], T.grad(sums[-1], w), graphc.gradient.grad_clip(v, -1, 1).sum()]
    writing = Writing()
    rows, place = writing.rows(results)
    reading = Reading([np.array(array) for array in writing.arrays])
    nodes = reading.nodes(json.loads(json.dumps(rows)))
    again = [nodes[place[node]] for node in results]
    assert [str(node) for node in again] == [str(node) for node in results]
    assert Writing().rows(again)[0] == rows


def loops(backend: str) -> graphc.CompiledFunction:
    v, n, w = T.dvector("v"), T.lscalar("n"), graphc.shared(2.0, "w")
    streams = T.shared_randomstreams.RandomStreams(3)
    sums, _ = graphc.scan(lambda s, acc: acc * w + s, v, outputs_info=[T.constant(0.0)])
    noisy, updates = graphc.scan(lambda s: s + streams.normal((2,)), v)
    chosen = graphc.ifelse(n > 0, v * 2, v.sum() + v)
    outputs = [sums, T.grad(sums[-1], w), noisy, chosen, graphc.Out(sums[::-1], borrow=True)]
    updates = [*updates.items(), (w, w + 1)]
    return graphc.function([v, n], outputs, updates=updates, name="step", backend=backend)


def test_loops_branches_and_draws_in_loops_go_on_alike(tmp_path: Path, backend: str) -> None:
    f = loops(backend)
    g = graphc.load(save_all(tmp_path / "f", f))
    copies = [g, pickle.loads(pickle.dumps(f)), copy.deepcopy(f)]
    for n in (0, 1, 0):
        expected = f([1.0, 2.0, 3.0], n)
        for again in copies:
            for mine, theirs in zip(expected, again([1.0, 2.0, 3.0], n), strict=True):
                assert mine.tolist() == theirs.tolist()


def test_what_a_file_cannot_hold_is_refused_with_the_line(tmp_path: Path) -> None:
    x = T.dvector("x")
    for value in (print, object(), "import os\n", "__import__('os')", np.float64(1)):
        odd = make(INPUT, (), Attrs({"token": value}), x.type, x.where)
        f = graphc.function([odd], odd * 2)
        with pytest.raises(errors.NotSupportedError, match="cannot be written to a file") as found:
            f.save(tmp_path / "f")
        assert "x = T.dvector" in str(found.value)
    assert not list(tmp_path.iterdir())


@graphc.custom_op(vjp=lambda g, out, x: g * T.cos(x))
def wave(x: np.ndarray) -> np.ndarray:
    return np.sin(x)


def test_ops_of_the_users_are_refused_by_name(tmp_path: Path) -> None:
    x = T.dvector("x")
    f = graphc.function([x], wave(x) + 1)
    with pytest.raises(errors.NotSupportedError, match="its function is <op wave>"):
        f.save(tmp_path / "f")
    with pytest.raises(errors.NotSupportedError, match=r"wave.*, a function of yours"):
        f.save_source(tmp_path / "f.py")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [None, 3, "f", [3], {"a": None}, {1: network}, network])
def test_only_functions_are_saved(tmp_path: Path, value: Any) -> None:
    with pytest.raises(errors.GraphcTypeError, match="save writes a compiled function"):
        graphc.save(tmp_path / "f", value)
    assert not list(tmp_path.iterdir())


def test_paths_that_are_none(tmp_path: Path) -> None:
    f = network("numpy")["test"]
    with pytest.raises(errors.GraphcTypeError, match="named by a path, not 3"):
        f.save(3)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        f.save(tmp_path / "missing" / "f")
    with pytest.raises(FileNotFoundError):
        graphc.load(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        graphc.load(tmp_path)
    assert not list(tmp_path.iterdir())


# -- files that are wrong -------------------------------------------------------------------------


def test_every_altered_byte_and_every_cut_is_found(tmp_path: Path) -> None:
    w = graphc.shared(np.arange(3.0), "w")
    path = save_all(tmp_path / "f", graphc.function([], w.sum(), updates=[(w, w + 1)]))
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    places = [*range(120), *map(int, rng.integers(120, len(whole), 200))]
    for place in places:
        altered = bytearray(whole)
        altered[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(altered)
        with pytest.raises(errors.FileFormatError, match=path.name):
            graphc.load(path)
    for length in [*range(100), *map(int, rng.integers(100, len(whole), 100))]:
        path.write_bytes(whole[:length])
        with pytest.raises(errors.FileFormatError, match=path.name):
            graphc.load(path)
    path.write_bytes(whole + b"more")
    with pytest.raises(errors.FileFormatError, match="cut short or altered"):
        graphc.load(path)
    path.write_bytes(whole)
    assert graphc.load(path)() == 3.0


def test_files_of_others(tmp_path: Path) -> None:
    path = tmp_path / "f"
    for content in (b"", b"PK\x03\x04", b"\x80\x04K\x01.", b"graphc"):
        path.write_bytes(content)
        with pytest.raises(errors.FileFormatError, match=r"is not a file that graphc\.save wrote"):
            graphc.load(path)
    f = network("numpy")["test"]
    f.save(path)
    path.write_bytes(path.read_bytes().replace(b"graphc file 1", b"graphc file 2", 1))
    with pytest.raises(
        errors.FileFormatError, match="is of version 2; this graphc reads version 1"
    ):
        graphc.load(path)


def forged(path: Path, change: Callable[[dict[str, Any]], None], arrays: Any = None) -> Path:
    """Write a file with a right checksum and a wrong graph."""
    x, w = T.dvector("x"), graphc.shared(np.arange(3.0), "w")
    f = graphc.function([x], T.exp(x)[1:] + w.sum(), updates=[(w, w * 2)], name="f")
    f.save(path)
    body = path.read_bytes().split(b"\n", 2)[2]
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    graph = json.loads(parts["graph.json"])
    change(graph)
    parts["graph.json"] = json.dumps(graph).encode()
    parts.update(arrays or {})
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return signed(path, content.getvalue())


def signed(path: Path, body: bytes) -> Path:
    digest = hashlib.sha256(body).hexdigest().encode()
    path.write_bytes(b"graphc file 1\n" + digest + b"\n" + body)
    return path


def row(graph: dict[str, Any], op: str) -> dict[str, Any]:
    return next(row for row in graph["rows"] if row["op"] == op)


FORGERIES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "op": (lambda g: row(g, "exp").update(op="rm"), "no op 'rm'"),
    "no op": (lambda g: row(g, "exp").update(op=None), "no op None"),
    "inputs": (lambda g: row(g, "exp").update(inputs=[99]), "row 99"),
    "later": (lambda g: row(g, "exp").update(inputs=[len(g["rows"]) - 1]), "row"),
    "negative": (lambda g: row(g, "exp").update(inputs=[-1]), "row -1"),
    "count": (lambda g: row(g, "exp").update(inputs=[]), "makes no sense"),
    "type": (lambda g: row(g, "exp").update(type=["float32", [None]]), "exp of float32"),
    "rank": (lambda g: row(g, "exp").update(type=["float64", []]), "exp of float64"),
    "dtype": (lambda g: row(g, "input").update(type=["O", [None]]), "dtype object"),
    "code dtype": (lambda g: row(g, "input").update(type=["f8);os", [None]]), "not a dtype"),
    "shape": (lambda g: row(g, "input").update(type=["float64", ["n"]]), "not a whole number"),
    "attr": (lambda g: row(g, "slice")["attrs"].update(axes="x"), "makes no sense"),
    "attrs": (lambda g: row(g, "slice").update(attrs={}), "in place of"),
    "kind": (lambda g: row(g, "slice")["attrs"].update(axes={"code": "1"}), "unknown kind, 'code'"),
    "two kinds": (lambda g: row(g, "slice")["attrs"].update(axes={"a": 1, "b": 2}), "axes is"),
    "word": (lambda g: row(g, "slice")["attrs"].update(axes="f()"), "axes is"),
    "array": (lambda g: row(g, "const")["attrs"].update(value={"array": 99}), "row 99"),
    "value": (lambda g: row(g, "shared").update(value=1), "cannot set"),
    "name": (lambda g: row(g, "exp").update(name="a\nb"), "not a line of text"),
    "file": (lambda g: row(g, "exp").update(where=["a\nimport os", 1]), "not a line of text"),
    "line": (lambda g: row(g, "exp").update(where=["a", "b"]), "makes no sense"),
    "function": (lambda g: g["functions"][0].update(name="f()"), "named 'f\\(\\)'"),
    "backend": (lambda g: g["functions"][0].update(backend="os"), "backend 'os'"),
    "roots": (lambda g: g["functions"][0].update(roots=[]), "makes no sense"),
    "root": (lambda g: g["functions"][0].update(roots=[99] * 4), "makes no sense"),
    "root below": (lambda g: g["functions"][0].update(roots=[-1] * 4), "below 0"),
    "updates": (lambda g: g["functions"][0]["roots"].__setitem__(2, 0), "no shared variable"),
    "input": (lambda g: g["functions"][0]["roots"].__setitem__(0, 1), "an expression"),
    "rows": (lambda g: g.update(rows=3), "makes no sense"),
    "nothing": (lambda g: g.clear(), "makes no sense"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forgeries_are_refused(tmp_path: Path, name: str) -> None:
    change, what = FORGERIES[name]
    with pytest.raises(errors.FileFormatError, match=what):
        graphc.load(forged(tmp_path / "f", change))


def test_the_forger_writes_right_files_too(tmp_path: Path) -> None:
    f = graphc.load(forged(tmp_path / "f", lambda g: None))
    assert f(np.zeros(2)).tolist() == [4.0]


def npy(value: Any, **arguments: Any) -> bytes:
    data = io.BytesIO()
    np.save(data, value, **arguments)
    return data.getvalue()


def test_forged_arrays_are_refused(tmp_path: Path) -> None:
    huge = npy(np.zeros(1)).replace(b"(1,)", b"(9,)")
    for content, what in [
        (npy(np.array([None]), allow_pickle=True), "not as long as it says"),
        (huge, "not as long as it says"),
        (npy(np.zeros(3))[:-1], "not as long"),
        (b"", "makes no sense"),
        (npy(np.zeros(3, "complex64")), "makes no sense"),
    ]:
        with pytest.raises(errors.FileFormatError, match=what):
            graphc.load(forged(tmp_path / "f", lambda g: None, {"arrays/0.npy": content}))


def test_forged_containers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "f"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("graph.json", "[" * 100_000)
    with pytest.raises(errors.FileFormatError, match="compressed"):
        graphc.load(signed(path, content.getvalue()))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("graph.json", "[" * 100_000)
    for body in (content.getvalue(), b"not a zip", b""):
        with pytest.raises(errors.FileFormatError, match="makes no sense"):
            graphc.load(signed(path, body))


def test_a_deep_graph_is_saved_and_loaded(tmp_path: Path) -> None:
    x = T.dscalar("x")
    y = x
    for _ in range(3000):
        y = T.sin(y) + 1
    f = graphc.function([x], y, mode="FAST_COMPILE")
    f.save(tmp_path / "f")
    assert graphc.load(tmp_path / "f")(0.5) == f(0.5)
