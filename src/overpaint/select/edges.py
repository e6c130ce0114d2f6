"""What a line along edges encloses: the lasso that clings (live wire, intelligent scissors).

Between two points the line takes the way along which edges are strongest: Mortensen and Barrett, "Interactive
segmentation with intelligent scissors", Graphical Models and Image Processing 60, 1998, as OpenCV has it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overpaint.geometry import Box
from overpaint.mask import Mask
from overpaint.picture import Picture

from .base import HintPoint, Selection, SelectorCard, SelectorHints, SelectorOptions
from .seen import SeenPicture

SIDE = 1200
"""Pixels of the longer side of the part that it works on, at the most."""

AROUND = 0.15
"""How far the line may go beyond the points, as a share of the longer side of the box around them."""

LEAST_AROUND = 8

_CANNY = (32, 100)


class EdgeOptions(SelectorOptions):
    """How the line begins."""

    snap: int = Field(default=4, ge=0, le=100, description="how far a point moves to the strongest edge, in pixels")


class Edges:
    """What a closed line along edges encloses, through points around the thing."""

    card = SelectorCard(
        name="edges",
        title="what a line along edges encloses, through points in their order (live wire)",
        takes=frozenset({"points"}),
        needs=frozenset({"points"}),
        options=EdgeOptions,
        tip="set three points or more on the outline of the thing, in their order",
        digest="edges-1",
        references=("Mortensen and Barrett, Interactive segmentation with intelligent scissors, GMIP 60, 1998",),
    )

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        """One mask; nothing for fewer than three points, or a line that encloses nothing."""
        options = EdgeOptions.model_validate(dict(hints.options))
        if len(hints.inside) < 3:
            return []
        seen = SeenPicture.of(picture)
        line = live_wire(seen, hints.inside, closed=True, snap=options.snap)
        marked = np.zeros(seen.size.shape, np.uint8)
        cv2.fillPoly(marked, [np.rint(line * 16 - 8).astype(np.int32)], 1, shift=4)
        return [Selection(Mask(marked.astype(np.float32)))] if marked.any() else []


def live_wire(
    seen: SeenPicture, points: Sequence[HintPoint], *, closed: bool = False, snap: int = 0
) -> NDArray[np.float64]:
    """(N, 2) columns and rows of a line along edges through these points, in pixels of the picture.

    Args:
        seen: The picture.
        points: Two or more, in their order.
        closed: Whether the line comes back to the first one.
        snap: How far a point moves to the strongest edge nearby.
    """
    corners = np.array([(one.x, one.y) for one in points])
    low, high = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int) + 1
    around = Box(*map(int, (*low, *high)))
    part = around.pad(max(LEAST_AROUND, round(AROUND * max(around.size)))).intersect(seen.size.box)
    scale = seen.scale_to(SIDE, part)
    pixels = np.rint(seen.part(part, SIDE) * 255).astype(np.uint8)
    height, width = pixels.shape[:2]
    limits = (width - 1, height - 1)
    places = np.clip(np.floor((corners - (part.left, part.top)) * scale), 0, limits).astype(int)
    places = _snapped(pixels, places, math.ceil(snap * scale))
    wire = cv2.segmentation.IntelligentScissorsMB()
    wire.setEdgeFeatureCannyParameters(*_CANNY)
    wire.setGradientMagnitudeMaxLimit(200)
    wire.applyImage(pixels)
    stops = [*places, places[0]] if closed else list(places)
    pieces = []
    for start, end in pairwise(stops):
        wire.buildMap((int(start[0]), int(start[1])))
        pieces.append(wire.getContour((int(end[0]), int(end[1]))).reshape(-1, 2))
    return (np.concatenate(pieces) + 0.5) / scale + (part.left, part.top)


def _snapped(pixels: NDArray[np.uint8], places: NDArray[np.intp], reach: int) -> NDArray[np.intp]:
    """(N, 2) columns and rows of the strongest edge near each place."""
    if reach < 1:
        return places
    smooth = cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), 1.0)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    strength = np.hypot(across, down).max(axis=2)
    moved = []
    for column, row in places.tolist():
        left, top = max(0, column - reach), max(0, row - reach)
        near = strength[top : row + reach + 1, left : column + reach + 1]
        y, x = np.unravel_index(int(near.argmax()), near.shape)
        moved.append((left + int(x), top + int(y)) if near.max() > 0 else (column, row))
    return np.asarray(moved, np.intp)
