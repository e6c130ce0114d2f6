"""Reading TIFF (TIFF 6.0, BigTIFF): sizes and tags are checked here, samples put together by tifffile.

A strip or tile is decompressed here, within the bytes that it should have, before tifffile sees it: Deflate by zlib;
LZW, PackBits and Zstandard by Pillow's libtiff, as plain bytes. Files with fewer than 8 bits or a palette, and
those with JPEG, fax or YCbCr inside, are decoded by Pillow as a whole.
"""

from __future__ import annotations

import io
import logging
import struct
import zlib
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from overpaint.errors import PictureError

from . import exif as exif_blocks
from . import iptc as iptc_blocks
from ._picture import Colour, Metadata, Picture, Samples
from .decoded import IndexedPixels, indices_of, loaded, of_image, stored_picture
from .ifd import ORIENTATION, MalformedIFD, TagBlock, TagDirectory
from .limits import METADATA_BYTES, PictureLimits

if TYPE_CHECKING:
    from PIL.Image import Image

XMP, PHOTOSHOP = 700, 34377
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _SAMPLES = 256, 257, 258, 259, 262, 266, 277
_PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT, _INK_SET, _EXTRA, _FORMAT = 317, 322, 323, 332, 338, 339
_IPTC, _ICC, _DNG_VERSION = 33723, 34675, 50706
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _CMYK, _YCBCR = range(7)
_COLOURS = {_WHITE_IS_ZERO: Colour.GREY, _BLACK_IS_ZERO: Colour.GREY, _RGB: Colour.RGB, _CMYK: Colour.CMYK}
_FORMATS = {2: "signed integers", 3: "floats", 4: "unknown", 5: "complex integers", 6: "complex floats"}
_NONE, _LZW, _DEFLATE, _PACKBITS, _OLD_DEFLATE, _ZSTD = 1, 5, 8, 32773, 32946, 50000
_CODECS = frozenset({_NONE, _LZW, _DEFLATE, _PACKBITS, _OLD_DEFLATE, _ZSTD})

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # or it prints what is an error here, or nothing


@dataclass(frozen=True, slots=True)
class _TiffPage:
    """The first directory, and the layout of its samples."""

    block: TagBlock
    tags: TagDirectory
    width: int
    height: int
    bits: int
    samples: int
    photometric: int
    compression: int

    def integer(self, tag: int, default: int) -> int:
        return self.block.integer(self.tags, tag, default)

    def raw(self, tag: int) -> bytes | None:
        entry = self.tags.entries.get(tag)
        if entry is None or entry.length == 0:
            return None
        if entry.length > METADATA_BYTES:
            raise PictureError(
                f"the TIFF file's tag {tag} has {entry.length:,} bytes; at most {METADATA_BYTES:,} are read"
            )
        return self.block.raw(entry)


def read(data: bytes, limits: PictureLimits) -> Picture:
    """A TIFF file of one page. Further pages are refused unless they are previews or masks of the first one."""
    try:
        page = _page(data, limits)
        pixels, words = _pixels(data, page)
        records = page.raw(_IPTC)
        found = Metadata(
            icc=page.raw(_ICC),
            exif=exif_blocks.from_directory(page.block, page.tags),
            xmp=page.raw(XMP),
            iptc=page.raw(PHOTOSHOP) or (records and iptc_blocks.from_records(records)),
            dpi=exif_blocks.directory_resolution(page.block, page.tags),
        )
        orientation = page.integer(ORIENTATION, 1)
        return stored_picture(pixels, words, found, orientation=orientation if 1 <= orientation <= 8 else 1)
    except MalformedIFD as error:
        raise PictureError(f"the TIFF file is damaged or truncated: {error}") from error


def _page(data: bytes, limits: PictureLimits) -> _TiffPage:
    block = TagBlock(data)
    pages = list(block.chain(block.first))
    if not pages:
        raise PictureError("the TIFF file is damaged or truncated: its first directory can't be read")
    tags = pages[0]
    if _DNG_VERSION in tags.entries or data[8:10] == b"CR" or block.integer(tags, 254, 0) & 1:
        raise PictureError("a camera's raw file; develop it to TIFF, JPEG or PNG first")
    others = [p for p in pages[1:] if not block.integer(p, 254, 0) & 5 and block.integer(p, 255, 1) != 2]
    if others:
        raise PictureError(f"the TIFF file has {1 + len(others)} pages; give one page as a file of its own")
    width, height = block.integer(tags, _WIDTH, 0), block.integer(tags, _HEIGHT, 0)
    limits.check_pixels(width, height)
    bits = block.integers(tags, _BITS) or (1,)
    samples = block.integer(tags, _SAMPLES, 1)
    if not 1 <= samples <= 16 or len(set(bits)) != 1:
        raise PictureError(f"a TIFF file with {samples} samples of {bits} bits; all must have the same, 8 or 16")
    kind = block.integer(tags, _FORMAT, 1)
    if kind != 1 or bits[0] not in (1, 2, 4, 8, 16):
        words = _FORMATS.get(kind, "whole numbers")
        raise PictureError(f"a TIFF file with samples of {bits[0]} bits ({words}); save it with 8 or 16 bits")
    photometric = block.integer(tags, _PHOTOMETRIC, _BLACK_IS_ZERO)
    return _TiffPage(block, tags, width, height, bits[0], samples, photometric, block.integer(tags, _COMPRESSION, 1))


def _pixels(data: bytes, page: _TiffPage) -> tuple[Picture, str]:
    """The pixels as stored, and their mode in words."""
    colour = _COLOURS.get(page.photometric)
    known = page.compression in _CODECS and page.integer(_FILL_ORDER, 1) == 1 and page.integer(_PREDICTOR, 1) in (1, 2)
    if page.bits < 8 or page.photometric in (_PALETTE, _YCBCR) or (page.bits == 8 and not known and colour is not None):
        return _by_pillow(data, page)
    if colour is None or (colour is Colour.CMYK and page.integer(_INK_SET, 1) != 1):
        raise PictureError(f"a TIFF file of photometric kind {page.photometric}; save it as grey, RGB or CMYK")
    if not known:
        raise PictureError(
            f"a TIFF file with compression {page.compression} and 16 bits; save it uncompressed, with LZW or Deflate"
        )
    extra = _extra_samples(page, colour)
    values = _assembled(data, page)
    if page.photometric == _WHITE_IS_ZERO:
        values[..., 0] = np.iinfo(values.dtype).max - values[..., 0]
    alpha = np.ascontiguousarray(values[..., colour.samples]) if extra else None
    colours = np.ascontiguousarray(values[..., : colour.samples])
    if alpha is not None and extra == (1,):
        colours = _unassociated(colours, alpha)
    words = f"{colour}{'+alpha' if extra else ''}{' (associated)' if extra == (1,) else ''} {page.bits}-bit"
    return Picture(colours, alpha, colour), words


def _extra_samples(page: _TiffPage, colour: Colour) -> tuple[int, ...]:
    """The kind of the one extra sample that is allowed: 1 associated alpha, 2 unassociated."""
    count = page.samples - colour.samples
    if count < 0:
        raise PictureError(f"a TIFF file that is {colour} with {page.samples} samples; it needs {colour.samples}")
    kinds = page.block.integers(page.tags, _EXTRA)[:count]
    if count and kinds not in ((1,), (2,)):
        raise PictureError(f"a TIFF file with {count} extra channel(s) that aren't transparency; save it without them")
    return kinds if count else ()


def _unassociated(colours: Samples, alpha: Samples) -> Samples:
    """Colour divided by the alpha that it was multiplied with, rounded; 0 where nothing shows."""
    top = int(np.iinfo(colours.dtype).max)
    divisor = np.maximum(alpha, 1).astype(np.uint32)[..., np.newaxis]
    straight = np.minimum((colours.astype(np.uint32) * top + divisor // 2) // divisor, top)
    return np.where(alpha[..., np.newaxis] == 0, 0, straight).astype(colours.dtype)


def _assembled(data: bytes, page: _TiffPage) -> Samples:
    """(H, W, samples) in native byte order. PictureError when a strip or tile is outside the file, damaged or short."""
    import tifffile

    size = page.width * page.height
    if (page.compression == _NONE and size * page.samples * page.bits // 8 > len(data)) or size > len(data) * 20_000:
        raise PictureError(f"the TIFF file is truncated: too little data for {page.width}x{page.height} pixels")
    if page.integer(_TILE_WIDTH, 0) * page.integer(_TILE_HEIGHT, 0) > 4 * size + (1 << 20):
        raise PictureError("the TIFF file is damaged: its tiles are larger than the picture")
    out = np.empty((page.height, page.width, page.samples), np.uint8 if page.bits == 8 else np.uint16)
    filled = 0
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        first = file.pages.first
        first.compression = _NONE  # its strips are passed on decompressed
        for index, (start, count) in enumerate(zip(first.dataoffsets, first.databytecounts, strict=False)):
            if not 8 <= start < len(data):
                raise PictureError(f"the TIFF file is damaged or truncated: strip {index} starts outside the file")
            shape = first.decode(None, index)[2]  # (1, rows, columns, samples)
            if shape[0] != 1:
                raise PictureError("the TIFF file holds a volume, not a picture")
            needed = prod(shape) * out.itemsize
            raw = _decompressed(data[start : start + count], page.compression, needed // shape[1], shape[1])
            if len(raw) < needed:
                raise PictureError(f"the TIFF file is truncated: strip {index} has {len(raw):,} of {needed:,} bytes")
            part, (plane, _, top, left, _), _ = first.decode(bytearray(raw[:needed]), index)
            target = out[top : top + shape[1], left : left + shape[2], plane : plane + shape[3]]
            target[:] = part[0, : target.shape[0], : target.shape[1]]
            filled += target.size
    if filled != out.size:
        raise PictureError("the TIFF file is damaged or truncated: strips or tiles are missing")
    return out


def _decompressed(raw: bytes, compression: int, row_bytes: int, rows: int) -> bytes:
    """At most `rows` of `row_bytes` bytes."""
    if compression == _NONE:
        return raw
    if compression in (_DEFLATE, _OLD_DEFLATE):
        return zlib.decompressobj().decompress(raw, row_bytes * rows)
    # Wrapped as a grey 8-bit TIFF file of one strip, whose pixels are then the bytes.
    from PIL.TiffImagePlugin import TiffImageFile

    tags = {256: row_bytes, 257: rows, 258: 8, 259: compression, 262: 1, 273: 8, 277: 1, 278: rows, 279: len(raw)}
    padded = raw + b"\0" * (len(raw) % 2)
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    header = struct.pack("<4sI", b"II*\0", 8 + len(padded))
    return loaded(TiffImageFile, header + padded + struct.pack("<H", len(tags)) + body + b"\0\0\0\0").tobytes()


def read_indices(data: bytes) -> IndexedPixels | None:
    """The indices of a TIFF file with a palette that `read` reads."""
    return indices_of(_pillow_image(data, _page(data, PictureLimits())))


def _by_pillow(data: bytes, page: _TiffPage) -> tuple[Picture, str]:
    """Bilevel, palettes, JPEG, fax and YCbCr: 8 bits at most."""
    if page.bits > 8:
        raise PictureError(f"a TIFF file of photometric kind {page.photometric} with {page.bits} bits; save it as RGB")
    image = _pillow_image(data, page)
    kind = {_PALETTE: "palette", _YCBCR: "rgb (ycc)"}.get(page.photometric, "bilevel" if page.bits == 1 else "grey")
    return of_image(image), f"{kind} {page.bits}-bit" if kind != "bilevel" else kind


def _pillow_image(data: bytes, page: _TiffPage) -> Image:
    """The file as Pillow decodes it. The orientation is hidden, as Pillow would apply it."""
    from PIL.TiffImagePlugin import TiffImageFile

    entry = page.tags.entries.get(ORIENTATION)
    if entry is not None:
        plain = bytearray(data)
        plain[entry.at : entry.at + 2] = (65000).to_bytes(2, "little" if page.block.order == "<" else "big")
        data = bytes(plain)
    image = loaded(TiffImageFile, data)
    if image.size != (page.width, page.height):
        raise PictureError("the TIFF file's pixels are damaged")
    return image
