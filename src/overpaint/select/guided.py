"""A rough mask's edge, moved to the picture's own by a guided filter.

In every window the mask is a linear function of the colours: He, Sun and Tang, "Guided image filtering", PAMI 35(6),
2013, equations 14 to 16, with means over square windows.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

EPSILON = 1e-4
"""Variance of colours in [0, 1] below which a window counts as flat: a standard deviation of 0.01."""


def guided(colours: Floats, values: Floats, radius: int, epsilon: float = EPSILON) -> Floats:
    """The values as far as they follow the colours.

    Args:
        colours: (H, W, 3) float32 in [0, 1], the guide.
        values: (H, W) float32 in [0, 1].
        radius: Half the side of a window in pixels, at least 1.
        epsilon: See `EPSILON`.

    Returns:
        (H, W) float32 in [0, 1].
    """
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
    found = (mean(slopes) * centred).sum(axis=2) + mean(offsets)
    return np.asarray(np.clip(found, 0, 1), np.float32)


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


def refined(colours: Floats, inside: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """(H, W) bool: a rough mask with its edge where the picture has one within `radius` pixels.

    Farther from the mask's own edge nothing changes.
    """
    if radius < 1 or inside.all() or not inside.any():
        return inside
    values = inside.astype(np.float32)
    found = guided(colours, values, radius) >= np.float32(0.5)
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    near = cv2.morphologyEx(inside.view(np.uint8), cv2.MORPH_GRADIENT, element, borderType=cv2.BORDER_REPLICATE) > 0
    return np.asarray(np.where(near, found, inside), np.bool_)
