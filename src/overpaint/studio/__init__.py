"""Studio: engines and one door, `edit`; and what comes out of it."""

from ._edited import Edited, PaintedRegion, Saved, pixel_digest
from ._studio import Studio
from .many import Edit, EditFailure

__all__ = ["Edit", "EditFailure", "Edited", "PaintedRegion", "Saved", "Studio", "pixel_digest"]
