"""Which sources are preferred, whatever patch is looked for: a penalty for each, in units of colour.

- Foreign sources are avoided: a source costs the difference between its look and the nearest look along the hole's edge
  (`foreignness`). A lemon, letters on a far wall or another plane are copied only where nothing that touches the hole
  would do. The look is the mean colour and the contrast of a patch: features of a patch beside its colours, as in
  Hertzmann et al., "Image analogies", SIGGRAPH 2001, section 3.1.
- What is avoided is not continued into the hole, unless it looks like what is not (`alike`).
- For variations, sources on one side of the hole are preferred (`sideways`): another side, another result.
"""

from __future__ import annotations

import cv2
import numpy as np

from overpaint.geometry import Box

from .features import Flags, Floats
from .pyramid import Level
from .sites import Sites

_EXAMPLES = 200
"""Looks that others are compared with."""

_ALIKE = 0.05
"""Two looks are alike below this difference."""

_BLOCK = 512


def foreignness(level: Level, sites: Sites, reach: int) -> Floats:
    """(s,) the difference of each source's look from the nearest one along the target's edge; colours 0 to 1.

    Args:
        level: The picture.
        sites: Its patches.
        reach: Width of the band along the edge, in pixels.
    """
    size = 2 * reach + 1
    near = cv2.dilate(level.target.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
    looks = _looks(level, sites)
    return apart(looks[sites.sources], looks[(near & ~level.target).ravel()])


def alike(pixels: Floats, known: Flags, others: Flags, radius: int) -> Flags:
    """(h, w) bool: which of the other pixels look like a known one, by mean colour and contrast around them.

    Args:
        pixels: (h, w, 3) float32.
        known: (h, w) bool.
        others: (h, w) bool, apart from `known`.
        radius: Pixels that are looked at around a known pixel, of the known ones; around another, of the others.
    """
    found = np.zeros(known.shape, bool)
    if known.any() and others.any():
        looks, examples = (mean_and_contrast(pixels, seen, 2 * radius + 1)[seen] for seen in (others, known))
        found[others] = apart(looks, examples) < _ALIKE
    return found


def sideways(level: Level, sites: Sites, angle: float) -> Floats:
    """(s,) from 0 for sources that lie in the direction `angle` (radians) from the target's middle, to 1 opposite."""
    width = sites.shape[1]
    rows, columns = np.divmod(sites.sources, width)
    middle_row, middle_column = np.argwhere(level.target).mean(axis=0)
    down, across = rows - middle_row, columns - middle_column
    along = (down * np.sin(angle) + across * np.cos(angle)) / np.maximum(np.hypot(down, across), 1)
    return np.asarray((1 - along) / 2, np.float32)


def _looks(level: Level, sites: Sites) -> Floats:
    """(h * w, 4): mean colour and contrast of the seen part of the patch around each pixel; 0 far from all sources."""
    side = 2 * sites.radius + 1
    used = level.target.copy()
    used.reshape(-1)[sites.sources] = True
    height, width = used.shape
    here = Box.around(used).pad(2 * side).intersect(Box(0, 0, width, height)).slices
    found = np.zeros((height, width, 4), np.float32)
    found[here] = mean_and_contrast(level.pixels[here], ~level.target[here], side)
    return found.reshape(-1, 4)


def mean_and_contrast(pixels: Floats, seen: Flags, side: int) -> Floats:
    """(h, w, 4) of the seen part of the square around each pixel."""
    mass = np.maximum(cv2.blur(seen.astype(np.float32), (side, side)), np.float32(1e-6))[..., None]
    pixels = np.where(seen[..., None], pixels, np.float32(0))
    mean = cv2.blur(pixels, (side, side)) / mass
    square = cv2.blur(pixels * pixels, (side, side)) / mass
    contrast = np.sqrt(np.maximum((square - mean * mean).mean(axis=2, keepdims=True), np.float32(0)))
    return np.concatenate([mean, contrast], axis=2)


def apart(looks: Floats, others: Floats) -> Floats:
    """(n,) the difference of each look (n, 4) from the nearest of some of the others (m, 4); 0 where m is 0."""
    if len(others) == 0:
        return np.zeros(len(looks), np.float32)
    examples = others[:: max(1, len(others) // _EXAMPLES)]
    squares, doubled = np.einsum("ij,ij->i", examples, examples), np.float32(-2) * examples.T
    found = np.empty(len(looks), np.float32)
    for start in range(0, len(found), _BLOCK):
        mine = looks[start : start + _BLOCK]
        products = mine @ doubled
        products += squares
        found[start : start + _BLOCK] = products.min(axis=1) + np.einsum("ij,ij->i", mine, mine)
    return np.sqrt(np.maximum(found, np.float32(0)))
