"""The object's own colour under a mask, and how much each pixel belongs to it.

A coloured object is found by its hue: shading and highlights change lightness and saturation, and hardly the hue
(Shafer, "Using color to separate reflection components", 1985). Hues of the surroundings count against a hue, so that a
loose mask finds the object and not the ground around it. A white, grey or black object is found by its lightness.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .oklab import Floats, lab_of, lab_of_lch, lch_of, linear_of_lab, polar
from .ramps import falling
from .words import WantedColour

_COLOURED = 0.07
"""C / L from which on a pixel has a hue that says something; tyres, chrome, and whites under warm light lie below."""

_HUES, _LIGHTNESSES = 120, 50
"""Bins of the histograms: 3 degrees of hue, 0.02 of lightness."""

_HUE_ENDS = (9, 40, 82, 116, 170, 229, 281, 327)
"""Degrees at which red, orange, yellow, green, turquoise, blue, purple and pink begin."""

_BLACK = 0.25
"""Lightness up to which an object without a hue is black."""

_DARK = 0.35
"""Lightness below which most of a coloured object is taken to lie in shadow."""

_FAINT = 0.05
"""Chroma below which a colour is dull."""

_EDGE = 9.0
"""Degrees of hue over which membership fades at the ends of the object's range."""

_LEAST = 0.002
"""Share of the mask from which on pixels of a colour are a part of the object."""

_FLOOR = 0.12
"""A range of hues or lightnesses ends where the histogram falls below this share of its peak."""


_SPREADS, _FEW, _LEAST_SPREAD = np.linspace(0, 0.3, 16), 0.03, 0.04
"""Ends of the bins in which the spread of a neutral colour is measured; the density, as a share of the largest, from
which on few pixels are there; and the least spread."""


@dataclass(frozen=True, slots=True, eq=False)
class OwnColour:
    """An object's own colour.

    Attributes:
        linear: (3,) linear sRGB, of well lit parts without highlights.
        lightness: Its lightness in OKLab.
        coloured: Whether it has a hue; else it is white, grey or black.
        hue: Degrees; of no meaning without.
        hues: How many degrees below and above it the object's hues reach.
        shadow: The lightness of a white or grey object in shadow; below lie tyres and windows. 0 for a black one.
        varies: 0 to 1, the share of its saturation that pixels without highlights may lack.
        slack: Degrees that the hue of nearly grey or black pixels may lie further off, as theirs is mostly noise.
        spread: How far the colours of a white, grey or black object lie from its own, as a share of the lightness.
    """

    linear: Floats
    lightness: float
    coloured: bool
    hue: float = 0.0
    hues: tuple[float, float] = (30.0, 30.0)
    shadow: float = 0.0
    varies: float = 0.2
    slack: float = 180.0
    spread: float = 0.1

    @property
    def dark(self) -> float:
        """0 to 1: whether the object is so dark that it shows more of mirrored light than of its own colour."""
        return min(max((0.55 - self.lightness) / 0.3, 0.0), 1.0)

    @property
    def faint(self) -> bool:
        """Whether the colour alone hardly tells the object from what is beside it: white, grey, black, or dull."""
        _, a, b = lab_of(self.linear).tolist()
        return not self.coloured or math.hypot(a, b) < _FAINT

    @property
    def weights(self) -> Floats:
        """(3,) of the channels, their sum 1, by which the light of a pixel is measured.

        They lean towards the channels in which the object is bright: a blue car's shading shows in blue, and its
        luminance is mostly noise of red and green.
        """
        share = self.linear / max(float(self.linear.sum()), 1e-6)
        return np.asarray((share + np.float32(1 / 3)) / 2, np.float32)

    def membership(self, lab: Floats, tolerance: float) -> Floats:
        """(...) float32 in [0, 1]: how much pixels belong to it.

        Args:
            lab: (..., 3) OKLab.
            tolerance: A factor for how far colours may differ; 1 is usual.
        """
        lightness = lab[..., 0]
        if not self.coloured:
            most = 0.1 * tolerance * (1 + self.dark)
            near = min(most, self.spread * tolerance)
            return falling(_from_neutral(lab, lab_of(self.linear)), near, 2 * near)
        chroma, hue = polar(lab[..., 1], lab[..., 2])
        turn = (hue - np.float32(self.hue) + 180) % 360 - 180
        # The hue of a pixel that is nearly grey or nearly black is mostly noise.
        noise = 0.008 * (1 + (0.15 / np.maximum(lightness, 0.05)) ** 2)
        slack = np.minimum(np.degrees(noise / np.maximum(chroma, 1e-3)), self.slack).astype(np.float32)
        low, high = (side * tolerance + slack for side in self.hues)
        return falling(np.asarray(np.where(turn < 0, -turn - low, turn - high), np.float32), 0, _EDGE)


def _from_neutral(lab: Floats, own: Floats) -> Floats:
    """(...) how far colours, (..., 3) OKLab, are from a white, grey or black one, (3,), as a share of the lightness."""
    shade = np.minimum(lab[..., 0] / own[0], np.float32(1.3))
    apart, _ = polar(lab[..., 1] - own[1] * shade, lab[..., 2] - own[2] * shade)
    # Black has no hue of its own, and mirrors those of its surroundings; hues in shadow are noise.
    least = max(0.12, 0.6 * float(own[0]), 0.6 - 0.75 * float(own[0]))
    return np.asarray(apart / np.maximum(lab[..., 0], np.float32(least)), np.float32)


def _spread(lab: Floats, own: Floats) -> float:
    """How far the colours of an object lie from its own neutral one: to where hardly any are, by density."""
    near = lab[np.abs(lab[:, 0] - own[0]) < 0.15]
    counted, ends = np.histogram(_from_neutral(near, own), _SPREADS)
    density = counted / (ends[1:] ** 2 - ends[:-1] ** 2)
    few = np.flatnonzero(density[1:] < _FEW * density.max())
    end = ends[few[0] + 1] if few.size else ends[-1]
    return max(1.25 * float(end), _LEAST_SPREAD)


def own_colour(
    lab: Floats, around: Floats, only: WantedColour | None = None, rim: Floats | None = None
) -> OwnColour | None:
    """The colour that most of an object has.

    Args:
        lab: (N, 3) OKLab, pixels of the object.
        around: (M, 3) OKLab, pixels of the surroundings; there may be none.
        only: The colour that is looked for; None: the leading one.
        rim: (K, 3) OKLab, pixels of the object near its outline, where its own colour is and not what lies in it (food
            on a plate); None: unknown.

    Returns:
        The colour; None where there are no pixels, or none of the colour that is looked for.
    """
    if not len(lab):
        return None
    # Colours lead by the share of pixels that have them. Tyres, windows and shadows of a red car are many and grey.
    coloured = _coloured(lab, around, only)
    neutral = _neutral(lab, around, only)
    leading = max(coloured, neutral, key=lambda one: one[0] * _at_rim(one[1], lab, rim))
    return leading[1] if leading[0] > _LEAST else None


def _at_rim(colour: OwnColour | None, lab: Floats, rim: Floats | None) -> float:
    """How much more often a colour is near the outline than in the whole object, 0.5 to 1.2."""
    if colour is None or rim is None or not len(rim):
        return 1.0
    there, all_over = (float(colour.membership(one[None], 1.0).mean()) for one in (rim, lab))
    return min(max(there / max(all_over, 1e-6), 0.5), 1.2)


def _coloured(lab: Floats, around: Floats, only: WantedColour | None) -> tuple[float, OwnColour | None]:
    """The leading hue as a colour, and how much speaks for it."""
    found = _hues(lab)
    histogram = np.maximum(found - 0.8 * _hues(around), 0.05 * found)
    if only is not None:
        if only.chroma < 0.03:
            return 0.0, None
        centres = np.asarray((np.arange(_HUES) + 0.5) * 360 / _HUES, np.float32)
        first, last = _named_range(only.hue)
        histogram = np.where((centres - first) % 360 < last - first, histogram, 0)
    if histogram.max() <= 0:
        return 0.0, None
    peak = int(histogram.argmax())
    below, above = _range(np.roll(found, _HUES // 2 - peak), _HUES // 2)
    wide = 360 / _HUES
    if only is not None:
        place = ((peak + 0.5) * wide - first) % 360
        below, above = min(below, int(place / wide)), min(above, int((last - first - place) / wide))
    lch = lch_of(lab)
    hue = (peak + 0.5) * wide
    turn = (lch[:, 2] - np.float32(hue) + 180) % 360 - 180
    saturation = lch[:, 1] / np.maximum(lch[:, 0], 0.05)
    members = (saturation > _COLOURED) & (turn > -(below + 0.5) * wide) & (turn < (above + 0.5) * wide)
    if not members.any():
        return 0.0, None
    own = lch[members]
    weight = own[:, 1]
    middle = hue + float(np.average(turn[members], weights=weight))
    lightness = _lit(own[:, 0])
    if lightness < _DARK:  # most of it lies in shadow
        lightness = max(lightness, min(float(np.percentile(own[:, 0], 85)), _DARK))
    full = float(np.percentile(saturation[members], 65))
    linear = np.clip(linear_of_lab(lab_of_lch(np.array([lightness, full * lightness, middle], np.float32))), 0, 1)
    lacking = 1 - float(np.percentile(saturation[members], 25)) / full
    ends = [float(np.clip((side + 0.5) * wide + turned, 8, 45)) for side, turned in
            ((below, middle - hue), (above, hue - middle))]  # fmt: skip
    if only is not None:
        room = (middle - first) % 360, (last - middle) % 360
        ends = [min(end, max(most - _EDGE / 2, 1.0)) for end, most in zip(ends, room, strict=True)]
    share = float(np.mean(members)) * float(histogram.sum() / max(found.sum(), 1e-9))
    return 2 * share, OwnColour(
        linear,
        lightness,
        True,
        middle % 360,
        (ends[0], ends[1]),
        varies=float(np.clip(lacking * 1.5, 0.15, 0.6)),
        slack=180.0 if only is None else _EDGE,
    )


def _named_range(hue: float) -> tuple[float, float]:
    """From and to which hue, in degrees, colours have the same name, and at least 15 degrees either way."""
    below = min((hue - end) % 360 for end in _HUE_ENDS)
    above = min((end - hue) % 360 for end in _HUE_ENDS)
    return hue - max(below, 15.0), hue + max(above, 15.0)


def _neutral(lab: Floats, around: Floats, only: WantedColour | None) -> tuple[float, OwnColour | None]:
    """The leading lightness of white, grey and black as a colour, and how much speaks for it."""
    found = _lightnesses(lab)
    histogram = np.maximum(found - 0.8 * _lightnesses(around), 0.05 * found)
    if only is not None:
        if only.chroma >= 0.03:
            return 0.0, None
        centres = (np.arange(_LIGHTNESSES) + 0.5) / _LIGHTNESSES
        near = (centres > only.low - 0.2) & (centres < only.high + 0.2)
        histogram = np.where(near, histogram, 0)
    if histogram.max() <= 0:
        return 0.0, None
    peak = int(histogram.argmax())
    low, high = _shaded(found, peak)
    saturation = np.hypot(lab[:, 1], lab[:, 2]) / np.maximum(lab[:, 0], 0.12)
    members = (saturation < 2 * _COLOURED) & (lab[:, 0] >= low) & (lab[:, 0] <= high)
    if not members.any():
        return 0.0, None
    typical = members & (np.abs(lab[:, 0] - (peak + 0.5) / _LIGHTNESSES) < 0.1)
    own = lab[typical if typical.any() else members]
    lightness = _lit(own[:, 0])
    a, b = (float(np.median(own[:, i] / np.maximum(own[:, 0], 0.05))) * lightness for i in (1, 2))
    colour = np.array([lightness, a, b], np.float32)
    linear = np.clip(linear_of_lab(colour), 0, 1)
    share = float(np.mean(members)) * float(histogram.sum() / max(found.sum(), 1e-9))
    shadow = low if lightness > _BLACK else 0.0  # nothing is blacker than black: pure black is of its folds
    return share, OwnColour(linear, lightness, False, shadow=shadow, spread=_spread(lab, colour))


def _shaded(histogram: NDArray[np.float64], peak: int) -> tuple[float, float]:
    """From and to which lightness an object of a neutral colour reaches, in shadow and in light.

    Down to 0.58 of its lightness (a fifth of its light), up by a quarter, and no further than the next mode.
    """
    levels = np.arange(_LIGHTNESSES) / _LIGHTNESSES
    down = _valley(histogram[peak::-1])
    up = _valley(histogram[peak:])
    low = max(levels[peak] * 0.58, levels[max(peak - down, 0)])
    high = min(max(levels[peak], 0.15) + 0.25, max((peak + up + 1) / _LIGHTNESSES, 0.35))
    return float(low), float(high)


def _lit(lightness: Floats) -> float:
    """The lightness of well lit parts: neither shadow nor highlight."""
    return max(float(np.percentile(lightness, 60)), 0.2)


def _hues(lab: Floats) -> NDArray[np.float64]:
    """Share of chroma by hue, over all pixels."""
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    weight = np.where(chroma > _COLOURED * np.maximum(lab[:, 0], 0.05), chroma, 0)
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360
    bins = np.minimum((hue * (_HUES / 360)).astype(int), _HUES - 1)
    counted = np.bincount(bins, weight, _HUES) / max(len(lab), 1)
    return _smooth(np.pad(counted, _HUES, mode="wrap"))[_HUES:-_HUES]


def _lightnesses(lab: Floats) -> NDArray[np.float64]:
    """Share of pixels without a hue by lightness."""
    saturation = np.hypot(lab[:, 1], lab[:, 2]) / np.maximum(lab[:, 0], 0.12)
    weight = np.clip(2 - saturation / _COLOURED, 0, 1)
    bins = np.clip((lab[:, 0] * _LIGHTNESSES).astype(int), 0, _LIGHTNESSES - 1)
    return _smooth(np.bincount(bins, weight, _LIGHTNESSES) / max(len(lab), 1))


def _smooth(histogram: NDArray[np.float64]) -> NDArray[np.float64]:
    kernel = np.exp(-0.5 * (np.arange(-4, 5) / 1.5) ** 2)
    return np.convolve(histogram, kernel / kernel.sum(), mode="same")


def _range(histogram: NDArray[np.float64], peak: int) -> tuple[int, int]:
    """How many bins the mode at `peak` reaches down and up: to where it is low, or begins to rise to another one."""

    def steps(values: NDArray[np.float64]) -> int:
        lowest = values[0]
        for step, value in enumerate(values[1:], 1):
            if value < _FLOOR * values[0] or value > 1.5 * lowest + 0.02 * values[0]:
                return step
            lowest = min(lowest, value)
        return len(values) - 1

    return steps(histogram[peak::-1]), steps(histogram[peak:])


def _valley(values: NDArray[np.float64]) -> int:
    """The step at which the values begin to rise to another mode; their number where they do not."""
    lowest, where = values[0], 0
    for step, value in enumerate(values):
        if value <= lowest:
            lowest, where = value, step
        elif value > 2 * lowest + 0.01 * values[0]:
            return where
    return len(values)
