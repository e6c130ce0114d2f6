"""The mask of what a person clicked on. It is made in a process of its own: nobody vouches for the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overpaint.bounded import working_on
from overpaint.errors import concerning

from .masks import inked

if TYPE_CHECKING:
    from overpaint.select import HintPoint

GROWN = 4
"""Pixels by which IOPaint grows such a mask, so that the object's rim is in it."""


def clicked_mask(data: bytes, clicks: tuple[HintPoint, ...], pixels: int | None) -> bytes:
    """A PNG in the page's colour.

    Raises:
        PictureError: The picture can't be read.
        RequestError: A click is outside of the picture, or none is of the object.
        MaskError: Nothing is found there.
    """
    import cv2
    import numpy as np

    from overpaint.picture import PictureLimits, current_limits, limited, open_picture
    from overpaint.select import SelectorHints, selected, selector_for

    working_on("the picture", "image")
    with limited(PictureLimits(pixels=pixels or current_limits().pixels)):
        picture = open_picture(data)
    with concerning("clicks"):
        hints = SelectorHints(points=clicks)
        found = selected(picture, selector_for(hints), hints).core.astype(np.uint8)
    return inked(cv2.dilate(found, np.ones((2 * GROWN + 1, 2 * GROWN + 1), np.uint8)))
