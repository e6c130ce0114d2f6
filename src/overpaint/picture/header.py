"""What the beginning of a file says of a picture, without decoding it."""

from __future__ import annotations

import io
import warnings

from overpaint.geometry import Size

from .limits import PictureLimits
from .open import format_of

_ORIENTATION = 0x0112  # the tag of EXIF 2.32
_SWAPPED = (5, 6, 7, 8)
_READ = ("png", "jpeg", "webp", "bmp")


def displayed_size(data: bytes, limits: PictureLimits) -> Size | None:
    """The size of a picture as it is displayed, by the header of its file; None where only decoding tells it.

    Damage behind the header is not seen, nor an orientation that stands behind the pixels.

    Args:
        data: The file.
        limits: What it may claim.

    Raises:
        PictureError: It claims more.
    """
    from PIL import Image

    if format_of(data) not in _READ:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # our own limits hold
            with Image.open(io.BytesIO(data)) as image:
                size, orientation = Size(*image.size), image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged, or too large for Pillow: opening it says how
        return None
    limits.check_pixels(size.width, size.height)
    return size.swapped if orientation in _SWAPPED else size
