"""The stage of an edit: the picture that is painted on (extended where margins are asked for), and where to paint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import MaskError, RequestError
from overpaint.geometry import Box, Margins
from overpaint.mask import Mask
from overpaint.picture import Picture, Samples

MOST_PIXELS = 400_000_000
"""A picture is not extended beyond this: a slip of the finger in a margin should cost an error, not the machine."""


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What is painted on, and where.

    Attributes:
        picture: The picture, with the margins added; its new pixels repeat the old edge and are fully transparent
            where the picture has alpha.
        mask: Where to repaint, in pixels of `picture`.
        original: Where the picture as opened lies in it.
    """

    picture: Picture
    mask: Mask
    original: Box


def stage(picture: Picture, mask: Mask | None, margins: Margins) -> Stage:
    """Extend the picture by margins; what they add joins the mask.

    Args:
        picture: As opened.
        mask: Where to repaint in it, of its size; None where the margins are all.
        margins: Pixels to add on each side.

    Raises:
        MaskError: There is nothing to repaint.
        RequestError: The extended picture would be absurdly large.
    """
    whole = picture.size.box
    if not margins:
        if mask is None or mask.bounds.empty:
            raise MaskError(
                f"the mask is empty: no pixel of the {picture.size} picture is marked (white, 1, means repaint)"
            )
        return Stage(picture, mask, whole)
    outer = whole.pad(margins)
    if outer.area > MOST_PIXELS:
        raise RequestError(
            f"margins of {margins} would make a picture of {outer.size}, over the limit of {MOST_PIXELS:,} pixels"
        )
    inner = whole.shift(margins.left, margins.top)
    values = np.ones(outer.size.shape, np.float32)
    values[inner.slices] = 0 if mask is None else mask.values
    samples: Samples = np.pad(picture.samples, _widths(margins, 3), mode="edge")
    alpha: Samples | None = None if picture.alpha is None else np.pad(picture.alpha, _widths(margins, 2))
    return Stage(picture.with_pixels(samples, alpha), Mask(values), inner)


def _widths(margins: Margins, dimensions: int) -> tuple[tuple[int, int], ...]:
    left, top, right, bottom = margins
    return ((top, bottom), (left, right), (0, 0))[:dimensions]


def edge_extended(samples: Samples, hidden: NDArray[np.bool_]) -> Samples:
    """Samples whose hidden pixels take the colour of the nearest pixel that is not.

    Under alpha 0 a file may hold anything (black, mostly), which an engine would take for a dark object.

    Args:
        samples: (h, w, C) uint8 or uint16.
        hidden: (h, w) bool. Where all are hidden, the samples come back as they are.
    """
    if not hidden.any() or hidden.all():
        return samples
    import cv2

    _, labels = cv2.distanceTransformWithLabels(
        hidden.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((int(labels.max()) + 1, samples.shape[2]), samples.dtype)
    shown = ~hidden
    colours[labels[shown]] = samples[shown]
    extended: Samples = colours[labels]
    return extended
