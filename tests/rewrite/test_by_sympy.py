"""Both sides of the rules on real numbers, computed by SymPy to 40 digits.

An oracle that shares nothing with the rules, with NumPy, or with the ops' own references.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import sympy

from graphc.interop.translation import TO_SYMPY
from graphc.rewrite.pattern import Application, Computed, Number, Variable, parts
from graphc.rewrite.rule import Rule
from rewrite.samples import CONSTANTS, TWO_SIDED

# Conditions are no numbers to subtract.
LOGIC = {"lt", "le", "gt", "ge", "eq", "neq", "and_", "or_", "xor", "invert", "where", "ifelse"}
FUNCTIONS: dict[str, Any] = {name: f for name, f in TO_SYMPY.items() if name not in LOGIC}
REALS = [sympy.Rational(*pair) for pair in ((-7, 3), (-1, 3), (2, 7), (11, 5))]
POSITIVE = [sympy.Rational(*pair) for pair in ((1, 3), (5, 7), (11, 5))]


def _covered(rule: Rule) -> bool:
    ops = [p.op.name for p in (*parts(rule.left), *parts(rule.right)) if isinstance(p, Application)]
    integers = any(getattr(p, "sort", "") in ("Integer", "Boolean") for p in parts(rule.left))
    return not integers and all(name in FUNCTIONS for name in ops)


RULES = [rule for rule in TWO_SIDED if _covered(rule)]


def _value(pattern: Any, values: dict[str, Any]) -> Any:
    if isinstance(pattern, Variable):
        return values[pattern.name]
    if isinstance(pattern, Number):
        return (
            sympy.nsimplify(pattern.value)
            if np.isfinite(pattern.value)
            else (sympy.oo * int(np.sign(pattern.value)))
        )
    if isinstance(pattern, Computed):
        seen = [np.asarray(float(values[name])) for name in pattern.names]
        return sympy.nsimplify(float(pattern.function(*seen)))
    return FUNCTIONS[pattern.op.name](*[_value(arg, values) for arg in pattern.args])


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_both_sides_are_one_number(rule: Rule) -> None:
    assert rule.left is not None
    sorts = {p.name: p.sort for p in parts(rule.left) if isinstance(p, Variable)}
    points = POSITIVE if rule.assumes else REALS
    choices = [
        [sympy.Integer(CONSTANTS.get(rule.name, {}).get(name, 2))] if sort == "Const" else points
        for name, sort in sorts.items()
    ]
    compared = 0
    for chosen in itertools.product(*choices):
        values = dict(zip(sorts, chosen, strict=True))
        left = _value(rule.left, values)
        if left.is_real is False or left in (sympy.nan, sympy.zoo):
            continue  # not defined there
        difference = sympy.N(left - _value(rule.right, values), 40)
        assert abs(difference) < 1e-35, f"{rule}: {values}"
        compared += 1
    assert compared
