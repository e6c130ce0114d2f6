"""How far pixels of a picture are unlike what its right border shows.

An extension goes on with what the border shows. A face or a ball further inside would be a second one beside it.
"""

from __future__ import annotations

import cv2
import numpy as np

from .features import Floats

_SIDE = 160
"""The longer side, in pixels, at which pixels are compared."""

_BAND, _ROWS = 0.06, 0.12
"""Width of the border's band, and rows up and down that are compared, as shares of width and height."""

_LIKE, _UNLIKE = 0.05, 0.2
"""Differences of colour and texture at which a pixel counts as like the border, and as wholly unlike it."""


def unlike_border(pixels: Floats) -> Floats:
    """How unlike the right border, within some rows up and down, each pixel is.

    Colours and strength of gradients are compared on a small picture.

    Args:
        pixels: (h, w, 3) float32.

    Returns:
        (h, w) float32: 0 like it, 1 unlike it.
    """
    height, width = pixels.shape[:2]
    scale = max(1.0, max(height, width) / _SIDE)
    size = (max(4, round(width / scale)), max(4, round(height / scale)))
    look = _looks(pixels, size)
    band, rows = max(2, round(size[0] * _BAND)), max(2, round(size[1] * _ROWS))
    border = look[:, -band:]
    nearest = np.full(look.shape[:2], np.inf, np.float32)
    for offset in range(-rows, rows + 1):
        here = slice(max(0, -offset), min(size[1], size[1] - offset))
        there = slice(max(0, offset), min(size[1], size[1] + offset))
        apart = ((look[here, :, None] - border[there, None]) ** 2).sum(axis=3).min(axis=2)
        nearest[here] = np.minimum(nearest[here], apart)
    unlike = ((np.sqrt(nearest) - _LIKE) / (_UNLIKE - _LIKE)).clip(0, 1)
    return np.asarray(cv2.resize(unlike, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _looks(pixels: Floats, size: tuple[int, int]) -> Floats:
    """(h, w, 5) of a small picture: hue and saturation, brightness, and the strength of gradients."""
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    bright = small.mean(axis=2, keepdims=True)
    grey = np.ascontiguousarray(pixels.mean(axis=2))
    strength = np.abs(cv2.Sobel(grey, -1, 1, 0, ksize=3)) + np.abs(cv2.Sobel(grey, -1, 0, 1, ksize=3))
    rough = cv2.GaussianBlur(cv2.resize(strength, size, interpolation=cv2.INTER_AREA), (0, 0), 1.5)
    return np.concatenate([1.5 * (small - bright), bright, 0.25 * rough[..., None]], axis=2).astype(np.float32)
