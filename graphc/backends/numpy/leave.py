"""Where routines leave what they compute."""

from __future__ import annotations

from typing import Any

from graphc.emit.host import HostFunction
from graphc.ir.node import Node


def leave(host: HostFunction, node: Node, out: str, text: str, kind: Any = None) -> None:
    """Write the line that leaves the value of an expression under a name.

    Parameters
    ----------
    node : Node
        What is computed.
    out : str
        The name of an array, or of a variable for a scalar.
    text : str
        The expression.
    kind : TensorType, optional
        Of the value, if it is one of several results of the node.
    """
    kind = kind or node.type
    if kind.ndim:
        host.body.line(f"np.copyto({out}, {text})", [node])
    elif kind.dtype == "float64":
        host.body.line(f"{out} = float({text})", [node])
    else:
        host.body.line(f"{out} = {text}", [node])
