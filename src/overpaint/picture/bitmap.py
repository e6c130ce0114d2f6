"""Reading BMP and still GIF files: pixels by Pillow, after sizes are checked here."""

from __future__ import annotations

import io
import struct

from overpaint.errors import PictureError

from ._picture import Metadata, Picture
from .decoded import IndexedPixels, animated, comment_text, indices_of, loaded, of_image, stored_picture
from .limits import PictureLimits

_BMP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})  # lengths of the header behind the file header
_GIF_EXTENSION, _GIF_IMAGE = 0x21, 0x2C
_GIF_XMP = b"\x0bXMP DataXMP"
_GIF_XMP_END = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
_EMBEDDED_PROFILE = b"DEBM"  # bV5CSType PROFILE_EMBEDDED, little endian


def is_bmp(head: bytes) -> bool:
    """Whether a file with these first bytes is a BMP file; plain text may start with "BM" too."""
    return head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS


def read_bmp(data: bytes, limits: PictureLimits) -> Picture:
    """A BMP file: palettes become RGB, the transparency of 32-bit files becomes alpha, embedded profiles stay."""
    from PIL.BmpImagePlugin import BmpImageFile

    image = BmpImageFile(io.BytesIO(data))
    limits.check_pixels(*image.size)
    bits = int.from_bytes(data[24:26] if data[14] == 12 else data[28:30], "little")
    packed = data[14] >= 40 and data[30] in (1, 2)  # run lengths: two bytes give at most 255 pixels
    most = len(data) * 128 if packed else len(data) * 8 // max(bits, 1)
    if image.size[0] * image.size[1] > most:
        raise PictureError(f"the BMP file is truncated: too little data for {image.size[0]}x{image.size[1]} pixels")
    image.load()
    icc = None
    if data[14] == 124 and data[70:74] == _EMBEDDED_PROFILE:
        start, size = struct.unpack_from("<II", data, 126)
        icc = data[14 + start : 14 + start + size] or None
    x, y = image.info.get("dpi", (0, 0))
    dpi = (float(x), float(y)) if x > 0 and y > 0 else None
    kind = {"1": "bilevel", "L": "grey", "P": "palette", "RGBA": "rgb+alpha"}.get(image.mode, "rgb")
    return stored_picture(of_image(image), f"{kind} {bits}-bit", Metadata(icc=icc, dpi=dpi))


def read_gif(data: bytes, limits: PictureLimits) -> Picture:
    """A GIF file of one picture. Animated ones are refused: an edit would lose all frames but one."""
    from PIL.GifImagePlugin import GifImageFile

    image = GifImageFile(io.BytesIO(data))
    limits.check_pixels(*image.size)
    if image.is_animated:
        raise animated("GIF")
    pixels = of_image(loaded(GifImageFile, data))
    packets = _gif_xmp(data)
    comment = comment_text(image.info.get("comment"))
    found = Metadata(xmp=packets[0] if packets else None, text=comment, further_xmp=tuple(packets[1:]))
    return stored_picture(pixels, "palette 8-bit", found)


def _gif_xmp(data: bytes) -> list[bytes]:
    """The XMP packets of a GIF file (XMP, part 3, 1.1.2): in application extensions, not in sub-blocks as other data
    are, but whole, with 258 bytes behind each that lead every reader of sub-blocks to its end.
    """
    found: list[bytes] = []
    at = _behind_palette(data, 10, 13)
    while at < len(data) and data[at] in (_GIF_EXTENSION, _GIF_IMAGE):
        is_image = data[at] == _GIF_IMAGE  # whose data stand behind a palette and the size of the first code
        start = end = _behind_palette(data, at + 9, at + 10) + 1 if is_image else at + 2
        while end < len(data) and data[end]:
            end += data[end] + 1
        if data[start : start + 12] == _GIF_XMP:
            found.append(data[start + 12 : end + 1].removesuffix(_GIF_XMP_END))
        at = end + 1
    return found


def _behind_palette(data: bytes, flags: int, at: int) -> int:
    """Where a GIF's block goes on behind the palette that may stand at `at`; `flags` is where its flags are."""
    packed = data[flags] if flags < len(data) else 0
    return at + (3 << (packed & 7) + 1 if packed & 0x80 else 0)


def read_bmp_indices(data: bytes) -> IndexedPixels | None:
    """The indices of a BMP file that `read_bmp` reads."""
    from PIL.BmpImagePlugin import BmpImageFile

    return indices_of(loaded(BmpImageFile, data))


def read_gif_indices(data: bytes) -> IndexedPixels | None:
    """The indices of a GIF file that `read_gif` reads."""
    from PIL.GifImagePlugin import GifImageFile

    return indices_of(loaded(GifImageFile, data))
