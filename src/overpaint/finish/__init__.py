"""What happens to painted pixels before they are pasted: colour and seam correction."""

from .correct import Correction, correct
from .spread import spread

__all__ = ["Correction", "correct", "spread"]
