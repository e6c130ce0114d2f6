"""Pictures of AUTOMATIC1111's web UI: the masked content "fill", and colour correction (spec/inpaint-settings.md 1).

Both work in 8 bits, as there.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.engines.diffusion.start import Pixels

_PYRAMID = ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1))
"""Radii of Gaussians in pixels, and how often each layer is laid over those before it."""

_LUMA = np.array([0.3, 0.59, 0.11], np.float32)
"""Weights of red, green and blue in the luminosity of blend modes (W3C compositing and blending, 13.4)."""


def levels_of(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Values in [0, 1] in 8 bits."""
    return np.asarray(np.rint(np.clip(values, 0, 1) * np.float32(255)), np.uint8)


def fill_pyramid(pixels: Pixels, mask: NDArray[np.float32]) -> Pixels:
    """The picture (H, W, 3) with its hole filled by blurred surroundings, coarse ones below finer ones.

    The marked pixels (mask 1) are erased; where nothing is left it is black.
    """
    from PIL import Image, ImageFilter

    height, width = mask.shape
    opacity = np.float32(1) - levels_of(mask).astype(np.float32)[..., None] / np.float32(255)
    layer = np.concatenate([levels_of(pixels) * opacity, np.float32(255) * opacity], axis=2)
    erased = Image.frombytes("RGBa", (width, height), np.rint(layer).astype(np.uint8).tobytes())
    filled = Image.new("RGBA", (width, height))
    for radius, times in _PYRAMID:
        blurred = erased.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(times):
            filled.alpha_composite(blurred)
    return np.asarray(filled.convert("RGB"), np.float32) / np.float32(255)


def colour_corrected(pixels: Pixels, target: Pixels) -> Pixels:
    """The picture (H, W, 3) with the histograms of `target` in each channel of LAB, and its own luminosity."""
    generated = levels_of(pixels)
    lab, wanted = (cv2.cvtColor(one, cv2.COLOR_RGB2LAB) for one in (generated, levels_of(target)))
    matched = np.stack([_matched(lab[..., k], wanted[..., k]) for k in range(3)], axis=2)
    colours = cv2.cvtColor(matched, cv2.COLOR_LAB2RGB).astype(np.float32) / np.float32(255)
    return with_luminosity(colours, np.asarray(generated @ (_LUMA / np.float32(255)), np.float32))


def _matched(levels: NDArray[np.uint8], target: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Levels whose cumulated histogram is that of `target`, linear between its levels."""
    shares = [np.cumsum(np.bincount(one.ravel(), minlength=256)) / one.size for one in (levels, target)]
    present = np.bincount(target.ravel(), minlength=256) > 0
    mapped = np.interp(shares[0], shares[1][present], np.flatnonzero(present))
    return mapped.astype(np.uint8)[levels]


def with_luminosity(colours: Pixels, luminosity: NDArray[np.float32]) -> Pixels:
    """Colours (H, W, 3) in [0, 1] with another luminosity (H, W), pulled to grey where they leave the range (W3C)."""
    made = colours + (luminosity - colours @ _LUMA)[..., None]
    grey, low, high = luminosity[..., None], made.min(axis=2, keepdims=True), made.max(axis=2, keepdims=True)
    tiny = np.float32(1e-6)
    made = np.where(low < 0, grey + (made - grey) * grey / np.maximum(grey - low, tiny), made)
    made = np.where(high > 1, grey + (made - grey) * (1 - grey) / np.maximum(high - grey, tiny), made)
    return np.asarray(np.clip(made, 0, 1), np.float32)
