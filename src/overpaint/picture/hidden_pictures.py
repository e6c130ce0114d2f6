"""Pictures hidden in texts: previews of the original, which would still show what was removed.

Texts of metadata hold them in base64 or hexadecimal, often after a few words of a header (`data:image/jpeg;base64,`).
"""

from __future__ import annotations

import base64
import re

# JPEG (a marker that may follow the start), PNG: anywhere; the others are too short not to be met by chance.
_ANYWHERE = re.compile(rb"\xff\xd8\xff[\xc0-\xcf\xda-\xdf\xe0-\xef\xfe]|\x89PNG\r\n\x1a\n|GIF8[79]a")
_FIRST = re.compile(
    rb"RIFF.{4}WEBP|.{4}ftyp(?:avi|hei|hev|mif|msf|jp2|jxl)|.{4}(?:jP  |JXL )|\xff\x0a|\xff\x4f\xff\x51"
    rb"|II\*\0|MM\0\*|BM.{4}\0{4}|8BPS\0|<svg",
    re.DOTALL,
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/_\s-]{64,}")  # one class alone, so that no text makes the search slow
_HEX = re.compile(rb"[0-9A-Fa-f\s]{128,}")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def holds_picture(text: bytes) -> bool:
    """Whether a text has a picture within: as it is, in base64, or in hexadecimal."""
    if _ANYWHERE.search(text):
        return True
    return any(map(_is_coded, _BASE64.findall(text))) or any(map(_is_hex, _HEX.findall(text)))


def _is_coded(run: bytes) -> bool:
    """Whether a run of base64 is that of a picture; words before it may have shifted it."""
    words = run.translate(_URL_SAFE).split()
    plain = b"".join(words)
    parts = [plain[start:] for start in range(4)] + [word for word in words[1:] if len(word) >= 64]
    return any(_shows(base64.b64decode(part[: len(part) // 4 * 4])) for part in parts)


def _is_hex(run: bytes) -> bool:
    plain = b"".join(run.split())
    return any(_shows(bytes.fromhex(plain[start : start + (len(plain) - start) // 2 * 2].decode())) for start in (0, 1))


def _shows(data: bytes) -> bool:
    return bool(_FIRST.match(data) or _ANYWHERE.search(data))
