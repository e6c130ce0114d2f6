"""EdgeField and dark lines of a picture as strengths, and from them thin lines.

Gradients are of Gaussian derivatives, at the strongest colour channel. A texture has many strong gradients near each
other, and an outline stands alone: what is subtracted is a share of the surroundings' mean gradient (surround
suppression: Grigorescu, Petkov and Westenberg, "Contour detection based on nonclassical receptive field inhibition",
IEEE TIP 2003). Dark lines are ridges of the second derivative (Lindeberg, "Edge detection and ridge detection with
automatic scale selection", IJCV 1998).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class EdgeField:
    """How strong edges or lines are, and across which direction.

    Attributes:
        strength: (H, W) float32, at least 0; about the step of the colour in [0, 1] that it stands for.
        across, down: (H, W) float32, the direction across the edge.
    """

    strength: Floats
    across: Floats
    down: Floats


def blurred(pixels: Floats, sigma: float) -> Floats:
    """A Gaussian blur, whose border repeats."""
    import cv2

    if sigma <= 0:
        return pixels
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.float32)


def edges_at(pixels: Floats, sigma: float) -> EdgeField:
    """EdgeField of a picture at one scale.

    Args:
        pixels: (H, W, 3) float32 in [0, 1].
        sigma: Of the Gaussian, in pixels.
    """
    import cv2

    smooth = blurred(pixels, sigma)
    across, down = (
        np.asarray(cv2.Scharr(smooth, cv2.CV_32F, x, 1 - x, borderType=cv2.BORDER_REPLICATE)) / 32 for x in (1, 0)
    )
    size = np.hypot(across, down)
    strongest = size.argmax(axis=2)[..., None]
    width = np.float32(np.sqrt(2 * np.pi) * max(sigma, 0.5))  # the slope of a blurred step of 1 is 1 / width
    at = (np.take_along_axis(one, strongest, axis=2)[..., 0] * width for one in (size, across, down))
    return EdgeField(*at)


def dark_lines_at(pixels: Floats, sigma: float) -> EdgeField:
    """Lines that are darker than both of their sides, of about 2 sigma pixels in width."""
    import cv2

    grey = blurred(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)), sigma)
    derive = (
        np.asarray(cv2.Sobel(grey, cv2.CV_32F, x, 2 - x, ksize=3, borderType=cv2.BORDER_REPLICATE)) for x in (2, 1, 0)
    )
    xx, xy, yy = (one * np.float32(sigma**2 / 4) for one in derive)
    root = np.sqrt(np.square((xx - yy) / 2) + np.square(xy))
    bend, other = (xx + yy) / 2 + root, (xx + yy) / 2 - root
    angle = np.arctan2(2 * xy, xx - yy) / 2
    strength = np.where(np.abs(other) < bend, bend - np.abs(other), 0)  # a dark spot bends both ways, and is no line
    return EdgeField(np.asarray(strength, np.float32), np.cos(angle), np.sin(angle))


def alone(strength: Floats, sigma: float, share: float) -> Floats:
    """Strengths less a share of what surrounds them, beyond about 4 sigma: texture is weakened, outlines remain."""
    wide, near = blurred(strength, 4 * sigma), blurred(strength, sigma)
    around = np.maximum(wide - near / 8, 0)
    return np.asarray(np.maximum(strength - share * around, 0), np.float32)


def thinned(edges: EdgeField) -> Floats:
    """Strengths where they are the largest across the edge, 0 elsewhere (non-maximum suppression)."""
    import cv2

    strength = edges.strength
    height, width = strength.shape
    length = np.hypot(edges.across, edges.down) + np.float32(1e-12)
    dx, dy = edges.across / length, edges.down / length
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    ahead, behind = (
        np.asarray(cv2.remap(strength, x + s * dx, y + s * dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
        for s in (np.float32(1), np.float32(-1))
    )
    return np.where((strength >= ahead) & (strength > behind), strength, np.float32(0))


def linked(thin: Floats, low: float, high: float, shortest: int) -> Flags:
    """Thin lines above `low` that reach `high` somewhere, and are at least `shortest` pixels long."""
    return long_enough(thin > low, thin > high, shortest)


def long_enough(lines: Flags, sure: Flags | None, shortest: int) -> Flags:
    """Those connected lines that have a pixel of `sure` (None: all), and at least `shortest` pixels."""
    import cv2

    count, labels, figures, _ = cv2.connectedComponentsWithStats(lines.astype(np.uint8), connectivity=8)
    kept = figures[:, cv2.CC_STAT_AREA] >= shortest
    if sure is not None:
        kept &= np.bincount(labels[sure & lines], minlength=count) > 0
    kept[0] = False
    return cast(Flags, kept[labels])
