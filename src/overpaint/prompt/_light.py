"""Measurements of light, focus and grain.

Known pixels (neither masked nor transparent) are measured, in sRGB through the picture's profile: light in linear
values on a copy of at most 384 pixels a side, focus on one of at most 1024, grain on the picture's own pixels around
the mask.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box
from overpaint.mask import Mask
from overpaint.picture import Picture
from overpaint.picture.colour import converter_for

from .scene import Light

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

_LIGHT_SIDE = 384
_FOCUS_SIDE = 1024
_GRAIN_SIDE = 1024
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # of linear sRGB (IEC 61966-2-1)
_LEAST_PIXELS = 64  # fewer known pixels are not measured
_FLOOR = 0.002  # linear luminance below which a photo shows noise


@dataclass(frozen=True, eq=False)
class View:
    """A copy of the picture at some scale.

    Attributes:
        srgb: (h, w, 3) float32 in [0, 1], encoded.
        known: (h, w) bool: neither masked nor transparent.
        around: (h, w) bool: the known pixels near the mask; all known ones without a mask.
    """

    srgb: Floats
    known: Bools
    around: Bools

    @cached_property
    def linear(self) -> Floats:
        """(h, w, 3) in linear light."""
        v = self.srgb
        return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4).astype(np.float32)

    @cached_property
    def luminance(self) -> Floats:
        """(h, w) relative luminance, 0 to 1."""
        return np.asarray(self.linear @ _LUMINANCE, np.float32)

    @cached_property
    def lightness(self) -> Floats:
        """(h, w) CIE L*, 0 to 100."""
        y = self.luminance
        return np.where(y > 216 / 24389, 116 * np.cbrt(y) - 16, y * 24389 / 27).astype(np.float32)

    @cached_property
    def grey(self) -> Floats:
        """(h, w) encoded brightness, 0 to 1."""
        return np.asarray(self.srgb @ _LUMINANCE, np.float32)


def view_of(picture: Picture, mask: Mask | None, side: int, crop: Box | None = None) -> View:
    """The picture (or a box of it), at most `side` pixels wide and high."""
    rows, columns = (crop or picture.size.box).slices
    samples: NDArray[Any] = picture.samples[rows, columns]
    unknown = np.zeros(samples.shape[:2], np.float32)
    if mask is not None:
        unknown = np.maximum(unknown, mask.support[rows, columns])
    if picture.alpha is not None:
        unknown = np.maximum(unknown, picture.alpha[rows, columns] < picture.maximum)
    near = np.zeros(picture.size.shape, np.float32)
    near[surroundings(mask, picture).slices] = 1
    near = near[rows, columns]
    scale = min(1.0, side / max(samples.shape[:2]))
    if scale < 1:
        size = (max(1, round(samples.shape[1] * scale)), max(1, round(samples.shape[0] * scale)))
        samples = _resized(samples, size).reshape(size[1], size[0], -1)
        unknown, near = _resized(unknown, size), _resized(near, size)
    known = unknown <= 0
    around = known & (near > 0.5)
    if around.sum() < _LEAST_PIXELS:
        around = known
    return View(converter_for(picture, "srgb").to_canvas(samples), known, around)


def _resized(values: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    return np.asarray(cv2.resize(np.ascontiguousarray(values), size, interpolation=cv2.INTER_AREA))


def surroundings(mask: Mask | None, picture: Picture) -> Box:
    """The box that is near the mask: half as wide and high again on each side and at least a quarter of the picture.

    The whole picture without a mask.
    """
    whole = picture.size.box
    if mask is None or mask.bounds.empty:
        return whole
    box = mask.bounds
    across = max(box.width // 2, (whole.width // 2 - box.width) // 2, 8)
    down = max(box.height // 2, (whole.height // 2 - box.height) // 2, 8)
    return Box(box.left - across, box.top - down, box.right + across, box.bottom + down).intersect(whole)


def light_of(picture: Picture, mask: Mask | None) -> Light | None:
    """The light around the mask; None when too little of the picture is known."""
    view = view_of(picture, mask, _LIGHT_SIDE)
    if view.known.sum() < _LEAST_PIXELS:
        return None
    smooth = _smoothed(view.luminance, view.known, max(view.known.shape) / 50)
    low, high = np.percentile(smooth[view.known], [5, 95])
    slope, share = _slope(smooth, view.known)
    lab = cv2.cvtColor(view.srgb, cv2.COLOR_RGB2LAB)
    dark_end, bright_end = np.percentile(view.lightness[view.known], [10, 90])
    return Light(
        lightness=float(np.median(view.lightness[view.around])),
        dark_end=float(dark_end),
        bright_end=float(bright_end),
        range_stops=math.log2((high + _FLOOR) / (low + _FLOOR)),
        bright_share=float((view.lightness[view.known] > 95).mean()),
        dark_share=float((view.lightness[view.known] < 12).mean()),
        warmth=_warmth(view),
        slope_stops=slope,
        slope_share=share,
        chroma=float(np.percentile(np.hypot(lab[..., 1], lab[..., 2])[view.known], 95)),
    )


def _smoothed(values: Floats, known: Bools, sigma: float) -> Floats:
    """Normalised convolution with a Gaussian, over known pixels only (Knutsson and Westin 1993)."""
    weight = known.astype(np.float32)
    total = cv2.GaussianBlur(values * weight, (0, 0), sigma)
    return np.asarray(total / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-6), np.float32)


def _warmth(view: View) -> float:
    """log2(R/B) of the light, the smallest of four measures; 0 where they contradict each other.

    A coloured object misleads one measure, coloured light changes all four: shades of grey (Finlayson and Trezzi 2004)
    and grey edge (van de Weijer et al. 2007), a Minkowski mean with p = 6 of pixels and of gradients; the coolest (or
    warmest) tenth of all surfaces; and nearly neutral surfaces, which must be at least a quarter. A picture full of
    objects of one muted colour can't be measured.
    """
    use = view.known & (view.lightness > 20) & (view.srgb < 0.99).all(axis=2)
    inner = cv2.erode(use.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    if inner.sum() < _LEAST_PIXELS:
        return 0.0
    lab = cv2.cvtColor(view.srgb, cv2.COLOR_RGB2LAB)
    neutral = use & (np.hypot(lab[..., 1], lab[..., 2]) < 25)
    if neutral.sum() < 0.25 * use.sum():
        return 0.0
    blurred = np.stack([_smoothed(view.linear[..., k], view.known, 1.5) for k in range(3)], axis=2)
    gradient = np.hypot(cv2.Sobel(blurred, cv2.CV_32F, 1, 0), cv2.Sobel(blurred, cv2.CV_32F, 0, 1))
    ratio = np.log2((view.linear[..., 0] + _FLOOR) / (view.linear[..., 2] + _FLOOR))
    coolest, warmest = np.percentile(ratio[use], [10, 90])
    means = [_minkowski(view.linear[use]), _minkowski(gradient[inner]), float(np.median(ratio[neutral]))]
    return max(0.0, min(*means, float(coolest))) + min(0.0, max(*means, float(warmest)))


def _minkowski(values: Floats) -> float:
    """log2(R/B) of the Minkowski mean with p = 6 of (n, 3) values."""
    mean = (values.astype(np.float64) ** 6).mean(axis=0) ** (1 / 6)
    return math.log2((mean[0] + 1e-6) / (mean[2] + 1e-6))


def _slope(smooth: Floats, known: Bools) -> tuple[float, float]:
    """The horizontal slope of log luminance in stops over the width, and the share of variance that it explains."""
    values = np.log2(smooth[known].astype(np.float64) + _FLOOR)
    rows, columns = np.nonzero(known)
    x = columns / max(1, known.shape[1] - 1) - 0.5
    y = rows / max(1, known.shape[0] - 1) - 0.5
    plane = np.stack([x, y, np.ones_like(x)], axis=1)
    (across, _, _), *_ = np.linalg.lstsq(plane, values, rcond=None)
    variance = values.var()
    return float(across), float(min(1.0, across**2 * x.var() / variance)) if variance > 1e-9 else 0.0


def sharpness_of(picture: Picture, mask: Mask | None) -> float | None:
    """Sharpness around the mask, relative to the sharpest tenth of the picture: 1 equal, towards 0 out of focus.

    A block's sharpness is the share of detail finer than 1 pixel in that finer than 4 (differences of Gaussians), which
    does not depend on contrast. None where there is too little texture.
    """
    view = view_of(picture, mask, _FOCUS_SIDE)
    fine = view.grey - _smoothed(view.grey, view.known, 1)
    coarse = view.grey - _smoothed(view.grey, view.known, 4)
    block = max(16, max(view.grey.shape) // 24)
    known = view.known.astype(np.float32)
    fine_energy, coarse_energy, share, near = (
        _block_means(values, block) for values in (fine**2 * known, coarse**2 * known, known, view.around * known)
    )
    textured = (share > 0.5) & (coarse_energy / np.maximum(share, 1e-6) > 0.02**2)
    if textured.sum() < 8 or (textured & (near > 0.5)).sum() < 4:
        return None
    sharp = fine_energy[textured] / coarse_energy[textured]
    best = np.percentile(sharp, 90)
    around = np.median((fine_energy / np.maximum(coarse_energy, 1e-12))[textured & (near > 0.5)])
    return float(min(1.0, around / max(best, 1e-9)))


def _block_means(values: Floats, block: int) -> Floats:
    height, width = values.shape[0] // block, values.shape[1] // block
    if height == 0 or width == 0:
        return np.zeros((0, 0), np.float32)
    cut = values[: height * block, : width * block].reshape(height, block, width, block)
    return np.asarray(cut.mean(axis=(1, 3)), np.float32)


def grain_of(picture: Picture, mask: Mask | None) -> float | None:
    """Standard deviation of the grain in flat parts around the mask, in levels of 255 (Immerkaer 1996).

    None where no part is flat enough to separate grain from texture.
    """
    around = surroundings(mask, picture)
    x, y = (around.left + around.right) // 2, (around.top + around.bottom) // 2
    half = _GRAIN_SIDE // 2
    trimmed = Box(x - half, y - half, x + half, y + half).intersect(around)
    view = view_of(picture, mask, _GRAIN_SIDE, crop=trimmed)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = np.abs(cv2.filter2D(view.grey, cv2.CV_32F, kernel))
    usable = view.known & (view.grey > 0.04) & (view.grey < 0.96)  # clipped ends hide their grain
    usable = cv2.erode(usable.astype(np.uint8), np.ones((3, 3), np.uint8))  # the kernel's size
    whole = _block_means(usable.astype(np.float32), 16) > 0.99
    if whole.sum() < 12:
        return None
    # Texture only adds: the flattest tenth of the blocks is nearest to pure grain.
    flat = np.percentile(_block_means(response, 16)[whole], 10)
    return float(flat * math.sqrt(math.pi / 2) / 6 * 255)
