"""The graph: nodes, types, ops, closed graphs, and walks over them."""

from graphc.ir import graph, printer

__all__ = ["graph", "printer"]
