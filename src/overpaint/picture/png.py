"""Reading PNG (W3C, PNG 3rd edition): chunks are taken apart here, pixels are decoded by OpenCV."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from overpaint.errors import PictureError

from . import iptc as iptc_blocks
from ._picture import Metadata, Picture
from .code_points import CodePoints
from .decoded import IndexedPixels, animated, by_opencv, split, stored_picture
from .limits import METADATA_BYTES, PictureLimits

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = "XML:com.adobe.xmp"
PROFILE_KEYWORD = "Raw profile type "
# Colour without an ICC profile: copied from a PNG file to the PNG file made of it.
COLOUR_CHUNKS = (b"cICP", b"mDCV", b"cLLI", b"sRGB", b"gAMA", b"cHRM")
_LENGTHS = {b"cICP": 4, b"gAMA": 4, b"cHRM": 32, b"pHYs": 9}  # chunks of another length are left out
_NAMES = {0: "grey", 2: "rgb", 3: "palette", 4: "grey+alpha", 6: "rgb+alpha"}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


@dataclass(frozen=True, slots=True)
class PngHeader:
    """The IHDR chunk."""

    width: int
    height: int
    depth: int
    colour: int


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, body) of each chunk up to IEND, its checksum tested. PictureError when the file is truncated or damaged.

    A damaged chunk that isn't needed for the pixels is skipped.
    """
    at = len(SIGNATURE)
    while True:
        if at + 12 > len(data):
            raise PictureError("the PNG file is truncated")
        (length,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 8 + length
        if end + 4 > len(data):
            raise PictureError("the PNG file is truncated")
        body = data[at + 8 : end]
        if zlib.crc32(body, zlib.crc32(kind)) == struct.unpack_from(">I", data, end)[0]:
            yield kind, body
        elif not kind[0] & 32:  # upper case: critical
            raise PictureError(f"the PNG file is damaged: the checksum of its chunk {kind!r} is wrong")
        if kind == b"IEND":
            return
        at = end + 4


def header(data: bytes) -> PngHeader:
    """The IHDR chunk. PictureError when it is missing or impossible."""
    if data[8:16] != b"\0\0\0\rIHDR" or len(data) < 33:
        raise PictureError("the PNG file is damaged: it has no header")
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    if depth not in _DEPTHS.get(colour, ()):
        raise PictureError(f"the PNG file is damaged: colour type {colour} with {depth} bits")
    return PngHeader(width, height, depth, colour)


def chunk(kind: bytes, body: bytes) -> bytes:
    """The bytes of a chunk in a file."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def read(data: bytes, limits: PictureLimits) -> Picture:
    """A PNG file. Animated ones are refused: an edit would lose all frames but one."""
    head = header(data)
    limits.check_pixels(head.width, head.height)
    pixels: list[tuple[bytes, bytes]] = []
    others: list[tuple[bytes, bytes]] = []
    for kind, body in chunks(data):
        (pixels if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND") else others).append((kind, body))
    frames = next((struct.unpack_from(">I", body)[0] for kind, body in others if kind == b"acTL" and len(body) == 8), 1)
    if frames > 1:
        raise animated("PNG")
    if not any(kind == b"IDAT" for kind, _ in pixels):
        raise PictureError("the PNG file has no pixels")
    _check_length(head, [body for kind, body in pixels if kind == b"IDAT"])
    found = _pixels(head, pixels)
    words = "bilevel" if head.depth == 1 and head.colour == 0 else f"{_NAMES[head.colour]} {head.depth}-bit"
    return _with_metadata(found, words, others)


def read_indices(data: bytes) -> IndexedPixels:
    """The indices of a PNG file with a palette that `read` reads: decoded as if they were levels of grey."""
    head, parts, colours = header(data), [SIGNATURE], b""
    for kind, body in chunks(data):
        if kind == b"PLTE":
            colours = body
        elif kind in (b"IHDR", b"IDAT", b"IEND"):
            parts.append(chunk(kind, body[:9] + b"\0" + body[10:] if kind == b"IHDR" else body))
    levels = by_opencv(b"".join(parts), 8)
    return IndexedPixels.of((levels // (255 // ((1 << head.depth) - 1))).astype(np.uint8), colours)


def _check_length(head: PngHeader, parts: list[bytes]) -> None:
    """Refuse a size that the data can't fill, before memory is allocated: Deflate shrinks by 1032 : 1 at most."""
    expected = (head.width * _CHANNELS[head.colour] * head.depth + 7) // 8 * head.height
    if sum(map(len, parts)) * 1032 + 64 < expected:
        raise PictureError(f"the PNG file is truncated: too little data for {head.width}x{head.height} pixels")


def _pixels(head: PngHeader, needed: list[tuple[bytes, bytes]]) -> Picture:
    """The pixels, decoded from a file that holds nothing else; tRNS of grey and RGB becomes alpha here.

    By OpenCV, at every depth: Pillow reduces RGB of 16 bits to 8, and accepts files whose last rows are missing.
    """
    key = next((body for kind, body in needed if kind == b"tRNS"), None)
    if head.colour != 3:
        needed = [(kind, body) for kind, body in needed if kind != b"tRNS"]
    plain = SIGNATURE + b"".join(chunk(kind, body) for kind, body in needed)
    values = by_opencv(plain, max(head.depth, 8))
    if values.shape[:2] != (head.height, head.width):
        raise PictureError("the PNG file is damaged or truncated: its pixels can't be decoded")
    if head.colour == 4:  # decoded as red, green and blue, all equal, and alpha
        values = np.ascontiguousarray(values[..., 2:])
    found = split(values)
    count = _CHANNELS[head.colour]
    if key is None or head.colour not in (0, 2) or len(key) < 2 * count:
        return found
    colour = np.array(struct.unpack_from(f">{count}H", key))
    if head.depth < 8:
        colour = colour * 255 // ((1 << head.depth) - 1)
    opaque = (found.samples != colour).any(axis=2)
    alpha = (opaque * np.iinfo(values.dtype).max).astype(values.dtype)
    return found.with_pixels(found.samples, alpha)


def _with_metadata(pixels: Picture, mode: str, others: list[tuple[bytes, bytes]]) -> Picture:
    left = METADATA_BYTES

    def inflated(data: bytes) -> bytes:
        """Within one limit for the whole file; empty for damaged data."""
        nonlocal left
        try:
            found = zlib.decompressobj().decompress(data, left + 1)
        except zlib.error:
            return b""
        left -= len(found)
        if left < 0:
            raise PictureError(f"the PNG file's metadata inflate to more than {METADATA_BYTES:,} bytes")
        return found

    first = {kind: body for kind, body in reversed(others) if len(body) == _LENGTHS.get(kind, len(body))}
    icc = inflated(first.get(b"iCCP", b"").partition(b"\0")[2][1:])
    x, y, unit = struct.unpack(">IIB", first.get(b"pHYs", bytes(9)))
    dpi = (x * 0.0254, y * 0.0254) if unit == 1 and x and y else None
    exif, iptc = first.get(b"eXIf"), b""
    packets: list[bytes] = []
    text: dict[str, str] = {}
    for kind, body in others:
        keyword, found = _text(kind, body, inflated)
        if keyword == XMP_KEYWORD:
            packets.append(found)
        elif keyword.startswith(PROFILE_KEYWORD):
            raw, what = _raw_profile(found), keyword.removeprefix(PROFILE_KEYWORD)
            if what in ("exif", "APP1") and raw[:4] == b"Exif":
                exif = exif or raw
            elif what == "xmp":
                packets.append(raw)
            elif what in ("8bim", "iptc") and raw:
                iptc = iptc or (raw if raw[:4] == b"8BIM" else iptc_blocks.from_records(raw))
        elif keyword:
            text.setdefault(keyword, found.decode("utf-8" if kind == b"iTXt" else "latin-1", "replace"))
    points = _code_points(first, profile=bool(icc))
    xmp, *further = [one for one in packets if one] or [b""]
    return stored_picture(pixels, mode, Metadata(icc, points, exif, xmp, iptc, dpi, text, tuple(further)))


def _code_points(first: dict[bytes, bytes], profile: bool) -> CodePoints | None:
    """Colour stated by other chunks than iCCP, in the order of precedence of PNG, 4.3; a `profile` goes before gAMA."""
    points = None
    if b"cICP" in first:
        primaries, transfer, matrix, full = first[b"cICP"]
        points = CodePoints(primaries, transfer, matrix, full_range=full == 1)
    elif b"sRGB" in first:
        points = CodePoints(1, 13, 0)
    elif not profile:
        gamma = int.from_bytes(first.get(b"gAMA", b""), "big") / 100_000 or None
        numbers = [number / 100_000 for (number,) in struct.iter_unpack(">I", first.get(b"cHRM", b""))]
        places = (*numbers[2:], *numbers[:2]) or None  # white is the first pair in cHRM
        points = CodePoints(gamma=gamma, chromaticities=places) if gamma or places else None
    return points and replace(points, mastering=b"mDCV" in first or b"cLLI" in first)


def _text(kind: bytes, body: bytes, inflated: Callable[[bytes], bytes]) -> tuple[str, bytes]:
    """Keyword and still encoded text of a text chunk; ("", b"") for other chunks and when it is damaged."""
    key, mark, rest = body.partition(b"\0")
    keyword = key.decode("latin-1")
    if kind not in (b"tEXt", b"zTXt", b"iTXt") or not mark or not 1 <= len(key) <= 79:
        return "", b""
    if kind == b"zTXt":
        return keyword, inflated(rest[1:])
    if kind == b"iTXt":
        if len(rest) < 4:
            return "", b""
        compressed = rest[0] == 1
        value = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
        return keyword, inflated(value) if compressed else value
    return keyword, rest


def _raw_profile(text: bytes) -> bytes:
    """Bytes from ImageMagick's hexadecimal text (name, length, digits); empty when the text has another form."""
    parts = text.split(None, 2)
    try:
        return bytes.fromhex(parts[2].decode()) if len(parts) == 3 else b""
    except ValueError:
        return b""
