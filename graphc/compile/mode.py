"""How much is done to a function: Theano's modes, as far as they mean something here."""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcValueError, NotSupportedError, message
from graphc.ir.source import here

_PLAIN = ("FAST_COMPILE", "fast_compile", "None", "none", "merge")
_FULL = ("FAST_RUN", "fast_run", "Mode", "default", "o1", "o2", "o3", "o4", "unsafe")
_LINKERS = ("py", "c", "c|py", "c|py_nogc", "vm", "cvm", "vm_nogc", "cvm_nogc", "c&py", "jax")

_REFUSED = {
    "debugmode": "graphc.check(f, inputs) compares what runs with what was written, node by node;"
    "\nmode='FAST_COMPILE' computes what was written",
    "nanguardmode": "return T.isnan(x).any() beside the result, or look at x.eval({...})",
    "profilemode": "function(..., profile=True), and print(f.profile()): the time and the bytes of"
    " each step",
    "monitormode": "f.explain() shows every step; return an expression as an output to see its"
    " value",
}


class Mode:
    """What Theano calls a mode: a linker and an optimizer.

    graphc has one way to run a function on each backend, so the linker is only checked for being
    one of Theano's; and two degrees of optimisation, everything or nothing.

    Parameters
    ----------
    linker : str, optional
    optimizer : str or bool, optional
        ``'fast_run'`` rewrites and fuses; ``None``, ``'None'`` and ``'fast_compile'`` compute what
        was written.

    Raises
    ------
    GraphcValueError
        For words that Theano does not know.

    Examples
    --------
    >>> import graphc, graphc.tensor as T
    >>> x = T.dscalar("x")
    >>> f = graphc.function([x], T.log(T.exp(x)), mode=graphc.Mode(optimizer=None))
    >>> f(1000.0)
    array(inf)
    """

    def __init__(self, linker: str | None = None, optimizer: Any = "default") -> None:
        if linker is not None and linker not in _LINKERS:
            raise GraphcValueError(
                message(
                    f"linker {linker!r}: graphc has none; Theano's are {', '.join(_LINKERS)}",
                    (),
                    here(),
                    "leave it out, and choose a backend: function(..., backend='opencl')",
                )
            )
        self.linker = linker
        self.optimizer = optimizer
        self.optimize = _optimizes(optimizer)

    def including(self, *tags: str) -> Mode:
        """Return this mode: rules of graphc have no tags to choose them by."""
        return self

    def excluding(self, *tags: str) -> Mode:
        """Return this mode: rules of graphc have no tags to choose them by."""
        return self

    def __repr__(self) -> str:
        return f"Mode(linker={self.linker!r}, optimizer={self.optimizer!r})"


def _optimizes(optimizer: Any) -> bool:
    if optimizer is None or optimizer is False or optimizer in _PLAIN:
        return False
    if optimizer is True or optimizer in _FULL:
        return True
    raise GraphcValueError(
        message(f"optimizer {optimizer!r}: must be 'fast_run', 'fast_compile' or None", (), here())
    )


def is_optimizing(mode: Any) -> bool:
    """Tell whether a mode rewrites and fuses.

    Raises
    ------
    NotSupportedError
        For modes of Theano that graphc does not have, with what to do instead.
    GraphcValueError
        For anything else that is not a mode.
    """
    if mode is None:
        return True
    if isinstance(mode, Mode):
        return mode.optimize
    word = mode if isinstance(mode, str) else type(mode).__name__
    if word in ("FAST_RUN", "Mode", "FAST_COMPILE"):
        return word != "FAST_COMPILE"
    instead = _REFUSED.get(word.lower().replace("_", ""))
    if instead is not None:
        raise NotSupportedError(message(f"graphc has no mode {word!r}", (), here(), instead))
    raise GraphcValueError(
        f"mode {mode!r}: must be None, 'FAST_RUN' or 'FAST_COMPILE' (no rewriting, no fusion)"
    )


def get_mode(mode: Any = None) -> Mode:
    """Return a mode as an object, by its name."""
    if isinstance(mode, Mode):
        return mode
    return Mode(optimizer="fast_run" if is_optimizing(mode) else None)


def get_default_mode() -> Mode:
    """Return the mode of functions that name none."""
    return get_mode()
