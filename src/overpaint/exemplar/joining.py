"""Joins a fill to its surroundings, and its pieces to each other: a smooth correction.

The patches over the edge also vote for the known pixels beside the hole. The difference from the true pixels there is
what the eye would see as a border. A membrane carries it into the hole and adds it, which keeps the fill's gradients:
the interpolation of the boundary's difference of Perez, Gangnet and Blake, "Poisson image editing", SIGGRAPH 2003,
section 2. Where two pieces of the fill meet, what they differ by beyond the gradients of both is a step, as in a sky of
two brightnesses. The membrane takes small steps away, as the same paper's Poisson equation does with a guidance field.
"""

from __future__ import annotations

import cv2
import numpy as np

from overpaint.geometry import Box

from .features import Flags, Floats, Places
from .pyramid import Level
from .smooth import Steps, membrane

_NONE = -1
"""The pixel that a pixel outside the target copies."""


def edge_of(target: Flags) -> Places:
    """Flat indices of the pixels outside a target that touch it."""
    wide = cv2.dilate(target.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.flatnonzero((wide & ~target).ravel())


def joined(
    filled: Floats, target: Flags, edge: Places, votes: Floats, most: float, steps: Steps | None = None
) -> Floats:
    """The picture with its fill corrected.

    Args:
        filled: (h, w, 3) float32, the picture with its target filled.
        target: (h, w) bool, what was filled.
        edge: Flat indices of known pixels along the target.
        votes: (n, 3) float32, the colours that the fill's patches have there.
        most: The correction is at most so large.
        steps: What neighbouring pixels of the correction should differ by (`seam_steps`).
    """
    if len(edge) == 0:
        return filled
    difference = np.zeros(filled.shape, np.float32)
    on_edge = np.zeros(target.shape, bool)
    on_edge.reshape(-1)[edge] = True
    difference.reshape(-1, 3)[edge] = (filled.reshape(-1, 3)[edge] - votes).clip(-most, most)
    here = _around(target).slices
    correction = membrane(difference[here], on_edge[here], steps=steps).clip(-most, most)
    corrected = filled.copy()
    corrected[here] += np.where(target[here][..., None], correction, np.float32(0))
    return corrected


def seam_steps(filled: Floats, source: Level, copies: Places, size: float) -> Steps:
    """What a correction should change between neighbours in the target that are copied from apart.

    There the fill differs by d, where the picture differs by a beside the one's source and by b beside the other's.
    The step that neither source shows, d - a or d - b, whichever is less, should go, unless it is large: then it is
    rather a border of two things than a step in one.

    Args:
        filled: (h, w, 3) float32, the picture with its target filled.
        source: What was copied.
        copies: (t,) flat indices of the pixels that the target's pixels copy, in their order.
        size: Steps of this size go by half, larger ones by less.

    Returns:
        For the box of the target and its edge.
    """
    height, width = source.known.shape
    copied = np.full(height * width, _NONE, np.intp)
    places = np.flatnonzero(source.target.ravel())
    copied[places] = copies
    box = _around(source.target)
    found = []
    for step, least in ((width, (1, 0)), (1, (0, 1))):
        change = np.zeros((box.height, box.width, 3), np.float32)
        rows, columns = np.divmod(places, width)
        inner = places[(rows < height - 1) if step > 1 else (columns < width - 1)]
        one, other = copied[inner], copied[inner + step]
        apart = (other != _NONE) & (other != one + step)
        inner, one, other = inner[apart], one[apart], other[apart]
        after, before = np.minimum(one + step, height * width - 1), np.maximum(other - step, 0)
        seen = source.known.ravel()[after] & source.known.ravel()[before]
        inner, one, other, after, before = (values[seen] for values in (inner, one, other, after, before))
        flat, done = source.pixels.reshape(-1, 3), filled.reshape(-1, 3)
        actual = done[inner + step] - done[inner]
        excess = np.stack([actual - (flat[after] - flat[one]), actual - (flat[other] - flat[before])])
        squares = (excess * excess).mean(axis=2)
        less = squares[0] < squares[1]
        share = 1 / (1 + (np.where(less, *squares) / np.float32(size**2)) ** 2)
        rows, columns = np.divmod(inner, width)
        change[rows - box.top, columns - box.left] = -share[:, None] * np.where(less[:, None], *excess)
        found.append(change[: box.height - least[0], : box.width - least[1]])
    return Steps(*found)


def _around(target: Flags) -> Box:
    """The box of a target and the pixels that touch it."""
    return Box.around(target).pad(1).intersect(Box(0, 0, target.shape[1], target.shape[0]))
