"""Random streams: states as shared variables, and draws that are expressions."""

from graphc.random.streams import MRG_RandomStreams, RandomStreams

__all__ = ["MRG_RandomStreams", "RandomStreams"]
