"""Seeing a program: pictures of graphs in DOT and SVG, and reports of what graphc did, as text."""
