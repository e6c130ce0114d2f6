"""Limits of what a file may claim before it is decoded."""

from __future__ import annotations

from dataclasses import dataclass

from overpaint.errors import PictureError

METADATA_BYTES = 64 << 20  # of all metadata of one file after inflating; the largest usual ICC profiles have 4 MB


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What a picture may claim. Both are checked before anything is decoded.

    Attributes:
        pixels: Largest width x height.
        bytes: Largest encoded file.
    """

    pixels: int = 200_000_000
    bytes: int = 1 << 30

    def check_pixels(self, width: int, height: int) -> None:
        """Raise PictureError when a picture of this size is empty or too large."""
        if width < 1 or height < 1:
            raise PictureError(f"a picture must have at least one pixel, not {width}x{height}")
        if width * height > self.pixels:
            raise PictureError(
                f"{width}x{height} is {width * height:,} pixels; at most {self.pixels:,} are allowed",
                code="picture-too-large",
                value=(width, height),
            )

    def check_bytes(self, count: int) -> None:
        """Raise PictureError when a file is longer than allowed."""
        if count > self.bytes:
            raise PictureError(
                f"the file has {count:,} bytes; at most {self.bytes:,} are allowed",
                code="picture-too-large",
                value=count,
            )
