"""Grow, shrink, resize, fill holes, remove specks; each computes within the box that can change."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box, Size

from .distance import whole_square, within

Values = NDArray[np.float32]


_MOST_WIDE = 0.1  # the share of ramp pixels that may lie in wider ramps: corners and junctions of hard edges
_LEAST_PLATEAU = np.float32(0.5)  # the opacity of a brush beyond which its strokes are core, and repainted entirely


def is_bilevel(values: Values) -> bool:
    """Whether no value lies between 0 and 1."""
    box = Box.around(values > 0)
    return box.empty or bool((np.logical_or(values[box.slices] == 0, values[box.slices] == 1)).all())


def is_hard(values: Values) -> bool:
    """Whether no ramp of a mask with a core is wider than 2 pixels, as that of an antialiased edge is not.

    A ramp pixel has a value from 0.1 to 0.9 of the largest, which a brush below full opacity has throughout. One whose
    3x3 neighbours are all ramp pixels, and not all equal, lies in a ramp of 3 pixels or more, unless it is the ridge of
    a thin line. A mask without a core is soft: it was not meant to repaint anything entirely.
    """
    import cv2

    box = Box.around(values > 0)
    high = np.float32(values.max(initial=0))
    if high < np.float32(0.5):
        return box.empty
    part = np.pad(values[box.slices], 1) / (high if high > _LEAST_PLATEAU else np.float32(1))
    ramp = np.logical_and(part > np.float32(0.1), part < np.float32(0.9))
    square = np.ones((3, 3), np.uint8)
    inside = cv2.erode(ramp.view(np.uint8), square, borderValue=0).view(np.bool_)
    if high > _LEAST_PLATEAU:
        inside &= cv2.dilate(part, square) > cv2.erode(part, square)
    wide, most = np.count_nonzero(inside), _MOST_WIDE * np.count_nonzero(ramp)
    if wide <= most:
        return True
    y, x = np.nonzero(inside)
    here = part[y, x]
    lower = [np.minimum(here - part[y - dy, x - dx], here - part[y + dy, x + dx]) for dy, dx in ((0, 1), (1, 0))]
    return bool(wide - np.count_nonzero(np.maximum(*lower) > np.float32(0.1)) <= most)


def resized(values: Values, size: Size) -> Values:
    """The values at another size: nearest for a hard mask, area averages or linear interpolation for a soft one."""
    import cv2

    if values.shape == size.shape:
        return values
    smooth = cv2.INTER_AREA if size.area < values.size else cv2.INTER_LINEAR
    method = cv2.INTER_NEAREST_EXACT if is_hard(values) else smooth
    return np.asarray(cv2.resize(values, (size.width, size.height), interpolation=method), np.float32)


def grow(values: Values, pixels: float) -> Values:
    """The largest value within `pixels`, by a Euclidean disc."""
    if pixels < 1:
        return values
    if is_bilevel(values):
        return within(values > 0, pixels).astype(np.float32)
    box = Box.around(values > 0)
    region = _around(box, pixels, values)
    grown = np.zeros_like(values)
    grown[region.slices] = _dilate(values[region.slices], pixels)
    return grown


def shrink(values: Values, pixels: float) -> Values:
    """The smallest value within `pixels`; pixels beyond the picture's border do not count."""
    box = Box.around(values > 0)
    if pixels < 1 or box.empty:
        return values
    region = _around(box, pixels, values)
    inside = values[region.slices]
    shrunk = np.zeros_like(values)
    if is_bilevel(values):
        shrunk[region.slices] = ~within(inside == 0, pixels)
    else:
        shrunk[region.slices] = -_dilate(-inside, pixels)
    return shrunk


def fill_holes(values: Values) -> Values:
    """1 on all that the core encloses. The core is connected across corners (8 neighbours), a hole is not (4)."""
    import cv2

    core = values >= np.float32(0.5)
    box = Box.around(core)
    if box.empty:
        return values
    canvas = np.zeros((box.height + 2, box.width + 2), dtype=np.uint8)
    canvas[1:-1, 1:-1] = core[box.slices]
    cv2.floodFill(canvas, None, (0, 0), 2)  # the outside becomes 2, a hole stays 0
    filled = values.copy()
    filled[box.slices][canvas[1:-1, 1:-1] == 0] = 1
    return filled


def remove_specks(values: Values, area: float) -> Values:
    """0 on every connected piece of the support (8 neighbours) that has fewer than `area` pixels."""
    import cv2

    box = Box.around(values > 0)
    if box.empty:
        return values
    support = np.ascontiguousarray(values[box.slices] > 0)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(support.view(np.uint8), connectivity=8)
    small = statistics[:, cv2.CC_STAT_AREA] < area
    small[0] = False  # the background
    kept = values.copy()
    kept[box.slices][small[labels]] = 0
    return kept


def _around(box: Box, pixels: float, values: Values) -> Box:
    height, width = values.shape
    return box.pad(math.floor(pixels)).intersect(Box(0, 0, width, height))


def _dilate(values: Values, radius: float) -> Values:
    """Greyscale dilation by a flat disc: the largest value of its chords, one row of the disc after another.

    From the disc's top to its middle the chords get longer, and the running maximum of a longer chord is computed from
    that of a shorter one.
    """
    import cv2

    whole = math.floor(radius)
    height = values.shape[0]
    best: Values = values.copy()
    chord, half = np.ascontiguousarray(values), 0
    for row in range(whole, -1, -1):
        wanted = math.isqrt(whole_square(radius) - row * row)
        if wanted > half:
            chord = cv2.dilate(chord, np.ones((1, 2 * (wanted - half) + 1), np.uint8))
            half = wanted
        if row < height:
            np.maximum(best[row:], chord[: height - row], out=best[row:])
            np.maximum(best[: height - row], chord[row:], out=best[: height - row])
    return best
