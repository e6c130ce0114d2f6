"""Reading and writing WebP (RFC 9649): chunks are taken apart here, pixels are coded by Pillow (libwebp)."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

from overpaint.errors import PictureError

from ._picture import Metadata, Picture
from .decoded import animated, loaded, of_image, stored_picture
from .limits import PictureLimits
from .pil import to_pil

_ANIMATED = 0x02


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, body) of each chunk. PictureError when the file ends before the size that it claims."""
    claimed = 8 + struct.unpack_from("<I", data, 4)[0] if len(data) >= 12 else 12
    if claimed > len(data) + 1:
        raise PictureError("the WebP file is truncated")
    at = 12
    while at + 8 <= min(claimed, len(data)):
        name = data[at : at + 4]
        (length,) = struct.unpack_from("<I", data, at + 4)
        if at + 8 + length > len(data):
            raise PictureError("the WebP file is truncated")
        yield name, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def read(data: bytes, limits: PictureLimits) -> Picture:
    """A WebP file. Animated ones are refused: an edit would lose all frames but one."""
    parts = dict(reversed(list(chunks(data))))  # the first one of each name
    for width, height in _sizes(parts):
        limits.check_pixels(width, height)
    flags = parts[b"VP8X"][0] if parts.get(b"VP8X") else 0
    if flags & _ANIMATED or b"ANIM" in parts:
        raise animated("WebP")
    if not parts.keys() & {b"VP8 ", b"VP8L"}:
        raise PictureError("the WebP file has no pixels")
    from PIL.WebPImagePlugin import WebPImageFile

    pixels = of_image(loaded(WebPImageFile, data))
    if b"VP8 " in parts and b"ALPH" not in parts and pixels.alpha is not None:
        pixels = pixels.with_pixels(pixels.samples, None)
    lossless = b"VP8L" in parts
    mode = f"{pixels.mode}, {'lossless' if lossless else 'lossy'}"
    found = Metadata(icc=parts.get(b"ICCP"), exif=parts.get(b"EXIF"), xmp=parts.get(b"XMP "))
    return stored_picture(pixels, mode, found, lossless=lossless)


def _sizes(parts: dict[bytes, bytes]) -> Iterator[tuple[int, int]]:
    """Every size that the file claims: canvas and bitstream."""
    extended, lossy, lossless = parts.get(b"VP8X"), parts.get(b"VP8 "), parts.get(b"VP8L")
    if extended is not None and len(extended) >= 10:
        yield 1 + int.from_bytes(extended[4:7], "little"), 1 + int.from_bytes(extended[7:10], "little")
    if lossy is not None and len(lossy) >= 10:
        width, height = struct.unpack_from("<HH", lossy, 6)
        yield width & 0x3FFF, height & 0x3FFF
    if lossless is not None and len(lossless) >= 5:
        bits = int.from_bytes(lossless[1:5], "little")
        yield 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)


def write(picture: Picture, quality: int | None) -> bytes:
    """The picture as WebP: exact, colours under transparent pixels too, when no quality is given.

    The picture must be 8 bits of grey or RGB and no side longer than 16383 pixels; grey is stored as RGB.
    """
    out = io.BytesIO()
    how = {"lossless": True, "quality": 30, "method": 2} if quality is None else {"quality": quality, "method": 4}
    metadata = picture.metadata
    to_pil(picture).save(
        out,
        "WEBP",
        exact=True,
        icc_profile=metadata.icc or b"",
        exif=metadata.exif or b"",
        xmp=metadata.xmp or b"",
        **how,
    )
    return out.getvalue()
