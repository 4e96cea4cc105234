"""Derivatives of graphs: one reverse pass over the nodes, using the gradient in each op's row."""

from graphc.autodiff.reverse import gradients

__all__ = ["gradients"]
