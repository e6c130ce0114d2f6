"""The patches of one scale: sources, which may be copied, and those that touch the hole."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .features import Flags, Floats, Places, inside, touching
from .pyramid import Level

AROUND = ((0, -1), (-1, 0), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))
"""(dy, dx) of a pixel's neighbours."""


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """The patches of one scale, by flat indices of their centres.

    Attributes:
        shape: (h, w) of the picture.
        radius: Of the patches.
        sources: (s,) centres of patches that are wholly known, sorted.
        row_at: (h * w,) index of the source centred at a pixel, -1 where there is none.
        centres: (n,) centres of patches that touch the target, sorted.
        patch_at: ((h + 2 radius) * (w + 2 radius),) index in `centres` of the patch centred at a pixel, with a
            border of `radius` pixels around the picture; n where there is none.
        places: (t,) the target's pixels.
        depth: (n,) distance of each of `centres` from the known picture, in pixels.
    """

    shape: tuple[int, int]
    radius: int
    sources: Places
    row_at: Places
    centres: Places
    patch_at: Places
    places: Places
    depth: Floats

    @classmethod
    def of(cls, level: Level, radius: int, most_sources: int) -> Sites:
        """All patches of a level; of the sources at most `most_sources`, those nearest to the target."""
        height, width = level.known.shape
        sources = np.flatnonzero(inside(level.known, radius).ravel())
        if len(sources) > most_sources:
            distance = _distance(~level.target).ravel()[sources]
            sources = sources[np.sort(np.argpartition(distance, most_sources)[:most_sources])]
        centres = np.flatnonzero(touching(level.target, radius).ravel())
        row_at = np.full(height * width, -1, np.intp)
        row_at[sources] = np.arange(len(sources))
        patch_at = np.full((height + 2 * radius, width + 2 * radius), len(centres), np.intp)
        rows, columns = np.divmod(centres, width)
        patch_at[rows + radius, columns + radius] = np.arange(len(centres))
        # Nothing is known beyond the picture, so that its border does not count as an edge of the hole.
        depth = _distance(np.pad(level.target, 1, mode="edge"))[1:-1, 1:-1].ravel()[centres]
        places = np.flatnonzero(level.target.ravel())
        return cls((height, width), radius, sources, row_at, centres, patch_at.ravel(), places, depth)

    def padded(self, places: Places) -> Places:
        """(n,) where the patches centred at `places` are in `patch_at`."""
        return places + places // self.shape[1] * (2 * self.radius) + self.step(self.radius, self.radius)

    def step(self, dy: int, dx: int) -> int:
        """How much further in `patch_at` the patch is that is centred (dy, dx), at most `radius`, from another."""
        return dy * (self.shape[1] + 2 * self.radius) + dx

    def positions(self, places: Places) -> Floats:
        """(n, 2) row and column as fractions of the picture's diagonal."""
        rows, columns = np.divmod(places, self.shape[1])
        return np.stack([rows, columns], axis=1).astype(np.float32) / np.float32(np.hypot(*self.shape))


def _distance(flags: Flags) -> NDArray[np.float32]:
    """(h, w) from each True pixel to the nearest False one, in pixels; 0 at False pixels."""
    return np.asarray(cv2.distanceTransform(flags.astype(np.uint8), cv2.DIST_L2, 3), np.float32)
