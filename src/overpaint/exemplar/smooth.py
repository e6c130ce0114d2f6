"""Smooth interpolation of colours over unknown pixels.

`blurred` is normalised convolution (Knutsson and Westin, "Normalized and differential convolution", CVPR 1993) over an
image pyramid, as in the pull-push step of Gortler et al., "The Lumigraph", SIGGRAPH 1996. `membrane` goes on to relax
it level by level towards Laplace's equation, as cascadic multigrid does (Bornemann and Deuflhard, Numerische
Mathematik 75, 1996), which continues a linear ramp as a linear ramp.
"""

from __future__ import annotations

import cv2
import numpy as np

from .features import Flags, Floats
from .pyramid import cells

_CROSS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4


def blurred(pixels: Floats, known: Flags) -> Floats:
    """Fill unknown pixels with Gaussian means of the known ones, wider further away from them.

    Args:
        pixels: (H, W, C) float32; values at unknown pixels are ignored.
        known: (H, W) bool. With no known pixel at all the result is zero.

    Returns:
        (H, W, C) float32, equal to `pixels` where they are known.
    """
    return _pulled(pixels, known.astype(np.float32), sweeps=0)


def membrane(pixels: Floats, known: Flags, sweeps: int = 12) -> Floats:
    """Fill unknown pixels with a nearly harmonic function, which has no edges and no overshoot.

    Args:
        pixels: (H, W, C) float32; values at unknown pixels are ignored.
        known: (H, W) bool. With no known pixel at all the result is zero.
        sweeps: Jacobi sweeps on each level; more come nearer to harmonic.

    Returns:
        (H, W, C) float32, equal to `pixels` where they are known.
    """
    return _pulled(pixels, known.astype(np.float32), sweeps)


def _pulled(values: Floats, weight: Floats, sweeps: int) -> Floats:
    """Normalised convolution over a pyramid: means of known pixels are reduced, and enlarged into unknown ones."""
    height, width = weight.shape
    fixed = weight[..., None]
    # `values` may hold NaN where nothing is known, which a product with zero would keep.
    filled: Floats = np.where(fixed > 0, values, np.float32(0))
    if weight.min() > 0 or max(height, width) == 1:
        return filled
    # The weighted sum over the halved weight is the normalised mean; one known pixel makes its cell known.
    mass = cells(weight)
    means = (cells(filled * fixed) / np.maximum(mass, 1e-6)[..., None]).astype(np.float32)
    coarse = _pulled(means, np.minimum(mass * 4, np.float32(1)), sweeps)
    wide = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).reshape(values.shape)
    filled = fixed * filled + (1 - fixed) * wide
    for _ in range(sweeps):
        spread = cv2.filter2D(filled, -1, _CROSS, borderType=cv2.BORDER_REPLICATE).reshape(values.shape)
        filled = fixed * filled + (1 - fixed) * spread
    return filled
