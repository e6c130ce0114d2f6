"""The check that every mask passes on its way in: levels become values, noise is removed, doubts become notes.

What is certain is corrected and noted: the scale of the levels, the noise of lossy encoding, near-zero values. What is
only likely is noted: a mask that covers most of the picture, that has no core, or that has as many values as a
photograph. Nothing here knows where a mask came from; `_sources` reads colour and alpha and refuses photographs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._checks import bounds_of
from ._mask import Mask

Values = NDArray[np.float32]
Samples = NDArray[np.uint8] | NDArray[np.uint16]

FLOOR = 4 / 255
"""Values below it are 0, values above 1 - FLOOR are 1: levels 1 to 3 of 255 are noise in every mask.

A Gaussian feather loses the last 0.5 sigma of its tail, where at most 3 % of the new picture would show.
"""

RINGING = 0.1
"""Lossy encoding leaves values up to this around both ends of a hard mask."""

_SPARE = np.float32(0.5 / 255)  # half a level, so that float32 rounding decides nothing
_LARGEST_LABEL = 31
_MOST_LABELS = 8
_TOPS = (1023, 4095, 16383, 32767, 32768)  # 10, 12, 14 and 15 bits in 16, and Photoshop's 16-bit scale
_MOST = 0.6
_MANY_LEVELS = 64


class Levels(NamedTuple):
    """How the levels of a raster map to values: value = (level - low) / (high - low), clipped; `note` says why."""

    low: int
    high: int
    note: str = ""


def from_levels(levels: Samples, *, lossless: bool = True, notes: tuple[str, ...] = ()) -> Mask:
    """The mask of (H, W) uint8 or uint16 levels, the type's maximum meaning repaint.

    Known other scales are recognised: labels (a few small levels: every label but 0 is repainted), 8 bits in 16, 10 to
    15 bits in 16, video range (16..235). Levels of a lossy file are snapped at `RINGING`.
    """
    scale = _scale_of(levels, lossless)
    values = levels.astype(np.float32)
    if scale.low:
        values -= np.float32(scale.low)
    values /= np.float32(scale.high - scale.low)
    if scale.low or scale.high < levels.max():
        np.clip(values, 0, 1, out=values)
    if not lossless:
        values = snapped(values)
    return plausible(Mask(values, (*notes, scale.note) if scale.note else notes))


def plausible(mask: Mask) -> Mask:
    """The mask without noise, and with notes about what is likely wrong with it.

    Values below `FLOOR` become 0 and those above 1 - `FLOOR` become 1. In a hard mask, so does everything up to
    `RINGING` that does not touch an edge. The result passes unchanged.
    """
    values = mask.values
    if _read_as_labels(values):
        return from_levels(mask.to_bytes8(), notes=mask.notes)
    cleaned = _cleaned(values)
    notes = mask.notes + tuple(note for note in _likely(cleaned) if note not in mask.notes)
    return mask if cleaned is values and notes == mask.notes else Mask(cleaned, notes)


def covers_most(mask: Mask) -> str:
    """A note for a mask that may be inverted, because it marks most of the picture; "" for others."""
    share = float(np.mean(mask.core))
    if share <= _MOST:
        return ""
    return f"the mask marks {share:.0%} of the picture; if it marks what should stay, invert it"


def snapped(values: Values) -> Values:
    """0 under `RINGING` and 1 over 1 - `RINGING`: what lossy encoding left around the two ends is removed."""
    result = values.copy()
    result[values < np.float32(RINGING)] = 0
    result[values > np.float32(1 - RINGING)] = 1
    return result


def _scale_of(levels: Samples, lossless: bool) -> Levels:
    maximum = int(np.iinfo(levels.dtype).max)
    low, high = int(levels.min()), int(levels.max())
    if high == 0 or (low == 0 and high == maximum):
        return Levels(0, maximum)
    counts = np.bincount(levels.ravel())
    present = np.flatnonzero(counts)
    if lossless and high <= _LARGEST_LABEL and np.count_nonzero(present) <= _MOST_LABELS:
        named = ", ".join(map(str, present))
        return Levels(0, 1, f"the mask has only the levels {named}, taken as labels: every label but 0 is repainted")
    if maximum > 255 and high <= 255:
        return Levels(0, 255, f"the mask has 16 bits and no level above {high}, so that 255 was taken as repaint")
    if high in _TOPS and maximum > 255:
        return Levels(0, high, f"the mask has 16 bits and no level above {high}, which was taken as repaint")
    for unit in (1,) if maximum == 255 else (256, 257):
        if _is_video(counts, low, high, unit, lossless):
            note = f"the mask has levels from {low} to {high}, taken as video range: 16 is 0 and 235 is repaint"
            return Levels(16 * unit, 235 * unit, note)
    return Levels(0, maximum)


def _is_video(counts: NDArray[np.int64], low: int, high: int, unit: int, lossless: bool) -> bool:
    """Whether black is 16 and white 235 (ITU-R BT.601), exactly or, in a lossy file, at most levels nearby."""
    black, white = 16 * unit, 235 * unit
    if lossless:
        return bool((low, high) == (black, white))
    near = 8 * unit
    around = counts[black - near : black + near + 1].sum() + counts[white - near : white + near + 1].sum()
    peaks = counts[: 128 * unit].argmax(), 128 * unit + counts[128 * unit :].argmax() if high >= 128 * unit else 0
    exact = abs(int(peaks[0]) - black) <= 2 * unit and abs(int(peaks[1]) - white) <= 2 * unit
    return bool(exact and around > 0.9 * counts.sum())


def _read_as_labels(values: Values) -> bool:
    """Whether a file or a request with these values in 8 bits would be read as labels."""
    high = values.max(initial=0)
    if not 0 < high <= np.float32(_LARGEST_LABEL / 255):
        return False
    levels = np.unique(np.rint(values * np.float32(255)))
    return bool(0 < np.count_nonzero(levels) <= _MOST_LABELS)


def _cleaned(values: Values) -> Values:
    """The values without noise; the same array where there is none."""
    from ._morphology import is_hard  # loads OpenCV

    box = bounds_of(values > 0)
    part = values[box.slices]
    if box.empty or part.min() == part.max() == 1 or not np.logical_and(part > 0, part < 1).any():
        return values
    snap = np.float32(FLOOR) - _SPARE
    inner = part.copy()
    inner[part < snap] = 0
    inner[part > 1 - snap] = 1
    if is_hard(inner):
        import cv2

        square = np.ones((3, 3), np.uint8)
        for end in (0, 1):  # what lies near 0 or 1, and beside nothing else
            apart = np.abs(inner - np.float32(end)) < np.float32(RINGING)
            edge = cv2.dilate(np.logical_not(apart).view(np.uint8), square).view(np.bool_)
            inner[apart & ~edge] = end
    if np.array_equal(inner, part):
        return values
    result = values.copy()
    result[box.slices] = inner
    return result


def _likely(values: Values) -> list[str]:
    notes = []
    high = float(values.max(initial=0))
    if 0 < high < 0.5:
        notes.append(
            f"the largest value of the mask is {high:.2g}, below one half: nothing is repainted entirely, and what is "
            "there shows through"
        )
    between = np.logical_and(values > np.float32(RINGING), values < np.float32(1 - RINGING))
    if np.count_nonzero(between) > values.size / 2:
        levels = np.bincount((values * np.float32(255)).astype(np.uint8).ravel())
        if np.count_nonzero(levels) > _MANY_LEVELS:
            notes.append(
                f"the mask has {np.count_nonzero(levels)} levels, and most of it is neither 0 nor 1, as in a "
                "photograph or a depth map; a mask is white where the picture is repainted and black elsewhere"
            )
    return notes
