"""Backends: how to run groups and routines, and where arrays live."""
