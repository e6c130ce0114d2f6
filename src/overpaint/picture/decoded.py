"""What readers of formats share: pictures of decoded pixels, and pixels decoded by Pillow and OpenCV."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import PictureError

from . import exif as exif_blocks
from . import iptc as iptc_blocks
from . import xmp as xmp_packets
from ._picture import Colour, Metadata, Picture, Source
from .hidden_pictures import holds_picture

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

COMMENT = "Comment"  # keyword of a JPEG or GIF file's comment among the texts; usual in PNG files too
_CONVERTED = {"1": "L", "RGBX": "RGB", "YCbCr": "RGB", "RGBa": "RGBA", "La": "LA"}  # Pillow's modes


def stored_picture(
    pixels: Picture, mode: str, found: Metadata, *, lossless: bool = True, orientation: int | None = None
) -> Picture:
    """What a reader found in a file: pixels as stored, not turned yet, and metadata without previews.

    Args:
        pixels: The pixels alone.
        mode, lossless: As in `Source`.
        found: The metadata as the file has them; what is empty becomes None.
        orientation: To apply, 1 to 8; left out, the one that EXIF states.
    """
    clean, stated = exif_blocks.sanitised(found.exif) if found.exif else (None, 1)
    metadata = replace(
        found,
        icc=found.icc or None,
        exif=clean,
        xmp=xmp_packets.sanitised(found.xmp) if found.xmp else None,
        iptc=iptc_blocks.without_thumbnails(found.iptc) if found.iptc else None,
        further_xmp=tuple(one for one in found.further_xmp if xmp_packets.IPTC_EXTENSION.encode() in one),
        dpi=found.dpi or exif_blocks.resolution(clean),
        text=MappingProxyType({name: text for name, text in found.text.items() if not _hides_picture(text)}),
    )
    source = Source(orientation=orientation or stated, lossless=lossless, mode=mode)
    return replace(pixels, metadata=metadata, source=source)


def _hides_picture(text: str) -> bool:
    return len(text) >= 64 and holds_picture(text.encode("latin-1", "replace"))


def split(values: NDArray[Any]) -> Picture:
    """(H, W) or (H, W, 1..4) uint8 or uint16: grey, grey+alpha, RGB or RGBA by the number of channels."""
    values = values[..., np.newaxis] if values.ndim == 2 else values
    count = values.shape[2]
    alpha = np.ascontiguousarray(values[..., -1]) if count in (2, 4) else None
    colours = np.ascontiguousarray(values[..., : count - 1]) if count in (2, 4) else values
    return Picture(colours, alpha, Colour.GREY if count < 3 else Colour.RGB)


def of_image(image: Image) -> Picture:
    """The pixels of a Pillow image of an 8-bit mode or 16-bit grey; palettes become RGB."""
    mode = image.mode
    if mode.startswith("I;16"):
        return split(np.asarray(image).astype(np.uint16))
    if mode in ("P", "PA"):
        image = image.convert("RGBA" if mode == "PA" or "transparency" in image.info else "RGB")
    elif mode in _CONVERTED:
        image = image.convert(_CONVERTED[mode])
    elif mode not in ("L", "LA", "RGB", "RGBA", "CMYK"):
        hint = "convert them to 8 or 16 bits of grey or RGB first"
        raise PictureError(f"pixels of the kind {mode!r} can't be used", code="picture-unsupported", hint=hint)
    values = np.asarray(image)
    if image.mode == "CMYK":
        return Picture(values, None, Colour.CMYK)
    return split(values)


@dataclass(frozen=True, slots=True, eq=False)
class IndexedPixels:
    """The pixels of an indexed picture before its colours are looked up.

    Attributes:
        indices: (H, W).
        palette: (256, 3) RGB, 0 beyond the file's own colours.
    """

    indices: NDArray[np.uint8]
    palette: NDArray[np.uint8]

    @classmethod
    def of(cls, indices: NDArray[np.uint8], colours: bytes) -> IndexedPixels:
        """With a palette of three bytes a colour."""
        palette = np.zeros(768, np.uint8)
        found = np.frombuffer(colours, np.uint8)[:768]
        palette[: found.size] = found
        return cls(indices, palette.reshape(256, 3))


def indices_of(image: Image) -> IndexedPixels | None:
    """The indices of a Pillow image; None where it has none."""
    colours = image.getpalette() if image.mode == "P" else None
    return None if colours is None else IndexedPixels.of(np.asarray(image), bytes(colours))


def by_opencv(data: bytes, depth: int) -> NDArray[Any]:
    """(H, W) or (H, W, 3 or 4) samples, RGB, as OpenCV decodes them; more than 8 bits as 16 (`widened`).

    Raises:
        ValueError: OpenCV can't decode the file.
        PictureError: OpenCV finds another depth than `depth` bits.
    """
    import cv2

    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise ValueError("its pixels can't be decoded")
    if values.dtype != (np.uint8 if depth <= 8 else np.uint16):
        raise PictureError("the file is damaged or truncated: its pixels can't be decoded")
    if values.ndim == 3:
        values = cv2.cvtColor(values, cv2.COLOR_BGR2RGB if values.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
    return values if depth in (8, 16) else widened(values, depth)


def widened(values: NDArray[np.uint16], depth: int) -> NDArray[np.uint16]:
    """9 to 15 bits as 16: the high bits repeated below, so that 0 and the maximum stay and there is a way back."""
    return (values << (16 - depth) | values >> (2 * depth - 16)).astype(np.uint16)


def animated(format: str) -> PictureError:
    """The error for a file of several frames: an edit would lose all but one."""
    message, hint = f"the {format} file is animated", "give one frame as a still picture"
    return PictureError(message, code="picture-animated", hint=hint)


def comment_text(comment: bytes | None) -> dict[str, str]:
    """The text of a comment of JPEG or GIF; neither names a character set, so that UTF-8 is tried first."""
    try:
        text = (comment or b"").decode("utf-8")
    except UnicodeDecodeError:
        text = (comment or b"").decode("latin-1")
    return {COMMENT: text} if text else {}


def loaded(plugin: type[ImageFile], data: bytes) -> ImageFile:
    """A Pillow image opened by exactly this plugin and decoded.

    The plugin is called directly because Image.open has a limit on pixels of its own, which is global and which only
    warns at first; ours was checked before.
    """
    image = plugin(io.BytesIO(data))
    image.load()
    return image
