"""What libpng (in OpenCV) and libtiff (in Pillow) print of a file that they decode all the same.

They have no other way to say that a part of the pixels is lost. Most messages are about metadata, which are read by
code of this package, and mean nothing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

PRINTED = re.compile(
    r"libpng (?:warning|error): "
    r"|_?TIFF\w+: |MissingRequired: |tempfile\.tif: "  # the name by which Pillow opens a file in memory
    r"|(?:CCITT|Dump|Fax|JPEG|LERC|LZMA|LZW|LogL|Next|OJPEG|Pack|Pixar|SGILog|Thunder|WebP|ZIP|ZSTD|horizontal)\w*: "
)
"""Their messages: in libtiff the name of a function, or of the file, comes first."""

_DAMAGE = re.compile(
    r"libpng \w+: (?P<png>IDAT: (?!Too much|Extra).*|Not enough image data.*|.*adaptive filter.*)"
    r"|(?!_?TIFF(?:Fetch|ReadDirectory|ReadCustomDirectory|Get|Set|Advance))(?!MissingRequired)[\w.]+: (?P<tiff>.*)"
)
_MOST = 120  # characters that are quoted

logging.getLogger("PIL").addHandler(logging.NullHandler())  # or it prints what is an error here, or nothing


def damage_in(lines: Iterable[str]) -> tuple[str, ...]:
    """What is wrong with a file that was decoded, by the first message on its pixels; none for other messages."""
    for line in lines:
        if found := _DAMAGE.fullmatch(line):
            # what a message has in quotes may be text of the file
            said = re.sub(r"""(["'`]).*["']""", "...", found["png"] or found["tiff"])
            said = "".join(one for one in said if " " <= one <= "~")[:_MOST].rstrip(" .")
            return (f"the file is damaged, and a part of the picture may be lost ({said})",)
    return ()
