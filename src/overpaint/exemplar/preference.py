"""Which sources are preferred, whatever patch is looked for: a penalty for each, in units of colour.

- Foreign sources are avoided: a source costs the difference between its look and the nearest look along the hole's edge
  (`foreignness`). A lemon, letters on a far wall or another plane are copied only where nothing that touches the hole
  would do. The look is the mean colour and the contrast of a patch: features of a patch beside its colours, as in
  Hertzmann et al., "Image analogies", SIGGRAPH 2001, section 3.1.
- For variations, sources on one side of the hole are preferred (`sideways`): another side, another result.
"""

from __future__ import annotations

import cv2
import numpy as np

from overpaint.geometry import Box

from .features import Floats
from .pyramid import Level
from .sites import Sites

_EXAMPLES = 200
"""Looks along the edge that sources are compared with."""

_BLOCK = 4096


def foreignness(level: Level, sites: Sites, reach: int) -> Floats:
    """(s,) the difference of each source's look from the nearest one along the target's edge; colours 0 to 1.

    Args:
        level: The picture.
        sites: Its patches.
        reach: Width of the band along the edge, in pixels.
    """
    looks = _looks(level, sites)
    size = 2 * reach + 1
    near = cv2.dilate(level.target.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
    band = np.flatnonzero((near & ~level.target).ravel())
    if len(band) == 0:
        return np.zeros(len(sites.sources), np.float32)
    examples = looks[band[:: max(1, len(band) // _EXAMPLES)]]
    squares = np.einsum("ij,ij->i", examples, examples)
    found = np.empty(len(sites.sources), np.float32)
    for start in range(0, len(found), _BLOCK):
        mine = looks[sites.sources[start : start + _BLOCK]]
        nearest = (squares - 2 * (mine @ examples.T)).min(axis=1)
        found[start : start + _BLOCK] = nearest + np.einsum("ij,ij->i", mine, mine)
    return np.sqrt(np.maximum(found, np.float32(0)))


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
    side = (2 * sites.radius + 1, 2 * sites.radius + 1)
    used = level.target.copy()
    used.reshape(-1)[sites.sources] = True
    height, width = used.shape
    here = Box.around(used).pad(2 * side[0]).intersect(Box(0, 0, width, height)).slices
    target = level.target[here]
    mass = np.maximum(cv2.blur((~target).astype(np.float32), side), np.float32(1e-6))[..., None]
    pixels = np.where(target[..., None], np.float32(0), level.pixels[here])
    mean = cv2.blur(pixels, side) / mass
    square = cv2.blur(pixels * pixels, side) / mass
    contrast = np.sqrt(np.maximum((square - mean * mean).mean(axis=2, keepdims=True), np.float32(0)))
    found = np.zeros((height, width, 4), np.float32)
    found[here] = np.concatenate([mean, contrast], axis=2)
    return found.reshape(-1, 4)
