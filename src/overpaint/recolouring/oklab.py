"""OKLab and its polar form OKLCh: a space in which equal distances look about equal, and hues stay hues.

Ottosson, "A perceptual color space for image processing", 2020 (https://bottosson.github.io/posts/oklab/). Scaling
linear light by k scales L, a and b by the cube root of k, so that hue and C / L do not depend on shading.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.picture.profile import SRGB_CURVE

Floats = NDArray[np.float32]

_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    np.float32,
)
_FROM_LMS = np.linalg.inv(_TO_LMS.astype(np.float64)).astype(np.float32)
_FROM_LAB = np.linalg.inv(_TO_LAB.astype(np.float64)).astype(np.float32)


def linear_of(encoded: Floats) -> Floats:
    """Encoded sRGB in [0, 1] as linear light."""
    return SRGB_CURVE.linear(encoded)


def encoded_of(linear: Floats) -> Floats:
    """Linear light as encoded sRGB; both in [0, 1]."""
    return SRGB_CURVE.encoded(linear)


def lab_of(linear: Floats) -> Floats:
    """(..., 3) linear sRGB as OKLab: L in [0, 1], a and b about -0.4 to 0.4."""
    return np.asarray(np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T, np.float32)


def linear_of_lab(lab: Floats) -> Floats:
    """(..., 3) OKLab as linear sRGB, which may lie beyond [0, 1]."""
    return np.asarray((lab @ _FROM_LAB.T) ** 3 @ _FROM_LMS.T, np.float32)


def polar(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Chroma, and hue in degrees, of (h, w) or (N,) a and b."""
    chroma, hue = cv2.cartToPolar(np.ascontiguousarray(a), np.ascontiguousarray(b), angleInDegrees=True)
    return np.asarray(chroma, np.float32).reshape(a.shape), np.asarray(hue, np.float32).reshape(a.shape)


def lch_of(lab: Floats) -> Floats:
    """(..., 3) OKLab as L, C and hue in degrees, 0 to 360."""
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1])) % 360
    return np.stack([lab[..., 0], np.hypot(lab[..., 1], lab[..., 2]), hue], axis=-1).astype(np.float32)


def lab_of_lch(lch: Floats) -> Floats:
    """The inverse of `lch_of`."""
    angle = np.radians(lch[..., 2])
    return np.stack([lch[..., 0], lch[..., 1] * np.cos(angle), lch[..., 1] * np.sin(angle)], axis=-1).astype(np.float32)


def fitted(lch: tuple[float, float, float]) -> Floats:
    """(3,) linear sRGB of one OKLCh colour; one beyond sRGB keeps lightness and hue, and loses chroma until it fits."""
    lightness, chroma, hue = min(max(lch[0], 0.0), 1.0), lch[1], lch[2]

    def linear(share: float) -> Floats:
        return linear_of_lab(lab_of_lch(np.array([lightness, chroma * share, hue], np.float32)))

    low, high = 0.0, 1.0
    for _ in range(20 if _outside(linear(high)) else 0):
        middle = (low + high) / 2
        low, high = (low, middle) if _outside(linear(middle)) else (middle, high)
    return np.clip(linear(low if _outside(linear(high)) else high), 0, 1)


def _outside(linear: Floats) -> bool:
    room = min(1e-4, 1e-3 * float(linear.max()))  # of rounding; as much would turn the hue of a dark colour
    return bool(linear.min() < -room or linear.max() > 1 + room)
