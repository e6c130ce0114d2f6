"""What a fill knows of its own quality."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from overpaint.geometry import Box

from .features import Flags, Floats

_BAND = 8
"""Pixels of the surroundings that a fill is compared with, on each side of its edge."""

_LEAST = 1 / 255
"""A step that can't be seen, on the scale 0 to 1: added where steps are compared."""


@dataclass(frozen=True, slots=True)
class FillQuality:
    """Signs of a doubtful fill. Each is better the smaller it is.

    Attributes:
        match: Root mean square difference between the patches of the fill and their sources, gradients included, on the
            scale of colours 0 to 1. Large where nothing in the picture continues what surrounds the hole.
        seam: Mean step between neighbours across the hole's edge, over that just outside; 1 shows no border.
        flatness: 1 less the mean step inside the hole over that just outside: 0 is as rough as outside, 1 is flat.
    """

    match: float
    seam: float
    flatness: float

    @classmethod
    def worst(cls, found: Iterable[FillQuality]) -> FillQuality:
        """The worst of several parts, sign by sign; ValueError when there is none."""
        parts = list(found)
        return cls(max(q.match for q in parts), max(q.seam for q in parts), max(q.flatness for q in parts))


def measured(pixels: Floats, target: Flags, match: float) -> FillQuality:
    """The quality of a fill.

    Args:
        pixels: (h, w, 3) float32, the picture with its target filled.
        target: (h, w) bool, what was filled.
        match: As in FillQuality.
    """
    whole = Box(0, 0, target.shape[1], target.shape[0])
    here = Box.around(target).pad(_BAND).intersect(whole).slices
    grey, hole = pixels[here].mean(axis=2), target[here]
    steps = [np.abs(np.diff(grey, axis=axis)).ravel() for axis in (0, 1)]
    inside = [(hole[1:].astype(np.int8) + hole[:-1]).ravel(), (hole[:, 1:].astype(np.int8) + hole[:, :-1]).ravel()]
    step, ends = np.concatenate(steps), np.concatenate(inside)
    outer, across, inner = (float(step[ends == n].mean()) + _LEAST if (ends == n).any() else _LEAST for n in (0, 1, 2))
    return FillQuality(match, across / outer, max(0.0, 1 - inner / outer))
