"""The segments of a JPEG file (ITU-T T.81, annex B), its frame header and quantisation tables."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from overpaint.errors import PictureError

SOI, EOI, SOS, DQT, DHT, COM = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xFE
APP0, APP1, APP2, APP11, APP13, APP14 = 0xE0, 0xE1, 0xE2, 0xEB, 0xED, 0xEE
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF markers
LONGEST = 65533  # bytes of a segment after its length field
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")  # those that head a segment; decoders skip stray and fill bytes
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


@dataclass(frozen=True, slots=True)
class JpegSegment:
    """One marker segment; `scan` is the entropy-coded data that follows an SOS."""

    marker: int
    body: bytes
    scan: bytes = b""

    def __bytes__(self) -> bytes:
        return struct.pack(">BBH", 0xFF, self.marker, len(self.body) + 2) + self.body + self.scan


@dataclass(frozen=True, slots=True)
class JpegComponent:
    """One colour component of the frame: its identifier, sampling factors and quantisation table."""

    identifier: int
    horizontal: int
    vertical: int
    table: int


@dataclass(frozen=True, slots=True)
class JpegFrame:
    """The frame header (SOF)."""

    marker: int
    precision: int
    width: int
    height: int
    components: tuple[JpegComponent, ...]

    @property
    def progressive(self) -> bool:
        """Whether coefficients come in several passes (SOF2, SOF6, SOF10, SOF14)."""
        return self.marker in (0xC2, 0xC6, 0xCA, 0xCE)

    @property
    def usual_dct(self) -> bool:
        """Whether it is sequential or progressive DCT, not lossless or hierarchical JPEG."""
        return self.marker in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)

    @property
    def largest(self) -> tuple[int, int]:
        """The largest horizontal and vertical sampling factor; an MCU has 8 times as many pixels."""
        return max(c.horizontal for c in self.components), max(c.vertical for c in self.components)

    @property
    def sampling(self) -> str:
        """The usual name, "4:2:0"; "2x1,1x1,1x2" for combinations without one."""
        factors = [(c.horizontal, c.vertical) for c in self.components]
        names = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (4, 1): "4:1:1", (1, 2): "4:4:0", (4, 2): "4:1:0"}
        if all(f == factors[0] for f in factors):
            return "4:4:4"
        if len(factors) == 3 and factors[1:] == [(1, 1), (1, 1)] and factors[0] in names:
            return names[factors[0]]
        return ",".join(f"{h}x{v}" for h, v in factors)


@dataclass(frozen=True, slots=True)
class JpegFile:
    """A file's segments, its frame header, and what its components mean: "grey", "ycc", "rgb", "cmyk" or "ycck"."""

    parts: list[JpegSegment]
    frame: JpegFrame
    transform: str


def parsed(data: bytes) -> JpegFile:
    """The file taken apart. PictureError when it is truncated or damaged."""
    parts = list(segments(data))
    frame = _frame_of(parts)
    return JpegFile(parts, frame, _transform_of(parts, frame))


def segments(data: bytes) -> Iterator[JpegSegment]:
    """The segments from SOI to the first EOI. PictureError when the file is truncated or no JPEG file."""
    if data[:2] != b"\xff\xd8":
        raise PictureError("not a JPEG file: it doesn't start with FF D8")
    at = 2
    while marked := _MARKER.search(data, at):
        marker, start = marked[0][1], marked.end()
        if marker == EOI:
            return
        length = int.from_bytes(data[start : start + 2], "big")
        end = start + length
        following = _MARKER_IN_SCAN.search(data, end) if marker == SOS else None
        if length < 2 or end > len(data) or (marker == SOS and following is None):
            break
        at = following.start() if following else end
        yield JpegSegment(marker, data[start + 2 : end], data[end:at])
    raise PictureError("the JPEG file is truncated")


def end_of(data: bytes | bytearray, at: int) -> int | None:
    """The position behind the EOI of a JPEG stream that starts at `at`; None when none is found."""
    at += 2
    while at + 2 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == EOI:
            return at + 2
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == SOS:
            found = _MARKER_IN_SCAN.search(data, at)
            if found is None:
                return None
            at = found.start()
    return None


def _frame_of(parts: list[JpegSegment]) -> JpegFrame:
    """The frame header. PictureError when there is none, or not exactly one."""
    headers = [s for s in parts if s.marker in FRAMES]
    if len(headers) != 1 or len(headers[0].body) < 6:
        raise PictureError(f"a JPEG file has one frame header, this one {len(headers)}")
    body = headers[0].body
    precision, height, width, count = struct.unpack(">BHHB", body[:6])
    if len(body) < 6 + 3 * count or not 1 <= count <= 4:
        raise PictureError(f"the JPEG file's frame header is damaged ({count} components)")
    triples = struct.iter_unpack("3B", body[6 : 6 + 3 * count])
    found = [JpegComponent(number, factors >> 4, factors & 15, table) for number, factors, table in triples]
    if any(not (1 <= c.horizontal <= 4 and 1 <= c.vertical <= 4) for c in found):
        raise PictureError("the JPEG file's frame header is damaged (sampling factors)")
    return JpegFrame(headers[0].marker, precision, width, height, tuple(found))


def bare(parts: list[JpegSegment]) -> bytes:
    """The file with only what decoding needs: no EXIF, profiles, comments, and nothing behind the first picture."""
    kept = [s for s in parts if not (APP0 <= s.marker <= 0xEF or s.marker == COM) or s.marker in (APP0, APP14)]
    return joined([s for s in kept if s.marker != APP0 or s.body[:5] == b"JFIF\0"])


def joined(parts: list[JpegSegment]) -> bytes:
    """The segments as a file."""
    return b"\xff\xd8" + b"".join(bytes(s) for s in parts) + b"\xff\xd9"


def _transform_of(parts: list[JpegSegment], frame: JpegFrame) -> str:
    """The meaning of the components, decided as libjpeg does."""
    count = len(frame.components)
    adobe = next((s.body[11:12] for s in parts if s.marker == APP14 and s.body[:5] == b"Adobe"), b"")
    if count == 1:
        return "grey"
    if count == 4:
        return "ycck" if adobe == b"\2" else "cmyk"
    if count != 3:
        raise PictureError(f"a JPEG file with {count} components; 1, 3 or 4 can be read")
    if any(s.marker == APP0 and s.body[:5] == b"JFIF\0" for s in parts):
        return "ycc"
    if adobe:
        return "rgb" if adobe == b"\0" else "ycc"
    return "rgb" if bytes(c.identifier for c in frame.components) == b"RGB" else "ycc"


def quantisation_tables(parts: list[JpegSegment]) -> dict[int, list[int]]:
    """The tables by number, each 64 values in zigzag order. Damaged segments are left out."""
    found: dict[int, list[int]] = {}
    for part in parts:
        body = part.body if part.marker == DQT else b""
        while body:
            wide, number = body[0] >> 4, body[0] & 15
            size = 128 if wide else 64
            if len(body) < 1 + size:
                break
            found[number] = list(struct.unpack(">64H" if wide else ">64B", body[1 : 1 + size]))
            body = body[1 + size :]
    return found
