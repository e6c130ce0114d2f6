"""Pictures: read, write, depth, colour, metadata.

`open_picture` and `encode` document what survives. `picture.colour` converts to and from an engine's colours;
`picture.exif` and `picture.xmp` read and write single values of those blocks.
"""

from __future__ import annotations

from ._picture import Colour, EncodedPicture, Metadata, Picture, Samples, Source
from .code_points import CodePoints
from .colour import profile_name
from .encode import (
    READABLE_EXTENSIONS,
    check_size,
    encode,
    extension_for,
    format_for_path,
    format_named,
    format_of_path,
    format_of_result,
    formats,
)
from .header import displayed_size
from .limits import PictureLimits, current_limits, limited
from .open import format_of, open_picture
from .pil import from_array, from_pil, to_pil

__all__ = [
    "READABLE_EXTENSIONS",
    "CodePoints",
    "Colour",
    "EncodedPicture",
    "Metadata",
    "Picture",
    "PictureLimits",
    "Samples",
    "Source",
    "check_size",
    "current_limits",
    "displayed_size",
    "encode",
    "extension_for",
    "format_for_path",
    "format_named",
    "format_of",
    "format_of_path",
    "format_of_result",
    "formats",
    "from_array",
    "from_pil",
    "limited",
    "open_picture",
    "profile_name",
    "to_pil",
]
