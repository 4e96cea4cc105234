"""Exact messages of the common mistakes: what is wrong, the operands, the line, what to do."""

from __future__ import annotations

import linecache
from pathlib import Path

import numpy as np
import pytest

import graphc
import graphc.tensor as T
import mistakes_in_calls
import mistakes_in_expressions
from graphc import errors
from mistakes_in_expressions import Mistake

MISTAKES = mistakes_in_expressions.MISTAKES + mistakes_in_calls.MISTAKES


def last_error(program: str, folder: Path) -> Exception:
    """Run a program from a file of its own, and return what it raises."""
    path = folder / "train.py"
    path.write_text(program, encoding="utf-8")
    linecache.checkcache()
    try:
        exec(compile(program, str(path), "exec"), {"np": np, "graphc": graphc, "T": T})
    except errors.GraphcError as error:
        return error
    raise AssertionError("the program runs")


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.title for mistake in MISTAKES])
def test_messages(mistake: Mistake, tmp_path: Path) -> None:
    error = last_error(mistake.program.strip() + "\n", tmp_path)
    assert str(error) == mistake.message.strip("\n")
    assert type(error).__name__ == mistake.error


BUILTINS = {
    errors.GraphcTypeError: TypeError,
    errors.DTypeError: TypeError,
    errors.ShapeError: ValueError,
    errors.GraphcValueError: ValueError,
    errors.GraphcIndexError: IndexError,
    errors.LinearAlgebraError: np.linalg.LinAlgError,
    errors.MissingInputError: TypeError,
    errors.UnusedInputError: ValueError,
    errors.DisconnectedInputError: ValueError,
    errors.NotSupportedError: NotImplementedError,
    errors.DeviceError: RuntimeError,
    errors.RuleError: RuntimeError,
    errors.InternalError: AssertionError,
}


@pytest.mark.parametrize(("own", "builtin"), BUILTINS.items(), ids=lambda kind: kind.__name__)
def test_every_error_is_graphcs_and_pythons(own: type, builtin: type) -> None:
    assert issubclass(own, errors.GraphcError)
    assert issubclass(own, builtin)


def test_a_shape_error_on_a_backend_leaves_shared_variables_alone(backend: str) -> None:
    x, w = T.dvector("x"), graphc.shared(np.zeros(3), "w")
    f = graphc.function([x], T.sum(x), updates=[(w, w + x)], backend=backend)
    with pytest.raises(errors.ShapeError, match="add: sizes 3 and 4 differ"):
        f(np.ones(4))
    np.testing.assert_array_equal(w.get_value(), np.zeros(3))
    f(np.ones(3))
    np.testing.assert_array_equal(w.get_value(), np.ones(3))
