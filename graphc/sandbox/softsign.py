"""Theano's place for softsign."""

from graphc.tensor.nnet import softsign

__all__ = ["softsign"]
