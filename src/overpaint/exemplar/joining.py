"""Joins a fill to its surroundings: a smooth correction of its mismatch along the edge.

The patches over the edge also vote for the known pixels beside the hole. The difference from the true pixels there is
what the eye would see as a border. A membrane carries it into the hole and adds it, which keeps the fill's gradients:
the interpolation of the boundary's difference of Perez, Gangnet and Blake, "Poisson image editing", SIGGRAPH 2003,
section 2.
"""

from __future__ import annotations

import cv2
import numpy as np

from overpaint.geometry import Box

from .features import Flags, Floats, Places
from .smooth import membrane


def edge_of(target: Flags) -> Places:
    """Flat indices of the pixels outside a target that touch it."""
    wide = cv2.dilate(target.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.flatnonzero((wide & ~target).ravel())


def joined(filled: Floats, target: Flags, edge: Places, votes: Floats, most: float) -> Floats:
    """The picture with its fill corrected.

    Args:
        filled: (h, w, 3) float32, the picture with its target filled.
        target: (h, w) bool, what was filled.
        edge: Flat indices of known pixels along the target.
        votes: (n, 3) float32, the colours that the fill's patches have there.
        most: The correction is at most so large.
    """
    if len(edge) == 0:
        return filled
    difference = np.zeros(filled.shape, np.float32)
    on_edge = np.zeros(target.shape, bool)
    on_edge.reshape(-1)[edge] = True
    difference.reshape(-1, 3)[edge] = (filled.reshape(-1, 3)[edge] - votes).clip(-most, most)
    here = Box.around(target | on_edge).slices
    correction = membrane(difference[here], on_edge[here])
    corrected = filled.copy()
    corrected[here] += np.where(target[here][..., None], correction, np.float32(0))
    return corrected
