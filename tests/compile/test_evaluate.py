"""x.eval({...})."""

import numpy as np
import pytest

import graphc
import graphc.tensor as T


def test_eval_by_input_and_by_name_and_again() -> None:
    x, y = T.dvector("x"), T.dscalar("y")
    z = x * y + graphc.shared(1.0)
    assert z.eval({x: [1, 2], "y": 3.0}).tolist() == [4.0, 7.0]
    assert z.eval({x: np.ones(1), y: 3.0}).tolist() == [4.0]
    assert (T.constant(2.0) * 3).eval() == 6.0


def test_eval_without_a_value_or_with_a_wrong_name_is_an_error() -> None:
    x = T.dvector("x")
    with pytest.raises(graphc.errors.MissingInputError, match="x : float64"):
        (x + 1).eval()
    with pytest.raises(graphc.errors.MissingInputError, match="no input named 'y'"):
        (x + 1).eval({"y": 1.0})
