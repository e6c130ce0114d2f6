"""Masks: where to repaint."""
