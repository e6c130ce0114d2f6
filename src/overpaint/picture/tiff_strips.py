"""The strips and tiles of a TIFF page, decompressed and put together (TIFF 6.0, sections 3, 13, 14 and 15)."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import PictureError

_NONE, _LZW, _DEFLATE, _PACKBITS, _OLD_DEFLATE, _ZSTD = 1, 5, 8, 32773, 32946, 50000
CODECS = frozenset({_NONE, _LZW, _DEFLATE, _PACKBITS, _OLD_DEFLATE, _ZSTD})


@dataclass(frozen=True, slots=True)
class Layout:
    """How a page's samples are cut into strips or tiles ("parts")."""

    width: int
    height: int
    samples: int
    dtype: np.dtype[np.unsignedinteger]  # in the file's byte order
    planar: bool
    compression: int
    predictor: bool
    part_width: int
    part_height: int
    tiled: bool
    offsets: tuple[int, ...]
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.part_width < 1 or self.part_height < 1 or self.part_width > 1 << 20 or self.part_height > 1 << 20:
            raise PictureError(f"the TIFF file is damaged: tiles of {self.part_width}x{self.part_height}")
        if self.tiled and self.part_width * self.part_height > 4 * self.width * self.height + (1 << 20):
            raise PictureError(f"the TIFF file is damaged: tiles of {self.part_width}x{self.part_height}")
        if len(self.counts) != len(self.offsets) or len(self.offsets) < self.across * self.down * self.planes:
            needed = self.across * self.down * self.planes
            raise PictureError(f"the TIFF file is damaged: {needed} strips or tiles, but {len(self.offsets)} places")

    @property
    def across(self) -> int:
        """Parts side by side."""
        return -(-self.width // self.part_width)

    @property
    def down(self) -> int:
        """Parts one below the other."""
        return -(-self.height // self.part_height)

    @property
    def planes(self) -> int:
        """How many times the whole area is cut: once, or once a sample."""
        return self.samples if self.planar else 1


def assembled(layout: Layout, data: bytes) -> NDArray[np.unsignedinteger]:
    """(H, W, samples) in native byte order. PictureError when a part is outside the file, damaged or short."""
    inner = 1 if layout.planar else layout.samples
    if layout.compression == _NONE:  # a lying header is found before anything is allocated
        needed = layout.width * layout.height * layout.samples * layout.dtype.itemsize
        if needed > len(data):
            raise PictureError(f"the TIFF file is truncated: {needed:,} bytes of pixels in a file of {len(data):,}")
    elif layout.width * layout.height > len(data) * 20_000:
        raise PictureError("the TIFF file is truncated: too little data for its size")
    out = np.empty((layout.height, layout.width, layout.samples), layout.dtype.newbyteorder("="))
    for plane in range(layout.planes):
        for row in range(layout.down):
            top = row * layout.part_height
            rows = layout.part_height if layout.tiled else min(layout.part_height, layout.height - top)
            for column in range(layout.across):
                index = (plane * layout.down + row) * layout.across + column
                left = column * layout.part_width
                part = _part(layout, data, index, rows, inner)
                part = part[: layout.height - top, : layout.width - left]
                target = slice(plane, plane + 1) if layout.planar else slice(None)
                out[top : top + part.shape[0], left : left + part.shape[1], target] = part
    return out


def _part(layout: Layout, data: bytes, index: int, rows: int, inner: int) -> NDArray[np.unsignedinteger]:
    """One strip or tile, (rows, part width, inner)."""
    start, count = layout.offsets[index], layout.counts[index]
    if start < 8 or start >= len(data):
        raise PictureError(
            f"the TIFF file is damaged or truncated: strip {index} starts at {start:,}, outside the file"
        )
    row_bytes = layout.part_width * inner * layout.dtype.itemsize
    raw = _decompressed(data[start : start + count], layout.compression, row_bytes, rows)
    if len(raw) < row_bytes * rows:
        raise PictureError(f"the TIFF file is truncated: strip {index} has {len(raw):,} of {row_bytes * rows:,} bytes")
    values = np.frombuffer(raw, layout.dtype, row_bytes * rows // layout.dtype.itemsize)
    part = values.reshape(rows, layout.part_width, inner).astype(layout.dtype.newbyteorder("="), copy=False)
    return np.add.accumulate(part, axis=1, dtype=part.dtype) if layout.predictor else part


def _decompressed(raw: bytes, compression: int, row_bytes: int, rows: int) -> bytes:
    if compression == _NONE:
        return raw
    if compression in (_DEFLATE, _OLD_DEFLATE):
        try:
            return zlib.decompressobj().decompress(raw, row_bytes * rows)
        except zlib.error as error:
            raise PictureError(f"the TIFF file's pixels are damaged: {error}") from error
    return _by_libtiff(raw, compression, row_bytes, rows)


def _by_libtiff(raw: bytes, compression: int, row_bytes: int, rows: int) -> bytes:
    """Decompress by wrapping the strip as a grey 8-bit TIFF file of one strip, whose pixels are then the bytes."""
    from PIL.TiffImagePlugin import TiffImageFile

    tags = {256: row_bytes, 257: rows, 258: 8, 259: compression, 262: 1, 273: 8, 277: 1, 278: rows, 279: len(raw)}
    padded = raw + b"\0" * (len(raw) % 2)
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    wrapped = (
        struct.pack("<4sI", b"II*\0", 8 + len(padded)) + padded + struct.pack("<H", len(tags)) + body + b"\0\0\0\0"
    )
    image = TiffImageFile(io.BytesIO(wrapped))
    image.load()
    return image.tobytes()
