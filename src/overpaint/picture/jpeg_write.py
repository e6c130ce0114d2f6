"""Writing JPEG: the original's tables and sampling are kept, its untouched blocks carried over where possible."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import OutputError, PictureError

from . import exif as exif_blocks
from . import xmp as xmp_packets
from ._picture import Annotate, Colour, EncodedPicture, Metadata, Picture
from .decoded import COMMENT
from .jpeg import EXIF, ICC, PHOTOSHOP, XMP, decoded
from .jpeg_blocks import BlocksUnavailable, Flags, carried_over, natural_tables
from .jpeg_segments import APP0, APP1, APP2, APP13, APP14, COM, LONGEST, JpegFile, JpegSegment, joined, parsed, segments
from .orient import displayed, stored
from .pil import to_8, to_pil

DEFAULT_QUALITY = 95
_SUBSAMPLING = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}


def write(picture: Picture, quality: int | None, touched: Flags | None, annotate: Annotate | None) -> EncodedPicture:
    """The picture as JPEG; 16 bits become 8. OutputError when it has alpha or a side over 65500 pixels.

    Without a quality, a picture that came from a JPEG file of the same size keeps the coefficients of blocks that
    `touched` (H, W; found by comparing when it is None) doesn't reach; its pixels stay as the file stores them, with
    its orientation tag. When that can't be done, and at another size, the file's tables and sampling are used for the
    whole picture.
    `annotate` makes the metadata from the pixels (H, W) whose decoded values may differ, None where all may.
    """
    original = _original(picture) if quality is None else None
    notes: tuple[str, ...] = ()
    if original is not None and _same_size(picture, original):
        try:
            return _carried(picture, touched, annotate, original)
        except BlocksUnavailable as reason:
            notes = (f"every block was re-encoded: {reason}",)
    data, words, transform = _encoded(picture, quality, original)
    plain = [p for p in segments(data) if not (APP0 <= p.marker <= 0xEF or p.marker == COM)]
    metadata = picture.metadata if annotate is None else annotate(None)
    head, left_out = _metadata_parts(metadata, transform, 1)
    return EncodedPicture(joined(head + plain), "jpeg", "re-encoded", None, (words, *notes, *left_out))


def _original(picture: Picture) -> JpegFile | None:
    """The JPEG file that the picture came from, if it still has its colours."""
    source = picture.source
    if source.format != "jpeg" or source.data is None:
        return None
    file = parsed(source.data)
    colour = {"grey": Colour.GREY, "cmyk": Colour.CMYK, "ycck": Colour.CMYK}.get(file.transform, Colour.RGB)
    return file if colour is picture.colour else None


def _same_size(picture: Picture, file: JpegFile) -> bool:
    width, height = picture.size if picture.source.orientation < 5 else picture.size.swapped
    return (file.frame.width, file.frame.height) == (width, height)


def _carried(picture: Picture, touched: Flags | None, annotate: Annotate | None, file: JpegFile) -> EncodedPicture:
    """The file with new blocks where the picture was touched. BlocksUnavailable when that can't be done."""
    orientation = picture.source.orientation
    shown = np.ascontiguousarray(stored(to_8(picture.samples), orientation))
    original = _decoded(file.parts, file)
    marks = _differs(original, shown)
    if touched is not None:  # blocks in it whose pixels are all as they were keep their coefficients too
        marks &= stored(touched, orientation)
    carried = carried_over(file, shown, marks)
    reached = np.ascontiguousarray(displayed(carried.touched, orientation))
    metadata = picture.metadata if annotate is None else annotate(reached)
    head, left_out = _metadata_parts(metadata, file.transform, orientation)
    # Damaged data, or a progressive file whose last passes are missing, decode to something else once written anew.
    if (_differs(_decoded(head + carried.parts, file), original) & ~carried.touched).any():
        raise BlocksUnavailable("the original is damaged or incomplete")
    return EncodedPicture(joined(head + carried.parts), "jpeg", "blocks", reached, left_out)


def _differs(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> Flags:
    """(H, W): where any sample differs. Channel by channel: several times as fast as `any` over the last axis."""
    found: Flags = a[..., 0] != b[..., 0]
    for channel in range(1, a.shape[2]):
        found |= a[..., channel] != b[..., channel]
    return found


def _decoded(parts: list[JpegSegment], file: JpegFile) -> NDArray[np.uint8]:
    """The stored samples of these segments, which are of the file's kind."""
    try:
        return to_8(decoded(parts, len(file.frame.components))[0].samples)
    except (PictureError, OSError, SyntaxError, ValueError) as error:
        raise BlocksUnavailable("the original can't be decoded") from error


def _encoded(picture: Picture, quality: int | None, original: JpegFile | None) -> tuple[bytes, str, str]:
    """The whole picture encoded by Pillow: the file, a note for people, and the meaning of its components."""
    transform = {Colour.GREY: "grey", Colour.RGB: "ycc", Colour.CMYK: "cmyk"}[picture.colour]
    settings: dict[str, Any] = {"quality": quality or DEFAULT_QUALITY, "subsampling": 0}
    words = f"re-encoded as JPEG quality {quality or DEFAULT_QUALITY}"
    if original is not None:
        frame, tables = original.frame, natural_tables(original.parts)
        used = [tables[c.table] for c in frame.components if c.table in tables]
        if used:
            chosen = [table.astype(int).ravel().tolist() for table in (used[:1] if len(used) == 1 else used[:2])]
            settings = {"qtables": chosen, "subsampling": _SUBSAMPLING.get(frame.sampling, 0)}
            words = "re-encoded as JPEG with the tables of the original"
        settings["progressive"] = frame.progressive
        if original.transform == "rgb":
            transform, settings["keep_rgb"] = "rgb", True
    out = io.BytesIO()
    try:
        to_pil(picture).save(out, "JPEG", **settings)
    except (OSError, ValueError) as error:
        raise OutputError(f"the JPEG encoder failed on a picture of {picture.size}: {error}") from error
    return out.getvalue(), words, transform


def _metadata_parts(metadata: Metadata, transform: str, orientation: int) -> tuple[list[JpegSegment], tuple[str, ...]]:
    """The application segments, and notes on what they can't hold."""
    notes: list[str] = []
    parts: list[JpegSegment] = []
    if transform in ("grey", "ycc"):
        # JFIF means YCbCr or grey: files of other colours have none, and their dpi only in EXIF.
        x, y = metadata.dpi or (1, 1)
        density = (max(1, min(round(value), 65535)) for value in (x, y))
        parts.append(
            JpegSegment(APP0, b"JFIF\0" + struct.pack(">HBHHBB", 0x0101, 1 if metadata.dpi else 0, *density, 0, 0))
        )
    exif = exif_blocks.with_orientation(metadata.exif, orientation) or b""
    if len(exif) > LONGEST - 6:
        notes.append(f"EXIF left out: {len(exif):,} bytes, a JPEG file can hold {LONGEST - 6:,}")
        exif = exif_blocks.with_orientation(None, orientation) or b""
    xmp = xmp_packets.with_orientation(metadata.xmp, orientation) or b""
    if len(xmp) > LONGEST - len(XMP):
        xmp = _without_padding(xmp)
    if len(xmp) > LONGEST - len(XMP):
        notes.append(f"XMP left out: {len(xmp):,} bytes, a JPEG file can hold {LONGEST - len(XMP):,}")
        xmp = b""
    parts += [JpegSegment(APP1, head + body) for head, body in ((EXIF + b"\0", exif), (XMP, xmp)) if body]
    parts += [
        JpegSegment(APP13, PHOTOSHOP + piece) for piece in _pieces(metadata.iptc or b"", LONGEST - len(PHOTOSHOP))
    ]
    profile = _pieces(metadata.icc or b"", LONGEST - len(ICC) - 2)
    if len(profile) > 255:
        notes.append("the ICC profile was left out: too large for a JPEG file")
    else:
        parts += [JpegSegment(APP2, ICC + bytes((i + 1, len(profile))) + piece) for i, piece in enumerate(profile)]
    if COMMENT in metadata.text:
        parts.append(JpegSegment(COM, metadata.text[COMMENT].encode("utf-8", "replace")[:LONGEST]))
    if transform in ("rgb", "cmyk", "ycck"):
        parts.append(JpegSegment(APP14, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, 2 if transform == "ycck" else 0)))
    return parts, tuple(notes)


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def _without_padding(xmp: bytes) -> bytes:
    """The packet without the white space that writers append for later additions."""
    body, mark, end = xmp.rpartition(b"<?xpacket end=")
    return body.rstrip() + b"\n" + mark + end if mark else xmp.rstrip()
