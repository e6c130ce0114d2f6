"""What has the colour of a place: the magic wand.

Colours are compared in CIE Lab, by their Euclidean distance (CIE 1976): 2 is just seen, 10 is another shade.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overpaint.geometry import Box
from overpaint.mask import Mask
from overpaint.picture import Picture

from .base import HintPoint, Selection, SelectorCard, SelectorHints, SelectorOptions
from .seen import SeenPicture

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

STRIP = 1 << 20
"""Pixels whose colours are converted at a time."""

AROUND = 2
"""Pixels on each side of a click whose colours, as far as they are within the tolerance, count as the colour there."""

PINHOLE = 16
"""Holes of fewer pixels than this, which noise leaves, are filled; and such specks are left out."""


class ColourOptions(SelectorOptions):
    """How alike colours must be, and where."""

    tolerance: float = Field(default=12.0, ge=0, le=200, description="the largest distance in Lab: 2 is just seen")
    contiguous: bool = Field(default=True, description="only what is joined to a point; else all of that colour")


class ColourWand:
    """The magic wand: pixels whose colour is that of a point, joined to it or everywhere."""

    card = SelectorCard(
        name="colour",
        title="what has the colour of a point (magic wand)",
        takes=frozenset({"points"}),
        needs=frozenset({"points"}),
        options=ColourOptions,
        tip="click on it, or raise the tolerance",
        digest="colour-1",
        references=("CIE 15: Colorimetry, 1976 L*a*b*",),
    )

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        """One mask: what is as near in colour to a point inside as the tolerance, and nearer than to one outside."""
        options = ColourOptions.model_validate(dict(hints.options))
        seen = SeenPicture.of(picture)
        tolerance = np.float32(options.tolerance)
        inside = [_colour_at(seen, point, tolerance) for point in hints.inside]
        outside = [_colour_at(seen, point, tolerance) for point in hints.outside]
        marked = np.empty(seen.size.shape, np.bool_)
        rows = max(1, STRIP // seen.size.width)
        for top in range(0, seen.size.height, rows):
            strip = Box(0, top, seen.size.width, min(top + rows, seen.size.height))
            lab = lab_of(seen.part(strip))
            near = _distance(lab, inside)
            marked[strip.slices] = near <= tolerance
            if outside:
                marked[strip.slices] &= near <= _distance(lab, outside)
        pixels = [_pixel(point, seen) for point in hints.inside]
        if options.contiguous:
            marked = _joined_to(marked, pixels)
        marked = _without_pinholes(marked, keep=pixels)
        return [Selection(Mask(marked.astype(np.float32)))] if marked.any() else []


def lab_of(colours: Floats) -> Floats:
    """(H, W, 3) sRGB in [0, 1] as CIE Lab, L from 0 to 100."""
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGB2LAB), np.float32)


def _pixel(point: HintPoint, seen: SeenPicture) -> tuple[int, int]:
    """Row and column of the pixel that a point is in."""
    return min(int(point.y), seen.size.height - 1), min(int(point.x), seen.size.width - 1)


def _colour_at(seen: SeenPicture, point: HintPoint, tolerance: np.float32) -> Floats:
    """(3,) Lab: the mean colour around a point of the pixels that are like its own."""
    row, column = _pixel(point, seen)
    around = Box(column - AROUND, row - AROUND, column + AROUND + 1, row + AROUND + 1).intersect(seen.size.box)
    lab = lab_of(seen.part(around))
    own = lab[row - around.top, column - around.left]
    like = np.linalg.norm(lab - own, axis=2) <= tolerance / 2
    return np.asarray(lab[like].mean(axis=0), np.float32)


def _distance(lab: Floats, colours: Sequence[Floats]) -> Floats:
    """(H, W) distance in Lab to the nearest of some colours."""
    return np.asarray(np.sqrt(np.min([np.square(lab - one).sum(axis=2) for one in colours], axis=0)), np.float32)


def _joined_to(marked: Flags, pixels: Sequence[tuple[int, int]]) -> Flags:
    """What is joined (4 neighbours) to one of the pixels; a pixel that is not marked has nothing."""
    _, labels = cv2.connectedComponents(marked.view(np.uint8), connectivity=4)
    numbers = {int(labels[pixel]) for pixel in pixels} - {0}
    return np.asarray(np.isin(labels, sorted(numbers)), np.bool_)


def _without_pinholes(marked: Flags, keep: Sequence[tuple[int, int]]) -> Flags:
    """Small holes filled, and small specks left out but for those that a pixel of `keep` is in."""
    found = marked.copy()
    for value, connectivity in ((0, 4), (1, 8)):
        count, labels, statistics, _ = cv2.connectedComponentsWithStats(
            (found == bool(value)).view(np.uint8), connectivity=connectivity
        )
        small = statistics[:, cv2.CC_STAT_AREA] < PINHOLE
        small[0] = False
        for pixel in keep:
            small[labels[pixel]] &= value == 0 and not marked[pixel]
        if count > 1:
            found ^= small[labels]
    return found
