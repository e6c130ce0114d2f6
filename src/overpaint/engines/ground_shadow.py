"""The shadow where an object touches the ground: dark and narrow at the contact, wide and faint around it."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box

Floats = NDArray[np.float32]

WORKING = 512
"""Longer side of the grid that the shadow is made on; it has no fine detail."""

REACH = 0.65
"""How far a shadow reaches beyond its object's box, as a share of the box's mean side: 3.5 times its widest blur."""

CONTACT = 0.07
"""Columns whose lower end is farther above the lowest point than this share of the height hardly touch the ground."""

LAYERS = ((0.010, 0.014, 0.8), (0.035, 0.05, 0.5), (0.10, 0.18, 0.35))
"""Blur down and across, as shares of the object's mean side, and darkness of each layer."""


def ground_shadow(opacity: Floats) -> Floats:
    """How much light the object's contact shadow takes, (H, W) float32 in [0, 1), beneath and around its lower end.

    Args:
        opacity: (H, W) float32 in [0, 1] of the object in its place. One that reaches the lowest row stands on
            nothing that is seen, and has no shadow.
    """
    height, width = opacity.shape
    taken = np.zeros_like(opacity)
    box = Box.around(opacity > 0.5)
    if not box.empty and box.bottom < height:
        here = shadow_window(box, Box(0, 0, width, height)).slices
        taken[here] = _beneath(opacity[here])
    return taken


def shadow_window(box: Box, whole: Box) -> Box:
    """Where an object within a box may cast its shadow, inside the whole picture."""
    return box.pad(math.ceil(REACH * math.sqrt(box.area)) + 1).intersect(whole)


def _beneath(opacity: Floats) -> Floats:
    """(h, w) the shadow of an object that is about as large as these pixels."""
    height, width = opacity.shape
    scale = min(1.0, WORKING / max(height, width))
    small = cv2.resize(
        opacity, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    solid = small > 0.5
    columns = np.flatnonzero(solid.any(axis=0))
    if columns.size == 0:
        return np.zeros_like(opacity)
    rows = np.flatnonzero(solid.any(axis=1))
    lowest = small.shape[0] - 1 - solid[::-1, columns].argmax(axis=0)
    tall = rows[-1] - rows[0] + 1
    touching = np.exp(-np.square((rows[-1] - lowest) / (CONTACT * tall)))
    line = np.zeros_like(small)
    line[np.minimum(lowest + 1, small.shape[0] - 1), columns] = touching
    side = np.sqrt(tall * columns.size)
    shadow = np.zeros_like(small)
    for down, across, dark in LAYERS:
        sigma = max(0.6, down * side)
        soft = cv2.GaussianBlur(line, (0, 0), sigmaX=max(0.6, across * side), sigmaY=sigma)
        shadow += np.float32(dark * np.sqrt(2 * np.pi) * sigma) * soft
    shadow = np.float32(0.9) * (1 - np.exp(-shadow))
    return np.asarray(np.clip(cv2.resize(shadow, (width, height), interpolation=cv2.INTER_LINEAR), 0, 1), np.float32)
