"""Painted pixels before they are pasted: colour and seam correction, texture, detail beyond an engine's size.

The modules `texture` and `detail` need OpenCV, so that this one does not import them.
"""

from .correct import Correction, correct
from .spread import spread

__all__ = ["Correction", "correct", "spread"]
