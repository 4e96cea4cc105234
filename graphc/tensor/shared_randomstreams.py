"""Theano's place for random streams: ``from graphc.tensor.shared_randomstreams import ...``.

They are in `graphc.random`, a later layer, and are looked up when they are asked for.
"""

from typing import Any

from graphc.ir.types import LANGUAGE


def __getattr__(name: str) -> Any:
    if name == "RandomStreams":
        return LANGUAGE[name]
    raise AttributeError(f"graphc.tensor.shared_randomstreams has no {name!r}")
