"""Control maps: what guides an engine beside the prompt, made of a picture.

Edges, lines, scribbles and soft edges need no network; depth and poses are seen by networks in transformers' layout.
"""

from __future__ import annotations

from .kinds import KINDS, MapKind, MapOptions, make_map, map_kind, map_options, used_by_map
from .lines import is_dark_on_light, looks_like_photo

__all__ = [
    "KINDS",
    "MapKind",
    "MapOptions",
    "is_dark_on_light",
    "looks_like_photo",
    "make_map",
    "map_kind",
    "map_options",
    "used_by_map",
]
