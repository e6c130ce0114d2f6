"""Studio: engines and one door, `edit`; and what comes out of it."""

from ._edited import Edited, PaintedRegion, Rendered, Saved, pixel_digest
from ._studio import Studio
from .choose import Painter
from .contact import Tile, contact_sheet, sheet_of, tile_of
from .many import Edit, EditFailure
from .masks import mask_of, spec_of
from .resolve import resolve
from .steps import PaintedCanvases, PreparedEdit

__all__ = [
    "Edit",
    "EditFailure",
    "Edited",
    "PaintedCanvases",
    "PaintedRegion",
    "Painter",
    "PreparedEdit",
    "Rendered",
    "Saved",
    "Studio",
    "Tile",
    "contact_sheet",
    "mask_of",
    "pixel_digest",
    "resolve",
    "sheet_of",
    "spec_of",
    "tile_of",
]
