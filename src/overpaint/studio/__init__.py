"""Studio: engines and one door, `edit`; and what comes out of it."""

from ._edited import Edited, PaintedRegion, Rendered, Saved, pixel_digest
from ._studio import Studio
from .contact import Tile, contact_sheet, sheet_of, tile_of
from .many import Edit, EditFailure
from .resolve import resolve
from .steps import PaintedSheets, Prepared

__all__ = [
    "Edit",
    "EditFailure",
    "Edited",
    "PaintedRegion",
    "PaintedSheets",
    "Prepared",
    "Rendered",
    "Saved",
    "Studio",
    "Tile",
    "contact_sheet",
    "pixel_digest",
    "resolve",
    "sheet_of",
    "tile_of",
]
