"""Matching a picture's tone to a scene: exposure, contrast and colour cast, within bounds.

Means and spreads are matched in CIELAB, after Reinhard, Ashikhmin, Gooch and Shirley, "Color transfer between images",
IEEE CG&A 21(5), 2001; bounded, as a red ball does not turn green in a meadow.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

MOST_LIGHT, MOST_COLOUR = 16.0, 6.0
"""The largest shift of L*, and of a* and b*."""

MOST_CONTRAST = 1.4
"""The largest change of contrast, either way."""

_SAMPLES = 256
"""Statistics are taken on at most so many rows and columns."""


def toned(pixels: Floats, weight: Floats, scene: Floats, scene_weight: Floats, amount: float) -> Floats:
    """The picture with its tone moved towards that of a scene.

    Args:
        pixels: (h, w, 3) float32, encoded sRGB in [0, 1].
        weight: (h, w) float32, how much each pixel counts (0: not at all).
        scene: (H, W, 3) float32 likewise.
        scene_weight: (H, W) float32.
        amount: 0 leaves the picture as it is, 1 goes all the way within the bounds.

    Returns:
        (h, w, 3) float32 in [0, 1]; `pixels` where either counts nowhere.
    """
    own, wanted = _statistics(pixels, weight), _statistics(scene, scene_weight)
    if amount == 0 or own is None or wanted is None:
        return pixels
    most = np.array([MOST_LIGHT, MOST_COLOUR, MOST_COLOUR])
    shift = np.clip(wanted[0] - own[0], -most, most) * amount
    contrast = np.clip(wanted[1][0] / max(own[1][0], 1.0), 1 / MOST_CONTRAST, MOST_CONTRAST) ** amount
    lab = cv2.cvtColor(np.ascontiguousarray(pixels, np.float32), cv2.COLOR_RGB2LAB)
    lab[..., 0] = (lab[..., 0] - own[0][0]) * np.float32(contrast) + own[0][0]
    lab += shift.astype(np.float32)
    lab[..., 0] = np.clip(lab[..., 0], 0, 100)
    return np.asarray(np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1), np.float32)


def _statistics(pixels: Floats, weight: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Mean and standard deviation of L*, a* and b*; None where nothing counts."""
    rows, columns = (max(1, side // _SAMPLES) for side in weight.shape)
    counted = weight[::rows, ::columns].astype(np.float64)[..., None]
    if counted.sum() < 1:
        return None
    lab = cv2.cvtColor(np.ascontiguousarray(pixels[::rows, ::columns], np.float32), cv2.COLOR_RGB2LAB)
    mean = (lab * counted).sum(axis=(0, 1)) / counted.sum()
    spread = np.sqrt((np.square(lab - mean) * counted).sum(axis=(0, 1)) / counted.sum())
    return mean, spread
