"""Loops under the names of Theano's module ``theano.scan_module``."""

from graphc.control import foldl, foldr, map, reduce, scan, until
from graphc.scan_module import scan_utils

__all__ = ["foldl", "foldr", "map", "reduce", "scan", "scan_utils", "until"]
