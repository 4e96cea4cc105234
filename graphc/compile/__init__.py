"""function(), shared variables, and compiled functions."""
