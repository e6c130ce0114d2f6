"""What the mask covers, left out of maps: its lines are erased, and planes go on smoothly over it."""

from __future__ import annotations

import numpy as np

from .contours import Flags, Floats, blurred

BESIDE = 4
"""Pixels beside the hole whose lines are erased too, for the outline of an object that a mask covers closely."""


def without_lines(lines: Floats, hole: Flags | None) -> Floats:
    """A drawing, (H, W), without its lines in the hole and close to it."""
    import cv2

    if hole is None or not hole.any():
        return lines
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * BESIDE + 1, 2 * BESIDE + 1))
    return np.where(np.asarray(cv2.dilate(hole.astype(np.uint8), disc)) > 0, np.float32(0), lines)


def continued(plane: Floats, hole: Flags | None) -> Floats:
    """A plane whose hole is filled from its rim, ever more smoothly inwards.

    Means of what is known at half, a quarter ... of the size, taken from the coarsest to the finest where nothing finer
    is known (pull-push: Gortler et al., "The lumigraph", SIGGRAPH 1996).

    Args:
        plane: (H, W) or (H, W, C) float32.
        hole: (H, W) bool; None or all: nothing is filled.
    """
    if hole is None or not hole.any() or hole.all():
        return plane
    values = plane[..., None] if plane.ndim == 2 else plane
    weight = (~hole).astype(np.float32)[..., None]
    filled = _pulled(values * weight, weight)
    found = np.where(hole[..., None], filled, values)
    return np.asarray(found.reshape(plane.shape), np.float32)


def _pulled(sums: Floats, weight: Floats) -> Floats:
    """(h, w, C) means where there is weight, and coarser means elsewhere."""
    height, width = weight.shape[:2]
    known = np.minimum(weight, 1)
    own = sums / np.maximum(weight, np.float32(1e-6))
    if min(height, width) <= 2 or (weight > 0).all():
        mean = sums.sum(axis=(0, 1)) / max(float(weight.sum()), 1e-6)
        return np.where(weight > 0, own, mean)
    half = ((width + 1) // 2, (height + 1) // 2)
    joined = np.concatenate([sums, weight], axis=2)
    small = _resized(joined, half)
    coarse = _pulled(small[..., :-1], small[..., -1:])
    back = blurred(_resized(coarse, (width, height)), 0.7).reshape(own.shape)
    return np.asarray(own * known + back * (1 - known), np.float32)


def _resized(planes: Floats, size: tuple[int, int]) -> Floats:
    import cv2

    shrinks = size[0] < planes.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    parts = [
        np.asarray(cv2.resize(np.ascontiguousarray(planes[..., c]), size, interpolation=how))
        for c in range(planes.shape[2])
    ]
    return np.stack(parts, axis=2)
