"""Overpaint repaints a chosen part of a picture and leaves every other pixel as it was."""
