"""Requests, and resolved requests.

An `EditRequest` has the settings that were given, a `ResolvedRequest` all of them, every default filled in. Both are
frozen, strict values with a digest, and can be written as JSON. `intents` is the table of defaults. Importing this
package loads neither NumPy nor an imaging library.
"""

from __future__ import annotations

from ._blob import INLINE_LIMIT, Blob, blob_array, blob_of, picture_blob, raster_tables, without_codes
from ._control import DRAWN_KINDS, KIND_ALIASES, MAP_KINDS, PICTURE_KINDS, Control, ControlMode, ControlSettings
from ._edit import MOST_SEED, PRIVATE_SETTINGS, EditRequest
from ._models import ModelRole, UsedModel, Usual
from ._parts import (
    AlphaPart,
    BoxPart,
    EllipsePart,
    FullPart,
    MaskSpec,
    Part,
    PolygonPart,
    RasterPart,
    SelectHints,
    SelectPart,
    StrokesPart,
)
from ._reference import Setting, settings_reference
from ._regional import MOST_REGIONS, RegionalPrompt, RegionText
from ._resolved import Execution, ResolvedRequest, draw_seed
from ._sampling import ENGINE_SETTINGS, SAMPLING_SETTINGS, Sampling
from ._settings import EditSettings
from ._types import Dialect, PaintsFrom, Preset
from .distilled import usual_of_lora, usual_of_model
from .intents import INTENTS, DetailRule, Intent, IntentRule, MaskedContent

__all__ = [  # noqa: RUF022 - in plain alphabetical order
    "AlphaPart",
    "Blob",
    "BoxPart",
    "Control",
    "ControlMode",
    "ControlSettings",
    "DRAWN_KINDS",
    "DetailRule",
    "Dialect",
    "ENGINE_SETTINGS",
    "EditRequest",
    "EditSettings",
    "EllipsePart",
    "Execution",
    "FullPart",
    "INLINE_LIMIT",
    "INTENTS",
    "Intent",
    "IntentRule",
    "KIND_ALIASES",
    "MAP_KINDS",
    "MOST_REGIONS",
    "MOST_SEED",
    "MaskSpec",
    "MaskedContent",
    "ModelRole",
    "PICTURE_KINDS",
    "PRIVATE_SETTINGS",
    "PaintsFrom",
    "Part",
    "PolygonPart",
    "Preset",
    "RasterPart",
    "RegionText",
    "RegionalPrompt",
    "ResolvedRequest",
    "SAMPLING_SETTINGS",
    "Sampling",
    "SelectHints",
    "SelectPart",
    "Setting",
    "StrokesPart",
    "Usual",
    "UsedModel",
    "blob_array",
    "blob_of",
    "draw_seed",
    "picture_blob",
    "raster_tables",
    "settings_reference",
    "usual_of_lora",
    "usual_of_model",
    "without_codes",
]
