"""Activations and losses, all of them in ``T.nnet`` itself too.

Losses are written as formulas; that their logarithms stay finite and accurate is the business of
the rewriting rules, which see sigmoid and softmax as they are.
"""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcTypeError, message
from graphc.ir import dtypes
from graphc.ir.node import Node, as_node, operand
from graphc.ir.shapes import sizes
from graphc.ir.source import here
from graphc.ops import reduce
from graphc.ops.elementwise import abs_, cast, clip, eq, maximum, minimum, where
from graphc.ops.index import place
from graphc.ops.linalg import dot
from graphc.ops.math import expm1, log, sigmoid, softplus
from graphc.ops.movement import dimshuffle, reshape
from graphc.ops.parts import iota, join
from graphc.tensor.extra_ops import unique
from graphc.tensor.reductions import argmax, sum

# -- activations ----------------------------------------------------------------------------------


def ultra_fast_sigmoid(x: Any) -> Any:
    """Return a piecewise approximation of sigmoid, off by at most 0.03; Theano's formula.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nnet.ultra_fast_sigmoid(T.dvector("x")).type
    float64[?]
    """
    half = _float(x) * 0.5
    size = abs_(half)
    curve = 1.5 * size / (1 + size)
    line = 0.935409070603099 + 0.0458812946797165 * (size - 1.7)
    bent = where(size < 1.7, curve, where(size < 3, line, 0.99505475368673))
    return 0.5 * (where(half >= 0, bent, -bent) + 1)


def hard_sigmoid(x: Any) -> Any:
    """Return ``0.2 x + 0.5`` limited to [0, 1], a straight approximation of sigmoid.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nnet.hard_sigmoid(T.dvector("x"))
    clip(x * 0.2 + 0.5, 0, 1)
    """
    return clip(_float(x) * 0.2 + 0.5, 0.0, 1.0)


def relu(x: Any, alpha: Any = 0) -> Any:
    """Return x where it is positive, and ``alpha * x`` elsewhere.

    Parameters
    ----------
    x : expression
    alpha : number or expression
        The slope below 0. With ``alpha=0`` the gradient at 0 is 1/2.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nnet.relu(T.dvector("x")), T.nnet.relu(T.dvector("x"), 0.1).type
    (maximum(x, 0), float64[?])
    """
    x = as_node(x)
    if not isinstance(alpha, Node) and alpha == 0:
        return maximum(x, 0)
    return where(x > 0, x, x * alpha)


def leaky_relu(x: Any, alpha: Any = 0.01) -> Any:
    """Return x where it is positive, and ``alpha * x`` elsewhere.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nnet.leaky_relu(T.dvector("x"), 0.2).type
    float64[?]
    """
    return relu(x, alpha)


def elu(x: Any, alpha: Any = 1) -> Any:
    """Return x where it is positive, and ``alpha * (exp(x) - 1)`` elsewhere.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nnet.elu(T.dvector("x")).type
    float64[?]
    """
    x = _float(x)
    below = expm1(minimum(x, 0))  # of the chosen side only, so that the other cannot overflow
    return where(x > 0, x, below * alpha)


def selu(x: Any) -> Any:
    """Return a scaled `elu` that keeps mean 0 and variance 1 from layer to layer.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nnet.selu(T.dvector("x")).type
    float64[?]
    """
    return 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717)


def softsign(x: Any) -> Any:
    """Return ``x / (1 + |x|)``.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nnet.softsign(T.dvector("x")).type
    float64[?]
    """
    x = _float(x)
    return x / (1 + abs_(x))


def _float(x: Any) -> Node:
    x = as_node(x)
    return cast(x, dtypes.floating(x.type.dtype))  # type: ignore[no-any-return]


def softmax(c: Any) -> Any:
    """Return exp(c) over its sum along the last axis; a vector is taken as one row, as in Theano.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nnet.softmax(T.dmatrix("m")).type, T.nnet.softmax(T.dvector("v")).type
    (float64[?, ?], float64[1, ?])
    """
    x = _rows(c)
    return reduce.softmax(x, axes=(x.type.ndim - 1,))


def logsoftmax(c: Any) -> Any:
    """Return the logarithm of `softmax`, accurate where softmax is near 0.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nnet.logsoftmax(T.dmatrix("m")).type
    float64[?, ?]
    """
    x = _rows(c)
    return reduce.log_softmax(x, axes=(x.type.ndim - 1,))


def _rows(c: Any) -> Node:
    x = as_node(c)
    return dimshuffle(x, ("x", 0)) if x.type.ndim == 1 else x


# -- losses ---------------------------------------------------------------------------------------


def binary_crossentropy(output: Any, target: Any) -> Any:
    """Return the cross-entropy between probabilities and targets, elementwise.

    Parameters
    ----------
    output : expression
        Probabilities; best written as ``T.nnet.sigmoid(z)``, which keeps the loss finite.
    target : expression
        0 or 1, or probabilities.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> z, y = T.dvectors("z y")
    >>> T.nnet.binary_crossentropy(T.nnet.sigmoid(z), y).type
    float64[?]
    """
    output, target = as_node(output), as_node(target)
    return -(target * log(output) + (1 - target) * log(1 - output))


def categorical_crossentropy(coding_dist: Any, true_dist: Any) -> Any:
    """Return the cross-entropy between predicted and true distributions, one number a row.

    Parameters
    ----------
    coding_dist : expression
        Predicted probabilities, a distribution in each row; best ``T.nnet.softmax(z)``.
    true_dist : expression
        Distributions in rows as well, or the number of the true class of each row, integers
        from 0 up to, not including, the number of classes.

    Raises
    ------
    GraphcIndexError
        When it runs: if a number is no class.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> p = T.nnet.softmax(T.dmatrix("z"))
    >>> T.nnet.categorical_crossentropy(p, T.ivector("y")).type
    float64[?]
    >>> T.nnet.categorical_crossentropy(p, T.dmatrix("q")).type
    float64[?]
    """
    coding, true = as_node(coding_dist), as_node(true_dist)
    last = coding.type.ndim - 1
    if coding.type.ndim and true.type.ndim == coding.type.ndim:
        return -sum(true * log(coding), axis=last)
    if coding.type.ndim and true.type.ndim == last and _is_classes(true):
        true = place(true, sizes(coding)[-1])
        return -sum(where(_hits(coding, true), log(coding), 0), axis=last)
    raise GraphcTypeError(
        message(
            "categorical_crossentropy: the targets are neither distributions nor classes",
            [operand(coding), operand(true)],
            here(),
            "give as many axes as the probabilities have, or integers with one axis less",
        )
    )


def sigmoid_binary_crossentropy(output: Any, target: Any) -> Any:
    """Return the cross-entropy between ``sigmoid(output)`` and targets, finite for any output.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nnet.sigmoid_binary_crossentropy(*T.dvectors("z y")).type
    float64[?]
    """
    output, target = _float(output), as_node(target)
    return target * softplus(-output) + (1 - target) * softplus(output)


def softmax_with_bias(x: Any, b: Any) -> Any:
    """Return the softmax of each row of ``x + b``.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> T.nnet.softmax_with_bias(T.dmatrix("x"), T.dvector("b")).type
    float64[?, ?]
    """
    return softmax(as_node(x) + b)


def crossentropy_softmax_argmax_1hot_with_bias(x: Any, b: Any, y_idx: Any) -> Any:
    """Return the cross-entropy of each row with its class, the softmax, and the largest's place.

    Parameters
    ----------
    x : expression (rows, classes)
        Scores.
    b : expression (classes)
        Is added to each row of the scores.
    y_idx : expression (rows), integer
        The true classes.

    Returns
    -------
    tuple
        The negative logarithm of the probability of the true class of each row; the
        probabilities; the most probable class of each row.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x, b, y = T.dmatrix("x"), T.dvector("b"), T.ivector("y")
    >>> nll, p, best = T.nnet.crossentropy_softmax_argmax_1hot_with_bias(x, b, y)
    >>> nll.type, p.type, best.type
    (float64[?], float64[?, ?], int64[?])
    """
    scores = as_node(x) + b
    p = softmax(scores)
    return categorical_crossentropy(p, y_idx), p, argmax(scores, axis=-1)


def crossentropy_softmax_1hot_with_bias(x: Any, b: Any, y_idx: Any) -> Any:
    """Return the first two of `crossentropy_softmax_argmax_1hot_with_bias`.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x, b, y = T.dmatrix("x"), T.dvector("b"), T.ivector("y")
    >>> len(T.nnet.crossentropy_softmax_1hot_with_bias(x, b, y))
    2
    """
    return crossentropy_softmax_argmax_1hot_with_bias(x, b, y_idx)[:2]


def crossentropy_softmax_1hot(x: Any, y_idx: Any) -> Any:
    """Return the cross-entropy of each row of scores with its class, and the softmax.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> nll, p = T.nnet.crossentropy_softmax_1hot(T.dmatrix("x"), T.ivector("y"))
    >>> nll.type
    float64[?]
    """
    p = softmax(x)
    return categorical_crossentropy(p, y_idx), p


def crossentropy_categorical_1hot(coding_dist: Any, true_one_of_n: Any) -> Any:
    """Return `categorical_crossentropy` under the name of Theano's op.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> p = T.nnet.softmax(T.dmatrix("z"))
    >>> T.nnet.crossentropy_categorical_1hot(p, T.ivector("y")).type
    float64[?]
    """
    return categorical_crossentropy(coding_dist, true_one_of_n)


def h_softmax(
    x: Any,
    batch_size: Any,
    n_outputs: int,
    n_classes: int,
    n_outputs_per_class: int,
    W1: Any,
    b1: Any,
    W2: Any,
    b2: Any,
    target: Any = None,
) -> Any:
    """Return probabilities of outputs that are sorted into classes: of a class, and within it.

    Parameters
    ----------
    x : expression (batch, features)
    batch_size : int or expression
        Accepted as in Theano; it is the first size of x.
    n_outputs, n_classes, n_outputs_per_class : int
        ``n_classes * n_outputs_per_class`` may be more than ``n_outputs``: the last ones are none.
    W1, b1 : expression (features, classes) and (classes)
    W2, b2 : expression (classes, features, outputs of a class) and (classes, outputs of a class)
    target : expression (batch), integer, optional
        The output of which the probability is asked for, in each row.

    Returns
    -------
    expression
        (batch), or (batch, n_outputs) without a target.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> x, w1, b1, w2, b2 = T.dmatrix(), T.dmatrix(), T.dvector(), T.dtensor3(), T.dmatrix()
    >>> T.nnet.h_softmax(x, 8, 10, 4, 3, w1, b1, w2, b2, T.lvector("y")).type
    float64[?]
    """
    x, w2, b2 = as_node(x), as_node(W2), as_node(b2)
    of_class = softmax(dot(x, W1) + b1)
    rows = iota(sizes(x)[0])
    if target is None:
        scores = sum(dimshuffle(x, (0, "x", 1, "x")) * w2, axis=2) + b2
        p = reduce.softmax(scores, axes=(2,)) * dimshuffle(of_class, (0, 1, "x"))
        flat = reshape(p, (sizes(x)[0], n_classes * n_outputs_per_class))
        return flat[:, :n_outputs]
    place = as_node(target)
    outer, inner = place // n_outputs_per_class, place % n_outputs_per_class
    scores = sum(dimshuffle(x, (0, 1, "x")) * w2[outer], axis=1) + b2[outer]
    return of_class[rows, outer] * softmax(scores)[rows, inner]


def confusion_matrix(actual: Any, pred: Any) -> Any:
    """Return how often each class was taken for each, and the classes in the order they have.

    Parameters
    ----------
    actual, pred : expression (samples), integer

    Returns
    -------
    list
        The matrix, of which a row is an actual class and a column a predicted one; the classes.

    Examples
    --------
    >>> import graphc.tensor as T
    >>> matrix, order = T.nnet.confusion_matrix(*T.lvectors("actual pred"))
    >>> matrix.type, order.type
    (int64[?, ?], int64[?])
    """
    actual, pred = as_node(actual), as_node(pred)
    if actual.type.ndim != 1 or pred.type.ndim != 1:
        raise GraphcTypeError(
            message("confusion_matrix takes vectors", [operand(actual), operand(pred)], here())
        )
    order = unique(join(0, [actual, pred]))
    row = dimshuffle(order, ("x", 0))
    of_actual = cast(eq(dimshuffle(actual, (0, "x")), row), dtypes.INDEX)
    of_pred = cast(eq(dimshuffle(pred, (0, "x")), row), dtypes.INDEX)
    return [dot(dimshuffle(of_actual, (1, 0)), of_pred), order]


def _is_classes(true: Node) -> bool:
    return dtypes.kind(true.type.dtype) in ("int", "uint")


def _hits(coding: Node, true: Node) -> Node:
    """Return where each row has its true class: 1 of n without the n ones and zeros in memory."""
    last = coding.type.ndim - 1
    classes = dimshuffle(iota(sizes(coding)[last]), [*["x"] * last, 0])
    return eq(classes, dimshuffle(true, [*range(last), "x"]))  # type: ignore[no-any-return]


__all__ = [
    "binary_crossentropy",
    "categorical_crossentropy",
    "confusion_matrix",
    "crossentropy_categorical_1hot",
    "crossentropy_softmax_1hot",
    "crossentropy_softmax_1hot_with_bias",
    "crossentropy_softmax_argmax_1hot_with_bias",
    "elu",
    "h_softmax",
    "hard_sigmoid",
    "leaky_relu",
    "logsoftmax",
    "relu",
    "selu",
    "sigmoid",
    "sigmoid_binary_crossentropy",
    "softmax",
    "softmax_with_bias",
    "softplus",
    "softsign",
    "ultra_fast_sigmoid",
]
