"""From a graph to a program: groups, calls, buffers, and the order of steps."""
