"""What a result's file holds beside its picture: a viewer may show that in its place."""

from __future__ import annotations

import struct

from overpaint.picture import png, webp
from overpaint.picture.hidden_pictures import holds_picture
from overpaint.picture.jpeg_segments import APP2, end_of, segments

_PIXELS = ("IDAT", "VP8 ", "VP8L", "ALPH")
_FRAMES = ("acTL", "fcTL", "fdAT", "ANIM", "ANMF", "MPF")


def surplus(data: bytes, format: str | None, written: bytes) -> tuple[str, str]:
    """A further picture that a viewer shows, and other data beside the picture, in words; "" where there is none.

    Args:
        data: A file that can be opened.
        format: Its format. PNG, JPEG and WebP files are searched, of others only the end.
        written: The same result as it is written now: what is in there is no surplus.
    """
    read = {"png": _of_png, "jpeg": _of_jpeg, "webp": _of_webp}.get(format or "")
    parts, end = ([], len(written) if data.startswith(written) else len(data)) if read is None else read(data)
    names = [name for name, _ in parts]
    further = next((name for name in names if name in _FRAMES), "")
    if not further and names.count("VP8 ") + names.count("VP8L") > 1:
        further = "VP8"
    if further:
        return f"a further picture ({further})", ""
    if any(name not in _PIXELS and body not in written and holds_picture(body) for name, body in parts):
        return "", "a thumbnail or another picture in its metadata"
    return "", f"{len(data) - end:,} bytes behind the picture's end" if end < len(data) else ""


def _of_png(data: bytes) -> tuple[list[tuple[str, bytes]], int]:
    """Name and body of each chunk, those with a wrong checksum too, and the position behind IEND."""
    parts, at = [], len(png.SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        parts.append((data[at + 4 : at + 8].decode("latin-1"), data[at + 8 : at + 8 + length]))
        at += 12 + length
        if parts[-1][0] == "IEND":
            break
    return parts, at


def _of_jpeg(data: bytes) -> tuple[list[tuple[str, bytes]], int]:
    """Name and body of each segment, and the position behind the end; 0 where bytes lie between the segments."""
    parts = [
        ("MPF" if one.marker == APP2 and one.body.startswith(b"MPF\0") else f"{one.marker:X}", one.body)
        for one in segments(data)
    ]
    return parts, end_of(data, 0) or 0


def _of_webp(data: bytes) -> tuple[list[tuple[str, bytes]], int]:
    """Name and body of each chunk, and the position behind the RIFF container."""
    parts = [(name.decode("latin-1"), body) for name, body in webp.chunks(data)]
    (length,) = struct.unpack_from("<I", data, 4)
    return parts, 8 + length + length % 2
