"""Studio: engines and one door, `edit`; and what comes out of it."""

from ._edited import Edited, PaintedRegion
from ._studio import Studio
from .choose import Painter
from .contact import Tile, arrange_tiles, contact_sheet, make_tile, part_of, part_to_show
from .enhance import (
    Enhanced,
    Enhancer,
    EnhanceSettings,
    EnlargeSettings,
    RestoreSettings,
    enhancer_of,
    finished_enhancement,
)
from .grid import GridCell, check_axes, grid_cells
from .grid_axes import GridAxis, axis_of, variable_settings
from .grid_sheet import failed_tile, grid_sheet, tile_room
from .inputs import EditArguments
from .many import Edit, EditFailure
from .masks import mask_of, spec_of
from .network_source import NetworkSource
from .resolve import resolve
from .saving import FinishedPicture
from .steps import PaintedCanvases, PreparedEdit
from .written import Rendered, Saved, pixel_digest

__all__ = [
    "Edit",
    "EditArguments",
    "EditFailure",
    "Edited",
    "EnhanceSettings",
    "Enhanced",
    "Enhancer",
    "EnlargeSettings",
    "FinishedPicture",
    "GridAxis",
    "GridCell",
    "NetworkSource",
    "PaintedCanvases",
    "PaintedRegion",
    "Painter",
    "PreparedEdit",
    "Rendered",
    "RestoreSettings",
    "Saved",
    "Studio",
    "Tile",
    "arrange_tiles",
    "axis_of",
    "check_axes",
    "contact_sheet",
    "enhancer_of",
    "failed_tile",
    "finished_enhancement",
    "grid_cells",
    "grid_sheet",
    "make_tile",
    "mask_of",
    "part_of",
    "part_to_show",
    "pixel_digest",
    "resolve",
    "spec_of",
    "tile_room",
    "variable_settings",
]
