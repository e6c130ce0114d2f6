"""Pixels along an object's edge, which show a mixture of the object and what is beside it.

A pixel on the edge is c = alpha F + (1 - alpha) B in linear light (Porter and Duff, "Compositing digital images",
SIGGRAPH 1984), with F the object's colour and B that of its surroundings, both taken as local means of pixels that are
surely one or the other (normalised convolution: Knutsson and Westin, CVPR 1993). Its alpha is where the pixel lies on
the line from B to F (Ruzon and Tomasi, "Alpha estimation in natural images", CVPR 2000, for one colour a side), and
another colour F' of the object makes it c + alpha (F' - F). No rim of the old colour stays, whatever hue the mixture
has.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .oklab import Floats

REACH = 8
"""Pixels around a window that its result depends on."""

_SIGMA = 1.8
"""Pixels of the Gaussian that local means are taken with."""

_NEAR = 0.005
"""Weight of sure pixels in that Gaussian from which on their mean counts."""

_THIN = 0.08
"""Weight of the pixels of lines so thin that no pixel is well within them."""


def mixed_edges(linear: Floats, repainted: Floats, share: Floats, hole: NDArray[np.bool_]) -> Floats:
    """The repainted picture with pixels along the object's edges mixed anew.

    Args:
        linear: (H, W, 3) linear light before.
        repainted: (H, W, 3) linear light after.
        share: (H, W) in [0, 1], how much of each pixel's light has the object's colour; 0 outside the hole.
        hole: (H, W) bool, pixels that may change.
    """
    flags = share > 0.85, share < 0.08
    if not (flags[0].any() and flags[1].any()):
        return repainted
    sure, other = (_well_within(one) for one in flags)
    of_sure, of_other = (_blurred(weights) for weights in (sure, other))
    band = hole & (sure < 1) & (of_sure > _NEAR) & (of_other > _NEAR)
    if not band.any():
        return repainted
    front, new_front = (_means(image, sure, of_sure) for image in (linear, repainted))
    back = _means(linear, other, of_other)
    before, old, new, ground = linear[band], front[band], new_front[band], back[band]
    across = old - ground
    length = (across * across).sum(axis=1)
    alpha = np.clip(((before - ground) * across).sum(axis=1) / np.maximum(length, 1e-9), 0, 1)
    beside = before - ground - alpha[:, None] * across
    off = (beside * beside).sum(axis=1) / np.maximum(length, 1e-9)
    trust = np.clip(1.25 - 5 * off, 0, 1) * np.clip(length / 1e-3, 0, 1)
    trust *= np.clip(np.minimum(of_sure, of_other)[band] / np.float32(2 * _NEAR) - 0.5, 0, 1)
    mixed = np.clip(before + alpha[:, None] * (new - old), 0, 1)
    result: Floats = repainted.copy()
    result[band] += trust[:, None] * (mixed - result[band])
    return result


def _well_within(flags: NDArray[np.bool_]) -> Floats:
    """1 where a pixel's neighbours have the flag as well, and little where it is of a thin line that has no such."""
    solid = cv2.erode(flags.astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.where(solid > 0, np.float32(1), flags * np.float32(_THIN))


def _blurred(weights: Floats) -> Floats:
    return np.asarray(cv2.GaussianBlur(weights, (0, 0), _SIGMA), np.float32)


def _means(image: Floats, weights: Floats, blurred: Floats) -> Floats:
    """Gaussian means with weights."""
    found = cv2.GaussianBlur(image * weights[..., None], (0, 0), _SIGMA)
    return np.asarray(found / np.maximum(blurred, 1e-6)[..., None], np.float32)
