"""Photoshop image resources, which hold IPTC data and thumbnails (Adobe, Photoshop File Formats, "Image Resources")."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from .hidden_pictures import holds_picture

_THUMBNAILS = frozenset({1033, 1036})
_IPTC = 1028


def without_thumbnails(block: bytes) -> bytes | None:
    """The resource block without its thumbnails, and without others that hold a picture; None when nothing is left or
    it can't be followed.
    """
    try:
        kept = b"".join(raw for number, raw in resources(block) if number not in _THUMBNAILS and not holds_picture(raw))
    except ValueError:
        return None
    return kept or None


def from_records(iptc: bytes) -> bytes:
    """Bare IPTC records (as the TIFF tag 33723 and some PNG files have them) as a resource block."""
    return struct.pack(">4sH2xI", b"8BIM", _IPTC, len(iptc)) + iptc + b"\0" * (len(iptc) % 2)


def resources(block: bytes) -> Iterator[tuple[int, bytes]]:
    """(number, bytes) of each resource. ValueError when one runs over the end."""
    at = 0
    while at + 12 <= len(block):
        signature, number = struct.unpack_from(">4sH", block, at)
        if signature not in (b"8BIM", b"PHUT", b"DCSR", b"AgHg", b"MeSa"):
            raise ValueError(f"no image resource at {at}")
        name = 1 + block[at + 6]
        size_at = at + 6 + name + name % 2
        if size_at + 4 > len(block):
            raise ValueError("an image resource is cut off")
        (size,) = struct.unpack_from(">I", block, size_at)
        if size_at + 4 + size > len(block):
            raise ValueError("an image resource is cut off")
        end = size_at + 4 + size + size % 2
        yield number, block[at:end] + (b"\0" if end > len(block) else b"")
        at = end
