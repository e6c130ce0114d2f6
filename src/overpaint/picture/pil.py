"""Pictures of arrays and of Pillow images, and Pillow images of pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overpaint.errors import PictureError

from ._picture import Colour, Metadata, Picture, Samples, Source
from .colour import icc_of
from .decoded import of_image, split, stored_picture
from .orient import displayed

if TYPE_CHECKING:
    from PIL.Image import Image


def from_array(pixels: ArrayLike, *, icc: bytes | None = None) -> Picture:
    """A picture of an array.

    Args:
        pixels: (H, W) or (H, W, 1) grey, (H, W, 2) grey and alpha, (H, W, 3) RGB, (H, W, 4) RGBA; uint8, uint16, or
            floats in [0, 1], which become 16 bits. Bool becomes 0 and 255. The values are copied.
        icc: The colour profile of the values; None is sRGB.

    Raises:
        PictureError: Another shape or type, or floats outside [0, 1].
    """
    values: NDArray[Any] = np.asarray(pixels)
    if values.ndim not in (2, 3) or (values.ndim == 3 and not 1 <= values.shape[2] <= 4):
        raise PictureError(f"pixels must have the shape (H, W) or (H, W, 1..4), not {values.shape}")
    if np.issubdtype(values.dtype, np.floating):
        if values.size and not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
            raise PictureError("pixels given as floats must be in [0, 1]; give uint8 or uint16 for whole numbers")
        values = np.rint(values.astype(np.float64) * 65535).astype(np.uint16)
    elif values.dtype == np.bool_:
        values = values.astype(np.uint8) * np.uint8(255)
    elif values.dtype in (np.uint8, np.uint16):
        values = values.astype(values.dtype.newbyteorder("="))
    else:
        raise PictureError(f"pixels must be uint8, uint16 or floats in [0, 1], not {values.dtype}")
    return replace(split(values), metadata=Metadata(icc=icc), source=Source(mode="array"))


def from_pil(image: Image) -> Picture:
    """A picture of a Pillow image of any 8-bit mode or 16-bit grey; ICC profile, EXIF, XMP and dpi are kept.

    The orientation that its EXIF block states is applied.
    """
    info = image.info
    xmp, dpi = info.get("xmp"), info.get("dpi")
    text = getattr(image, "text", {})
    found = Metadata(
        icc=info.get("icc_profile"),
        exif=info.get("exif"),
        xmp=xmp.encode() if isinstance(xmp, str) else xmp,
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and dpi[0] > 0 and dpi[1] > 0 else None,
        text={str(k): str(v) for k, v in text.items() if k != "XML:com.adobe.xmp"},
    )
    return turned(stored_picture(of_image(image), image.mode, found))


def to_pil(picture: Picture) -> Image:
    """An 8-bit view for libraries that want a Pillow image: L, LA, RGB, RGBA or CMYK, with the ICC profile."""
    from PIL import Image

    mode = {Colour.GREY: "L", Colour.RGB: "RGB", Colour.CMYK: "CMYK"}[picture.colour]
    mode += "" if picture.alpha is None else "A"
    values = np.ascontiguousarray(to_8(picture.interleaved()))
    image = Image.frombuffer(mode, (picture.size.width, picture.size.height), values.tobytes(), "raw", mode, 0, 1)
    if icc := icc_of(picture.metadata, grey=picture.colour is Colour.GREY):
        image.info["icc_profile"] = icc
    return image


def to_8(values: Samples) -> NDArray[np.uint8]:
    """Samples in 8 bits: 16-bit ones divided by 257 and rounded."""
    if values.dtype == np.uint8:
        return values.astype(np.uint8, copy=False)
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def turned(stored: Picture) -> Picture:
    """A picture as displayed, of its pixels as stored: the orientation of its source is applied."""
    orientation = stored.source.orientation
    alpha = None if stored.alpha is None else displayed(stored.alpha, orientation)
    return stored.with_pixels(displayed(stored.samples, orientation), alpha)
