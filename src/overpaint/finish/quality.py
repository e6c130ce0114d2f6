"""How a fill looks beside its surroundings: seam, flatness, structure, foreign parts, and what makes it doubtful.

The limits were found on removals that were judged by eye (docs/benchmarks.md, "Doubtful fills").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box

Levels = NDArray[np.float32]

SEAM_LIMIT = 2.0
"""A seam above this shows: the step at the edge is twice that of the picture around it."""

STRUCTURE_LIMIT = 0.95
"""A fill whose edges are stronger than this, beside those of its surroundings, mostly has broken lines, or pieces of
something that does not belong there."""

FLATNESS_LIMIT = 0.7
"""A fill that is flatter than this is a sheet without the texture of its surroundings. Photos do not reach it at their
smoothest places."""

FOREIGN_LIMIT = 0.02
"""A fill of which a larger share looks like nothing around it holds pieces of other things, or blends."""

BORDER_LIMIT = 0.05
"""An extension that departs further from what the picture shows at its border breaks it visibly."""

_LIMITS = {
    "seam": SEAM_LIMIT,
    "border": BORDER_LIMIT,
    "structure": STRUCTURE_LIMIT,
    "flatness": FLATNESS_LIMIT,
    "foreign": FOREIGN_LIMIT,
}

_RING = 12  # pixels around the edge whose own steps a seam is measured against
_SIDE = 128  # a hole is reduced to this size, the root of its area, before its structure is measured
_LEAST = 48  # holes that are smaller, likewise, are too small for more than a seam
_SIDES = 1024  # an extended picture is reduced to this before its border is measured
_SMALL = 96  # and before looks are compared
_LOOK = 5  # side of the squares whose mean colour and contrast are a look
_NEAR = 8  # width of the band around the hole whose looks are the known ones
_UNLIKE = 0.06  # looks further than this from all of them are foreign; colours 0 to 1
_SIGMA = 2.0  # of the blur that leaves structure and takes texture away, in reduced pixels
_STRONG = 95  # percentile of the steps that counts as structure
_TEXTURE = 3.0  # steps up to so many times the usual one are texture, and no edges (even noise has 2.2 times)
_LEVEL = 1.0  # a step of one level can't be seen; added where steps are compared


@dataclass(frozen=True, slots=True)
class FillMeasures:
    """What can be seen of a fill in the result. Each is better the smaller it is.

    Attributes:
        seam: The steps across the edge over those around it: 1 shows no border.
        flatness: 1 less the steps inside over those around: 0 is as rough as the surroundings, 1 is a flat sheet. 0 for
            a hole that is too small to tell.
        structure: The strong edges inside over those around, texture taken away: about 0.6 where a surface goes on.
            0 for a hole that is too small to tell.
        match: Mean difference between the patches of the fill and their sources, on the scale of colours 0 to 1, by an
            engine that copies patches; None by others.
        foreign: The share of the fill whose look, colour and contrast, is nowhere near around it. 0 for a hole that is
            too small to tell.
        border: How far an extension departs from what the picture shows at its border (`border_break`); 0 of a fill
            inside the picture.
    """

    seam: float = 1.0
    flatness: float = 0.0
    structure: float = 0.0
    match: float | None = None
    foreign: float = 0.0
    border: float = 0.0

    @classmethod
    def worst(cls, found: Iterable[FillMeasures]) -> FillMeasures:
        """The worst of several, one by one."""
        all_of = list(found)
        matches = [one.match for one in all_of if one.match is not None]
        return cls(
            seam=max((one.seam for one in all_of), default=1.0),
            flatness=max((one.flatness for one in all_of), default=0.0),
            structure=max((one.structure for one in all_of), default=0.0),
            match=max(matches) if matches else None,
            foreign=max((one.foreign for one in all_of), default=0.0),
            border=max((one.border for one in all_of), default=0.0),
        )

    def doubts(self, *, continued: bool = True) -> tuple[str, ...]:
        """The measures that make a fill doubtful: "seam", "border", "structure", "flatness", "foreign".

        Args:
            continued: Whether the hole's surroundings are what belongs into it. Otherwise its edge alone is judged.
        """
        judged = _LIMITS if continued else ("seam", "border")
        return tuple(name for name in judged if getattr(self, name) > _LIMITS[name])

    def excess(self, doubts: Iterable[str]) -> float:
        """How far the worst of these measures is above its limit, as a ratio; 0 for none of them."""
        return max((getattr(self, name) / _LIMITS[name] for name in doubts), default=0.0)


def seen_around(weight: Levels) -> int:
    """The pixels around a region with this composite mask that are measured with it."""
    return max(2 * _RING, round(float(np.sqrt(np.count_nonzero(weight >= 0.5))) / 4) + 8)


def measured(
    samples: NDArray[np.generic], weight: Levels, match: float | None = None, maximum: float = 255
) -> FillMeasures:
    """The measures of one region of a result, rounded to what they are good for.

    Args:
        samples: (h, w) or (h, w, C) the result, 0 to `maximum`, of the region and what surrounds it.
        weight: (h, w) the composite mask, 0 to 1.
        match: The engine's own.
        maximum: Of the samples.
    """
    samples = samples[..., None] if samples.ndim == 2 else samples
    levels = _mean_of_channels(samples) * np.float32(255 / maximum)
    solid = weight >= 0.5
    match = None if match is None else round(match, 4)
    seam = max(seam_score(levels, touched) for touched in (weight > 0, solid))
    if np.count_nonzero(solid) < _LEAST**2:
        return FillMeasures(seam, match=match)
    flatness, structure = _flatness(levels, solid), _structure(levels, solid)
    foreign = _foreign(samples, solid, maximum)
    return FillMeasures(seam, round(flatness, 3), round(structure, 3), match, round(foreign, 3))


def border_of(samples: NDArray[np.generic], picture: Box, maximum: float = 255) -> float:
    """How far an extension breaks the border on its worst side (`border_break`); 0 without a margin.

    Args:
        samples: (H, W, C) the extended picture, 0 to `maximum`.
        picture: Where the old one lies in it.
        maximum: Of the samples.
    """
    from overpaint.exemplar.border import border_breaks

    height, width = samples.shape[:2]
    scale = min(1.0, _SIDES / max(height, width))
    inner = Box(*(round(value * scale) for value in picture))
    if inner.empty:
        return 0.0
    return round(max(border_breaks(_reduced(samples, scale, maximum), inner)), 3)


def seam_score(levels: Levels, touched: NDArray[np.bool_]) -> float:
    """How visible the edge of the painted area is: the steps across it over the steps around it.

    The mean absolute difference between neighbouring pixels of which one was touched, divided by the mean over pairs of
    untouched pixels within 12 of the edge. About 1 where the edge can't be seen, well above 1 where it can. One level
    is added to both, as a flat picture has no noise to compare with.

    Args:
        levels: (H, W) the result's mean of channels, 0 to 255.
        touched: (H, W) bool: where it may differ from the original.

    Returns:
        The score; 1 where there is no edge.
    """
    ring = _grown(touched, _RING)
    across, around, crossings, pairs = 0.0, 0.0, 0, 0
    for one, other in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:, :], np.s_[:-1, :])):
        step = np.abs(levels[one] - levels[other])
        edge = touched[one] != touched[other]
        near = ~touched[one] & ~touched[other] & ring[one] & ring[other]
        across += float(step[edge].sum())
        crossings += int(np.count_nonzero(edge))
        around += float(step[near].sum())
        pairs += int(np.count_nonzero(near))
    if not crossings or not pairs:
        return 1.0
    return round((across / crossings + _LEVEL) / (around / pairs + _LEVEL), 3)


def _flatness(levels: Levels, solid: NDArray[np.bool_]) -> float:
    inner, outer = _bands(solid, _RING)
    if not inner.any() or not outer.any():
        return 0.0
    steps = _steps(levels)
    return max(0.0, 1 - (float(steps[inner].mean()) + _LEVEL) / (float(steps[outer].mean()) + _LEVEL))


def _structure(levels: Levels, solid: NDArray[np.bool_]) -> float:
    import cv2

    size = float(np.sqrt(np.count_nonzero(solid)))
    scale = min(1.0, _SIDE / size)
    if scale < 1:
        small = (max(1, round(levels.shape[1] * scale)), max(1, round(levels.shape[0] * scale)))
        levels = np.asarray(cv2.resize(levels, small, interpolation=cv2.INTER_AREA), np.float32)
        solid = cv2.resize(solid.astype(np.float32), small, interpolation=cv2.INTER_AREA) >= 0.5
    inner, outer = _bands(solid, max(8, round(size * scale / 4)))
    if not inner.any() or not outer.any():
        return 0.0
    steps = _steps(np.asarray(cv2.GaussianBlur(levels, (0, 0), _SIGMA), np.float32))
    usual, around = (float(value) for value in np.percentile(steps[outer], (50, _STRONG)))
    return float(np.percentile(steps[inner], _STRONG)) / (max(around, _TEXTURE * usual) + _LEVEL)


def _foreign(samples: NDArray[np.generic], solid: NDArray[np.bool_], maximum: float) -> float:
    import cv2

    from overpaint.exemplar.blas import one_thread
    from overpaint.exemplar.preference import apart, mean_and_contrast

    scale = min(1.0, _SMALL / float(np.sqrt(np.count_nonzero(solid))))
    small = _reduced(samples, scale, maximum)
    share = cv2.resize(solid.astype(np.float32), small.shape[1::-1], interpolation=cv2.INTER_AREA)
    inner, outer = share > 0.99, share == 0
    ring = _grown(share > 0, _NEAR) & outer
    if not inner.any() or not ring.any():
        return 0.0
    looks = mean_and_contrast(small, np.ones_like(inner), _LOOK)
    with one_thread():
        return float((apart(looks[inner], looks[ring]) > _UNLIKE).mean())


def _reduced(samples: NDArray[np.generic], scale: float, maximum: float) -> Levels:
    """(h', w', C) float32 in [0, 1] of samples (h, w, C) at a scale of at most 1; of one channel three equal ones."""
    import cv2

    height, width = samples.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(samples, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    channels = np.repeat(small, 3, axis=2) if small.shape[2] == 1 else small
    return np.asarray(channels, np.float32) / np.float32(maximum)


def _mean_of_channels(samples: NDArray[np.generic]) -> Levels:
    """(h, w) of samples (h, w, C): channel by channel, several times as fast as `mean` over the last axis."""
    total = samples[..., 0].astype(np.float32)
    for channel in range(1, samples.shape[2]):
        total += samples[..., channel].astype(np.float32)
    return np.asarray(total / np.float32(samples.shape[2]), np.float32)


def _steps(levels: Levels) -> Levels:
    """(h, w) absolute steps to the right and down, added."""
    across = np.abs(np.diff(levels, axis=1, append=levels[:, -1:]))
    return np.asarray(across + np.abs(np.diff(levels, axis=0, append=levels[-1:])), np.float32)


def _bands(solid: NDArray[np.bool_], width: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The hole without its edge, and the surroundings of this width without the edge."""
    inner: NDArray[np.bool_] = ~_grown(~solid, 2)
    return inner, _grown(solid, width) & ~_grown(solid, 2)


def _grown(where: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    import cv2

    side = 2 * pixels + 1
    return np.asarray(cv2.dilate(where.astype(np.uint8), np.ones((side, side), np.uint8)) > 0)
