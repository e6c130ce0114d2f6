"""Colours near a place: their local mean and covariance, one Gaussian for each pixel.

Means are by normalised convolution: Knutsson and Westin, "Normalized and differential convolution", CVPR 1993.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

NOISE = 0.012
"""Standard deviation of a value in [0, 1] that is no texture: noise and rounding."""

CHUNK = 1 << 14  # pixels at a time, which stay in the cache


@dataclass(frozen=True, slots=True, eq=False)
class LocalColours:
    """Means (N, 3) and covariances (N, 6: rr, rg, rb, gg, gb, bb) of the known colours near each unknown pixel."""

    mean: Floats
    covariance: Floats


_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
_GROUPS = (slice(0, 4), slice(4, 7), slice(7, 10))
"""Groups of channels: OpenCV's filters take four at most at full speed. None has two: OpenCV 5 interpolates two with
other weights than three or four, and of means and products that are not of the same pixels no covariance comes."""


@dataclass(frozen=True, slots=True, eq=False)
class ColourMoments:
    """Weight, colours less one half, and their products on a coarse grid over `size` = (width, height) pixels."""

    planes: tuple[Floats, ...]
    size: tuple[int, int]

    def at(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> LocalColours:
        """Means and covariances at these pixels, interpolated."""
        high, wide = self.planes[0].shape[:2]
        x = ((columns + 0.5) * (wide / self.size[0]) - 0.5).astype(np.float32)[None]
        y = ((rows + 0.5) * (high / self.size[1]) - 0.5).astype(np.float32)[None]
        sampled = np.concatenate(
            [cv2.remap(one, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0] for one in self.planes],
            axis=1,
        )
        values = sampled[:, 1:] / np.maximum(sampled[:, :1], np.float32(1e-12))
        mean, covariance = values[:, :3], values[:, 3:]
        covariance = covariance - np.stack([mean[:, a] * mean[:, b] for a, b in _PAIRS], axis=1)
        for diagonal in (0, 3, 5):
            covariance[:, diagonal] = np.maximum(covariance[:, diagonal], 0) + np.float32(NOISE**2)
        return LocalColours(mean + np.float32(0.5), covariance)


def local_moments(pixels: Floats, known: Flags, reach: float) -> ColourMoments | None:
    """Local colours of the known pixels, near ones counting more; None where nothing is known.

    Products are of means over cells of a tenth of the reach: what is finer than that counts as noise.
    """
    if not known.any():
        return None
    height, width = known.shape
    weight = known.astype(np.float32)
    fine, coarse = (_cells(width, height, reach / count) for count in (10, 5))
    shares = cv2.resize(weight, fine, interpolation=cv2.INTER_AREA)
    centred = cv2.resize((pixels - np.float32(0.5)) * weight[..., None], fine, interpolation=cv2.INTER_AREA)
    centred /= np.maximum(shares, np.float32(1e-6))[..., None]
    moments = np.dstack([np.ones_like(shares), centred, *(centred[..., a] * centred[..., b] for a, b in _PAIRS)])
    moments *= shares[..., None]
    planes = [cv2.resize(moments[..., group], coarse, interpolation=cv2.INTER_AREA) for group in _GROUPS]
    sigma = reach * coarse[0] / width
    mixed = []
    for plane in planes:
        near, far = (cv2.GaussianBlur(plane, (0, 0), wide * sigma) for wide in (0.9, 3.0))
        mixed.append(near + np.float32(1e-3) * far + np.float32(1e-6) * plane.mean(axis=(0, 1)))
    return ColourMoments(tuple(mixed), (width, height))


def _cells(width: int, height: int, side: float) -> tuple[int, int]:
    """A grid of cells of about this side."""
    whole = max(1, int(side))
    return max(1, width // whole), max(1, height // whole)


def inverse(of: Floats) -> tuple[Floats, Floats]:
    """Inverses (N, 6) and determinants (N,) of symmetric 3 x 3 matrices, by cofactors."""
    rr, rg, rb, gg, gb, bb = of.astype(np.float64).T
    first, second, third = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    determinant = np.maximum(rr * first + rg * second + rb * third, 1e-18)
    cofactors = (first, second, third, rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg)
    return np.stack(cofactors, axis=1) / determinant[:, None], determinant


def times(matrix: Floats, vector: Floats) -> Floats:
    """Symmetric matrices (N, 6) times vectors (N, 3)."""
    rr, rg, rb, gg, gb, bb = matrix.T
    x, y, z = vector.T
    return np.stack([rr * x + rg * y + rb * z, rg * x + gg * y + gb * z, rb * x + gb * y + bb * z], axis=1)


def form(matrix: Floats, vector: Floats) -> Floats:
    """The quadratic forms v M v."""
    return np.asarray((times(matrix, vector) * vector).sum(axis=1))
