"""Whether a picture's file has its end, or is one that is still being written: by its format's own marks, without
decoding it.

Sources: JPEG ITU-T T.81 B.1.1.3 (EOI), PNG 11.2.5 (IEND), GIF89a 27 (trailer), RIFF as WebP's container has it, BMP's
BITMAPFILEHEADER (bfSize).
"""

from __future__ import annotations

import os
from pathlib import Path

_IEND = b"\0\0\0\0IEND\xaeB`\x82"
_PADDING = b"\0\r\n \x1a"  # that cameras and transfers put behind a file's end
_ENDING = 512  # bytes of the end that are looked at


def has_its_end(path: Path) -> bool | None:
    """Whether a file has the end that its format demands; None where its format has no such mark, as of TIFF.

    A file with other data behind its end, as some cameras write, has False too: it is no proof of damage.

    Raises:
        OSError: It can't be read.
    """
    with path.open("rb") as file:
        head = file.read(32)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _ENDING))
        end = file.read()
    if head.startswith(b"\xff\xd8\xff"):
        return end.rstrip(_PADDING).endswith(b"\xff\xd9")
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _IEND in end
    if head.startswith((b"GIF87a", b"GIF89a")):
        return end.rstrip(b"\0").endswith(b";")
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return size >= int.from_bytes(head[4:8], "little") + 8
    if head.startswith(b"BM") and len(head) >= 6:
        return size >= int.from_bytes(head[2:6], "little")
    return None if head.strip(b"\0") else False
