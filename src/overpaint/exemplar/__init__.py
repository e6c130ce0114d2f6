"""Patch search and synthesis, for the engine `exemplar` and for detail synthesis: see `fill.fill`.

The modules need OpenCV, so that this one imports none of them.
"""

__all__: list[str] = []
