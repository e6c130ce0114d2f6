"""What is clicked on, and the subject of a picture, found in a process of its own: nobody vouches for the file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from overpaint.bounded import working_on
from overpaint.errors import concerning

from .masks import inked

if TYPE_CHECKING:
    from overpaint.mask import Mask
    from overpaint.picture import Picture
    from overpaint.select import HintPoint

GROWN = 4
"""Pixels by which IOPaint grows such a mask, so that the object's rim is in it."""


def clicked_mask(data: bytes, clicks: tuple[HintPoint, ...], selector: str, pixels: int | None) -> bytes:
    """A PNG in the page's colour.

    Raises:
        PictureError: The picture can't be read.
        RequestError: A click is outside of the picture, or none is of the object.
        MaskError: Nothing is found there.
    """
    import cv2
    import numpy as np

    from overpaint.select import SelectorHints, selected

    with _opened(data, pixels) as picture, concerning("clicks"):
        found = selected(picture, selector, SelectorHints(points=clicks)).core.astype(np.uint8)
    return inked(cv2.dilate(found, np.ones((2 * GROWN + 1, 2 * GROWN + 1), np.uint8)))


def subject_mask(data: bytes, selector: str, pixels: int | None) -> bytes:
    """A PNG in the page's colour where the background is not. Raises as `without_background`."""
    with _opened(data, pixels) as picture:
        return inked(_background(picture, selector).values < 0.5)


def without_background(data: bytes, selector: str, pixels: int | None) -> bytes:
    """A PNG of the picture whose background is transparent.

    Raises:
        PictureError: The picture can't be read.
        MaskError: There is no background that can be told from the rest.
    """
    import numpy as np

    from overpaint.picture import encode

    with _opened(data, pixels) as picture:
        shown = 1 - _background(picture, selector).values
        own = picture.maximum if picture.alpha is None else picture.alpha
        alpha = np.rint(shown * np.float32(1) * own).astype(picture.samples.dtype)
        return encode(picture.with_pixels(picture.samples, alpha), "png").data


def _background(picture: Picture, selector: str) -> Mask:
    from overpaint.select import selected

    return selected(picture, selector)


@contextlib.contextmanager
def _opened(data: bytes, pixels: int | None) -> Iterator[Picture]:
    from overpaint.picture import PictureLimits, current_limits, limited, open_picture

    working_on("the picture", "image")
    with limited(PictureLimits(pixels=pixels or current_limits().pixels)):
        yield open_picture(data)
