"""Colour and seam correction from evidence.

A learned engine changes its whole canvas a little: an autoencoder shifts colours, a network drifts. The error on the
known pixels, the difference between the original and the engine's unblended estimate (`evidence`), predicts the error
in the hole. It is carried into the hole: first its trend over the canvas (colour match), then what is left near the
hole's edge (seam). Both are trimmed (a redrawn detail is no colour shift), low-pass (texture is no colour) and bounded.

Statistics are of known pixels alone. With the hole set to zero instead, they would be biased by the hole's share: of a
shift of 3 levels 2 would stay at a hole of 75 % (spec/canvas-and-masks.md 1.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.mask.distance import distance_to

from .spread import spread

Image = NDArray[np.float32]

BOUND = 0.12
"""Largest change of a value, on the scale 0 to 1 (31 of 255 levels)."""


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """A corrected canvas.

    Attributes:
        pixels: (H, W, 3) float32, the painted canvas, corrected inside and outside the hole.
        shift: Mean change in the hole by channel, on the scale 0 to 1.
    """

    pixels: Image
    shift: tuple[float, float, float]


def correct(
    painted: Image,
    evidence: Image | None,
    original: Image,
    hole: NDArray[np.bool_],
    usable: NDArray[np.bool_] | None = None,
    *,
    colour_match: bool = True,
    seam: bool = True,
) -> Correction:
    """Remove from the painted pixels the error that the evidence shows.

    Args:
        painted: (H, W, 3) float32, the engine's result.
        evidence: (H, W, 3) float32, its estimate of the whole canvas; None: no correction.
        original: (H, W, 3) float32, the canvas as it was.
        hole: (H, W) bool, what was to be repainted.
        usable: (H, W) bool, pixels that show the picture; None: all.
        colour_match: Whether to remove the trend over the canvas (a gain and an offset by channel).
        seam: Whether to remove the remaining error near the hole's edge.
    """
    known = ~hole if usable is None else ~hole & usable
    if evidence is None or not (colour_match or seam) or int(known.sum()) < 16:
        return Correction(painted, (0.0, 0.0, 0.0))
    reduced = _reduced(evidence, original, known, hole)
    weights = _trust(reduced.error, reduced.known)
    change = np.zeros_like(painted)
    error = reduced.error
    if colour_match:
        gain, offset = _line(reduced.evidence, error, weights)
        change = gain * painted + offset
        error = error - (gain * reduced.evidence + offset)
        # Without the common shift other pixels are ordinary.
        weights = _trust(error, reduced.known)
    if seam:
        change += cv2.resize(_seam(error, reduced.hole, weights), hole.shape[::-1], interpolation=cv2.INTER_LINEAR)
    np.clip(change, -BOUND, BOUND, out=change)
    inside = change[hole]
    mean = inside.mean(axis=0) if inside.size else np.zeros(3)
    return Correction(painted + change, (float(mean[0]), float(mean[1]), float(mean[2])))


@dataclass(frozen=True, slots=True, eq=False)
class _ReducedCanvas:
    """The canvas at the scale at which corrections, which are low-pass, are estimated."""

    evidence: Image
    error: Image
    known: NDArray[np.bool_]
    hole: NDArray[np.bool_]


_ESTIMATED_AT = 512 * 512


def _reduced(evidence: Image, original: Image, known: NDArray[np.bool_], hole: NDArray[np.bool_]) -> _ReducedCanvas:
    """Means of the known pixels in each cell of a coarser grid; a small canvas stays as it is."""
    step = math.ceil(math.sqrt(hole.size / _ESTIMATED_AT))
    if step == 1:
        return _ReducedCanvas(evidence, original - evidence, known, hole)
    size = (math.ceil(hole.shape[1] / step), math.ceil(hole.shape[0] / step))

    def shrunk(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), dtype=np.float32)

    counted = known.astype(np.float32)
    share = shrunk(counted)
    by = (1 / np.maximum(share, 1e-6))[..., None].astype(np.float32)
    weight = cv2.merge([counted] * 3)
    means = [shrunk(image * weight) * by for image in (evidence, original)]
    return _ReducedCanvas(means[0], means[1] - means[0], share > 0.25, shrunk(hole.astype(np.float32)) > 0.5)


def _trust(error: Image, known: NDArray[np.bool_]) -> Image:
    """1 on known pixels whose error is ordinary in every channel, 0 elsewhere.

    Ordinary: within 2.5 robust standard deviations of the median (1.4826 x the median absolute deviation, at least two
    levels of 255, so that clean evidence counts).
    """
    sample = error[known]
    if len(sample) == 0:
        return np.zeros(known.shape, np.float32)
    median = np.median(sample, axis=0)
    spread_by_channel = np.maximum(1.4826 * np.median(np.abs(sample - median), axis=0), 2 / 255)
    fine = known & (np.abs(error - median) <= 2.5 * spread_by_channel).all(axis=2)
    return np.asarray(fine, np.float32)


def _line(evidence: Image, error: Image, weights: Image) -> tuple[Image, Image]:
    """Least-squares error = gain x evidence + offset by channel over the trusted pixels, the gain within 0.25.

    Ridge regression pulls the gain to 0 where the evidence hardly varies.
    """
    fine = weights > 0
    if not fine.any():
        return np.zeros(3, np.float32), np.zeros(3, np.float32)
    x, y = evidence[fine].astype(np.float64), error[fine].astype(np.float64)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    covariance = ((x - mean_x) * (y - mean_y)).mean(axis=0)
    gain = np.clip(covariance / (((x - mean_x) ** 2).mean(axis=0) + (4 / 255) ** 2), -0.25, 0.25)
    return gain.astype(np.float32), (mean_y - gain * mean_x).astype(np.float32)


def _seam(error: Image, hole: NDArray[np.bool_], weights: Image) -> Image:
    """The error near the hole's edge, carried into the hole with weights that fall with the distance from the edge."""
    if not hole.any() or not (weights > 0).any():
        return np.zeros_like(error)
    size = float(np.sqrt(hole.sum()))
    width = float(np.clip(size / 8, 4, 32))
    near = weights * np.exp(-distance_to(hole) / np.float32(width))
    return spread(error, near.astype(np.float32), width / 2)
