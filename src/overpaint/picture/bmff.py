"""The boxes of AVIF and HEIF files (ISO/IEC 14496-12 and 23008-12), as far as is needed before and beside decoding."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from overpaint.errors import PictureError

from .code_points import CodePoints
from .limits import METADATA_BYTES
from .orient import displayed

_CONTAINERS = frozenset({b"iprp", b"ipco", b"dinf"})


@dataclass(slots=True)
class Item:
    """One item of the meta box: its type and where its bytes are."""

    kind: bytes = b""
    content: bytes = b""  # MIME type
    in_idat: bool = False
    extents: list[tuple[int, int]] = field(default_factory=list)
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Contents:
    """What the boxes tell of the primary picture."""

    sizes: tuple[tuple[int, int], ...]  # all that the file claims
    depth: int
    orientation: int
    icc: bytes | None
    code_points: CodePoints | None
    exif: bytes | None
    xmp: bytes | None


def brands(data: bytes) -> tuple[bytes, ...]:
    """Major and compatible brands of the ftyp box, empty when there is none."""
    if data[4:8] != b"ftyp":
        return ()
    end = min(int.from_bytes(data[:4], "big"), len(data), 512)
    return (data[8:12], *(data[i : i + 4] for i in range(16, end - 3, 4)))


def read(data: bytes) -> Contents:
    """Walk the boxes. PictureError when there is no meta box or it is damaged."""
    try:
        return _read(data)
    except (IndexError, ValueError) as error:
        if isinstance(error, PictureError):
            raise
        raise PictureError("the file's boxes are damaged") from error


def boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, start of body, end) of the boxes in a range."""
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


def _read(data: bytes) -> Contents:
    meta = next(((a, b) for kind, a, b in boxes(data, 0, len(data)) if kind == b"meta"), None)
    if meta is None:
        raise PictureError("the file has no picture (no meta box)")
    inner = {kind: (a, b) for kind, a, b in boxes(data, meta[0] + 4, meta[1])}
    items: dict[int, Item] = {}
    if b"iinf" in inner:
        _item_kinds(data, *inner[b"iinf"], items)
    if b"iloc" in inner:
        _item_places(data, *inner[b"iloc"], items)
    sizes = _properties(data, *inner[b"iprp"], items) if b"iprp" in inner else []
    if not sizes:
        raise PictureError("the file doesn't tell its size")
    primary = Item()
    if b"pitm" in inner:
        a = inner[b"pitm"][0]
        number = int.from_bytes(data[a + 4 : a + (6 if data[a] == 0 else 8)], "big")
        primary = items.get(number, primary)
    idat = data[slice(*inner[b"idat"])] if b"idat" in inner else b""
    exif = next((_bytes(data, idat, i) for i in items.values() if i.kind == b"Exif"), b"")
    rdf = b"application/rdf+xml"
    xmp = next((_bytes(data, idat, i) for i in items.values() if i.kind == b"mime" and i.content == rdf), b"")
    if len(exif) > 4:  # the first four bytes count what stands before the TIFF header
        exif = exif[4 + int.from_bytes(exif[:4], "big") :]
    icc = next((b[4:] for k, b in primary.properties if k == b"colr" and b[:4] in (b"prof", b"rICC")), None)
    nclx = next((b for k, b in primary.properties if k == b"colr" and b[:4] == b"nclx" and len(b) >= 11), None)
    points = None
    if nclx is not None and icc is None:
        points = CodePoints(*struct.unpack(">3H", nclx[4:10]))
    depths = [max(b[5 : 5 + b[4]], default=8) for k, b in primary.properties if k == b"pixi" and len(b) > 5]
    depths += [_av1_depth(b) for k, b in primary.properties if k == b"av1C" and len(b) >= 3]
    return Contents(tuple(sizes), max(depths, default=8), _orientation(primary), icc, points, exif or None, xmp or None)


def _av1_depth(body: bytes) -> int:
    """Bits a sample from the codec configuration: high_bitdepth and twelve_bit."""
    return (12 if body[2] & 0x20 else 10) if body[2] & 0x40 else 8


def _item_kinds(data: bytes, at: int, end: int, items: dict[int, Item]) -> None:
    start = at + (6 if data[at] == 0 else 8)
    for kind, a, b in boxes(data, start, end):
        if kind != b"infe" or data[a] < 2:
            continue
        wide = 4 if data[a] == 3 else 2
        number = int.from_bytes(data[a + 4 : a + 4 + wide], "big")
        kind_at = a + 4 + wide + 2
        _, _, rest = data[kind_at + 4 : b].partition(b"\0")
        items[number] = Item(data[kind_at : kind_at + 4], rest.partition(b"\0")[0])


def _item_places(data: bytes, at: int, end: int, items: dict[int, Item]) -> None:
    version = data[at]
    offset_size, length_size = data[at + 4] >> 4, data[at + 4] & 15
    base_size, index_size = data[at + 5] >> 4, data[at + 5] & 15 if version else 0
    at += 6

    def number(size: int) -> int:
        nonlocal at
        if at + size > end:
            raise PictureError("the file's item locations are damaged")
        at += size
        return int.from_bytes(data[at - size : at], "big")

    for _ in range(number(4 if version == 2 else 2)):
        item = items.get(number(4 if version == 2 else 2), Item())
        method = number(2) & 15 if version else 0
        number(2)
        base = number(base_size)
        for _ in range(number(2)):
            number(index_size)
            offset = base + number(offset_size)
            item.extents.append((offset, number(length_size)))
        item.in_idat = method == 1


def _bytes(data: bytes, idat: bytes, item: Item) -> bytes:
    source = idat if item.in_idat else data
    if sum(length for _, length in item.extents) > METADATA_BYTES or len(item.extents) > 1024:
        return b""
    return b"".join(source[offset : offset + length] for offset, length in item.extents)


def _properties(data: bytes, at: int, end: int, items: dict[int, Item]) -> list[tuple[int, int]]:
    """Hang the properties on their items; returns every size in the file."""
    found: list[tuple[bytes, bytes]] = []
    for kind, a, b in boxes(data, at, end):
        if kind == b"ipco":
            found += [(k, data[c:d]) for k, c, d in boxes(data, a, b)]
    for kind, a, b in boxes(data, at, end):
        if kind != b"ipma":
            continue
        version, wide = data[a], data[a + 3] & 1
        place = a + 8
        for _ in range(int.from_bytes(data[a + 4 : a + 8], "big")):
            if place + (2 if version < 1 else 4) >= b:
                raise PictureError("the file's item properties are damaged")
            size = 2 if version < 1 else 4
            number, count = int.from_bytes(data[place : place + size], "big"), data[place + size]
            place += size + 1
            for _ in range(count):
                index = int.from_bytes(data[place : place + 1 + wide], "big") & (0x7FFF if wide else 0x7F)
                place += 1 + wide
                if number in items and 1 <= index <= len(found):
                    items[number].properties.append(found[index - 1])
    claims = [body for kind, body in found if kind == b"ispe" and len(body) >= 12]
    return [(int.from_bytes(b[4:8], "big"), int.from_bytes(b[8:12], "big")) for b in claims]


def _orientation(item: Item) -> int:
    """The EXIF orientation that irot (anticlockwise) and imir (0: top and bottom exchanged) amount to, in order."""
    probe = np.arange(6).reshape(2, 3)
    shown = probe
    for kind, body in item.properties:
        if kind == b"irot" and body:
            shown = np.rot90(shown, body[0] & 3)
        elif kind == b"imir" and body:
            shown = shown[:, ::-1] if body[0] & 1 else shown[::-1]
    return next(o for o in range(1, 9) if np.array_equal(displayed(probe, o), shown))
