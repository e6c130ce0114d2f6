"""A rough mask's edge, moved to the picture's own by a guided filter.

In every window the mask is a linear function of the colours: He, Sun and Tang, "Guided image filtering", PAMI 35(6),
2013, equations 14 to 16, with means over square windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box, Size

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

EPSILON = 1e-4
"""Variance of colours in [0, 1] below which a window counts as flat: a standard deviation of 0.01."""

SIDE = 64
"""Pixels of the sides of the boxes by which an edge is followed, at the least."""

WIDE = 12
"""Pixels beyond which what is near an edge is found by distances."""


def guided(colours: Floats, values: Floats, radius: int, epsilon: float = EPSILON, step: int = 1) -> Floats:
    """The values as far as they follow the colours.

    Args:
        colours: (H, W, 3) float32 in [0, 1], the guide.
        values: (H, W) float32 in [0, 1].
        radius: Half the side of a window in pixels, at least 1.
        epsilon: See `EPSILON`.
        step: How many pixels, along a side, share the linear function; those of large windows differ little from one
            pixel to the next (He and Sun, "Fast guided filter", 2015).

    Returns:
        (H, W) float32 in [0, 1].
    """
    height, width = values.shape
    if step > 1:
        below, right = -height % step, -width % step  # so that each cell has as many pixels
        whole = [cv2.copyMakeBorder(one, 0, below, 0, right, cv2.BORDER_REPLICATE) for one in (colours, values)]
        cells = (width + right) // step, (height + below) // step
        few = [cv2.resize(one, cells, interpolation=cv2.INTER_AREA) for one in whole]
        slopes, offsets = (
            cv2.resize(one, (width + right, height + below), interpolation=cv2.INTER_LINEAR)[:height, :width]
            for one in _functions(few[0], few[1], max(1, radius // step), epsilon)
        )
    else:
        slopes, offsets = _functions(colours, values, radius, epsilon)
    found = (slopes * (colours - np.float32(0.5))).sum(axis=2) + offsets
    return np.asarray(np.clip(found, 0, 1), np.float32)


def _functions(colours: Floats, values: Floats, radius: int, epsilon: float) -> tuple[Floats, Floats]:
    """(H, W, 3) slopes and (H, W) offsets by which colours, less a half, give the values."""
    window = (2 * radius + 1, 2 * radius + 1)

    def mean(of: Floats) -> Floats:
        return np.asarray(cv2.blur(of, window, borderType=cv2.BORDER_REPLICATE), np.float32)

    centred = colours - np.float32(0.5)  # keeps the differences of products exact in single precision
    mean_colours, mean_values = mean(centred), mean(values)
    with_values = mean(centred * values[..., None]) - mean_colours * mean_values[..., None]
    first, second, third = cv2.split(centred)
    products = mean(cv2.merge([first * first, first * second, first * third]))
    others = mean(cv2.merge([second * second, second * third, third * third]))
    m0, m1, m2 = cv2.split(mean_colours)
    rr, rg, rb = products[..., 0] - m0 * m0 + epsilon, products[..., 1] - m0 * m1, products[..., 2] - m0 * m2
    gg, gb, bb = others[..., 0] - m1 * m1 + epsilon, others[..., 1] - m1 * m2, others[..., 2] - m2 * m2 + epsilon
    bb = np.maximum(bb, epsilon)
    gg = np.maximum(gg, epsilon)
    rr = np.maximum(rr, epsilon)
    slopes = _solved((rr, rg, rb, gg, gb, bb), with_values)
    offsets = mean_values - (slopes * mean_colours).sum(axis=2)
    return mean(slopes), mean(offsets)


def _solved(matrix: tuple[Floats, ...], right: Floats) -> Floats:
    """(H, W, 3) solutions of symmetric 3 x 3 systems, by Cramer's rule in double precision."""
    rr, rg, rb, gg, gb, bb = (one.astype(np.float64) for one in matrix)
    x, y, z = (right[..., k].astype(np.float64) for k in range(3))
    c0, c1, c2 = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    determinant = np.maximum(rr * c0 + rg * c1 + rb * c2, 1e-18)
    a = c0 * x + c1 * y + c2 * z
    b = c1 * x + (rr * bb - rb * rb) * y + (rb * rg - rr * gb) * z
    c = c2 * x + (rb * rg - rr * gb) * y + (rr * gg - rg * rg) * z
    return np.asarray(np.stack([a, b, c], axis=2) / determinant[..., None], np.float32)


def refined(colours: Callable[[Box], Floats], inside: Flags, radius: int, step: int = 1) -> Flags:
    """A rough mask with its edge where the picture has one within `radius` pixels.

    Farther from the mask's own edge nothing changes, and nothing is computed: the edge is followed by small boxes.

    Args:
        colours: Gives the guide in a box of the mask, (h, w, 3) float32 in [0, 1].
        inside: (H, W) bool, the mask.
        radius, step: As of `guided`.

    Returns:
        (H, W) bool.
    """
    if radius < 1:
        return inside
    found = inside.copy()
    bounds = Size(inside.shape[1], inside.shape[0]).box
    for place in _places(bounds, max(SIDE, 4 * radius)):
        seen = place.pad(radius + 1).intersect(bounds)
        if not 0 < np.count_nonzero(inside[seen.slices]) < seen.area:
            continue
        near = _near_edge(inside[seen.slices], radius)[place.shift(-seen.left, -seen.top).slices]
        here = Box.around(near).shift(place.left, place.top)
        if here.empty:
            continue
        around = _on_cells(here.pad(2 * (radius + step)), step).intersect(bounds)
        values = guided(colours(around), inside[around.slices].astype(np.float32), radius, step=step)
        moved = values[here.shift(-around.left, -around.top).slices] >= np.float32(0.5)
        near = near[here.shift(-place.left, -place.top).slices]
        found[here.slices] = np.where(near, moved, inside[here.slices])
    return found


def _places(bounds: Box, side: int) -> Iterator[Box]:
    """Boxes of this side, side by side, that cover a mask."""
    for top in range(0, bounds.bottom, side):
        for left in range(0, bounds.right, side):
            yield Box(left, top, left + side, top + side).intersect(bounds)


def _on_cells(box: Box, step: int) -> Box:
    """A box enlarged to whole cells of `step` pixels, so that a cell is the same one in every box."""
    return Box(
        box.left // step * step, box.top // step * step, -(-box.right // step) * step, -(-box.bottom // step) * step
    )


def _near_edge(inside: Flags, radius: int) -> Flags:
    """(H, W) bool: what is within `radius` pixels of a mask's edge."""
    plane = inside.view(np.uint8)
    if radius > WIDE:  # an element takes time by its area
        far = (cv2.distanceTransform(one, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for one in (plane, 1 - plane))
        return np.asarray(sum(far) <= radius, np.bool_)  # of the two one is 0 everywhere
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.morphologyEx(plane, cv2.MORPH_GRADIENT, element, borderType=cv2.BORDER_REPLICATE) > 0)
