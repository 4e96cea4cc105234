"""graphc: a compiler for symbolic array programs."""
__version__ = "0.1.0"
