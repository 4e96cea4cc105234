"""The graph: nodes, types, ops, closed graphs, and walks over them."""
