"""Limits of what a file may claim before it is decoded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

from overpaint.bounded import needs_memory
from overpaint.errors import PictureError

METADATA_BYTES = 64 << 20  # of all metadata of one file after inflating; the largest usual ICC profiles have 4 MB

MEMORY_PER_PIXEL = 24
"""Bytes that an edit takes for each pixel of its picture: 19 were measured for 8-bit RGB, from decoding to the written
file, for a picture of 196 million pixels."""

_MOST_PER_PIXEL = 32  # bytes; OpenJPEG takes 25 for decoding alone


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
        _claimed.set(width * height)
        needs_memory(width * height * MEMORY_PER_PIXEL)

    def check_bytes(self, count: int) -> None:
        """Raise PictureError when a file is longer than allowed."""
        if count > self.bytes:
            raise PictureError(
                f"the file has {count:,} bytes; at most {self.bytes:,} are allowed",
                code="picture-too-large",
                value=count,
            )


_current: ContextVar[PictureLimits] = ContextVar("picture limits", default=PictureLimits())  # noqa: B039 - frozen


_claimed: ContextVar[int] = ContextVar("pixels of the picture that is being read", default=0)


def has_room() -> bool:
    """Whether there is memory to decode the picture whose size was checked last: decoders report a want of it as damage
    of the file. What is tried is not written to, and so not taken.
    """
    import numpy as np

    try:
        np.empty(_claimed.get() * _MOST_PER_PIXEL, np.uint8)
    except MemoryError:
        return False
    return True


def current_limits() -> PictureLimits:
    """The limits of files that are read without limits of their own."""
    return _current.get()


@contextlib.contextmanager
def limited(limits: PictureLimits) -> Iterator[None]:
    """Files that are read inside, in this thread, have these limits."""
    before = _current.set(limits)
    try:
        yield
    finally:
        _current.reset(before)
