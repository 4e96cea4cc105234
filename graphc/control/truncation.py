"""Gradients that go back a given number of steps only."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.control.steps import Ran, Step
from graphc.errors import NotSupportedError, message
from graphc.ir.node import Node
from graphc.ir.shapes import Dim
from graphc.ir.source import here


def run_truncated(
    step: Step,
    count: Dim,
    sequences: Sequence[Node],
    initial: Sequence[Node],
    length: int,
    chunk: int | None,
) -> Ran:
    """Make a loop whose gradient goes back ``length`` steps from its end."""
    raise NotSupportedError(message("truncate_gradient is not there yet", (), here()))
