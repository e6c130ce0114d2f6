"""Patch search and synthesis: the machinery behind the `exemplar` engine, and for detail synthesis.

Import what you need from the modules; all of them need OpenCV and NumPy, so this page loads none of them.
"""
