"""What a screen shows of a picture: a part of it, reduced, in sRGB."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Literal

from overpaint.errors import RequestError
from overpaint.geometry import Box
from overpaint.picture import Picture

ScreenFormat = Literal["webp", "png", "jpeg"]

MEDIA = {"webp": "image/webp", "png": "image/png", "jpeg": "image/jpeg"}

_FAST: dict[str, dict[str, int]] = {
    "webp": {"quality": 85, "method": 1},
    "png": {"compress_level": 1},
    "jpeg": {"quality": 90},
}


@dataclass(frozen=True, slots=True)
class ScreenPart:
    """A part of a picture for a screen.

    Attributes:
        box: Which part, in pixels of the picture; None: all of it.
        side: The longest side of the result at most, in pixels. Nothing is enlarged.
        format: Of the file.
    """

    box: Box | None
    side: int
    format: ScreenFormat

    @classmethod
    def of(cls, box: str | None, side: int, format: ScreenFormat) -> ScreenPart:
        """From "left,top,right,bottom". RequestError where that is no box."""
        if box is None:
            return cls(None, side, format)
        try:
            left, top, right, bottom = (int(part) for part in box.split(","))
        except ValueError:
            message = "{field} is four whole numbers: left,top,right,bottom"
            raise RequestError(message, field="box", value=box) from None
        found = Box(left, top, right, bottom)
        if found.empty:
            raise RequestError("{field} is empty", field="box", value=box)
        return cls(found, side, format)


def on_screen(picture: Picture, part: ScreenPart) -> bytes:
    """The file of a part of a picture. RequestError where the part does not lie within it."""
    import cv2
    import numpy as np
    from PIL import Image

    from overpaint.picture.colour import converter_for

    asked = picture.size.box if part.box is None else part.box
    box = asked.intersect(picture.size.box)
    if box.empty:
        raise RequestError(f"{{field}} lies beyond the picture of {picture.size}", field="box")
    scale = min(1.0, part.side / max(asked.size))  # a tile at the edge has the scale of the others
    size = tuple(max(1, round(length * scale)) for length in box.size)

    def reduced(samples: Any) -> Any:
        there = samples[box.slices]
        if scale == 1:
            return there
        small = cv2.resize(np.ascontiguousarray(there), size, interpolation=cv2.INTER_AREA)
        return small.reshape(size[1], size[0], *samples.shape[2:])

    colours = converter_for(picture, "srgb").to_canvas(reduced(picture.samples))
    if picture.alpha is not None and part.format != "jpeg":
        colours = np.dstack([colours, reduced(picture.alpha) / np.float32(picture.maximum)])
    pixels = np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8)
    out = io.BytesIO()
    # It is asked for often and thrown away soon: speed counts for more than bytes.
    options: dict[str, Any] = {
        "webp": {"quality": 85, "method": 1},
        "png": {"compress_level": 1},
        "jpeg": {"quality": 90},
    }
    Image.fromarray(pixels).save(out, part.format.upper(), **options[part.format])
    return out.getvalue()
