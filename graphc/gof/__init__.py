"""Graphs under the names of Theano's module ``theano.gof``."""

from graphc.gof import graph
from graphc.ir.node import Node as Variable
from graphc.tensor.variables import Constant

__all__ = ["Constant", "Variable", "graph"]
