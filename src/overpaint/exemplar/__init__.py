"""Patch search and synthesis."""
