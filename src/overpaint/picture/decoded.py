"""What a format's reader hands on: pixels as stored, before orientation, and what was found with them."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import PictureError

from ._picture import Colour, Metadata, Samples

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile


@dataclass(frozen=True, slots=True)
class Pixels:
    """(H, W, C) samples and (H, W) alpha as stored, not turned."""

    samples: Samples
    alpha: Samples | None
    colour: Colour


@dataclass(frozen=True, slots=True)
class Decoded:
    """Everything that a reader found in a file. `orientation` is still to be applied."""

    pixels: Pixels
    metadata: Metadata = field(default_factory=Metadata)
    orientation: int = 1
    lossless: bool = True
    mode: str = ""


def split(values: NDArray[Any]) -> Pixels:
    """(H, W) or (H, W, 1..4) uint8 or uint16: grey, grey+alpha, RGB or RGBA by the number of channels."""
    values = values[..., np.newaxis] if values.ndim == 2 else values
    count = values.shape[2]
    alpha = np.ascontiguousarray(values[..., -1]) if count in (2, 4) else None
    colours = np.ascontiguousarray(values[..., : count - 1]) if count in (2, 4) else values
    return Pixels(colours, alpha, Colour.GREY if count < 3 else Colour.RGB)


def of_image(image: Image) -> Pixels:
    """The pixels of a Pillow image of 8-bit modes, palettes spelt out; grey of 16 bits too."""
    mode = image.mode
    if mode in ("P", "PA"):
        transparent = mode == "PA" or "transparency" in image.info
        image = image.convert("RGBA" if transparent else "RGB")
    elif mode == "1":
        image = image.convert("L")
    elif mode in ("RGBX", "YCbCr"):
        image = image.convert("RGB")
    elif mode in ("RGBa", "La"):
        image = image.convert(mode[:-1] + "A")
    elif mode.startswith("I;16"):
        return split(np.asarray(image).astype(np.uint16))
    elif mode not in ("L", "LA", "RGB", "RGBA", "CMYK"):
        raise PictureError(
            f"pixels of the kind {mode!r} can't be used; convert them to 8 or 16 bits of grey or RGB first"
        )
    values = np.asarray(image)
    if image.mode == "CMYK":
        return Pixels(values, None, Colour.CMYK)
    return split(values)


def loaded(plugin: type[ImageFile], data: bytes) -> ImageFile:
    """A Pillow image opened by exactly this plugin and decoded.

    The plugin is called directly because Image.open has a limit on pixels of its own, which is global and which only
    warns at first; ours was checked before.
    """
    image = plugin(io.BytesIO(data))
    image.load()
    return image
