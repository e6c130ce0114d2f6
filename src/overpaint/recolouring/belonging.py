"""How much each pixel of a picture belongs to the object: by its colour, its place, and what is beside the mask."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box
from overpaint.mask.border import moved_border
from overpaint.mask.distance import distance_to

from .contrast import Contrast
from .oklab import Floats, lab_of, linear_of
from .own_colour import OwnColour
from .ramps import falling, rising

REACH = 12
"""Pixels around a window that its result depends on."""

_SPECKLE = 2.0
"""Pixels of the Gaussian over which the odds of colours are averaged: single pixels say little."""

_BOX = (0.15, 0.35)
"""Share of pixels with colours of the surroundings from which on a mask is taken to be a box, and wholly so."""

_SMALL = 0.01
"""Patches smaller than this share of the largest one are not the object's."""

_SEEN, _ALIKE, _BORDER = 600_000, 0.06, (0.4, 0.7)
"""Pixels at which a mask's border is looked at; the distance in OKLab of colours that are alike; and the share of the
border with alike colours on both sides from which on a mask is taken to be loose, and wholly so."""


class Belonging:
    """What decides how much a pixel belongs to the object.

    Attributes:
        loose: 0 to 1, whether the mask goes beyond the object (see `looseness`).
    """

    def __init__(
        self,
        own: OwnColour,
        pixels: Floats,
        marked: Floats,
        hole: NDArray[np.bool_],
        inside: Floats,
        outside: Floats,
        tolerance: float,
    ) -> None:
        """Measure the mask.

        Args:
            own: The object's colour.
            pixels: (H, W, 3) encoded sRGB.
            marked: (H, W) in [0, 1], the mask as it was given.
            hole: (H, W) bool, pixels that may change: the mask and a band around it.
            inside, outside: (N, 3) OKLab, samples of the mask and of its surroundings.
            tolerance: A factor for how far colours may differ from the object's; 1 is usual.
        """
        self._own, self._hole, self._tolerance = own, hole, tolerance
        self._contrast = Contrast(inside, outside)
        core = marked >= np.float32(0.5)
        strange = 1 - float(self._contrast.of(inside).mean())
        self.loose = float(looseness(pixels, core))
        self._doubt = np.float32(self.loose) * _doubt(core & hole, strange)
        band = float(distance_to(core)[hole].max(initial=0.0)) if core.any() else 0.0
        if band >= 1 and own.faint:
            core = moved_border(pixels, core, band)
            self._within = np.asarray(core & hole, np.float32)
            self._within[self._scattered(pixels)] = 0
        else:
            self._within = _within(marked, core, hole, band / 2)

    def _scattered(self, pixels: Floats) -> NDArray[np.bool_]:
        """(H, W) bool: small patches of the object's colour, apart from it: other things are neutral too."""
        step = max(1, round(float(np.sqrt(self._within.size / _SEEN))))
        height, width = (max(1, side // step) for side in self._within.shape)
        small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        inside = cv2.resize(self._within, (width, height), interpolation=cv2.INTER_AREA)
        member = self._own.membership(lab_of(linear_of(np.asarray(small, np.float32))), self._tolerance) * inside > 0.5
        _, labels, stats, _ = cv2.connectedComponentsWithStats(member.astype(np.uint8))
        areas = stats[:, cv2.CC_STAT_AREA].copy()
        areas[0] = 0
        few = areas < _SMALL * areas.max()
        few[0] = False
        apart = cv2.dilate(few[labels].astype(np.uint8), np.ones((3, 3), np.uint8)) * (member <= few[labels])
        return np.asarray(cv2.resize(apart, self._within.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0)

    def of(self, linear: Floats, window: Box) -> Floats:
        """(h, w) float32 in [0, 1] for a window of the picture, (h, w, 3) linear sRGB; 0 outside the hole."""
        here = window.slices
        lab = lab_of(linear)
        odds = rising(_averaged(self._contrast.of(lab), self._hole[here]), 0.25, 0.6)
        if self._own.coloured:
            # Noise of hue, and of JPEG, is finer than objects are.
            lab[..., 1:] = cv2.GaussianBlur(lab[..., 1:], (0, 0), 1.0)
        member = self._own.membership(lab, self._tolerance)
        share = member * (1 - (1 - odds) * self._doubt[here]) * self._within[here]
        return np.asarray(np.where(self._hole[here], share, 0), np.float32)


def _averaged(values: Floats, hole: NDArray[np.bool_]) -> Floats:
    """Gaussian means over the hole."""
    weight = hole.astype(np.float32)
    sums = cv2.GaussianBlur(values * weight, (0, 0), _SPECKLE)
    return np.asarray(sums / np.maximum(cv2.GaussianBlur(weight, (0, 0), _SPECKLE), 1e-6), np.float32)


def looseness(pixels: Floats, core: NDArray[np.bool_]) -> np.float32:
    """0 to 1: whether the mask goes beyond the object, so that most of its border has the same colours on both sides.

    Args:
        pixels: (H, W, 3) encoded sRGB.
        core: (H, W) bool, the mask.
    """
    step = max(1, round(float(np.sqrt(core.size / _SEEN))))
    lab, inside = lab_of(linear_of(pixels[::step, ::step])), core[::step, ::step]
    border = inside & (cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) == 0)
    if not border.any():
        return np.float32(0)
    within, beyond = (_means(lab, where.astype(np.float32))[border] for where in (inside, ~inside))
    alike = np.linalg.norm(within - beyond, axis=1) < _ALIKE
    return np.float32(rising(alike.mean(keepdims=True), *_BORDER)[0])


def _means(image: Floats, weight: Floats) -> Floats:
    """(H, W, 3) Gaussian means with weights."""
    blurred = cv2.GaussianBlur(weight, (0, 0), 3.0)[..., None]
    return np.asarray(cv2.GaussianBlur(image * weight[..., None], (0, 0), 3.0) / np.maximum(blurred, 1e-4), np.float32)


def _doubt(inside: NDArray[np.bool_], strange: float) -> Floats:
    """(H, W) how much the odds of colours count under a loose mask: near its border, or throughout where it is a box.

    Args:
        inside: (H, W) bool, the mask.
        strange: The share of its pixels that have colours of the surroundings; large in a box around an object.
    """
    depth = cv2.distanceTransform(np.pad(inside, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)[1:-1, 1:-1]
    reach = float(np.clip(0.12 * np.sqrt(inside.sum()), 6, 40))
    box = np.float32(rising(np.array([strange], np.float32), *_BOX)[0])
    return np.maximum(falling(depth, 0, reach), box)


def _within(marked: Floats, core: NDArray[np.bool_], hole: NDArray[np.bool_], band: float) -> Floats:
    """(H, W) 1 on the mask, fading over a band around it in pixels; a soft mask's own edge."""
    if not core.any():
        return marked
    apart = cv2.distanceTransform((~core).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    fade = falling(apart, band / 3, band + 1) if band else core.astype(np.float32)
    return np.maximum(np.minimum(np.float32(1), 2 * marked), fade) * hole
