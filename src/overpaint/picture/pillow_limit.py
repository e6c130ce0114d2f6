"""Pillow's own limit of pixels, which is one for the process, set to that of the picture that is being read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from overpaint.errors import PictureError

FORMATS = frozenset({"gif", "tiff", "webp"})
"""The formats whose readers in Pillow have that limit."""

_lock = threading.Lock()
_active: list[int] = []
_outside: list[int | None] = []  # Pillow's limit while none is active


@contextmanager
def pillow_limit(pixels: int) -> Iterator[None]:
    """Within the context Pillow takes pictures of so many pixels, without a warning; it refuses those of twice as many.
    Of several threads the largest number counts.

    Raises:
        PictureError: A part of the picture has more, as a frame of a GIF may be larger than the picture.
    """
    from PIL import Image

    _change(_active.append, pixels)
    try:
        yield
    except Image.DecompressionBombError:
        message = f"a part of it has more than {pixels:,} pixels"
        raise PictureError(message, code="picture-too-large", value=pixels) from None
    finally:
        _change(_active.remove, pixels)


def _change(step: Callable[[int], None], pixels: int) -> None:
    from PIL import Image

    with _lock:
        if not _active:
            _outside[:] = [Image.MAX_IMAGE_PIXELS]
        step(pixels)
        Image.MAX_IMAGE_PIXELS = max(_active, default=_outside[0])
