"""The background out of focus: a blur by a disc, as a lens makes it, without the subject in it.

Light adds up in linear values, so that small lights become bright discs; lights that the picture has clipped are made
brighter first, or their discs would be grey. The disc only sums known pixels and divides by their share (Knutsson and
Westin, "Normalized and differential convolution", CVPR 1993).
"""

from __future__ import annotations

import math
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.exemplar.smooth import blurred
from overpaint.picture.profile import SRGB_CURVE

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

FINEST = 6
"""A wider disc than twice this radius is summed on a coarser grid, so that the time does not grow with the radius."""

LIGHTS = (0.92, 3.0)
"""From this share of white on a light counts as clipped, and white as this much brighter."""

STEPS = 255 * 32
"""Steps of the table of the tone curve: every level of 8 bits is one of them."""

UNSEEN = np.float32(1e-3)
"""Weight of pixels behind the subject, which are filled from around it, against that of known ones."""


def bokeh(pixels: Floats, known: Flags, radius: float) -> Floats:
    """The background as a lens shows it out of focus.

    Args:
        pixels: (H, W, 3) float32, encoded sRGB in [0, 1].
        known: (H, W) bool, the pixels of the background; at least one.
        radius: Of the disc, in pixels.

    Returns:
        (H, W, 3) float32, encoded; also behind the subject.
    """
    step = max(1, math.floor(radius / FINEST))
    height, width = known.shape
    small = (math.ceil(width / step), math.ceil(height / step))
    share = _reduced(known.astype(np.float32), small)
    light = _reduced(_linear(np.where(known[..., None], pixels, np.float32(0))), small)
    light /= np.maximum(share, np.float32(1e-6))[..., None]
    unseen = share == 0
    if unseen.any():
        light[unseen] = blurred(light, ~unseen)[unseen]
    weight = share + UNSEEN
    spread = partial(cv2.filter2D, ddepth=cv2.CV_32F, kernel=_disc(radius / step), borderType=cv2.BORDER_REFLECT_101)
    total, shares = spread(light * weight[..., None]), spread(weight)
    out = SRGB_CURVE.encoded(np.clip(total / shares[..., None], 0, 1))
    if step > 1:
        out = np.clip(cv2.resize(out, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    return np.asarray(out, np.float32)


def _reduced(values: Floats, size: tuple[int, int]) -> Floats:
    if (values.shape[1], values.shape[0]) == size:
        return values
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _linear(pixels: Floats) -> Floats:
    """Linear light by a table, with clipped lights as bright as they may have been."""
    table = SRGB_CURVE.linear(np.linspace(0, 1, STEPS + 1, dtype=np.float32))
    light = table[np.rint(np.clip(pixels, 0, 1) * np.float32(STEPS)).astype(np.uint16)]
    start, most = LIGHTS
    over = (light.min(axis=2) - np.float32(start)) / np.float32(1 - start)
    lights = over > 0
    light[lights] *= (1 + np.float32(most - 1) * np.square(over[lights]))[:, None]
    return np.asarray(light, np.float32)


def _disc(radius: float) -> Floats:
    """A disc with antialiased border and the sum 1."""
    whole = math.ceil(radius)
    rows, columns = np.ogrid[-whole : whole + 1, -whole : whole + 1]
    disc = np.clip(radius + 0.5 - np.hypot(rows, columns), 0, 1)
    return np.asarray(disc / disc.sum(), np.float32)
