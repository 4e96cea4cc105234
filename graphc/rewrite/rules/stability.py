# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Forms that keep their accuracy where the written ones overflow, vanish or cancel.

Here, and only here, a rule may bring in an expensive op for the sake of accuracy. No rule goes the
other way: ``softplus(-x)`` does not become ``softplus(x) - x``, nor ``sigmoid(-x)``
``1 - sigmoid(x)``.
"""

from __future__ import annotations

from graphc.ir.node import Node, number, rebuild
from graphc.ir.op import OPS, Kind, Op
from graphc.ops.elementwise import abs_, eq, maximum, pow, sqr, where
from graphc.ops.math import exp, expm1, log, log1p, logaddexp, sigmoid, softplus, sqrt
from graphc.ops.reduce import log_softmax, logsumexp, softmax
from graphc.ops.reduce import sum as sum_
from graphc.ops.special import erf, erfc, erfcx
from graphc.ops.trigonometry import tanh
from graphc.rewrite.pattern import Attr, compute, raw
from graphc.rewrite.rule import procedure, rule, table, uses

shuffle = raw("dimshuffle")

# -- sigmoid --------------------------------------------------------------------------------------


@rule
def sigmoid_of_exp(x):
    """exp(x) overflows to inf for large x, and inf / inf is nan; sigmoid does not."""
    return exp(x) / (exp(x) + 1), sigmoid(x)


@rule
def sigmoid_intro(x, y):
    """1 / (1 + exp(-x)) is sigmoid(x), which has a logarithm that does not vanish."""
    return y / (exp(x) + 1), y * sigmoid(-x)


@rule
def one_minus_sigmoid(x):
    """1 - sigmoid(x) cancels to 0 for large x; sigmoid(-x) keeps all digits."""
    return 1 - sigmoid(x), sigmoid(-x)


@rule
def sigmoid_minus_one(x):
    """sigmoid(x) - 1 cancels to 0 for large x; -sigmoid(-x) keeps all digits."""
    return sigmoid(x) + -1, -sigmoid(-x)


@rule
def exp_neg_softplus(x):
    """exp(-softplus(x)) is sigmoid(-x)."""
    return exp(-softplus(x)), sigmoid(-x)


# -- softplus -------------------------------------------------------------------------------------


@rule
def softplus_intro(x):
    """exp(x) overflows for large x and is lost beside 1 for small x; softplus does neither."""
    return log(exp(x) + 1), softplus(x)


@rule
def log1p_exp(x):
    """exp(x) overflows for large x; softplus does not."""
    return log1p(exp(x)), softplus(x)


@rule
def log_sigmoid(x):
    """sigmoid(x) rounds to 0 for very negative x, and its log to -inf; softplus does not."""
    return log(sigmoid(x)), -softplus(-x)


@rule
def log1p_neg_sigmoid(x):
    """1 - sigmoid(x) rounds to 0 for large x, and its log to -inf; softplus does not."""
    return log1p(-sigmoid(x)), -softplus(x)


@rule
def softplus_minus(x):
    """softplus(x) - x cancels for large x; softplus(-x) keeps all digits."""
    return softplus(x) - x, softplus(-x)


@rule
def minus_softplus(x):
    """x - softplus(x) cancels for large x; softplus(-x) keeps all digits."""
    return x - softplus(x), -softplus(-x)


@rule
def softplus_odd(x):
    """softplus(x) - softplus(-x) cancels for small x, where it is x."""
    return softplus(x) - softplus(-x), x


@rule
def softplus_odd_reversed(x):
    """softplus(-x) - softplus(x) cancels for small x, where it is -x."""
    return softplus(-x) - softplus(x), -x


@rule
def sigmoid_odds(x):
    """The quotient of p and 1 - p: the parts of it vanish where the whole does not."""
    return sigmoid(x) / sigmoid(-x), exp(x)


@rule
def sigmoid_odds_reversed(x):
    """The quotient of 1 - p and p: the parts of it vanish where the whole does not."""
    return sigmoid(-x) / sigmoid(x), exp(-x)


@rule
def tanh_intro(x):
    """2 * sigmoid(2 * x) - 1 cancels near 0; tanh keeps all digits."""
    return sigmoid(x * 2) * 2 + -1, tanh(x)


@procedure("log", when=uses("add"))
def log_of_exps(node: Node) -> Node | None:
    """exp(x) overflows for large x; the larger of two exponents is taken out of the sum.

    Ends, as two exponentials go.
    """
    left, right = node.inputs[0].inputs
    if left.op is not OPS["exp"] or right.op is not OPS["exp"]:
        return None
    x, y = left.inputs[0], right.inputs[0]
    apart = where(eq(x, y), 0, x - y)  # inf - inf is nan
    return maximum(x, y) + softplus(-abs_(apart))  # type: ignore[no-any-return]


# -- exponentials and logarithms near 1 and 0 -----------------------------------------------------


@rule
def expm1_intro(x):
    """exp(x) - 1 cancels near 0; expm1 keeps all digits."""
    return exp(x) + -1, expm1(x)


@rule
def neg_expm1_intro(x):
    """1 - exp(x) cancels near 0; expm1 keeps all digits."""
    return 1 - exp(x), -expm1(x)


@rule
def log1p_intro(x):
    """1 + x rounds small x away; log1p keeps all digits."""
    return log(x + 1), log1p(x)


@rule
def log1p_neg_intro(x):
    """1 - x rounds small x away; log1p keeps all digits."""
    return log(1 - x), log1p(-x)


@rule
def log1p_expm1(x):
    """The one undoes the other."""
    return log1p(expm1(x)), x


@rule(assumes="x is at least -1")
def expm1_log1p(x):
    """The one undoes the other."""
    return expm1(log1p(x)), x


@rule
def reciprocal_exp(x, y):
    """exp(x) overflows where exp(-x) is merely small."""
    return y / exp(x), y * exp(-x)


@rule(assumes="x is not -inf")
def log_reciprocal(x):
    """1 / x overflows for the smallest x; the logarithm of x does not."""
    return log(1 / x), -log(x)


@procedure("log", when=uses("sqr"))
def log_sqr(node: Node) -> Node | None:
    """A square overflows, or vanishes, where its root does not.

    Ends, as a square goes.
    """
    return log(abs_(node.inputs[0].inputs[0])) * 2  # type: ignore[no-any-return]


@rule
def log_sqrt(x):
    """Half the logarithm needs no root."""
    return log(sqrt(x)), log(x) * 0.5


@rule(assumes="x is positive")
def log_pow(x, y):
    """A power overflows, or vanishes, where its logarithm does not."""
    return log(pow(x, y)), log(x) * y


# -- softmax --------------------------------------------------------------------------------------


def _puts_back(p: tuple[int, ...], q: tuple[int, ...]) -> bool:
    """Tell whether q puts the axes p, which a reduction dropped, back at size 1."""
    kept = iter(range(len(q)))
    return q == tuple(-1 if axis in p else next(kept) for axis in range(len(q)))


def _if_put_back(x, p, q):
    return p if x.type.ndim == len(q) and _puts_back(p, q) else None


def _if_all(x, p):
    return p if len(p) == x.type.ndim else None


@rule
def softmax_intro(x, p: Attr, q: Attr):
    """exp(x) overflows for large x, and inf / inf is nan; softmax does not."""
    return (
        exp(x) / shuffle(sum_(exp(x), axes=p), pattern=q),
        softmax(x, axes=compute(_if_put_back, "p")),
    )


@rule
def softmax_of_all(x, p: Attr):
    """exp(x) overflows for large x, and inf / inf is nan; softmax does not."""
    return exp(x) / sum_(exp(x), axes=p), softmax(x, axes=compute(_if_all, "p"))


@rule
def logsumexp_intro(x, p: Attr):
    """exp(x) overflows for large x and vanishes for very negative x; logsumexp does neither."""
    return log(sum_(exp(x), axes=p)), logsumexp(x, axes=p)


@rule
def log_of_softmax(x, p: Attr):
    """softmax rounds to 0 for very negative x, and its log to -inf; log_softmax does not."""
    return log(softmax(x, axes=p)), log_softmax(x, axes=p)


@rule
def log_softmax_intro(x, p: Attr, q: Attr):
    """x - logsumexp(x) cancels where one x is far above the others; log_softmax does not."""
    return (
        x - shuffle(logsumexp(x, axes=p), pattern=q),
        log_softmax(x, axes=compute(_if_put_back, "p")),
    )


@rule
def log_softmax_of_all(x, p: Attr):
    """x - logsumexp(x) cancels where one x is far above the others; log_softmax does not."""
    return x - logsumexp(x, axes=p), log_softmax(x, axes=compute(_if_all, "p"))


@rule
def exp_log_softmax(x, p: Attr):
    """The exponential undoes the logarithm."""
    return exp(log_softmax(x, axes=p)), softmax(x, axes=p)


@procedure("softmax", "log_softmax", when=uses("add", "sub"), assumes="what is added is finite")
def softmax_shift(node: Node) -> Node | None:
    """What is added to all elements along the axes changes nothing; it is divided out.

    Ends, as a sum goes.
    """
    inner, axes = node.inputs[0], node.attrs["axes"]
    x, shift = inner.inputs
    if inner.op.name == "add" and not _constant_along(shift, axes):
        x, shift = shift, x
    if not _constant_along(shift, axes) or _constant_along(x, axes):
        return None
    if x.type.ndim != inner.type.ndim:
        return None
    return (softmax if node.op.name == "softmax" else log_softmax)(x, axes=axes)  # type: ignore[no-any-return]


def _constant_along(node: Node, axes: tuple[int, ...]) -> bool:
    return all(not node.type.ndim or node.type.shape[axis] == 1 for axis in axes)


# -- logarithms of parts --------------------------------------------------------------------------

_UNDER_LOG = (OPS["softmax"], OPS["sigmoid"], OPS["exp"])


def _reads(op: Op) -> bool:
    """Tell whether an op only moves numbers of its first operand."""
    return op.kind is Kind.VIEW or op.name == "gather"


@procedure("log", when=lambda children: _reads(children[0]))
def log_of_view(node: Node) -> Node | None:
    """The logarithm of a part of a softmax or sigmoid is that part of its logarithm.

    Ends, as the logarithm meets the op whose logarithm it is.
    """
    views = []
    bottom = node.inputs[0]
    while _reads(bottom.op):
        views.append(bottom)
        bottom = bottom.inputs[0]
    if bottom.op not in _UNDER_LOG:
        return None
    found: Node = log(bottom)
    for view in reversed(views):
        found = rebuild(view, (found, *view.inputs[1:]))
    return found


@procedure("sub", when=lambda children: _reads(children[1]))
def one_minus_view(node: Node) -> Node | None:
    """1 - sigmoid(x) cancels to 0 for large x, also where only a part is looked at.

    Ends, as the difference meets the sigmoid.
    """
    one, bottom = node.inputs
    views = []
    while _reads(bottom.op):
        views.append(bottom)
        bottom = bottom.inputs[0]
    if number(one) != 1 or bottom.op is not OPS["sigmoid"]:
        return None
    found: Node = sigmoid(-bottom.inputs[0])
    for view in reversed(views):
        found = rebuild(view, (found, *view.inputs[1:]))
    return found


@rule
def one_minus_erf(x):
    """1 - erf(x) cancels to 0 for large x; erfc(x) keeps all digits."""
    return 1 - erf(x), erfc(x)


@rule
def one_minus_erfc(x):
    """1 - erfc(x) cancels to 0 for small x; erf(x) keeps all digits."""
    return 1 - erfc(x), erf(x)


@rule
def erfcx_intro(x):
    """erfc(x) vanishes for large x while exp(x * x) overflows; erfcx is their product."""
    return exp(sqr(x)) * erfc(x), erfcx(x)


@rule
def logaddexp_intro(x, y):
    """Exponentials overflow and vanish where the logarithm of their sum does neither."""
    return log(exp(x) + exp(y)), logaddexp(x, y)


RULES = table(globals())
