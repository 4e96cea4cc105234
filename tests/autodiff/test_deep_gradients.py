"""Deep and wide graphs are differentiated in linear time, without recursion."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import pytest

import graphc.tensor as T
from graphc.autodiff import gradients
from graphc.autodiff.cuts import trace
from graphc.gradient import grad
from graphc.ir.node import Node, const
from graphc.ir.walk import leaves, toposort

x = T.dvector("x")
s = T.dscalar("s")
MANY = 10_000

CHAINS: dict[str, Callable[[Node], Any]] = {
    "tanh": T.tanh,
    "a shared root at each step": lambda n: n * n * 0.5 + n,
    "a scalar at each step": lambda n: T.tanh(n * s),
    "a choice at each step": lambda n: T.switch(n > 0, n * 2, n * 3),
    "a condition inside a condition": lambda n: T.switch(x > 0, T.switch(n > 0, n * 2, 1), n),
    "views": lambda n: T.exp(n.dimshuffle("x", 0)).dimshuffle(1),
    "sums": lambda n: n * T.sum(n),
}
WIDE: dict[str, Callable[[int], Any]] = {
    "one root": lambda i: T.exp(x * float(i)),
    "a condition each": lambda i: T.switch(x > float(i), T.sin(x) * float(i), 0),
    "one condition": lambda i: T.switch(x > 0, T.sin(x) * float(i), 0),
    "a scalar each": lambda i: x * (s + float(i)),
}


def chain(step: Callable[[Node], Any], length: int) -> Node:
    node = x
    for _ in range(length):
        node = step(node)
    return T.sum(node)  # type: ignore[no-any-return]


def wide(part: Callable[[int], Any], count: int) -> Node:
    return T.sum(T.add(*[part(i) for i in range(count)]))  # type: ignore[no-any-return]


def cost_of(name: str, size: int) -> Node:
    return chain(CHAINS[name], size) if name in CHAINS else wide(WIDE[name], size)


def measured(cost: Node) -> tuple[int, float]:
    """Return how many nodes a gradient has, and how long it took."""
    wrt = [leaf for leaf in leaves([cost]) if leaf in (x, s)]
    gc.collect()
    start = time.process_time()
    found: Any = gradients([cost], [const(1.0)], wrt)
    taken = time.process_time() - start
    return len(toposort(found)), taken


@pytest.mark.parametrize("name", [*CHAINS, *WIDE])
def test_work_grows_with_size(name: str) -> None:
    """Ten times the graph is ten times the work, give or take what else the machine does."""
    (few, short), (many, long) = (measured(cost_of(name, size)) for size in (300, 3000))
    assert many < 11 * few
    assert long < 50 * short + 1


@pytest.mark.parametrize("name", ["tanh", "a choice at each step", "one root"])
def test_grad_of_large_graphs(name: str) -> None:
    g = grad(cost_of(name, MANY), x)
    assert g.type is x.type


def test_the_way_of_a_gradient_is_traced_without_recursion() -> None:
    cost = chain(T.tanh, MANY) + T.cast(chain(lambda n: n + 1.5, MANY) > s, "float64")
    assert trace([cost], s).why.endswith("is bool, and only floats pass gradients")
    assert trace([cost], x).cut is None


def test_twice() -> None:
    slope = grad(chain(T.sin, 1000), x)
    assert grad(T.sum(slope), x).type is x.type
