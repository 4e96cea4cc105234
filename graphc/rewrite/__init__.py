"""Rewriting: rules, the engine that applies them, and the pipeline that orders them."""

from graphc.rewrite import pipeline

__all__ = ["pipeline"]
