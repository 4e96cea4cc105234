"""Theano's place for its second kind of random streams."""

from graphc.random import MRG_RandomStreams

__all__ = ["MRG_RandomStreams"]
