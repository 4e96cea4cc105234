"""Loops of every kind, as a product of their features; what each gives by a loop in Python.

All loops work on the same few vectors of two elements, so that many of them share a compiled
function and most of them share their kernels.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphc
import graphc.tensor as T
from graphc.random import RandomStreams

Taps = tuple[int, ...]

SEQUENCES: tuple[tuple[Taps, ...], ...] = ((), ((0,),), ((-1, 1),), ((0,), (0,)), ((-2, 0), (1,)))
STATES: tuple[tuple[Taps | None, ...], ...] = (
    (None,),
    ((-1,),),
    ((-3, -1),),
    ((-1,), (-2,)),
    ((-2, -1), None, (-1,), (-1, -3)),
)
STEPS = ("derived", "given", "zero", "symbolic")
FLAGS = ("until", "backwards", "updates", "nested", "random")
GIVEN, SYMBOLIC = 3, 4  # steps
BOUND = 0.2  # of the first element of the first output, where loops with until stop
WIDTH = 2


@dataclass(frozen=True)
class Case:
    """One loop.

    Attributes
    ----------
    sequences, states : tuple
        The taps of each; None for an output that is not fed back.
    constants : int
        How many non-sequences there are.
    steps : str
        What says how many steps there are.
    flags : frozenset of str
    linear : bool
        Whether states are sums, to which each step adds something.
    """

    sequences: tuple[Taps, ...]
    states: tuple[Taps | None, ...]
    constants: int
    steps: str
    flags: frozenset[str]
    linear: bool = False

    def __str__(self) -> str:
        def texts(taps: Sequence[Taps | None]) -> str:
            return "/".join(
                "none" if one is None else "".join(f"{t:+d}" for t in one) for one in taps
            )

        flags = "".join(f"-{flag}" for flag in FLAGS if flag in self.flags)
        sequences = texts(self.sequences) or "no"
        flags += "-linear" * self.linear
        return f"x[{sequences}]-y[{texts(self.states)}]-w{self.constants}-{self.steps}{flags}"

    @property
    def features(self) -> set[tuple[str, Any]]:
        """Everything that makes this case what it is."""
        found = {("sequences", self.sequences), ("states", self.states), ("steps", self.steps)}
        found |= {("constants", self.constants), ("linear", self.linear)}
        return found | {(flag, flag in self.flags) for flag in FLAGS}

    @property
    def makes_sense(self) -> bool:
        """Whether something says how many steps there are, and what goes backwards."""
        if not self.sequences:
            return self.steps != "derived" and "backwards" not in self.flags
        return True


def cases() -> list[Case]:
    """Return all loops: every combination with at most one flag, and some with more."""
    single = [frozenset[str](), *(frozenset((flag,)) for flag in FLAGS)]
    found = [
        Case(sequences, states, constants, steps, flags, bool((i + k) % 2))
        for (i, sequences), (k, states), flags, steps in itertools.product(
            enumerate(SEQUENCES), enumerate(STATES), single, STEPS
        )
        for constants in [(i + 2 * k) % 3]
    ]
    found += list(_with_more_flags())
    return list(dict.fromkeys(case for case in found if case.makes_sense))


def _with_more_flags() -> Iterator[Case]:
    """Yield loops with two flags and more, each with other sequences, states and steps."""
    places = itertools.count()
    for size in range(2, len(FLAGS) + 1):
        for chosen in itertools.combinations(FLAGS, size):
            for _ in range(4):
                i = next(places)
                yield Case(
                    SEQUENCES[1 + i % 4],
                    STATES[(i * 3 + i // 5) % 5],
                    i % 3,
                    STEPS[(i // 2) % 4],
                    frozenset(chosen),
                    bool(i % 2),
                )


# -- inputs ---------------------------------------------------------------------------------------

X = [T.dmatrix("x0"), T.dmatrix("x1")]
INITIAL = [T.dmatrix(f"h{k}") for k in range(4)]
W = [T.dvector("w0"), T.dvector("w1")]
C, N = T.dvector("c"), T.lscalar("n")
S = graphc.shared(np.array([0.2, -0.3]), "s")
FLOATS = [*X, *INITIAL, *W, C]
LENGTHS = (7, 6)


def data(seed: int = 71) -> dict[Any, np.ndarray]:
    """Return a value for each input, and for the shared variable."""
    rng = np.random.default_rng(seed)
    shapes = [(n, WIDTH) for n in LENGTHS] + [(3, WIDTH)] * 4 + [(WIDTH,)] * 3
    found = {x: rng.uniform(-1, 1, shape) for x, shape in zip(FLOATS, shapes, strict=True)}
    return {**found, S: S.get_value(), N: np.array(SYMBOLIC)}


# -- what a step computes: by NumPy, or as an expression ------------------------------------------


def mix(args: Sequence[Any], k: int, tanh: Any, case: Case) -> Any:
    """Return output k of a step: it depends on each argument in another way, and on products.

    A sum goes on from the first state that the step gets, if there is one.
    """
    first = min(sum(map(len, case.sequences)), len(args) - 1) if case.linear else -1
    total = 0.1 * args[0] * args[-1]
    for i, arg in enumerate(args):
        if i != first:
            total = total + arg * (0.9 / (1 + (i + 2 * k) % 5))
    return args[first] + 0.1 * total if case.linear else tanh(total)


def inner_step(one: Any, total: Any) -> Any:
    """Return what the loop in a loop makes of an element."""
    return total * 0.5 + one


# -- the loop as a graph --------------------------------------------------------------------------


@dataclass
class Built:
    """A loop as a graph: a row of each output for each step, draws, and the update."""

    outs: list[Any]
    draws: Any
    update: Any

    @property
    def cost(self) -> Any:
        total = sum((k + 1) * (out**2).sum() for k, out in enumerate(self.outs))
        return total if self.update is None else total + 0.5 * (self.update**2).sum()


def build(case: Case) -> Built:
    """Return the expressions of a case."""
    stream = RandomStreams(7)
    random, nested = "random" in case.flags, "nested" in case.flags

    def step(*args: Any) -> Any:
        given = [*args, C]
        if "updates" in case.flags:
            given.append(S)
        draw = stream.uniform((WIDTH,)) if random else None
        if random:
            given.append(draw)
        if nested:
            rows, _ = graphc.scan(inner_step, given[0], T.zeros(()))
            given.append(given[-1] * rows[-1])
        outs = [mix(given, k, T.tanh, case) for k in range(len(case.states))]
        found: list[Any] = [[*outs, draw] if random else outs]
        if "updates" in case.flags:
            found.append({S: T.tanh(S + outs[0])})
        if "until" in case.flags:
            found.append(graphc.until(outs[0][0] > BOUND))
        return tuple(found) if len(found) > 1 else found[0]

    info: list[Any] = [
        None if taps is None else dict(initial=_initial(k, taps), taps=list(taps))
        for k, taps in enumerate(case.states)
    ]
    outs, updates = graphc.scan(
        step,
        [dict(input=x, taps=list(taps)) for x, taps in zip(X, case.sequences, strict=False)],
        [*info, None] if random else info,
        W[: case.constants],
        n_steps={"derived": None, "given": GIVEN, "zero": 0, "symbolic": N}[case.steps],
        go_backwards="backwards" in case.flags,
        return_list=True,
    )
    draws = outs.pop() if random else None
    return Built(outs, draws, updates.get(S))


def _initial(k: int, taps: Taps) -> Any:
    return INITIAL[k][0] if taps == (-1,) else INITIAL[k]


# -- the loop in Python ---------------------------------------------------------------------------


@dataclass
class Ran:
    """What a case gives by a loop in Python."""

    outs: list[np.ndarray]
    update: np.ndarray
    margin: float

    def cost(self, case: Case) -> float:
        total = sum((k + 1) * (out**2).sum() for k, out in enumerate(self.outs))
        update = (self.update**2).sum() if "updates" in case.flags else 0.0
        return float(total + 0.5 * update)


def run(case: Case, given: dict[Any, np.ndarray], draws: np.ndarray | None) -> Ran:
    """Return the results of a case; ``margin`` is how clearly `until` decided."""
    rows = [list(_tapped(given[x], taps)) for x, taps in zip(X, case.sequences, strict=False)]
    if "backwards" in case.flags:
        rows = [one[::-1] for one in rows]
    counts = {"given": GIVEN, "zero": 0, "symbolic": int(given[N])}
    count = counts.get(case.steps, min(map(len, rows), default=0))
    known = [
        list(given[INITIAL[k]][: 1 if taps == (-1,) else -min(taps)]) if taps else []
        for k, taps in enumerate(case.states)
    ]
    first = [len(one) for one in known]
    shared, margin = given[S], np.inf
    for t in range(count):
        args = [one for sequence in rows for one in sequence[t]]
        args += [known[k][tap] for k, taps in enumerate(case.states) for tap in taps or ()]
        args += [*(given[w] for w in W[: case.constants]), given[C]]
        if "updates" in case.flags:
            args.append(shared)
        if draws is not None:
            args.append(draws[t])
        if "nested" in case.flags:
            total = 0.0
            for one in args[0]:
                total = inner_step(one, total)
            args.append(args[-1] * total)
        outs = [mix(args, k, np.tanh, case) for k in range(len(case.states))]
        for one, out in zip(known, outs, strict=True):
            one.append(out)
        shared = np.tanh(shared + outs[0])
        if "until" in case.flags:
            margin = min(margin, abs(outs[0][0] - BOUND))
            if outs[0][0] > BOUND:
                break
    kept = [one[start:] for one, start in zip(known, first, strict=True)]
    return Ran([np.array(one).reshape(-1, WIDTH) for one in kept], shared, margin)


def _tapped(x: np.ndarray, taps: Taps) -> Iterator[list[np.ndarray]]:
    """Yield what each step gets of a sequence."""
    for place in range(-min(0, *taps, 0), len(x) - max(0, *taps, 0)):
        yield [x[place + tap] for tap in taps]
