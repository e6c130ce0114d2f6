"""The initial guess at the coarsest scale: layer by layer from the edge inwards, each pixel from its best match.

Efros and Leung, "Texture synthesis by non-parametric sampling", ICCV 1999: the known part of the patch around a pixel
is compared with every source patch under a Gaussian window, for all pixels of a layer at once.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .features import Flags, Floats, Places, gathered

_BLOCK = 4_000_000
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


def onion(
    pixels: Floats,
    target: Flags,
    sources: Places,
    radius: int,
    nearness: float,
    shift: float,
    variety: float,
    rng: np.random.Generator,
) -> Floats:
    """`pixels` (h, w, 3) with the target filled.

    Args:
        pixels: (h, w, 3) float32; values at the target are ignored.
        target: (h, w) bool, what to fill.
        sources: Centres of patches that may be copied from.
        radius: Of the patches, which fit into the picture.
        nearness, shift, variety: See `FillSettings`.
        rng: Chooses among the nearly best matches.
    """
    height, width = target.shape
    filled = pixels.copy()
    flat = filled.reshape(-1, 3)
    missing = target.copy()
    side = 2 * radius + 1
    index = gathered(pixels, sources, radius)
    table = np.concatenate([-2 * index, index * index], axis=1).T.copy()
    ys, xs = np.divmod(sources, width)
    line = np.arange(-radius, radius + 1)
    window = np.exp(-0.5 * (line / (side / 3)) ** 2)
    window = (window[:, None] * window[None, :]).astype(np.float32)
    while missing.any():
        available = (~missing).astype(np.uint8)
        layer = np.flatnonzero((missing & (cv2.dilate(available, _CROSS) > 0)).ravel())
        if len(layer) == 0:
            layer = np.flatnonzero(missing.ravel())
        y, x = np.divmod(layer, width)
        centre_y, centre_x = y.clip(radius, height - 1 - radius), x.clip(radius, width - 1 - radius)
        centres = centre_y * width + centre_x
        present = gathered((available[..., None] * np.ones(3, np.float32)).astype(np.float32), centres, radius)
        weights = present * np.repeat(window.ravel(), 3)
        seen = gathered(filled, centres, radius)
        query = np.concatenate([seen * weights, weights], axis=1)
        mass = weights.sum(axis=1, keepdims=True)
        squares = (seen * seen * weights).sum(axis=1, keepdims=True)
        best = np.empty(len(layer), np.intp)
        step = max(1, _BLOCK // max(1, len(sources)))
        for at in range(0, len(layer), step):
            ranks = query[at : at + step] @ table
            far = (centre_y[at : at + step, None] - ys) ** 2 + (centre_x[at : at + step, None] - xs) ** 2
            ranks += (nearness**2 / (height**2 + width**2) * far).astype(np.float32) * mass[at : at + step]
            if variety == 0:
                best[at : at + step] = ranks.argmin(axis=1)
            else:  # with the squares of what is compared, ranks are distances, which can be compared as ratios
                best[at : at + step] = _nearly_best(ranks + squares[at : at + step], variety, rng)
        known = query[:, index.shape[1] :].reshape(len(layer), -1, 3)
        apart = query[:, : index.shape[1]].reshape(known.shape) - known * index[best].reshape(known.shape)
        change = (apart.sum(axis=1) / known.sum(axis=1)).clip(-shift, shift)
        flat[layer] = flat[sources[best] + (layer - centres)] + change
        missing.reshape(-1)[layer] = False
    return filled


def _nearly_best(distances: Floats, variety: float, rng: np.random.Generator) -> NDArray[np.intp]:
    """For each row one of the columns whose distance is at most 1 + `variety` times the row's smallest, at random."""
    near = distances <= (1 + variety) * distances.min(axis=1, keepdims=True)
    return np.asarray(np.where(near, rng.random(distances.shape, np.float32), np.float32(-1)).argmax(axis=1), np.intp)
