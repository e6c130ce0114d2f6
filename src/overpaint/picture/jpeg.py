"""Reading JPEG (ITU-T T.81; JFIF 1.02; EXIF and XMP in APP1, ICC in APP2, Photoshop resources in APP13).

Grey and RGB are decoded by simplejpeg, which tells what libjpeg finds wrong with a file, CMYK by Pillow. Both have
libjpeg-turbo, and the same pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from overpaint.errors import PictureError

from ._picture import Metadata, Picture
from .decoded import comment_text, loaded, of_image, split, stored_picture
from .jpeg_segments import APP0, APP1, APP2, APP13, COM, SOS, JpegFile, JpegSegment, bare, parsed
from .limits import PictureLimits

EXIF = b"Exif\0"
XMP = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
ICC = b"ICC_PROFILE\0"
PHOTOSHOP = b"Photoshop 3.0\0"

_MOST_SCANS = 500
"""Programs write about ten of a progressive picture."""


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
    _check_length(file)
    pixels, faults = decoded(file.parts, len(frame.components))
    found = _with_metadata(pixels, mode, file.parts)
    return replace(found, source=replace(found.source, faults=faults))


def decoded(parts: list[JpegSegment], components: int) -> tuple[Picture, tuple[str, ...]]:
    """The pixels as stored, and what is wrong with the file, which was decoded all the same.

    CMYK has 0 = no ink: files by Adobe, which store it inverted, are inverted again.
    """
    import simplejpeg

    data, space = bare(parts), {1: "GRAY", 3: "RGB", 4: "CMYK"}[components]
    faults: tuple[str, ...] = ()
    for strict in (True, False):
        try:
            pixels = simplejpeg.decode_jpeg(data, space, strict=strict)
        except ValueError as error:
            faults = (f"the JPEG file is damaged, and a part of the picture may be lost ({error})",)
            continue
        if space != "CMYK":
            return split(pixels), faults
        break
    else:
        faults = ()  # a kind of file that TurboJPEG does not know; what is damaged beyond use fails again
    from PIL.JpegImagePlugin import JpegImageFile

    return of_image(loaded(JpegImageFile, data)), faults


def _check_length(file: JpegFile) -> None:
    """Refuse a size that the data can't fill, before memory is allocated: Huffman codes have a bit a block at least. So
    are very many scans, each of which a decoder goes through the whole picture for.
    """
    scans = sum(part.marker == SOS for part in file.parts)
    if scans > _MOST_SCANS:
        raise PictureError(f"the JPEG file has {scans:,} scans; at most {_MOST_SCANS} are read")
    frame, (across, down) = file.frame, file.frame.largest
    if frame.marker not in (0xC0, 0xC1, 0xC2):
        return
    blocks = sum(
        -(-frame.width * one.horizontal // (8 * across)) * -(-frame.height * one.vertical // (8 * down))
        for one in frame.components
    )
    if sum(len(part.scan) for part in file.parts) * 8 < blocks:
        raise PictureError(f"the JPEG file is truncated: too little data for {frame.width}x{frame.height} pixels")


def _with_metadata(pixels: Picture, mode: str, parts: list[JpegSegment]) -> Picture:
    exif = dpi = None
    resources, packets, comment = [], [], b""
    profile: dict[int, bytes] = {}
    for part in parts:
        body = part.body
        if part.marker == APP0 and body[:5] == b"JFIF\0" and len(body) >= 12 and dpi is None:
            unit, x, y = body[7], int.from_bytes(body[8:10], "big"), int.from_bytes(body[10:12], "big")
            scale = {1: 1.0, 2: 2.54}.get(unit)
            dpi = (x * scale, y * scale) if scale and x and y else None
        elif part.marker == APP1 and body.startswith(EXIF) and exif is None:
            exif = b"Exif\0\0" + body[6:]
        elif part.marker == APP1 and body.startswith(XMP):
            packets.append(body[len(XMP) :])
        elif part.marker == APP2 and body.startswith(ICC) and len(body) > 14:
            profile.setdefault(body[12], body[14:])
        elif part.marker == COM and body.strip(b"\0 "):
            comment = comment or body.rstrip(b"\0")
        elif part.marker == APP13 and body.startswith(PHOTOSHOP):
            resources.append(body[len(PHOTOSHOP) :])
    icc = b"".join(profile[i] for i in sorted(profile)) if sorted(profile) == list(range(1, len(profile) + 1)) else b""
    xmp = packets[0] if packets else None
    further = (*packets[1:], *_extended_xmp(parts))
    found = Metadata(icc, None, exif, xmp, b"".join(resources), dpi, comment_text(comment), further)
    return stored_picture(pixels, mode, found, lossless=False)


def _extended_xmp(parts: list[JpegSegment]) -> Iterator[bytes]:
    """Packets that are too long for one segment (XMP, part 3, 1.1.3.1): each in parts with its digest, length and the
    part's offset. Parts that are missing are passed over.
    """
    found: dict[bytes, dict[int, bytes]] = {}
    start = len(EXTENDED_XMP)
    for part in parts:
        if part.marker == APP1 and part.body.startswith(EXTENDED_XMP):
            offset = int.from_bytes(part.body[start + 36 : start + 40], "big")
            found.setdefault(part.body[start : start + 32], {}).setdefault(offset, part.body[start + 40 :])
    for packet in found.values():
        yield b"".join(packet[offset] for offset in sorted(packet))
