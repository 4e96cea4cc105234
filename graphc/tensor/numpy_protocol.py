"""NumPy's functions on expressions: ``np.exp(x)`` and ``np.concatenate([x, y])`` build graphs.

NumPy hands a call over to `array_ufunc` or `array_function` when an expression is among its
arguments. Two tables say which function of the language it means; what they do not name is refused.
So is everything that asks for memory of its own, such as ``out=``: an expression has none.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError, GraphcValueError, NotSupportedError, message
from graphc.ir.node import Node, as_node, operand
from graphc.ir.source import here
from graphc.ir.types import LANGUAGE

UFUNCS = {
    "absolute": "abs_",
    "fabs": "abs_",
    "bitwise_and": "and_",
    "bitwise_invert": "invert",
    "bitwise_left_shift": "left_shift",
    "bitwise_or": "or_",
    "bitwise_right_shift": "right_shift",
    "bitwise_xor": "xor",
    "conjugate": "conj",
    "divide": "true_div",
    "equal": "eq",
    "float_power": "pow",
    "floor_divide": "int_div",
    "greater": "gt",
    "greater_equal": "ge",
    "invert": "invert",
    "less": "lt",
    "less_equal": "le",
    "multiply": "mul",
    "negative": "neg",
    "not_equal": "neq",
    "positive": "copy",
    "power": "pow",
    "remainder": "mod",
    "sign": "sgn",
    "square": "sqr",
    "subtract": "sub",
    "true_divide": "true_div",
}
"""Ufuncs that go by another name here. Others mean the function of the same name."""

FOLDS = {
    ("add", "reduce"): "sum",
    ("multiply", "reduce"): "prod",
    ("maximum", "reduce"): "max",
    ("minimum", "reduce"): "min",
    ("logical_and", "reduce"): "all",
    ("logical_or", "reduce"): "any",
    ("add", "accumulate"): "cumsum",
    ("multiply", "accumulate"): "cumprod",
    ("multiply", "outer"): "outer",
}
"""Methods of ufuncs."""


def array_ufunc(
    node: Node, ufunc: Any, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Build what a ufunc means, for ``Node.__array_ufunc__``."""
    name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    keywords = _without_memory(name, kwargs, node)
    dtype = keywords.pop("dtype", None)
    if method == "__call__":
        if ufunc.__name__ == "float_power":
            args = tuple(LANGUAGE["cast"](as_node(x), "float64") for x in args)
        word = UFUNCS.get(ufunc.__name__, ufunc.__name__)
    else:
        word = FOLDS.get((ufunc.__name__, method), "")
        if method in ("reduce", "accumulate") and len(args) == 1:
            keywords.setdefault("axis", 0)
    builder = LANGUAGE.get(word)
    if builder is None or (method == "outer" and any(as_node(x).ndim != 1 for x in args)):
        raise _refused(name, node)
    made = _built(name, builder, args, keywords, node)
    if dtype is None:
        return made
    if isinstance(made, tuple):
        return tuple(LANGUAGE["cast"](part, dtype) for part in made)
    return LANGUAGE["cast"](made, dtype)


def array_function(node: Node, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Build what a function of NumPy means, for ``Node.__array_function__``."""
    home = (function.__module__ or "").removeprefix("numpy").lstrip(".")
    name = f"{home}.{function.__name__}" if home in ("linalg", "fft") else function.__name__
    shown = next((leaf for leaf in _nodes((args, kwargs))), node)
    meaning = FUNCTIONS.get(name)
    builder = meaning if callable(meaning) else LANGUAGE.get(meaning or "")
    if builder is None:
        raise _refused(name, shown)
    keywords = _without_memory(name, kwargs, shown)
    return _built(name, builder, args, keywords, shown)


def _nodes(values: Any) -> list[Node]:
    found: list[Node] = []
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Node):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            waiting.extend(reversed(value))
        elif isinstance(value, dict):
            waiting.extend(reversed(list(value.values())))
    return found


def _built(
    name: str,
    builder: Callable[..., Any],
    args: tuple[Any, ...],
    keywords: dict[str, Any],
    node: Node,
) -> Any:
    try:
        return builder(*args, **keywords)
    except TypeError as error:
        if isinstance(error, GraphcTypeError) or "argument" not in str(error):
            raise
        what = f"numpy.{name} of an expression does not take this: {error}"
        raise GraphcTypeError(message(what, [operand(node)], here())) from error


def _without_memory(name: str, keywords: dict[str, Any], node: Node) -> dict[str, Any]:
    """Return keywords without those that say nothing; refuse those that ask for memory."""
    kept = {}
    for key, value in keywords.items():
        if key in ("out", "where") and value is not None and value is not np._NoValue:
            what = f"numpy.{name} of an expression takes no {key}="
            hint = (
                "an expression has no memory to write to: use what is returned; x += y on an array"
                "\nasks for out=, too: write x = x + y"
                if key == "out"
                else "T.switch(condition, new, old) chooses at every point"
            )
            raise NotSupportedError(message(what, [operand(node)], here(), hint))
        if key in ("initial", "casting", "order", "subok", "like") and value not in _USUAL:
            what = f"numpy.{name} of an expression takes no {key}="
            raise NotSupportedError(message(what, [operand(node)], here()))
        if key not in _SILENT and value is not np._NoValue:
            kept[key] = value
    return kept


_USUAL = (None, np._NoValue, "same_kind", "K", "C", True)
_SILENT = ("out", "where", "initial", "casting", "order", "subok", "like")


def _refused(name: str, node: Node) -> NotSupportedError:
    return NotSupportedError(
        message(
            f"numpy.{name} of an expression builds no graph",
            [operand(node)],
            here(),
            "the functions of graphc.tensor do; x.eval({...}) gives an array to call it with",
        )
    )


# -- functions whose arguments differ -------------------------------------------------------------


def _say(word: str) -> Callable[..., Any]:
    """Return a call of the language by name, for adapters below."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if word not in LANGUAGE:
            raise NotSupportedError(message(f"{word} is not there yet", (), here()))
        return LANGUAGE[word](*args, **kwargs)

    return call


def _axis_of_all(word: str) -> Callable[..., Any]:
    """Return a function that works on the flat array if no axis is named."""

    def call(a: Any, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
        a = as_node(a)
        if axis is None:
            a, axis = LANGUAGE["flatten"](a), 0
        return _say(word)(a, *args, axis=axis, **kwargs)

    return call


def _stacked(axis: int, least: Callable[[Any], Any]) -> Callable[..., Any]:
    def call(tup: Any, dtype: Any = None) -> Any:
        parts = [least(as_node(part)) for part in tup]
        along = 0 if axis == 1 and parts[0].ndim == 1 else axis
        made = LANGUAGE["concatenate"](parts, axis=along)
        return made if dtype is None else LANGUAGE["cast"](made, dtype)

    return call


def _at_least_1d(x: Any) -> Any:
    return x if x.ndim else LANGUAGE["reshape"](x, (1,))


def _at_least_2d(x: Any) -> Any:
    x = _at_least_1d(x)
    return x if x.ndim > 1 else LANGUAGE["dimshuffle"](x, "x", 0)


def _column(x: Any) -> Any:
    return x if x.ndim > 1 else LANGUAGE["dimshuffle"](_at_least_1d(x), 0, "x")


def _each(function: Callable[[Any], Any]) -> Callable[..., Any]:
    def call(*arrays: Any) -> Any:
        made = tuple(function(as_node(x)) for x in arrays)
        return made[0] if len(made) == 1 else made

    return call


def _where(condition: Any, *branches: Any) -> Any:
    if not branches:
        return _say("nonzero")(condition)
    return LANGUAGE["switch"](condition, *branches)


def _concatenate(arrays: Any, axis: Any = 0, dtype: Any = None) -> Any:
    if axis is None:
        arrays, axis = [LANGUAGE["flatten"](as_node(x)) for x in arrays], 0
    made = LANGUAGE["concatenate"](list(arrays), axis=axis)
    return made if dtype is None else LANGUAGE["cast"](made, dtype)


def _stack(arrays: Any, axis: int = 0, dtype: Any = None) -> Any:
    made = LANGUAGE["stack"](list(arrays), axis=axis)
    return made if dtype is None else LANGUAGE["cast"](made, dtype)


def _moveaxis(a: Any, source: Any, destination: Any) -> Any:
    a = as_node(a)
    pairs = [
        [
            int(i) + a.ndim * (i < 0)
            for i in (places if isinstance(places, (list, tuple)) else [places])
        ]
        for places in (source, destination)
    ]
    order: list[Any] = [None] * a.ndim
    if len(pairs[0]) != len(pairs[1]) or any(not 0 <= i < a.ndim for p in pairs for i in p):
        raise GraphcValueError(
            message(f"moveaxis from {source} to {destination}", [operand(a)], here())
        )
    for old, new in zip(*pairs, strict=True):
        order[new] = old
    rest = iter(i for i in range(a.ndim) if i not in pairs[0])
    return LANGUAGE["transpose"](a, [next(rest) if i is None else i for i in order])


def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Return the parts of an array, cut in so many equal ones or at these places."""
    ary = as_node(ary)
    size = ary.type.shape[axis]
    if isinstance(indices_or_sections, int):
        if size is None:
            size = ary.shape[axis]
            if indices_or_sections != 1:
                raise NotSupportedError(
                    message(
                        "numpy.split into equal parts needs a size that is known before the call",
                        [operand(ary)],
                        here(),
                        "cut at places: x[:n], x[n:]; or T.split(x, sizes, n_splits, axis)",
                    )
                )
        elif size % indices_or_sections:
            raise GraphcValueError(
                message(
                    f"{size} elements do not divide into {indices_or_sections} equal parts",
                    [operand(ary)],
                    here(),
                )
            )
        step = size // indices_or_sections
        places = [step * i for i in range(1, indices_or_sections)]
    else:
        places = list(indices_or_sections)
    before = (slice(None),) * (axis + ary.ndim if axis < 0 else axis)
    ends = [None, *places, None]
    return [ary[(*before, slice(a, b))] for a, b in itertools.pairwise(ends)]


def _clip(a: Any, a_min: Any = None, a_max: Any = None, **named: Any) -> Any:
    low, high = named.pop("min", a_min), named.pop("max", a_max)
    return LANGUAGE["clip"](as_node(a), low, high, **named)


def _shape(a: Any) -> Any:
    return as_node(a).shape


def _size(a: Any, axis: Any = None) -> Any:
    return as_node(a).size if axis is None else as_node(a).shape[axis]


def _average(a: Any, axis: Any = None, weights: Any = None, *, keepdims: bool = False) -> Any:
    if weights is None:
        return LANGUAGE["mean"](a, axis=axis, keepdims=keepdims)
    a, weights = as_node(a), as_node(weights)
    if weights.ndim == 1 and a.ndim > 1:
        if not isinstance(axis, int):
            raise GraphcTypeError(
                message("weights of one axis need that axis", [operand(a)], here())
            )
        pattern: list[Any] = ["x"] * a.ndim
        pattern[axis] = 0
        weights = LANGUAGE["dimshuffle"](weights, *pattern)
    total = LANGUAGE["sum"](
        LANGUAGE["broadcast_to"](weights, a.shape), axis=axis, keepdims=keepdims
    )
    return LANGUAGE["sum"](a * weights, axis=axis, keepdims=keepdims) / total


def _round(a: Any, decimals: int = 0) -> Any:
    if decimals:
        raise NotSupportedError(
            message(
                "numpy.round of an expression rounds to whole numbers only", [operand(a)], here()
            )
        )
    return _say("round")(a)


def _sorted(word: str) -> Callable[..., Any]:
    def call(a: Any, axis: Any = -1, kind: Any = None, *, stable: Any = None) -> Any:
        return _say(word)(a, axis)

    return call


def _reshape(a: Any, shape: Any = None, **named: Any) -> Any:
    return LANGUAGE["reshape"](as_node(a), named.pop("newshape", shape), **named)


def _squeeze(a: Any, axis: Any = None) -> Any:
    return LANGUAGE["squeeze"](as_node(a), axis)


def _transpose(a: Any, axes: Any = None) -> Any:
    return LANGUAGE["transpose"](as_node(a), *(() if axes is None else (axes,)))


FUNCTIONS: dict[str, str | Callable[..., Any]] = {
    # the same name and the same arguments
    **{
        name: name
        for name in (
            *("all", "any", "argmax", "argmin", "max", "mean", "min", "prod", "ptp", "std", "sum"),
            *(
                "var",
                "allclose",
                "isclose",
                "bincount",
                "broadcast_to",
                "choose",
                "diag",
                "diagonal",
            ),
            *("diff", "dot", "einsum", "expand_dims", "full_like", "inner", "kron", "nonzero"),
            *("ones_like", "outer", "ravel", "repeat", "roll", "searchsorted", "swapaxes", "take"),
            *("tensordot", "tile", "trace", "tril", "triu", "unique", "vdot", "zeros_like", "flip"),
            *(
                "fliplr",
                "flipud",
                "rot90",
                "rollaxis",
                "take_along_axis",
                "flatnonzero",
                "linspace",
                "logspace",
            ),
            *("compress", "meshgrid", "pad", "ravel_multi_index", "unravel_index"),
        )
    },
    "amax": "max",
    "amin": "min",
    "empty_like": "zeros_like",
    "permute_dims": _transpose,
    "i0": "i0",
    "ix_": "ix_",
    "linalg.outer": "outer",
    "linalg.trace": "trace",
    "linalg.cholesky": "cholesky",
    "linalg.det": "det",
    "linalg.eigh": "eigh",
    "linalg.eigvalsh": "eigvalsh",
    "linalg.inv": "matrix_inverse",
    "linalg.lstsq": "lstsq",
    "linalg.matrix_power": "matrix_power",
    "linalg.norm": "linalg_norm",
    "linalg.pinv": "pinv",
    "linalg.qr": "qr",
    "linalg.slogdet": "slogdet",
    "linalg.solve": "solve",
    "linalg.svd": "svd",
    "linalg.tensorinv": "tensorinv",
    "linalg.tensorsolve": "tensorsolve",
    "linalg.multi_dot": lambda arrays: _product(arrays),
    # other arguments
    "argsort": _sorted("argsort"),
    "around": _round,
    "atleast_1d": _each(_at_least_1d),
    "atleast_2d": _each(_at_least_2d),
    "average": _average,
    "clip": _clip,
    "column_stack": _stacked(1, _column),
    "concatenate": _concatenate,
    "copy": as_node,
    "cumprod": _axis_of_all("cumprod"),
    "cumsum": _axis_of_all("cumsum"),
    "hstack": _stacked(1, _at_least_1d),
    "imag": lambda val: LANGUAGE["zeros_like"](val),
    "moveaxis": _moveaxis,
    "ndim": lambda a: as_node(a).ndim,
    "real": as_node,
    "reshape": _reshape,
    "round": _round,
    "shape": _shape,
    "size": _size,
    "sort": _sorted("sort"),
    "split": _split,
    "squeeze": _squeeze,
    "stack": _stack,
    "transpose": _transpose,
    "matrix_transpose": lambda x: LANGUAGE["swapaxes"](x, -1, -2),
    "vstack": _stacked(0, _at_least_2d),
    "where": _where,
}
"""Functions, by name in ``numpy``; a word is a function of the language with the same arguments."""


def _product(arrays: Any) -> Any:
    first, *rest = arrays
    for array in rest:
        first = LANGUAGE["dot"](first, array)
    return first
