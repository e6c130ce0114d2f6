"""Overpaint repaints a chosen part of a picture and leaves every other pixel as it was.

    import overpaint
    from overpaint import Mask

    picture = overpaint.open("photo.jpg")
    mask = Mask.box(picture.size, (120, 80, 220, 160))
    edited = overpaint.remove(picture, mask)
    edited.save("photo.clean.jpg")

Nothing heavy is loaded before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import OverpaintError
from .geometry import Box, Margins, Size

if TYPE_CHECKING:
    from .api import edit, edit_many, expand, open, remove, save, variations
    from .engines import Monitor
    from .mask import Mask
    from .picture import Picture
    from .prompt import scene_prompt
    from .request import EditRequest
    from .studio import Edit, Edited, EditFailure, Studio, contact_sheet

__version__ = "0.1.0"

__all__ = [
    "Box",
    "Edit",
    "EditFailure",
    "EditRequest",
    "Edited",
    "Margins",
    "Mask",
    "Monitor",
    "OverpaintError",
    "Picture",
    "Size",
    "Studio",
    "contact_sheet",
    "edit",
    "edit_many",
    "expand",
    "open",
    "remove",
    "save",
    "scene_prompt",
    "variations",
]

_HOMES = {
    "Edit": "studio",
    "EditFailure": "studio",
    "EditRequest": "request",
    "Edited": "studio",
    "Mask": "mask",
    "Monitor": "engines",
    "Picture": "picture",
    "Studio": "studio",
    "contact_sheet": "studio",
    "edit": "api",
    "edit_many": "api",
    "expand": "api",
    "open": "api",
    "remove": "api",
    "save": "api",
    "scene_prompt": "prompt",
    "variations": "api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'overpaint' has no attribute {name!r}")
    value = getattr(import_module(f"overpaint.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
