"""Reading JPEG (ITU-T T.81; JFIF 1.02; EXIF and XMP in APP1, ICC in APP2, Photoshop resources in APP13)."""

from __future__ import annotations

from overpaint.errors import PictureError

from ._picture import Metadata, Picture
from .decoded import comment_text, loaded, of_image, stored_picture
from .jpeg_segments import APP0, APP1, APP2, APP13, COM, JpegSegment, bare, parsed
from .limits import PictureLimits

EXIF = b"Exif\0"
XMP = b"http://ns.adobe.com/xap/1.0/\0"
ICC = b"ICC_PROFILE\0"
PHOTOSHOP = b"Photoshop 3.0\0"


def read(data: bytes, limits: PictureLimits) -> Picture:
    """A JPEG file: its first picture. Gain maps and further pictures behind it (MPF) are dropped."""
    file = parsed(data)
    frame = file.frame
    limits.check_pixels(frame.width, frame.height)
    if frame.precision != 8:
        raise PictureError(f"a JPEG file of {frame.precision} bits; only 8 bits can be read")
    words = {"grey": "grey 8-bit", "cmyk": "cmyk 8-bit", "ycck": "cmyk 8-bit (ycck)", "rgb": "rgb 8-bit"}
    mode = words.get(file.transform, f"rgb 8-bit (ycc {frame.sampling})")
    mode += ", progressive" if frame.progressive else ""
    return _with_metadata(decoded(file.parts), mode, file.parts)


def decoded(parts: list[JpegSegment]) -> Picture:
    """The pixels as stored. CMYK has 0 = no ink: files by Adobe, which store it inverted, are inverted again."""
    from PIL.JpegImagePlugin import JpegImageFile

    return of_image(loaded(JpegImageFile, bare(parts)))


def _with_metadata(pixels: Picture, mode: str, parts: list[JpegSegment]) -> Picture:
    exif = xmp = dpi = None
    resources = comment = b""
    profile: dict[int, bytes] = {}
    for part in parts:
        body = part.body
        if part.marker == APP0 and body[:5] == b"JFIF\0" and len(body) >= 12 and dpi is None:
            unit, x, y = body[7], int.from_bytes(body[8:10], "big"), int.from_bytes(body[10:12], "big")
            scale = {1: 1.0, 2: 2.54}.get(unit)
            dpi = (x * scale, y * scale) if scale and x and y else None
        elif part.marker == APP1 and body.startswith(EXIF) and exif is None:
            exif = b"Exif\0\0" + body[6:]
        elif part.marker == APP1 and body.startswith(XMP) and xmp is None:
            xmp = body[len(XMP) :]
        elif part.marker == APP2 and body.startswith(ICC) and len(body) > 14:
            profile.setdefault(body[12], body[14:])
        elif part.marker == COM and body.strip(b"\0 "):
            comment = comment or body.rstrip(b"\0")
        elif part.marker == APP13 and body.startswith(PHOTOSHOP):
            resources += body[len(PHOTOSHOP) :]
    icc = b"".join(profile[i] for i in sorted(profile)) if sorted(profile) == list(range(1, len(profile) + 1)) else b""
    found = Metadata(icc=icc, exif=exif, xmp=xmp, iptc=resources, dpi=dpi, text=comment_text(comment))
    return stored_picture(pixels, mode, found, lossless=False)
