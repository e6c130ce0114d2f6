"""Metrics of `benchmarks.fill`, as a small library for tuning: distances of a fill from the original photo.

Pictures are (H, W, 3) uint8, holes (H, W) bool with True where pixels were painted. Metrics of one fill are here;
the metric of a set of fills (the kernel distance, its intervals) is in `kernel`, the two feature networks in
`classifier` and `segmenter`. All are re-exported, so that a tuning script needs `from benchmarks.metrics import ...`
alone.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from benchmarks.classifier import Classifier, features
from benchmarks.kernel import (
    Interval,
    bootstrap,
    draw_weights,
    kernel_statistic,
    kid,
    mean_statistic,
    median_statistic,
    pair_matrix,
    paired_bootstrap,
    paired_kid,
)
from benchmarks.networks import cosine_distance
from benchmarks.segmenter import Segmenter

__all__ = [
    "Classifier",
    "Interval",
    "Segmenter",
    "bootstrap",
    "cosine_distance",
    "draw_weights",
    "features",
    "gradient_energy",
    "gradient_energy_ratio",
    "kernel_statistic",
    "kid",
    "luma",
    "mean_statistic",
    "median_statistic",
    "pair_matrix",
    "paired_bootstrap",
    "paired_kid",
    "psnr",
    "seam",
    "ssim",
]

Picture8 = NDArray[np.uint8]
Hole = NDArray[np.bool_]

PSNR_CEILING = 99.0
"""dB given for equal pixels, where the formula is infinite: a mean over fills must stay finite."""

QUANTISATION = 1.0 / 3.0
"""Squared gradient, in grey levels, that rounding to 8 bits makes in a flat area: each value carries a variance of
1/12, a difference twice that, and there are two differences."""


def luma(picture: Picture8) -> NDArray[np.float64]:
    """(H, W) grey values 0 to 255 by the weights of ITU-R BT.601."""
    grey: NDArray[np.float64] = picture.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    return grey


def psnr(filled: Picture8, original: Picture8, hole: Hole) -> float:
    """Peak signal-to-noise ratio inside the hole in dB, over the three channels; at most PSNR_CEILING.

    10 log10(255^2 / mean squared error). An honest fill of a removed object differs from the object, so this figure is
    low for all engines and rewards blur: it is here because others quote it.
    """
    _check(filled, original, hole)
    error = filled[hole].astype(np.float64) - original[hole]
    mse = float(np.mean(error * error))
    return PSNR_CEILING if mse == 0 else min(PSNR_CEILING, 10 * math.log10(255**2 / mse))


def ssim(filled: Picture8, original: Picture8, hole: Hole) -> float:
    """Mean structural similarity inside the hole, -1 to 1, on luma.

    Wang, Bovik, Sheikh and Simoncelli 2004, "Image quality assessment: from error visibility to structural similarity",
    with their Gaussian window (sigma 1.5); the map is computed on the whole of what is given and averaged over the
    hole. Pictures under 11 px a side are edge-extended, as the window needs that much.
    """
    _check(filled, original, hole)
    short = [max(0, 11 - side) for side in hole.shape]
    grow = [(0, short[0]), (0, short[1])]
    _, similarity = structural_similarity(
        np.pad(luma(filled), grow, mode="edge"),
        np.pad(luma(original), grow, mode="edge"),
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    return float(np.mean(similarity[: hole.shape[0], : hole.shape[1]][hole]))


def gradient_energy(picture: Picture8, hole: Hole) -> float:
    """Mean squared luma gradient inside the hole, in grey levels squared a pixel.

    Forward differences whose both ends lie in the hole, so that a seam does not pass for detail.
    """
    grey = luma(picture)
    across, down = hole[:, 1:] & hole[:, :-1], hole[1:] & hole[:-1]
    energy = float(np.sum(np.diff(grey, axis=1)[across] ** 2) + np.sum(np.diff(grey, axis=0)[down] ** 2))
    return energy / max(1, int(np.count_nonzero(hole)))


def gradient_energy_ratio(filled: Picture8, original: Picture8, hole: Hole) -> float:
    """Gradient energy of the fill over that of the photo inside the hole: 1 is as detailed, under 1 smoother.

    Both get the energy that rounding alone makes (QUANTISATION) added, so that a flat sky does not divide by zero.
    """
    _check(filled, original, hole)
    return (gradient_energy(filled, hole) + QUANTISATION) / (gradient_energy(original, hole) + QUANTISATION)


def seam(filled: Picture8, hole: Hole) -> float:
    """How much steeper the fill is along the hole's border than just beside it; 0 where no border shows.

    log((a + 1/2) / (b + 1/2)): a is the mean absolute difference of luma, in grey levels, between neighbours on the two
    sides of the border, b that of the next pairs inwards and outwards on the same lines. A smooth fill in a texture has
    about 0.4, since its side has no differences. 0 where the border has no such pairs.
    """
    across = beside = 0.0
    count = 0
    for grey, inside in ((luma(filled), hole), (luma(filled).T, hole.T)):
        step = np.abs(np.diff(grey, axis=1))
        border = (inside[:, 1:-2] != inside[:, 2:-1]) & (inside[:, :-3] == inside[:, 1:-2])
        border &= inside[:, 2:-1] == inside[:, 3:]
        across += float(step[:, 1:-1][border].sum())
        beside += float((step[:, :-2] + step[:, 2:])[border].sum()) / 2
        count = count + int(border.sum())
    return math.log((across + count / 2) / (beside + count / 2)) if count else 0.0


def _check(filled: Picture8, original: Picture8, hole: Hole) -> None:
    if filled.shape != original.shape or hole.shape != filled.shape[:2]:
        raise ValueError(f"sizes differ: fill {filled.shape}, original {original.shape}, hole {hole.shape}")
    if not hole.any():
        raise ValueError("the hole is empty: there is nothing to judge")
