"""Euclidean distances in a mask, computed only within the limit."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box

from ._checks import as_pixels

EXACT_TO = 500  # pixels; squared distances up to here come out of OpenCV well within a half of their whole number


def distance_to(marked: NDArray[np.bool_], limit: float | None = None) -> NDArray[np.float32]:
    """Distance in pixels from the centre of each pixel to the centre of the nearest marked one.

    Exact (the float32 nearest to the root of a whole number) up to 500 pixels, so that `distance <= g` is stable;
    beyond, within a millionth. Method: Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions", 2012,
    by OpenCV.

    Args:
        marked: (H, W) bool.
        limit: Distances beyond it are not computed, which saves the time outside the box of the marked pixels padded
            by it. None: no limit.

    Returns:
        (H, W) float32, 0 on marked pixels; infinity where no marked pixel is within the limit.

    Raises:
        MaskError: the limit is negative or not a number.
    """
    distance = np.full(marked.shape, np.inf, dtype=np.float32)
    box = Box.around(marked)
    if box.empty:
        return distance
    picture = Box(0, 0, marked.shape[1], marked.shape[0])
    limit = math.inf if limit is None else as_pixels(limit, "the limit of a distance")
    region = picture if limit == math.inf else box.pad(math.floor(limit)).intersect(picture)
    near = _transform(marked[region.slices])
    near[near > np.float32(limit)] = np.inf
    distance[region.slices] = near
    return distance


def within(marked: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """(H, W) bool: which pixels have a marked one at most `radius` pixels away, centre to centre."""
    grown = np.zeros(marked.shape, dtype=np.bool_)
    box = Box.around(marked)
    if box.empty:
        return grown
    region = box.pad(math.floor(radius)).intersect(Box(0, 0, marked.shape[1], marked.shape[0]))
    inside = np.ascontiguousarray(marked[region.slices])
    if radius <= 8:  # a small disc is cheaper than distances, with the same result
        import cv2

        grown[region.slices] = cv2.dilate(inside.view(np.uint8), disc(radius)).view(np.bool_)
    else:
        grown[region.slices] = _transform(inside) <= np.float32(radius)
    return grown


def disc(radius: float) -> NDArray[np.uint8]:
    """A square with 1 where the centre is at most `radius` pixels away."""
    whole = math.floor(radius)
    offsets = np.square(np.arange(-whole, whole + 1))
    return (offsets[:, None] + offsets <= whole_square(radius)).astype(np.uint8)


def whole_square(radius: float) -> int:
    """The largest whole square of a distance within the radius: 13 for the root of 13, though it squares to less."""
    return math.floor(radius * radius + 1e-9)


def inscribed_radius(marked: NDArray[np.bool_]) -> float:
    """Radius in pixels of the largest circle about a pixel's centre that stays inside the marked pixels of (H, W).

    Pixels beyond the array count as not marked. A line of one pixel has 0.5; an odd square its half side, an even one
    half a pixel less; 0 when nothing is marked.
    """
    box = Box.around(marked)
    if box.empty:
        return 0.0
    outside = np.ones((box.height + 2, box.width + 2), dtype=np.bool_)
    np.logical_not(marked[box.slices], out=outside[1:-1, 1:-1])
    return float(_transform(outside).max()) - 0.5


def _transform(marked: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distances to the True pixels; there must be one."""
    import cv2

    rough = cv2.distanceTransform(np.logical_not(marked).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    squared = np.square(rough)
    np.rint(squared, out=squared, where=rough <= EXACT_TO)
    return np.asarray(np.sqrt(squared, out=squared), np.float32)
