"""Boxes of AVIF, HEIF and JP2 files (ISO/IEC 14496-12 and 23008-12): what Pillow and OpenCV don't give."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from overpaint.errors import PictureError

from .code_points import CodePoints
from .limits import PictureLimits


@dataclass(frozen=True, slots=True)
class BoxContents:
    """Bits a sample and code points of the primary picture."""

    depth: int
    code_points: CodePoints | None


def brands(data: bytes) -> tuple[bytes, ...]:
    """Major and compatible brands of the ftyp box, empty when there is none."""
    if data[4:8] != b"ftyp":
        return ()
    end = min(int.from_bytes(data[:4], "big"), len(data), 512)
    return (data[8:12], *(data[i : i + 4] for i in range(16, end - 3, 4)))


def boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, start of body, end) of the boxes in a range. PictureError when one runs over the end."""
    while at + 8 <= end:
        size, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        elif size == 0:
            size = end - at
        if size < head or at + size > end:
            raise PictureError("the file is truncated")
        yield kind, at + head, at + size
        at += size


def meta_first(data: bytes) -> bytes:
    """The file with its meta box directly behind the ftyp box, as OpenCV wants it, which looks at the first 500 bytes.
    What lay between (a signed manifest, 3 kB and more) becomes a free box at the end of meta, so that all positions
    behind it stay true. Files of another order are given back as they are.
    """
    found = list(boxes(data, 0, len(data)))
    kinds = [kind for kind, _, _ in found]
    at = kinds.index(b"meta") if b"meta" in kinds else 0
    if kinds[:1] != [b"ftyp"] or at < 2 or b"mdat" in kinds[:at]:
        return data
    ends = [end for _, _, end in found]
    between, meta = data[ends[0] : ends[at - 1]], data[found[at][1] : ends[at]]
    free = struct.pack(">I", len(between)) + b"free" + between[8:]
    head = struct.pack(">I", 8 + len(meta) + len(free)) + b"meta"
    if ends[at] - ends[at - 1] != 8 + len(meta):  # a length of 64 bits
        return data
    return b"".join((data[: ends[0]], head, meta, free, data[ends[at] :]))


def read(data: bytes, limits: PictureLimits) -> BoxContents:
    """Walk the boxes. PictureError when there is no meta box, or it is damaged or states a size over the limits."""
    meta = next(((a, b) for kind, a, b in boxes(data, 0, len(data)) if kind == b"meta"), None)
    if meta is None:
        raise PictureError("the file has no picture (no meta box)")
    inner = {kind: (a, b) for kind, a, b in boxes(data, meta[0] + 4, meta[1])}
    a, b = inner.get(b"iprp", (0, 0))
    parts = [(kind, data[c:d]) for kind, c, d in boxes(data, a, b)]
    found = [(kind, part[c:d]) for name, part in parts if name == b"ipco" for kind, c, d in boxes(part, 0, len(part))]
    sizes = [struct.unpack(">2I", body[4:12]) for kind, body in found if kind == b"ispe" and len(body) >= 12]
    if not sizes:
        raise PictureError("the file states no size")
    for width, height in sizes:
        limits.check_pixels(width, height)
    a, b = inner.get(b"pitm", (0, 0))
    primary = int.from_bytes(data[a + 4 : b], "big")
    numbers = [number for name, part in parts if name == b"ipma" for number in _associated(part, primary)]
    own = [found[number - 1] for number in numbers if 1 <= number <= len(found)]
    depths = [max(body[5 : 5 + body[4]], default=8) for kind, body in own if kind == b"pixi" and len(body) > 5]
    depths += [_av1_depth(body) for kind, body in own if kind == b"av1C" and len(body) >= 3]
    nclx = next((body for kind, body in own if kind == b"colr" and body[:4] == b"nclx" and len(body) >= 11), None)
    mastering = any(kind in (b"mdcv", b"clli") for kind, _ in own)
    points = None
    if nclx is not None and max(codes := struct.unpack(">3H", nclx[4:10])) < 256:
        points = CodePoints(codes[0], codes[1], codes[2], mastering=mastering)
    return BoxContents(max(depths, default=8), points)


def _av1_depth(body: bytes) -> int:
    """Bits a sample from the codec configuration: high_bitdepth and twelve_bit."""
    return (12 if body[2] & 0x20 else 10) if body[2] & 0x40 else 8


def _associated(body: bytes, item: int) -> Iterator[int]:
    """The numbers of an item's properties, from 1, in an ipma box (23008-12, 9.3.1)."""
    size, wide, at = (2 if body[0] < 1 else 4), body[3] & 1, 8
    for _ in range(int.from_bytes(body[4:8], "big")):
        if at + size >= len(body):
            raise PictureError("the file's item properties are damaged")
        number, count = int.from_bytes(body[at : at + size], "big"), body[at + size]
        at += size + 1
        for place in range(at, at := at + count * (1 + wide), 1 + wide):
            if number == item:
                yield int.from_bytes(body[place : place + 1 + wide], "big") & (0x7FFF if wide else 0x7F)
