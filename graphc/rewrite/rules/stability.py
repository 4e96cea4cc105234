# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False
"""Forms that keep their accuracy where the written ones overflow, vanish or cancel.

Here, and only here, a rule may bring in an expensive op for the sake of accuracy. No rule goes the
other way: ``softplus(-x)`` does not become ``softplus(x) - x``, nor ``sigmoid(-x)``
``1 - sigmoid(x)``.
"""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops.elementwise import abs_, pow
from graphc.ops.math import exp, expm1, log, log1p, sigmoid, softplus, sqrt
from graphc.ops.reduce import log_softmax, logsumexp, softmax
from graphc.ops.reduce import sum as sum_
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


@rule
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
        softmax(x, axes=compute(_if_put_back)),
    )


@rule
def softmax_of_all(x, p: Attr):
    """exp(x) overflows for large x, and inf / inf is nan; softmax does not."""
    return exp(x) / sum_(exp(x), axes=p), softmax(x, axes=compute(_if_all))


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
        log_softmax(x, axes=compute(_if_put_back)),
    )


@rule
def log_softmax_of_all(x, p: Attr):
    """x - logsumexp(x) cancels where one x is far above the others; log_softmax does not."""
    return x - logsumexp(x, axes=p), log_softmax(x, axes=compute(_if_all))


@rule
def exp_log_softmax(x, p: Attr):
    """The exponential undoes the logarithm."""
    return exp(log_softmax(x, axes=p)), softmax(x, axes=p)


RULES = table(globals())
