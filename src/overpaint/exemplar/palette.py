"""The colours that a picture has, and how far others are from them.

What a fill mixes or shifts should stay among the picture's colours. Between an orange coat and a blue sky lies a violet
that neither has: it would glow around what is left of the coat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .features import Flags, Floats, Places

_SIDE = 32
"""Cells of the table along each channel."""

_RARE = 2e-4
"""Colours of a smaller share of the pixels do not count: they are the mixed pixels along edges."""

_FARTHEST = 8
"""The largest distance in the table, in cells: all colours that are farther away have it."""


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """The colours of a picture.

    Attributes:
        distances: (side, side, side) float32: of cells of colours, red first, from the nearest one of the picture.
    """

    distances: Floats

    @classmethod
    def of(cls, pixels: Floats, known: Flags) -> Palette:
        """The colours of the known pixels (h, w) of a picture (h, w, 3), in [0, 1]."""
        counts = np.bincount(_cells(pixels[known]), minlength=_SIDE**3).reshape(_SIDE, _SIDE, _SIDE)
        found = np.where(counts > max(1.0, _RARE * counts.sum()), 0, _FARTHEST).astype(np.float32)
        for _ in range(_FARTHEST):
            for axis in range(3):
                along = np.moveaxis(found, axis, 0)
                before, after = along[:-1].copy(), along[1:].copy()
                np.minimum(along[1:], before + 1, out=along[1:])
                np.minimum(along[:-1], after + 1, out=along[:-1])
        return cls(found / np.float32(_SIDE))

    def share(self, colours: Floats, scale: float | Floats) -> Floats:
        """(n,) from 1 for colours (n, 3) of the picture, by a half at the distance `scale` from them, to 0."""
        apart = np.take(self.distances.reshape(-1), _cells(colours))
        return np.asarray(1 / (1 + (apart / (scale + np.float32(1e-3))) ** 4), np.float32)


def _cells(colours: Floats) -> Places:
    """(n,) the flat indices of the cells of colours (n, 3)."""
    parts = (colours * np.float32(_SIDE)).astype(np.intp).clip(0, _SIDE - 1)
    return np.asarray((parts[:, 0] * _SIDE + parts[:, 1]) * _SIDE + parts[:, 2], np.intp)
