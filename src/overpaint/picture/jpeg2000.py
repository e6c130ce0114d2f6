"""Reading JPEG 2000 (ITU-T T.800): 8 bits by Pillow, more by OpenCV (both OpenJPEG), metadata from the boxes of JP2."""

from __future__ import annotations

import io
import struct

from overpaint.errors import PictureError

from ._picture import Metadata, Picture
from .bmff import boxes
from .decoded import by_opencv, loaded, of_image, split, stored_picture
from .limits import PictureLimits

SIGNATURES = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
_EXIF = b"JpgTiffExif->JP2"
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def read(data: bytes, limits: PictureLimits) -> Picture:
    """A JPEG 2000 file (JP2 or a bare codestream) of unsigned samples, up to 16 bits."""
    from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

    image = Jpeg2KImageFile(io.BytesIO(data))
    limits.check_pixels(*image.size)
    found: dict[bytes, bytes] = {}
    if data.startswith(SIGNATURES[0]):
        for kind, start, end in boxes(data, 0, len(data)):
            key = kind if kind != b"uuid" else data[start : (start := start + 16)]
            found.setdefault(key, data[start:end])
    codestream = found.get(b"jp2c", data)
    if codestream[:4] != SIGNATURES[1]:
        raise PictureError("the JPEG 2000 file has no pixels")
    width, height, left, top = struct.unpack_from(">4I", codestream, 8)
    limits.check_pixels(width - left, height - top)
    (count,) = struct.unpack_from(">H", codestream, 40)
    samples = [codestream[42 + 3 * i] for i in range(min(count, 5))]
    if not 1 <= count <= 4 or max(samples) > 15:
        raise PictureError(f"a JPEG 2000 file of {count} components; 1 to 4 of at most 16 bits, unsigned, can be read")
    depth = max(samples) + 1
    pixels = of_image(loaded(Jpeg2KImageFile, data)) if depth <= 8 else split(by_opencv(data, depth))
    header = found.get(b"jp2h", b"")
    colours = [header[start:end] for kind, start, end in boxes(header, 0, len(header)) if kind == b"colr"]
    icc = next((body[3:] for body in colours if body[:1] == b"\2"), None)
    metadata = Metadata(icc=icc, exif=found.get(_EXIF), xmp=found.get(_XMP), dpi=image.info.get("dpi"))
    return stored_picture(pixels, pixels.mode_at(depth), metadata, lossless=False)
