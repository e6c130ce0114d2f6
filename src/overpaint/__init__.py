"""Overpaint repaints a chosen part of a picture and leaves every other pixel as it was.

    import overpaint
    from overpaint import Mask

    picture = overpaint.open("photo.jpg")
    mask = Mask.box(picture.size, (120, 80, 220, 160))
    edited = overpaint.remove(picture, mask)
    edited.save("photo.clean.jpg")

Nothing is loaded before it is used: an interrupt while a command starts finds little that it could stop.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as a type checker knows it; the module typing itself takes longer to load than this one

if TYPE_CHECKING:
    from typing import Any

    from .api import control_map, edit, edit_many, enlarge, expand, open, recolor, remove, save, selections, variations
    from .client import AsyncClient, Client
    from .engines import Monitor
    from .errors import OverpaintError
    from .geometry import Box, Margins, Size
    from .mask import Mask
    from .picture import Picture
    from .prompt import scene_prompt
    from .request import EditRequest
    from .session import Session
    from .studio import Edit, Edited, EditFailure, Studio, contact_sheet

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "Box",
    "Client",
    "Edit",
    "EditFailure",
    "EditRequest",
    "Edited",
    "Margins",
    "Mask",
    "Monitor",
    "OverpaintError",
    "Picture",
    "Session",
    "Size",
    "Studio",
    "contact_sheet",
    "control_map",
    "edit",
    "edit_many",
    "enlarge",
    "expand",
    "open",
    "recolor",
    "remove",
    "save",
    "scene_prompt",
    "selections",
    "variations",
]

_HOMES = {
    "api": (
        "control_map",
        "edit",
        "edit_many",
        "enlarge",
        "expand",
        "open",
        "recolor",
        "remove",
        "save",
        "selections",
        "variations",
    ),
    "client": ("AsyncClient", "Client"),
    "engines": ("Monitor",),
    "errors": ("OverpaintError",),
    "geometry": ("Box", "Margins", "Size"),
    "mask": ("Mask",),
    "picture": ("Picture",),
    "prompt": ("scene_prompt",),
    "request": ("EditRequest",),
    "session": ("Session",),
    "studio": ("Edit", "EditFailure", "Edited", "Studio", "contact_sheet"),
}


def __getattr__(name: str) -> Any:
    for package, names in _HOMES.items():
        if name in names:
            return globals().setdefault(name, getattr(import_module(f"overpaint.{package}"), name))
    message = f"module 'overpaint' has no attribute {name!r}"
    from .request import INTENTS

    if name in INTENTS:
        message += f"; use overpaint.edit(picture, mask=mask, intent={name!r})"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
