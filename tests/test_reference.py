"""The generated pages say what the tables say, and the tables have no hole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from graphc.ir.op import OPS
from graphc.rewrite.pipeline import PIPELINE
from op_samples import rows

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))

import reference  # noqa: E402 - the generator lies beside the pages
import reference_names as names  # noqa: E402
import reference_numpy  # noqa: E402
import reference_ops as ops  # noqa: E402
import reference_rules as rules  # noqa: E402
import reference_theano  # noqa: E402

RULES = list(dict.fromkeys(rule for phase in PIPELINE for rule in phase.rules))
PRINT = "import sys, reference; sys.stdout.write(reference.PAGES[sys.argv[1]]())"


@pytest.mark.parametrize("name", reference.PAGES)
def test_pages_are_what_the_tables_say(name: str) -> None:
    """In a process of its own: expressions that other tests made must not matter."""
    command = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(DOCS)!r}); {PRINT}",
        name,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert (DOCS / name).read_text(encoding="utf-8") == done.stdout, "run python docs/reference.py"


@pytest.mark.parametrize("name", OPS)
def test_the_table_of_ops_has_no_hole(name: str) -> None:
    """Each row says what it computes, its gradient by something, and shows an example."""
    facts = ops.facts_of(OPS[name])
    assert OPS[name].doc.endswith(".")
    assert any(key.startswith("gradient") and text for key, text in facts.items())
    if name not in rows():
        assert facts["written"]
        return
    assert all(facts.values()), facts
    *given, result = facts["example"].splitlines()
    assert given and all(" = " in line for line in [*given, result])
    assert facts["formula"].strip("`") in result
    assert f"### `{name}`" in ops.section(OPS[name])


def test_only_what_cannot_be_applied_is_special() -> None:
    assert not set(ops.SPECIAL) & set(rows())
    assert set(ops.SPECIAL) <= set(OPS)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_table_of_rules_has_no_hole(rule: object) -> None:
    left, right = rules.sides(rule)  # type: ignore[arg-type]
    assert left.strip("`") and right.strip("`") and left != right
    assert getattr(rule, "doc", "").strip().endswith(".")
    cells = rules.row(rule).replace("\\|", "").split("|")  # type: ignore[arg-type]
    assert len(cells) == 7


def test_gradients_are_formulas() -> None:
    """A few that everybody knows."""
    assert ops.facts_of(OPS["exp"])["gradient by `x`"] in ("`exp(x) * g`", "`g * exp(x)`")
    assert ops.facts_of(OPS["sin"])["gradient by `x`"] in ("`cos(x) * g`", "`g * cos(x)`")
    assert ops.facts_of(OPS["neg"])["gradient by `x`"] == "`-g`"
    assert ops.facts_of(OPS["eq"])["gradient"] == "none: the result is discrete"


def test_the_names_that_build_an_op_are_found() -> None:
    written = ops.facts_of(OPS["true_div"])["written"]
    assert "`T.true_div`" in written and "`np.divide`" in written and "`x / y`" in written
    assert "`T.exp`" in ops.facts_of(OPS["exp"])["written"]


# -- where names went -----------------------------------------------------------------------------


def test_every_name_on_the_left_has_something_on_the_right() -> None:
    assert names.holes() == []


def test_names_that_are_found_by_looking_are_there() -> None:
    assert names.theano_target("tensor.exp") == "`graphc.tensor.exp`"
    assert names.theano_target("function") == "`graphc.function`"
    assert names.theano_target("tensor.nothing") == ""
    assert names.theano_target("tensor.cscalar").startswith("not supported: ")
    assert names.numpy_target("exp") == "`np.exp`, `T.exp`"
    assert names.numpy_target("zeros") == "`T.zeros`"
    assert names.numpy_target("nothing") == ""
    assert names.method_target("dimshuffle") == "`x.dimshuffle`"
    assert names.method_target("set_value") == "`shared.set_value`"


@pytest.mark.parametrize("name", [n for n in reference_theano.RENAMED])
def test_renamed_names_exist(name: str) -> None:
    path = reference_theano.RENAMED[name]
    if path.startswith("graphc") and name not in reference_theano.LATER:
        found = names.theano_target(name)
        assert found, f"{name} became {path}, which is not there"
    elif not path.startswith("graphc"):
        assert "`" in path


def test_names_of_numpy_are_numpys() -> None:
    for _, prefix, text in reference_numpy.NUMPY:
        for word in text.split():
            assert names.resolve(f"numpy.{prefix}{word}") is not None, f"numpy.{prefix}{word}"


def test_every_name_that_real_programs_use_is_listed() -> None:
    listed = {prefix + word for _, prefix, text in reference_theano.THEANO for word in text.split()}
    for name in USED.split():
        assert name in listed, name
    assert all(method in reference_theano.METHODS for method in USED_METHODS.split())


USED = """config.floatX shared function tensor.matrix tensor.dot tensor.sum
sandbox.rng_mrg.MRG_RandomStreams tensor.grad tensor.dmatrix tensor.sqrt tensor.argmax tensor.mean
tensor.nnet.sigmoid tensor.switch scan tensor.scalar tensor.tanh tensor.dscalar tensor.nnet.softmax
tensor.nnet.categorical_crossentropy tensor.exp tensor.max tensor.nnet.relu tensor.flatten
tensor.maximum tensor.sqr tensor.fmatrix tensor.nnet.binary_crossentropy ifelse.ifelse tensor.lt
tensor.nnet.conv.conv2d tensor.signal.downsample.max_pool_2d tensor.dvector tensor.nnet.softplus
tensor.shared_randomstreams.RandomStreams tensor.ftensor4 tensor.iscalar
tensor.nnet.ultra_fast_sigmoid tensor.tensor3 tensor.set_subtensor tensor.ivector tensor.cast
tensor.eq tensor.log tensor.zeros tensor.reshape tensor.tensor4 tensor.clip tensor.arange
tensor.vector tensor.lscalar tensor.signal.pool.pool_2d tensor.stack tensor.nnet.conv2d
tensor.minimum tensor.constant tensor.Variable tensor.concatenate tensor.as_tensor_variable
tensor.ones gof.graph.is_same_graph tensor.extra_ops.repeat Variable tensor.signal.pool.pool_3d
gradient.grad_clip clone scan_module.scan_utils.equal_computations tensor.floor tensor.matrices
tensor.mod tensor.tensordot tensor.tile tensor.TensorType tensor.addbroadcast
tensor.extra_ops.to_one_hot tensor.inc_subtensor tensor.inv tensor.nnet.conv3d
tensor.patternbroadcast tensor.vectors grad tensor.abs_ tensor.any tensor.argsort
tensor.batched_dot tensor.ceil tensor.expm1 tensor.ge tensor.min
tensor.nnet.abstract_conv.AbstractConv2d_gradInputs tensor.repeat tensor.square gof.Variable
gof.graph.inputs tensor.eye tensor.isnan tensor.mul tensor.shape_padaxis tensor.shape_padleft
tensor.shape_padright config.device tensor.unbroadcast map printing.Print
sandbox.softsign.softsign tensor.squeeze tensor.zeros_like foldl foldr gradient.disconnected_grad
sparse tensor.all tensor.argmin tensor.batched_tensordot tensor.cos
tensor.nnet.bn.batch_normalization_train tensor.nnet.conv3d2d.conv3d tensor.nnet.elu
tensor.nnet.hard_sigmoid tensor.le tensor.pow tensor.sin tensor.std tensor.transpose tensor.var
scalar.upcast tensor.Constant tensor.Lop tensor.Rop compile.SharedVariable"""
"""Names counted in books, tutorials and libraries written for Theano."""

USED_METHODS = """shape get_value dimshuffle sum mean set_value max dot ndim dtype broadcastable
reshape name astype flatten nonzero type T diagonal argmax eval transpose var min auto_name"""
