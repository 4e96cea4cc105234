"""Expressions in the language of other libraries: SymPy."""
