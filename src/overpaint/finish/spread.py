"""Smooth extrapolation of known values."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def spread(values: NDArray[np.float32], weights: NDArray[np.float32], smooth: float) -> NDArray[np.float32]:
    """Weighted means of known values in growing neighbourhoods: a low-pass that reaches any distance.

    Normalised convolution (Knutsson and Westin, CVPR 1993) over an octave pyramid: at each level the weighted mean of
    values within about `smooth` pixels; where weights are small, the mean of the next coarser level.

    Args:
        values: (H, W, C) float32; ignored where the weight is 0.
        weights: (H, W) float32, 0 or more.
        smooth: Standard deviation of the finest mean in pixels.

    Returns:
        (H, W, C) float32; zeros when no weight is positive.
    """
    weighted = np.dstack([values * weights[..., None], weights]).astype(np.float32)
    # The last channel is the weight, filtered as the sums are that it divides.
    blurred = cv2.GaussianBlur(weighted, (0, 0), max(smooth, 0.5), borderType=cv2.BORDER_REFLECT_101)
    height, width = weights.shape
    if max(height, width) > 4:
        half = cv2.resize(blurred, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
        inner = half[..., -1]
        sums = np.divide(half[..., :-1], np.maximum(inner, 1e-12)[..., None])
        coarse = spread(sums, inner, max(smooth / 2, 1.0))
        coarse = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).reshape(values.shape)
    else:
        total = float(weighted[..., -1].sum())
        mean = weighted[..., :-1].sum(axis=(0, 1)) / total if total > 0 else np.zeros(values.shape[2], np.float32)
        coarse = np.broadcast_to(mean.astype(np.float32), values.shape)
    # A neighbourhood with a hundredth of full weight counts as much as the coarser mean.
    weight = blurred[..., -1:]
    return np.asarray((blurred[..., :-1] + 0.01 * coarse) / (weight + 0.01), dtype=np.float32)
