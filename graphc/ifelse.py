"""``from graphc.ifelse import ifelse``, as programs written for Theano have it.

``graphc.ifelse`` is the function itself. It has itself as an attribute, since such programs also
say ``theano.ifelse.ifelse``.
"""

from graphc.control import ifelse

ifelse.ifelse = ifelse  # type: ignore[attr-defined]

__all__ = ["ifelse"]
