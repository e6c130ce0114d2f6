"""Engines: canvases in, pixels out."""
