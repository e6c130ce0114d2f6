"""Reading TIFF (TIFF 6.0, BigTIFF): our own directories and strips, so that 16 bits stay and no offset is trusted.

Pixels of 8 and 16 bits are assembled here, whatever the planes, byte order and predictor; compression kinds that Python
lacks (LZW, PackBits, Zstandard) go through Pillow's libtiff one strip at a time, as bytes without a meaning. What has
fewer bits, a palette, or is JPEG, fax or YCbCr inside goes through Pillow as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import PictureError

from . import exif as exif_blocks
from . import iptc as iptc_blocks
from . import xmp as xmp_packets
from ._picture import Colour, Metadata
from .decoded import Decoded, Pixels, of_image
from .ifd import ORIENTATION, Block, Directory, Entry, MalformedIFD
from .limits import METADATA_BYTES, Limits
from .tiff_strips import CODECS, Layout, assembled

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
SAMPLES, PLANAR, PREDICTOR, EXTRA, FORMAT, FILL_ORDER = 277, 284, 317, 338, 339, 266
XMP, IPTC, PHOTOSHOP, ICC, INK_SET, DNG_VERSION = 700, 33723, 34377, 34675, 332, 50706
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _CMYK, _YCBCR = range(7)
_COLOURS = {_WHITE_IS_ZERO: Colour.GREY, _BLACK_IS_ZERO: Colour.GREY, _RGB: Colour.RGB, _CMYK: Colour.CMYK}
_FORMATS = {2: "signed integers", 3: "floats", 4: "unknown", 5: "complex integers", 6: "complex floats"}


@dataclass(frozen=True, slots=True)
class _Page:
    """The first directory, and what it says about samples."""

    block: Block
    tags: Directory
    width: int
    height: int
    bits: int
    samples: int
    photometric: int
    compression: int

    def integer(self, tag: int, default: int) -> int:
        return self.block.integer(self.tags, tag, default)

    def entry(self, tag: int) -> Entry | None:
        return self.tags.entries.get(tag)


def read(data: bytes, limits: Limits) -> Decoded:
    """A TIFF file of one page. Further pages are refused unless they are previews or masks of the first one."""
    try:
        page = _page(data, limits)
        found, words = _pixels(data, page)
        orientation = page.integer(ORIENTATION, 1)
        return Decoded(found, _metadata(page), orientation if 1 <= orientation <= 8 else 1, True, words)
    except MalformedIFD as error:
        raise PictureError(f"the TIFF file is damaged or truncated: {error}") from error


def _page(data: bytes, limits: Limits) -> _Page:
    block = Block(data)
    pages = list(block.chain(block.first))
    if not pages:
        raise PictureError("the TIFF file is damaged or truncated: its first directory can't be read")
    tags = pages[0]
    if DNG_VERSION in tags.entries or data[8:10] == b"CR" or block.integer(tags, 254, 0) & 1:
        raise PictureError("a camera's raw file; develop it to TIFF, JPEG or PNG first")
    others = [p for p in pages[1:] if not block.integer(p, 254, 0) & 5 and block.integer(p, 255, 1) != 2]
    if others:
        raise PictureError(f"the TIFF file has {1 + len(others)} pages; give one page as a file of its own")
    width, height = block.integer(tags, WIDTH, 0), block.integer(tags, HEIGHT, 0)
    limits.check_pixels(width, height)
    bits = block.integers(tags, BITS) or (1,)
    samples = block.integer(tags, SAMPLES, 1)
    if not 1 <= samples <= 16 or len(set(bits)) != 1:
        raise PictureError(f"a TIFF file with {samples} samples of {bits} bits; all must have the same, 8 or 16")
    kind = block.integer(tags, FORMAT, 1)
    if kind != 1 or bits[0] not in (1, 2, 4, 8, 16):
        words = _FORMATS.get(kind, "whole numbers")
        raise PictureError(f"a TIFF file with samples of {bits[0]} bits ({words}); save it with 8 or 16 bits")
    photometric = block.integer(tags, PHOTOMETRIC, _BLACK_IS_ZERO)
    return _Page(block, tags, width, height, bits[0], samples, photometric, block.integer(tags, COMPRESSION, 1))


def _pixels(data: bytes, page: _Page) -> tuple[Pixels, str]:
    """The pixels as stored, and their mode in words."""
    colour = _COLOURS.get(page.photometric)
    known = page.compression in CODECS and page.integer(FILL_ORDER, 1) == 1 and page.integer(PREDICTOR, 1) in (1, 2)
    if page.bits < 8 or page.photometric in (_PALETTE, _YCBCR) or (page.bits == 8 and not known and colour is not None):
        return _by_pillow(data, page)
    if colour is None or (colour is Colour.CMYK and page.integer(INK_SET, 1) != 1):
        raise PictureError(f"a TIFF file of photometric kind {page.photometric}; save it as grey, RGB or CMYK")
    if not known:
        raise PictureError(
            f"a TIFF file with compression {page.compression} and 16 bits; save it uncompressed, with LZW or Deflate"
        )
    kinds = _extra_samples(page, colour)
    values = assembled(_layout(page, data), data)
    if page.photometric == _WHITE_IS_ZERO:
        values[..., 0] = np.iinfo(values.dtype).max - values[..., 0]
    alpha = np.ascontiguousarray(values[..., colour.samples]) if kinds else None
    colours = np.ascontiguousarray(values[..., : colour.samples])
    if alpha is not None and kinds[0] == 1:
        colours = _unassociated(colours, alpha)
    words = f"{colour}{'+alpha' if kinds else ''}{' (associated)' if 1 in kinds else ''} {page.bits}-bit"
    return Pixels(colours, alpha, colour), words


def _extra_samples(page: _Page, colour: Colour) -> tuple[int, ...]:
    """The kind of the one extra sample that is allowed: 1 associated alpha, 2 unassociated."""
    count = page.samples - colour.samples
    if count < 0:
        raise PictureError(f"a TIFF file that is {colour} with {page.samples} samples; it needs {colour.samples}")
    kinds = page.block.integers(page.tags, EXTRA)[:count]
    if count and kinds not in ((1,), (2,)):
        raise PictureError(f"a TIFF file with {count} extra channel(s) that aren't transparency; save it without them")
    return kinds if count else ()


def _unassociated(
    colours: NDArray[np.unsignedinteger], alpha: NDArray[np.unsignedinteger]
) -> NDArray[np.unsignedinteger]:
    """Colour divided by the alpha that it was multiplied with, rounded; 0 where nothing shows."""
    top = int(np.iinfo(colours.dtype).max)
    divisor = np.maximum(alpha, 1).astype(np.uint32)[..., np.newaxis]
    straight = np.minimum((colours.astype(np.uint32) * top + divisor // 2) // divisor, top)
    return np.where(alpha[..., np.newaxis] == 0, 0, straight).astype(colours.dtype)


def _layout(page: _Page, data: bytes) -> Layout:
    tiled = 322 in page.tags.entries
    return Layout(
        width=page.width,
        height=page.height,
        samples=page.samples,
        dtype=np.dtype(np.uint8 if page.bits == 8 else f"{page.block.order}u2"),
        planar=page.integer(PLANAR, 1) == 2,
        compression=page.compression,
        predictor=page.integer(PREDICTOR, 1) == 2,
        part_width=page.integer(322, 0) if tiled else page.width,
        part_height=page.integer(323, 0) if tiled else min(page.integer(278, page.height), page.height),
        tiled=tiled,
        offsets=page.block.integers(page.tags, 324 if tiled else 273),
        counts=page.block.integers(page.tags, 325 if tiled else 279) or (len(data),),
    )


def _by_pillow(data: bytes, page: _Page) -> tuple[Pixels, str]:
    """Bilevel, palettes, JPEG, fax and YCbCr: 8 bits at most. The orientation is hidden, as Pillow would apply it."""
    from PIL.TiffImagePlugin import TiffImageFile

    from .decoded import loaded

    if page.bits > 8:
        raise PictureError(f"a TIFF file of photometric kind {page.photometric} with {page.bits} bits; save it as RGB")
    entry = page.entry(ORIENTATION)
    if entry is not None:
        plain = bytearray(data)
        plain[entry.at : entry.at + 2] = (65000).to_bytes(2, "little" if page.block.order == "<" else "big")
        data = bytes(plain)
    image = loaded(TiffImageFile, data)
    if image.size != (page.width, page.height):
        raise PictureError("the TIFF file's pixels are damaged")
    kind = {_PALETTE: "palette", _YCBCR: "rgb (ycc)"}.get(page.photometric, "bilevel" if page.bits == 1 else "grey")
    return of_image(image), f"{kind} {page.bits}-bit" if kind != "bilevel" else kind


def _metadata(page: _Page) -> Metadata:
    def raw(tag: int) -> bytes | None:
        entry = page.entry(tag)
        if entry is None or entry.length == 0:
            return None
        if entry.length > METADATA_BYTES:
            raise PictureError(
                f"the TIFF file's tag {tag} has {entry.length:,} bytes; at most {METADATA_BYTES:,} are read"
            )
        return page.block.raw(entry)

    exif = exif_blocks.from_directory(page.block, page.tags)
    clean = exif_blocks.sanitised(exif)[0] if exif else None
    xmp, resources, records = raw(XMP), raw(PHOTOSHOP), raw(IPTC)
    if resources is None and records is not None:
        resources = iptc_blocks.from_records(records)
    return Metadata(
        icc=raw(ICC),
        exif=clean,
        xmp=xmp_packets.sanitised(xmp) if xmp else None,
        iptc=iptc_blocks.without_thumbnails(resources) if resources else None,
        dpi=exif_blocks.directory_resolution(page.block, page.tags),
    )
