"""How much a colour is one of the object's and not of its surroundings: the odds of two histograms.

A mask that people draw is mostly a little loose. What it shows of the ground has colours that are common outside it and
rare inside (Swain and Ballard, "Color indexing", IJCV 7(1), 1991: the ratio of the histograms of object and scene).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .oklab import Floats
from .ramps import rising

_BINS = (24, 28, 28)
_LOW = np.array([0.0, -0.35, -0.35], np.float32)
_HIGH = np.array([1.0, 0.35, 0.35], np.float32)

_OTHERS, _OWN = 0.2, 0.42
"""The inside's part of a colour's share in both: below it is the surroundings' colour, above the object's."""


class Contrast:
    """The odds of colours inside and outside a mask."""

    def __init__(self, inside: Floats, outside: Floats) -> None:
        """From samples of both, (N, 3) OKLab. Without any outside every colour may be the object's."""
        own, other = (_histogram(lab) for lab in (inside, outside))
        # Colours that neither has may be the object's.
        self._part = np.asarray((own + 1e-7) / (own + other + 1.5e-7), np.float32) if len(outside) else None

    def of(self, lab: Floats) -> Floats:
        """(...) float32 in [0, 1] for (..., 3) OKLab: 0 for colours of the surroundings."""
        if self._part is None:
            return np.ones(lab.shape[:-1], np.float32)
        return rising(self._part[_bins(lab)], _OTHERS, _OWN)


def _bins(lab: Floats) -> NDArray[np.intp]:
    """The bin of each colour, as one number."""
    scaled = ((lab - _LOW) * (np.array(_BINS, np.float32) / (_HIGH - _LOW))).astype(np.intp)
    a, b, c = (np.clip(scaled[..., i], 0, _BINS[i] - 1) for i in range(3))
    return (a * _BINS[1] + b) * _BINS[2] + c


def _histogram(lab: Floats) -> Floats:
    """Share of the colours by bin, smooth."""
    from scipy.ndimage import gaussian_filter

    counted = np.bincount(_bins(lab), minlength=int(np.prod(_BINS))) / max(len(lab), 1)
    return np.asarray(gaussian_filter(counted.reshape(_BINS).astype(np.float32), 1.0).ravel(), np.float32)
