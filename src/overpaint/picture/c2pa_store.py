"""Where a file keeps its C2PA manifest store (C2PA 2.2, appendix A), and the file without it.

    PNG          chunk caBX
    JPEG         APP11 segments with JUMBF boxes
    WebP         chunk "C2PA"
    TIFF         tag 52545
    AVIF, HEIF   a box "uuid" of the type that C2PA has
    GIF          an application extension "C2PA_GIF"

Other things in JUMBF boxes and APP11 segments are no manifest stores.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from overpaint.errors import PictureError

from . import bmff, png, webp
from ._picture import Metadata
from .ifd import MalformedIFD, TagBlock
from .jpeg_segments import APP11, segments
from .xmp import read_property

TIFF_TAG = 52545
_BMFF_TYPE = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_LABEL = b"c2pa"
_DCTERMS = "http://purl.org/dc/terms/"


def holds_manifest(data: bytes, format: str | None) -> bool:
    """Whether a file has a manifest store; whether the store is sound is not looked at.

    Args:
        data: The file.
        format: Its format, as in `Source.format`.
    """
    try:
        if format == "tiff":
            block = TagBlock(data)
            return any(TIFF_TAG in one.entries for one in block.chain(block.first))
        if format in ("avif", "heif"):
            return any(
                kind == b"uuid" and data[start : start + 16] == _BMFF_TYPE
                for kind, start, _ in bmff.boxes(data, 0, len(data))
            )
        if format == "gif":
            return b"\x21\xff\x0bC2PA_GIF" in data
        return next(_parts(data, format), None) is not None
    except (PictureError, MalformedIFD, struct.error):
        return False


def check_whole(data: bytes, format: str | None) -> None:
    """Raise PictureError where a file is cut off or damaged, so that a store may be missing. GIF files are not checked.

    Args:
        data: The file.
        format: Its format, as in `Source.format`.
    """
    try:
        if format == "tiff":
            block = TagBlock(data)
            block.directory(block.first)
        elif format in ("avif", "heif"):
            list(bmff.boxes(data, 0, len(data)))
        else:
            list(_parts(data, format))
    except (MalformedIFD, struct.error) as error:
        raise PictureError(f"the file is damaged or truncated: {error}") from error


def without_manifest(data: bytes, format: str | None) -> bytes:
    """A PNG, JPEG or WebP file without its manifest store, every other byte as it is. Files of other formats hold the
    positions of what follows a store, so that they are given back as they are.
    """
    try:
        for part in list(_parts(data, format)):
            data = data.replace(part, b"", 1)
            if format == "webp":
                data = data[:4] + struct.pack("<I", struct.unpack_from("<I", data, 4)[0] - len(part)) + data[8:]
    except (PictureError, struct.error):
        return data
    return data


def manifest_address(metadata: Metadata) -> str:
    """The address where a manifest is said to lie that is not in the file (XMP dcterms:provenance); "" for none."""
    return read_property(metadata.xmp, _DCTERMS, "provenance") or ""


def _parts(data: bytes, format: str | None) -> Iterator[bytes]:
    """The bytes of each part of a PNG, JPEG or WebP file that holds the store, with its head."""
    if format == "png":
        yield from (png.chunk(kind, body) for kind, body in png.chunks(data) if kind == b"caBX")
    elif format == "webp":
        for name, body in webp.chunks(data):
            if name == b"C2PA":
                yield name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    elif format == "jpeg":
        boxes: set[bytes] = set()
        for one in segments(data):
            # "JP", number of the box, number of the packet, then (each time) length and type of the box (18477-3, B.1)
            if one.marker != APP11 or one.body[:2] != b"JP":
                continue
            number = one.body[2:4]
            if one.body[12:16] == b"jumb" and one.body[20:28] == b"jumd" + _LABEL:
                boxes.add(number)
            if number in boxes:
                yield bytes(one)
