"""Spots: blemishes of skin and walls, dust on a sensor.

A spot is a round place whose Laplacian of a Gaussian is largest over place and size: Lindeberg, "Feature detection with
automatic scale selection", IJCV 30(2), 1998. It must stand out from a plain ring around it.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overpaint.mask import Mask
from overpaint.picture import Picture

from .base import Selection, SelectorCard, SelectorHints, SelectorOptions
from .colour import lab_of
from .seen import SeenPicture
from .thin import Shade

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

SIDE = 1200
"""Pixels of the longer side that it works at, at the most."""

STEPS_AN_OCTAVE = 2

PLAIN = 3.0
"""How many times a spot's difference is as large as what the ring around it varies."""

CONTRAST = 4.0
"""Of L, from 0 to 100: what a spot differs by at the least, at a sensitivity of one half."""

ALONE = 3.0
"""How many times a spot's response is as large as what is usual around it."""

MOST = 800
"""Places that are looked at closely, those with the largest response."""

RIM = 1.35
"""A spot's mask is so many times its radius."""


class SpotOptions(SelectorOptions):
    """What counts as a spot."""

    smallest: float = Field(default=0.2, gt=0, le=50, description="the smallest radius, in per cent of the longer side")
    largest: float = Field(default=1.2, gt=0, le=50, description="the largest radius, likewise")
    shade: Shade = Field(default="both", description="lighter or darker than what is around it")
    sensitivity: float = Field(default=0.5, ge=0, le=1, description="1 finds faint ones, and more that are none")


class Spots:
    """Small round places that differ from a plain surrounding."""

    card = SelectorCard(
        name="spots",
        title="blemishes and sensor dust: small round spots on something plain",
        takes=frozenset({"boxes"}),
        options=SpotOptions,
        tip="raise the sensitivity or the largest radius, or mark them by hand",
        digest="spots-1",
        references=("Lindeberg, Feature detection with automatic scale selection, IJCV 30(2), 1998",),
    )

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        """One mask of all of them; in boxes, of those within."""
        options = SpotOptions.model_validate(dict(hints.options))
        seen = SeenPicture.of(picture)
        colours = seen.part(None, SIDE)
        light = lab_of(colours)[..., 0]
        side = max(light.shape)
        marked = np.zeros(seen.size.shape, np.uint8)
        scale = seen.scale_to(SIDE)
        boxes = [box.intersect(seen.size.box) for box in hints.boxes]
        for x, y, radius in _found(light, options, side):
            row, column = (y + 0.5) / scale - 0.5, (x + 0.5) / scale - 0.5
            if boxes and not any(b.left <= column < b.right and b.top <= row < b.bottom for b in boxes):
                continue
            at = round(column * 16), round(row * 16)
            cv2.circle(marked, at, round((RIM * radius + 0.5) / scale * 16), 1, cv2.FILLED, shift=4)
        return [Selection(Mask(marked.astype(np.float32)))] if marked.any() else []


def _found(light: Floats, options: SpotOptions, side: int) -> list[tuple[int, int, float]]:
    """Column, row and radius of each spot, those that stand out most first."""
    smallest, largest = (max(1.0, share * side / 100) for share in (options.smallest, options.largest))
    count = 1 + max(0, round(STEPS_AN_OCTAVE * math.log2(max(largest / smallest, 1))))
    radii = np.geomspace(smallest, max(largest, smallest), count)
    stack = np.stack([_blobs(light, radius) for radius in radii])
    contrast = CONTRAST * 4 ** (0.5 - options.sensitivity)
    found: list[tuple[float, int, int, float]] = []
    for sign in {"light": (-1,), "dark": (1,), "both": (1, -1)}[options.shade]:
        response = sign * stack
        highest = np.stack([cv2.dilate(one, np.ones((3, 3), np.uint8)) for one in response])
        over = np.maximum(
            highest, np.maximum(np.roll(highest, 1, 0), np.roll(highest, -1, 0)) if count > 2 else highest
        )
        usual = np.stack([_usual(one, radius) for one, radius in zip(response, radii, strict=True)])
        peaks = (response == over) & (response > 0.6 * contrast) & (response > ALONE * usual)
        places = np.argwhere(peaks)
        order = np.argsort(-response[peaks])[:MOST]
        for level, row, column in places[order].tolist():
            radius = float(radii[level])
            strength = _standing(light, row, column, radius, sign)
            if strength >= contrast:
                found.append((strength, column, row, radius))
    return [(x, y, radius) for _, x, y, radius in sorted(found, reverse=True)]


def _usual(response: Floats, radius: float) -> Floats:
    """(H, W): the mean size of a response around each place."""
    side = 2 * math.ceil(3 * radius) + 1
    return np.asarray(cv2.blur(np.abs(response), (side, side)), np.float32)


def _blobs(light: Floats, radius: float) -> Floats:
    """(H, W): the Laplacian of a Gaussian, so scaled that a disc of this radius has about its own difference in L."""
    sigma = radius / math.sqrt(2)
    smooth = cv2.GaussianBlur(light, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.Laplacian(smooth, cv2.CV_32F) * np.float32(sigma**2 * math.e / 2), np.float32)


def _standing(light: Floats, row: int, column: int, radius: float, sign: int) -> float:
    """By how much a round place differs from a plain ring around it; 0 where the ring is not plain."""
    reach = math.ceil(3 * radius) + 2
    top, left = max(0, row - reach), max(0, column - reach)
    part = light[top : row + reach + 1, left : column + reach + 1]
    down, across = np.ogrid[: part.shape[0], : part.shape[1]]
    away = np.hypot(across - (column - left), down - (row - top))
    inner, ring = part[away <= max(0.7 * radius, 0.7)], part[(away >= 1.6 * radius + 1) & (away <= 2.8 * radius + 2)]
    if ring.size < 8:
        return 0.0
    low, level, high = np.percentile(ring, (5, 50, 95)).tolist()
    difference = float(sign * (level - inner.mean()))
    varies = (high - low) / 2
    return difference if difference >= PLAIN * max(varies, 0.5) else 0.0
